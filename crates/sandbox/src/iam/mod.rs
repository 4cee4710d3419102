//! The sandbox's IAM: roles, customer-managed policies and instance profiles.
//!
//! Quirks kept: Documents come back URL-encoded. Names are unique whatever their case. A role with
//! attachments cannot be deleted. `ListRoles` does not show tags and boundaries. Every
//! `arn:aws:iam::aws:policy/` ARN can be attached.

mod policies;
mod profiles;
mod roles;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shelf::{Shelf, kept};
use super::toolbox::{digest, is_name, need, number, page, refuse, text};
use super::{ACCOUNT, Answer, Call, Refusal, World, sts};

/// The state of IAM.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Roles by name.
    pub roles: Shelf<roles::Role>,
    /// Instance profiles by name.
    pub profiles: Shelf<profiles::Profile>,
    /// Customer-managed policies by ARN.
    pub policies: Shelf<policies::Policy>,
}

kept!(State { roles, profiles, policies });

/// The number of live objects, without the roles of the account as a whole, which outlive every
/// environment.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    vec![
        ("roles", state.roles.values().filter(|role| !role.is_shared()).count()),
        ("instance_profiles", state.profiles.len()),
        ("policies", state.policies.len()),
    ]
}

/// The ARN of a role, by its name. The ARN of a missing role has no path.
pub(crate) fn role_arn(state: &State, name: &str) -> String {
    let path = state.roles.get(name).map_or("/", |role| role.path());
    format!("arn:aws:iam::{ACCOUNT}:role{path}{name}")
}

/// The id of a role, by its name.
pub(crate) fn role_id<'a>(state: &'a State, name: &str) -> Option<&'a str> {
    state.roles.get(name).map(|role| role.id())
}

/// The same for an instance profile.
pub(crate) fn profile_arn(state: &State, name: &str) -> String {
    let path = state.profiles.get(name).map_or("/", |profile| profile.path());
    format!("arn:aws:iam::{ACCOUNT}:instance-profile{path}{name}")
}

/// The ARNs of the roles of an instance profile, by its name or ARN.
pub(crate) fn roles_of(state: &State, profile: &str) -> Vec<String> {
    let name = profile.rsplit('/').next().unwrap_or(profile);
    let role = state.profiles.get(name).and_then(|profile| profile.role.as_deref());
    role.map(|role| role_arn(state, role)).into_iter().collect()
}

/// Whether the trust policy of a role allows a service to assume it.
pub(crate) fn can_assume(world: &World, arn: &str, service: &str) -> bool {
    let name = arn.rsplit('/').next().unwrap_or(arn);
    world.iam.roles.get(name).is_some_and(|role| role.trusts(service))
}

/// When a role was created, if it exists.
pub(crate) fn made(state: &State, arn: &str) -> Option<f64> {
    let name = arn.rsplit('/').next().unwrap_or(arn);
    state.roles.get(name).map(|role| role.created)
}

/// When an instance profile got its role, if it exists, by its name or ARN.
pub(crate) fn profile_filled(state: &State, profile: &str) -> Option<f64> {
    let name = profile.rsplit('/').next().unwrap_or(profile);
    state.profiles.get(name).map(|profile| profile.filled)
}

/// The name of a service-linked role.
fn linked_name(service: &str) -> String {
    let suffix = match service {
        "autoscaling.amazonaws.com" => "AutoScaling",
        "ecs.amazonaws.com" => "ECS",
        "ecs.application-autoscaling.amazonaws.com" => "ApplicationAutoScaling_ECSService",
        "elasticloadbalancing.amazonaws.com" => "ElasticLoadBalancing",
        "guardduty.amazonaws.com" => "AmazonGuardDuty",
        "ops.apigateway.amazonaws.com" => "APIGateway",
        "rds.amazonaws.com" => "RDS",
        "wafv2.amazonaws.com" => "WAFV2Logging",
        other => other,
    };
    format!("AWSServiceRoleFor{suffix}")
}

/// The ARN of a service-linked role.
pub(crate) fn linked_arn(service: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role{}{service}/{}", roles::LINKED, linked_name(service))
}

/// Creates the service-linked role, unless it exists.
pub(crate) fn link(world: &mut World, service: &str) {
    let name = linked_name(service);
    if !world.iam.roles.contains_key(&name) {
        let role = roles::Role::linked(&world.base, service);
        world.iam.roles.insert(name, role);
    }
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    let input = &call.input;
    match call.operation.as_str() {
        "GetUser" if text(input, "UserName").is_none() && sts::is_role(world) => {
            Err(invalid("Must specify userName when calling with non-User credentials"))
        }
        "GetUser" => Ok(json!({ "User": {
            "Path": "/",
            "UserName": text(input, "UserName").unwrap_or("sandbox"),
            "UserId": "AIDASANDBOX0000000000",
            "Arn": format!("arn:aws:iam::{ACCOUNT}:user/sandbox"),
            "CreateDate": "2024-01-01T00:00:00Z",
        } })),
        "ListUsers" => Ok(json!({ "Users": [], "IsTruncated": false })),
        "ListAccountAliases" => Ok(json!({ "AccountAliases": [], "IsTruncated": false })),
        operation => roles::call(world, operation, input)
            .or_else(|| profiles::call(world, operation, input))
            .or_else(|| policies::call(world, operation, input))
            .unwrap_or_else(|| Err(Refusal::not_covered(&call.service, &call.operation))),
    }
}

/// The codes for a bad tag and for too many.
const TAGS: (&str, &str) = ("ValidationError", "LimitExceeded");

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationError", message)
}

fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::new("MalformedPolicyDocument", message)
}

fn gone(what: &str, name: &str) -> Refusal {
    refuse(404, "NoSuchEntity", format!("The {what} with name {name} cannot be found."))
}

fn exists(what: &str, name: &str) -> Refusal {
    refuse(409, "EntityAlreadyExists", format!("{what} with name {name} already exists."))
}

fn conflict(message: &str) -> Refusal {
    refuse(409, "DeleteConflict", message)
}

fn over(quota: &str) -> Refusal {
    refuse(409, "LimitExceeded", format!("Cannot exceed quota for {quota}"))
}

fn required<'a>(input: &'a Value, key: &str) -> Result<&'a str, Refusal> {
    need(input, key, "ValidationError")
}

fn valid_name<'a>(input: &'a Value, key: &str, most: usize) -> Result<&'a str, Refusal> {
    let name = required(input, key)?;
    if is_name(name, 1..=most, "_+=,.@-") {
        Ok(name)
    } else {
        Err(invalid(format!(
            "The specified value for {} is invalid. It must contain only alphanumeric characters \
             and/or the following: +=,.@_- and have 1 to {most} of them",
            key[..1].to_lowercase() + &key[1..]
        )))
    }
}

fn valid_path(input: &Value) -> Result<String, Refusal> {
    let path = text(input, "Path").unwrap_or("/");
    let printable = path.chars().all(|c| c.is_ascii_graphic());
    if path.starts_with('/') && path.ends_with('/') && path.len() <= 512 && printable {
        Ok(path.to_owned())
    } else {
        Err(invalid("The specified value for path is invalid. It must begin and end with /"))
    }
}

/// Whether a map has this name in any case.
fn taken<T>(map: &BTreeMap<String, T>, name: &str) -> bool {
    map.keys().any(|known| known.eq_ignore_ascii_case(name))
}

/// A unique id such as `AROA...`.
fn unique_id(kind: &str, seed: &str) -> String {
    format!("{kind}{}", digest(seed)[..17].to_uppercase())
}

/// A document as IAM returns it (RFC 3986).
fn encoded(document: &str) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(document, KEPT).to_string()
}

/// One page under the name of its list.
fn listed(name: &str, items: Vec<(String, Value)>, input: &Value) -> Answer {
    let limit = number(input, "MaxItems").unwrap_or(100).clamp(1, 1000);
    let (items, next) = page(items, text(input, "Marker"), limit as usize);
    let mut answer = json!({ name: items, "IsTruncated": next.is_some() });
    super::toolbox::put(&mut answer, "Marker", next);
    Ok(answer)
}

/// The statements of a document. The refusal of invalid JSON has the words of `broken`.
fn statements(document: &str, broken: &str) -> Result<Vec<Value>, Refusal> {
    let tree: Value = serde_json::from_str(document).map_err(|_| malformed(broken))?;
    if let Some(version) = tree.get("Version")
        && !["2012-10-17", "2008-10-17"].contains(&version.as_str().unwrap_or_default())
    {
        return Err(malformed("Syntax errors in policy: Version must be 2012-10-17."));
    }
    let statements = match tree.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(statement @ Value::Object(_)) => vec![statement.clone()],
        _ => return Err(malformed("Syntax errors in policy: Missing required field Statement")),
    };
    for statement in &statements {
        if !["Allow", "Deny"].contains(&text(statement, "Effect").unwrap_or_default()) {
            return Err(malformed("Syntax errors in policy: Effect must be Allow or Deny."));
        }
        if !has(statement, "Action") {
            return Err(malformed("Policy statement must contain actions."));
        }
        if text(statement, "Sid").is_some_and(|sid| !is_name(sid, 0..=128, "")) {
            return Err(malformed("Statement IDs (SID) must be alpha-numeric."));
        }
    }
    let sids: Vec<&str> =
        statements.iter().filter_map(|statement| text(statement, "Sid")).collect();
    let unique: std::collections::BTreeSet<&&str> = sids.iter().collect();
    if unique.len() == sids.len() {
        Ok(statements)
    } else {
        Err(malformed("Statement IDs (SID) in a single policy must be unique."))
    }
}

fn has(statement: &Value, key: &str) -> bool {
    statement.get(key).is_some() || statement.get(format!("Not{key}")).is_some()
}

/// Checks a document that is attached to an identity.
fn valid_policy(document: &str) -> Result<(), Refusal> {
    for statement in statements(document, "Syntax errors in policy.")? {
        if has(&statement, "Principal") {
            return Err(malformed("Policy document should not specify a principal."));
        }
        if !has(&statement, "Resource") {
            return Err(malformed("Policy statement must contain resources."));
        }
    }
    Ok(())
}

/// Checks a trust policy.
fn valid_trust(document: &str) -> Result<(), Refusal> {
    for statement in statements(document, "This policy contains invalid Json")? {
        if !has(&statement, "Principal") {
            return Err(malformed("AssumeRole policy must contain principals"));
        }
        if has(&statement, "Resource") {
            return Err(malformed("Has prohibited field Resource"));
        }
    }
    if size(document) > 2048 { Err(over("ACLSizePerRole: 2048")) } else { Ok(()) }
}

/// The size of a document as quotas count it: without white space.
fn size(document: &str) -> usize {
    document.chars().filter(|c| !c.is_whitespace()).count()
}
