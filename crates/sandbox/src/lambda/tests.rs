//! Tests of Lambda.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::World;
use super::super::toolbox::testing::{REGION, ask, code};

mod versions;

const ROLE: &str = "arn:aws:iam::000000000000:role/work";

fn with_role() -> World {
    let mut world = World::default();
    make_role(&mut world, "work");
    world
}

fn make_role(world: &mut World, name: &str) {
    let trust = json!({ "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "Service": "lambda.amazonaws.com" },
    }] });
    let input = json!({ "RoleName": name, "AssumeRolePolicyDocument": trust.to_string() });
    ask(world, "iam", "CreateRole", input).unwrap();
}

fn zip(text: &str) -> String {
    STANDARD.encode(format!("PK{text}"))
}

fn function(name: &str) -> Value {
    json!({
        "FunctionName": name,
        "Role": ROLE,
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Timeout": 30,
        "Code": { "ZipFile": zip("1") },
    })
}

fn lambda(world: &mut World, operation: &str, input: Value) -> super::Answer {
    ask(world, "lambda", operation, input)
}

fn with_function() -> World {
    let mut world = with_role();
    lambda(&mut world, "CreateFunction", function("f")).unwrap();
    world
}

/// A VPC with a subnet and a group.
fn network(world: &mut World) -> (String, String) {
    let vpc = ask(world, "ec2", "CreateVpc", json!({ "CidrBlock": "10.0.0.0/16" })).unwrap();
    let vpc = vpc["vpc"]["vpcId"].as_str().unwrap().to_owned();
    let input = json!({ "VpcId": vpc, "CidrBlock": "10.0.1.0/24" });
    let subnet = ask(world, "ec2", "CreateSubnet", input).unwrap();
    let input = json!({ "VpcId": vpc, "GroupName": "g", "GroupDescription": "g" });
    let group = ask(world, "ec2", "CreateSecurityGroup", input).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&subnet["subnet"]["subnetId"]), text(&group["groupId"]))
}

#[test]
fn a_function_comes_back_with_its_defaults() {
    let mut world = with_function();
    let found = lambda(&mut world, "GetFunction", json!({ "FunctionName": "f" })).unwrap();
    let found = &found["Configuration"];
    assert_eq!((&found["MemorySize"], &found["State"]), (&json!(128), &json!("Active")));
    assert!(found.get("VpcConfig").is_none());
    assert_eq!(
        code(lambda(&mut world, "CreateFunction", function("f"))),
        "ResourceConflictException"
    );
}

#[test]
fn an_unknown_role_is_refused() {
    let mut world = with_role();
    let mut stranger = function("f");
    stranger["Role"] = json!("arn:aws:iam::000000000000:role/nobody");
    let refusal = lambda(&mut world, "CreateFunction", stranger).unwrap_err();
    assert!(refusal.message.contains("cannot be assumed by Lambda"));
}

#[test]
fn changes_do_not_overlap_in_a_strict_sandbox() {
    let mut world = with_function();
    world.base.strict = true;
    let change = json!({ "FunctionName": "f", "MemorySize": 256 });
    lambda(&mut world, "UpdateFunctionConfiguration", change).unwrap();
    let load = json!({ "FunctionName": "f", "ZipFile": zip("2") });
    let refused = code(lambda(&mut world, "UpdateFunctionCode", load));
    assert_eq!(refused, "ResourceConflictException");
    let found = lambda(&mut world, "GetFunction", json!({ "FunctionName": "f" })).unwrap();
    assert_eq!(found["Configuration"]["LastUpdateStatus"], "InProgress");
}

#[tokio::test(start_paused = true)]
async fn interfaces_stay_after_their_function_is_deleted() {
    let mut world = with_role();
    world.base.strict = true;
    let (subnet, group) = network(&mut world);
    tokio::time::advance(std::time::Duration::from_secs(11)).await;
    let mut inside = function("f");
    inside["VpcConfig"] = json!({ "SubnetIds": [subnet], "SecurityGroupIds": [group] });
    lambda(&mut world, "CreateFunction", inside).unwrap();
    lambda(&mut world, "DeleteFunction", json!({ "FunctionName": "f" })).unwrap();
    let delete =
        |world: &mut World| ask(world, "ec2", "DeleteSubnet", json!({ "SubnetId": subnet }));
    assert_eq!(code(delete(&mut world)), "DependencyViolation");
    let input = json!({ "GroupId": group });
    assert_eq!(code(ask(&mut world, "ec2", "DeleteSecurityGroup", input)), "DependencyViolation");
    let all = ask(&mut world, "ec2", "DescribeNetworkInterfaces", json!({})).unwrap();
    let one = &all["networkInterfaceSet"][0];
    assert!(one["description"].as_str().unwrap().starts_with("AWS Lambda VPC ENI"));
    let input = json!({ "NetworkInterfaceId": one["networkInterfaceId"] });
    assert!(ask(&mut world, "ec2", "DeleteNetworkInterface", input.clone()).is_err());
    tokio::time::advance(std::time::Duration::from_secs(1000)).await;
    ask(&mut world, "ec2", "DeleteNetworkInterface", input).unwrap();
    delete(&mut world).unwrap();
}

#[test]
fn reserved_concurrency_leaves_the_account_minimum() {
    let mut world = with_function();
    let mut reserve = |calls: i64| {
        let input = json!({ "FunctionName": "f", "ReservedConcurrentExecutions": calls });
        lambda(&mut world, "PutFunctionConcurrency", input)
    };
    assert_eq!(code(reserve(901)), "InvalidParameterValueException");
    reserve(900).unwrap();
    reserve(900).unwrap();
    let limits = lambda(&mut world, "GetAccountSettings", json!({})).unwrap();
    assert_eq!(limits["AccountLimit"]["UnreservedConcurrentExecutions"], 100);
}

#[test]
fn a_statement_id_is_unique_and_can_be_removed() {
    let mut world = with_function();
    let add = json!({
        "FunctionName": "f", "StatementId": "s", "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com", "SourceArn": "arn:rule",
    });
    lambda(&mut world, "AddPermission", add.clone()).unwrap();
    assert_eq!(code(lambda(&mut world, "AddPermission", add)), "ResourceConflictException");
    let about = json!({ "FunctionName": "f", "StatementId": "s" });
    let policy = lambda(&mut world, "GetPolicy", about.clone()).unwrap();
    assert!(policy["Policy"].as_str().unwrap().contains("AWS:SourceArn"));
    lambda(&mut world, "RemovePermission", about.clone()).unwrap();
    assert_eq!(code(lambda(&mut world, "GetPolicy", about)), "ResourceNotFoundException");
}

#[test]
fn an_event_source_fits_its_queue() {
    let mut world = with_function();
    let arn = format!("arn:aws:sqs:{REGION}:000000000000:q");
    let source = json!({ "FunctionName": "f", "EventSourceArn": arn, "BatchSize": 10 });
    let attributes = json!({ "VisibilityTimeout": "20" });
    let queue = json!({ "QueueName": "q", "Attributes": attributes });
    assert!(lambda(&mut world, "CreateEventSourceMapping", source.clone()).is_err());
    let made = ask(&mut world, "sqs", "CreateQueue", queue).unwrap();
    let refusal = lambda(&mut world, "CreateEventSourceMapping", source.clone()).unwrap_err();
    assert!(refusal.message.contains("less than Function timeout"), "{}", refusal.message);
    let input =
        json!({ "QueueUrl": made["QueueUrl"], "Attributes": { "VisibilityTimeout": "60" } });
    ask(&mut world, "sqs", "SetQueueAttributes", input).unwrap();
    lambda(&mut world, "CreateEventSourceMapping", source.clone()).unwrap();
    let twice = code(lambda(&mut world, "CreateEventSourceMapping", source));
    assert_eq!(twice, "ResourceConflictException");
    let listed = lambda(&mut world, "ListEventSourceMappings", json!({})).unwrap();
    let id = listed["EventSourceMappings"][0]["UUID"].clone();
    let big = json!({ "UUID": id, "BatchSize": 100 });
    assert!(lambda(&mut world, "UpdateEventSourceMapping", big).is_err());
    lambda(&mut world, "DeleteEventSourceMapping", json!({ "UUID": id })).unwrap();
    assert!(lambda(&mut world, "GetEventSourceMapping", json!({ "UUID": id })).is_err());
}

fn refusal(world: &mut World, operation: &str, input: Value) -> (u16, String, String) {
    let refusal = lambda(world, operation, input).unwrap_err();
    (refusal.status, refusal.code, refusal.message)
}

#[test]
fn updates_answer_in_progress_and_make_revisions() {
    let mut world = with_role();
    let made = lambda(&mut world, "CreateFunction", function("f")).unwrap();
    assert_eq!((&made["State"], &made["StateReasonCode"]), (&json!("Pending"), &json!("Creating")));
    assert!(made.get("LastUpdateStatus").is_none());
    let about = json!({ "FunctionName": "f" });
    let there = lambda(&mut world, "GetFunctionConfiguration", about.clone()).unwrap();
    assert_eq!(there["LastUpdateStatus"], "Successful");
    assert_ne!(there["RevisionId"], made["RevisionId"]);
    let mut change = json!({ "FunctionName": "f", "Timeout": 5, "RevisionId": made["RevisionId"] });
    let refused = refusal(&mut world, "UpdateFunctionConfiguration", change.clone());
    assert_eq!((refused.0, refused.1.as_str()), (412, "PreconditionFailedException"));
    change["RevisionId"] = there["RevisionId"].clone();
    let changed = lambda(&mut world, "UpdateFunctionConfiguration", change).unwrap();
    assert_eq!(changed["LastUpdateStatus"], "InProgress");
    let tags = json!({ "Resource": there["FunctionArn"], "Tags": { "a": "b" } });
    let before = lambda(&mut world, "GetFunctionConfiguration", about.clone()).unwrap();
    lambda(&mut world, "TagResource", tags).unwrap();
    let after = lambda(&mut world, "GetFunctionConfiguration", about).unwrap();
    assert_ne!(before["RevisionId"], after["RevisionId"]);
}

#[test]
fn invalid_functions_are_refused_as_by_aws() {
    let mut world = with_role();
    for (member, value, code, words) in [
        ("Runtime", json!("go1.x"), "InvalidParameterValueException", "is no longer supported"),
        ("Runtime", json!("PYTHON3.9"), "InvalidParameterValueException", "or be a valid ARN"),
        ("Role", json!("r1"), "ValidationException", "Value 'r1' at 'role' failed"),
        ("Architectures", json!(["arm64", "x86_64"]), "ValidationException", "'[arm64, x86_64]'"),
        ("SnapStart", json!({ "ApplyOn": "x" }), "ValidationException", "snapStart.applyOn"),
        ("MemorySize", json!(64), "ValidationException", "greater than or equal to 128"),
        ("Timeout", json!(901), "InvalidParameterValueException", "less than or equal to 900"),
        ("FunctionName", json!("a".repeat(65)), "InvalidParameterValueException", "equal to 64"),
        ("FunctionName", json!("a".repeat(141)), "ValidationException", "equal to 140"),
        ("Code", json!({ "ZipFile": "" }), "InvalidParameterValueException", "Could not unzip"),
        (
            "Environment",
            json!({ "Variables": { "A": "x".repeat(4089) } }),
            "InvalidParameterValueException",
            "exceeded the 4KB limit. String measured: {\"A\":\"x",
        ),
        (
            "VpcConfig",
            json!({ "SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"] }),
            "InvalidParameterValueException",
            "DescribeSecurityGroups. EC2 Error Code: InvalidGroup.NotFound.",
        ),
    ] {
        let mut input = function("f");
        input[member] = value;
        let (_, found, message) = refusal(&mut world, "CreateFunction", input);
        assert_eq!(found, code, "{message}");
        assert!(message.contains(words), "{message}");
    }
    let mut input = function("f");
    input["Environment"] = json!({ "Variables": { "A": "x".repeat(4088) } });
    lambda(&mut world, "CreateFunction", input).unwrap();
}

#[test]
fn log_levels_need_the_json_format() {
    let mut world = with_function();
    let mut log = |logging: Value| {
        let input = json!({ "FunctionName": "f", "LoggingConfig": logging });
        lambda(&mut world, "UpdateFunctionConfiguration", input).unwrap()["LoggingConfig"].clone()
    };
    let text = json!({ "LogFormat": "Text", "LogGroup": "mine" });
    assert_eq!(log(json!({ "LogGroup": "mine" })), text);
    let levels = json!({
        "LogFormat": "JSON", "LogGroup": "mine",
        "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "INFO",
    });
    assert_eq!(log(json!({ "LogFormat": "JSON", "ApplicationLogLevel": "DEBUG" })), levels);
    assert_eq!(log(json!({ "LogFormat": "Text" })), text);
}

#[test]
fn missing_versions_and_aliases_are_not_found() {
    let mut world = with_function();
    let arn = format!("arn:aws:lambda:{REGION}:000000000000:function:f");
    let about = |qualifier: &str| json!({ "FunctionName": "f", "Qualifier": qualifier });
    let latest = lambda(&mut world, "GetFunction", about("$LATEST")).unwrap();
    assert_eq!(latest["Configuration"]["FunctionArn"], format!("{arn}:$LATEST"));
    let (status, _, message) = refusal(&mut world, "GetFunction", about("7"));
    assert_eq!((status, message), (404, format!("Function not found: {arn}:7")));
    lambda(&mut world, "DeleteFunction", about("7")).unwrap();
    for (qualifier, words) in [("$LATEST", "cannot be deleted without"), ("live", "of aliases")] {
        let (_, code, message) = refusal(&mut world, "DeleteFunction", about(qualifier));
        assert_eq!(code, "InvalidParameterValueException");
        assert!(message.contains(words), "{message}");
    }
    let input = json!({ "FunctionName": "f:7", "ReservedConcurrentExecutions": 1 });
    assert!(refusal(&mut world, "PutFunctionConcurrency", input).2.contains("unqualified"));
}

#[test]
fn statements_stay_in_their_order_and_are_refused_as_aws_refuses_them() {
    let mut world = with_function();
    let permit = |name: &str, id: &str, principal: &str| {
        json!({
            "FunctionName": name, "StatementId": id, "Action": "lambda:InvokeFunction",
            "Principal": principal,
        })
    };
    let service = "s3.amazonaws.com";
    for (input, code, words) in [
        (permit("f", "a.b", service), "ValidationException", "([a-zA-Z0-9-_]+)"),
        (permit("f", "a", "x.example"), "InvalidParameterValueException", "principal was invalid"),
        (permit("f:$LATEST", "a", service), "InvalidParameterValueException", "for $LATEST"),
        (permit("f:live", "a", service), "ResourceNotFoundException", "Cannot find alias arn"),
        (permit("f:7", "a", service), "ResourceNotFoundException", "Function not found"),
    ] {
        let (_, found, message) = refusal(&mut world, "AddPermission", input);
        assert!(found == code && message.contains(words), "{found}: {message}");
    }
    let about = json!({ "FunctionName": "f", "StatementId": "z" });
    let none = refusal(&mut world, "RemovePermission", about.clone());
    assert!(none.2.starts_with("No policy is associated"), "{}", none.2);
    for id in ["b", "a"] {
        lambda(&mut world, "AddPermission", permit("f", id, service)).unwrap();
    }
    let policy = lambda(&mut world, "GetPolicy", about.clone()).unwrap();
    let policy: Value = serde_json::from_str(policy["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&policy["Statement"][0]["Sid"], &policy["Statement"][1]["Sid"]),
        (&json!("b"), &json!("a"))
    );
    assert!(refusal(&mut world, "RemovePermission", about).2.starts_with("Statement z is not"));
}

#[test]
fn an_older_state_file_of_statements_is_read() {
    let kept = json!({ "policy": { "s": { "Sid": "s" } } });
    let read: super::functions::Function = serde_json::from_value(kept).unwrap();
    assert_eq!(read.policy, [json!({ "Sid": "s" })]);
}

#[test]
fn tags_are_refused_as_lambda_refuses_them() {
    let mut world = with_function();
    let arn = |rest: &str| format!("arn:aws:lambda:{REGION}:000000000000:{rest}");
    let one = json!({ "a": "b" });
    let many: serde_json::Map<String, Value> =
        (0..51).map(|n| (n.to_string(), json!(""))).collect();
    let id = "event-source-mapping:00000000-0000-0000-0000-000000000000";
    for (resource, tags, words) in [
        (arn("function:f"), json!({}), "An error occurred and the request cannot be processed."),
        (arn("function:f"), json!(many), "Number of tags exceeds resource tag limit."),
        (arn("function:f:1"), one.clone(), "Tags on function aliases and versions"),
        (arn("function:g"), one.clone(), "Function not found: arn"),
        (arn(id), one.clone(), "Event source mapping not found: arn"),
        (arn("capacity-provider:g"), one.clone(), "Capacity provider not found: arn"),
        (arn("thing:g"), one, "1 validation error detected: Value 'arn"),
    ] {
        let input = json!({ "Resource": resource, "Tags": tags });
        let (_, _, message) = refusal(&mut world, "TagResource", input);
        assert!(message.starts_with(words), "{message}");
    }
    let input = json!({ "Resource": arn("function:f") });
    assert!(refusal(&mut world, "UntagResource", input).2.contains("Value null at 'tagKeys'"));
}

#[test]
fn event_sources_are_refused_as_aws_refuses_them() {
    let mut world = with_function();
    let made = ask(&mut world, "sqs", "CreateQueue", json!({ "QueueName": "q" })).unwrap();
    assert!(made["QueueUrl"].is_string());
    let queue = format!("arn:aws:sqs:{REGION}:000000000000:q");
    let stream = format!("arn:aws:dynamodb:{REGION}:000000000000:table/t/stream/s");
    for (function, source, more, words) in [
        ("f", "", json!({}), "Unrecognized event source."),
        ("g", &*queue, json!({}), "Function does not exist"),
        ("f", &*queue, json!({ "DestinationConfig": { "OnSuccess": {} } }), "Unsupported Dest"),
        (
            "f",
            &*stream,
            json!({ "StartingPosition": "x" }),
            "1 validation error detected: Value 'x'",
        ),
        ("f", &*stream, json!({}), "1 validation error detected: Value null"),
        ("f", &*stream, json!({ "StartingPosition": "AT_TIMESTAMP" }), "Unsupported starting"),
        ("f", &*stream, json!({ "StartingPosition": "LATEST" }), "Stream not found: arn"),
        ("f", &*queue, json!({ "BatchSize": 11 }), "Maximum batch window in seconds must be"),
        (
            "f",
            &*queue,
            json!({ "FilterCriteria": { "Filters": [{ "Pattern": "{\"a\":\"b\"}" }] } }),
            "Invalid filter pattern definition.",
        ),
    ] {
        let mut input = more;
        input["FunctionName"] = json!(function);
        input["EventSourceArn"] = json!(source);
        let (_, _, message) = refusal(&mut world, "CreateEventSourceMapping", input);
        assert!(message.starts_with(words), "{message}");
    }
}

#[test]
fn answers_have_the_status_and_refusals_the_body_of_lambda() {
    assert_eq!(
        ["CreateFunction", "DeleteFunction", "GetFunction"].map(super::status),
        [201, 204, 200]
    );
    let gone = json!({ "Type": "User", "Message": "m" });
    assert_eq!(super::body("ResourceNotFoundException", "m"), gone);
    let bad = json!({ "Type": "User", "message": "m" });
    assert_eq!(super::body("InvalidParameterValueException", "m"), bad);
    assert_eq!(super::body("ValidationException", "m"), json!({ "message": "m" }));
    let message = "Specified ReservedConcurrentExecutions for function decreases";
    let limit = super::body("InvalidParameterValueException", message);
    assert_eq!(limit, json!({ "message": message }));
    assert_eq!(super::body("AccessDeniedException", ""), json!({ "message": null }));
}
