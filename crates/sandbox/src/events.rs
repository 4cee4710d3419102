//! The sandbox's EventBridge: rules of the default bus and their targets.
//!
//! Quirks kept: PutRule replaces a rule and then ignores tags; single targets fail inside a
//! successful answer; a rule with targets stays; deleting what is gone succeeds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::toolbox::{
    KEY_VALUE, Tags, add_tags, at, here, is_name, list, need, page, put, remove_tags, tag_list,
    tag_pairs, text, texts, within,
};
use super::{ACCOUNT, Answer, Call, Refusal, World};

/// What EventBridge keeps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Rules by region and name.
    rules: BTreeMap<String, Rule>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Rule {
    /// The members that callers set and get back.
    members: Value,
    targets: BTreeMap<String, Value>,
    tags: Tags,
}

const INVALID: &str = "ValidationException";
const MISSING: &str = "ResourceNotFoundException";

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    let targets = state.rules.values().map(|rule| rule.targets.len()).sum();
    vec![("rules", state.rules.len()), ("targets", targets)]
}

/// The tags of every rule of a region, by ARN.
pub(super) fn all_tags<'a>(
    state: &'a State,
    region: &'a str,
) -> impl Iterator<Item = (String, Tags)> + 'a {
    here(&state.rules, region).map(move |(name, rule)| (arn(region, name), rule.tags.clone()))
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    let (input, region) = (&call.input, call.region.as_str());
    let state = &mut world.events;
    if text(input, "EventBusName").is_some_and(|bus| bus != "default") {
        return Err(Refusal::not_covered("events", "buses other than the default"));
    }
    match call.operation.as_str() {
        "PutRule" => put_rule(state, region, input),
        "DescribeRule" => Ok(view(region, find(state, region, input, "Name")?)),
        "ListRules" => list_rules(state, region, input),
        "DeleteRule" => {
            let name = need(input, "Name", INVALID)?;
            let rule = state.rules.get(&at(region, name));
            if rule.is_some_and(|rule| !rule.targets.is_empty()) {
                let message = "Rule can't be deleted since it has targets.";
                return Err(Refusal::new(INVALID, message));
            }
            state.rules.remove(&at(region, name));
            Ok(json!({}))
        }
        "PutTargets" => put_targets(state, region, input),
        "RemoveTargets" => {
            let rule = find(state, region, input, "Rule")?;
            let ids = texts(input, "Ids");
            let missing = ids.iter().filter(|id| rule.targets.remove(*id).is_none());
            let failed = missing.map(|id| failure(id, MISSING, "Target does not exist."));
            Ok(failures(failed.collect()))
        }
        "ListTargetsByRule" => {
            let rule = find(state, region, input, "Rule")?;
            Ok(json!({ "Targets": rule.targets.values().collect::<Vec<_>>() }))
        }
        "ListTagsForResource" => {
            let rule = tagged(state, region, input)?;
            Ok(json!({ "Tags": tag_pairs(&rule.tags, KEY_VALUE) }))
        }
        "TagResource" => {
            let rule = tagged(state, region, input)?;
            add_tags(&mut rule.tags, tag_list(input, "Tags", KEY_VALUE), (INVALID, INVALID))?;
            Ok(json!({}))
        }
        "UntagResource" => {
            let rule = tagged(state, region, input)?;
            remove_tags(&mut rule.tags, &texts(input, "TagKeys"));
            Ok(json!({}))
        }
        _ => Err(Refusal::not_covered(&call.service, &call.operation)),
    }
}

fn arn(region: &str, name: &str) -> String {
    format!("arn:aws:events:{region}:{ACCOUNT}:rule/{name}")
}

fn find<'a>(
    state: &'a mut State,
    region: &str,
    input: &Value,
    member: &str,
) -> Result<&'a mut Rule, Refusal> {
    let name = need(input, member, INVALID)?;
    state.rules.get_mut(&at(region, name)).ok_or_else(|| {
        Refusal::new(MISSING, format!("Rule {name} does not exist on EventBus default."))
    })
}

fn tagged<'a>(state: &'a mut State, region: &str, input: &Value) -> Result<&'a mut Rule, Refusal> {
    let arn = need(input, "ResourceARN", INVALID)?;
    let name = arn.rsplit('/').next().unwrap_or(arn);
    find(state, region, &json!({ "Name": name }), "Name")
}

fn view(region: &str, rule: &Rule) -> Value {
    let mut view = rule.members.clone();
    view["Arn"] = arn(region, text(&view, "Name").unwrap_or_default()).into();
    view["EventBusName"] = "default".into();
    view
}

fn put_rule(state: &mut State, region: &str, input: &Value) -> Answer {
    let name = need(input, "Name", INVALID)?;
    if !is_name(name, 1..=64, ".-_") {
        return Err(Refusal::new(INVALID, format!("'{name}' is not a valid name of a rule.")));
    }
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
    let new = Rule { tags, ..Rule::default() };
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
    pattern.len() <= 4096
        && serde_json::from_str::<Value>(pattern).is_ok_and(|tree| tree.is_object() && fits(&tree))
}

fn is_schedule(schedule: &str) -> bool {
    let inside = |word: &str| schedule.strip_prefix(word)?.strip_suffix(')');
    if let Some(rate) = inside("rate(") {
        let (count, unit) = rate.split_once(' ').unwrap_or_default();
        let units = ["minute", "hour", "day"];
        return match count.parse::<u32>() {
            Ok(0) | Err(_) => false,
            Ok(1) => units.contains(&unit),
            Ok(_) => unit.strip_suffix('s').is_some_and(|unit| units.contains(&unit)),
        };
    }
    let fields: Vec<&str> = inside("cron(").unwrap_or_default().split_whitespace().collect();
    fields.len() == 6 && (fields[2] == "?") != (fields[4] == "?")
}

fn list_rules(state: &State, region: &str, input: &Value) -> Answer {
    let prefix = text(input, "NamePrefix").unwrap_or_default();
    let limit = within(input, "Limit", 1..=100, INVALID)?.unwrap_or(100);
    let rules = here(&state.rules, region).filter(|(name, _)| name.starts_with(prefix));
    let rules = rules.map(|(name, rule)| (name.to_owned(), view(region, rule)));
    let (rules, next) = page(rules.collect(), text(input, "NextToken"), limit as usize);
    let mut answer = json!({ "Rules": rules });
    put(&mut answer, "NextToken", next);
    Ok(answer)
}

fn failure(id: &str, code: &str, message: &str) -> Value {
    json!({ "TargetId": id, "ErrorCode": code, "ErrorMessage": message })
}

fn failures(failed: Vec<Value>) -> Value {
    json!({ "FailedEntryCount": failed.len(), "FailedEntries": failed })
}

fn put_targets(state: &mut State, region: &str, input: &Value) -> Answer {
    let rule = find(state, region, input, "Rule")?;
    let mut failed = Vec::new();
    for target in list(input, "Targets") {
        let id = need(target, "Id", INVALID)?;
        let arn = need(target, "Arn", INVALID)?;
        if !is_name(id, 1..=64, ".-_") {
            return Err(Refusal::new(INVALID, format!("'{id}' is not a valid id of a target.")));
        }
        let inputs = ["Input", "InputPath", "InputTransformer"];
        if inputs.iter().filter(|member| target.get(**member).is_some()).count() > 1 {
            let message = format!("Only one of Input, InputPath, or InputTransformer: {id}.");
            return Err(Refusal::new(INVALID, message));
        }
        if let Some(retry) = target.get("RetryPolicy") {
            within(retry, "MaximumRetryAttempts", 0..=185, INVALID)?;
            within(retry, "MaximumEventAgeInSeconds", 60..=86_400, INVALID)?;
        }
        let is_json =
            text(target, "Input").is_none_or(|text| serde_json::from_str::<Value>(text).is_ok());
        if !is_json {
            failed.push(failure(id, INVALID, "Input is not valid JSON."));
        } else if !arn.starts_with("arn:aws") || arn.split(':').count() < 6 {
            failed.push(failure(id, INVALID, "Provided Arn is not in correct format."));
        } else if !rule.targets.contains_key(id) && rule.targets.len() >= 5 {
            let message = "The requested resource exceeds the maximum number allowed.";
            failed.push(failure(id, "LimitExceededException", message));
        } else {
            rule.targets.insert(id.to_owned(), target.clone());
        }
    }
    Ok(failures(failed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolbox::testing::{ask, code};

    fn events(world: &mut World, operation: &str, input: Value) -> Answer {
        ask(world, "events", operation, input)
    }

    fn target(id: &str) -> Value {
        json!({ "Id": id, "Arn": "arn:aws:sqs:eu-west-1:000000000000:q" })
    }

    #[test]
    fn a_put_replaces_the_rule_and_keeps_its_tags() {
        let mut world = World::default();
        let tags = json!([{ "Key": "a", "Value": "1" }]);
        let daily = json!({
            "Name": "r", "ScheduleExpression": "rate(1 day)", "Description": "d", "Tags": tags,
        });
        let made = events(&mut world, "PutRule", daily).unwrap();
        let pattern = r#"{"source":["aws.s3"]}"#;
        let again = json!({ "Name": "r", "EventPattern": pattern, "Tags": [] });
        events(&mut world, "PutRule", again).unwrap();
        let rule = events(&mut world, "DescribeRule", json!({ "Name": "r" })).unwrap();
        assert_eq!(
            (&rule["Description"], &rule["ScheduleExpression"]),
            (&json!(null), &json!(null))
        );
        let of = json!({ "ResourceARN": made["RuleArn"] });
        let kept = events(&mut world, "ListTagsForResource", of).unwrap();
        assert_eq!(kept["Tags"], tags);
    }

    #[test]
    fn targets_fail_one_by_one_and_hold_the_rule() {
        let mut world = World::default();
        let daily = json!({ "Name": "r", "ScheduleExpression": "rate(1 day)" });
        events(&mut world, "PutRule", daily).unwrap();
        let targets: Vec<Value> = (0..6).map(|n| target(&n.to_string())).collect();
        let put = json!({ "Rule": "r", "Targets": targets });
        let answer = events(&mut world, "PutTargets", put).unwrap();
        assert_eq!(answer["FailedEntryCount"], 1);
        assert_eq!(answer["FailedEntries"][0]["TargetId"], "5");
        assert_eq!(code(events(&mut world, "DeleteRule", json!({ "Name": "r" }))), INVALID);
        let remove = json!({ "Rule": "r", "Ids": ["0", "1", "2", "3", "4", "9"] });
        let answer = events(&mut world, "RemoveTargets", remove).unwrap();
        assert_eq!(answer["FailedEntryCount"], 1);
        events(&mut world, "DeleteRule", json!({ "Name": "r" })).unwrap();
        events(&mut world, "DeleteRule", json!({ "Name": "r" })).unwrap();
        assert_eq!(code(events(&mut world, "DescribeRule", json!({ "Name": "r" }))), MISSING);
    }

    #[test]
    fn schedules_and_patterns_are_read() {
        for fine in ["rate(1 minute)", "rate(5 hours)", "cron(0 3 * * ? *)", "cron(0 3 ? * MON *)"]
        {
            assert!(is_schedule(fine), "{fine}");
        }
        for wrong in ["rate(1 days)", "rate(2 day)", "rate(0 days)", "cron(0 3 * * * *)", "daily"] {
            assert!(!is_schedule(wrong), "{wrong}");
        }
        assert!(is_pattern(r#"{"detail":{"status":["failed"]}}"#));
        assert!(!is_pattern(r#"{"detail":{"status":"failed"}}"#) && !is_pattern("{}"));
    }
}
