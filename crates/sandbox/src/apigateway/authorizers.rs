//! Authorizers: user pools and functions.

use serde_json::{Value, json};

use super::super::toolbox::{list, number, put, text, texts};
use super::super::{Answer, Base, Refusal, World};
use super::apis::{Api, find};
use super::patch::patches;
use super::resources::methods;
use super::{State, bad, conflict, full, gone, listed, need, new_id};

const COGNITO: &str = "COGNITO_USER_POOLS";
const MOST: usize = 10;

/// The members that a patch can replace.
const PATHS: [&str; 5] =
    ["/name", "/type", "/authorizerUri", "/identitySource", "/authorizerResultTtlInSeconds"];

pub(super) fn call(
    world: &mut World,
    operation: &str,
    region: &str,
    input: &Value,
) -> Option<Answer> {
    let World { base, apigateway, .. } = world;
    Some(match operation {
        "GetAuthorizers" => find(apigateway, region, input).map(|api| {
            let all = api.authorizers.clone().into_iter();
            listed(all.collect(), input)
        }),
        "CreateAuthorizer" => create(base, apigateway, region, input),
        "UpdateAuthorizer" => update(apigateway, region, input),
        "DeleteAuthorizer" => delete(apigateway, region, input),
        _ => return None,
    })
}

/// Checks the members that an authorizer needs, by its type.
fn check(found: &Value) -> Result<(), Refusal> {
    let kind = text(found, "type").unwrap_or_default();
    let has = |key: &str| text(found, key).is_some_and(|text| !text.is_empty());
    let seconds = number(found, "authorizerResultTtlInSeconds").unwrap_or(300);
    if !(0..=3600).contains(&seconds) {
        return Err(bad("Authorizer result TTL must be between 0 and 3600 seconds"));
    }
    match kind {
        COGNITO => {
            let pools = list(found, "providerARNs");
            let is_pool = |pool: &Value| {
                pool.as_str().is_some_and(|arn| {
                    arn.starts_with("arn:aws:cognito-idp:") && arn.contains(":userpool/")
                })
            };
            if pools.is_empty() || !pools.iter().all(is_pool) {
                return Err(bad("Invalid Provider ARNs: user pools are required"));
            }
        }
        "TOKEN" | "REQUEST" => {
            let uri = text(found, "authorizerUri").unwrap_or_default();
            if !uri.contains(":lambda:path/") || !uri.contains("2015-03-31/functions/arn:") {
                return Err(bad("Invalid Authorizer URI: it must be the URI of a function"));
            }
            if !has("identitySource") && (kind == "TOKEN" || seconds > 0) {
                return Err(bad("Identity source is required"));
            }
        }
        other => return Err(bad(format!("Invalid authorizer type '{other}'"))),
    }
    Ok(())
}

fn create(base: &mut Base, state: &mut State, region: &str, input: &Value) -> Answer {
    // If the API does not exist, AWS says that somebody else is changing it.
    let api = find(state, region, input).map_err(|_| {
        conflict(
            "Unable to complete operation due to concurrent modification. Please try again later.",
        )
    })?;
    let (name, kind) = (need(input, "name")?, need(input, "type")?);
    if api.authorizers.values().any(|other| text(other, "name") == Some(name)) {
        return Err(conflict("Authorizer name must be unique. Authorizer already exists"));
    }
    if api.authorizers.len() >= MOST {
        return Err(full("Maximum number of authorizers reached"));
    }
    let id = new_id(base);
    let mut made = json!({ "id": id, "name": name, "type": kind });
    made["authType"] = json!(if kind == COGNITO { "cognito_user_pools" } else { "custom" });
    if kind == COGNITO {
        made["providerARNs"] = json!(texts(input, "providerARNs"));
    } else {
        let seconds = number(input, "authorizerResultTtlInSeconds");
        put(&mut made, "authorizerResultTtlInSeconds", seconds);
        put(&mut made, "authorizerUri", text(input, "authorizerUri"));
    }
    put(&mut made, "identitySource", text(input, "identitySource"));
    check(&made)?;
    api.authorizers.insert(id, made.clone());
    Ok(made)
}

fn update(state: &mut State, region: &str, input: &Value) -> Answer {
    let api = find(state, region, input)?;
    let found = api.authorizers.get_mut(need(input, "authorizer")?);
    let found = found.ok_or_else(|| gone("Invalid Authorizer identifier specified"))?;
    let mut changed = found.clone();
    let mut pools = texts(&changed, "providerARNs");
    for patch in patches(input)? {
        match (patch.op, patch.path().as_slice()) {
            ("replace", [what @ ("authorizerUri" | "identitySource" | "name")]) => {
                changed[*what] = json!(patch.text());
            }
            ("replace", ["type"]) => {
                // An authorizer cannot change between user pools and functions.
                if (patch.text() == COGNITO) != (changed["type"] == COGNITO) {
                    return Err(patch.refused(&PATHS));
                }
                changed["type"] = json!(patch.text());
            }
            ("replace", ["authorizerResultTtlInSeconds"]) => {
                changed["authorizerResultTtlInSeconds"] = json!(patch.number::<i64>()?);
            }
            ("add", ["providerARNs"]) => pools.push(patch.text().to_owned()),
            ("remove", ["providerARNs"]) => {
                pools.retain(|pool| pool != patch.text());
                if pools.is_empty() {
                    return Err(bad("Invalid Provider ARNs: user pools are required"));
                }
            }
            _ => return Err(patch.refused(&PATHS)),
        }
    }
    if changed["type"] == COGNITO {
        changed["providerARNs"] = json!(pools);
    }
    check(&changed)?;
    *found = changed.clone();
    Ok(changed)
}

fn delete(state: &mut State, region: &str, input: &Value) -> Answer {
    let api = find(state, region, input)?;
    let id = need(input, "authorizer")?;
    let Some(found) = api.authorizers.get(id) else {
        return Err(gone("Invalid Authorizer identifier specified"));
    };
    if methods(api).any(|method| text(method, "authorizerId") == Some(id)) {
        let name = text(found, "name").unwrap_or_default();
        return Err(conflict(format!(
            "Cannot delete authorizer '{name}', is referenced in method"
        )));
    }
    api.authorizers.remove(id);
    Ok(Value::Null)
}

/// Whether a method may have this authorization.
pub(super) fn admits(api: &Api, input: &Value) -> Result<(), Refusal> {
    let id = text(input, "authorizerId").unwrap_or_default();
    let kind = api.authorizers.get(id).and_then(|found| text(found, "type"));
    let has_scopes = !list(input, "authorizationScopes").is_empty();
    let fits = match &*need(input, "authorizationType")?.to_ascii_uppercase() {
        "NONE" | "AWS_IAM" => id.is_empty(),
        "CUSTOM" => kind.is_some_and(|kind| kind != COGNITO),
        COGNITO => kind == Some(COGNITO),
        other => return Err(bad(format!("Invalid authorization type '{other}'"))),
    };
    if !fits {
        return Err(bad(
            "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or \
                        COGNITO_USER_POOLS requires a valid authorizer.",
        ));
    }
    if has_scopes && kind != Some(COGNITO) {
        return Err(bad("Authorization scopes are for COGNITO_USER_POOLS only"));
    }
    Ok(())
}
