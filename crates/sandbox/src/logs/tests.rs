//! Tests of log groups, call by call.

use super::*;
use crate::toolbox::testing::ask;

fn logs(world: &mut World, operation: &str, input: Value) -> Result<Value, String> {
    ask(world, "logs", operation, input).map_err(|refusal| refusal.code)
}

fn with_group() -> World {
    let mut world = World::default();
    let input = json!({ "logGroupName": "/ecs/a", "tags": { "k": "v" } });
    logs(&mut world, "CreateLogGroup", input).unwrap();
    world
}

fn group() -> Value {
    json!({ "logGroupName": "/ecs/a" })
}

#[test]
fn a_group_has_an_arn_with_and_one_without_a_star() {
    let mut world = with_group();
    let answer = logs(&mut world, "DescribeLogGroups", json!({})).unwrap();
    let plain = "arn:aws:logs:eu-west-1:000000000000:log-group:/ecs/a";
    assert_eq!(answer["logGroups"][0]["logGroupArn"], plain);
    assert_eq!(answer["logGroups"][0]["arn"], format!("{plain}:*"));
    let again = logs(&mut world, "CreateLogGroup", group());
    assert_eq!(again, Err("ResourceAlreadyExistsException".into()));
    let tags = logs(&mut world, "ListTagsForResource", json!({ "resourceArn": plain }));
    assert_eq!(tags.unwrap()["tags"], json!({ "k": "v" }));
}

#[test]
fn retention_accepts_only_the_values_of_aws() {
    let mut world = with_group();
    let mut retain = |days: i64| {
        let input = json!({ "logGroupName": "/ecs/a", "retentionInDays": days });
        logs(&mut world, "PutRetentionPolicy", input)
    };
    assert_eq!(retain(10), Err(INVALID.into()));
    retain(14).unwrap();
    let answer = logs(&mut world, "DescribeLogGroups", json!({})).unwrap();
    assert_eq!(answer["logGroups"][0]["retentionInDays"], 14);
    logs(&mut world, "DeleteRetentionPolicy", group()).unwrap();
    let answer = logs(&mut world, "DescribeLogGroups", json!({})).unwrap();
    assert!(answer["logGroups"][0].get("retentionInDays").is_none());
}

#[test]
fn the_key_policy_must_allow_the_service() {
    let mut world = with_group();
    let key = ask(&mut world, "kms", "CreateKey", json!({})).unwrap();
    let key = key["KeyMetadata"]["Arn"].clone();
    let input = json!({ "logGroupName": "/ecs/a", "kmsKeyId": key });
    assert_eq!(logs(&mut world, "AssociateKmsKey", input.clone()), Err(INVALID.into()));
    let root = json!({ "AWS": "arn:aws:iam::000000000000:root" });
    let service = json!({ "Service": "logs.eu-west-1.amazonaws.com" });
    let statement = |principal| {
        json!({ "Effect": "Allow", "Principal": principal, "Action": "kms:*",
            "Resource": "*" })
    };
    let policy = json!({ "Statement": [statement(root), statement(service)] }).to_string();
    let admit = json!({ "KeyId": key, "Policy": policy });
    ask(&mut world, "kms", "PutKeyPolicy", admit).unwrap();
    logs(&mut world, "AssociateKmsKey", input).unwrap();
    let answer = logs(&mut world, "DescribeLogGroups", json!({})).unwrap();
    assert_eq!(answer["logGroups"][0]["kmsKeyId"], key);
    logs(&mut world, "DisassociateKmsKey", group()).unwrap();
}

#[test]
fn groups_are_found_by_prefix_or_pattern_in_pages() {
    let mut world = with_group();
    for name in ["/ecs/b", "/other"] {
        logs(&mut world, "CreateLogGroup", json!({ "logGroupName": name })).unwrap();
    }
    let input = json!({ "logGroupNamePrefix": "/ecs/", "limit": 1 });
    let first = logs(&mut world, "DescribeLogGroups", input).unwrap();
    let input = json!({ "logGroupNamePrefix": "/ecs/", "nextToken": first["nextToken"] });
    let second = logs(&mut world, "DescribeLogGroups", input).unwrap();
    assert_eq!(second["logGroups"][0]["logGroupName"], "/ecs/b");
    assert!(second.get("nextToken").is_none());
    let both = json!({ "logGroupNamePrefix": "a", "logGroupNamePattern": "b" });
    assert_eq!(logs(&mut world, "DescribeLogGroups", both), Err(INVALID.into()));
}

#[test]
fn patterns_match_names_and_identifiers_match_all_groups() {
    let mut world = with_group();
    let retain = json!({ "logGroupName": "/ecs/a", "retentionInDays": 14 });
    logs(&mut world, "PutRetentionPolicy", retain).unwrap();
    let mut found =
        |input| logs(&mut world, "DescribeLogGroups", input).unwrap()["logGroups"].take();
    let by_pattern = found(json!({ "logGroupNamePattern": "cs/a" }));
    assert_eq!(by_pattern[0]["logGroupName"], "/ecs/a");
    assert_eq!(by_pattern[0].get("retentionInDays"), None);
    assert_eq!(found(json!({ "logGroupNamePattern": "CS/A" })), json!([]));
    let by_name = found(json!({ "logGroupIdentifiers": ["/ecs/a", "/gone"] }));
    assert_eq!(
        (by_name.as_array().unwrap().len(), &by_name[0]["retentionInDays"]),
        (1, &json!(14))
    );
}

#[test]
fn events_are_read_back() {
    let mut world = with_group();
    let input = |more: Value| {
        let mut input = json!({ "logGroupName": "/ecs/a", "logStreamName": "s" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    logs(&mut world, "CreateLogStream", input(json!({}))).unwrap();
    let events = json!({ "logEvents": [{ "timestamp": 1, "message": "m" }] });
    logs(&mut world, "PutLogEvents", input(events)).unwrap();
    let answer = logs(&mut world, "GetLogEvents", input(json!({}))).unwrap();
    assert_eq!(answer["events"][0]["message"], "m");
    let streams = logs(&mut world, "DescribeLogStreams", group()).unwrap();
    assert_eq!(streams["logStreams"][0]["lastEventTimestamp"], 1);
}

#[test]
fn deleted_groups_are_not_found() {
    let mut world = with_group();
    logs(&mut world, "DeleteLogGroup", group()).unwrap();
    let again = logs(&mut world, "DeleteLogGroup", group());
    assert_eq!(again, Err("ResourceNotFoundException".into()));
    assert_eq!(counts(&world.logs), [("groups", 0)]);
}
