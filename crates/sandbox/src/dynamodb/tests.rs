//! Tests of DynamoDB, call by call.

use serde_json::{Value, json};

use super::super::World;
use super::super::toolbox::testing::ask;

fn ddb(world: &mut World, operation: &str, input: Value) -> Result<Value, String> {
    ask(world, "dynamodb", operation, input).map_err(|refusal| refusal.code)
}

fn key(name: &str) -> Value {
    json!([{ "AttributeName": name, "KeyType": "HASH" }])
}

fn types(names: &[&str]) -> Value {
    let each = |name: &&str| json!({ "AttributeName": name, "AttributeType": "S" });
    names.iter().map(each).collect()
}

fn index(name: &str) -> Value {
    json!({ "IndexName": format!("by-{name}"), "KeySchema": key(name),
        "Projection": { "ProjectionType": "ALL" } })
}

/// The smallest specification, with more or other members.
fn spec(more: Value) -> Value {
    let mut spec = json!({ "TableName": "tab", "KeySchema": key("id"),
        "AttributeDefinitions": types(&["id"]), "BillingMode": "PAY_PER_REQUEST" });
    let members = more.as_object().unwrap().clone();
    spec.as_object_mut().unwrap().extend(members);
    spec
}

fn table(more: Value) -> Value {
    let mut input = json!({ "TableName": "tab" });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

fn describe(world: &mut World) -> Value {
    ddb(world, "DescribeTable", table(json!({}))).unwrap()["Table"].clone()
}

fn with_table(more: Value) -> World {
    let mut world = World::default();
    ddb(&mut world, "CreateTable", spec(more)).unwrap();
    describe(&mut world);
    world
}

fn refusal(world: &mut World, operation: &str, input: Value) -> (String, String) {
    let refusal = ask(world, "dynamodb", operation, input).unwrap_err();
    (refusal.code, refusal.message)
}

#[test]
fn reads_advance_the_state() {
    let mut world = World::default();
    ddb(&mut world, "CreateTable", spec(json!({}))).unwrap();
    let early = ddb(&mut world, "DeleteTable", table(json!({})));
    assert_eq!(early, Err("ResourceInUseException".into()));
    assert_eq!(describe(&mut world)["TableStatus"], "CREATING");
    assert_eq!(describe(&mut world)["TableStatus"], "ACTIVE");
    ddb(&mut world, "DeleteTable", table(json!({}))).unwrap();
    let again = ddb(&mut world, "CreateTable", spec(json!({})));
    assert_eq!(again, Err("ResourceInUseException".into()));
    assert_eq!(describe(&mut world)["TableStatus"], "DELETING");
    let gone = ddb(&mut world, "DescribeTable", table(json!({})));
    assert_eq!(gone, Err("ResourceNotFoundException".into()));
}

#[test]
fn looks_for_items_wait_for_a_new_table() {
    let mut world = World::default();
    ddb(&mut world, "CreateTable", spec(json!({}))).unwrap();
    let look = table(json!({ "Key": { "id": { "S": "1" } } }));
    let early = ddb(&mut world, "GetItem", look.clone());
    assert_eq!(early, Err("ResourceNotFoundException".into()));
    assert_eq!(ddb(&mut world, "GetItem", look), Ok(json!({})));
}

#[tokio::test(start_paused = true)]
async fn a_strict_table_changes_state_by_the_clock() {
    let mut world = World::default();
    world.base.strict = true;
    let wait = |seconds| tokio::time::advance(std::time::Duration::from_secs(seconds));
    ddb(&mut world, "CreateTable", spec(json!({}))).unwrap();
    for _ in 0..3 {
        assert_eq!(describe(&mut world)["TableStatus"], "CREATING");
    }
    wait(9).await;
    assert_eq!(describe(&mut world)["TableStatus"], "ACTIVE");
    let more = json!({ "AttributeDefinitions": types(&["id", "at"]),
        "GlobalSecondaryIndexUpdates": [{ "Create": index("at") }] });
    ddb(&mut world, "UpdateTable", table(more)).unwrap();
    wait(60).await;
    assert_eq!(describe(&mut world)["GlobalSecondaryIndexes"][0]["IndexStatus"], "CREATING");
    wait(200).await;
    // The clock alone ends the state.
    ddb(&mut world, "DeleteTable", table(json!({}))).unwrap();
    assert_eq!(describe(&mut world)["TableStatus"], "DELETING");
    wait(9).await;
    let gone = ddb(&mut world, "DescribeTable", table(json!({})));
    assert_eq!(gone, Err("ResourceNotFoundException".into()));
}

#[test]
fn table_names_are_unique() {
    let mut world = with_table(json!({}));
    let (code, message) = refusal(&mut world, "CreateTable", spec(json!({})));
    assert_eq!(code, "ResourceInUseException");
    assert_eq!(message, "Table already exists: tab");
}

#[test]
fn attribute_definitions_must_match_the_keys_exactly() {
    let mut world = World::default();
    let mut create = |more| ddb(&mut world, "CreateTable", spec(more));
    let unused = json!({ "AttributeDefinitions": types(&["id", "other"]) });
    assert_eq!(create(unused), Err("ValidationException".into()));
    let missing = json!({ "GlobalSecondaryIndexes": [index("other")] });
    assert_eq!(create(missing), Err("ValidationException".into()));
    let exact = json!({ "AttributeDefinitions": types(&["id", "other"]),
        "GlobalSecondaryIndexes": [index("other")] });
    assert!(create(exact).is_ok());
}

#[test]
fn capacity_fits_the_billing() {
    let capacity = json!({ "ReadCapacityUnits": 5, "WriteCapacityUnits": 5 });
    let mut world = World::default();
    let both = spec(json!({ "ProvisionedThroughput": capacity }));
    assert_eq!(ddb(&mut world, "CreateTable", both), Err("ValidationException".into()));
    let none = spec(json!({ "BillingMode": "PROVISIONED" }));
    assert_eq!(ddb(&mut world, "CreateTable", none), Err("ValidationException".into()));
}

#[test]
fn default_settings_are_left_out_of_the_description() {
    let mut world = with_table(json!({}));
    let view = describe(&mut world);
    assert_eq!(view["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(view["ProvisionedThroughput"]["ReadCapacityUnits"], 0);
    for absent in ["SSEDescription", "StreamSpecification", "TableClassSummary"] {
        assert!(view.get(absent).is_none(), "{absent}");
    }
    let capacity = json!({ "ReadCapacityUnits": 5, "WriteCapacityUnits": 5 });
    let more = json!({ "BillingMode": "PROVISIONED", "ProvisionedThroughput": capacity });
    let mut provisioned = with_table(more);
    let view = describe(&mut provisioned);
    assert!(view.get("BillingModeSummary").is_none());
    let (code, message) = refusal(
        &mut provisioned,
        "UpdateTable",
        table(json!({ "ProvisionedThroughput": capacity })),
    );
    assert_eq!(code, "ValidationException");
    assert!(message.contains("will not change"));
    let switch = table(json!({ "BillingMode": "PAY_PER_REQUEST" }));
    ddb(&mut provisioned, "UpdateTable", switch).unwrap();
    let view = describe(&mut provisioned);
    assert_eq!(view["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(view["ProvisionedThroughput"]["WriteCapacityUnits"], 0);
}

#[test]
fn one_index_changes_per_call_and_calls_do_not_overlap() {
    let mut world = with_table(json!({}));
    let create = |names: &[&str]| {
        let updates: Vec<Value> =
            names.iter().map(|name| json!({ "Create": index(name) })).collect();
        let all: Vec<&str> = ["id"].iter().chain(names).copied().collect();
        table(json!({ "AttributeDefinitions": types(&all),
            "GlobalSecondaryIndexUpdates": updates }))
    };
    let two = ddb(&mut world, "UpdateTable", create(&["one", "two"]));
    assert_eq!(two, Err("LimitExceededException".into()));
    ddb(&mut world, "UpdateTable", create(&["one"])).unwrap();
    let early = ddb(&mut world, "UpdateTable", create(&["two"]));
    assert_eq!(early, Err("ResourceInUseException".into()));
    let view = describe(&mut world);
    assert_eq!(view["TableStatus"], "UPDATING");
    assert_eq!(view["GlobalSecondaryIndexes"][0]["IndexStatus"], "CREATING");
    let view = describe(&mut world);
    assert_eq!(view["GlobalSecondaryIndexes"][0]["IndexStatus"], "ACTIVE");
    assert_eq!(view["AttributeDefinitions"], types(&["id", "one"]));
    let delete = json!([{ "Delete": { "IndexName": "by-one" } }]);
    let delete = table(json!({ "GlobalSecondaryIndexUpdates": delete }));
    ddb(&mut world, "UpdateTable", delete).unwrap();
    assert_eq!(describe(&mut world)["GlobalSecondaryIndexes"][0]["IndexStatus"], "DELETING");
    let view = describe(&mut world);
    assert!(view.get("GlobalSecondaryIndexes").is_none());
    assert_eq!(view["AttributeDefinitions"], types(&["id"]));
}

#[test]
fn a_protected_table_cannot_be_deleted() {
    let mut world = with_table(json!({ "DeletionProtectionEnabled": true }));
    let (code, message) = refusal(&mut world, "DeleteTable", table(json!({})));
    assert_eq!(code, "ValidationException");
    assert!(message.starts_with("Resource cannot be deleted as it is currently protected"));
    let off = table(json!({ "DeletionProtectionEnabled": false }));
    ddb(&mut world, "UpdateTable", off).unwrap();
    describe(&mut world);
    ddb(&mut world, "DeleteTable", table(json!({}))).unwrap();
}

#[test]
fn a_stream_must_be_disabled_before_its_view_changes() {
    let view = |view: &str| json!({ "StreamEnabled": true, "StreamViewType": view });
    let mut world = with_table(json!({ "StreamSpecification": view("NEW_IMAGE") }));
    let first = describe(&mut world)["LatestStreamArn"].clone();
    let other = table(json!({ "StreamSpecification": view("OLD_IMAGE") }));
    let direct = ddb(&mut world, "UpdateTable", other.clone());
    assert_eq!(direct, Err("ValidationException".into()));
    let off = table(json!({ "StreamSpecification": { "StreamEnabled": false } }));
    ddb(&mut world, "UpdateTable", off.clone()).unwrap();
    describe(&mut world);
    assert_eq!(ddb(&mut world, "UpdateTable", off), Err("ValidationException".into()));
    ddb(&mut world, "UpdateTable", other).unwrap();
    let changed = describe(&mut world);
    assert_eq!(changed["StreamSpecification"]["StreamViewType"], "OLD_IMAGE");
    assert_ne!(changed["LatestStreamArn"], first);
}

#[test]
fn only_kms_encryption_is_described() {
    let mut world = with_table(json!({ "SSESpecification": { "Enabled": true } }));
    let view = describe(&mut world);
    assert_eq!(view["SSEDescription"]["Status"], "ENABLED");
    let key = ask(&mut world, "kms", "DescribeKey", json!({ "KeyId": "alias/aws/dynamodb" }));
    let arn = key.unwrap()["KeyMetadata"]["Arn"].clone();
    assert_eq!(view["SSEDescription"]["KMSMasterKeyArn"], arn);
    let none = json!({ "Enabled": true, "SSEType": "KMS", "KMSMasterKeyId": "alias/none" });
    let none = table(json!({ "SSESpecification": none }));
    assert_eq!(ddb(&mut world, "UpdateTable", none), Err("ValidationException".into()));
    let off = table(json!({ "SSESpecification": { "Enabled": false } }));
    ddb(&mut world, "UpdateTable", off).unwrap();
    assert!(describe(&mut world).get("SSEDescription").is_none());
}

#[test]
fn setting_the_same_ttl_twice_is_refused() {
    let mut world = with_table(json!({}));
    let ttl = |name: &str, on: bool| {
        let wanted = json!({ "AttributeName": name, "Enabled": on });
        table(json!({ "TimeToLiveSpecification": wanted }))
    };
    let (_, message) = refusal(&mut world, "UpdateTimeToLive", ttl("end", false));
    assert_eq!(message, "TimeToLive is already disabled");
    ddb(&mut world, "UpdateTimeToLive", ttl("end", true)).unwrap();
    let (code, message) = refusal(&mut world, "UpdateTimeToLive", ttl("end", true));
    assert_eq!((&*code, &*message), ("ValidationException", "TimeToLive is already enabled"));
    assert!(ddb(&mut world, "UpdateTimeToLive", ttl("other", true)).is_err());
    let answer = ddb(&mut world, "DescribeTimeToLive", table(json!({}))).unwrap();
    let shown = json!({ "TimeToLiveStatus": "ENABLED", "AttributeName": "end" });
    assert_eq!(answer["TimeToLiveDescription"], shown);
    ddb(&mut world, "UpdateTimeToLive", ttl("end", false)).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_strict_sandbox_allows_one_ttl_change_per_hour() {
    let mut world = with_table(json!({}));
    world.base.strict = true;
    let ttl = |name: &str, on: bool| {
        let wanted = json!({ "AttributeName": name, "Enabled": on });
        table(json!({ "TimeToLiveSpecification": wanted }))
    };
    let status = |world: &mut World| {
        let answer = ddb(world, "DescribeTimeToLive", table(json!({}))).unwrap();
        answer["TimeToLiveDescription"]["TimeToLiveStatus"].as_str().unwrap().to_owned()
    };
    let hour = || tokio::time::sleep(std::time::Duration::from_secs(3601));
    ddb(&mut world, "UpdateTimeToLive", ttl("end", true)).unwrap();
    let (code, message) = refusal(&mut world, "UpdateTimeToLive", ttl("end", false));
    let refused = "Time to live has been modified multiple times within a fixed interval";
    assert_eq!((&*code, &*message), ("ValidationException", refused));
    assert_eq!(status(&mut world), "ENABLED");
    hour().await;
    ddb(&mut world, "UpdateTimeToLive", ttl("end", false)).unwrap();
    assert_eq!(status(&mut world), "DISABLING");
    assert_eq!(refusal(&mut world, "UpdateTimeToLive", ttl("other", true)).1, refused);
    hour().await;
    assert_eq!(status(&mut world), "DISABLED");
    ddb(&mut world, "UpdateTimeToLive", ttl("other", true)).unwrap();
}

#[test]
fn the_first_read_does_not_see_continuous_backups() {
    let mut world = with_table(json!({}));
    let on = table(json!({
        "PointInTimeRecoverySpecification": { "PointInTimeRecoveryEnabled": true } }));
    let first = ddb(&mut world, "UpdateContinuousBackups", on.clone());
    assert_eq!(first, Err("ContinuousBackupsUnavailableException".into()));
    ddb(&mut world, "UpdateContinuousBackups", on).unwrap();
    let answer = ddb(&mut world, "DescribeContinuousBackups", table(json!({}))).unwrap();
    let recovery = &answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"];
    assert_eq!(recovery["PointInTimeRecoveryStatus"], "ENABLED");
    assert_eq!(recovery["RecoveryPeriodInDays"], 35);
}

#[test]
fn tags_come_in_pages_of_ten() {
    let tags: Vec<Value> =
        (0..12).map(|n| json!({ "Key": format!("k{n:02}"), "Value": "v" })).collect();
    let mut world = with_table(json!({ "Tags": tags }));
    let arn = describe(&mut world)["TableArn"].clone();
    let first = ddb(&mut world, "ListTagsOfResource", json!({ "ResourceArn": arn })).unwrap();
    assert_eq!(first["Tags"].as_array().unwrap().len(), 10);
    let more = json!({ "ResourceArn": arn, "NextToken": first["NextToken"] });
    let second = ddb(&mut world, "ListTagsOfResource", more).unwrap();
    assert_eq!(second["Tags"].as_array().unwrap().len(), 2);
    let less = json!({ "ResourceArn": arn, "TagKeys": ["k11"] });
    ddb(&mut world, "UntagResource", less).unwrap();
    let bad = json!({ "ResourceArn": arn, "Tags": [{ "Key": "k", "Value": "(x)" }] });
    assert_eq!(ddb(&mut world, "TagResource", bad), Err("ValidationException".into()));
}

#[test]
fn items_are_stored_by_key() {
    let mut world = with_table(json!({}));
    let id = json!({ "id": { "S": "1" } });
    let item = json!({ "id": { "S": "1" }, "n": { "N": "2" } });
    ddb(&mut world, "PutItem", table(json!({ "Item": item }))).unwrap();
    let found = ddb(&mut world, "GetItem", table(json!({ "Key": id }))).unwrap();
    assert_eq!(found["Item"], item);
    let guarded = json!({ "Item": item, "ConditionExpression": "attribute_not_exists(id)" });
    let refused = ddb(&mut world, "PutItem", table(guarded));
    assert_eq!(refused, Err("ConditionalCheckFailedException".into()));
    let keyless = table(json!({ "Item": { "n": { "N": "2" } } }));
    assert_eq!(ddb(&mut world, "PutItem", keyless), Err("ValidationException".into()));
    assert_eq!(ddb(&mut world, "Scan", table(json!({}))).unwrap()["Count"], 1);
    ddb(&mut world, "DeleteItem", table(json!({ "Key": id }))).unwrap();
    assert_eq!(ddb(&mut world, "Scan", table(json!({}))).unwrap()["Count"], 0);
}

#[test]
fn tables_are_listed_in_pages() {
    let mut world = with_table(json!({}));
    ddb(&mut world, "CreateTable", spec(json!({ "TableName": "tac" }))).unwrap();
    let first = ddb(&mut world, "ListTables", json!({ "Limit": 1 })).unwrap();
    assert_eq!(first["TableNames"], json!(["tab"]));
    let start = json!({ "ExclusiveStartTableName": first["LastEvaluatedTableName"] });
    let second = ddb(&mut world, "ListTables", start).unwrap();
    assert_eq!(second, json!({ "TableNames": ["tac"] }));
}

#[test]
fn warm_throughput_is_as_configured_or_the_usable_capacity() {
    let warm = |view: &Value| view.get("WarmThroughput").cloned();
    let throughput = |read: i64, write: i64, status: &str| json!({ "ReadUnitsPerSecond": read, "WriteUnitsPerSecond": write, "Status": status });
    let mut world = World::default();
    let made = ddb(&mut world, "CreateTable", spec(json!({}))).unwrap();
    let made = &made["TableDescription"];
    assert_eq!(warm(made), None);
    assert_eq!(made["BillingModeSummary"], json!({ "BillingMode": "PAY_PER_REQUEST" }));
    describe(&mut world);
    assert_eq!(warm(&describe(&mut world)), Some(throughput(12_000, 4_000, "ACTIVE")));

    let told = json!({ "WarmThroughput": { "ReadUnitsPerSecond": 9, "WriteUnitsPerSecond": 8 } });
    let mut world = World::default();
    let made = ddb(&mut world, "CreateTable", spec(told)).unwrap();
    assert_eq!(warm(&made["TableDescription"]), Some(throughput(9, 8, "UPDATING")));
}

#[test]
fn key_changes_and_deletions_show_in_the_status() {
    let mut world = with_table(json!({ "SSESpecification": { "Enabled": true } }));
    let key = describe(&mut world)["SSEDescription"]["KMSMasterKeyArn"].clone();
    let off = table(json!({ "SSESpecification": { "Enabled": false } }));
    let changed = ddb(&mut world, "UpdateTable", off).unwrap();
    let told = &changed["TableDescription"]["SSEDescription"];
    assert_eq!((&told["Status"], &told["KMSMasterKeyArn"]), (&json!("UPDATING"), &key));
    describe(&mut world);
    assert_eq!(describe(&mut world).get("SSEDescription"), None);
    let gone = ddb(&mut world, "DeleteTable", table(json!({}))).unwrap();
    assert_eq!(gone["TableDescription"].get("KeySchema"), None);
    assert_eq!(gone["TableDescription"]["TableStatus"], "DELETING");
}

#[test]
fn capacity_errors_name_the_table_or_index() {
    let mut world = World::default();
    let paid = json!({ "ReadCapacityUnits": 1, "WriteCapacityUnits": 1 });
    let start = "One or more parameter values were invalid: ";
    let mut refused = |more: Value| {
        let (_, message) = refusal(&mut world, "CreateTable", spec(more));
        message.strip_prefix(start).unwrap().to_owned()
    };
    let table = refused(json!({ "ProvisionedThroughput": paid }));
    assert!(table.starts_with("Neither ReadCapacityUnits nor"), "{table}");
    let mut wanted = index("a");
    wanted["ProvisionedThroughput"] = paid.clone();
    let index = refused(json!({ "GlobalSecondaryIndexes": [wanted],
        "AttributeDefinitions": types(&["id", "a"]) }));
    assert_eq!(
        index,
        "ProvisionedThroughput should not be specified for index: by-a when \
                       BillingMode is PAY_PER_REQUEST"
    );
}
