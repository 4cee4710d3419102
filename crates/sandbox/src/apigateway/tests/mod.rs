//! Tests of API Gateway, call by call.

mod answers;
mod domains;
mod stages;

use serde_json::{Value, json};

use super::super::World;
use super::super::toolbox::testing::ask;

fn gateway(world: &mut World, operation: &str, input: Value) -> Result<Value, String> {
    ask(world, "apigateway", operation, input).map_err(|refusal| refusal.message)
}

fn id(value: &Value) -> String {
    value["id"].as_str().expect("an id").to_owned()
}

/// A world with an API, the API's id and the id of its root.
fn with_api() -> (World, String, String) {
    let mut world = World::default();
    let made = gateway(&mut world, "CreateRestApi", json!({ "name": "a", "tags": { "k": "v" } }));
    let made = made.unwrap();
    let root = made["rootResourceId"].as_str().unwrap().to_owned();
    (world, id(&made), root)
}

fn resource(world: &mut World, api: &str, parent: &str, part: &str) -> Result<String, String> {
    let input = json!({ "api": api, "resource": parent, "pathPart": part });
    gateway(world, "CreateResource", input).map(|made| id(&made))
}

/// The same with one method and one deployment.
fn with_deployment() -> (World, String, String) {
    let (mut world, api, root) = with_api();
    let method = json!({
        "api": api, "resource": root, "method": "GET", "authorizationType": "NONE",
    });
    gateway(&mut world, "PutMethod", method).unwrap();
    let mock = json!({ "api": api, "resource": root, "method": "GET", "type": "MOCK" });
    gateway(&mut world, "PutIntegration", mock).unwrap();
    let made = gateway(&mut world, "CreateDeployment", json!({ "api": api })).unwrap();
    (world, api, id(&made))
}

fn with_stage() -> (World, String, String) {
    let (mut world, api, deployment) = with_deployment();
    let input = json!({ "api": api, "stageName": "prod", "deploymentId": deployment });
    gateway(&mut world, "CreateStage", input).unwrap();
    (world, api, deployment)
}

fn patch(path: &str, value: &str) -> Value {
    json!([{ "op": "replace", "path": path, "value": value }])
}

#[test]
fn an_older_security_policy_has_no_access_mode() {
    let (mut world, api, _) = with_api();
    let one = |path: &str, value: &str| json!({ "op": "replace", "path": path, "value": value });
    let mut set = |policy: &str, mode: Option<&str>| {
        let mut patches = vec![one("/securityPolicy", policy)];
        patches.extend(mode.map(|mode| one("/endpointAccessMode", mode)));
        gateway(&mut world, "UpdateRestApi", json!({ "api": api, "patchOperations": patches }))
    };
    let newer = "SecurityPolicy_TLS13_1_2_2021_06";
    assert!(set(newer, None).is_err());
    assert_eq!(set(newer, Some("STRICT")).unwrap()["endpointAccessMode"], "STRICT");
    assert!(set("TLS_1_0", None).is_err(), "the mode does not go by itself");
    let back = set("TLS_1_0", Some("")).unwrap();
    assert_eq!(back["securityPolicy"], "TLS_1_0");
    assert!(back.get("endpointAccessMode").is_none());
}

#[test]
fn two_apis_may_have_one_name() {
    let (mut world, first, _) = with_api();
    let other = gateway(&mut world, "CreateRestApi", json!({ "name": "a" })).unwrap();
    assert_ne!(first, id(&other));
    assert_eq!(other["endpointConfiguration"]["types"], json!(["EDGE"]));
    let page = gateway(&mut world, "GetRestApis", json!({ "limit": "1" })).unwrap();
    let rest = json!({ "limit": "1", "position": page["position"] });
    let rest = gateway(&mut world, "GetRestApis", rest).unwrap();
    assert_eq!(rest["item"].as_array().unwrap().len(), 1);
    assert_eq!(rest["position"], Value::Null);
}

#[test]
fn invalid_paths_are_refused_as_by_aws() {
    let (mut world, api, root) = with_api();
    let path = resource(&mut world, &api, &root, "{id}").unwrap();
    let check = |world: &mut World, parent: &str, part: &str, message: &str| {
        let refused = resource(world, &api, parent, part).unwrap_err();
        assert!(refused.contains(message), "{part}: {refused}");
    };
    check(&mut world, &root, "{id}", "already has this name");
    check(&mut world, &root, "{other}", "already has a variable path part");
    check(&mut world, &root, "a/b", "only allow");
    check(&mut world, &root, "{a}b", "only allow");
    let greedy = resource(&mut world, &api, &path, "{rest+}").unwrap();
    check(&mut world, &greedy, "more", "greedy");
    let delete = json!({ "api": api, "resource": path });
    gateway(&mut world, "DeleteResource", delete).unwrap();
    let left = gateway(&mut world, "GetResources", json!({ "api": api })).unwrap();
    assert_eq!(left["item"].as_array().unwrap().len(), 1);
}

#[test]
fn methods_are_created_once_and_integrations_are_overwritten() {
    let (mut world, api, root) = with_api();
    let method = json!({
        "api": api, "resource": root, "method": "POST", "authorizationType": "NONE",
    });
    gateway(&mut world, "PutMethod", method.clone()).unwrap();
    let refused = gateway(&mut world, "PutMethod", method).unwrap_err();
    assert!(refused.contains("already exists"), "{refused}");
    let mut integration = json!({
        "api": api, "resource": root, "method": "POST", "type": "AWS_PROXY",
        "httpMethod": "POST", "uri": "arn:aws:apigateway:r:s3:path/bucket/key",
    });
    let refused = gateway(&mut world, "PutIntegration", integration.clone()).unwrap_err();
    assert!(refused.contains("Lambda"), "{refused}");
    integration["uri"] =
        json!("arn:aws:apigateway:r:lambda:path/2015-03-31/functions/arn:x/invocations");
    for _ in 0..2 {
        let made = gateway(&mut world, "PutIntegration", integration.clone()).unwrap();
        assert_eq!(made["timeoutInMillis"], 29_000);
        assert_eq!(made["passthroughBehavior"], "WHEN_NO_MATCH");
    }
    integration["timeoutInMillis"] = json!(30_000);
    let refused = gateway(&mut world, "PutIntegration", integration).unwrap_err();
    assert!(refused.contains("50 ms and 29000 ms"), "{refused}");
}

#[test]
fn a_deployment_needs_methods_and_integrations() {
    let (mut world, api, root) = with_api();
    let deploy = json!({ "api": api });
    let refused = gateway(&mut world, "CreateDeployment", deploy.clone()).unwrap_err();
    assert!(refused.contains("doesn't contain any methods"), "{refused}");
    let method = json!({
        "api": api, "resource": root, "method": "GET", "authorizationType": "NONE",
    });
    gateway(&mut world, "PutMethod", method).unwrap();
    let refused = gateway(&mut world, "CreateDeployment", deploy).unwrap_err();
    assert!(refused.contains("No integration defined"), "{refused}");
}

#[test]
fn a_deployment_in_use_cannot_be_deleted() {
    let (mut world, api, deployment) = with_stage();
    let delete = json!({ "api": api, "deployment": deployment });
    let refused = gateway(&mut world, "DeleteDeployment", delete.clone()).unwrap_err();
    assert!(refused.contains("must be moved or deleted"), "{refused}");
    gateway(&mut world, "DeleteStage", json!({ "api": api, "stage": "prod" })).unwrap();
    gateway(&mut world, "DeleteDeployment", delete).unwrap();
}

#[test]
fn logging_needs_the_role_of_the_account() {
    let (mut world, api, _) = with_stage();
    let log = json!({
        "api": api, "stage": "prod", "patchOperations": patch("/*/*/logging/loglevel", "INFO"),
    });
    let refused = gateway(&mut world, "UpdateStage", log.clone()).unwrap_err();
    assert!(refused.contains("must be set in account settings"), "{refused}");
    let role = "arn:aws:iam::000000000000:role/logs";
    let set = json!({ "patchOperations": patch("/cloudwatchRoleArn", role) });
    let refused = gateway(&mut world, "UpdateAccount", set.clone()).unwrap_err();
    assert!(refused.contains("does not have required permissions"), "{refused}");
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "Service": "apigateway.amazonaws.com" },
    }] });
    let make = json!({ "RoleName": "logs", "AssumeRolePolicyDocument": trust.to_string() });
    ask(&mut world, "iam", "CreateRole", make).unwrap();
    let policy = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs";
    let attach = json!({ "RoleName": "logs", "PolicyArn": policy });
    ask(&mut world, "iam", "AttachRolePolicy", attach).unwrap();
    gateway(&mut world, "UpdateAccount", set).unwrap();
    let stage = gateway(&mut world, "UpdateStage", log).unwrap();
    // AWS adds the defaults of the other settings.
    let settings = &stage["methodSettings"]["*/*"];
    assert_eq!(settings["loggingLevel"], "INFO");
    assert_eq!(settings["throttlingRateLimit"], 10_000.0);
    // The log group of the access logs does not have to exist.
    let group = "arn:aws:logs:eu-west-1:000000000000:log-group:none";
    let access = json!({
        "api": api, "stage": "prod",
        "patchOperations": patch("/accessLogSettings/destinationArn", group),
    });
    let stage = gateway(&mut world, "UpdateStage", access).unwrap();
    assert_eq!(stage["accessLogSettings"], json!({ "destinationArn": group }));
}

#[test]
fn a_stage_in_a_usage_plan_cannot_be_deleted() {
    let (mut world, api, _) = with_stage();
    let stages = json!([{ "apiId": api, "stage": "prod" }]);
    let plan = json!({ "name": "p", "apiStages": stages });
    let plan = gateway(&mut world, "CreateUsagePlan", plan).unwrap();
    let key = gateway(&mut world, "CreateApiKey", json!({ "name": "k" })).unwrap();
    let add = json!({ "plan": plan["id"], "keyId": key["id"], "keyType": "API_KEY" });
    gateway(&mut world, "CreateUsagePlanKey", add).unwrap();
    for (operation, input) in [
        ("DeleteStage", json!({ "api": api, "stage": "prod" })),
        ("DeleteRestApi", json!({ "api": api })),
        ("DeleteUsagePlan", json!({ "plan": plan["id"] })),
    ] {
        assert!(gateway(&mut world, operation, input).is_err(), "{operation}");
    }
    let value = format!("{api}:prod");
    let remove = json!([{ "op": "remove", "path": "/apiStages", "value": value }]);
    let remove = json!({ "plan": plan["id"], "patchOperations": remove });
    gateway(&mut world, "UpdateUsagePlan", remove).unwrap();
    gateway(&mut world, "DeleteUsagePlan", json!({ "plan": plan["id"] })).unwrap();
    gateway(&mut world, "DeleteRestApi", json!({ "api": api })).unwrap();
    // AWS shows the value of a key only if the call asks for it.
    let shown = gateway(&mut world, "GetApiKey", json!({ "key": key["id"] })).unwrap();
    assert_eq!(shown.get("value"), None);
}

#[test]
fn a_link_needs_subnets_that_exist() {
    let mut world = World::default();
    let input = json!({ "name": "l", "subnetIds": ["subnet-1"], "securityGroupIds": [] });
    assert!(gateway(&mut world, "CreateVpcLink", input).is_err());
}

#[test]
fn tags_are_read_and_written_by_arn() {
    let (mut world, api, _) = with_stage();
    for path in [format!("/restapis/{api}"), format!("/restapis/{api}/stages/prod")] {
        let arn = format!("arn:aws:apigateway:eu-west-1::{path}");
        let set = json!({ "arn": arn, "tags": { "a": "1", "b": "2" } });
        gateway(&mut world, "TagResource", set).unwrap();
        let unset = json!({ "arn": arn, "tagKeys": "a" });
        gateway(&mut world, "UntagResource", unset).unwrap();
        let tags = gateway(&mut world, "GetTags", json!({ "arn": arn })).unwrap();
        assert_eq!((&tags["tags"]["a"], &tags["tags"]["b"]), (&Value::Null, &json!("2")));
    }
}

#[test]
fn an_authorizer_stays_while_a_method_refers_to_it() {
    let (mut world, api, root) = with_api();
    let pool = "arn:aws:cognito-idp:eu-west-1:000000000000:userpool/eu-west-1_a";
    let input = json!({ "api": api, "name": "callers", "type": "COGNITO_USER_POOLS" });
    let refused = gateway(&mut world, "CreateAuthorizer", input.clone()).unwrap_err();
    assert!(refused.contains("user pools are required"), "{refused}");
    let mut input = input;
    input["providerARNs"] = json!([pool]);
    let made = gateway(&mut world, "CreateAuthorizer", input.clone()).unwrap();
    let refused = gateway(&mut world, "CreateAuthorizer", input).unwrap_err();
    assert!(refused.contains("must be unique"), "{refused}");
    // A method names the type of its authorizer.
    let method = |kind: &str, authorizer: &str| {
        json!({
            "api": api, "resource": root, "method": "GET", "authorizationType": kind,
            "authorizerId": authorizer, "authorizationScopes": ["pay"],
        })
    };
    for (kind, authorizer) in
        [("COGNITO_USER_POOLS", "none"), ("CUSTOM", &*id(&made)), ("AWS_IAM", &*id(&made))]
    {
        let refused = gateway(&mut world, "PutMethod", method(kind, authorizer)).unwrap_err();
        assert!(refused.contains("requires a valid authorizer"), "{kind}: {refused}");
    }
    let put = method("COGNITO_USER_POOLS", &id(&made));
    let method = gateway(&mut world, "PutMethod", put).unwrap();
    assert_eq!(method["authorizationScopes"], json!(["pay"]));
    let one = json!({ "api": api, "authorizer": id(&made) });
    let refused = gateway(&mut world, "DeleteAuthorizer", one.clone()).unwrap_err();
    assert!(refused.contains("is referenced in method"), "{refused}");
    // An authorizer keeps at least one pool, and its type does not change.
    let change = |op: &str, path: &str, value: &str| {
        let patch = json!([{ "op": op, "path": path, "value": value }]);
        json!({ "api": api, "authorizer": id(&made), "patchOperations": patch })
    };
    let remove = change("remove", "/providerARNs", pool);
    assert!(gateway(&mut world, "UpdateAuthorizer", remove).is_err());
    let turn = change("replace", "/type", "TOKEN");
    assert!(gateway(&mut world, "UpdateAuthorizer", turn).is_err());
    let delete = json!({ "api": api, "resource": root, "method": "GET" });
    gateway(&mut world, "DeleteMethod", delete).unwrap();
    gateway(&mut world, "DeleteAuthorizer", one).unwrap();
    let left = gateway(&mut world, "GetAuthorizers", json!({ "api": api })).unwrap();
    assert_eq!(left["item"], json!([]));
}
