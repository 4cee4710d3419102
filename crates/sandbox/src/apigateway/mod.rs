//! The sandbox's API Gateway: REST APIs (v1) and the VPC links of v2, both REST with JSON.
//!
//! Quirks kept: Names are not unique. A deployment is a snapshot, and AWS does not delete it while
//! a stage uses it. Logging needs the role of the account. A method is created once and then only
//! patched. `{a}` cannot have a sibling `{b}`. A stage in a usage plan cannot be deleted, nor can a
//! VPC link that a deployment uses.

mod apis;
mod authorizers;
mod canary;
mod deployments;
mod domains;
mod integrations;
mod links;
mod methods;
mod model;
mod patch;
mod plans;
mod resources;
mod serving;
mod stages;
#[cfg(test)]
mod tests;

pub(crate) use serving::{Served, Unserved, serving};

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shelf::{Shelf, kept};
use super::toolbox::{Tags, add_tags, at, here, map, page, put, refuse, remove_tags, text, texts};
use super::wire::rest::RestRoute;
use super::{Answer, Base, Call, Refusal, World};

/// The state of API Gateway.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// APIs by region and id.
    apis: Shelf<apis::Api>,
    /// The roles of the account by region.
    roles: Shelf<String>,
    /// Usage plans by region and id.
    plans: Shelf<plans::Plan>,
    /// API keys by region and id.
    keys: Shelf<plans::Key>,
    /// VPC links by region and id.
    links: Shelf<links::Link>,
    /// Custom domain names by region and name.
    domains: Shelf<domains::Domain>,
}

kept!(State { apis, roles, plans, keys, links, domains });

/// The operations by method and path.
#[rustfmt::skip]
pub(crate) const ROUTES: &[RestRoute] = &[
    ("GET", "/account", "GetAccount"),
    ("PATCH", "/account", "UpdateAccount"),
    ("GET", "/restapis", "GetRestApis"),
    ("POST", "/restapis", "CreateRestApi"),
    ("GET", "/restapis/{api}", "GetRestApi"),
    ("PATCH", "/restapis/{api}", "UpdateRestApi"),
    ("DELETE", "/restapis/{api}", "DeleteRestApi"),
    ("GET", "/restapis/{api}/resources", "GetResources"),
    ("POST", "/restapis/{api}/resources/{resource}", "CreateResource"),
    ("DELETE", "/restapis/{api}/resources/{resource}", "DeleteResource"),
    ("GET", "/restapis/{api}/resources/{resource}/methods/{method}", "GetMethod"),
    ("PUT", "/restapis/{api}/resources/{resource}/methods/{method}", "PutMethod"),
    ("DELETE", "/restapis/{api}/resources/{resource}/methods/{method}", "DeleteMethod"),
    ("PUT", "/restapis/{api}/resources/{resource}/methods/{method}/responses/{status}", "PutMethodResponse"),
    ("GET", "/restapis/{api}/resources/{resource}/methods/{method}/integration", "GetIntegration"),
    ("PUT", "/restapis/{api}/resources/{resource}/methods/{method}/integration", "PutIntegration"),
    ("PATCH", "/restapis/{api}/resources/{resource}/methods/{method}/integration", "UpdateIntegration"),
    ("GET", "/restapis/{api}/resources/{resource}/methods/{method}/integration/responses/{status}", "GetIntegrationResponse"),
    ("PUT", "/restapis/{api}/resources/{resource}/methods/{method}/integration/responses/{status}", "PutIntegrationResponse"),
    ("PATCH", "/restapis/{api}/resources/{resource}/methods/{method}/integration/responses/{status}", "UpdateIntegrationResponse"),
    ("DELETE", "/restapis/{api}/resources/{resource}/methods/{method}/integration/responses/{status}", "DeleteIntegrationResponse"),
    ("GET", "/restapis/{api}/authorizers", "GetAuthorizers"),
    ("POST", "/restapis/{api}/authorizers", "CreateAuthorizer"),
    ("PATCH", "/restapis/{api}/authorizers/{authorizer}", "UpdateAuthorizer"),
    ("DELETE", "/restapis/{api}/authorizers/{authorizer}", "DeleteAuthorizer"),
    ("GET", "/restapis/{api}/requestvalidators", "GetRequestValidators"),
    ("POST", "/restapis/{api}/requestvalidators", "CreateRequestValidator"),
    ("PATCH", "/restapis/{api}/requestvalidators/{validator}", "UpdateRequestValidator"),
    ("DELETE", "/restapis/{api}/requestvalidators/{validator}", "DeleteRequestValidator"),
    ("GET", "/restapis/{api}/models", "GetModels"),
    ("POST", "/restapis/{api}/models", "CreateModel"),
    ("PATCH", "/restapis/{api}/models/{model}", "UpdateModel"),
    ("DELETE", "/restapis/{api}/models/{model}", "DeleteModel"),
    ("GET", "/restapis/{api}/deployments", "GetDeployments"),
    ("POST", "/restapis/{api}/deployments", "CreateDeployment"),
    ("GET", "/restapis/{api}/deployments/{deployment}", "GetDeployment"),
    ("PATCH", "/restapis/{api}/deployments/{deployment}", "UpdateDeployment"),
    ("DELETE", "/restapis/{api}/deployments/{deployment}", "DeleteDeployment"),
    ("GET", "/restapis/{api}/stages", "GetStages"),
    ("POST", "/restapis/{api}/stages", "CreateStage"),
    ("GET", "/restapis/{api}/stages/{stage}", "GetStage"),
    ("PATCH", "/restapis/{api}/stages/{stage}", "UpdateStage"),
    ("DELETE", "/restapis/{api}/stages/{stage}", "DeleteStage"),
    ("GET", "/domainnames", "GetDomainNames"),
    ("POST", "/domainnames", "CreateDomainName"),
    ("GET", "/domainnames/{domain}", "GetDomainName"),
    ("PATCH", "/domainnames/{domain}", "UpdateDomainName"),
    ("DELETE", "/domainnames/{domain}", "DeleteDomainName"),
    ("GET", "/domainnames/{domain}/basepathmappings", "GetBasePathMappings"),
    ("POST", "/domainnames/{domain}/basepathmappings", "CreateBasePathMapping"),
    ("GET", "/domainnames/{domain}/basepathmappings/{path}", "GetBasePathMapping"),
    ("PATCH", "/domainnames/{domain}/basepathmappings/{path}", "UpdateBasePathMapping"),
    ("DELETE", "/domainnames/{domain}/basepathmappings/{path}", "DeleteBasePathMapping"),
    ("GET", "/usageplans", "GetUsagePlans"),
    ("POST", "/usageplans", "CreateUsagePlan"),
    ("GET", "/usageplans/{plan}", "GetUsagePlan"),
    ("PATCH", "/usageplans/{plan}", "UpdateUsagePlan"),
    ("DELETE", "/usageplans/{plan}", "DeleteUsagePlan"),
    ("GET", "/usageplans/{plan}/keys", "GetUsagePlanKeys"),
    ("POST", "/usageplans/{plan}/keys", "CreateUsagePlanKey"),
    ("DELETE", "/usageplans/{plan}/keys/{key}", "DeleteUsagePlanKey"),
    ("GET", "/apikeys", "GetApiKeys"),
    ("POST", "/apikeys", "CreateApiKey"),
    ("GET", "/apikeys/{key}", "GetApiKey"),
    ("PATCH", "/apikeys/{key}", "UpdateApiKey"),
    ("DELETE", "/apikeys/{key}", "DeleteApiKey"),
    ("GET", "/tags/{arn+}", "GetTags"),
    ("PUT", "/tags/{arn+}", "TagResource"),
    ("DELETE", "/tags/{arn+}", "UntagResource"),
    ("GET", "/v2/vpclinks", "GetVpcLinks"),
    ("POST", "/v2/vpclinks", "CreateVpcLink"),
    ("GET", "/v2/vpclinks/{link}", "GetVpcLink"),
    ("PATCH", "/v2/vpclinks/{link}", "UpdateVpcLink"),
    ("DELETE", "/v2/vpclinks/{link}", "DeleteVpcLink"),
    ("GET", "/v2/tags/{arn+}", "GetTags"),
    ("POST", "/v2/tags/{arn+}", "TagResource"),
    ("DELETE", "/v2/tags/{arn+}", "UntagResource"),
];

/// The HTTP status of an answer: 201 for creations, 202 or 204 for deletions.
pub(crate) fn status(operation: &str) -> u16 {
    match operation {
        "DeleteIntegrationResponse" | "DeleteMethod" | "TagResource" | "UntagResource" => 204,
        _ if operation.starts_with("Create") || operation.starts_with("Put") => 201,
        _ if operation.starts_with("Delete") => 202,
        _ => 200,
    }
}

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    vec![
        ("rest_apis", state.apis.len()),
        ("stages", state.apis.values().map(|api| api.stages.len()).sum()),
        ("usage_plans", state.plans.len()),
        ("api_keys", state.keys.len()),
        ("vpc_links", state.links.len()),
        ("domain_names", state.domains.len()),
    ]
}

/// The tags of all stages of a region, by ARN.
pub(crate) fn all_tags<'a>(
    state: &'a State,
    region: &'a str,
) -> impl Iterator<Item = (String, Cow<'a, Tags>)> + 'a {
    here(&state.apis, region).flat_map(move |(id, api)| {
        let arn =
            move |stage| format!("arn:aws:apigateway:{region}::/restapis/{id}/stages/{stage}");
        api.stages.iter().map(move |(name, stage)| (arn(name), Cow::Borrowed(&stage.tags)))
    })
}

/// The domain names that show a certificate to clients, by ARN.
pub(crate) fn users_of_certificate<'a>(
    state: &'a State,
    certificate: &'a str,
) -> impl Iterator<Item = String> + 'a {
    domains::users(state, certificate)
}

/// Whether a stage with this ARN exists.
pub(crate) fn has_stage(state: &State, arn: &str) -> bool {
    let region = arn.split(':').nth(3).unwrap_or_default();
    let path = arn.split_once("::/restapis/").map(|(_, path)| path).unwrap_or_default();
    let stage = path.split_once("/stages/");
    stage.is_some_and(|(api, stage)| {
        let api = state.apis.get(&at(region, api));
        api.is_some_and(|api| api.stages.contains_key(stage))
    })
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    links::settle(world);
    let (input, region) = (&call.input, call.region.as_str());
    model::check(&call.operation, input)?;
    match call.operation.as_str() {
        "GetTags" => {
            let tags = tags_of(&mut world.apigateway, region, input)?.clone();
            Ok(json!({ "tags": tags }))
        }
        "TagResource" => {
            let tags = tags_of(&mut world.apigateway, region, input)?;
            tag(tags, map(input, "tags"))?;
            Ok(Value::Null)
        }
        "UntagResource" => {
            let mut keys = texts(input, "tagKeys");
            keys.extend(text(input, "tagKeys").map(str::to_owned));
            remove_tags(tags_of(&mut world.apigateway, region, input)?, &keys);
            Ok(Value::Null)
        }
        operation => apis::call(world, operation, region, input)
            .or_else(|| resources::call(world, operation, region, input))
            .or_else(|| authorizers::call(world, operation, region, input))
            .or_else(|| methods::call(world, operation, region, input))
            .or_else(|| integrations::call(world, operation, region, input))
            .or_else(|| deployments::call(world, operation, region, input))
            .or_else(|| stages::call(world, operation, region, input))
            .or_else(|| plans::call(world, operation, region, input))
            .or_else(|| links::call(world, operation, region, input))
            .or_else(|| domains::call(world, operation, region, input))
            .unwrap_or_else(|| Err(Refusal::not_covered(&call.service, &call.operation))),
    }
}

/// The tags of the object with this ARN.
fn tags_of<'a>(state: &'a mut State, region: &str, input: &Value) -> Result<&'a mut Tags, Refusal> {
    let arn = text(input, "arn").unwrap_or_default();
    let path = arn.split_once("::/").map(|(_, path)| path).unwrap_or_default();
    let steps: Vec<&str> = path.split('/').collect();
    let tags = match steps.as_slice() {
        ["restapis", id] => state.apis.get_mut(&at(region, id)).map(|api| &mut api.tags),
        ["restapis", id, "stages", stage] => {
            let api = state.apis.get_mut(&at(region, id));
            api.and_then(|api| api.stages.get_mut(*stage)).map(|stage| &mut stage.tags)
        }
        ["usageplans", id] => state.plans.get_mut(&at(region, id)).map(|plan| &mut plan.tags),
        ["apikeys", id] => return plans::key_tags(state, region, id),
        ["domainnames", name] => state.domains.get_mut(&at(region, name)).map(|one| &mut one.tags),
        ["vpclinks", id] => state.links.get_mut(&at(region, id)).map(|link| &mut link.tags),
        _ => None,
    };
    tags.ok_or_else(|| gone("Invalid Resource identifier specified"))
}

fn tag(tags: &mut Tags, more: Tags) -> Result<(), Refusal> {
    add_tags(tags, more, ("BadRequestException", FULL)).map_err(|refusal| match &*refusal.code {
        FULL => full(refusal.message),
        _ => refusal,
    })
}

const FULL: &str = "LimitExceededException";

/// The refusal of a call over a quota. AWS answers it with the status of throttling.
fn full(message: impl Into<String>) -> Refusal {
    refuse(429, FULL, message)
}

/// When an API was created, if it exists.
pub(crate) fn made(state: &State, region: &str, api: &str) -> Option<f64> {
    state.apis.get(&at(region, api)).map(|api| api.created)
}

/// The refusal of a request validator whose API does not exist.
pub(crate) fn no_such_api() -> Refusal {
    bad("Invalid REST API identifier specified")
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::new("BadRequestException", message)
}

fn conflict(message: impl Into<String>) -> Refusal {
    refuse(409, "ConflictException", message)
}

fn gone(message: impl Into<String>) -> Refusal {
    refuse(404, "NotFoundException", message)
}

fn need<'a>(input: &'a Value, key: &str) -> Result<&'a str, Refusal> {
    let missing = || bad(format!("Invalid request input: {key} is required"));
    text(input, key).filter(|text| !text.is_empty()).ok_or_else(missing)
}

/// A new id: ten letters and digits.
fn new_id(base: &mut Base) -> String {
    format!("{:016x}", base.number())[..10].to_owned()
}

/// One page of a list by id. The token of the next page is opaque.
fn listed(items: Vec<(String, Value)>, input: &Value) -> Value {
    let limit = super::toolbox::number(input, "limit").unwrap_or(25).clamp(1, 500);
    let limit = usize::try_from(limit).unwrap_or(25);
    let after = text(input, "position").and_then(|position| URL_SAFE_NO_PAD.decode(position).ok());
    let after = after.and_then(|after| String::from_utf8(after).ok());
    let (items, next) = page(items, after.as_deref(), limit);
    let mut answer = json!({ "item": items });
    put(&mut answer, "position", next.map(|next| URL_SAFE_NO_PAD.encode(next)));
    answer
}
