//! Tests of KMS, call by call.

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
fn a_deleted_key_stays_listed_and_keeps_its_alias() {
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
fn a_key_rescued_from_deletion_is_disabled() {
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
    assert_eq!(alias("mine"), Err("ValidationException".into()));
    assert_eq!(alias("alias/a b"), Err("ValidationException".into()));
}

#[test]
fn invalid_tags_give_the_messages_of_kms() {
    let (mut world, id) = with_key();
    let mut refused = |tags: Value| {
        let input = json!({ "KeyId": id, "Tags": tags });
        let refusal = ask(&mut world, "kms", "TagResource", input).unwrap_err();
        (refusal.code, refusal.message)
    };
    let tag = |key: &str, value: &str| json!({ "TagKey": key, "TagValue": value });
    let exception = |message: &str| ("TagException".to_owned(), message.to_owned());
    let reserved = exception("Tags beginning with aws: are reserved");
    assert_eq!(refused(json!([tag("AWS:a", "1")])), reserved);
    let twice = json!([tag("k", "1"), tag("k", "2")]);
    assert_eq!(refused(twice), exception("Duplicate tag keys"));
    let many: Vec<Value> = (0..51).map(|n| tag(&n.to_string(), "")).collect();
    assert_eq!(refused(json!(many)), exception("Too many tags"));
    let (code, message) = refused(json!([tag("k", &"v".repeat(257))]));
    assert_eq!(code, "ValidationException");
    let end = "at 'tags.1.member.tagValue' failed to satisfy constraint: Member must have length \
               less than or equal to 256";
    assert!(message.ends_with(end), "{message}");
}

#[test]
fn invalid_and_missing_key_ids_give_different_errors() {
    let mut world = World::default();
    let mut refused = |key: &str| {
        let refusal = ask(&mut world, "kms", "ListGrants", json!({ "KeyId": key })).unwrap_err();
        assert_eq!(refusal.code, "NotFoundException");
        refusal.message
    };
    assert_eq!(refused("mrk-fake"), "Invalid keyId 'mrk-fake'");
    let id = "134f2428-cec1-4b25-a1ae-9048164dba47";
    let there = format!("arn:aws:kms:us-west-2:000000000000:key/{id}");
    assert_eq!(refused(&there), "Invalid arn us-west-2");
    let here = format!("arn:aws:kms:{REGION}:000000000000:key/{id}");
    assert_eq!(refused(id), format!("Key '{here}' does not exist"));
}

#[test]
fn a_key_for_several_regions_says_so_in_its_id() {
    let mut world = World::default();
    let made = kms(&mut world, "CreateKey", json!({ "MultiRegion": true })).unwrap();
    let key = &made["KeyMetadata"];
    assert!(key["KeyId"].as_str().is_some_and(super::references::is_id));
    assert!(key["KeyId"].as_str().is_some_and(|id| id.starts_with("mrk-")));
    assert_eq!(key["MultiRegionConfiguration"]["PrimaryKey"]["Arn"], key["Arn"]);
}

#[test]
fn a_policy_keeps_its_order_and_text() {
    let statement = r#"[{"Sid":"a \"b\": {,}","Effect":"Allow","Principal":{"AWS":"*"},"Action":["kms:*"],"Resource":"*"}]"#;
    let policy = format!(r#"{{"Version":"2012-10-17","Id":"x","Statement":{statement}}}"#);
    let mut world = World::default();
    let made = kms(&mut world, "CreateKey", json!({ "Policy": policy })).unwrap();
    let id = json!({ "KeyId": made["KeyMetadata"]["KeyId"] });
    let answer = kms(&mut world, "GetKeyPolicy", id).unwrap();
    let shown = "{\n  \"Version\" : \"2012-10-17\",\n  \"Id\" : \"x\",\n  \"Statement\" : [ {\n    \
                 \"Sid\" : \"a \\\"b\\\": {,}\",\n    \"Effect\" : \"Allow\",\n    \"Principal\" : \
                 {\n      \"AWS\" : \"*\"\n    },\n    \"Action\" : [ \"kms:*\" ],\n    \
                 \"Resource\" : \"*\"\n  } ]\n}";
    assert_eq!(answer["Policy"], shown);
}

#[test]
fn a_grant_ends_by_its_id_or_by_its_token() {
    let (mut world, id) = with_key();
    let grant = json!({ "KeyId": id, "GranteePrincipal": "arn:aws:iam::000000000000:role/r",
        "Operations": ["Decrypt"], "Name": "g" });
    let made = kms(&mut world, "CreateGrant", grant.clone()).unwrap();
    assert_eq!(kms(&mut world, "CreateGrant", grant.clone()).unwrap(), made);
    let key = json!({ "KeyId": id });
    let listed = kms(&mut world, "ListGrants", key.clone()).unwrap();
    assert_eq!(listed["Grants"][0]["GrantId"], made["GrantId"]);
    let token = json!({ "GrantToken": made["GrantToken"] });
    kms(&mut world, "RetireGrant", token.clone()).unwrap();
    let again = kms(&mut world, "RetireGrant", token);
    assert_eq!(again, Err("InvalidGrantTokenException".into()));
    let made = kms(&mut world, "CreateGrant", grant).unwrap();
    let by_id = json!({ "KeyId": id, "GrantId": made["GrantId"] });
    kms(&mut world, "RevokeGrant", by_id.clone()).unwrap();
    assert_eq!(kms(&mut world, "RevokeGrant", by_id), Err("NotFoundException".into()));
    let listed = kms(&mut world, "ListGrants", key).unwrap();
    assert_eq!(listed["Grants"], json!([]));
}
