//! The sandbox's STS: the caller's identity, and assumed roles.
//!
//! The caller is the root of the account or the role of a session. Only the access key decides,
//! because the sandbox does not check signatures. Assumed credentials work like any others. A call
//! can also assume a role that does not exist.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::constraints::unfit;
use super::shelf::{Shelf, kept};
use super::toolbox::{digest, is_name, iso, list, number, text, texts};
use super::{ACCOUNT, Answer, Call, Refusal, World, iam};

/// The state of STS.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Sessions of roles by their access key.
    sessions: Shelf<Session>,
}

kept!(State { sessions });

/// A role that a caller has assumed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Session {
    arn: String,
    /// The id of the role, with the name of the session.
    id: String,
    until: f64,
    /// The keys of transitive tags, in lower case: the roles that this one assumes get them too.
    transitive: Vec<String>,
}

/// Whether the caller is the session of a role.
pub(crate) fn is_role(world: &World) -> bool {
    caller(world).is_some()
}

fn caller(world: &World) -> Option<&Session> {
    world.sts.sessions.get(world.base.access_key.as_deref()?)
}

/// The ARN and the id of the caller.
pub(crate) fn identity(world: &World) -> (String, String) {
    match caller(world) {
        Some(session) => (session.arn.clone(), session.id.clone()),
        None => (format!("arn:aws:iam::{ACCOUNT}:root"), ACCOUNT.to_owned()),
    }
}

/// Answers one call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    match call.operation.as_str() {
        "GetCallerIdentity" => {
            let (arn, id) = identity(world);
            Ok(json!({ "Account": ACCOUNT, "Arn": arn, "UserId": id }))
        }
        "AssumeRole" => assume_role(world, &call.input),
        other => Err(Refusal::not_covered("sts", other)),
    }
}

const INVALID: &str = "ValidationError";

fn assume_role(world: &mut World, input: &Value) -> Answer {
    let role = required(input, "RoleArn")?;
    let session = required(input, "RoleSessionName")?;
    let rule = match session.len() {
        0..=1 => "Member must have length greater than or equal to 2",
        65.. => "Member must have length less than or equal to 64",
        _ => "Member must satisfy regular expression pattern: [\\w+=,.@-]*",
    };
    if !is_name(session, 2..=64, "_+=,.@-") {
        return Err(unfit(INVALID, session, "roleSessionName", rule));
    }
    let name = role.split_once(":role/").and_then(|(_, path)| path.rsplit('/').next());
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Err(Refusal::new(INVALID, format!("{role} is invalid")));
    };
    let seconds = number(input, "DurationSeconds").unwrap_or(3600);
    let bound = match seconds {
        ..900 => Some("Member must have value greater than or equal to 900"),
        43_201.. => Some("Member must have value less than or equal to 43200"),
        _ => None,
    };
    if let Some(rule) = bound {
        return Err(unfit(INVALID, &seconds.to_string(), "durationSeconds", rule));
    }
    let transitive = transitive_keys(caller(world), input)?;
    let account = role.split(':').nth(4).unwrap_or(ACCOUNT);
    let number = world.base.number();
    let access_key = format!("ASIA{number:016X}");
    let made_up = || format!("AROA{number:016X}");
    let id = iam::role_id(&world.iam, name).map_or_else(made_up, str::to_owned);
    let now = world.base.now();
    let until = now + seconds as f64;
    let made = Session {
        arn: format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"),
        id: format!("{id}:{session}"),
        until,
        transitive,
    };
    let answer = json!({
        "AssumedRoleUser": { "Arn": made.arn, "AssumedRoleId": made.id },
        "Credentials": {
            "AccessKeyId": access_key,
            "SecretAccessKey": &digest(&format!("the secret of {access_key}"))[..40],
            "SessionToken": digest(&format!("the token of {access_key}")),
            "Expiration": iso(until),
        },
    });
    world.sts.sessions.retain(|_, session| session.until > now);
    world.sts.sessions.insert(access_key, made);
    Ok(answer)
}

/// The keys of transitive tags: those of the caller, and those of the call.
fn transitive_keys(caller: Option<&Session>, input: &Value) -> Result<Vec<String>, Refusal> {
    let wrong = |message: &str| Err(Refusal::new("InvalidParameterValue", message));
    let tags = list(input, "Tags").iter().filter_map(|tag| text(tag, "Key"));
    let mut keys: Vec<String> = tags.map(str::to_lowercase).collect();
    let count = keys.len();
    keys.sort();
    keys.dedup();
    if keys.len() < count {
        return wrong("Duplicate tag keys found. Please note that Tag keys are case insensitive.");
    }
    let mut transitive: Vec<String> =
        texts(input, "TransitiveTagKeys").iter().map(|key| key.to_lowercase()).collect();
    if transitive.iter().any(|key| !keys.contains(key)) {
        return wrong("The specified transitive tag key must be included in the requested tags.");
    }
    let inherited = caller.map(|session| session.transitive.as_slice()).unwrap_or_default();
    if inherited.iter().any(|key| keys.contains(key)) {
        return wrong(
            "One of the specified transitive tag keys can't be set because it conflicts with a \
             transitive tag key from the calling session.",
        );
    }
    transitive.extend_from_slice(inherited);
    Ok(transitive)
}

fn required<'a>(input: &'a Value, member: &str) -> Result<&'a str, Refusal> {
    let missing = || {
        let message = format!("1 validation error detected: Value at '{member}' must not be null");
        Refusal::new(INVALID, message)
    };
    input[member].as_str().filter(|text| !text.is_empty()).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolbox::testing::ask;

    const ROLE: &str = "arn:aws:iam::000000000000:role/p/deploy";

    fn ask_as(world: &mut World, access_key: &str, operation: &str, input: Value) -> Answer {
        world.base.access_key = Some(access_key.into());
        ask(world, "sts", operation, input)
    }

    fn tagged(tags: &[&str], transitive: &[&str]) -> Value {
        let tags: Vec<Value> = tags.iter().map(|key| json!({ "Key": key, "Value": "v" })).collect();
        json!({ "RoleArn": ROLE, "RoleSessionName": "ci", "Tags": tags,
            "TransitiveTagKeys": transitive })
    }

    #[test]
    fn a_session_has_an_identity_of_its_own() {
        let mut world = World::default();
        let input = json!({ "RoleArn": ROLE, "RoleSessionName": "ci" });
        let made = ask(&mut world, "sts", "AssumeRole", input).unwrap();
        let key = made["Credentials"]["AccessKeyId"].as_str().unwrap().to_owned();
        let who = ask_as(&mut world, &key, "GetCallerIdentity", json!({})).unwrap();
        assert_eq!(who["Arn"], "arn:aws:sts::000000000000:assumed-role/deploy/ci");
        assert_eq!(who["UserId"], made["AssumedRoleUser"]["AssumedRoleId"]);
        let root = ask_as(&mut world, "other", "GetCallerIdentity", json!({})).unwrap();
        assert_eq!(root["Arn"], "arn:aws:iam::000000000000:root");
        world.base.access_key = Some(key);
        let refusal = ask(&mut world, "iam", "GetUser", json!({})).unwrap_err();
        assert_eq!(refusal.message, "Must specify userName when calling with non-User credentials");
    }

    #[test]
    fn session_tags_are_checked_and_passed_on() {
        let mut world = World::default();
        let mut refused = |access_key: &str, input: Value| {
            let refusal = ask_as(&mut world, access_key, "AssumeRole", input).unwrap_err();
            assert_eq!(refusal.code, "InvalidParameterValue");
            refusal.message
        };
        let twice = refused("root", tagged(&["Team", "team"], &[]));
        assert!(twice.starts_with("Duplicate tag keys"), "{twice}");
        let unknown = refused("root", tagged(&["Team"], &["Other"]));
        assert!(unknown.contains("must be included"), "{unknown}");
        let first = ask_as(&mut world, "root", "AssumeRole", tagged(&["Team"], &["team"]));
        let key = first.unwrap()["Credentials"]["AccessKeyId"].as_str().unwrap().to_owned();
        let plain = ask_as(&mut world, &key, "AssumeRole", tagged(&["Other"], &[])).unwrap();
        let next = plain["Credentials"]["AccessKeyId"].as_str().unwrap().to_owned();
        for caller in [&key, &next] {
            let refusal = ask_as(&mut world, caller, "AssumeRole", tagged(&["TEAM"], &[]));
            let message = refusal.unwrap_err().message;
            assert!(message.contains("conflicts with a transitive tag key"), "{message}");
        }
    }

    #[test]
    fn invalid_members_give_the_validation_messages_of_aws() {
        let mut world = World::default();
        for (session, seconds, end) in [
            ("a:b", 3600, "regular expression pattern: [\\w+=,.@-]*"),
            ("a", 3600, "greater than or equal to 2"),
            ("ci", 899, "greater than or equal to 900"),
            ("ci", 43_201, "less than or equal to 43200"),
        ] {
            let input = json!({ "RoleArn": ROLE, "RoleSessionName": session,
                "DurationSeconds": seconds.to_string() });
            let refusal = ask(&mut world, "sts", "AssumeRole", input).unwrap_err();
            assert!(refusal.message.ends_with(end), "{}", refusal.message);
        }
    }
}
