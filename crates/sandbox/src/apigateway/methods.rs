//! Methods with their integrations and answers.

use serde_json::{Map, Value, json};

use super::super::toolbox::{at, flag, number, put, text};
use super::super::{Answer, Refusal, World};
use super::apis::find;
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

const METHODS: [&str; 8] = ["ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// The members of an input that are there and not empty.
fn taken(input: &Value, keys: &[&str]) -> Map<String, Value> {
    let is_empty = |value: &Value| match value {
        Value::Object(map) => map.is_empty(),
        value => value.is_null(),
    };
    let found = keys.iter().filter_map(|key| Some(((*key).to_owned(), input.get(key)?.clone())));
    found.filter(|(_, value)| !is_empty(value)).collect()
}

fn put_method(state: &mut State, region: &str, input: &Value) -> Answer {
    let api = find(state, region, input)?;
    let method = need(input, "method")?;
    if !METHODS.contains(&method) {
        return Err(bad("Invalid HTTP method specified"));
    }
    let validator = text(input, "requestValidatorId");
    if validator.is_some_and(|id| !api.validators.contains_key(id)) {
        return Err(bad("Invalid Request Validator identifier specified"));
    }
    authorizers::admits(api, input)?;
    for model in input["requestModels"].as_object().into_iter().flat_map(Map::values) {
        if !model.as_str().is_some_and(|name| api.models.contains_key(name)) {
            return Err(bad(format!("Invalid model identifier specified: {model}")));
        }
    }
    let resource = api.resources.get_mut(need(input, "resource")?);
    let resource = resource.ok_or_else(|| gone("Invalid Resource identifier specified"))?;
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
    made["authorizationType"] = json!(need(input, "authorizationType")?);
    made["apiKeyRequired"] = json!(flag(input, "apiKeyRequired").unwrap_or(false));
    resource.methods.insert(method.to_owned(), made.clone());
    Ok(made)
}

fn delete(state: &mut State, region: &str, input: &Value) -> Answer {
    let api = find(state, region, input)?;
    let resource = api.resources.get_mut(need(input, "resource")?);
    let removed = resource.and_then(|one| one.methods.remove(text(input, "method")?));
    removed.map(|_| Value::Null).ok_or_else(|| gone("Invalid Method identifier specified"))
}

fn method<'a>(state: &'a mut State, region: &str, input: &Value) -> Result<&'a mut Value, Refusal> {
    let api = find(state, region, input)?;
    let resource = api.resources.get_mut(need(input, "resource")?);
    let resource = resource.ok_or_else(|| gone("Invalid Resource identifier specified"))?;
    let method = resource.methods.get_mut(need(input, "method")?);
    method.ok_or_else(|| gone("Invalid Method identifier specified"))
}

fn status(input: &Value) -> Result<&str, Refusal> {
    let status = need(input, "status")?;
    let fine = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
    fine.then_some(status).ok_or_else(|| bad("Invalid status code"))
}

fn put_response(state: &mut State, region: &str, input: &Value) -> Answer {
    let status = status(input)?;
    let method = method(state, region, input)?;
    if method["methodResponses"].get(status).is_some() {
        return Err(conflict("Response already exists for this resource"));
    }
    let mut made = Value::Object(taken(input, &["responseParameters", "responseModels"]));
    made["statusCode"] = json!(status);
    method["methodResponses"][status] = made.clone();
    Ok(made)
}

fn put_integration(state: &mut State, region: &str, input: &Value) -> Answer {
    let kind = need(input, "type")?.to_owned();
    let uri = text(input, "uri");
    let timeout = number(input, "timeoutInMillis").unwrap_or(29_000);
    if !(50..=29_000).contains(&timeout) {
        return Err(bad("Timeout should be between 50 ms and 29000 ms"));
    }
    if kind != "MOCK" && text(input, "httpMethod").is_none() {
        return Err(bad("Enumeration value for HttpMethod must be non-empty"));
    }
    let is_function = |uri: &str| uri.contains(":lambda:path/2015-03-31/functions/arn:");
    match kind.as_str() {
        "AWS_PROXY" if !uri.is_some_and(is_function) => {
            return Err(bad("Integrations of type 'AWS_PROXY' currently only supports Lambda \
                            function and Firehose stream invocations."));
        }
        "HTTP" | "HTTP_PROXY" if !uri.is_some_and(|uri| uri.starts_with("http")) => {
            return Err(bad("Invalid HTTP endpoint specified for URI"));
        }
        "AWS" | "AWS_PROXY" | "HTTP" | "HTTP_PROXY" | "MOCK" => {}
        other => return Err(bad(format!("Invalid integration type '{other}'"))),
    }
    if text(input, "connectionType") == Some("VPC_LINK") {
        let id = need(input, "connectionId")?;
        let link = state.links.get(&at(region, id));
        if !link.is_some_and(|link| link.is_available()) {
            return Err(bad(format!("VPC link {id} is not found or not available")));
        }
        if !need(input, "integrationTarget")?.contains(":elasticloadbalancing:") {
            return Err(bad("integrationTarget must be the ARN of a load balancer"));
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
    let method = method(state, region, input)?;
    let mut made = Value::Object(taken(input, &keys));
    made["timeoutInMillis"] = json!(timeout);
    made["passthroughBehavior"] =
        json!(text(input, "passthroughBehavior").unwrap_or("WHEN_NO_MATCH"));
    made["cacheNamespace"] = json!(resource);
    made["cacheKeyParameters"] = json!([]);
    if kind != "MOCK" && made.get("connectionType").is_none() {
        made["connectionType"] = json!("INTERNET");
    }
    method["methodIntegration"] = made.clone();
    Ok(made)
}

fn put_mapping(state: &mut State, region: &str, input: &Value) -> Answer {
    let status = status(input)?;
    let method = method(state, region, input)?;
    if method["methodResponses"].get(status).is_none() {
        return Err(gone("Invalid Response status code specified"));
    }
    if method.get("methodIntegration").is_none() {
        return Err(gone("Invalid Integration identifier specified"));
    }
    let mut made = Value::Object(taken(input, &["responseParameters", "responseTemplates"]));
    made["statusCode"] = json!(status);
    put(&mut made, "selectionPattern", text(input, "selectionPattern"));
    method["methodIntegration"]["integrationResponses"][status] = made.clone();
    Ok(made)
}
