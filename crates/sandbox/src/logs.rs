//! The sandbox's CloudWatch Logs.
//!
//! Quirks kept: `arn` ends in `:*` and `logGroupArn` does not. Retention has a few allowed values.
//! The policy of a key must allow the Logs service of the region. A list by a part of the name
//! shows few members of each group. Metric filters do not count events.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::constraints::{one_of, unfit};
use super::shelf::{Shelf, kept};
use super::toolbox::{
    Tags, add_tags, at, flag, here, here_with, is_name, list, map, need, number, page, put,
    remove_tags, text, texts, within,
};
use super::{ACCOUNT, Answer, Base, Call, Refusal, World, kms};

mod append;
mod filters;
#[cfg(test)]
mod tests;

pub(crate) use append::append;

/// The state of CloudWatch Logs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Log groups by region and name.
    groups: Shelf<Group>,
}

kept!(State { groups });

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Group {
    created: i64,
    retention: Option<i64>,
    key: Option<String>,
    class: String,
    tags: Tags,
    streams: BTreeMap<String, Stream>,
    filters: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Stream {
    created: i64,
    events: Vec<Value>,
}

const RETENTIONS: &[i64] = &[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

/// The members that a list by a part of the name leaves out.
const UNTOLD: &[&str] =
    &["deletionProtectionEnabled", "kmsKeyId", "retentionInDays", "storedBytes"];

const INVALID: &str = "InvalidParameterException";

/// The classes of groups. None changes later.
const CLASSES: [&str; 3] = ["STANDARD", "INFREQUENT_ACCESS", "DELIVERY"];

/// The codes for a bad tag and for too many.
const TAGS: (&str, &str) = (INVALID, "TooManyTagsException");

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    vec![("groups", state.groups.len())]
}

/// The tags of a region's log groups, by ARN.
pub(crate) fn all_tags<'a>(
    state: &'a State,
    region: &'a str,
) -> impl Iterator<Item = (String, Cow<'a, Tags>)> + 'a {
    here(&state.groups, region)
        .map(move |(name, group)| (group_arn(region, name), Cow::Borrowed(&group.tags)))
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    let (input, region) = (&call.input, call.region.as_str());
    let now = millis(&world.base);
    match call.operation.as_str() {
        "CreateLogGroup" => create(world, region, input),
        "AssociateKmsKey" => {
            let name = group_name(input)?;
            let key = valid_key(world, region, need(input, "kmsKeyId", INVALID)?)?;
            find(&mut world.logs, region, &name)?.key = Some(key);
            Ok(json!({}))
        }
        operation => {
            let state = &mut world.logs;
            match operation {
                "DescribeLogGroups" => describe(state, region, input),
                "DeleteLogGroup" => {
                    let name = group_name(input)?;
                    find(state, region, &name)?;
                    state.groups.remove(&at(region, &name));
                    Ok(json!({}))
                }
                "PutRetentionPolicy" => retain(state, region, input),
                "DeleteRetentionPolicy" => {
                    find(state, region, &group_name(input)?)?.retention = None;
                    Ok(json!({}))
                }
                "DisassociateKmsKey" => {
                    find(state, region, &group_name(input)?)?.key = None;
                    Ok(json!({}))
                }
                "TagResource" | "TagLogGroup" => {
                    let group = find(state, region, &group_name(input)?)?;
                    add_tags(&mut group.tags, map(input, "tags"), TAGS)?;
                    Ok(json!({}))
                }
                "UntagResource" | "UntagLogGroup" => {
                    let group = find(state, region, &group_name(input)?)?;
                    let mut keys = texts(input, "tagKeys");
                    keys.extend(texts(input, "tags"));
                    remove_tags(&mut group.tags, &keys);
                    Ok(json!({}))
                }
                "ListTagsForResource" | "ListTagsLogGroup" => {
                    let group = find(state, region, &group_name(input)?)?;
                    Ok(json!({ "tags": group.tags }))
                }
                "PutMetricFilter" => filters::put(state, region, input, now),
                "DescribeMetricFilters" => filters::describe(state, region, input),
                "DeleteMetricFilter" => filters::delete(state, region, input),
                "CreateLogStream" => create_stream(state, region, input, now),
                "DescribeLogStreams" => describe_streams(state, region, input),
                "PutLogEvents" => {
                    let stream = find_stream(state, region, input)?;
                    stream.events.extend(list(input, "logEvents").iter().map(|event| {
                        let mut event = event.clone();
                        event["ingestionTime"] = now.into();
                        event
                    }));
                    Ok(json!({ "nextSequenceToken": stream.events.len().to_string() }))
                }
                "GetLogEvents" => get_events(state, region, input),
                _ => Err(Refusal::not_covered(&call.service, &call.operation)),
            }
        }
    }
}

/// Creates a group for a service that writes to it, if there is none. The group never expires and
/// has no tags.
pub(crate) fn ensure(world: &mut World, region: &str, name: &str) {
    let created = millis(&world.base);
    let group = || Group { created, class: "STANDARD".into(), ..Group::default() };
    world.logs.groups.entry(at(region, name)).or_insert_with(group);
}

/// Whether a group with this name exists.
pub(crate) fn exists(state: &State, region: &str, name: &str) -> bool {
    state.groups.contains_key(&at(region, name))
}

fn millis(base: &Base) -> i64 {
    (base.now() * 1000.0) as i64
}

fn group_arn(region: &str, name: &str) -> String {
    format!("arn:aws:logs:{region}:{ACCOUNT}:log-group:{name}")
}

/// The group that a call names, by name or by ARN, with or without `:*`.
fn group_name(input: &Value) -> Result<String, Refusal> {
    let keys = ["logGroupName", "logGroupIdentifier", "resourceArn", "resourceIdentifier"];
    let reference = keys.iter().find_map(|key| text(input, key)).unwrap_or_default();
    let name = match reference.split_once(":log-group:") {
        Some((_, rest)) => rest.strip_suffix(":*").unwrap_or(rest),
        None => reference,
    };
    if is_name(name, 1..=512, ".-_/#") {
        Ok(name.to_owned())
    } else {
        let message = format!("'{name}' is not a valid name of a log group.");
        Err(Refusal::new(INVALID, message))
    }
}

fn find<'a>(state: &'a mut State, region: &str, name: &str) -> Result<&'a mut Group, Refusal> {
    state.groups.get_mut(&at(region, name)).ok_or_else(|| {
        Refusal::new("ResourceNotFoundException", "The specified log group does not exist.")
    })
}

/// Logs accepts only the ARN of a key whose policy allows the service.
fn valid_key(world: &World, region: &str, key: &str) -> Result<String, Refusal> {
    let usable = kms::usable(&world.kms, region, key).filter(|arn| arn == key);
    let service = format!("logs.{region}.amazonaws.com");
    let admitted = |arn: &String| {
        kms::admits(&world.kms, region, arn, &service)
            || kms::admits(&world.kms, region, arn, "\"logs.amazonaws.com\"")
    };
    usable.filter(admitted).ok_or_else(|| {
        let message = "The specified KMS key does not exist or is not allowed to be used with \
                       LogGroup";
        Refusal::new(INVALID, message)
    })
}

fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = group_name(input)?;
    if name.starts_with("aws/") {
        let message = "Log groups starting with aws/ are reserved for AWS.";
        return Err(Refusal::new(INVALID, message));
    }
    let place = at(region, &name);
    if world.logs.groups.contains_key(&place) {
        let message = "The specified log group already exists";
        return Err(Refusal::new("ResourceAlreadyExistsException", message));
    }
    let key = match text(input, "kmsKeyId") {
        Some(key) => Some(valid_key(world, region, key)?),
        None => None,
    };
    let mut tags = Tags::new();
    add_tags(&mut tags, map(input, "tags"), TAGS)?;
    let class = text(input, "logGroupClass").unwrap_or("STANDARD").to_owned();
    if !CLASSES.contains(&class.as_str()) {
        return Err(unfit(INVALID, &class, "logGroupClass", &one_of(&CLASSES)));
    }
    let created = millis(&world.base);
    let group = Group { created, key, class, tags, ..Group::default() };
    world.logs.groups.insert(place, group);
    Ok(json!({}))
}

fn describe(state: &State, region: &str, input: &Value) -> Answer {
    let prefix = text(input, "logGroupNamePrefix");
    let pattern = text(input, "logGroupNamePattern");
    let named = texts(input, "logGroupIdentifiers");
    let given = [prefix.is_some(), pattern.is_some(), !named.is_empty()];
    let names = ["LogGroup name prefix", "LogGroup name pattern", "LogGroup identifiers"];
    let given: Vec<&str> =
        names.into_iter().zip(given).filter_map(|(name, given)| given.then_some(name)).collect();
    if let [others @ .., last] = &given[..]
        && !others.is_empty()
    {
        let others = others.join(", ");
        let message = format!("{others} and {last} are mutually exclusive parameters.");
        return Err(Refusal::new(INVALID, message));
    }
    if named.len() > 50 {
        let message = "Value at 'logGroupIdentifiers' failed to satisfy constraint: Member must \
                       have length less than or equal to 50";
        return Err(Refusal::new(INVALID, message));
    }
    let is_named = |name: &str| {
        named.is_empty() || named.iter().any(|one| one == name || *one == group_arn(region, name))
    };
    let found = here_with(&state.groups, region, prefix.unwrap_or_default())
        .filter(|(name, _)| pattern.is_none_or(|pattern| name.contains(pattern)) && is_named(name));
    let groups = found.map(|(name, group)| {
        let mut view = view(region, name, group);
        if let (Some(_), Some(view)) = (pattern, view.as_object_mut()) {
            view.retain(|key, _| !UNTOLD.contains(&key.as_str()));
        }
        (name.to_owned(), view)
    });
    let limit = within(input, "limit", 1..=50, INVALID)?.unwrap_or(50);
    let (groups, next) = page(groups.collect(), text(input, "nextToken"), limit as usize);
    let mut answer = json!({ "logGroups": groups });
    put(&mut answer, "nextToken", next);
    Ok(answer)
}

fn view(region: &str, name: &str, group: &Group) -> Value {
    let arn = group_arn(region, name);
    let mut view = json!({
        "logGroupName": name,
        "creationTime": group.created,
        "metricFilterCount": group.filters.len(),
        "arn": format!("{arn}:*"),
        "logGroupArn": arn,
        "storedBytes": 0,
        "logGroupClass": group.class,
        "deletionProtectionEnabled": false,
    });
    put(&mut view, "retentionInDays", group.retention);
    put(&mut view, "kmsKeyId", group.key.clone());
    view
}

fn retain(state: &mut State, region: &str, input: &Value) -> Answer {
    let days = number(input, "retentionInDays").unwrap_or_default();
    if !RETENTIONS.contains(&days) {
        let message = format!("{days} is not a valid number of days; valid are {RETENTIONS:?}.");
        return Err(Refusal::new(INVALID, message));
    }
    find(state, region, &group_name(input)?)?.retention = Some(days);
    Ok(json!({}))
}

fn create_stream(state: &mut State, region: &str, input: &Value, now: i64) -> Answer {
    let group = find(state, region, &group_name(input)?)?;
    let name = need(input, "logStreamName", INVALID)?;
    if group.streams.contains_key(name) {
        let message = "The specified log stream already exists";
        return Err(Refusal::new("ResourceAlreadyExistsException", message));
    }
    let stream = Stream { created: now, events: Vec::new() };
    group.streams.insert(name.to_owned(), stream);
    Ok(json!({}))
}

fn find_stream<'a>(
    state: &'a mut State,
    region: &str,
    input: &Value,
) -> Result<&'a mut Stream, Refusal> {
    let group = find(state, region, &group_name(input)?)?;
    let name = need(input, "logStreamName", INVALID)?;
    group.streams.get_mut(name).ok_or_else(|| {
        Refusal::new("ResourceNotFoundException", "The specified log stream does not exist.")
    })
}

fn describe_streams(state: &mut State, region: &str, input: &Value) -> Answer {
    if input.get("logGroupName").is_some() && input.get("logGroupIdentifier").is_some() {
        let message = "LogGroup name and LogGroup ARN are mutually exclusive parameters.";
        return Err(Refusal::new("ValidationException", message));
    }
    let name = group_name(input)?;
    let group = find(state, region, &name)?;
    let prefix = text(input, "logStreamNamePrefix").unwrap_or_default();
    let found = group.streams.iter().filter(|(name, _)| name.starts_with(prefix));
    let streams = found.map(|(stream, kept)| {
        let mut view = json!({
            "logStreamName": stream,
            "creationTime": kept.created,
            "arn": format!("{}:log-stream:{stream}", group_arn(region, &name)),
            "storedBytes": 0,
        });
        let time = |event: Option<&Value>| event.and_then(|event| number(event, "timestamp"));
        put(&mut view, "firstEventTimestamp", time(kept.events.first()));
        put(&mut view, "lastEventTimestamp", time(kept.events.last()));
        (stream.clone(), view)
    });
    let limit = within(input, "limit", 1..=50, INVALID)?.unwrap_or(50);
    let (streams, next) = page(streams.collect(), text(input, "nextToken"), limit as usize);
    let mut answer = json!({ "logStreams": streams });
    put(&mut answer, "nextToken", next);
    Ok(answer)
}

/// All events from the position in the token. Without a token, the last ones (or the first).
fn get_events(state: &mut State, region: &str, input: &Value) -> Answer {
    let stream = find_stream(state, region, input)?;
    let limit = within(input, "limit", 1..=10_000, INVALID)?.unwrap_or(10_000) as usize;
    let total = stream.events.len();
    let token = text(input, "nextToken").and_then(|token| token.get(2..)?.parse::<usize>().ok());
    let start = match token {
        Some(position) => position.min(total),
        None if flag(input, "startFromHead").unwrap_or(false) => 0,
        None => total.saturating_sub(limit),
    };
    let end = (start + limit).min(total);
    Ok(json!({
        "events": stream.events[start..end],
        "nextForwardToken": format!("f/{end}"),
        "nextBackwardToken": format!("b/{}", start.saturating_sub(limit)),
    }))
}
