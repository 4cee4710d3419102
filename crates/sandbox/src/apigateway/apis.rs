//! REST APIs, and the account.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{Tags, at, here, list, map, now, number, put, text, texts};
use super::super::{ACCOUNT, Answer, Call, Refusal, World, iam};
use super::patch::patches;
use super::{State, bad, deployments, gone, listed, need, new_id, resources, stages, tag};

/// A REST API.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Api {
    name: String,
    description: Option<String>,
    pub created: f64,
    endpoint: String,
    policy: Option<String>,
    binary_types: BTreeSet<String>,
    compression: Option<i64>,
    key_source: String,
    /// The security policy and the access mode, once they were set.
    tls: Option<(String, String)>,
    pub tags: Tags,
    pub root: String,
    /// Resources by id.
    pub resources: BTreeMap<String, resources::Resource>,
    /// Authorizers by id.
    pub authorizers: BTreeMap<String, Value>,
    /// Request validators by id.
    pub validators: BTreeMap<String, Value>,
    /// Models by name.
    pub models: BTreeMap<String, Value>,
    /// Deployments by id.
    pub deployments: BTreeMap<String, deployments::Deployment>,
    /// Stages by name.
    pub stages: BTreeMap<String, stages::Stage>,
}

const ENDPOINTS: [&str; 3] = ["EDGE", "REGIONAL", "PRIVATE"];

pub(super) fn call(
    world: &mut World,
    operation: &str,
    region: &str,
    input: &Value,
) -> Option<Answer> {
    Some(match operation {
        "GetAccount" => Ok(account(&world.apigateway, region)),
        "UpdateAccount" => update_account(world, region, input),
        "CreateRestApi" => create(world, region, input),
        "GetRestApis" => {
            let apis = here(&world.apigateway.apis, region);
            let apis = apis.map(|(id, api)| (id.to_owned(), api.view(id)));
            Ok(listed(apis.collect(), input))
        }
        "GetRestApi" => find(&mut world.apigateway, region, input).map(|api| api.view(id(input))),
        "UpdateRestApi" => update(&mut world.apigateway, region, input),
        "DeleteRestApi" => delete(&mut world.apigateway, region, input),
        _ => return None,
    })
}

fn id(input: &Value) -> &str {
    text(input, "api").unwrap_or_default()
}

/// The API of a call.
pub(super) fn find<'a>(
    state: &'a mut State,
    region: &str,
    input: &Value,
) -> Result<&'a mut Api, Refusal> {
    let api = state.apis.get_mut(&at(region, id(input)));
    api.ok_or_else(|| gone("Invalid API identifier specified"))
}

impl Api {
    fn view(&self, id: &str) -> Value {
        let mut view = json!({
            "id": id,
            "name": self.name,
            "createdDate": self.created,
            "endpointConfiguration": { "types": [self.endpoint], "ipAddressType": "ipv4" },
            "apiKeySource": self.key_source,
            "disableExecuteApiEndpoint": false,
            "rootResourceId": self.root,
            "tags": self.tags,
            "securityPolicy": self.tls.as_ref().map_or("TLS_1_0", |(policy, _)| policy),
            "apiStatus": "AVAILABLE",
        });
        let mode = self.tls.as_ref().map(|(_, mode)| mode.clone()).filter(|mode| !mode.is_empty());
        put(&mut view, "endpointAccessMode", mode);
        put(&mut view, "description", self.description.clone());
        // Escaped once more, slashes included.
        let escaped = |text: &String| text.replace('"', "\\\"").replace('/', "\\/");
        put(&mut view, "policy", self.policy.as_ref().map(escaped));
        put(&mut view, "minimumCompressionSize", self.compression);
        if !self.binary_types.is_empty() {
            view["binaryMediaTypes"] = json!(self.binary_types);
        }
        view
    }

    /// Newer policies need an access mode, older ones have none.
    fn set_tls(&mut self, policy: Option<&str>, mode: Option<&str>) -> Result<(), Refusal> {
        if policy.is_none() && mode.is_none() {
            return Ok(());
        }
        let old = self.tls.clone().unwrap_or_else(|| ("TLS_1_0".into(), String::new()));
        let new = (policy.unwrap_or(&old.0).to_owned(), mode.unwrap_or(&old.1).to_owned());
        let enhanced = new.0.starts_with("SecurityPolicy_TLS");
        if !enhanced && !["TLS_1_0", "TLS_1_2"].contains(&&*new.0) {
            return Err(bad(format!("Invalid security policy '{}'", new.0)));
        }
        if enhanced != ["BASIC", "STRICT"].contains(&&*new.1) {
            return Err(bad("The endpoint access mode does not fit the security policy"));
        }
        self.tls = Some(new);
        Ok(())
    }

    fn set_endpoint(&mut self, endpoint: &str) -> Result<(), Refusal> {
        if !ENDPOINTS.contains(&endpoint) {
            return Err(bad(format!("Invalid endpoint type '{endpoint}'")));
        }
        self.endpoint = endpoint.to_owned();
        Ok(())
    }
}

fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "name")?;
    let root = new_id(&mut world.base);
    let made = now(&world.base);
    let mut api = Api {
        name: name.to_owned(),
        description: text(input, "description").map(str::to_owned),
        created: made,
        endpoint: "EDGE".into(),
        policy: text(input, "policy").map(str::to_owned),
        binary_types: texts(input, "binaryMediaTypes").into_iter().collect(),
        compression: number(input, "minimumCompressionSize"),
        key_source: text(input, "apiKeySource").unwrap_or("HEADER").to_owned(),
        root: root.clone(),
        ..Api::default()
    };
    if let Some(endpoint) = list(&input["endpointConfiguration"], "types").first() {
        api.set_endpoint(endpoint.as_str().unwrap_or_default())?;
    }
    api.set_tls(text(input, "securityPolicy"), text(input, "endpointAccessMode"))?;
    tag(&mut api.tags, map(input, "tags"))?;
    api.resources.insert(root, resources::Resource::root());
    for (name, description) in [
        ("Empty", "This is a default empty schema model"),
        ("Error", "This is a default error schema model"),
    ] {
        let model = json!({
            "id": new_id(&mut world.base), "name": name, "description": description,
            "schema": "{}", "contentType": "application/json",
        });
        api.models.insert(name.into(), model);
    }
    let id = new_id(&mut world.base);
    let view = api.view(&id);
    world.apigateway.apis.insert(at(region, &id), api);
    Ok(view)
}

fn update(state: &mut State, region: &str, input: &Value) -> Answer {
    let api = find(state, region, input)?;
    let mut changed = api.clone();
    let (mut policy, mut mode) = (None, None);
    for patch in patches(input)? {
        match (patch.op, patch.path().as_slice()) {
            ("replace", ["name"]) if !patch.text().is_empty() => {
                changed.name = patch.text().to_owned();
            }
            ("replace", ["description"]) => {
                changed.description = Some(patch.text().to_owned());
            }
            ("replace", ["endpointConfiguration", "types", "0"]) => {
                changed.set_endpoint(patch.text())?;
            }
            ("replace", ["apiKeySource"]) if ["HEADER", "AUTHORIZER"].contains(&patch.text()) => {
                changed.key_source = patch.text().to_owned();
            }
            ("replace", ["policy"]) => {
                let policy = patch.text();
                if !policy.is_empty() && serde_json::from_str::<Value>(policy).is_err() {
                    return Err(bad("Invalid policy document. Please check the policy syntax"));
                }
                changed.policy = Some(policy.to_owned()).filter(|text| !text.is_empty());
            }
            ("replace", ["minimumCompressionSize"]) => {
                let size = patch.value.map(|_| patch.number::<i64>()).transpose()?;
                if size.is_some_and(|size| !(0..=10_485_760).contains(&size)) {
                    return Err(bad("Invalid minimum compression size, must be 0 to 10485760"));
                }
                changed.compression = size;
            }
            ("replace", ["securityPolicy"]) => policy = Some(patch.text().to_owned()),
            ("replace", ["endpointAccessMode"]) => mode = Some(patch.text().to_owned()),
            ("add", ["binaryMediaTypes", kind]) => {
                changed.binary_types.insert((*kind).to_owned());
            }
            ("remove", ["binaryMediaTypes", kind]) => {
                changed.binary_types.remove(*kind);
            }
            _ => return Err(patch.refused()),
        }
    }
    changed.set_tls(policy.as_deref(), mode.as_deref())?;
    *api = changed;
    Ok(api.view(id(input)))
}

fn delete(state: &mut State, region: &str, input: &Value) -> Answer {
    find(state, region, input)?;
    let id = id(input);
    if super::plans::holds(state, region, id, None) {
        return Err(bad(format!("Cannot delete API {id}: a usage plan has a stage of it")));
    }
    state.apis.remove(&at(region, id));
    Ok(Value::Null)
}

fn account(state: &State, region: &str) -> Value {
    let mut view = json!({
        "throttleSettings": { "rateLimit": 10_000.0, "burstLimit": 5000 },
        "features": ["UsagePlans"],
        "apiKeyVersion": "4",
    });
    put(&mut view, "cloudwatchRoleArn", state.roles.get(region).cloned());
    view
}

fn update_account(world: &mut World, region: &str, input: &Value) -> Answer {
    for patch in patches(input)? {
        match (patch.op, patch.path().as_slice()) {
            ("replace", ["cloudwatchRoleArn"]) => {
                if !writes_logs(world, region, patch.text()) {
                    let message = "The role ARN does not have required permissions configured. \
                                   Please grant trust permission for API Gateway and add the \
                                   required role policy.";
                    return Err(bad(message));
                }
                world.apigateway.roles.insert(region.to_owned(), patch.text().to_owned());
            }
            _ => return Err(patch.refused()),
        }
    }
    Ok(account(&world.apigateway, region))
}

/// Whether API Gateway may take a role and write logs by it.
fn writes_logs(world: &mut World, region: &str, arn: &str) -> bool {
    let Some(name) = arn.strip_prefix(&format!("arn:aws:iam::{ACCOUNT}:role/")) else {
        return false;
    };
    let name = name.rsplit('/').next().unwrap_or(name);
    let mut ask = |operation: &str| {
        let call = Call {
            service: "iam".into(),
            operation: operation.into(),
            input: json!({ "RoleName": name }),
            region: region.into(),
        };
        iam::call(world, &call).unwrap_or_default()
    };
    let role = ask("GetRole");
    let trust = text(&role["Role"], "AssumeRolePolicyDocument").unwrap_or_default();
    let trust = percent_decode_str(trust).decode_utf8_lossy().into_owned();
    let attached = ask("ListAttachedRolePolicies");
    let policies = list(&attached, "AttachedPolicies");
    let wanted = "service-role/AmazonAPIGatewayPushToCloudWatchLogs";
    trust.contains("apigateway.amazonaws.com")
        && policies
            .iter()
            .filter_map(|policy| text(policy, "PolicyArn"))
            .any(|arn| arn.ends_with(wanted))
}
