//! What KMS promises, call by call.

use serde_json::{Value, json};

use super::super::World;
use super::super::toolbox::testing::{REGION, ask, ask_in};

fn kms(world: &mut World, operation: &str, input: Value) -> Result<Value, String> {
    ask(world, "kms", operation, input).map_err(|refusal| refusal.code)
}

fn with_key() -> (World, String) {
    let mut world = World::default();
    let input = json!({ "Description": "d", "Tags": [{ "TagKey": "a", "TagValue": "b" }] });
    let answer = kms(&mut world, "CreateKey", input).unwrap();
    let id = answer["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
    (world, id)
}

#[test]
fn a_key_is_described_by_id_arn_and_alias() {
    let (mut world, id) = with_key();
    let alias = json!({ "AliasName": "alias/a", "TargetKeyId": id });
    kms(&mut world, "CreateAlias", alias).unwrap();
    let start = format!("arn:aws:kms:{REGION}:000000000000:");
    for reference in
        [id.clone(), format!("{start}key/{id}"), "alias/a".into(), format!("{start}alias/a")]
    {
        let answer = kms(&mut world, "DescribeKey", json!({ "KeyId": reference })).unwrap();
        assert_eq!(answer["KeyMetadata"]["KeyId"], *id);
        assert_eq!(answer["KeyMetadata"]["KeyState"], "Enabled");
    }
    let missing = kms(&mut world, "DescribeKey", json!({ "KeyId": "alias/b" }));
    assert_eq!(missing, Err("NotFoundException".into()));
}

#[test]
fn a_key_belongs_to_its_region() {
    let (mut world, id) = with_key();
    let there = ask_in(&mut world, "us-east-1", "kms", "DescribeKey", json!({ "KeyId": id }));
    assert_eq!(there.unwrap_err().code, "NotFoundException");
}

#[test]
fn aws_managed_keys_are_in_the_lists_and_never_change() {
    let mut world = World::default();
    let sqs = json!({ "KeyId": "alias/aws/sqs" });
    let one = kms(&mut world, "DescribeKey", sqs.clone()).unwrap();
    let other = kms(&mut World::default(), "DescribeKey", sqs).unwrap();
    assert_eq!(one, other);
    assert_eq!(one["KeyMetadata"]["KeyManager"], "AWS");
    let aliases = kms(&mut world, "ListAliases", json!({})).unwrap();
    let named = |alias: &Value| alias["AliasName"] == "alias/aws/secretsmanager";
    assert!(aliases["Aliases"].as_array().unwrap().iter().any(named));
    let tag = json!({ "KeyId": one["KeyMetadata"]["KeyId"], "Tags": [] });
    assert_eq!(kms(&mut world, "TagResource", tag), Err("AccessDeniedException".into()));
    assert!(super::counts(&world.kms).iter().all(|(_, count)| *count == 0));
}

#[test]
fn a_deleted_key_stays_listed_with_tags_and_its_alias_blocks() {
    let (mut world, id) = with_key();
    let alias = json!({ "AliasName": "alias/a", "TargetKeyId": id });
    kms(&mut world, "CreateAlias", alias.clone()).unwrap();
    let short = json!({ "KeyId": id, "PendingWindowInDays": 6 });
    let refused = kms(&mut world, "ScheduleKeyDeletion", short);
    assert_eq!(refused, Err("ValidationException".into()));
    let window = json!({ "KeyId": id, "PendingWindowInDays": 7 });
    kms(&mut world, "ScheduleKeyDeletion", window.clone()).unwrap();
    let again = kms(&mut world, "ScheduleKeyDeletion", window);
    assert_eq!(again, Err("KMSInvalidStateException".into()));

    let answer = kms(&mut world, "DescribeKey", json!({ "KeyId": "alias/a" })).unwrap();
    assert_eq!(answer["KeyMetadata"]["KeyState"], "PendingDeletion");
    let tags = kms(&mut world, "ListResourceTags", json!({ "KeyId": id })).unwrap();
    assert_eq!(tags["Tags"], json!([{ "TagKey": "a", "TagValue": "b" }]));
    let fresh = kms(&mut world, "CreateKey", json!({})).unwrap();
    let retarget = json!({ "AliasName": "alias/a",
        "TargetKeyId": fresh["KeyMetadata"]["KeyId"] });
    let blocked = kms(&mut world, "CreateAlias", retarget.clone());
    assert_eq!(blocked, Err("AlreadyExistsException".into()));
    kms(&mut world, "UpdateAlias", retarget).unwrap();
    let back = kms(&mut world, "UpdateAlias", alias);
    assert_eq!(back, Err("KMSInvalidStateException".into()));
    assert_eq!(super::counts(&world.kms)[0], ("keys", 1));
}

#[test]
fn a_saved_key_is_disabled_until_it_is_enabled() {
    let (mut world, id) = with_key();
    let key = json!({ "KeyId": id });
    kms(&mut world, "ScheduleKeyDeletion", key.clone()).unwrap();
    kms(&mut world, "CancelKeyDeletion", key.clone()).unwrap();
    let rotate = kms(&mut world, "EnableKeyRotation", key.clone());
    assert_eq!(rotate, Err("DisabledException".into()));
    kms(&mut world, "EnableKey", key.clone()).unwrap();
    kms(&mut world, "EnableKeyRotation", key).unwrap();
}

#[test]
fn rotation_is_off_until_asked_for_and_yearly_by_default() {
    let (mut world, id) = with_key();
    let key = json!({ "KeyId": id });
    let status = kms(&mut world, "GetKeyRotationStatus", key.clone()).unwrap();
    assert_eq!(status["KeyRotationEnabled"], false);
    assert!(status.get("RotationPeriodInDays").is_none());
    kms(&mut world, "EnableKeyRotation", key.clone()).unwrap();
    let status = kms(&mut world, "GetKeyRotationStatus", key).unwrap();
    assert_eq!(status["RotationPeriodInDays"], 365);
    let bad = json!({ "KeyId": id, "RotationPeriodInDays": 30 });
    assert_eq!(kms(&mut world, "EnableKeyRotation", bad), Err("ValidationException".into()));
}

#[test]
fn a_policy_that_locks_everybody_out_is_refused() {
    let (mut world, id) = with_key();
    let mut try_policy = |principal: Value, action: &str| {
        let policy = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
            "Principal": principal, "Action": action, "Resource": "*" }] });
        let input = json!({ "KeyId": id, "PolicyName": "default", "Policy": policy.to_string() });
        kms(&mut world, "PutKeyPolicy", input)
    };
    let root = json!({ "AWS": "arn:aws:iam::000000000000:root" });
    assert!(try_policy(root.clone(), "kms:*").is_ok());
    assert!(try_policy(root.clone(), "kms:Put*").is_ok());
    let locked = Err("MalformedPolicyDocumentException".to_owned());
    assert_eq!(try_policy(root, "kms:Decrypt"), locked);
    assert_eq!(try_policy(json!({ "Service": "logs.amazonaws.com" }), "kms:*"), locked);
    assert_eq!(try_policy(Value::Null, "kms:*"), locked);
}

#[test]
fn lists_come_in_pages() {
    let (mut world, _) = with_key();
    let mut seen = 0;
    let mut marker = Value::Null;
    loop {
        let input = match &marker {
            Value::Null => json!({ "Limit": 2 }),
            marker => json!({ "Limit": 2, "Marker": marker }),
        };
        let answer = kms(&mut world, "ListKeys", input).unwrap();
        seen += answer["Keys"].as_array().unwrap().len();
        marker = answer["NextMarker"].clone();
        if answer["Truncated"] == false {
            break;
        }
    }
    assert_eq!(seen, 1 + super::MANAGED.len());
}

#[test]
fn alias_names_are_checked() {
    let (mut world, id) = with_key();
    let mut alias = |name: &str| {
        let input = json!({ "AliasName": name, "TargetKeyId": id });
        kms(&mut world, "CreateAlias", input)
    };
    assert_eq!(alias("alias/aws/mine"), Err("NotAuthorizedException".into()));
    assert_eq!(alias("mine"), Err("InvalidAliasNameException".into()));
    assert_eq!(alias("alias/a b"), Err("InvalidAliasNameException".into()));
}
