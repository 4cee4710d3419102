//! The stages of REST APIs, served over HTTP: authorization, validation, the function behind a
//! method, and its answer.
//!
//! A stage is at `/_aws/execute-api/API/STAGE/...` of the sandbox, and at `/STAGE/...` of the host
//! `API.execute-api.localhost`. What API Gateway does and the sandbox does not, answers 503 and says
//! so; throttling, caches, resource policies and firewalls let everything pass.

mod access;
mod event;
mod link;
mod mock;
mod schema;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Called, MOST_PAYLOAD, call};
use crate::apigateway::{self, Served, Unserved};
use crate::connector::Sandbox;
use crate::lambda;
use crate::store::SandboxError;
use crate::toolbox::{flag, number, text, uuid_of};
use crate::wire::{Request, Response};
use crate::{ACCOUNT, Refusal};

use access::{Caller, admit};
use event::Asked;

/// Where stages are, for clients that cannot choose the host.
const PREFIX: &str = "/_aws/execute-api/";
/// What follows the API in a host.
const HOST: &str = "execute-api";

/// A request to a stage.
#[derive(Debug, PartialEq)]
pub(crate) struct Target {
    api: String,
    stage: String,
    /// The rest of the path, with its first slash.
    path: String,
}

impl Target {
    /// The stage that a request is for, if it is for one.
    pub(crate) fn of(request: &Request) -> Option<Self> {
        let (api, rest) = match request.path().strip_prefix(PREFIX) {
            Some(rest) => rest.split_once('/').unwrap_or((rest, "")),
            None => {
                let host = request.header("host")?;
                let (api, rest) = host.split_once('.')?;
                let part = rest.split(['.', ':']).next();
                (part == Some(HOST)).then(|| (api, request.path().trim_start_matches('/')))?
            }
        };
        let (stage, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (api, stage, path) = (api.to_owned(), stage.to_owned(), format!("/{path}"));
        Some(Self { api, stage, path })
    }
}

/// An answer that API Gateway gives by itself.
struct Said {
    status: u16,
    kind: &'static str,
    body: Value,
}

impl Said {
    fn new(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, body: json!({ "message": message.into() }) }
    }

    /// An error of the API or its function, of which the caller learns nothing.
    fn internal(status: u16) -> Self {
        Self::new(status, "InternalServerErrorException", "Internal server error")
    }

    fn timed_out() -> Self {
        Self::new(504, "InternalServerErrorException", "Endpoint request timed out")
    }

    /// What API Gateway does and the sandbox does not.
    fn not_run(what: impl Into<String>) -> Self {
        Self::new(503, "NotImplementedInSandbox", what)
    }

    fn unserved(target: &Target, why: &Unserved) -> Self {
        let Target { api, .. } = target;
        match why {
            Unserved::Api => {
                Self::new(404, "NotFoundException", format!("the sandbox has no API {api}"))
            }
            Unserved::Stage => Self::new(403, "ForbiddenException", "Forbidden"),
            Unserved::Picture => Self::not_run(
                "an earlier version of payctl has made this deployment, and kept nothing to serve: \
                 deploy the API again, or start again with `payctl sandbox reset`",
            ),
            Unserved::Method => Self::new(
                403,
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
            ),
        }
    }
}

impl From<Refusal> for Said {
    /// A function that cannot be called: the sandbox says why if it is the sandbox that cannot.
    fn from(refusal: Refusal) -> Self {
        match refusal.code.as_str() {
            "NotImplementedInSandbox" => Self::not_run(refusal.message),
            _ => Self::internal(500),
        }
    }
}

/// Answers a request to a stage.
pub(crate) async fn serve(
    sandbox: &Sandbox,
    target: &Target,
    request: &Request,
) -> Result<Response, SandboxError> {
    let now = sandbox.with(true, |world, _| world.base.now())?;
    let id = new_id();
    let mut response = match reach(sandbox, target, request, now, &id).await? {
        Ok(response) => response,
        Err(Said { status, kind, body }) => {
            let body = body.to_string().into_bytes();
            let mut response = Response { status, body, ..Response::default() };
            response.set("content-type", "application/json");
            response.set("x-amzn-errortype", kind);
            response
        }
    };
    response.set("x-amzn-requestid", id);
    Ok(response)
}

/// The id of a request. It does not come from the world, which a request alone does not change.
fn new_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let moment = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    uuid_of(&format!("{} {} {count}", std::process::id(), moment.as_nanos()))
}

async fn reach(
    sandbox: &Sandbox,
    target: &Target,
    request: &Request,
    now: f64,
    id: &str,
) -> Result<Result<Response, Said>, SandboxError> {
    let Target { api, stage, path } = target;
    let found = sandbox.with(true, |world, _| {
        let key = request.header("x-api-key");
        apigateway::serving(&world.apigateway, (api, stage), (&request.method, path), key)
    })?;
    let served = match found {
        Ok(served) => served,
        Err(why) => return Ok(Err(Said::unserved(target, &why))),
    };
    let asked = Asked::of(&served, target, request, now, id);
    let caller = match admit(sandbox, &served, &asked, request).await? {
        Ok(caller) => caller,
        Err(said) => return Ok(Err(said)),
    };
    if let Err(said) = validate(&served, &asked, request) {
        return Ok(Err(said));
    }
    integrate(sandbox, &served, &asked, &caller, request).await
}

/// What the validator of a method checks: the parameters first.
fn validate(served: &Served, asked: &Asked, request: &Request) -> Result<(), Said> {
    let Some(validator) = &served.validator else { return Ok(()) };
    let bad = |message: String| Err(Said::new(400, "BadRequestException", message));
    if flag(validator, "validateRequestParameters") == Some(true) {
        let parameters = served.method["requestParameters"].as_object().into_iter().flatten();
        let required = parameters.filter(|(_, required)| **required == true);
        let missing = required.filter_map(|(parameter, _)| asked.misses(parameter));
        let missing: Vec<&str> = missing.collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            return bad(format!("Missing required request parameters: [{missing}]"));
        }
    }
    if flag(validator, "validateRequestBody") != Some(true) {
        return Ok(());
    }
    let kind = request.header("content-type").unwrap_or("application/json");
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let models = &served.method["requestModels"];
    let model = text(models, kind).or_else(|| text(models, "$default"));
    let Some(schema) = model.and_then(|name| served.models.get(name)) else { return Ok(()) };
    let body = serde_json::from_slice(&request.body);
    if body.is_ok_and(|body| schema::fits(schema, &body, &served.models)) {
        Ok(())
    } else {
        bad("Invalid request body".to_owned())
    }
}

async fn integrate(
    sandbox: &Sandbox,
    served: &Served,
    asked: &Asked,
    caller: &Caller,
    request: &Request,
) -> Result<Result<Response, Said>, SandboxError> {
    let integration = &served.method["methodIntegration"];
    let uri = text(integration, "uri").unwrap_or_default();
    Ok(match text(integration, "type").unwrap_or_default() {
        "MOCK" => mock::answer(integration, request),
        "AWS_PROXY" => {
            let event = asked.event(served, caller, request);
            return proxy(sandbox, served, asked, integration, &event).await;
        }
        "AWS" => Err(Said::not_run(
            "the sandbox does not run integrations of the type AWS; use AWS_PROXY for a function",
        )),
        "HTTP_PROXY" if text(integration, "connectionType") == Some("VPC_LINK") => {
            return link::reach(sandbox, served, asked, integration, request).await;
        }
        kind => Err(Said::not_run(format!(
            "the sandbox does not send requests to other hosts ({kind} to {uri})"
        ))),
    })
}

/// The function that a URI names: `.../functions/ARN/invocations`.
fn function_in(uri: &str) -> &str {
    let after = uri.split_once("/functions/").map_or("", |(_, after)| after);
    after.strip_suffix("/invocations").unwrap_or(after)
}

/// Calls the function of a URI, if its policy admits this API. The error of a function that may not be
/// called is an internal one, as on AWS.
async fn call_function(
    sandbox: &Sandbox,
    served: &Served,
    (uri, source): (&str, &str),
    has_role: bool,
    event: &Value,
) -> Result<Result<Called, Said>, SandboxError> {
    let function = function_in(uri);
    let event = event.to_string();
    if event.len() > MOST_PAYLOAD {
        return Ok(Err(Said::new(413, "RequestTooLargeException", "Request Too Long")));
    }
    let planned = sandbox.with(false, |world, _| {
        let called = "apigateway.amazonaws.com";
        let region = &served.region;
        if !has_role && !lambda::may_be_called(&world.lambda, region, function, called, source) {
            return Err(Said::internal(500));
        }
        super::plan(world, region, function).map_err(Said::from)
    })?;
    Ok(match planned {
        Ok(plan) => call(sandbox, &plan, event.as_bytes()).await.map_err(Said::from),
        Err(said) => Err(said),
    })
}

async fn proxy(
    sandbox: &Sandbox,
    served: &Served,
    asked: &Asked,
    integration: &Value,
    event: &Value,
) -> Result<Result<Response, Said>, SandboxError> {
    // A function is only ever called with POST.
    if text(integration, "httpMethod") != Some("POST") {
        return Ok(Err(Said::internal(500)));
    }
    let limit = number(integration, "timeoutInMillis").unwrap_or(29_000).unsigned_abs();
    let uri = text(integration, "uri").unwrap_or_default();
    let uri = stage_variables(uri, served);
    let has_role = text(integration, "credentials").is_some();
    let source = asked.source(served);
    let called = call_function(sandbox, served, (&uri, &source), has_role, event);
    let Ok(called) = timeout(Duration::from_millis(limit), called).await else {
        return Ok(Err(Said::timed_out()));
    };
    Ok(called?.and_then(|called| {
        let answer = (!called.failed).then(|| called.value());
        answer.and_then(|answer| passed(&answer, served, asked)).ok_or_else(|| Said::internal(502))
    }))
}

/// A text with the variables of the stage in it.
fn stage_variables(text: &str, served: &Served) -> String {
    served.variables.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("${{stageVariables.{name}}}"), value)
    })
}

/// The answer of a function as a response, unless it is malformed.
fn passed(answer: &Value, served: &Served, asked: &Asked) -> Option<Response> {
    const MEMBERS: [&str; 5] =
        ["body", "headers", "isBase64Encoded", "multiValueHeaders", "statusCode"];
    let members = answer.as_object()?;
    if !members.keys().all(|name| MEMBERS.contains(&name.as_str())) {
        return None;
    }
    let status = number(answer, "statusCode")?;
    let status = u16::try_from(status).ok().filter(|status| (100..=599).contains(status))?;
    let body = match &answer["body"] {
        Value::Null => "",
        Value::String(body) => body,
        _ => return None,
    };
    let is_binary = answer["isBase64Encoded"] == true && asked.takes_binary(&served.binary_types);
    let body = if is_binary { STANDARD.decode(body).ok()? } else { body.as_bytes().to_vec() };
    let mut response = Response { status, body, ..Response::default() };
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, values) in answer["multiValueHeaders"].as_object().into_iter().flatten() {
        let values = values.as_array().into_iter().flatten().filter_map(plain);
        headers.extend(values.map(|value| (name.to_ascii_lowercase(), value)));
    }
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        let header = (name.to_ascii_lowercase(), plain(value)?);
        if !headers.contains(&header) {
            headers.push(header);
        }
    }
    // What HTTP itself says of the body is not the function's to say.
    headers.retain(|(name, _)| !["content-length", "transfer-encoding"].contains(&name.as_str()));
    if !headers.iter().any(|(name, _)| name == "content-type") {
        response.set("content-type", "application/json");
    }
    response.headers.extend(headers);
    Some(response)
}

/// A value of a header: a text, a number or a switch.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// The ARN of a method as policies name it.
fn method_arn(served: &Served, method: &str, path: &str) -> String {
    let Served { region, api, stage, .. } = served;
    let path = path.trim_start_matches('/');
    format!("arn:aws:execute-api:{region}:{ACCOUNT}:{api}/{stage}/{method}/{path}")
}
