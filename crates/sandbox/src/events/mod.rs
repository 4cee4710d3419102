//! The sandbox's EventBridge: rules of the default bus, their targets, and the events that reach them.
//!
//! Quirks kept: PutRule replaces a rule and then ignores tags. Single targets fail inside a
//! successful answer. A rule with targets cannot be deleted. The deletion of a missing rule
//! succeeds.

mod clock;
mod constraints;
mod delivery;
mod patterns;
mod schedules;
mod targets;
#[cfg(test)]
mod tests;

pub(crate) use delivery::fire;
pub(crate) use patterns::matches;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::constraints::Constraints;
use self::schedules::is_schedule;
use super::shelf::{Shelf, kept};
use super::toolbox::{
    KEY_VALUE, Tags, add_tags, at, here, here_with, number, page, put, remove_tags, tag_list,
    tag_pairs, text, texts,
};
use super::{ACCOUNT, Answer, Call, Refusal, World};

/// The state of EventBridge.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Rules by region and name.
    rules: Shelf<Rule>,
    /// The tags of each region's default bus.
    bus_tags: Shelf<Tags>,
}

kept!(State { rules, bus_tags });

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Rule {
    /// The members that callers set and read.
    members: Value,
    targets: BTreeMap<String, Value>,
    /// The ids of the targets, in the order in which they were added.
    order: Vec<String>,
    tags: Tags,
    created: f64,
}

const INVALID: &str = "ValidationException";
/// The states of a rule.
const STATES: &[&str] = &["ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"];
const MISSING: &str = "ResourceNotFoundException";

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    let targets = state.rules.values().map(|rule| rule.targets.len()).sum();
    vec![("rules", state.rules.len()), ("targets", targets)]
}

/// The tags of all rules of a region, by ARN.
pub(super) fn all_tags<'a>(
    state: &'a State,
    region: &'a str,
) -> impl Iterator<Item = (String, Cow<'a, Tags>)> + 'a {
    let bus = format!("arn:aws:events:{region}:{ACCOUNT}:event-bus/default");
    let bus = state.bus_tags.get(region).map(|tags| (bus, Cow::Borrowed(tags)));
    let rules = here(&state.rules, region);
    rules.map(move |(name, rule)| (arn(region, name), Cow::Borrowed(&rule.tags))).chain(bus)
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    let (input, region) = (&call.input, call.region.as_str());
    let today = world.base.now();
    if text(input, "EventBusName").is_some_and(|bus| bus != "default") {
        return Err(Refusal::not_covered("events", "buses other than the default"));
    }
    if call.operation == "PutEvents" {
        return delivery::put(world, region, input);
    }
    let state = &mut world.events;
    match call.operation.as_str() {
        "PutRule" => put_rule(state, region, input, today),
        "DescribeRule" => {
            let mut view = view_of(region, find(state, region, input, "Name")?);
            view["CreatedBy"] = ACCOUNT.into();
            Ok(view)
        }
        "ListRules" => list_rules(state, region, input),
        "DeleteRule" => {
            let name = named(input, "Name")?;
            let rule = state.rules.get(&at(region, name));
            if rule.is_some_and(|rule| !rule.targets.is_empty()) {
                let message = "Rule can't be deleted since it has targets.";
                return Err(Refusal::new(INVALID, message));
            }
            state.rules.remove(&at(region, name));
            Ok(json!({}))
        }
        "PutTargets" => targets::put(find(state, region, input, "Rule")?, input),
        "RemoveTargets" => Ok(targets::remove(find(state, region, input, "Rule")?, input)),
        "ListTargetsByRule" => targets::list(find(state, region, input, "Rule")?, input),
        "ListTagsForResource" => {
            Ok(json!({ "Tags": tag_pairs(tagged(state, region, input)?, KEY_VALUE) }))
        }
        "TagResource" => {
            let tags = tagged(state, region, input)?;
            add_tags(tags, tag_list(input, "Tags", KEY_VALUE), (INVALID, INVALID))?;
            Ok(json!({}))
        }
        "UntagResource" => {
            remove_tags(tagged(state, region, input)?, &texts(input, "TagKeys"));
            Ok(json!({}))
        }
        _ => Err(Refusal::not_covered(&call.service, &call.operation)),
    }
}

fn arn(region: &str, name: &str) -> String {
    format!("arn:aws:events:{region}:{ACCOUNT}:rule/{name}")
}

/// The name of a rule in a call, if it is valid.
fn named<'a>(input: &'a Value, member: &str) -> Result<&'a str, Refusal> {
    Constraints::default().name(input, member, &member.to_lowercase()).hold()?;
    Ok(text(input, member).unwrap_or_default())
}

fn find<'a>(
    state: &'a mut State,
    region: &str,
    input: &Value,
    member: &str,
) -> Result<&'a mut Rule, Refusal> {
    rule(state, region, named(input, member)?)
}

fn rule<'a>(state: &'a mut State, region: &str, name: &str) -> Result<&'a mut Rule, Refusal> {
    state.rules.get_mut(&at(region, name)).ok_or_else(|| {
        Refusal::new(MISSING, format!("Rule {name} does not exist on EventBus default."))
    })
}

/// The tags of the object that an ARN names: a rule, or the default bus.
fn tagged<'a>(state: &'a mut State, region: &str, input: &Value) -> Result<&'a mut Tags, Refusal> {
    Constraints::default().some(input, "ResourceARN", "resourceARN").hold()?;
    let arn = text(input, "ResourceARN").unwrap_or_default();
    let (kind, name) = arn.rsplit(':').next().unwrap_or(arn).split_once('/').unwrap_or_default();
    match (kind, name) {
        ("event-bus", "default") => Ok(state.bus_tags.entry(region.to_owned()).or_default()),
        ("event-bus", name) => {
            Err(Refusal::new(MISSING, format!("Event bus {name} does not exist.")))
        }
        (_, name) => Ok(&mut rule(state, region, name)?.tags),
    }
}

fn view_of(region: &str, rule: &Rule) -> Value {
    let mut view = rule.members.clone();
    view["Arn"] = arn(region, text(&view, "Name").unwrap_or_default()).into();
    view["EventBusName"] = "default".into();
    view
}

fn put_rule(state: &mut State, region: &str, input: &Value, today: f64) -> Answer {
    Constraints::default()
        .name(input, "Name", "name")
        .length(input, "EventPattern", "eventPattern", 4096)
        .length(input, "ScheduleExpression", "scheduleExpression", 256)
        .word(input, "State", "state", STATES)
        .length(input, "Description", "description", 512)
        .hold()?;
    let name = text(input, "Name").unwrap_or_default();
    let (pattern, schedule) = (text(input, "EventPattern"), text(input, "ScheduleExpression"));
    if pattern.is_none() && schedule.is_none() {
        let message = "Parameter(s) EventPattern or ScheduleExpression must be specified.";
        return Err(Refusal::new(INVALID, message));
    }
    if pattern.is_some_and(|pattern| !is_pattern(pattern)) {
        let message = "Event pattern is not valid. Reason: fields hold arrays or objects";
        return Err(Refusal::new("InvalidEventPatternException", message));
    }
    if schedule.is_some_and(|schedule| !is_schedule(schedule)) {
        return Err(Refusal::new(INVALID, "Parameter ScheduleExpression is not valid."));
    }
    let mut members = json!({ "Name": name, "State": text(input, "State").unwrap_or("ENABLED") });
    for member in ["Description", "EventPattern", "ScheduleExpression", "RoleArn"] {
        put(&mut members, member, text(input, member));
    }
    let mut tags = Tags::new();
    add_tags(&mut tags, tag_list(input, "Tags", KEY_VALUE), (INVALID, INVALID))?;
    let new = Rule { tags, created: today, ..Rule::default() };
    state.rules.entry(at(region, name)).or_insert(new).members = members;
    Ok(json!({ "RuleArn": arn(region, name) }))
}

/// Whether a text is an object whose leaves are arrays.
fn is_pattern(pattern: &str) -> bool {
    fn fits(value: &Value) -> bool {
        match value {
            Value::Object(members) => !members.is_empty() && members.values().all(fits),
            Value::Array(values) => !values.is_empty(),
            _ => false,
        }
    }
    serde_json::from_str::<Value>(pattern).is_ok_and(|tree| tree.is_object() && fits(&tree))
}

/// The most items of a page.
fn page_limit(input: &Value) -> Result<usize, Refusal> {
    Constraints::default().range(input, "Limit", "limit", (1, 100)).hold()?;
    Ok(number(input, "Limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(100))
}

fn list_rules(state: &State, region: &str, input: &Value) -> Answer {
    let prefix = text(input, "NamePrefix").unwrap_or_default();
    let limit = page_limit(input)?;
    let rules = here_with(&state.rules, region, prefix);
    let rules = rules.map(|(name, rule)| (name.to_owned(), view_of(region, rule)));
    let (rules, next) = page(rules.collect(), text(input, "NextToken"), limit);
    let mut answer = json!({ "Rules": rules });
    put(&mut answer, "NextToken", next);
    Ok(answer)
}
