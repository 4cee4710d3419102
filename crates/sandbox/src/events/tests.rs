//! Tests of EventBridge, call by call.

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
    assert_eq!((&rule["Description"], &rule["ScheduleExpression"]), (&json!(null), &json!(null)));
    let of = json!({ "ResourceARN": made["RuleArn"] });
    let kept = events(&mut world, "ListTagsForResource", of).unwrap();
    assert_eq!(kept["Tags"], tags);
}

#[test]
fn targets_fail_one_by_one_and_hold_the_rule() {
    let mut world = World::default();
    let daily = json!({ "Name": "r", "ScheduleExpression": "rate(1 day)" });
    events(&mut world, "PutRule", daily).unwrap();
    let many =
        |count: usize| -> Vec<Value> { (0..count).map(|n| target(&n.to_string())).collect() };
    let six = json!({ "Rule": "r", "Targets": many(6) });
    assert_eq!(code(events(&mut world, "PutTargets", six)), "LimitExceededException");
    let mut five = many(5);
    five[2]["Arn"] = "queue".into();
    let put = json!({ "Rule": "r", "Targets": five });
    let answer = events(&mut world, "PutTargets", put).unwrap();
    assert_eq!(answer["FailedEntryCount"], 1);
    assert_eq!(answer["FailedEntries"][0]["TargetId"], "2");
    assert_eq!(code(events(&mut world, "DeleteRule", json!({ "Name": "r" }))), INVALID);
    let remove = json!({ "Rule": "r", "Ids": ["0", "1", "3", "4", "9"] });
    let answer = events(&mut world, "RemoveTargets", remove).unwrap();
    assert_eq!(answer["FailedEntryCount"], 1);
    events(&mut world, "DeleteRule", json!({ "Name": "r" })).unwrap();
    events(&mut world, "DeleteRule", json!({ "Name": "r" })).unwrap();
    assert_eq!(code(events(&mut world, "DescribeRule", json!({ "Name": "r" }))), MISSING);
}

#[test]
fn targets_come_back_in_their_order_and_in_pages() {
    let mut world = World::default();
    let daily = json!({ "Name": "r", "ScheduleExpression": "rate(1 day)" });
    events(&mut world, "PutRule", daily).unwrap();
    for ids in [vec!["b", "c", "a"], vec!["c", "d"]] {
        let targets: Vec<Value> = ids.into_iter().map(target).collect();
        events(&mut world, "PutTargets", json!({ "Rule": "r", "Targets": targets })).unwrap();
    }
    let mut page = |token: &Value| {
        let mut input = json!({ "Rule": "r", "Limit": 3 });
        if token.is_string() {
            input["NextToken"] = token.clone();
        }
        let answer = events(&mut world, "ListTargetsByRule", input).unwrap();
        let ids: Vec<String> = answer["Targets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|target| target["Id"].as_str().unwrap().to_owned())
            .collect();
        (ids.join(""), answer["NextToken"].clone())
    };
    let (first, token) = page(&Value::Null);
    let (second, none) = page(&token);
    assert_eq!((first.as_str(), second.as_str(), none), ("bca", "d", Value::Null));
}

#[test]
fn only_the_default_bus_exists_and_it_has_tags() {
    let mut world = World::default();
    let of = |bus: &str| format!("arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/{bus}");
    let tags = json!([{ "Key": "a", "Value": "1" }]);
    let tag = |bus: &str| json!({ "ResourceARN": of(bus), "Tags": tags });
    events(&mut world, "TagResource", tag("default")).unwrap();
    let kept = events(&mut world, "ListTagsForResource", json!({ "ResourceARN": of("default") }));
    assert_eq!(kept.unwrap()["Tags"], tags);
    let refusal = events(&mut world, "TagResource", tag("mine")).unwrap_err();
    assert_eq!((&*refusal.code, &*refusal.message), (MISSING, "Event bus mine does not exist."));
}

#[test]
fn patterns_are_read() {
    assert!(is_pattern(r#"{"detail":{"status":["failed"]}}"#));
    assert!(!is_pattern(r#"{"detail":{"status":"failed"}}"#) && !is_pattern("{}"));
}
