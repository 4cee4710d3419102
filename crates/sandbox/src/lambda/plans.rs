//! What running a function once takes.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::super::toolbox::{digest, draw, iso, map, refuse, text};
use super::super::{Answer, Call, Refusal, World, sts};
use super::conflict;
use super::functions::{self, Doing, missing};
use super::names::{LATEST, NAMESPACED, Named, read_name};

/// A call of a function that may take place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) name: String,
    /// As the caller named it: with the qualifier, if it gave one.
    pub(crate) arn: String,
    /// The version that runs: `$LATEST` or a number.
    pub(crate) version: String,
    pub(crate) region: String,
    pub(crate) runtime: String,
    pub(crate) handler: String,
    /// In seconds.
    pub(crate) timeout: i64,
    /// In megabytes.
    pub(crate) memory: i64,
    pub(crate) variables: BTreeMap<String, String>,
    /// The archive of its code, in Base64.
    pub(crate) package: String,
    /// Its log group and the stream of this version of its code.
    pub(crate) group: String,
    pub(crate) stream: String,
    /// Whether the log has lines of JSON.
    pub(crate) logs_json: bool,
    pub(crate) keys: Keys,
    pub(crate) request_id: String,
    /// When it was asked for, as Lambda writes times.
    pub(crate) moment: String,
    pub(crate) reserved: Option<i64>,
    /// The queue or topic for events that it could not take.
    pub(crate) dead_letter: Option<String>,
}

/// The keys of a session of the function's role.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    pub(crate) access: String,
    pub(crate) secret: String,
    pub(crate) token: String,
}

/// Looks up what a request names, a function, a version or an alias, and opens a session of its role.
/// The id of the request draws among the versions of an alias.
pub(crate) fn plan(
    world: &mut World,
    region: &str,
    input: &Value,
    request_id: String,
) -> Result<Plan, Refusal> {
    let Named { name, qualifier } = read_name(region, input, &NAMESPACED)?;
    let arn = Named { name, qualifier }.arn(region);
    let unknown = || missing(&Named { name, qualifier: qualifier.or(Some(LATEST)) }.arn(region));
    let now = world.base.now();
    let whole = functions::find(world, region, &Named { name, qualifier: None });
    let whole = whole.map_err(|_| unknown())?;
    let version = whole.drawn(qualifier, draw(&request_id), now);
    let (version, function) = version.ok_or_else(unknown)?;
    if function.doing(now) == Doing::Making {
        return Err(conflict(format!(
            "The operation cannot be performed at this time. The function is currently in the \
             following state: Pending: {arn}"
        )));
    }
    let settings = Value::Object(function.settings.clone());
    let of = |key: &str| text(&settings, key).unwrap_or_default().to_owned();
    if !of("Runtime").starts_with("python") {
        return Err(not_run(format!(
            "the sandbox runs functions in Python only; the runtime of {name} is {}",
            of("Runtime")
        )));
    }
    if function.package.is_empty() {
        return Err(not_run(format!(
            "the sandbox has no code of {name}, which an earlier version of payctl has made: \
             update its code, or start again with `payctl sandbox reset`"
        )));
    }
    let logging = &settings["LoggingConfig"];
    let group = text(logging, "LogGroup").map(str::to_owned);
    let day = iso(now)[..10].replace('-', "/");
    let environment = digest(&format!("{region}|{name}|{}", function.revision));
    let mut plan = Plan {
        name: name.to_owned(),
        arn,
        region: region.to_owned(),
        runtime: of("Runtime"),
        handler: of("Handler"),
        timeout: function.timeout(),
        memory: settings["MemorySize"].as_i64().unwrap_or(128),
        variables: map(&settings["Environment"], "Variables"),
        package: function.package.clone(),
        group: group.unwrap_or_else(|| format!("/aws/lambda/{name}")),
        stream: format!("{day}/[{version}]{}", &environment[..32]),
        version,
        logs_json: text(logging, "LogFormat") == Some("JSON"),
        keys: Keys::default(),
        request_id,
        moment: moment(now),
        reserved: whole.reserved,
        dead_letter: text(&settings["DeadLetterConfig"], "TargetArn").map(str::to_owned),
    };
    plan.keys = session(world, &of("Role"), name)?;
    Ok(plan)
}

/// What Lambda would do and the sandbox does not.
fn not_run(message: String) -> Refusal {
    refuse(400, "NotImplementedInSandbox", message)
}

/// A session of a function's role. Lambda names it after the function.
fn session(world: &mut World, role: &str, function: &str) -> Result<Keys, Refusal> {
    let session = match function.len() {
        1 => format!("{function}_"),
        _ => function.chars().take(64).collect(),
    };
    let input = json!({ "RoleArn": role, "RoleSessionName": session });
    let call = Call {
        service: "sts".into(),
        operation: "AssumeRole".into(),
        input,
        region: String::new(),
    };
    // It is Lambda that takes the role, not whoever calls the function.
    let caller = world.base.access_key.take();
    let made: Answer = sts::call(world, &call);
    world.base.access_key = caller;
    let made = made?;
    let of = |key: &str| made["Credentials"][key].as_str().unwrap_or_default().to_owned();
    Ok(Keys { access: of("AccessKeyId"), secret: of("SecretAccessKey"), token: of("SessionToken") })
}

/// `2026-01-31T12:00:00.000Z`.
fn moment(seconds: f64) -> String {
    let form = time::macros::format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
    );
    let nanos = (seconds * 1e3) as i128 * 1_000_000;
    let moment = OffsetDateTime::from_unix_timestamp_nanos(nanos);
    moment.ok().and_then(|moment| moment.format(&form).ok()).unwrap_or_default()
}
