//! Claims about the sandbox's Lambda.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::World;
use super::super::toolbox::testing::{REGION, ask, code};

const ROLE: &str = "arn:aws:iam::000000000000:role/work";

fn with_role() -> World {
    let mut world = World::default();
    let trust = json!({ "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "Service": "lambda.amazonaws.com" },
    }] });
    let input = json!({ "RoleName": "work", "AssumeRolePolicyDocument": trust.to_string() });
    ask(&mut world, "iam", "CreateRole", input).unwrap();
    world
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
    assert_eq!(found["VpcConfig"]["VpcId"], "");
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
    let code = code(lambda(&mut world, "UpdateFunctionCode", load));
    assert_eq!(code, "ResourceConflictException");
    let found = lambda(&mut world, "GetFunction", json!({ "FunctionName": "f" })).unwrap();
    assert_eq!(found["Configuration"]["LastUpdateStatus"], "InProgress");
}

#[tokio::test(start_paused = true)]
async fn interfaces_outlive_their_function() {
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
fn the_account_keeps_calls_for_everybody() {
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
fn a_statement_is_added_once_and_removed() {
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
