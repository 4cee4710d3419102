//! Integrations and their responses: read, changed and deleted one by one.

use serde_json::{Value, json};

use super::super::{Answer, Refusal, World};
use super::methods::find_method;
use super::patch::{Patch, patches};
use super::{State, gone, need};

const NO_INTEGRATION: &str = "Invalid Integration identifier specified";
const NO_STATUS: &str = "Invalid Response status code specified";

pub(super) fn call(
    world: &mut World,
    operation: &str,
    region: &str,
    input: &Value,
) -> Option<Answer> {
    let state = &mut world.apigateway;
    Some(match operation {
        "GetMethod" => find_method(state, region, input).map(|found| found.clone()),
        "GetIntegration" => integration(state, region, input).map(|found| found.clone()),
        "UpdateIntegration" => integration(state, region, input).and_then(|found| {
            change(
                found,
                input,
                &[
                    "connectionId",
                    "contentHandling",
                    "credentials",
                    "httpMethod",
                    "passthroughBehavior",
                    "uri",
                ],
                &["requestParameters", "requestTemplates"],
            )
        }),
        "GetIntegrationResponse" => response(state, region, input).map(|found| found.clone()),
        "UpdateIntegrationResponse" => response(state, region, input).and_then(|found| {
            change(
                found,
                input,
                &["contentHandling", "selectionPattern"],
                &["responseParameters", "responseTemplates"],
            )
        }),
        "DeleteIntegrationResponse" => delete_response(state, region, input),
        _ => return None,
    })
}

fn integration<'a>(
    state: &'a mut State,
    region: &str,
    input: &Value,
) -> Result<&'a mut Value, Refusal> {
    let found = find_method(state, region, input)?.get_mut("methodIntegration");
    found.ok_or_else(|| gone(NO_INTEGRATION))
}

fn response<'a>(
    state: &'a mut State,
    region: &str,
    input: &Value,
) -> Result<&'a mut Value, Refusal> {
    let status = need(input, "status")?;
    let found = integration(state, region, input)?.get_mut("integrationResponses");
    found.and_then(|all| all.get_mut(status)).ok_or_else(|| gone(NO_STATUS))
}

fn delete_response(state: &mut State, region: &str, input: &Value) -> Answer {
    // If the method is missing, AWS says that the integration is.
    let none = |refusal: Refusal| {
        if refusal.message.contains("Method") { gone(NO_INTEGRATION) } else { refusal }
    };
    let found = integration(state, region, input).map_err(none)?;
    let all = found.get_mut("integrationResponses").and_then(Value::as_object_mut);
    let all = all.ok_or_else(|| gone(NO_STATUS))?;
    all.remove(need(input, "status")?).ok_or_else(|| gone(NO_STATUS))?;
    if all.is_empty() {
        found.as_object_mut().and_then(|found| found.remove("integrationResponses"));
    }
    Ok(Value::Null)
}

/// Changes text members, and members of text maps.
fn change(found: &mut Value, input: &Value, texts: &[&str], maps: &[&str]) -> Answer {
    let mut changed = found.clone();
    for patch in patches(input)? {
        let Patch { op, .. } = patch;
        match patch.path().as_slice() {
            [name] if texts.contains(name) => {
                patch.only("replace")?;
                changed[*name] = json!(patch.text());
            }
            [map, key] if maps.contains(map) && ["add", "replace"].contains(&op) => {
                changed[*map][*key] = json!(patch.text());
            }
            [map, key] if maps.contains(map) && op == "remove" => {
                let map = changed.get_mut(*map).and_then(Value::as_object_mut);
                map.and_then(|map| map.remove(*key));
            }
            _ => return Err(patch.unknown()),
        }
    }
    *found = changed.clone();
    Ok(changed)
}
