//! The definition of a REST API: its routes, authorizers, models and validators, both wanted and
//! live, in the same form.
//!
//! AWS fills in defaults (`WHEN_NO_MATCH`, 29 seconds); both sides state them.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_apigateway::types;
use futures::future::try_join4;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::common::{PAGE, ordered};
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use payctl_engine::model::error::OpError;
use payctl_engine::model::text::Text;

/// One method of one path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    /// Who may call it: `NONE` allows everybody, `AWS_IAM` callers with an IAM permission,
    /// `COGNITO_USER_POOLS` and `CUSTOM` callers that the authorizer accepts.
    pub authorization: String,
    /// The name of the authorizer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorizer: Option<String>,
    /// A token must have one of these scopes; without scopes it must be an identity token.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub scopes: BTreeSet<String>,
    /// Whether a call needs an API key.
    pub api_key_required: bool,
    /// The name of the request validator.
    pub validator: Option<String>,
    /// Models of the body by content type.
    pub models: BTreeMap<String, String>,
    /// Request parameters, and whether they must be there.
    pub parameters: BTreeMap<String, bool>,
    /// The responses of the method, by status.
    pub responses: BTreeMap<String, Answer>,
    /// The integration; `None` only during the creation.
    pub integration: Option<Integration>,
}

/// The response of a method with one status.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    /// Headers, and whether they must be there.
    pub parameters: BTreeMap<String, bool>,
    /// Models by content type.
    pub models: BTreeMap<String, String>,
}

/// The integration of a method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Integration {
    /// `AWS_PROXY`, `HTTP_PROXY`, `MOCK` ...
    pub kind: String,
    /// The HTTP method of its requests.
    pub method: Option<String>,
    /// Its URI.
    pub uri: Option<Text>,
    /// Its connection to the network.
    pub link: Option<Link>,
    /// The timeout in milliseconds.
    pub timeout_ms: u32,
    /// The sources of its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Templates of its request by content type.
    pub templates: BTreeMap<String, String>,
    /// How it handles content without a template.
    pub passthrough: String,
    /// The responses to callers, by status.
    pub responses: BTreeMap<String, Mapping>,
}

/// A connection to a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Link {
    /// The id of the VPC link.
    pub id: Text,
    /// The ARN of the load balancer.
    pub target: Option<Text>,
}

/// One response to callers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mapping {
    /// The pattern of the answers that it handles; all others if `None`.
    pub pattern: Option<String>,
    /// The sources of headers.
    pub parameters: BTreeMap<String, String>,
    /// Templates by content type.
    pub templates: BTreeMap<String, String>,
}

/// A check of the callers of methods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Authorizer {
    /// `COGNITO_USER_POOLS`, or a function: `TOKEN` or `REQUEST`.
    pub kind: String,
    /// The ARNs of the user pools.
    pub pools: BTreeSet<String>,
    /// The call of the function.
    pub uri: Option<Text>,
    /// The source of the caller's identity, `method.request.header.Authorization`.
    pub identity: BTreeSet<String>,
    /// How many seconds an answer of the function is cached; not used with user pools.
    pub cache_seconds: Option<u32>,
}

/// The kind of the authorizers that check tokens themselves.
pub(crate) const COGNITO: &str = "COGNITO_USER_POOLS";

/// A request validator.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Validator {
    /// Whether the body must fit its model.
    pub body: bool,
    /// Whether the required parameters must be there.
    pub parameters: bool,
}

/// A model of a body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Model {
    /// Its description.
    pub description: String,
    /// The JSON schema.
    pub schema: Value,
}

/// The models that every new API has.
const DEFAULT_MODELS: [&str; 2] = ["Empty", "Error"];

/// The ids of a definition in AWS, with their objects.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// The ids of resources by path.
    pub paths: BTreeMap<String, String>,
    /// Methods by `POST /path`.
    pub routes: BTreeMap<String, Route>,
    /// Ids and authorizers by name.
    pub authorizers: BTreeMap<String, (String, Authorizer)>,
    /// Ids and validators by name.
    pub validators: BTreeMap<String, (String, Validator)>,
    /// Models by name.
    pub models: BTreeMap<String, Model>,
}

impl Parts {
    /// Reads everything in parallel. `None` if the API is gone.
    pub(super) async fn get(aws: &Aws, api: &str) -> Result<Option<Self>, OpError> {
        let all = try_join4(
            resources(aws, api),
            authorizers(aws, api),
            validators(aws, api),
            models(aws, api),
        );
        let Some((resources, authorizers, validators, models)) = all.await.or_gone()? else {
            return Ok(None);
        };
        let names = Names { authorizers: names(&authorizers), validators: names(&validators) };
        let mut paths = BTreeMap::new();
        let mut routes = BTreeMap::new();
        for resource in resources {
            let (Some(id), Some(path)) = (resource.id, resource.path) else { continue };
            for (method, found) in ordered(resource.resource_methods) {
                routes.insert(format!("{method} {path}"), Route::of(found, &names));
            }
            paths.insert(path, id);
        }
        Ok(Some(Self { paths, routes, authorizers, validators, models }))
    }
}

/// The names of the objects that methods refer to by id.
#[derive(Default)]
struct Names<'a> {
    authorizers: BTreeMap<&'a str, &'a str>,
    validators: BTreeMap<&'a str, &'a str>,
}

fn names<T>(found: &BTreeMap<String, (String, T)>) -> BTreeMap<&str, &str> {
    found.iter().map(|(name, (id, _))| (id.as_str(), name.as_str())).collect()
}

/// The name of an id. A deleted object keeps its id as its name, which differs from every real
/// name.
fn named(id: Option<String>, names: &BTreeMap<&str, &str>) -> Option<String> {
    let id = id.filter(|id| !id.is_empty())?;
    Some(names.get(id.as_str()).map_or(id.clone(), |name| (*name).to_owned()))
}

pub(super) async fn resources(aws: &Aws, api: &str) -> Result<Vec<types::Resource>, OpError> {
    let call = aws.apigateway.get_resources().rest_api_id(api).embed("methods").limit(PAGE);
    let pages = call.into_paginator().items().send();
    pages.try_collect().await.map_err(op("GetResources"))
}

async fn authorizers(
    aws: &Aws,
    api: &str,
) -> Result<BTreeMap<String, (String, Authorizer)>, OpError> {
    let call = aws.apigateway.get_authorizers().rest_api_id(api).limit(PAGE);
    let answer = call.send().await.map_err(op("GetAuthorizers"))?;
    let named = |mut found: types::Authorizer| {
        Some((found.name.take()?, (found.id.take()?, Authorizer::of(found))))
    };
    Ok(answer.items.unwrap_or_default().into_iter().filter_map(named).collect())
}

async fn validators(
    aws: &Aws,
    api: &str,
) -> Result<BTreeMap<String, (String, Validator)>, OpError> {
    let call = aws.apigateway.get_request_validators().rest_api_id(api).limit(PAGE);
    let answer = call.send().await.map_err(op("GetRequestValidators"))?;
    let named = |found: types::RequestValidator| {
        let validator = Validator {
            body: found.validate_request_body,
            parameters: found.validate_request_parameters,
        };
        Some((found.name?, (found.id?, validator)))
    };
    Ok(answer.items.unwrap_or_default().into_iter().filter_map(named).collect())
}

async fn models(aws: &Aws, api: &str) -> Result<BTreeMap<String, Model>, OpError> {
    let pages = aws.apigateway.get_models().rest_api_id(api).limit(PAGE).into_paginator();
    let models = pages.items().send().try_collect().await.map_err(op("GetModels"))?;
    let named = |found: types::Model| {
        let name = found.name.filter(|name| !DEFAULT_MODELS.contains(&name.as_str()))?;
        let schema = found.schema.unwrap_or_default();
        let model = Model {
            description: found.description.unwrap_or_default(),
            schema: serde_json::from_str(&schema).unwrap_or(Value::String(schema)),
        };
        Some((name, model))
    };
    Ok(models.into_iter().filter_map(named).collect())
}

impl Authorizer {
    fn of(found: types::Authorizer) -> Self {
        let kind = found.r#type.map(|kind| kind.as_str().to_owned()).unwrap_or_default();
        let text = |text: Option<String>| text.filter(|text| !text.is_empty());
        let sources = text(found.identity_source).unwrap_or_default();
        let sources = sources.split(',').map(|source| source.trim().to_owned());
        let seconds = found.authorizer_result_ttl_in_seconds.unwrap_or(CACHE);
        Self {
            cache_seconds: (kind != COGNITO).then(|| seconds.try_into().unwrap_or_default()),
            kind,
            pools: found.provider_arns.unwrap_or_default().into_iter().collect(),
            uri: text(found.authorizer_uri).map(Text::from),
            identity: sources.filter(|source| !source.is_empty()).collect(),
        }
    }

    /// The identity source in AWS's form.
    pub(super) fn sources(&self) -> String {
        self.identity.iter().map(String::as_str).collect::<Vec<_>>().join(",")
    }
}

/// How many seconds AWS keeps the answer of an authorizer unless told otherwise.
const CACHE: i32 = 300;

impl Route {
    fn of(found: types::Method, names: &Names<'_>) -> Self {
        let responses = ordered(found.method_responses).into_iter();
        Self {
            authorization: found.authorization_type.unwrap_or_else(|| "NONE".into()),
            authorizer: named(found.authorizer_id, &names.authorizers),
            scopes: found.authorization_scopes.unwrap_or_default().into_iter().collect(),
            api_key_required: found.api_key_required.unwrap_or_default(),
            validator: named(found.request_validator_id, &names.validators),
            models: ordered(found.request_models),
            parameters: ordered(found.request_parameters),
            responses: responses.map(|(status, answer)| (status, Answer::of(answer))).collect(),
            integration: found.method_integration.map(Integration::of),
        }
    }
}

impl Answer {
    fn of(found: types::MethodResponse) -> Self {
        Self {
            parameters: ordered(found.response_parameters),
            models: ordered(found.response_models),
        }
    }
}

impl Integration {
    fn of(found: types::Integration) -> Self {
        let text = |text: Option<String>| text.filter(|text| !text.is_empty());
        let timeout = u32::try_from(found.timeout_in_millis).unwrap_or_default();
        let responses = ordered(found.integration_responses).into_iter();
        Self {
            kind: found.r#type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
            method: text(found.http_method),
            uri: text(found.uri).map(Text::from),
            link: text(found.connection_id).map(|id| Link {
                id: id.into(),
                target: text(found.integration_target).map(Text::from),
            }),
            timeout_ms: if timeout == 0 { TIMEOUT } else { timeout },
            parameters: ordered(found.request_parameters),
            templates: ordered(found.request_templates),
            passthrough: text(found.passthrough_behavior).unwrap_or_else(|| PASSTHROUGH.into()),
            responses: responses.map(|(status, found)| (status, Mapping::of(found))).collect(),
        }
    }

    /// An integration of this type, with AWS's defaults.
    pub(crate) fn new(kind: &str) -> Self {
        Self {
            kind: kind.into(),
            method: None,
            uri: None,
            link: None,
            timeout_ms: TIMEOUT,
            parameters: BTreeMap::new(),
            templates: BTreeMap::new(),
            passthrough: PASSTHROUGH.into(),
            responses: BTreeMap::new(),
        }
    }
}

/// How long AWS waits for an integration unless told otherwise, in milliseconds.
pub(crate) const TIMEOUT: u32 = 29_000;
const PASSTHROUGH: &str = "WHEN_NO_MATCH";

impl Mapping {
    fn of(found: types::IntegrationResponse) -> Self {
        Self {
            pattern: found.selection_pattern.filter(|pattern| !pattern.is_empty()),
            parameters: ordered(found.response_parameters),
            templates: ordered(found.response_templates),
        }
    }
}

/// Method and path of a route.
pub(crate) fn split(route: &str) -> (&str, &str) {
    route.split_once(' ').unwrap_or((route, "/"))
}

/// The parent of a path.
pub(super) fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}

/// Every path that these routes need, parents included; the root is always there.
pub(crate) fn paths<'a>(routes: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for route in routes {
        let mut path = split(route).1;
        while path != "/" {
            paths.insert(path.to_owned());
            path = parent(path);
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_of_routes_hold_their_parents() {
        let routes = ["POST /a/{id}/b".to_owned(), "GET /".to_owned(), "GET /a".to_owned()];
        let found: Vec<String> = paths(&routes).into_iter().collect();
        assert_eq!(found, ["/a", "/a/{id}", "/a/{id}/b"]);
        assert_eq!((parent("/a/b"), parent("/a")), ("/a", "/"));
    }

    #[test]
    fn members_that_aws_omits_are_defaults() {
        let found = types::Integration::builder().r#type(types::IntegrationType::Mock).build();
        assert_eq!(Integration::of(found), Integration::new("MOCK"));
        let found = types::Method::builder().request_validator_id("v1").build();
        let names = Names { validators: BTreeMap::from([("v1", "all")]), ..Names::default() };
        let route = Route::of(found, &names);
        assert_eq!(route.validator.as_deref(), Some("all"));
        assert_eq!(route.authorization, "NONE");
    }

    #[test]
    fn authorizers_are_read_back_as_they_are_wanted() {
        let found = types::Authorizer::builder()
            .r#type(types::AuthorizerType::Request)
            .identity_source("method.request.header.B, method.request.header.A")
            .build();
        let found = Authorizer::of(found);
        assert_eq!(found.cache_seconds, Some(300));
        assert_eq!(found.sources(), "method.request.header.A,method.request.header.B");
        let pools = types::Authorizer::builder()
            .r#type(types::AuthorizerType::CognitoUserPools)
            .authorizer_result_ttl_in_seconds(300);
        assert_eq!(Authorizer::of(pools.build()).cache_seconds, None);
        // The authorizer of a method may be gone.
        let method = types::Method::builder().authorizer_id("a1").build();
        let route = Route::of(method, &Names::default());
        assert_eq!(route.authorizer.as_deref(), Some("a1"));
    }

    #[test]
    fn definitions_of_older_versions_keep_their_digest() {
        let route = Route::of(types::Method::builder().build(), &Names::default());
        let text = serde_json::to_string(&route).unwrap();
        assert!(!text.contains("authorizer") && !text.contains("scopes"), "{text}");
    }
}
