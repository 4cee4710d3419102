//! Tests of Secrets Manager, call by call.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::World;
use super::super::toolbox::testing::ask;
use super::super::toolbox::uuid;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Makes a call as SDKs do, with a request token if the operation needs one.
fn secrets(world: &mut World, operation: &str, mut input: Value) -> Result<Value, String> {
    let versioned = ["CreateSecret", "PutSecretValue", "UpdateSecret", "RotateSecret"];
    if versioned.contains(&operation) && input.get("ClientRequestToken").is_none() {
        input["ClientRequestToken"] = uuid(&mut world.base).into();
    }
    ask(world, "secretsmanager", operation, input).map_err(|refusal| refusal.code)
}

fn with_secret() -> World {
    let mut world = World::default();
    let input = json!({ "Name": "a/b", "SecretString": "one", "ClientRequestToken": TOKEN,
        "Tags": [{ "Key": "payctl:env", "Value": "dev" }] });
    secrets(&mut world, "CreateSecret", input).unwrap();
    world
}

fn id() -> Value {
    json!({ "SecretId": "a/b" })
}

#[test]
fn a_repeated_token_with_the_same_value_changes_nothing() {
    let mut world = with_secret();
    let same = json!({ "Name": "a/b", "SecretString": "one", "ClientRequestToken": TOKEN });
    let answer = secrets(&mut world, "CreateSecret", same).unwrap();
    assert_eq!(answer["VersionId"], TOKEN);
    let other = json!({ "Name": "a/b", "SecretString": "two", "ClientRequestToken": TOKEN });
    let refused = secrets(&mut world, "CreateSecret", other);
    assert_eq!(refused, Err("ResourceExistsException".into()));
}

#[test]
fn a_secret_is_found_by_name_arn_and_partial_arn() {
    let mut world = with_secret();
    let arn = secrets(&mut world, "DescribeSecret", id()).unwrap()["ARN"].clone();
    let arn = arn.as_str().unwrap();
    assert!(arn.contains(":secret:a/b-"));
    for reference in [arn, &arn[..arn.len() - 7]] {
        let input = json!({ "SecretId": reference });
        assert_eq!(secrets(&mut world, "GetSecretValue", input).unwrap()["SecretString"], "one");
    }
}

#[test]
fn a_recreated_secret_has_another_arn() {
    let mut world = with_secret();
    let first = secrets(&mut world, "DescribeSecret", id()).unwrap()["ARN"].clone();
    let force = json!({ "SecretId": "a/b", "ForceDeleteWithoutRecovery": true });
    secrets(&mut world, "DeleteSecret", force).unwrap();
    let gone = secrets(&mut world, "DescribeSecret", id());
    assert_eq!(gone, Err("ResourceNotFoundException".into()));
    let second = secrets(&mut world, "CreateSecret", json!({ "Name": "a/b" })).unwrap();
    assert_ne!(first, second["ARN"]);
}

#[test]
fn a_secret_scheduled_for_deletion_is_hidden_and_blocks_its_name() {
    let mut world = with_secret();
    let short = json!({ "SecretId": "a/b", "RecoveryWindowInDays": 6 });
    let refused = secrets(&mut world, "DeleteSecret", short);
    assert_eq!(refused, Err("InvalidParameterException".into()));
    let window = json!({ "SecretId": "a/b", "RecoveryWindowInDays": 7 });
    secrets(&mut world, "DeleteSecret", window).unwrap();
    let input = json!({ "Name": "a/b", "SecretString": "x", "ClientRequestToken": TOKEN });
    let refusal = ask(&mut world, "secretsmanager", "CreateSecret", input).unwrap_err();
    assert_eq!(refusal.code, "InvalidRequestException");
    assert!(refusal.message.contains("already scheduled for deletion"));
    let value = secrets(&mut world, "GetSecretValue", id());
    assert_eq!(value, Err("InvalidRequestException".into()));
    let listed = secrets(&mut world, "ListSecrets", json!({})).unwrap();
    assert_eq!(listed["SecretList"], json!([]));
    let all = json!({ "IncludePlannedDeletion": true });
    let listed = secrets(&mut world, "ListSecrets", all).unwrap();
    assert!(listed["SecretList"][0]["DeletedDate"].is_number());
    assert_eq!(super::counts(&world.secretsmanager), [("secrets", 0)]);
    secrets(&mut world, "RestoreSecret", id()).unwrap();
    secrets(&mut world, "GetSecretValue", id()).unwrap();
}

#[test]
fn secrets_are_filtered_by_tag_and_name() {
    let mut world = with_secret();
    let mut found = |key: &str, value: &str| {
        let input = json!({ "Filters": [{ "Key": key, "Values": [value] }] });
        let answer = secrets(&mut world, "ListSecrets", input).unwrap();
        answer["SecretList"].as_array().unwrap().len()
    };
    assert_eq!(found("tag-key", "payctl:env"), 1);
    assert_eq!(found("tag-value", "dev"), 1);
    assert_eq!(found("tag-value", "prod"), 0);
    assert_eq!(found("name", "a/"), 1);
    assert_eq!(found("name", "!a/"), 0);
}

#[test]
fn a_new_value_makes_the_old_one_previous() {
    let mut world = with_secret();
    let input = json!({ "SecretId": "a/b", "SecretString": "two" });
    secrets(&mut world, "PutSecretValue", input).unwrap();
    assert_eq!(secrets(&mut world, "GetSecretValue", id()).unwrap()["SecretString"], "two");
    let previous = json!({ "SecretId": "a/b", "VersionStage": "AWSPREVIOUS" });
    assert_eq!(secrets(&mut world, "GetSecretValue", previous).unwrap()["VersionId"], TOKEN);
}

#[test]
fn a_secret_keeps_its_key_which_must_exist() {
    let mut world = with_secret();
    let none = json!({ "SecretId": "a/b", "KmsKeyId": "alias/none" });
    assert_eq!(secrets(&mut world, "UpdateSecret", none), Err("EncryptionFailure".into()));
    let managed = json!({ "SecretId": "a/b", "KmsKeyId": "alias/aws/secretsmanager" });
    secrets(&mut world, "UpdateSecret", managed).unwrap();
    let answer = secrets(&mut world, "DescribeSecret", id()).unwrap();
    assert_eq!(answer["KmsKeyId"], Value::Null);
}

#[test]
fn generated_passwords_meet_the_request() {
    let mut world = World::default();
    let input = json!({ "PasswordLength": 8, "ExcludePunctuation": true });
    let answer = secrets(&mut world, "GetRandomPassword", input).unwrap();
    let password = answer["RandomPassword"].as_str().unwrap();
    assert_eq!(password.len(), 8);
    assert!(password.chars().all(|c| c.is_ascii_alphanumeric()));
    assert!(password.chars().any(|c| c.is_ascii_digit()));
}

#[test]
fn a_policy_is_kept_until_deleted() {
    let mut world = with_secret();
    let bad = json!({ "SecretId": "a/b", "ResourcePolicy": "{" });
    let refused = secrets(&mut world, "PutResourcePolicy", bad);
    assert_eq!(refused, Err("MalformedPolicyDocumentException".into()));
    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let input = json!({ "SecretId": "a/b", "ResourcePolicy": policy });
    secrets(&mut world, "PutResourcePolicy", input).unwrap();
    assert_eq!(secrets(&mut world, "GetResourcePolicy", id()).unwrap()["ResourcePolicy"], policy);
    secrets(&mut world, "DeleteResourcePolicy", id()).unwrap();
    let answer = secrets(&mut world, "GetResourcePolicy", id()).unwrap();
    assert!(answer.get("ResourcePolicy").is_none());
}

#[test]
fn rotation_needs_a_function_that_permits_it() {
    let mut world = with_secret();
    let trust = json!({ "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "Service": "lambda.amazonaws.com" },
    }] });
    let role = json!({ "RoleName": "work", "AssumeRolePolicyDocument": trust.to_string() });
    ask(&mut world, "iam", "CreateRole", role).unwrap();
    let rotate = |world: &mut World| {
        let function = "arn:aws:lambda:eu-west-1:000000000000:function:rotation";
        let rules = json!({ "AutomaticallyAfterDays": 30 });
        let input = json!({
            "SecretId": "a/b", "RotationLambdaARN": function, "RotateImmediately": false,
            "RotationRules": rules,
        });
        secrets(world, "RotateSecret", input).map(drop)
    };
    let denied = || Err("AccessDeniedException".to_owned());
    assert_eq!(rotate(&mut world), denied());
    let input = json!({
        "FunctionName": "rotation", "Role": "arn:aws:iam::000000000000:role/work",
        "Runtime": "python3.13", "Handler": "index.handler",
        "Code": { "ZipFile": STANDARD.encode("PK1") },
    });
    ask(&mut world, "lambda", "CreateFunction", input).unwrap();
    assert_eq!(rotate(&mut world), denied());
    let mut permit = |id: &str, source: &str| {
        let input = json!({
            "FunctionName": "rotation", "StatementId": id, "Action": "lambda:InvokeFunction",
            "Principal": "secretsmanager.amazonaws.com", "SourceArn": source,
        });
        ask(&mut world, "lambda", "AddPermission", input).unwrap();
        rotate(&mut world)
    };
    let secret =
        |name: &str| format!("arn:aws:secretsmanager:eu-west-1:000000000000:secret:{name}");
    assert_eq!(permit("other", &secret("c-*")), denied());
    assert_eq!(permit("this", &secret("a/b-*")), Ok(()));
}

#[test]
fn calls_that_make_a_version_need_a_token() {
    let mut world = with_secret();
    let value = json!({ "SecretId": "a/b", "SecretString": "two" });
    let mut refused = |operation: &str| {
        let refusal = ask(&mut world, "secretsmanager", operation, value.clone()).unwrap_err();
        assert!(refusal.message.starts_with("You must provide a ClientRequestToken value."));
        refusal.code
    };
    assert_eq!(refused("PutSecretValue"), "InvalidRequestException");
    assert_eq!(refused("UpdateSecret"), "InvalidRequestException");
    assert_eq!(refused("RotateSecret"), "InvalidParameterException");
}

#[test]
fn versions_list_their_keys_and_last_access() {
    let mut world = with_secret();
    let pending =
        json!({ "SecretId": "a/b", "SecretString": "2", "VersionStages": ["AWSPENDING"] });
    let pending = secrets(&mut world, "PutSecretValue", pending).unwrap()["VersionId"].clone();
    secrets(&mut world, "GetSecretValue", id()).unwrap();
    assert!(world.base.moved);
    let versions = secrets(&mut world, "ListSecretVersionIds", id()).unwrap()["Versions"].clone();
    assert_eq!(versions[0]["KmsKeyIds"], json!(["DefaultEncryptionKey"]));
    assert_eq!(versions[0]["LastAccessedDate"].as_f64().map(|day| day % 86_400.0), Some(0.0));
    assert_eq!((&versions[1]["VersionId"], versions[1].get("LastAccessedDate")), (&pending, None));

    let current = json!({ "SecretId": "a/b", "VersionStage": "AWSCURRENT",
        "MoveToVersionId": pending, "RemoveFromVersionId": TOKEN });
    secrets(&mut world, "UpdateSecretVersionStage", current).unwrap();
    let third = json!({ "SecretId": "a/b", "SecretString": "3" });
    secrets(&mut world, "PutSecretValue", third).unwrap();
    let stages = secrets(&mut world, "DescribeSecret", id()).unwrap()["VersionIdsToStages"].clone();
    let pending = pending.as_str().unwrap();
    assert_eq!(stages[pending], json!(["AWSPREVIOUS"]));
    assert_eq!(stages.get(TOKEN), None);
    let all = json!({ "SecretId": "a/b", "IncludeDeprecated": true });
    let all = secrets(&mut world, "ListSecretVersionIds", all).unwrap();
    assert_eq!(all["Versions"].as_array().map(Vec::len), Some(3));
    let other = json!({ "SecretId": "a/b", "VersionId": pending, "VersionStage": "AWSCURRENT" });
    let refused = secrets(&mut world, "GetSecretValue", other);
    assert_eq!(refused, Err("InvalidRequestException".into()));
}

#[test]
fn tags_are_returned_once_any_were_set() {
    let mut world = World::default();
    secrets(&mut world, "CreateSecret", json!({ "Name": "a/b" })).unwrap();
    assert_eq!(secrets(&mut world, "DescribeSecret", id()).unwrap().get("Tags"), None);
    let tags = json!({ "SecretId": "a/b", "Tags": [{ "Key": "k", "Value": "v" }] });
    secrets(&mut world, "TagResource", tags).unwrap();
    secrets(&mut world, "UntagResource", json!({ "SecretId": "a/b", "TagKeys": ["k"] })).unwrap();
    let shown = secrets(&mut world, "DescribeSecret", id()).unwrap();
    assert_eq!(shown["Tags"], json!([]));
}

#[test]
fn descriptions_are_searched_by_word_prefix() {
    let mut world = World::default();
    let input = json!({ "Name": "/b", "Description": "An secret" });
    secrets(&mut world, "CreateSecret", input).unwrap();
    for (key, value, there) in [
        ("description", "a secret", true),
        ("description", "secret", true),
        ("description", "ecret", false),
        ("description", "!a", false),
        ("name", "/", true),
        ("name", "b", false),
        ("all", "/B an", true),
    ] {
        let input = json!({ "Filters": [{ "Key": key, "Values": [value] }] });
        let found = secrets(&mut world, "ListSecrets", input).unwrap()["SecretList"].clone();
        assert_eq!(found != json!([]), there, "{key} {value}");
    }
}

#[test]
fn invalid_and_missing_secret_ids_give_different_errors() {
    let mut world = World::default();
    let mut read = |id: &str| secrets(&mut world, "DescribeSecret", json!({ "SecretId": id }));
    assert_eq!(read("a b"), Err("ValidationException".into()));
    for gone in ["a", "arn:aws:secretsmanager:us-west-2:000000000000:secret:a-123456"] {
        assert_eq!(read(gone), Err("ResourceNotFoundException".into()));
    }
}

#[test]
fn force_deletion_of_a_missing_secret_succeeds() {
    let mut world = World::default();
    assert_eq!(secrets(&mut world, "DeleteSecret", id()), Err("ResourceNotFoundException".into()));
    let force = json!({ "SecretId": "a/b", "ForceDeleteWithoutRecovery": true });
    assert_eq!(secrets(&mut world, "DeleteSecret", force).unwrap()["Name"], "a/b");
}
