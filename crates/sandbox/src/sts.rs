//! STS: who am I, and assuming a role.
//!
//! The caller is always the account's root: the sandbox does not tell callers apart and checks no
//! permissions. Assumed credentials work like any others.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{ACCOUNT, Answer, Call, Refusal, World};

/// Answers one call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    match call.operation.as_str() {
        "GetCallerIdentity" => Ok(json!({
            "Account": ACCOUNT,
            "Arn": format!("arn:aws:iam::{ACCOUNT}:root"),
            "UserId": ACCOUNT,
        })),
        "AssumeRole" => assume_role(world, &call.input),
        other => Err(Refusal::not_covered("sts", other)),
    }
}

fn assume_role(world: &mut World, input: &Value) -> Answer {
    let role = required(input, "RoleArn")?;
    let session = required(input, "RoleSessionName")?;
    let name = role.split_once(":role/").and_then(|(_, path)| path.rsplit('/').next());
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Err(Refusal::new("ValidationError", format!("{role} is invalid")));
    };
    let account = role.split(':').nth(4).unwrap_or(ACCOUNT);
    let seconds = match input["DurationSeconds"].as_str() {
        None => 3600,
        Some(text) => text.parse().ok().filter(|seconds| (900..=43_200).contains(seconds)).ok_or(
            Refusal::new("ValidationError", "DurationSeconds must be between 900 and 43200"),
        )?,
    };
    let number = world.base.number();
    let until = OffsetDateTime::from_unix_timestamp(world.base.now() as i64 + seconds);
    let until = until.ok().and_then(|until| until.format(&Rfc3339).ok());
    Ok(json!({
        "AssumedRoleUser": {
            "Arn": format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"),
            "AssumedRoleId": format!("AROA{number:016X}:{session}"),
        },
        "Credentials": {
            "AccessKeyId": format!("ASIA{number:016X}"),
            "SecretAccessKey": "sandbox",
            "SessionToken": "sandbox",
            "Expiration": until,
        },
    }))
}

fn required<'a>(input: &'a Value, member: &str) -> Result<&'a str, Refusal> {
    let missing = || {
        let message = format!("1 validation error detected: Value at '{member}' must not be null");
        Refusal::new("ValidationError", message)
    };
    input[member].as_str().filter(|text| !text.is_empty()).ok_or_else(missing)
}
