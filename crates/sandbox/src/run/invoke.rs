//! Lambda's `Invoke`: the payload is the body of the request, and the answer that of the function.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{Called, MOST_EVENT, MOST_PAYLOAD, call};
use crate::connector::Sandbox;
use crate::lambda;
use crate::store::SandboxError;
use crate::toolbox::{refuse, uuid};
use crate::wire::{Request, Response, Route, access_key, encode, form};
use crate::{Call, Refusal};

/// The types of calls, with the most bytes of their event.
const KINDS: [(&str, usize); 3] =
    [("RequestResponse", MOST_PAYLOAD), ("Event", MOST_EVENT), ("DryRun", MOST_PAYLOAD)];
/// How much of the log comes with an answer, in bytes.
const TAIL: usize = 4096;

/// Whether a request calls a function.
pub(crate) fn is_invoke(route: &Route) -> bool {
    (route.service.as_str(), route.operation.as_str()) == ("lambda", "Invoke")
}

/// Answers a request that calls a function.
pub(crate) async fn invoke(
    sandbox: &Sandbox,
    request: &Request,
    route: &Route,
) -> Result<Response, SandboxError> {
    let answer = answer(sandbox, request, route).await?;
    Ok(answer.unwrap_or_else(|refusal| encode::refuse(route, &refusal)))
}

async fn answer(
    sandbox: &Sandbox,
    request: &Request,
    route: &Route,
) -> Result<Result<Response, Refusal>, SandboxError> {
    let kind = request.header("x-amz-invocation-type").unwrap_or("RequestResponse");
    let event = match checked(kind, request) {
        Ok(event) => event,
        Err(refusal) => return Ok(Err(refusal)),
    };
    // .../functions/NAME/invocations
    let name = request.path().trim_end_matches('/').rsplit('/').nth(1).unwrap_or_default();
    let name = percent_decode_str(name).decode_utf8_lossy().into_owned();
    let mut input = json!({ "FunctionName": name });
    if let Some(qualifier) = form::member(request.query(), "Qualifier") {
        input["Qualifier"] = qualifier.into();
    }
    let region = route.region.clone().unwrap_or_else(|| "us-east-1".to_owned());
    let planned = sandbox.with(false, |world, guard| {
        let call = Call {
            service: route.service.clone(),
            operation: route.operation.clone(),
            input: input.clone(),
            region: region.clone(),
        };
        world.base.access_key = access_key(request);
        guard.map_or(Ok(()), |guard| guard.admits(world, request, &call))?;
        let id = uuid(&mut world.base);
        let plan = lambda::plan(world, &region, &input, id)?;
        if kind == "Event" {
            let event = String::from_utf8_lossy(&event).into_owned();
            lambda::enqueue(world, &region, &plan.arn, event, &plan.request_id)?;
        }
        Ok(plan)
    })?;
    let plan = match planned {
        Ok(plan) => plan,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut response = Response::default();
    response.set("x-amzn-requestid", &plan.request_id);
    response.status = match kind {
        "Event" => 202,
        "DryRun" => 204,
        _ => 200,
    };
    if kind != "RequestResponse" {
        return Ok(Ok(response));
    }
    let wants_log = request.header("x-amz-log-type") == Some("Tail");
    Ok(call(sandbox, &plan, &event).await.map(|called| finished(response, called, wants_log)))
}

/// The event of a request, if Lambda would take it.
fn checked(kind: &str, request: &Request) -> Result<Vec<u8>, Refusal> {
    let Some((_, most)) = KINDS.into_iter().find(|(known, _)| *known == kind) else {
        let message = format!(
            "1 validation error detected: Value '{kind}' at 'invocationType' failed to satisfy \
             constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]"
        );
        return Err(Refusal::new("ValidationException", message));
    };
    let size = request.body.len();
    if size > most {
        let message = format!(
            "{size} byte payload is too large for the {kind} invocation type (limit {most} bytes)"
        );
        return Err(refuse(413, "RequestEntityTooLargeException", message));
    }
    if request.body.is_empty() {
        return Ok(b"{}".to_vec());
    }
    match serde_json::from_slice::<Value>(&request.body) {
        Ok(_) => Ok(request.body.clone()),
        Err(error) => Err(Refusal::new(
            "InvalidRequestContentException",
            format!(
                "Could not parse request body into json: Could not parse payload into json: {error}"
            ),
        )),
    }
}

/// The answer to a request that waited.
fn finished(mut response: Response, called: Called, wants_log: bool) -> Response {
    response.set("content-type", "application/json");
    response.set("x-amz-executed-version", called.version);
    if called.failed {
        response.set("x-amz-function-error", "Unhandled");
    }
    if wants_log {
        let log = called.log.as_bytes();
        let tail = &log[log.len().saturating_sub(TAIL)..];
        response.set("x-amz-log-result", STANDARD.encode(tail));
    }
    response.body = called.payload.into_bytes();
    response
}
