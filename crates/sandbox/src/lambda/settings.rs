//! The configuration of a function: what AWS takes, and what it makes of it.

use serde_json::{Map, Value, json};

use super::super::toolbox::{list, map, number, text, texts};
use super::super::{Refusal, World, iam, kms};
use super::invalid;

/// Numbers with their least and most.
const NUMBERS: &[(&str, i64, i64)] = &[("MemorySize", 128, 10_240), ("Timeout", 1, 900)];

/// What a function has unless told otherwise.
pub(super) fn defaults() -> Map<String, Value> {
    let Value::Object(defaults) = json!({
        "Description": "",
        "MemorySize": 128,
        "Timeout": 3,
        "TracingConfig": { "Mode": "PassThrough" },
        "EphemeralStorage": { "Size": 512 },
        "Architectures": ["x86_64"],
        "PackageType": "Zip",
        "SnapStart": { "ApplyOn": "None", "OptimizationStatus": "Off" },
    }) else {
        unreachable!("an object")
    };
    defaults
}

/// Puts what a request says into settings; an empty value clears.
pub(super) fn assign(
    world: &World,
    region: &str,
    settings: &mut Map<String, Value>,
    input: &Value,
) -> Result<(), Refusal> {
    for (key, least, most) in NUMBERS {
        let Some(value) = number(input, key) else { continue };
        if !(*least..=*most).contains(&value) {
            let message = format!("'{key}' failed to satisfy constraint: from {least} to {most}");
            return Err(invalid(message));
        }
        settings.insert((*key).to_owned(), json!(value));
    }
    for key in ["Description", "Handler", "Runtime"] {
        if let Some(value) = text(input, key) {
            settings.insert(key.to_owned(), json!(value));
        }
    }
    if let Some(role) = text(input, "Role")
        && settings.get("Role").and_then(Value::as_str) != Some(role)
    {
        if !iam::can_assume(world, role, "lambda.amazonaws.com") {
            let message = "The role defined for the function cannot be assumed by Lambda.";
            return Err(invalid(message));
        }
        settings.insert("Role".to_owned(), json!(role));
    }
    if let Some(size) = input.get("EphemeralStorage").and_then(|disk| number(disk, "Size")) {
        if !(512..=10_240).contains(&size) {
            return Err(invalid("EphemeralStorage must be between 512 and 10240"));
        }
        settings.insert("EphemeralStorage".to_owned(), json!({ "Size": size }));
    }
    if let Some(mode) = input.get("TracingConfig").and_then(|found| text(found, "Mode")) {
        settings.insert("TracingConfig".to_owned(), json!({ "Mode": mode }));
    }
    if let Some(found) = input.get("Architectures").filter(|found| found.is_array()) {
        settings.insert("Architectures".to_owned(), found.clone());
    }
    if let Some(environment) = input.get("Environment") {
        variables(settings, environment)?;
    }
    if let Some(key) = text(input, "KMSKeyArn") {
        if !key.is_empty() && kms::usable(&world.kms, region, key).is_none() {
            return Err(invalid("KMS key is invalid for CreateGrant"));
        }
        put(settings, "KMSKeyArn", json!(key), key.is_empty());
    }
    if let Some(target) = input.get("DeadLetterConfig").and_then(|found| text(found, "TargetArn")) {
        let known = target.is_empty() || target.contains(":sqs:") || target.contains(":sns:");
        if !known {
            return Err(invalid(format!("The target ARN {target} is not a queue or a topic")));
        }
        put(settings, "DeadLetterConfig", json!({ "TargetArn": target }), target.is_empty());
    }
    Ok(())
}

/// Subnets and security groups.
type Place = (Vec<String>, Vec<String>);

/// Where a request wants the function to be: subnets and groups, both or neither.
pub(super) fn place(input: &Value) -> Result<Option<Place>, Refusal> {
    let Some(found) = input.get("VpcConfig").filter(|found| found.is_object()) else {
        return Ok(None);
    };
    let (subnets, groups) = (texts(found, "SubnetIds"), texts(found, "SecurityGroupIds"));
    match subnets.is_empty() == groups.is_empty() && subnets.len() <= 16 && groups.len() <= 5 {
        true => Ok(Some((subnets, groups))),
        false => Err(invalid("SubnetIds and SecurityIds must coexist or be both empty list.")),
    }
}

fn variables(settings: &mut Map<String, Value>, environment: &Value) -> Result<(), Refusal> {
    let variables = map(environment, "Variables");
    let reserved = |name: &&String| {
        name.starts_with("AWS_LAMBDA_") || ["AWS_REGION", "AWS_SESSION_TOKEN"].contains(&&***name)
    };
    if let Some(name) = variables.keys().find(reserved) {
        return Err(invalid(format!(
            "Lambda was unable to configure your environment variables because the environment \
             variables you have provided contains reserved keys that are currently not supported \
             for modification. Reserved keys used in this request: {name}"
        )));
    }
    let size: usize = variables.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > 4096 {
        return Err(invalid("Environment variables can have at most 4 KB"));
    }
    let none = variables.is_empty();
    put(settings, "Environment", json!({ "Variables": variables }), none);
    Ok(())
}

fn put(settings: &mut Map<String, Value>, key: &str, value: Value, clear: bool) {
    match clear {
        true => settings.remove(key),
        false => settings.insert(key.to_owned(), value),
    };
}

/// What a new function must say.
pub(super) fn complete(input: &Value) -> Result<(), Refusal> {
    for key in ["Role", "Handler", "Runtime"] {
        if text(input, key).is_none_or(str::is_empty) {
            return Err(invalid(format!("{key} is required for a Zip function")));
        }
    }
    let processors = list(input, "Architectures");
    match processors.len() > 1 {
        true => Err(invalid("A function has one architecture")),
        false => Ok(()),
    }
}
