//! The configuration of a function: AWS's checks and defaults.

use serde_json::{Map, Value, json};

use super::super::constraints::Broken;
use super::super::toolbox::{map, number, text, texts};
use super::super::{Refusal, World, iam, kms};
use super::invalid;
use super::names::{at_most, is_account};

/// The longest timeout of a call, in seconds.
const LONGEST: i64 = 900;

/// The runtimes, in the order of AWS's message.
const RUNTIMES: &[&str] = &[
    "nodejs20.x",
    "python3.14",
    "provided.al2023",
    "python3.12",
    "python3.13",
    "nodejs24.x",
    "nodejs22.x",
    "java25",
    "python3.10",
    "python3.11",
    "java21",
    "ruby3.3",
    "ruby3.4",
    "ruby3.2",
    "python3.8",
    "python3.9",
    "java17",
    "nodejs16.x",
    "dotnet10",
    "dotnet8",
    "java11",
    "dotnet6",
    "nodejs18.x",
    "provided.al2",
    "java8.al2",
];

/// The runtimes that Lambda has retired.
const RETIRED: &[&str] = &[
    "dotnet5.0",
    "dotnet7",
    "dotnetcore1.0",
    "dotnetcore2.0",
    "dotnetcore2.1",
    "dotnetcore3.1",
    "go1.x",
    "java8",
    "nodejs",
    "nodejs10.x",
    "nodejs12.x",
    "nodejs14.x",
    "nodejs4.3",
    "nodejs4.3-edge",
    "nodejs6.10",
    "nodejs8.10",
    "provided",
    "python2.7",
    "python3.6",
    "python3.7",
    "ruby2.5",
    "ruby2.7",
];

const ROLE: &str = r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+";

/// The settings of a function that the call does not set.
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
        "LoggingConfig": { "LogFormat": "Text" },
    }) else {
        unreachable!("an object")
    };
    defaults
}

/// Notes the members of a request that violate the model.
pub(super) fn check(input: &Value, broken: &mut Broken) {
    if let Some(role) = text(input, "Role").filter(|role| !is_role(role)) {
        let rule = format!("Member must satisfy regular expression pattern: {ROLE}");
        broken.note("role", role, &rule);
    }
    let processors = texts(input, "Architectures");
    let shown = format!("[{}]", processors.join(", "));
    if processors.len() > 1 {
        broken.note("architectures", &shown, &at_most(1));
    }
    if processors.iter().any(|one| !["x86_64", "arm64"].contains(&one.as_str())) {
        let rule = "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, \
                    arm64], Member must not be null]";
        broken.note("architectures", &shown, rule);
    }
    let inner = |member: &str, key: &str| {
        input.get(member).and_then(|found| text(found, key)).map(str::to_owned)
    };
    let apply = inner("SnapStart", "ApplyOn");
    broken.one_of("snapStart.applyOn", apply.as_deref(), &["PublishedVersions", "None"]);
    let mode = inner("TracingConfig", "Mode");
    broken.one_of("tracingConfig.mode", mode.as_deref(), &["Active", "PassThrough"]);
    let disk = input.get("EphemeralStorage").and_then(|disk| number(disk, "Size"));
    for (member, value, least, most) in [
        ("memorySize", number(input, "MemorySize"), 128, 10_240),
        ("timeout", number(input, "Timeout"), 1, i64::MAX),
        ("ephemeralStorage.size", disk, 512, 10_240),
    ] {
        match value {
            Some(value) if value < least => {
                let rule = format!("Member must have value greater than or equal to {least}");
                broken.note(member, value, &rule);
            }
            Some(value) if value > most => {
                let rule = format!("Member must have value less than or equal to {most}");
                broken.note(member, value, &rule);
            }
            Some(_) | None => {}
        }
    }
    let place = input.get("VpcConfig").unwrap_or(&Value::Null);
    for (key, member, prefix, pattern) in [
        ("SubnetIds", "vpcConfig.subnetIds", "subnet-", "subnet-[0-9a-z]*"),
        ("SecurityGroupIds", "vpcConfig.securityGroupIds", "sg-", "sg-[0-9a-zA-Z]*"),
    ] {
        let ids = texts(place, key);
        let fits = |id: &String| {
            let rest = id.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.chars().all(|c| c.is_ascii_alphanumeric()))
        };
        if !ids.iter().all(fits) {
            let rule = format!(
                "Member must satisfy constraint: [Member must have length less than or equal to \
                 1024, Member must have length greater than or equal to 0, Member must satisfy \
                 regular expression pattern: {pattern}]"
            );
            broken.note(member, format!("[{}]", ids.join(", ")), &rule);
        }
    }
}

fn is_role(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, role] = parts[..] else { return false };
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-/".contains(c);
    let name = role.strip_prefix("role").unwrap_or_default();
    (partition.is_empty() || partition.starts_with("aws"))
        && is_account(account)
        && !name.is_empty()
        && name.chars().all(fits)
}

/// Refuses a retired or unknown runtime.
fn runs(runtime: &str) -> Result<(), Refusal> {
    if RETIRED.contains(&runtime) {
        return Err(invalid(format!(
            "The runtime parameter of {runtime} is no longer supported for creating or updating \
             AWS Lambda functions. We recommend you use a supported runtime while creating or \
             updating functions."
        )));
    }
    if RUNTIMES.contains(&runtime) {
        Ok(())
    } else {
        Err(invalid(format!(
            "Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum \
             value set: [{}] or be a valid ARN",
            RUNTIMES.join(", ")
        )))
    }
}

/// Sets the members of a request. An empty value clears a setting.
pub(super) fn assign(
    world: &World,
    region: &str,
    settings: &mut Map<String, Value>,
    input: &Value,
) -> Result<(), Refusal> {
    if let Some(runtime) = text(input, "Runtime") {
        runs(runtime)?;
    }
    if let Some(timeout) = number(input, "Timeout").filter(|timeout| *timeout > LONGEST) {
        let mut broken = Broken::default();
        let rule = format!("Member must have value less than or equal to {LONGEST}");
        broken.note("timeout", timeout, &rule);
        return Err(invalid(broken.message()));
    }
    for key in ["MemorySize", "Timeout"] {
        if let Some(value) = number(input, key) {
            settings.insert(key.to_owned(), json!(value));
        }
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
        settings.insert("EphemeralStorage".to_owned(), json!({ "Size": size }));
    }
    if let Some(mode) = input.get("TracingConfig").and_then(|found| text(found, "Mode")) {
        settings.insert("TracingConfig".to_owned(), json!({ "Mode": mode }));
    }
    if let Some(apply) = input.get("SnapStart").and_then(|found| text(found, "ApplyOn")) {
        let snap = json!({ "ApplyOn": apply, "OptimizationStatus": "Off" });
        settings.insert("SnapStart".to_owned(), snap);
    }
    if let Some(wanted) = input.get("LoggingConfig") {
        logging(settings, wanted);
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

/// The subnets and the groups in a request: both or neither.
pub(super) fn place(input: &Value) -> Result<Option<Place>, Refusal> {
    let Some(found) = input.get("VpcConfig").filter(|found| found.is_object()) else {
        return Ok(None);
    };
    let (subnets, groups) = (texts(found, "SubnetIds"), texts(found, "SecurityGroupIds"));
    if subnets.is_empty() == groups.is_empty() && subnets.len() <= 16 && groups.len() <= 5 {
        Ok(Some((subnets, groups)))
    } else {
        Err(invalid("SubnetIds and SecurityIds must coexist or be both empty list."))
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
    let measured = json!(variables).to_string();
    if measured.len() > 4096 {
        return Err(invalid(format!(
            "Lambda was unable to configure your environment variables because the environment \
             variables you have provided exceeded the 4KB limit. String measured: {measured}"
        )));
    }
    settings.insert("Environment".to_owned(), json!({ "Variables": variables }));
    Ok(())
}

/// The logging of a function. Only the JSON format has log levels.
fn logging(settings: &mut Map<String, Value>, wanted: &Value) {
    let before = settings.get("LoggingConfig").cloned().unwrap_or_default();
    let either = |key: &str| text(wanted, key).or_else(|| text(&before, key)).map(str::to_owned);
    let format = either("LogFormat").unwrap_or_else(|| "Text".to_owned());
    let mut logging = json!({ "LogFormat": format });
    if format == "JSON" {
        for key in ["ApplicationLogLevel", "SystemLogLevel"] {
            logging[key] = json!(either(key).unwrap_or_else(|| "INFO".to_owned()));
        }
    }
    if let Some(group) = either("LogGroup") {
        logging["LogGroup"] = json!(group);
    }
    settings.insert("LoggingConfig".to_owned(), logging);
}

fn put(settings: &mut Map<String, Value>, key: &str, value: Value, clear: bool) {
    if clear {
        settings.remove(key)
    } else {
        settings.insert(key.to_owned(), value)
    };
}

/// Checks the members that a new function needs.
pub(super) fn complete(input: &Value) -> Result<(), Refusal> {
    for key in ["Role", "Handler", "Runtime"] {
        if text(input, key).is_none_or(str::is_empty) {
            return Err(invalid(format!("{key} is required for a Zip function")));
        }
    }
    Ok(())
}
