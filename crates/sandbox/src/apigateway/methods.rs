//! Methods with their integrations and responses.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::toolbox::{at, flag, number, put, text};
use super::super::{Answer, Refusal, World};
use super::apis::{Api, holder};
use super::{State, authorizers, bad, conflict, gone, need};

pub(super) fn call(
    world: &mut World,
    operation: &str,
    region: &str,
    input: &Value,
) -> Option<Answer> {
    let state = &mut world.apigateway;
    Some(match operation {
        "PutMethod" => put_method(state, region, input),
        "DeleteMethod" => delete(state, region, input),
        "PutMethodResponse" => put_response(state, region, input),
        "PutIntegration" => put_integration(state, region, input),
        "PutIntegrationResponse" => put_mapping(state, region, input),
        _ => return None,
    })
}

const METHODS: [&str; 8] = ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY"];

/// Checks the request parameters: each has a known source, and no name appears twice.
fn check_parameters(input: &Value) -> Result<(), Refusal> {
    let mut names = BTreeSet::new();
    for parameter in input["requestParameters"].as_object().into_iter().flat_map(Map::keys) {
        let name = ["header.", "querystring.", "path."]
            .iter()
            .find_map(|place| parameter.strip_prefix("method.request.")?.strip_prefix(place));
        let Some(name) = name else { return Err(wrong_mapping(parameter)) };
        if !names.insert(name) {
            let message = "Parameter names must be unique across querystring, header and path";
            return Err(bad(message));
        }
    }
    Ok(())
}

fn wrong_mapping(expression: &str) -> Refusal {
    bad(format!(
        "Invalid mapping expression specified: Validation Result: warnings : [], errors : \
         [Invalid mapping expression specified: {expression}]"
    ))
}

/// The members of an input that exist and are not empty.
fn taken(input: &Value, keys: &[&str]) -> Map<String, Value> {
    let is_empty = |value: &Value| match value {
        Value::Object(map) => map.is_empty(),
        value => value.is_null(),
    };
    let found = keys.iter().filter_map(|key| Some(((*key).to_owned(), input.get(key)?.clone())));
    found.filter(|(_, value)| !is_empty(value)).collect()
}

const NO_RESOURCE: &str = "Invalid Resource identifier specified";
const NO_METHOD: &str = "Invalid Method identifier specified";

/// The API of a call whose resource exists.
fn find<'a>(state: &'a mut State, region: &str, input: &Value) -> Result<&'a mut Api, Refusal> {
    let api = holder(state, region, input, NO_RESOURCE)?;
    if api.resources.contains_key(need(input, "resource")?) {
        Ok(api)
    } else {
        Err(gone(NO_RESOURCE))
    }
}

fn put_method(state: &mut State, region: &str, input: &Value) -> Answer {
    let api = find(state, region, input)?;
    let method = need(input, "method")?;
    if !METHODS.contains(&method) {
        return Err(bad(format!(
            "Invalid HttpMethod specified. Valid options are {}",
            METHODS.join(",")
        )));
    }
    check_parameters(input)?;
    let validator = text(input, "requestValidatorId");
    if validator.is_some_and(|id| !api.validators.contains_key(id)) {
        return Err(bad("Invalid Request Validator identifier specified"));
    }
    authorizers::admits(api, input)?;
    for model in input["requestModels"].as_object().into_iter().flat_map(Map::values) {
        if !model.as_str().is_some_and(|name| api.models.contains_key(name)) {
            let name = model.as_str().unwrap_or_default();
            return Err(bad(format!("Invalid model identifier specified: {name}")));
        }
    }
    let resource = api.resources.get_mut(need(input, "resource")?);
    let resource = resource.ok_or_else(|| gone(NO_RESOURCE))?;
    if resource.methods.contains_key(method) {
        return Err(conflict("Method already exists for this resource"));
    }
    let keys = [
        "requestParameters",
        "requestModels",
        "requestValidatorId",
        "operationName",
        "authorizerId",
        "authorizationScopes",
    ];
    let mut made = Value::Object(taken(input, &keys));
    made["httpMethod"] = json!(method);
    made["authorizationType"] = json!(need(input, "authorizationType")?.to_ascii_uppercase());
    made["apiKeyRequired"] = json!(flag(input, "apiKeyRequired").unwrap_or(false));
    resource.methods.insert(method.to_owned(), made.clone());
    Ok(made)
}

fn delete(state: &mut State, region: &str, input: &Value) -> Answer {
    let api = find(state, region, input)?;
    let resource = api.resources.get_mut(need(input, "resource")?);
    let removed = resource.and_then(|one| one.methods.remove(text(input, "method")?));
    removed.map(|_| Value::Null).ok_or_else(|| gone(NO_METHOD))
}

/// The method of a call.
pub(super) fn find_method<'a>(
    state: &'a mut State,
    region: &str,
    input: &Value,
) -> Result<&'a mut Value, Refusal> {
    let api = find(state, region, input)?;
    let resource = api.resources.get_mut(need(input, "resource")?);
    let resource = resource.ok_or_else(|| gone(NO_RESOURCE))?;
    let method = resource.methods.get_mut(need(input, "method")?);
    method.ok_or_else(|| gone(NO_METHOD))
}

fn put_response(state: &mut State, region: &str, input: &Value) -> Answer {
    let status = need(input, "status")?;
    let method = find_method(state, region, input)?;
    if method["methodResponses"].get(status).is_some() {
        return Err(conflict("Response already exists for this resource"));
    }
    let mut made = Value::Object(taken(input, &["responseParameters", "responseModels"]));
    made["statusCode"] = json!(status);
    method["methodResponses"][status] = made.clone();
    Ok(made)
}

/// Checks the URI of an integration of this type.
fn check_uri(kind: &str, uri: &str) -> Result<(), Refusal> {
    if kind.starts_with("HTTP") && !uri.starts_with("http") {
        return Err(bad("Invalid HTTP endpoint specified for URI"));
    }
    if !kind.starts_with("AWS") {
        return Ok(());
    }
    // arn:aws:apigateway:REGION:SERVICE:path/... or action/...
    let parts: Vec<&str> = uri.splitn(6, ':').collect();
    let ["arn", _, _, _, service, target] = parts[..] else {
        return Err(bad("Invalid ARN specified in the request"));
    };
    if !target.starts_with("path/") && !target.starts_with("action/") {
        return Err(bad("AWS ARN for integration must contain path or action"));
    }
    let is_function = service == "lambda" && target.starts_with("path/2015-03-31/functions/arn:");
    let is_stream = service == "firehose" && target.starts_with("action/");
    if kind == "AWS_PROXY" && !is_function && !is_stream {
        return Err(bad(
            "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose \
             stream invocations.",
        ));
    }
    Ok(())
}

fn put_integration(state: &mut State, region: &str, input: &Value) -> Answer {
    find_method(state, region, input)?;
    let kind = need(input, "type")?.to_owned();
    let timeout = number(input, "timeoutInMillis").unwrap_or(29_000);
    if !(50..=29_000).contains(&timeout) {
        return Err(bad("Timeout should be between 50 ms and 29000 ms"));
    }
    if kind != "MOCK" && text(input, "httpMethod").is_none() {
        return Err(bad("Enumeration value for HttpMethod must be non-empty"));
    }
    check_uri(&kind, text(input, "uri").unwrap_or_default())?;
    if text(input, "connectionType") == Some("VPC_LINK") {
        let id = need(input, "connectionId")?;
        // The value of a stage variable is not known yet.
        if !id.starts_with("${stageVariables.") {
            let link = state.links.get(&at(region, id));
            if !link.is_some_and(|link| link.is_available()) {
                return Err(bad(format!("VPC link {id} is not found or not available")));
            }
            if !need(input, "integrationTarget")?.contains(":elasticloadbalancing:") {
                return Err(bad("integrationTarget must be the ARN of a load balancer"));
            }
        }
    }
    let keys = [
        "type",
        "httpMethod",
        "uri",
        "connectionType",
        "connectionId",
        "integrationTarget",
        "credentials",
        "requestParameters",
        "requestTemplates",
        "contentHandling",
    ];
    let resource = need(input, "resource")?.to_owned();
    let method = find_method(state, region, input)?;
    let mut made = Value::Object(taken(input, &keys));
    made["timeoutInMillis"] = json!(timeout);
    made["passthroughBehavior"] =
        json!(text(input, "passthroughBehavior").unwrap_or("WHEN_NO_MATCH"));
    made["cacheNamespace"] = json!(resource);
    made["cacheKeyParameters"] = json!([]);
    if kind.starts_with("HTTP") && made.get("connectionType").is_none() {
        made["connectionType"] = json!("INTERNET");
    }
    if kind == "MOCK" {
        // A mock integration calls nothing.
        let members = made.as_object_mut().into_iter();
        members.for_each(|all| all.retain(|key, _| key != "uri" && key != "httpMethod"));
    }
    method["methodIntegration"] = made.clone();
    Ok(made)
}

fn put_mapping(state: &mut State, region: &str, input: &Value) -> Answer {
    let status = need(input, "status")?;
    let method = find_method(state, region, input)?;
    if method.get("methodIntegration").is_none() {
        return Err(gone("Invalid Integration identifier specified"));
    }
    let mut made = Value::Object(taken(input, &["responseParameters", "responseTemplates"]));
    let templates = made.get_mut("responseTemplates").and_then(Value::as_object_mut);
    let templates = templates.into_iter().flatten();
    for (kind, template) in templates {
        if !kind.contains('/') {
            return Err(bad(format!(
                "Validation Result: warnings : [], errors : [Invalid content type specified: {kind}]"
            )));
        }
        if template == "" {
            *template = Value::Null;
        }
    }
    made["statusCode"] = json!(status);
    put(&mut made, "selectionPattern", text(input, "selectionPattern"));
    method["methodIntegration"]["integrationResponses"][status] = made.clone();
    Ok(made)
}
