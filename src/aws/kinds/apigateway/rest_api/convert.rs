//! APIs from the answers of API Gateway, and the patches that change them.

use aws_sdk_apigateway::types;
use serde_json::Value;

use super::{RestApi, STRICT, is_enhanced};
use crate::aws::clients::Aws;
use crate::aws::kinds::apigateway::common::{add, arn, clear, escape, remove, replace, tags};
use crate::aws::kinds::apigateway::definition::Parts;
use payctl_engine::model::document::{Document, NotADocument};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Live, Phase};
use payctl_engine::model::text::{Output, Outputs};

impl RestApi {
    /// The changes of the API itself.
    pub(super) fn patches(&self, live: &Self) -> Vec<types::PatchOperation> {
        let mut patches = Vec::new();
        let texts = [
            ("/name", &self.name, &live.name),
            ("/description", &self.description, &live.description),
            ("/endpointConfiguration/types/0", &self.endpoint, &live.endpoint),
            ("/apiKeySource", &self.key_source, &live.key_source),
        ];
        let changed = texts.into_iter().filter(|(_, want, live)| want != live);
        patches.extend(changed.map(|(path, want, _)| replace(path, want)));
        if self.policy != live.policy {
            let policy = self.policy.as_ref().map(Document::to_json);
            patches.push(replace("/policy", policy.unwrap_or_default()));
        }
        let binary = |kind: &String| format!("/binaryMediaTypes/{}", escape(kind));
        let (want, live_types) = (&self.binary_types, &live.binary_types);
        patches.extend(want.difference(live_types).map(|kind| add(binary(kind))));
        patches.extend(live_types.difference(want).map(|kind| remove(binary(kind))));
        if self.minimum_compression != live.minimum_compression {
            const PATH: &str = "/minimumCompressionSize";
            patches.push(match self.minimum_compression {
                Some(bytes) => replace(PATH, bytes.to_string()),
                None => clear(PATH),
            });
        }
        if let Some(policy) = &self.security_policy
            && self.security_policy != live.security_policy
        {
            patches.push(replace("/securityPolicy", policy));
            if is_enhanced(policy) {
                patches.push(replace("/endpointAccessMode", STRICT.as_str()));
            } else if live.security_policy.as_deref().is_some_and(is_enhanced) {
                // An older policy does not have an access mode, and AWS does not remove it by
                // itself.
                patches.push(replace("/endpointAccessMode", ""));
            }
        }
        patches
    }
}

/// A policy with the ARN of this API in the short form, which does not need the API's id.
fn shortened(policy: &Document, own: &str) -> Document {
    let mut tree = policy.value().clone();
    let shorten = |resource: &mut Value| {
        let rest = resource.as_str().and_then(|text| text.strip_prefix(own));
        if let Some(rest) = rest.filter(|rest| rest.starts_with('/')) {
            *resource = format!("execute-api:{rest}").into();
        }
    };
    for statement in tree["Statement"].as_array_mut().into_iter().flatten() {
        for key in ["Resource", "NotResource"] {
            let resources = statement.get_mut(key).and_then(Value::as_array_mut);
            resources.into_iter().flatten().for_each(shorten);
        }
    }
    Document::from_value(&tree)
}

/// Why the last change failed, if it did.
fn failure(status: Option<&types::ApiStatus>, message: Option<String>) -> Option<String> {
    let message = message.filter(|message| !message.is_empty());
    let failed = status == Some(&types::ApiStatus::Failed);
    failed.then(|| message.unwrap_or_else(|| "AWS gave no reason".to_owned()))
}

pub(super) fn to_live(
    aws: &Aws,
    api: types::RestApi,
    parts: Parts,
) -> Result<Live<RestApi>, OpError> {
    let id = api.id.unwrap_or_default();
    let name = api.name.unwrap_or_default();
    let policy = api.policy.filter(|text| !text.is_empty());
    let scope = &aws.scope;
    let own =
        format!("arn:{}:execute-api:{}:{}:{id}", scope.partition, scope.region, scope.account);
    let policy = policy.map(|text| Ok(shortened(&Document::parse(&text)?, &own))).transpose();
    let failed_update = failure(api.api_status.as_ref(), api.api_status_message);
    // An API whose last change failed still answers.
    let phase = match api.api_status {
        Some(status @ (types::ApiStatus::Pending | types::ApiStatus::Updating)) => {
            Phase::Pending(status.as_str().to_owned())
        }
        Some(_) | None => Phase::Ready,
    };
    let types = api.endpoint_configuration.and_then(|endpoint| endpoint.types);
    let endpoint = types.and_then(|types| types.into_iter().next());
    let source = api.api_key_source.unwrap_or(types::ApiKeySourceType::Header);
    let Parts { mut paths, routes, authorizers, validators, models } = parts;
    paths.remove("/");
    let spec = RestApi {
        name: name.clone(),
        description: api.description.unwrap_or_default(),
        endpoint: endpoint.unwrap_or(types::EndpointType::Edge).as_str().to_owned(),
        policy: policy.map_err(|error: NotADocument| {
            OpError::new("GetRestApi", ErrorClass::Bug, "Policy", error.to_string())
        })?,
        binary_types: api.binary_media_types.unwrap_or_default().into_iter().collect(),
        minimum_compression: api.minimum_compression_size.and_then(|size| size.try_into().ok()),
        key_source: source.as_str().to_owned(),
        models,
        validators: validators.into_iter().map(|(name, (_, found))| (name, found)).collect(),
        authorizers: authorizers.into_iter().map(|(name, (_, found))| (name, found)).collect(),
        paths: paths.into_keys().collect(),
        routes,
        security_policy: api.security_policy.map(|policy| policy.as_str().to_owned()),
        failed_update,
    };
    Ok(Live {
        outputs: Outputs::from([
            (Output::Id, id.clone()),
            (Output::Name, name),
            (Output::Arn, arn(aws, &format!("/restapis/{id}"))),
            (Output::Version, spec.version()),
        ]),
        id,
        spec,
        tags: tags(api.tags),
        phase,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::aws::resource::Resource as _;

    fn paths_of(patches: &[types::PatchOperation]) -> Vec<&str> {
        patches.iter().filter_map(|patch| patch.path.as_deref()).collect()
    }

    #[test]
    fn only_differences_are_patched() {
        let sample = RestApi::sample();
        assert!(sample.patches(&sample).is_empty());
        let other = RestApi {
            binary_types: BTreeSet::from(["image/png".into()]),
            endpoint: "EDGE".into(),
            ..RestApi::sample()
        };
        let there = other.patches(&sample);
        assert_eq!(
            paths_of(&there),
            ["/endpointConfiguration/types/0", "/binaryMediaTypes/image~1png"]
        );
        assert_eq!(sample.patches(&other)[1].op, Some(types::Op::Remove));
    }

    #[test]
    fn an_older_security_policy_removes_the_access_mode() {
        let with = |policy: &str| RestApi {
            security_policy: Some(policy.to_owned()),
            ..RestApi::sample()
        };
        let told = |want: &RestApi, live: &RestApi| -> Vec<(String, Option<String>)> {
            let patches = want.patches(live).into_iter();
            patches.map(|patch| (patch.path.unwrap_or_default(), patch.value)).collect()
        };
        let one = |path: &str, value: &str| (path.to_owned(), Some(value.to_owned()));
        let newer = "SecurityPolicy_TLS13_1_2_2021_06";
        assert_eq!(
            told(&with(newer), &with("TLS_1_0")),
            [one("/securityPolicy", newer), one("/endpointAccessMode", "STRICT")]
        );
        assert_eq!(
            told(&with("TLS_1_2"), &with(newer)),
            [one("/securityPolicy", "TLS_1_2"), one("/endpointAccessMode", "")]
        );
        assert_eq!(told(&with("TLS_1_2"), &with("TLS_1_0")), [one("/securityPolicy", "TLS_1_2")]);
    }

    #[test]
    fn a_failed_api_update_gives_its_reason() {
        let said = |status, message: &str| failure(Some(&status), Some(message.to_owned()));
        assert_eq!(said(types::ApiStatus::Failed, "no certificate").unwrap(), "no certificate");
        assert_eq!(said(types::ApiStatus::Failed, "").unwrap(), "AWS gave no reason");
        assert_eq!(said(types::ApiStatus::Available, "done"), None);
    }
}
