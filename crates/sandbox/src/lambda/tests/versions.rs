//! Claims about versions, aliases and provisioned concurrency.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::Answer;
use super::{
    REGION, World, ask, code, function, lambda, make_role, refusal, with_function, with_role, zip,
};

fn arn(rest: &str) -> String {
    format!("arn:aws:lambda:{REGION}:000000000000:function:{rest}")
}

fn about(qualifier: &str) -> Value {
    json!({ "FunctionName": "f", "Qualifier": qualifier })
}

fn change(world: &mut World, description: &str) {
    let input = json!({ "FunctionName": "f", "Description": description });
    lambda(world, "UpdateFunctionConfiguration", input).unwrap();
}

fn publish(world: &mut World, more: Value) -> Answer {
    let mut input = more;
    input["FunctionName"] = json!("f");
    lambda(world, "PublishVersion", input)
}

/// A function with two versions.
fn with_versions() -> World {
    let mut world = with_function();
    publish(&mut world, json!({})).unwrap();
    change(&mut world, "two");
    publish(&mut world, json!({})).unwrap();
    world
}

fn alias(world: &mut World, name: &str, version: &str, weights: Value) -> Answer {
    let input = json!({
        "FunctionName": "f", "Name": name, "FunctionVersion": version,
        "RoutingConfig": { "AdditionalVersionWeights": weights },
    });
    lambda(world, "CreateAlias", input)
}

fn numbers(world: &mut World) -> Vec<String> {
    let input = json!({ "FunctionName": "f" });
    let listed = lambda(world, "ListVersionsByFunction", input).unwrap();
    let versions = listed["Versions"].as_array().unwrap().iter();
    versions.map(|one| one["Version"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_version_keeps_what_was_published_and_its_own_description() {
    let mut world = with_function();
    let first = publish(&mut world, json!({ "Description": "first" })).unwrap();
    assert_eq!(
        [&first["Version"], &first["FunctionArn"], &first["Description"], &first["State"]],
        [&json!("1"), &json!(arn("f:1")), &json!("first"), &json!("Active")]
    );
    // Nothing has changed since.
    assert_eq!(publish(&mut world, json!({ "Description": "again" })).unwrap(), first);
    change(&mut world, "second");
    let seen = lambda(&mut world, "GetFunction", about("1")).unwrap();
    assert_eq!(seen["Configuration"], first);
    let second = publish(&mut world, json!({})).unwrap();
    assert_eq!((&second["Version"], &second["Description"]), (&json!("2"), &json!("second")));
    assert_eq!(numbers(&mut world), ["$LATEST", "1", "2"]);
    lambda(&mut world, "DeleteFunction", about("2")).unwrap();
    // A number is never used again.
    assert_eq!(publish(&mut world, json!({})).unwrap()["Version"], "3");
    assert_eq!(numbers(&mut world), ["$LATEST", "1", "3"]);
}

#[test]
fn versions_are_listed_without_state_and_in_pages() {
    let mut world = with_versions();
    let list = |world: &mut World, more: Value| {
        let mut input = more;
        input["FunctionName"] = json!("f");
        lambda(world, "ListVersionsByFunction", input).unwrap()
    };
    let first = list(&mut world, json!({ "MaxItems": "2" }));
    assert_eq!(first["Versions"][0]["FunctionArn"], arn("f:$LATEST"));
    assert!(first["Versions"][1].get("State").is_none());
    let rest = list(&mut world, json!({ "Marker": first["NextMarker"] }));
    assert_eq!(rest["Versions"].as_array().unwrap().len(), 1);
    assert_eq!(rest["Versions"][0]["Version"], "2");
    let all = lambda(&mut world, "ListFunctions", json!({ "FunctionVersion": "ALL" })).unwrap();
    assert_eq!(all["Functions"].as_array().unwrap().len(), 3);
}

#[test]
fn publishing_tests_its_preconditions() {
    let mut world = with_function();
    let (status, code, message) =
        refusal(&mut world, "PublishVersion", json!({ "FunctionName": "f", "RevisionId": "x" }));
    assert_eq!((status, code.as_str()), (412, "PreconditionFailedException"));
    assert!(message.ends_with("GetFunction/GetAlias API to retrieve the latest Revision Id"));
    let (_, code, message) =
        refusal(&mut world, "PublishVersion", json!({ "FunctionName": "f", "CodeSha256": "x" }));
    assert_eq!(code, "InvalidParameterValueException");
    assert!(message.starts_with("CodeSHA256 (x) is different from current CodeSHA256 in $LATEST"));
    let now = lambda(&mut world, "GetFunctionConfiguration", about("$LATEST")).unwrap();
    let input = json!({ "RevisionId": now["RevisionId"], "CodeSha256": now["CodeSha256"] });
    publish(&mut world, input).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_function_that_is_changing_is_not_published() {
    let mut world = with_function();
    world.base.strict = true;
    change(&mut world, "slow");
    assert_eq!(code(publish(&mut world, json!({}))), "ResourceConflictException");
    tokio::time::advance(Duration::from_secs(5)).await;
    publish(&mut world, json!({})).unwrap();
}

#[test]
fn creation_and_new_code_can_publish_at_once() {
    let mut world = with_role();
    let mut input = function("f");
    input["Publish"] = json!(true);
    let made = lambda(&mut world, "CreateFunction", input).unwrap();
    assert_eq!((&made["Version"], &made["FunctionArn"]), (&json!("1"), &json!(arn("f"))));
    let input = json!({ "FunctionName": "f", "ZipFile": zip("2"), "Publish": true });
    let loaded = lambda(&mut world, "UpdateFunctionCode", input).unwrap();
    assert_eq!(
        [&loaded["Version"], &loaded["FunctionArn"], &loaded["State"]],
        [&json!("2"), &json!(arn("f:2")), &json!("Pending")]
    );
}

#[test]
fn an_alias_names_one_version_or_two_by_weight() {
    let mut world = with_versions();
    let made = alias(&mut world, "live", "1", json!({ "2": 0.25 })).unwrap();
    assert_eq!(
        made,
        json!({
            "AliasArn": arn("f:live"), "Name": "live", "FunctionVersion": "1", "Description": "",
            "RevisionId": made["RevisionId"],
            "RoutingConfig": { "AdditionalVersionWeights": { "2": 0.25 } },
        })
    );
    let name = json!({ "FunctionName": "f", "Name": "live" });
    assert_eq!(lambda(&mut world, "GetAlias", name.clone()).unwrap(), made);
    let seen = lambda(&mut world, "GetFunction", about("live")).unwrap();
    let seen = &seen["Configuration"];
    assert_eq!((&seen["Version"], &seen["FunctionArn"]), (&json!("1"), &json!(arn("f:live"))));
    let mut update = name.clone();
    update["RevisionId"] = json!("x");
    let refused = refusal(&mut world, "UpdateAlias", update.clone());
    assert_eq!((refused.0, refused.1.as_str()), (412, "PreconditionFailedException"));
    update["RevisionId"] = made["RevisionId"].clone();
    update["RoutingConfig"] = json!({});
    update["FunctionVersion"] = json!("2");
    let changed = lambda(&mut world, "UpdateAlias", update).unwrap();
    assert_eq!(changed["FunctionVersion"], "2");
    assert!(changed.get("RoutingConfig").is_none());
    assert_ne!(changed["RevisionId"], made["RevisionId"]);
    let listed = json!({ "FunctionName": "f", "FunctionVersion": "1" });
    assert_eq!(lambda(&mut world, "ListAliases", listed).unwrap()["Aliases"], json!([]));
    lambda(&mut world, "DeleteAlias", name.clone()).unwrap();
    lambda(&mut world, "DeleteAlias", name.clone()).unwrap();
    assert!(refusal(&mut world, "GetAlias", name.clone()).2.starts_with("Cannot find alias arn:"));
    assert!(refusal(&mut world, "UpdateAlias", name).2.starts_with("Alias not found: arn:"));
}

#[test]
fn invalid_aliases_are_refused_as_aws_refuses_them() {
    let mut world = with_versions();
    let many = "Number of items in AdditionalVersionWeights cannot be greater than 1";
    let range = "1 validation error detected: Value '{2=2.0}' at \
                 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value \
                 must satisfy constraint: [Member must have value less than or equal to 1.0, \
                 Member must have value greater than or equal to 0.0, Member must not be null]";
    let same = "Invalid function version 1. Function version 1 is already included in routing \
                configuration.";
    let number = "1 validation error detected: Value '2024' at 'name' failed to satisfy \
                  constraint: Member must satisfy regular expression pattern: \
                  (?!^[0-9]+$)([a-zA-Z0-9-_]+)";
    let keys = "Value '{$LATEST=0.5}' at 'routingConfig.additionalVersionWeights' failed to \
                satisfy constraint: Map keys must satisfy constraint: [Member must have length";
    let latest = "$LATEST is not supported for an alias pointing to more than 1 version";
    let unknown = format!("Function not found: {}", arn("f:10"));
    let parameter = "InvalidParameterValueException";
    for (name, version, weights, code, words) in [
        ("a", "1", json!({ "1": 0.1, "2": 0.1 }), parameter, many),
        ("a", "1", json!({ "2": 2.0 }), "ValidationException", range),
        ("a", "1", json!({ "$LATEST": 0.5 }), "ValidationException", keys),
        ("a", "1", json!({ "1": 0.5 }), parameter, same),
        ("a", "10", json!({}), "ResourceNotFoundException", &*unknown),
        ("a", "1", json!({ "10": 0.5 }), "ResourceNotFoundException", &*unknown),
        ("a", "$LATEST", json!({ "1": 0.5 }), parameter, latest),
        ("2024", "1", json!({}), "ValidationException", number),
    ] {
        let refused = alias(&mut world, name, version, weights).unwrap_err();
        assert_eq!(refused.code, code, "{}", refused.message);
        assert!(refused.message.contains(words), "{}", refused.message);
    }
    alias(&mut world, "2024-01-02", "$LATEST", json!({})).unwrap();
    let twice = alias(&mut world, "2024-01-02", "1", json!({})).unwrap_err();
    assert_eq!((twice.status, twice.code.as_str()), (409, "ResourceConflictException"));
    let body = super::super::body(parameter, latest);
    assert_eq!(body, json!({ "message": latest }));
}

#[test]
fn a_version_that_an_alias_names_is_not_deleted() {
    let mut world = with_versions();
    alias(&mut world, "live", "1", json!({ "2": 0.5 })).unwrap();
    for version in ["1", "2"] {
        let (status, code, message) = refusal(&mut world, "DeleteFunction", about(version));
        assert_eq!((status, code.as_str()), (409, "ResourceConflictException"));
        let words = "Unable to delete version because the following aliases reference it: [live]";
        assert_eq!(message, words);
    }
    lambda(&mut world, "DeleteFunction", json!({ "FunctionName": "f" })).unwrap();
}

#[test]
fn every_qualifier_has_a_policy_of_its_own() {
    let mut world = with_versions();
    let made = alias(&mut world, "live", "1", json!({})).unwrap();
    let permit = |qualifier: Value, revision: Value| {
        let mut input = json!({
            "FunctionName": "f", "StatementId": "s", "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com", "SourceArn": "arn:rule",
        });
        if qualifier.is_string() {
            input["Qualifier"] = qualifier;
        }
        if revision.is_string() {
            input["RevisionId"] = revision;
        }
        input
    };
    lambda(&mut world, "AddPermission", permit(Value::Null, Value::Null)).unwrap();
    let policy = |world: &mut World, qualifier: &str| {
        let answer = lambda(world, "GetPolicy", about(qualifier)).map_err(|it| it.message)?;
        let policy: Value = serde_json::from_str(answer["Policy"].as_str().unwrap()).unwrap();
        Ok::<_, String>((policy["Statement"][0]["Resource"].clone(), answer["RevisionId"].clone()))
    };
    let none = Err("The resource you requested does not exist.".to_owned());
    assert_eq!(policy(&mut world, "live"), none);
    let wrong = permit(json!("live"), json!("x"));
    assert_eq!(
        refusal(&mut world, "AddPermission", wrong).2,
        "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API \
         to retrieve the latest Revision Id"
    );
    let right = permit(json!("live"), made["RevisionId"].clone());
    lambda(&mut world, "AddPermission", right).unwrap();
    lambda(&mut world, "AddPermission", permit(json!("1"), Value::Null)).unwrap();
    let (resource, revision) = policy(&mut world, "live").unwrap();
    assert_eq!(resource, arn("f:live"));
    let name = json!({ "FunctionName": "f", "Name": "live" });
    assert_eq!(lambda(&mut world, "GetAlias", name).unwrap()["RevisionId"], revision);
    assert_eq!(policy(&mut world, "1").unwrap().0, arn("f:1"));
    let may = |world: &World, function: &str| {
        let service = "events.amazonaws.com";
        super::super::may_be_called(&world.lambda, REGION, function, service, "arn:rule")
    };
    assert!(may(&world, &arn("f")) && may(&world, &arn("f:live")) && !may(&world, &arn("f:2")));
    let mut remove = about("live");
    remove["StatementId"] = json!("s");
    lambda(&mut world, "RemovePermission", remove).unwrap();
    assert_eq!(policy(&mut world, "live"), none);
    assert!(may(&world, &arn("f:1")));
}

#[test]
fn an_event_source_can_call_an_alias() {
    let mut world = with_versions();
    alias(&mut world, "live", "1", json!({})).unwrap();
    let input = json!({ "QueueName": "q", "Attributes": { "VisibilityTimeout": "60" } });
    ask(&mut world, "sqs", "CreateQueue", input).unwrap();
    let queue = format!("arn:aws:sqs:{REGION}:000000000000:q");
    let source = |name: &str| json!({ "FunctionName": name, "EventSourceArn": queue });
    let made = lambda(&mut world, "CreateEventSourceMapping", source("f:live")).unwrap();
    assert_eq!(made["FunctionArn"], arn("f:live"));
    let of_alias = json!({ "FunctionName": arn("f:live") });
    let listed = lambda(&mut world, "ListEventSourceMappings", of_alias).unwrap();
    assert_eq!(listed["EventSourceMappings"].as_array().unwrap().len(), 1);
    let (_, _, message) = refusal(&mut world, "CreateEventSourceMapping", source("f:none"));
    assert_eq!(message, "Function does not exist");
}

fn provision(world: &mut World, qualifier: &str, count: i64) -> Answer {
    let mut input = about(qualifier);
    input["ProvisionedConcurrentExecutions"] = json!(count);
    lambda(world, "PutProvisionedConcurrencyConfig", input)
}

#[tokio::test(start_paused = true)]
async fn provisioned_concurrency_takes_time_in_a_strict_sandbox() {
    let mut world = with_versions();
    world.base.strict = true;
    let put = provision(&mut world, "1", 3).unwrap();
    assert_eq!(
        [&put["Status"], &put["AvailableProvisionedConcurrentExecutions"]],
        [&json!("IN_PROGRESS"), &json!(0)]
    );
    let read = |world: &mut World| {
        lambda(world, "GetProvisionedConcurrencyConfig", about("1")).unwrap()["Status"].clone()
    };
    assert_eq!(read(&mut world), "IN_PROGRESS");
    tokio::time::advance(Duration::from_secs(91)).await;
    assert_eq!(read(&mut world), "READY");
    let input = json!({ "FunctionName": "f" });
    let listed = lambda(&mut world, "ListProvisionedConcurrencyConfigs", input).unwrap();
    let one = &listed["ProvisionedConcurrencyConfigs"][0];
    assert_eq!(
        [&one["FunctionArn"], &one["AllocatedProvisionedConcurrentExecutions"]],
        [&json!(arn("f:1")), &json!(3)]
    );
}

#[test]
fn provisioned_concurrency_is_for_published_versions_and_once_for_each() {
    let mut world = with_versions();
    alias(&mut world, "live", "1", json!({})).unwrap();
    let config = "GetProvisionedConcurrencyConfig";
    for (qualifier, words) in [
        ("$LATEST", "The function resource provided must be an alias or a published version."),
        ("none", "Cannot find alias arn: arn:aws:lambda"),
        ("10", "Function not found: arn:aws:lambda"),
        ("1", "No Provisioned Concurrency Config found for this function"),
    ] {
        let message = refusal(&mut world, config, about(qualifier)).2;
        assert!(message.starts_with(words), "{message}");
    }
    let latest = provision(&mut world, "$LATEST", 1).unwrap_err().message;
    assert!(latest.ends_with("cannot be applied to unpublished function versions."), "{latest}");
    let zero = provision(&mut world, "1", 0).unwrap_err().message;
    assert!(zero.ends_with("Member must have value greater than or equal to 1"), "{zero}");
    provision(&mut world, "1", 1).unwrap();
    let conflict = provision(&mut world, "live", 1).unwrap_err();
    assert_eq!((conflict.status, conflict.code.as_str()), (409, "ResourceConflictException"));
    assert!(conflict.message.ends_with("on an already Provisioned version"));
    lambda(&mut world, "DeleteProvisionedConcurrencyConfig", about("1")).unwrap();
    lambda(&mut world, "DeleteProvisionedConcurrencyConfig", about("1")).unwrap();
    provision(&mut world, "live", 1).unwrap();
    let conflict = provision(&mut world, "1", 1).unwrap_err().message;
    assert_eq!(conflict, "Version is pointed by a Provisioned Concurrency alias");
    let name = json!({ "FunctionName": "f", "Name": "live" });
    lambda(&mut world, "DeleteAlias", name).unwrap();
    let listed = json!({ "FunctionName": "f" });
    let listed = lambda(&mut world, "ListProvisionedConcurrencyConfigs", listed).unwrap();
    assert_eq!(listed["ProvisionedConcurrencyConfigs"], json!([]));
}

#[test]
fn two_aliases_of_one_version_do_not_both_have_provisioned_concurrency() {
    let mut world = with_versions();
    for (name, version) in [("live", "1"), ("same", "1"), ("next", "2")] {
        alias(&mut world, name, version, json!({})).unwrap();
    }
    provision(&mut world, "live", 1).unwrap();
    provision(&mut world, "next", 1).unwrap();
    let words = "on an already Provisioned version";
    let refused = provision(&mut world, "same", 1).unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (409, "ResourceConflictException"));
    assert!(refused.message.ends_with(words), "{}", refused.message);
    let moved = json!({ "FunctionName": "f", "Name": "next", "FunctionVersion": "1" });
    assert!(refusal(&mut world, "UpdateAlias", moved).2.ends_with(words));
    lambda(&mut world, "DeleteProvisionedConcurrencyConfig", about("live")).unwrap();
    provision(&mut world, "same", 1).unwrap();
}

#[test]
fn an_alias_with_two_versions_keeps_its_provisioned_concurrency_as_it_is() {
    let mut world = with_versions();
    alias(&mut world, "live", "1", json!({})).unwrap();
    provision(&mut world, "live", 1).unwrap();
    let routed = |weights: Value| {
        json!({ "FunctionName": "f", "Name": "live", "RoutingConfig":
            { "AdditionalVersionWeights": weights } })
    };
    lambda(&mut world, "UpdateAlias", routed(json!({ "2": 0.0 }))).unwrap();
    let refused = provision(&mut world, "live", 2).unwrap_err();
    let words = "Alias with weights can not be used with Provisioned Concurrency";
    assert_eq!((refused.status, refused.message.as_str()), (400, words));
    lambda(&mut world, "UpdateAlias", routed(json!({}))).unwrap();
    provision(&mut world, "live", 2).unwrap();
}

#[tokio::test(start_paused = true)]
async fn calls_stay_at_the_old_version_until_the_new_one_is_provisioned() {
    let mut world = with_versions();
    alias(&mut world, "live", "1", json!({})).unwrap();
    provision(&mut world, "live", 1).unwrap();
    world.base.strict = true;
    let moved = json!({ "FunctionName": "f", "Name": "live", "FunctionVersion": "2" });
    let weights = |alias: Value| alias["RoutingConfig"]["AdditionalVersionWeights"].clone();
    let moved = lambda(&mut world, "UpdateAlias", moved).unwrap();
    assert_eq!(weights(moved), json!({ "1": 1.0 }));
    let status = |world: &mut World| {
        let read = lambda(world, "GetProvisionedConcurrencyConfig", about("live")).unwrap();
        read["Status"].clone()
    };
    assert_eq!(status(&mut world), "IN_PROGRESS");
    let refused = refusal(&mut world, "DeleteFunction", about("1")).2;
    assert!(refused.starts_with("Unable to delete version"), "{refused}");
    assert!(provision(&mut world, "live", 2).unwrap_err().message.starts_with("Alias with"));
    tokio::time::advance(Duration::from_secs(91)).await;
    assert_eq!(status(&mut world), "READY");
    let name = json!({ "FunctionName": "f", "Name": "live" });
    assert_eq!(weights(lambda(&mut world, "GetAlias", name).unwrap()), Value::Null);
    lambda(&mut world, "DeleteFunction", about("1")).unwrap();
}

#[test]
fn two_versions_share_calls_only_with_the_same_role_and_dead_letter_target() {
    let mut world = with_versions();
    let queue = json!({ "QueueName": "dead" });
    ask(&mut world, "sqs", "CreateQueue", queue).unwrap();
    let target = json!({ "TargetArn": "arn:aws:sqs:us-east-1:000000000000:dead" });
    let change = json!({ "FunctionName": "f", "DeadLetterConfig": target });
    lambda(&mut world, "UpdateFunctionConfiguration", change).unwrap();
    publish(&mut world, json!({})).unwrap();
    let refused = alias(&mut world, "live", "1", json!({ "3": 0.0 })).unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (400, "InvalidParameterValueException"));
    assert!(refused.message.ends_with("the same dead letter configuration"));
    make_role(&mut world, "other");
    let change = json!({ "FunctionName": "f", "Role": "arn:aws:iam::000000000000:role/other" });
    lambda(&mut world, "UpdateFunctionConfiguration", change).unwrap();
    publish(&mut world, json!({})).unwrap();
    alias(&mut world, "live", "1", json!({ "2": 0.5 })).unwrap();
    let update = json!({ "FunctionName": "f", "Name": "live", "FunctionVersion": "3",
        "RoutingConfig": { "AdditionalVersionWeights": { "4": 0.0 } } });
    let refused = refusal(&mut world, "UpdateAlias", update).2;
    assert_eq!(refused, "Specified versions must be associated with the same execution role");
}

#[test]
fn provisioned_and_reserved_concurrency_share_the_account() {
    let mut world = with_versions();
    let reserve = |world: &mut World, count: i64| {
        let input = json!({ "FunctionName": "f", "ReservedConcurrentExecutions": count });
        lambda(world, "PutFunctionConcurrency", input).map_err(|refusal| refusal.message)
    };
    let many = provision(&mut world, "1", 1001).unwrap_err().message;
    assert!(many.ends_with("greater than account's unreserved concurrency [1000]."), "{many}");
    let many = provision(&mut world, "1", 901).unwrap_err().message;
    assert!(many.ends_with("below its minimum value of [100]."), "{many}");
    provision(&mut world, "1", 10).unwrap();
    let limits = lambda(&mut world, "GetAccountSettings", json!({})).unwrap();
    assert_eq!(limits["AccountLimit"]["UnreservedConcurrentExecutions"], 990);
    let low = reserve(&mut world, 9).unwrap_err();
    assert!(low.ends_with("lower than function's total provisioned concurrency [10]."), "{low}");
    reserve(&mut world, 20).unwrap();
    let limits = lambda(&mut world, "GetAccountSettings", json!({})).unwrap();
    assert_eq!(limits["AccountLimit"]["UnreservedConcurrentExecutions"], 980);
    let more = provision(&mut world, "2", 11).unwrap_err().message;
    assert!(more.starts_with("Requested Provisioned Concurrency should not be greater"), "{more}");
    let about = json!({ "FunctionName": "f" });
    let read = lambda(&mut world, "GetFunctionConcurrency", about).unwrap();
    assert_eq!(read, json!({ "ReservedConcurrentExecutions": 20 }));
}

#[test]
fn application_auto_scaling_keeps_provisioned_concurrency_within_bounds() {
    let mut world = with_versions();
    alias(&mut world, "live", "1", json!({})).unwrap();
    let scale = |world: &mut World, operation: &str, resource: &str, more: Value| {
        let mut input = json!({
            "ServiceNamespace": "lambda", "ResourceId": resource,
            "ScalableDimension": "lambda:function:ProvisionedConcurrency",
        });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ask(world, "application-autoscaling", operation, input).map_err(|refusal| refusal.message)
    };
    let bounds = |min: i64, max: i64| json!({ "MinCapacity": min, "MaxCapacity": max });
    let register = "RegisterScalableTarget";
    for resource in ["function:f", "function:f:none", "function:f:$LATEST", "function:g:live"] {
        let refused = scale(&mut world, register, resource, bounds(1, 2)).unwrap_err();
        assert!(refused.starts_with("No Lambda function found"), "{refused}");
    }
    let live = "function:f:live";
    let requested = |world: &mut World| {
        let read = lambda(world, "GetProvisionedConcurrencyConfig", about("live")).unwrap();
        read["RequestedProvisionedConcurrentExecutions"].clone()
    };
    for (min, max, expected) in [(2, 4, 2), (3, 4, 3), (1, 2, 2)] {
        scale(&mut world, register, live, bounds(min, max)).unwrap();
        assert_eq!(requested(&mut world), expected);
    }
    let policy = |metric: &str| {
        json!({
            "PolicyName": "p", "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": {
                "TargetValue": 0.7,
                "PredefinedMetricSpecification": { "PredefinedMetricType": metric },
            },
        })
    };
    let put = "PutScalingPolicy";
    scale(&mut world, put, live, policy("ECSServiceAverageCPUUtilization")).unwrap_err();
    scale(&mut world, put, live, policy("LambdaProvisionedConcurrencyUtilization")).unwrap();
    // What is provisioned outlives the target.
    scale(&mut world, "DeregisterScalableTarget", live, json!({})).unwrap();
    assert_eq!(requested(&mut world), 2);
}
