//! Members, statuses and refusals as AWS sends them.

use super::*;
use crate::apigateway::status;

#[test]
fn creations_answer_201_and_deletions_202_or_204() {
    for (operation, expected) in [
        ("CreateRestApi", 201),
        ("PutMethod", 201),
        ("DeleteRestApi", 202),
        ("DeleteMethod", 204),
        ("TagResource", 204),
        ("GetRestApi", 200),
        ("UpdateStage", 200),
    ] {
        assert_eq!(status(operation), expected, "{operation}");
    }
}

#[test]
fn model_violations_are_reported_before_anything_else() {
    let (mut world, api, root) = with_api();
    let at = |name: &str, values: &str| {
        format!("at '{name}' failed to satisfy constraint: Member must satisfy {values}")
    };
    let mut refused = |operation: &str, mut input: Value| {
        input["api"] = json!(api);
        let refusal = ask(&mut world, "apigateway", operation, input).unwrap_err();
        (refusal.code, refusal.message)
    };
    let endpoint = json!({ "types": ["wrong"], "ipAddressType": "wrong" });
    let (code, message) =
        refused("CreateRestApi", json!({ "name": "a", "endpointConfiguration": endpoint }));
    assert_eq!(code, "ValidationException");
    assert!(message.starts_with("2 validation errors detected: Value '[wrong]' at "), "{message}");
    let patches = json!([{ "op": "wrong", "path": "/name" }]);
    let (_, message) = refused("UpdateRestApi", json!({ "patchOperations": patches }));
    let place = "updateRestApiInput.patchOperations.1.member.op";
    let ops = "enum value set: [add, remove, move, test, replace, copy]";
    assert_eq!(message, format!("1 validation error detected: Value 'wrong' {}", at(place, ops)));
    let put = json!({ "resource": root, "method": "GET", "type": "HTTPS_PROXY" });
    let (_, message) = refused("PutIntegration", put);
    let types = "enum value set: [HTTP, MOCK, AWS_PROXY, HTTP_PROXY, AWS]";
    assert!(message.ends_with(&at("putIntegrationInput.type", types)), "{message}");
    let put = json!({ "resource": root, "method": "GET", "status": "wrong" });
    let (_, message) = refused("PutIntegrationResponse", put);
    assert!(message.ends_with(r"pattern: [1-5]\d\d"), "{message}");
    let put = json!({ "type": "MOCK", "requestParameters": { "a": true } });
    let (code, message) = refused("PutIntegration", put);
    assert_eq!(code, "SerializationException");
    assert_eq!(message, "class java.lang.Boolean can not be converted to an String");
}

#[test]
fn an_api_is_refused_as_aws_refuses_it() {
    let mut world = World::default();
    for (input, message) in [
        (json!({ "description": "" }), "Description cannot be an empty string"),
        (
            json!({ "minimumCompressionSize": -1 }),
            "Invalid minimum compression size, must be between 0 and 10485760",
        ),
        (
            json!({ "endpointConfiguration": { "types": [] } }),
            "REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.",
        ),
        (
            json!({ "endpointConfiguration": { "types": ["EDGE", "REGIONAL"] } }),
            "Cannot create an api with multiple Endpoint Types.",
        ),
        (
            json!({ "endpointConfiguration": { "types": ["PRIVATE"], "ipAddressType": "ipv4" } }),
            "Only dualstack ipAddressType is supported for Private APIs.",
        ),
    ] {
        let mut input = input;
        input["name"] = json!("a");
        assert_eq!(gateway(&mut world, "CreateRestApi", input).unwrap_err(), message);
    }
    let (mut world, api, _) = with_api();
    for (op, path, value, message) in [
        ("add", "/minimumCompressionSize", "1", "Must be one of: [replace]"),
        ("replace", "/minimumCompressionSize", "x", "must be between 0 and 10485760"),
        ("replace", "/binaryMediaTypes", "a", "Invalid patch path /binaryMediaTypes"),
        ("replace", "/endpointConfiguration/types/0", "x", "REGIONAL,EDGE,PRIVATE"),
        ("replace", "/endpointConfiguration/ipAddressType", "x", "either ipv4 or dualstack."),
    ] {
        let patch = json!([{ "op": op, "path": path, "value": value }]);
        let update = json!({ "api": api, "patchOperations": patch });
        let refused = gateway(&mut world, "UpdateRestApi", update).unwrap_err();
        assert!(refused.ends_with(message), "{refused}");
    }
    let none = gateway(&mut world, "GetRestApi", json!({ "api": "x" })).unwrap_err();
    assert_eq!(none, "Invalid API identifier specified 000000000000:x");
}

#[test]
fn only_get_rest_api_returns_the_default_security_policy() {
    let (mut world, api, _) = with_api();
    let whole = gateway(&mut world, "GetRestApi", json!({ "api": api })).unwrap();
    assert_eq!(whole["securityPolicy"], "TLS_1_0");
    let to_private = json!({
        "api": api, "patchOperations": patch("/endpointConfiguration/types/0", "PRIVATE"),
    });
    let changed = gateway(&mut world, "UpdateRestApi", to_private).unwrap();
    assert_eq!(changed.get("securityPolicy"), None);
    assert_eq!(changed["endpointConfiguration"]["ipAddressType"], "dualstack");
    let whole = gateway(&mut world, "GetRestApi", json!({ "api": api })).unwrap();
    assert_eq!(whole["securityPolicy"], "TLS_1_2");
}

#[test]
fn binary_types_keep_their_order_and_empty_tags_show_for_one_api() {
    let mut world = World::default();
    let made = gateway(&mut world, "CreateRestApi", json!({ "name": "a" })).unwrap();
    assert_eq!(made.get("tags"), None);
    let op = |op: &str, path: &str, value: &str| json!({ "op": op, "path": path, "value": value });
    let mut update = |patches: Value| {
        let input = json!({ "api": made["id"], "patchOperations": patches });
        gateway(&mut world, "UpdateRestApi", input).unwrap()
    };
    let png = "/binaryMediaTypes/image~1png";
    let view = update(json!([op("add", png, ""), op("add", "/binaryMediaTypes/image~1jpeg", "")]));
    assert_eq!(view["binaryMediaTypes"], json!(["image/png", "image/jpeg"]));
    assert_eq!(view["tags"], json!({}));
    let view = update(json!([op("replace", png, "image/gif")]));
    assert_eq!(view["binaryMediaTypes"], json!(["image/jpeg", "image/gif"]));
}

#[test]
fn integration_uris_are_validated() {
    let (mut world, api, root) = with_api();
    let method = json!({
        "api": api, "resource": root, "method": "GET", "authorizationType": "none",
    });
    gateway(&mut world, "PutMethod", method).unwrap();
    let mut put = |kind: &str, uri: &str| {
        let input = json!({
            "api": api, "resource": root, "method": "GET", "type": kind, "httpMethod": "POST",
            "uri": uri,
        });
        gateway(&mut world, "PutIntegration", input)
    };
    let function = "arn:aws:lambda:eu-west-1:000000000000:function:f";
    let gateway = "arn:aws:apigateway:eu-west-1";
    let call = format!("{gateway}:lambda:path/2015-03-31/functions/{function}/invocations");
    assert_eq!(put("AWS_PROXY", &call).unwrap().get("connectionType"), None);
    assert_eq!(put("HTTP", "http://example.com").unwrap()["connectionType"], "INTERNET");
    assert_eq!(put("MOCK", "http://example.com").unwrap().get("uri"), None);
    let no_arn = "Invalid ARN specified in the request";
    let no_path = "AWS ARN for integration must contain path or action";
    for (kind, uri, message) in [
        ("AWS", "bad", no_arn),
        ("AWS", function, no_path),
        ("AWS_PROXY", &format!("{gateway}:s3:path/b/k"), "and Firehose stream invocations."),
        ("HTTP", "bad", "Invalid HTTP endpoint specified for URI"),
    ] {
        let refused = put(kind, uri).unwrap_err();
        assert!(refused.ends_with(message), "{refused}");
    }
}

#[test]
fn each_missing_part_of_an_api_has_its_own_message() {
    let mut world = World::default();
    for (operation, input, message) in [
        ("CreateResource", json!({}), "Invalid Resource identifier specified"),
        ("PutMethod", json!({ "resource": "r" }), "Invalid Resource identifier specified"),
        ("CreateRequestValidator", json!({}), "Invalid REST API identifier specified"),
        ("DeleteRequestValidator", json!({}), "Invalid Request Validator identifier specified"),
        ("DeleteModel", json!({ "model": "M" }), "Invalid model name specified: M"),
        ("GetModels", json!({}), "Invalid API identifier specified 000000000000:x"),
        ("CreateAuthorizer", json!({}), "Please try again later."),
    ] {
        let mut input = input;
        input["api"] = json!("x");
        let refused = gateway(&mut world, operation, input).unwrap_err();
        assert!(refused.ends_with(message), "{operation}: {refused}");
    }
}

#[test]
fn keys_are_listed_newest_first_by_the_start_of_their_names() {
    let mut world = World::default();
    for (name, created) in [("test-1", 1.0), ("test-2", 2.0), ("other", 3.0)] {
        let made = gateway(&mut world, "CreateApiKey", json!({ "name": name })).unwrap();
        let key = world.apigateway.keys.get_mut(&format!("eu-west-1|{}", id(&made))).unwrap();
        key.created = created;
    }
    let mut names = |input: Value| {
        let all = gateway(&mut world, "GetApiKeys", input).unwrap();
        let all = all["item"].as_array().unwrap().clone();
        all.iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(json!({})), ["other", "test-2", "test-1"]);
    assert_eq!(names(json!({ "limit": 1 })), ["other"]);
    assert_eq!(names(json!({ "name": "test" })), ["test-2", "test-1"]);
    assert!(names(json!({ "name": "TEST" })).is_empty());
}

#[test]
fn an_integration_and_its_answers_are_changed_one_by_one() {
    let (mut world, api, root) = with_api();
    let on = |more: Value| {
        let mut input = json!({ "api": api, "resource": root, "method": "GET" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let mut ask = |operation: &str, more: Value| gateway(&mut world, operation, on(more));
    let no_method = "Invalid Method identifier specified";
    let no_integration = "Invalid Integration identifier specified";
    assert_eq!(ask("GetIntegration", json!({})).unwrap_err(), no_method);
    ask("PutMethod", json!({ "authorizationType": "NONE" })).unwrap();
    assert_eq!(ask("GetIntegration", json!({})).unwrap_err(), no_integration);
    ask("PutIntegration", json!({ "type": "MOCK" })).unwrap();
    let ok = json!({ "status": "200" });
    let no_status = "Invalid Response status code specified";
    assert_eq!(ask("GetIntegrationResponse", ok.clone()).unwrap_err(), no_status);
    ask("PutIntegrationResponse", ok.clone()).unwrap();
    let mut change = ok.clone();
    change["patchOperations"] = json!([
        { "op": "replace", "path": "/selectionPattern", "value": "x" },
        { "op": "add", "path": "/responseTemplates/application~1json", "value": "{}" },
    ]);
    let changed = ask("UpdateIntegrationResponse", change).unwrap();
    assert_eq!(changed["selectionPattern"], "x");
    assert_eq!(changed["responseTemplates"], json!({ "application/json": "{}" }));
    assert_eq!(ask("GetIntegrationResponse", ok.clone()).unwrap(), changed);
    ask("DeleteIntegrationResponse", ok.clone()).unwrap();
    assert_eq!(ask("DeleteIntegrationResponse", ok).unwrap_err(), no_status);
    let method = ask("GetMethod", json!({})).unwrap();
    assert_eq!(method["methodIntegration"].get("integrationResponses"), None);
    let change = json!({ "patchOperations": patch("/connectionId", "l") });
    assert_eq!(ask("UpdateIntegration", change).unwrap()["connectionId"], "l");
}
