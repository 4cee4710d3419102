//! Who may call a method: everybody, whoever signs, whoever has a key, or whom a function admits.

use serde_json::{Map, Value, json};

use super::event::Asked;
use super::{Said, call_function};
use crate::ACCOUNT;
use crate::apigateway::Served;
use crate::connector::Sandbox;
use crate::store::SandboxError;
use crate::toolbox::{fits, flag, text};
use crate::wire::{Request, access_key, credential_scope};
use crate::{World, sts};

/// What an event tells of the caller.
#[derive(Debug, Default)]
pub(super) struct Caller {
    pub(super) identity: Map<String, Value>,
    pub(super) authorizer: Option<Value>,
}

/// Lets a caller pass, or says why not.
pub(super) async fn admit(
    sandbox: &Sandbox,
    served: &Served,
    asked: &Asked,
    request: &Request,
) -> Result<Result<Caller, Said>, SandboxError> {
    let kind = text(&served.method, "authorizationType").unwrap_or("NONE");
    let admitted = match kind {
        "NONE" => Ok(Caller::default()),
        "AWS_IAM" => sandbox.with(true, |world, _| signed(world, request))?,
        "CUSTOM" => authorized(sandbox, served, asked).await?,
        _ => in_pool(served, asked),
    };
    Ok(admitted.and_then(|mut caller| {
        if flag(&served.method, "apiKeyRequired") == Some(true) {
            let Some(id) = &served.key else {
                return Err(Said::new(403, "ForbiddenException", "Forbidden"));
            };
            let key = request.header("x-api-key");
            caller.identity.insert("apiKey".to_owned(), json!(key));
            caller.identity.insert("apiKeyId".to_owned(), json!(id));
        }
        Ok(caller)
    }))
}

/// A request that somebody has signed for `execute-api`. The signature itself is not checked: any keys
/// will do, apart from those of a session that is not there.
fn signed(world: &mut World, request: &Request) -> Result<Caller, Said> {
    let wrong = |kind, message: &str| Err(Said::new(403, kind, message));
    let header = request.header("authorization").filter(|header| header.starts_with("AWS4-"));
    let presigned = request.query().contains("X-Amz-Signature=");
    if header.is_none() && !presigned {
        return wrong("MissingAuthenticationTokenException", "Missing Authentication Token");
    }
    let parts = ["Credential=", "SignedHeaders=", "Signature="];
    if header.is_some_and(|header| !parts.iter().all(|part| header.contains(part))) {
        let message = "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' \
                       parameters.";
        return wrong("IncompleteSignatureException", message);
    }
    let scope = credential_scope(request);
    if scope.is_none_or(|(service, _)| service != "execute-api") {
        let message = "Credential should be scoped to correct service: 'execute-api'. ";
        return wrong("InvalidSignatureException", message);
    }
    let key = access_key(request).unwrap_or_default();
    world.base.access_key = Some(key.clone());
    if key.starts_with("ASIA") && !sts::is_role(world) {
        let message = "The security token included in the request is invalid.";
        return wrong("UnrecognizedClientException", message);
    }
    let (arn, id) = sts::identity(world);
    let identity = json!({
        "accessKey": key, "accountId": ACCOUNT, "caller": id, "user": id, "userArn": arn,
    });
    let identity = identity.as_object().cloned().unwrap_or_default();
    Ok(Caller { identity, authorizer: None })
}

/// The sandbox has no user pools, and so no token that it could check.
fn in_pool(served: &Served, asked: &Asked) -> Result<Caller, Said> {
    let source = served.authorizer.as_ref().and_then(|found| text(found, "identitySource"));
    let name = source.and_then(|source| source.strip_prefix("method.request.header."));
    match asked.header(name.unwrap_or("Authorization")) {
        None => Err(unauthorized()),
        Some(_) => Err(Said::not_run(
            "the sandbox has no user pools, so it cannot check the token of this request",
        )),
    }
}

fn unauthorized() -> Said {
    Said::new(401, "UnauthorizedException", "Unauthorized")
}

/// The error of an authorizer that does not work.
fn broken() -> Said {
    let body = json!({ "message": null });
    Said { status: 500, kind: "AuthorizerConfigurationException", body }
}

/// Asks the function of an authorizer. Its answers are not kept for the next request.
async fn authorized(
    sandbox: &Sandbox,
    served: &Served,
    asked: &Asked,
) -> Result<Result<Caller, Said>, SandboxError> {
    let Some(authorizer) = &served.authorizer else { return Ok(Err(broken())) };
    let sources = text(authorizer, "identitySource").unwrap_or_default();
    let sources = sources.split(',').map(str::trim).filter(|source| !source.is_empty());
    let values: Option<Vec<&str>> = sources.map(|source| value_of(source, served, asked)).collect();
    let Some(values) = values else { return Ok(Err(unauthorized())) };
    let arn = asked.called(served);
    let event = match text(authorizer, "type") {
        Some("TOKEN") => json!({
            "type": "TOKEN", "methodArn": arn, "authorizationToken": values.first(),
        }),
        _ => {
            let mut event = asked.common(served);
            event["type"] = "REQUEST".into();
            event["methodArn"] = arn.as_str().into();
            event
        }
    };
    let uri = text(authorizer, "authorizerUri").unwrap_or_default();
    let id = text(authorizer, "id").unwrap_or_default();
    let source =
        format!("arn:aws:execute-api:{}:{ACCOUNT}:{}/authorizers/{id}", served.region, served.api);
    let has_role = text(authorizer, "authorizerCredentials").is_some();
    let called = call_function(sandbox, served, (uri, &source), has_role, &event).await?;
    Ok(match called {
        Err(said) if said.status == 503 => Err(said),
        Err(_) => Err(broken()),
        Ok(called) if called.failed => {
            if called.value()["errorMessage"] == "Unauthorized" {
                Err(unauthorized())
            } else {
                Err(broken())
            }
        }
        Ok(called) => decided(&called.value(), &arn),
    })
}

/// What a source of an identity is in a request.
fn value_of<'a>(source: &str, served: &'a Served, asked: &'a Asked) -> Option<&'a str> {
    let value = match source.split_once('.') {
        Some(("stageVariables", name)) => served.variables.get(name).map(String::as_str),
        Some(("context", _)) => Some(""),
        _ => {
            let (place, name) = source.strip_prefix("method.request.")?.split_once('.')?;
            match place {
                "header" => asked.header(name),
                _ => asked.parameter(name),
            }
        }
    };
    value.filter(|value| !value.is_empty() || source.starts_with("context."))
}

/// What the policy of an authorizer says of a call.
fn decided(answer: &Value, arn: &str) -> Result<Caller, Said> {
    let Some(principal) = text(answer, "principalId") else { return Err(broken()) };
    let statements = match &answer["policyDocument"]["Statement"] {
        Value::Array(statements) => statements.as_slice(),
        one @ Value::Object(_) => std::slice::from_ref(one),
        _ => return Err(broken()),
    };
    let says = |effect: &str| {
        statements.iter().any(|statement| {
            text(statement, "Effect") == Some(effect)
                && any(&statement["Action"], &|action| {
                    fits(&action.to_lowercase(), "execute-api:invoke")
                })
                && any(&statement["Resource"], &|resource| fits(resource, arn))
        })
    };
    let denied = |message: &str| {
        let body = json!({ "Message": message });
        Err(Said { status: 403, kind: "AccessDeniedException", body })
    };
    match (says("Deny"), says("Allow")) {
        (true, _) => denied("User is not authorized to access this resource with an explicit deny"),
        (false, false) => denied("User is not authorized to access this resource"),
        (false, true) => {
            let mut authorizer = json!({ "principalId": principal, "integrationLatency": 0 });
            for (name, value) in answer["context"].as_object().into_iter().flatten() {
                authorizer[name] = match value {
                    Value::String(_) | Value::Null => value.clone(),
                    Value::Number(_) | Value::Bool(_) => value.to_string().into(),
                    _ => return Err(broken()),
                };
            }
            Ok(Caller { identity: Map::new(), authorizer: Some(authorizer) })
        }
    }
}

/// Whether one of a text or a list of texts fits.
fn any(value: &Value, fits: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::Array(values) => values.iter().any(|value| any(value, fits)),
        value => value.as_str().is_some_and(fits),
    }
}
