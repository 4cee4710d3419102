//! REST APIs, and the account.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{Tags, at, here, list, map, now, number, put, text, texts};
use super::super::{ACCOUNT, Answer, Call, Refusal, World, iam};
use super::model::IP_TYPES;
use super::patch::{Patch, patches};
use super::{State, bad, deployments, gone, listed, need, new_id, resources, stages, tag};

/// A REST API.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Api {
    name: String,
    description: Option<String>,
    pub created: f64,
    version: Option<String>,
    endpoint: String,
    /// The address type, if it differs from the default of the endpoint type.
    ip_type: Option<String>,
    policy: Option<String>,
    /// In the order in which they were added.
    binary_types: Vec<String>,
    compression: Option<i64>,
    key_source: String,
    /// The security policy and the access mode, once a call has set them.
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
        "GetRestApi" => {
            find(&mut world.apigateway, region, input).map(|api| api.whole(id_of(input)))
        }
        "UpdateRestApi" => update(&mut world.apigateway, region, input),
        "DeleteRestApi" => delete(&mut world.apigateway, region, input),
        _ => return None,
    })
}

fn id_of(input: &Value) -> &str {
    text(input, "api").unwrap_or_default()
}

/// The API of a call.
pub(super) fn find<'a>(
    state: &'a mut State,
    region: &str,
    input: &Value,
) -> Result<&'a mut Api, Refusal> {
    let api = state.apis.get_mut(&at(region, id_of(input)));
    let message = || format!("Invalid API identifier specified {ACCOUNT}:{}", id_of(input));
    api.ok_or_else(|| gone(message()))
}

/// The same for objects inside an API. AWS looks for the API at once, and says if it does not
/// exist.
pub(super) fn holder<'a>(
    state: &'a mut State,
    region: &str,
    input: &Value,
    none: &str,
) -> Result<&'a mut Api, Refusal> {
    find(state, region, input).map_err(|_| gone(none))
}

impl Api {
    fn view(&self, id: &str) -> Value {
        let mut view = json!({
            "id": id,
            "name": self.name,
            "createdDate": self.created,
            "endpointConfiguration": { "types": [self.endpoint], "ipAddressType": self.ip_type() },
            "apiKeySource": self.key_source,
            "disableExecuteApiEndpoint": false,
            "rootResourceId": self.root,
        });
        if !self.tags.is_empty() {
            view["tags"] = json!(self.tags);
        }
        if let Some((policy, mode)) = &self.tls {
            view["securityPolicy"] = json!(policy);
            put(&mut view, "endpointAccessMode", Some(&**mode).filter(|mode| !mode.is_empty()));
        }
        put(&mut view, "description", self.description.clone());
        put(&mut view, "version", self.version.clone());
        // AWS escapes a policy once more, slashes included.
        let escaped = |text: &String| text.replace('"', "\\\"").replace('/', "\\/");
        put(&mut view, "policy", self.policy.as_ref().map(escaped));
        put(&mut view, "minimumCompressionSize", self.compression);
        if !self.binary_types.is_empty() {
            view["binaryMediaTypes"] = json!(self.binary_types);
        }
        view
    }

    /// The answer to a read by id: it adds the security policy and the status.
    fn whole(&self, id: &str) -> Value {
        let mut view = self.view(id);
        let default = if self.endpoint == PRIVATE { "TLS_1_2" } else { "TLS_1_0" };
        let policy = self.tls.as_ref().map_or(default, |(policy, _)| policy);
        view["securityPolicy"] = json!(policy);
        view["apiStatus"] = json!("AVAILABLE");
        view["tags"] = json!(self.tags);
        view
    }

    fn ip_type(&self) -> &str {
        let default = if self.endpoint == PRIVATE { "dualstack" } else { "ipv4" };
        self.ip_type.as_deref().unwrap_or(default)
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

    fn set_ip_type(&mut self, kind: &str) -> Result<(), Refusal> {
        if !IP_TYPES.contains(&kind) {
            return Err(bad("ipAddressType must be either ipv4 or dualstack."));
        }
        if self.endpoint == PRIVATE && kind != "dualstack" {
            return Err(bad("Only dualstack ipAddressType is supported for Private APIs."));
        }
        self.ip_type = Some(kind.to_owned());
        Ok(())
    }

    fn set_endpoint(&mut self, endpoint: &str) -> Result<(), Refusal> {
        if !["REGIONAL", "EDGE", PRIVATE].contains(&endpoint) {
            let message =
                "Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE";
            return Err(bad(message));
        }
        self.endpoint = endpoint.to_owned();
        if endpoint == PRIVATE {
            self.ip_type = None;
        }
        Ok(())
    }

    fn set_compression(&mut self, size: Option<&str>) -> Result<(), Refusal> {
        let size = size.filter(|size| !size.is_empty()).map(str::parse).transpose();
        let fits = |size: &Option<i64>| size.is_none_or(|size| (0..=10_485_760).contains(&size));
        self.compression = size.ok().filter(fits).ok_or_else(|| {
            bad("Invalid minimum compression size, must be between 0 and 10485760")
        })?;
        Ok(())
    }

    /// Binary types are a list, but a patch treats them as a map.
    fn set_binary_type(&mut self, patch: &Patch<'_>, kind: &str) {
        if patch.op != "add" {
            self.binary_types.retain(|one| one != kind);
        }
        let new = match patch.op {
            "add" => kind,
            "replace" => patch.text(),
            _ => return,
        };
        if !self.binary_types.iter().any(|one| one == new) {
            self.binary_types.push(new.to_owned());
        }
    }
}

const PRIVATE: &str = "PRIVATE";

/// A policy as AWS keeps it: `execute-api:/...` becomes the ARN of this API.
fn expanded(policy: &str, region: &str, id: &str) -> Result<String, Refusal> {
    let Ok(mut policy) = serde_json::from_str::<Value>(policy) else {
        return Err(bad("Invalid policy document. Please check the policy syntax"));
    };
    let expand = |resource: &mut Value| {
        let rest = resource.as_str().and_then(|text| text.strip_prefix("execute-api:/"));
        if let Some(rest) = rest {
            *resource = format!("arn:aws:execute-api:{region}:{ACCOUNT}:{id}/{rest}").into();
        }
    };
    let statements = match policy.get_mut("Statement") {
        Some(Value::Array(statements)) => statements.iter_mut().collect(),
        Some(statement) => vec![statement],
        None => Vec::new(),
    };
    for statement in statements {
        for key in ["Resource", "NotResource"] {
            match statement.get_mut(key) {
                Some(Value::Array(resources)) => resources.iter_mut().for_each(expand),
                Some(resource) => expand(resource),
                None => {}
            }
        }
    }
    Ok(policy.to_string())
}

fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "name")?;
    if text(input, "description") == Some("") {
        return Err(bad("Description cannot be an empty string"));
    }
    let root = new_id(&mut world.base);
    let made = now(&world.base);
    let mut api = Api {
        name: name.to_owned(),
        description: text(input, "description").map(str::to_owned),
        created: made,
        endpoint: "EDGE".into(),
        version: text(input, "version").map(str::to_owned),
        binary_types: texts(input, "binaryMediaTypes"),
        key_source: text(input, "apiKeySource").unwrap_or("HEADER").to_owned(),
        root: root.clone(),
        ..Api::default()
    };
    let size = number(input, "minimumCompressionSize").map(|size| size.to_string());
    api.set_compression(size.as_deref())?;
    let endpoint = &input["endpointConfiguration"];
    match (endpoint.get("types"), texts(endpoint, "types").as_slice()) {
        (None, _) => {}
        (Some(_), []) => {
            let message = "REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.";
            return Err(bad(message));
        }
        (Some(_), [one]) => api.set_endpoint(one)?,
        _ => return Err(bad("Cannot create an api with multiple Endpoint Types.")),
    }
    if let Some(kind) = text(endpoint, "ipAddressType") {
        api.set_ip_type(kind)?;
    }
    api.set_tls(text(input, "securityPolicy"), text(input, "endpointAccessMode"))?;
    tag(&mut api.tags, map(input, "tags"))?;
    api.resources.insert(root, resources::Resource::root());
    for (name, description, members) in [
        ("Empty", "This is a default empty schema model", ""),
        ("Error", "This is a default error schema model", ERROR_MEMBERS),
    ] {
        let schema = format!(
            "{{\n  \"$schema\" : \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \"{name} Schema\",\n  \
             \"type\" : \"object\"{members}\n}}"
        );
        let model = json!({
            "id": new_id(&mut world.base), "name": name, "description": description,
            "schema": schema, "contentType": "application/json",
        });
        api.models.insert(name.into(), model);
    }
    let id = new_id(&mut world.base);
    api.policy = text(input, "policy").map(|text| expanded(text, region, &id)).transpose()?;
    let view = api.view(&id);
    world.apigateway.apis.insert(at(region, &id), api);
    Ok(view)
}

const ERROR_MEMBERS: &str =
    ",\n  \"properties\" : {\n    \"message\" : {\n      \"type\" : \"string\"\n    }\n  }";

fn update(state: &mut State, region: &str, input: &Value) -> Answer {
    let api = find(state, region, input)?;
    let mut changed = api.clone();
    let (mut policy, mut mode) = (None, None);
    for patch in patches(input)? {
        let path = patch.path();
        let replaced = || patch.only("replace");
        match path.as_slice() {
            ["description"] if patch.op == "remove" => changed.description = None,
            ["name"] if !patch.text().is_empty() => {
                replaced()?;
                changed.name = patch.text().to_owned();
            }
            ["description"] => {
                replaced()?;
                changed.description = Some(patch.text().to_owned());
            }
            ["version"] => {
                replaced()?;
                changed.version = Some(patch.text().to_owned());
            }
            ["endpointConfiguration", "types", "0"] => {
                if patch.op != "replace" {
                    let message =
                        "Invalid patch operation specified. Must be 'add'|'remove'|'replace'";
                    return Err(bad(message));
                }
                changed.set_endpoint(patch.text())?;
            }
            ["endpointConfiguration", "ipAddressType"] => {
                replaced()?;
                changed.set_ip_type(patch.text())?;
            }
            ["apiKeySource"] if ["HEADER", "AUTHORIZER"].contains(&patch.text()) => {
                replaced()?;
                changed.key_source = patch.text().to_owned();
            }
            ["policy"] => {
                replaced()?;
                let policy = Some(patch.text()).filter(|text| !text.is_empty());
                let expand = |text| expanded(text, region, id_of(input));
                changed.policy = policy.map(expand).transpose()?;
            }
            ["minimumCompressionSize"] => {
                replaced()?;
                changed.set_compression(patch.value)?;
            }
            ["securityPolicy"] => {
                replaced()?;
                policy = Some(patch.text().to_owned());
            }
            ["endpointAccessMode"] => {
                replaced()?;
                mode = Some(patch.text().to_owned());
            }
            ["binaryMediaTypes", kind] if ["add", "replace", "remove"].contains(&patch.op) => {
                changed.set_binary_type(&patch, kind);
            }
            _ => return Err(patch.unknown()),
        }
    }
    changed.set_tls(policy.as_deref(), mode.as_deref())?;
    *api = changed;
    // The answer to a change has the tags even if there are none.
    let mut view = api.view(id_of(input));
    view["tags"] = json!(api.tags);
    Ok(view)
}

fn delete(state: &mut State, region: &str, input: &Value) -> Answer {
    find(state, region, input)?;
    let id = id_of(input);
    if super::plans::holds(state, region, id, None) {
        return Err(bad(format!("Cannot delete API {id}: a usage plan has a stage of it")));
    }
    super::domains::is_unmapped(state, region, id, None)?;
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
            _ => return Err(patch.refused(&["/cloudwatchRoleArn"])),
        }
    }
    Ok(account(&world.apigateway, region))
}

/// Whether API Gateway may assume a role and write logs with it.
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
