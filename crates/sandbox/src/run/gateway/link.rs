//! What is behind a VPC link: an application load balancer, and the functions that it calls.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::event::Asked;
use super::{Said, plain, stage_variables};
use crate::apigateway::Served;
use crate::connector::Sandbox;
use crate::elb::{self, Does};
use crate::lambda;
use crate::store::SandboxError;
use crate::toolbox::{draw, number, text};
use crate::wire::{Request, Response};

const SERVICE: &str = "elasticloadbalancing.amazonaws.com";
/// The most bytes of a request to a function and of its answer.
const MOST: usize = 1 << 20;

/// A request as API Gateway passes it on.
struct Passed {
    path: String,
    port: i64,
    headers: Vec<(String, String)>,
    query: Vec<(String, String)>,
}

/// Sends a request to the load balancer of a private integration.
pub(super) async fn reach(
    sandbox: &Sandbox,
    served: &Served,
    asked: &Asked,
    integration: &Value,
    request: &Request,
) -> Result<Result<Response, Said>, SandboxError> {
    let Some(balancer) = text(integration, "integrationTarget") else {
        return Ok(Err(Said::not_run("the sandbox does not run links of the first version")));
    };
    let passed = match passed(served, asked, integration, request) {
        Ok(passed) => passed,
        Err(said) => return Ok(Err(said)),
    };
    let seen = elb::Asked {
        method: text(integration, "httpMethod")
            .filter(|it| *it != "ANY")
            .unwrap_or(&request.method),
        path: &passed.path,
        headers: &passed.headers,
        query: &passed.query,
    };
    let chance = draw(asked.id());
    let does = sandbox
        .with(true, |world, _| elb::serving(&world.elb, balancer, passed.port, &seen, chance))?;
    let (function, group, has_lists) = match does {
        Some(Does::Calls { function, group, has_lists }) => (function, group, has_lists),
        Some(Does::Answers { status, headers, body }) => {
            let mut response = Response { status, body: body.into_bytes(), ..Response::default() };
            headers.into_iter().for_each(|(name, value)| response.set(name, value));
            return Ok(Ok(response));
        }
        Some(Does::Other(what)) => {
            let why = format!("the sandbox does not run what {what} (behind a VPC link)");
            return Ok(Err(Said::not_run(why)));
        }
        // Nobody answers at that port.
        None => return Ok(Err(Said::internal(504))),
    };
    if request.body.len() > MOST {
        return Ok(Ok(of_balancer(413)));
    }
    let event = event(&seen, &passed, &group, has_lists, request);
    let planned = sandbox.with(false, |world, _| {
        if !lambda::may_be_called(&world.lambda, &served.region, &function, SERVICE, &group) {
            return Ok(None);
        }
        crate::run::plan(world, &served.region, &function).map(Some).map_err(Said::from)
    })?;
    let plan = match planned {
        Ok(Some(plan)) => plan,
        Ok(None) => return Ok(Ok(of_balancer(502))),
        Err(said) => return Ok(Err(said)),
    };
    let limit = number(integration, "timeoutInMillis").unwrap_or(29_000).unsigned_abs();
    let event = event.to_string();
    let called = crate::run::call(sandbox, &plan, event.as_bytes());
    let Ok(called) = timeout(Duration::from_millis(limit), called).await else {
        return Ok(Err(Said::timed_out()));
    };
    Ok(called.map_err(Said::from).map(|called| {
        let answer = (!called.failed && called.payload.len() <= MOST).then(|| called.value());
        answer.and_then(|answer| response(&answer, has_lists)).unwrap_or_else(|| of_balancer(502))
    }))
}

/// An error page of the load balancer.
fn of_balancer(status: u16) -> Response {
    let words = match status {
        413 => "413 Request Entity Too Large",
        _ => "502 Bad Gateway",
    };
    let body = format!("<html><h1>{words}</h1></html>").into_bytes();
    let mut response = Response { status, body, ..Response::default() };
    response.set("content-type", "text/html");
    response
}

/// The beginning of a template that states the path of the request.
const OVERRIDES: &str = "#set($context.requestOverride.path = \"";

/// The request for the load balancer. Its path is that of the URI behind the name of the stage,
/// unless the template for its content says another one.
fn passed(
    served: &Served,
    asked: &Asked,
    integration: &Value,
    request: &Request,
) -> Result<Passed, Said> {
    let uri = stage_variables(text(integration, "uri").unwrap_or_default(), served);
    let (scheme, rest) = uri.split_once("://").unwrap_or(("http", &uri));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let usual = if scheme == "https" { 443 } else { 80 };
    let port = host.split_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(usual);
    let kind = request.header("content-type").unwrap_or("application/json");
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let path = match text(&integration["requestTemplates"], kind) {
        None => format!("/{}/{}", served.stage, named(path, |name| format!("{{{name}}}"), asked)),
        Some(template) => {
            let path = template.strip_prefix(OVERRIDES).and_then(|rest| rest.split_once("\")"));
            let path = path.filter(|(_, rest)| *rest == "$input.body").map(|(path, _)| path);
            let Some(path) = path else {
                let why = "the sandbox knows templates of private integrations only that override \
                           the path";
                return Err(Said::not_run(why));
            };
            named(path, |name| format!("$input.params('{name}')"), asked)
        }
    };
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, values) in &asked.headers {
        headers.extend(values.iter().map(|value| (name.to_ascii_lowercase(), value.clone())));
    }
    headers.retain(|(name, _)| name != "host");
    headers.push(("host".to_owned(), host.to_owned()));
    headers.push(("x-amzn-apigateway-api-id".to_owned(), served.api.clone()));
    let query = asked.query.iter();
    let query = query.flat_map(|(key, all)| all.iter().map(|one| (key.clone(), one.clone())));
    Ok(Passed { path, port, headers, query: query.collect() })
}

/// A path with the values of its names.
fn named(path: &str, written: impl Fn(&str) -> String, asked: &Asked) -> String {
    asked.names().iter().fold(path.to_owned(), |path, (name, value)| {
        path.replace(&written(name), value.as_str().unwrap_or_default())
    })
}

/// The event that a load balancer sends.
fn event(
    seen: &elb::Asked<'_>,
    passed: &Passed,
    group: &str,
    has_lists: bool,
    request: &Request,
) -> Value {
    let (body, encoded) = match std::str::from_utf8(&request.body) {
        Ok(body) => (body.to_owned(), false),
        Err(_) => (STANDARD.encode(&request.body), true),
    };
    let mut event = json!({
        "requestContext": { "elb": { "targetGroupArn": group } },
        "httpMethod": seen.method,
        "path": seen.path,
        "body": body,
        "isBase64Encoded": encoded,
    });
    let (headers, query) = (&passed.headers, &passed.query);
    for (name, pairs) in [("headers", headers), ("queryStringParameters", query)] {
        let mut all: Map<String, Value> = Map::new();
        for (key, value) in pairs {
            let entry = all.entry(key.clone()).or_insert_with(|| json!([]));
            entry.as_array_mut().into_iter().for_each(|list| list.push(json!(value)));
        }
        if has_lists {
            event[many(name)] = Value::Object(all);
        } else {
            // The last value stays.
            let last = all.into_iter().map(|(key, list)| {
                (key, list.as_array().and_then(|list| list.last().cloned()).unwrap_or_default())
            });
            event[name] = Value::Object(last.collect());
        }
    }
    event
}

/// `headers` as `multiValueHeaders`.
fn many(name: &str) -> String {
    format!("multiValue{}{}", name[..1].to_ascii_uppercase(), &name[1..])
}

/// The answer of a function as a response, unless it is malformed.
fn response(answer: &Value, has_lists: bool) -> Option<Response> {
    let status = number(answer, "statusCode").and_then(|status| u16::try_from(status).ok())?;
    let body = answer["body"].as_str().unwrap_or_default();
    let is_encoded = answer["isBase64Encoded"] == true;
    let body = if is_encoded { STANDARD.decode(body).ok()? } else { body.as_bytes().to_vec() };
    let mut response = Response { status, body, ..Response::default() };
    let headers = &answer[if has_lists { many("headers") } else { "headers".to_owned() }];
    for (name, value) in headers.as_object().into_iter().flatten() {
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        let name = name.to_ascii_lowercase();
        if !["content-length", "transfer-encoding"].contains(&name.as_str()) {
            let values = values.iter().filter_map(plain);
            response.headers.extend(values.map(|value| (name.clone(), value)));
        }
    }
    Some(response)
}
