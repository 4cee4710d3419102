//! The logs of web ACLs.

use serde_json::{Value, json};

use super::super::toolbox::{need, texts};
use super::super::{Answer, Refusal, World, logs, s3};
use super::{INVALID, State, by_arn, missing};

/// The start of the name of a destination.
const PREFIX: &str = "aws-waf-logs-";

fn invalid(destination: &str) -> Refusal {
    let message = format!(
        "Error reason: The ARN isn't valid. A valid ARN begins with arn: and includes other \
         information separated by colons or slashes., field: LOG_DESTINATION, parameter: \
         {destination}"
    );
    Refusal::new(INVALID, message)
}

pub(super) fn put(world: &mut World, region: &str, input: &Value) -> Answer {
    let wish = input.get("LoggingConfiguration").cloned().unwrap_or_default();
    let acl = by_arn(&mut world.waf, need(&wish, "ResourceArn", INVALID)?)?.arn.clone();
    let destinations = texts(&wish, "LogDestinationConfigs");
    let [destination] = destinations.as_slice() else {
        return Err(Refusal::new(INVALID, "Error reason: One destination must be given."));
    };
    let group = destination.split_once(":log-group:").map(|(_, name)| name);
    let bucket = destination.strip_prefix("arn:aws:s3:::");
    let is_there = match (group, bucket) {
        (Some(name), _) if name.starts_with(PREFIX) && !name.contains(':') => {
            logs::exists(&world.logs, region, name)
        }
        (_, Some(name)) if name.starts_with(PREFIX) => {
            s3::admit_log_delivery(&mut world.s3, name, region)
        }
        _ => return Err(invalid(destination)),
    };
    if !is_there {
        let message = "The operation failed because you don't have the permissions that your \
                       logging configuration requires.";
        return Err(Refusal::new("WAFLogDestinationPermissionIssueException", message));
    }
    for field in wish.get("RedactedFields").and_then(Value::as_array).into_iter().flatten() {
        let may = ["SingleHeader", "UriPath", "QueryString", "Method"];
        if !field.as_object().is_some_and(|field| field.keys().all(|key| may.contains(&&**key))) {
            let message = "Error reason: The field can't be redacted., field: REDACTED_FIELDS";
            return Err(Refusal::new(INVALID, message));
        }
    }
    world.waf.logging.insert(acl, wish.clone());
    Ok(json!({ "LoggingConfiguration": wish }))
}

pub(super) fn get(state: &State, input: &Value) -> Answer {
    let found = state.logging.get(need(input, "ResourceArn", INVALID)?).ok_or_else(missing)?;
    Ok(json!({ "LoggingConfiguration": found }))
}

pub(super) fn delete(state: &mut State, input: &Value) -> Answer {
    let found = state.logging.remove(need(input, "ResourceArn", INVALID)?);
    found.map(|_| json!({})).ok_or_else(missing)
}
