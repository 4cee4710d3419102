//! Events on their way to the targets of rules: those that callers put, and those of schedules.

use serde_json::{Value, json};

use super::super::toolbox::{iso, list, put as set, text, texts, uuid};
use super::super::{ACCOUNT, Answer, Call, Refusal, World, lambda, logs, sns, sqs};
use super::{INVALID, arn, clock, matches};

/// The most events of one call.
const MOST: usize = 10;

/// Takes events from callers.
pub(super) fn put(world: &mut World, region: &str, input: &Value) -> Answer {
    let entries = list(input, "Entries");
    if !(1..=MOST).contains(&entries.len()) {
        let end = if entries.is_empty() {
            "greater than or equal to 1"
        } else {
            "less than or equal to 10"
        };
        let message = format!(
            "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member \
             must have length {end}"
        );
        return Err(Refusal::new(INVALID, message));
    }
    let mut failed = 0;
    let mut told = Vec::new();
    for entry in entries {
        told.push(match checked(entry) {
            Ok(detail) => {
                let id = uuid(&mut world.base);
                let event = json!({
                    "version": "0",
                    "id": id,
                    "detail-type": entry["DetailType"],
                    "source": entry["Source"],
                    "account": ACCOUNT,
                    "time": iso(entry["Time"].as_f64().unwrap_or_else(|| world.base.now())),
                    "region": region,
                    "resources": texts(entry, "Resources"),
                    "detail": detail,
                });
                spread(world, region, &event);
                json!({ "EventId": id })
            }
            Err((code, message)) => {
                failed += 1;
                json!({ "ErrorCode": code, "ErrorMessage": message })
            }
        });
    }
    Ok(json!({ "FailedEntryCount": failed, "Entries": told }))
}

/// The detail of an entry, or what is wrong with the entry.
fn checked(entry: &Value) -> Result<Value, (&'static str, String)> {
    for name in ["Source", "DetailType", "Detail"] {
        if text(entry, name).is_none_or(str::is_empty) {
            let message =
                format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
            return Err(("InvalidArgument", message));
        }
    }
    if text(entry, "Source").is_some_and(|source| source.starts_with("aws.")) {
        let message = "Not authorized for the source.".to_owned();
        return Err(("NotAuthorizedForSourceException", message));
    }
    let detail = serde_json::from_str(text(entry, "Detail").unwrap_or_default());
    match detail {
        Ok(detail @ Value::Object(_)) => Ok(detail),
        _ => Err(("MalformedDetail", "Detail is malformed.".to_owned())),
    }
}

/// Sends an event to the targets of the rules that it fits.
fn spread(world: &mut World, region: &str, event: &Value) {
    let rules = super::here(&world.events.rules, region).filter(|(_, rule)| {
        let pattern = text(&rule.members, "EventPattern");
        let pattern = pattern.and_then(|pattern| serde_json::from_str::<Value>(pattern).ok());
        is_on(&rule.members) && pattern.is_some_and(|pattern| matches(&pattern, event))
    });
    let targets = rules.flat_map(|(name, rule)| {
        rule.targets.values().map(move |target| (name.to_owned(), target.clone()))
    });
    let targets: Vec<(String, Value)> = targets.collect();
    for (rule, target) in targets {
        deliver(world, region, &arn(region, &rule), &target, event);
    }
}

fn is_on(members: &Value) -> bool {
    text(members, "State") != Some("DISABLED")
}

/// Sends the events of all schedules that fire after `from`, up to `to`. Says whether there were any.
pub(crate) fn fire(world: &mut World, from: f64, to: f64) -> bool {
    let due = world.events.rules.iter().filter_map(|(place, rule)| {
        let schedule =
            text(&rule.members, "ScheduleExpression").filter(|_| is_on(&rule.members))?;
        let moment = clock::fired(schedule, rule.created, from, to)?;
        let (region, name) = place.split_once('|')?;
        let targets: Vec<Value> = rule.targets.values().cloned().collect();
        Some((region.to_owned(), name.to_owned(), targets, moment))
    });
    let due: Vec<(String, String, Vec<Value>, f64)> = due.collect();
    for (region, name, targets, moment) in &due {
        let rule = arn(region, name);
        let event = json!({
            "version": "0",
            "id": uuid(&mut world.base),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": ACCOUNT,
            "time": iso(*moment),
            "region": region,
            "resources": [rule],
            "detail": {},
        });
        for target in targets {
            deliver(world, region, &rule, target, &event);
        }
    }
    !due.is_empty()
}

/// Sends an event to a target. What cannot be sent is lost here; AWS would try again for a day.
fn deliver(world: &mut World, region: &str, rule: &str, target: &Value, event: &Value) {
    let arn = text(target, "Arn").unwrap_or_default();
    let content = content(target, event, rule);
    // A message is the text itself if all that was asked for is a text.
    let message = content.as_str().map_or_else(|| content.to_string(), str::to_owned);
    let sent = match arn.split(':').nth(2).unwrap_or_default() {
        "lambda" => {
            if lambda::may_be_called(&world.lambda, region, arn, "events.amazonaws.com", rule) {
                let id = uuid(&mut world.base);
                lambda::enqueue(world, region, arn, content.to_string(), &id)
            } else {
                Err(Refusal::new("AccessDenied", "its policy does not admit the rule"))
            }
        }
        "sqs" => {
            let mut input = json!({ "QueueUrl": arn.rsplit(':').next(), "MessageBody": message });
            set(&mut input, "MessageGroupId", text(&target["SqsParameters"], "MessageGroupId"));
            if arn.ends_with(".fifo") {
                set(&mut input, "MessageDeduplicationId", text(event, "id"));
            }
            let call = of("sqs", "SendMessage", input, region);
            sqs::call(world, &call).map(drop)
        }
        "sns" => {
            let call = of("sns", "Publish", json!({ "TopicArn": arn, "Message": message }), region);
            sns::call(world, &call).map(drop)
        }
        "logs" => {
            let group = arn.split(":log-group:").nth(1).unwrap_or_default();
            let group = group.trim_end_matches(":*").to_owned();
            let stream = text(event, "id").unwrap_or_default();
            logs::append(world, region, (&group, stream), vec![(0, message)]);
            Ok(())
        }
        other => Err(Refusal::not_covered("events", &format!("targets of {other}"))),
    };
    if let Err(refusal) = sent {
        tracing::warn!(rule, target = arn, why = refusal.message, "an event is lost");
    }
}

fn of(service: &str, operation: &str, input: Value, region: &str) -> Call {
    Call { service: service.into(), operation: operation.into(), input, region: region.into() }
}

/// What a target gets of an event: all of it, a part, a constant, or a text made of parts.
fn content(target: &Value, event: &Value, rule: &str) -> Value {
    if let Some(input) = text(target, "Input") {
        return serde_json::from_str(input).unwrap_or_default();
    }
    if let Some(path) = text(target, "InputPath") {
        return at(event, path).cloned().unwrap_or_default();
    }
    let Some(transformer) = target.get("InputTransformer") else { return event.clone() };
    let template = text(transformer, "InputTemplate").unwrap_or_default();
    let paths = transformer["InputPathsMap"].as_object().into_iter().flatten();
    let mut values: Vec<(String, Value)> = paths
        .map(|(name, path)| {
            let path = path.as_str().unwrap_or_default();
            (name.clone(), at(event, path).cloned().unwrap_or_default())
        })
        .collect();
    values.push(("aws.events.rule-arn".to_owned(), rule.into()));
    let name = rule.rsplit('/').next().unwrap_or_default();
    values.push(("aws.events.rule-name".to_owned(), name.into()));
    values.push(("aws.events.event.json".to_owned(), event.clone()));
    values.push(("aws.events.event.ingestion-time".to_owned(), event["time"].clone()));
    filled(template, &values)
}

/// A template with the values in the places of their names: in a text as they are, elsewhere as JSON.
fn filled(template: &str, values: &[(String, Value)]) -> Value {
    let (mut out, mut rest, mut quoted) = (String::new(), template, false);
    while let Some(next) = rest.chars().next() {
        let found = rest.strip_prefix('<').and_then(|after| {
            values.iter().find_map(|(name, value)| {
                Some((value, after.strip_prefix(name.as_str())?.strip_prefix('>')?))
            })
        });
        if let Some((value, after)) = found {
            let json = value.to_string();
            match (quoted, value) {
                (true, Value::String(_)) => out.push_str(&json[1..json.len() - 1]),
                (true, _) => out.push_str(&json.replace('\\', "\\\\").replace('"', "\\\"")),
                (false, _) => out.push_str(&json),
            }
            rest = after;
            continue;
        }
        if next == '\\' {
            // What is escaped stays so.
            let end = rest.char_indices().nth(2).map_or(rest.len(), |(at, _)| at);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        quoted ^= next == '"';
        out.push(next);
        rest = &rest[next.len_utf8()..];
    }
    serde_json::from_str(&out).unwrap_or(Value::String(out))
}

/// The value at a path, `$.detail.items[0]`.
fn at<'a>(event: &'a Value, path: &str) -> Option<&'a Value> {
    let path = path.strip_prefix('$')?.replace('[', ".").replace(']', "");
    path.split('.').filter(|step| !step.is_empty()).try_fold(event, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        value => value.get(step),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_gets_the_part_that_it_asks_for() {
        let event = json!({ "id": "1", "detail": { "a": "x\"y", "n": 3, "all": [1, 2] } });
        let content = |target: Value| content(&target, &event, "arn:rule/r");
        assert_eq!(content(json!({})), event);
        assert_eq!(content(json!({ "Input": "{\"k\":1}" })), json!({ "k": 1 }));
        assert_eq!(content(json!({ "InputPath": "$.detail.all[1]" })), json!(2));
        let made = |template: &str| {
            content(json!({ "InputTransformer": {
                "InputPathsMap": { "a": "$.detail.a", "n": "$.detail.n", "none": "$.x" },
                "InputTemplate": template,
            } }))
        };
        assert_eq!(made("{\"text\": <a>, \"n\": <n>}"), json!({ "text": "x\"y", "n": 3 }));
        assert_eq!(made("\"<a> costs <n>\""), json!("x\"y costs 3"));
        assert_eq!(made("{\"r\": <aws.events.rule-name>}"), json!({ "r": "r" }));
    }
}
