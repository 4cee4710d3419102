//! REST APIs with all parts of a deployment: paths, methods, integrations, authorizers, validators,
//! models and the resource policy.
//!
//! AWS quirks: names are not unique, and creation does not take a token. Parallel changes of one
//! API conflict, so payctl makes them one after the other. Changes take effect with a deployment,
//! so payctl simply recreates a method that differs. An authorizer that a method refers to cannot
//! be deleted. The policy comes back escaped, with the ARN of this API for `execute-api:/...`.
//! DeleteRestApi is allowed once in 30 seconds for the whole account.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_apigateway::types;
use futures::future::{try_join, try_join_all};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::common::{
    add_tags, delete_execution_logs, incomplete, named, our_apis, remove_tags, tags,
};
use super::definition::{Authorizer, Model, Parts, Route, Validator};
use crate::aws::clients::Aws;
use crate::aws::costs::{Costs, to};
use crate::aws::error::{Gone, op};
use crate::aws::quotas;
use crate::aws::resource::{Cx, Resource, Survey};
use convert::to_live;
use moves::Moves;
use payctl_engine::model::address::Address;
use payctl_engine::model::document::Document;
use payctl_engine::model::drawn::{Drawn, End, Flow, Lane, referred};
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::size::SizeLimit;
use payctl_engine::model::text::Output;
use payctl_money::Decimal;
use payctl_money::load::{Driver, Passed};

mod convert;
mod moves;
mod samples;

/// A REST API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestApi {
    /// The name; metrics use it.
    pub name: String,
    /// Its description.
    pub description: String,
    /// The endpoint type: `EDGE` or `REGIONAL`.
    pub endpoint: String,
    /// Who may call it; without a policy, only the methods decide.
    pub policy: Option<Document>,
    /// Content types that are passed on unchanged, as bytes.
    pub binary_types: BTreeSet<String>,
    /// The minimum size of compressed answers in bytes; never compressed if `None`.
    pub minimum_compression: Option<u32>,
    /// The source of API keys: `HEADER` or `AUTHORIZER`.
    pub key_source: String,
    /// Models of bodies by name.
    pub models: BTreeMap<String, Model>,
    /// Request validators by name.
    pub validators: BTreeMap<String, Validator>,
    /// Authorizers by name.
    #[serde(default)]
    pub authorizers: BTreeMap<String, Authorizer>,
    /// Every path below the root, including parents without methods.
    pub paths: BTreeSet<String>,
    /// Methods by `POST /path`.
    pub routes: BTreeMap<String, Route>,
    /// AWS's name of the TLS versions and ciphers that callers may use; unmanaged if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_policy: Option<String>,
    /// Why the last change failed after AWS had accepted it. It is never wanted, so payctl sends
    /// the change again.
    pub failed_update: Option<String>,
}

impl Resource for RestApi {
    const META: Meta = Meta {
        drawn: Drawn::a_box(Lane::Entry, "api", "REST API").with(flows),
        notes: &[
            "A change takes effect when the stage gets a deployment with it.",
            "AWS allows one deletion of a REST API per 30 seconds and account; payctl waits.",
            "The version is a digest of the live API; the deployment of a stage records it.",
            "A change of the security policy takes about 15 minutes, while the API still answers. \
             After it the endpoint serves only callers who name its own host (access mode STRICT).",
            "Requests through a VPC link use the path of their integration. According to AWS's \
             guide, the stage name would come before it, so a template overrides the path for \
             JSON and for requests without a body.",
            "payctl leaves gateway responses and documentation as they are.",
            "If an authorizer changes its type, payctl recreates it and the methods that use it.",
        ],
        replace: Replace::CreateFirst,
        can_duplicate: true,
        failure_field: Some("failed_update"),
        changed_outputs: &[
            ("policy", Output::Version),
            ("binary_types", Output::Version),
            ("minimum_compression", Output::Version),
            ("key_source", Output::Version),
            ("models", Output::Version),
            ("validators", Output::Version),
            ("authorizers", Output::Version),
            ("routes", Output::Version),
            ("security_policy", Output::Version),
        ],
        deadline: Duration::from_secs(1800),
        transient: &[
            ("BadRequestException", "Invalid principal"),
            ("BadRequestException", "Invalid policy document"),
            ("BadRequestException", "VPC link"),
            ("BadRequestException", "usage plan"),
        ],
        gone_at_once: true,
        permits: &[
            quotas::PERMIT,
            Permit::look(
                &["apigateway:GET"],
                &["apigateway:{region}::/restapis", "apigateway:{region}::/restapis/*"],
            ),
            Permit::create(&["apigateway:POST"], &["apigateway:{region}::/restapis"]),
            Permit::change(
                &["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT"],
                &["apigateway:{region}::/restapis/*"],
            ),
            Permit::change(
                &["apigateway:UpdateRestApiPolicy"],
                &["apigateway:{region}::/restapis/*"],
            ),
            Permit::set(&["apigateway:PUT"], &["apigateway:{region}::/tags/*"]),
            Permit::change(&["apigateway:DELETE"], &["apigateway:{region}::/tags/*"]),
            Permit::delete(&["apigateway:DELETE"], &["apigateway:{region}::/restapis/*"]),
            Permit::delete(&["logs:DescribeLogGroups"], &["*"]),
            Permit::delete(
                &["logs:DeleteLogGroup"],
                &["logs:{here}:log-group:API-Gateway-Execution-Logs_*"],
            ),
        ],
        names: Some(named("api")),
        sizes: &[SizeLimit::policy("policy", "policy", 8192)],
        section: "apis",
        predicted: &[(Output::Name, "{name}")],
        asked: &["endpoint", "security_policy"],
        typical: Typical::seconds(10, 15, 30).calls(35, 40, 3),
        serves: true,
        pricing: Pricing::Free("AWS charges for requests; the stage counts them."),
        types: &["apigateway:restapis"],
        ..Meta::new(
            "apigateway.rest_api",
            "apigateway",
            "A REST API with its paths, methods, authorizers, integrations, validators and models.",
        )
    };

    fn sample() -> Self {
        samples::sample()
    }

    fn variants() -> Vec<Self> {
        samples::variants()
    }

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        let parts = Decimal::from(self.routes.len().max(1));
        let [part, traced] =
            [Driver::Requests, Driver::Traced].map(|driver| cx.load(driver) / parts);
        let integrations = self.routes.values().filter_map(|route| route.integration.as_ref());
        let behind = integrations.flat_map(|integration| {
            let target = integration.link.as_ref().and_then(|link| link.target.as_ref());
            target.or(integration.uri.as_ref())
        });
        let flows = behind.flat_map(|behind| {
            let flows = to(behind, Driver::Requests, part);
            flows.into_iter().chain(to(behind, Driver::Traced, traced))
        });
        flows.collect()
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let apis = our_apis(cx).await?.into_iter();
        let lives = try_join_all(apis.map(|(_, api)| describe(cx.aws, api))).await?;
        Ok(lives
            .into_iter()
            .flatten()
            .filter_map(|live| cx.found(live, |spec| &spec.name))
            .collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let api = async {
            let send = cx.aws.apigateway.get_rest_api().rest_api_id(cx.id()).send();
            send.await.map_err(op("GetRestApi")).or_gone()
        };
        match try_join(api, Parts::get(cx.aws, cx.id())).await? {
            (Some(api), Some(parts)) => {
                let api = types::RestApi::builder()
                    .set_id(api.id)
                    .set_name(api.name)
                    .set_description(api.description)
                    .set_endpoint_configuration(api.endpoint_configuration)
                    .set_policy(api.policy)
                    .set_binary_media_types(api.binary_media_types)
                    .set_minimum_compression_size(api.minimum_compression_size)
                    .set_api_key_source(api.api_key_source)
                    .set_security_policy(api.security_policy)
                    .set_api_status(api.api_status)
                    .set_api_status_message(api.api_status_message)
                    .set_tags(api.tags);
                to_live(cx.aws, api.build(), parts).map(Some)
            }
            (Some(_) | None, Some(_) | None) => Ok(None),
        }
    }

    async fn glance(cx: &Cx<'_>, planned: Live<Self>) -> Result<Option<Live<Self>>, OpError> {
        let send = cx.aws.apigateway.get_rest_api().rest_api_id(cx.id()).send();
        let api = send.await.map_err(op("GetRestApi")).or_gone()?;
        Ok(api.map(|api| Live { tags: tags(api.tags), ..planned }))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let endpoint = types::EndpointConfiguration::builder()
            .types(types::EndpointType::from(self.endpoint.as_str()))
            .build();
        let description = Some(&self.description).filter(|text| !text.is_empty());
        let policy = self.security_policy.as_deref();
        let is_strict = policy.is_some_and(is_enhanced);
        let made = cx
            .aws
            .apigateway
            .create_rest_api()
            .name(&self.name)
            .set_description(description.cloned())
            .endpoint_configuration(endpoint)
            .set_security_policy(policy.map(types::SecurityPolicy::from))
            .set_endpoint_access_mode(is_strict.then_some(STRICT))
            .set_tags(Some(cx.tags.clone().into_iter().collect()))
            .send()
            .await
            .map_err(op("CreateRestApi"))?;
        made.id.ok_or_else(|| incomplete("CreateRestApi"))
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let patches = self.patches(&live.spec);
        if !patches.is_empty() {
            cx.aws
                .apigateway
                .update_rest_api()
                .rest_api_id(&live.id)
                .set_patch_operations(Some(patches))
                .send()
                .await
                .map_err(op("UpdateRestApi"))?;
        }
        // The live state may differ from the plan after an attempt that failed half-way.
        match Parts::get(cx.aws, &live.id).await? {
            Some(parts) => Moves::new(cx.aws, &live.id, self, parts).all().await,
            None => Ok(()),
        }
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        add_tags(cx.aws, &format!("/restapis/{}", live.id), set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        remove_tags(cx.aws, &format!("/restapis/{}", live.id), unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        delete_execution_logs(cx.aws, &live.id).await?;
        let send = cx.aws.apigateway.delete_rest_api().rest_api_id(&live.id).send();
        send.await.map_err(op("DeleteRestApi")).or_gone().map(drop)
    }
}

/// The access mode of an endpoint with a newer security policy.
const STRICT: types::EndpointAccessMode = types::EndpointAccessMode::Strict;

/// Whether a security policy is a newer one, which needs an access mode.
fn is_enhanced(policy: &str) -> bool {
    policy.starts_with("SecurityPolicy_")
}

impl RestApi {
    /// A digest of all parts of a deployment.
    fn version(&self) -> String {
        let Self { policy, binary_types, minimum_compression, key_source, .. } = self;
        let Self { models, validators, routes, authorizers, .. } = self;
        let mut all = json!([
            policy,
            binary_types,
            minimum_compression,
            key_source,
            models,
            validators,
            routes
        ]);
        // Without authorizers the digest stays as it was before payctl knew authorizers.
        if !authorizers.is_empty()
            && let Some(all) = all.as_array_mut()
        {
            all.push(json!(authorizers));
        }
        // The security policies that AWS gives by default do not need a deployment.
        let tls = self.security_policy.as_deref().filter(|policy| is_enhanced(policy));
        let all = format!("{all}{}", tls.unwrap_or_default());
        let digest = Sha256::digest(all.as_bytes());
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

async fn describe(aws: &Aws, api: types::RestApi) -> Result<Option<Live<RestApi>>, OpError> {
    let id = api.id.clone().unwrap_or_default();
    let parts = Parts::get(aws, &id).await?;
    parts.map(|parts| to_live(aws, api, parts)).transpose()
}

/// Its callers, and each route to what answers it.
fn flows(spec: &Value) -> Vec<Flow> {
    let callers = Flow::new(End::Outside("internet", "Internet".to_owned()), End::Here, "HTTPS");
    let mut flows = vec![callers];
    for (route, method) in spec.get("routes").and_then(Value::as_object).into_iter().flatten() {
        // Through a link the call leaves to the link, and the link passes it on.
        let link = Flow::out(method, "/integration/link/id", route);
        if link.is_empty() {
            flows.extend(Flow::out(method, "/integration/uri", route));
        }
        let targets = referred(method.pointer("/integration/link/target"));
        for link in referred(method.pointer("/integration/link/id")) {
            let on = |to: &Address| Flow::new(End::There(link.clone()), End::There(to.clone()), "");
            flows.extend(targets.iter().map(on));
        }
        flows.extend(link);
    }
    flows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_depends_only_on_the_deployed_definition() {
        let sample = RestApi::sample();
        let described = RestApi { description: "other".into(), ..RestApi::sample() };
        assert_eq!(sample.version(), described.version());
        for other in &RestApi::variants()[..3] {
            assert_ne!(sample.version(), other.version());
        }
    }
}
