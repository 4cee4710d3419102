//! Stages of APIs over HTTP.

use super::*;

/// A server with an API of these methods: each has a path, a method, and the members of both
/// PutMethod and PutIntegration.
pub(super) struct Routes {
    pub(super) served: Served,
    api: String,
}

const ECHO: &str = "def handler(event, context):\n    import json\n    \
                    return {'statusCode': 201, 'headers': {'X-Who': 'echo'}, 'body': json.dumps(event)}\n";

fn function_uri(name: &str) -> String {
    format!(
        "arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/\
         arn:aws:lambda:{REGION}:000000000000:function:{name}/invocations"
    )
}

impl Routes {
    pub(super) async fn start() -> Self {
        let sandbox = Sandbox::in_memory().run_by(Runner::of("python3", &["-S"]));
        let served = Served::start(sandbox).await;
        let made = api(&served.sandbox, "apigateway", "CreateRestApi", json!({ "name": "a" }));
        Self { served, api: made["id"].as_str().unwrap().to_owned() }
    }

    fn ask(&self, operation: &str, mut input: Value) -> Value {
        input["api"] = self.api.as_str().into();
        api(&self.served.sandbox, "apigateway", operation, input)
    }

    /// Adds a method below the root, or `/` itself.
    pub(super) fn add(&self, part: &str, method: &str, request: Value, integration: Value) {
        let all = self.ask("GetResources", json!({}));
        let find = |path: &str| {
            let mut all = all["item"].as_array().unwrap().iter();
            all.find(|one| one["path"] == path).map(|one| one["id"].as_str().unwrap().to_owned())
        };
        let path = format!("/{part}");
        let resource = find(&path).unwrap_or_else(|| {
            let input = json!({ "resource": find("/"), "pathPart": part });
            self.ask("CreateResource", input)["id"].as_str().unwrap().to_owned()
        });
        let mut input = json!({
            "resource": resource, "method": method, "authorizationType": "NONE",
        });
        input.as_object_mut().unwrap().extend(request.as_object().unwrap().clone());
        self.ask("PutMethod", input);
        let mut input = json!({ "resource": resource, "method": method });
        input.as_object_mut().unwrap().extend(integration.as_object().unwrap().clone());
        self.ask("PutIntegration", input);
    }

    fn function(&self, part: &str, method: &str, request: Value, function: &str) {
        let integration = json!({
            "type": "AWS_PROXY", "httpMethod": "POST", "uri": function_uri(function),
        });
        self.add(part, method, request, integration);
    }

    pub(super) fn deploy(&self) {
        self.ask("CreateDeployment", json!({ "stageName": "dev" }));
    }

    async fn get(&self, path: &str, headers: &[&str]) -> (u16, String, Value) {
        self.send("GET", path, headers, "").await
    }

    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[&str],
        content: &str,
    ) -> (u16, String, Value) {
        let target = format!("/_aws/execute-api/{}{path}", self.api);
        let (status, head, body) = self.served.ask(method, &target, headers, content).await;
        (status, head, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }
}

#[tokio::test]
async fn a_route_calls_its_function_with_the_event_of_api_gateway() {
    let routes = Routes::start().await;
    with_function(&routes.served.sandbox, "echo", ECHO);
    admit(&routes.served.sandbox, "echo", "apigateway.amazonaws.com");
    routes.function("{proxy+}", "ANY", json!({}), "echo");
    routes.deploy();
    let headers = ["user-agent: test", "x-shop: one", "origin: https://shop.example"];
    let target = "/dev/a/b%20c?x=1&x=2&y=a%2Bb";
    let (status, head, event) = routes.send("POST", target, &headers, "hello").await;
    assert_eq!(status, 201, "{event}");
    assert!(head.contains("x-who: echo") && head.contains("content-type: application/json"));
    for (pointer, expected) in [
        ("/resource", json!("/{proxy+}")),
        ("/path", json!("/a/b%20c")),
        ("/httpMethod", json!("POST")),
        ("/headers/X-Shop", json!("one")),
        ("/headers/User-Agent", json!("test")),
        ("/headers/Host", json!(format!("{}.execute-api.{REGION}.amazonaws.com", routes.api))),
        ("/multiValueHeaders/X-Shop", json!(["one"])),
        ("/queryStringParameters", json!({ "x": "2", "y": "a+b" })),
        ("/multiValueQueryStringParameters", json!({ "x": ["1", "2"], "y": ["a+b"] })),
        ("/pathParameters", json!({ "proxy": "a/b c" })),
        ("/stageVariables", Value::Null),
        ("/body", json!("hello")),
        ("/isBase64Encoded", json!(false)),
        ("/requestContext/path", json!("/dev/a/b%20c")),
        ("/requestContext/stage", json!("dev")),
        ("/requestContext/apiId", json!(routes.api)),
        ("/requestContext/accountId", json!("000000000000")),
        ("/requestContext/resourcePath", json!("/{proxy+}")),
        ("/requestContext/identity/userAgent", json!("test")),
        ("/requestContext/identity/accessKey", Value::Null),
        ("/requestContext/protocol", json!("HTTP/1.1")),
    ] {
        assert_eq!(event.pointer(pointer), Some(&expected), "{pointer}: {event}");
    }
    let (_, _, plain) = routes.get("/dev/a", &[]).await;
    for pointer in ["/body", "/queryStringParameters", "/multiValueQueryStringParameters"] {
        assert_eq!(plain.pointer(pointer), Some(&Value::Null), "{pointer}");
    }
    // The same by the name of a host.
    let host = format!("host: {}.execute-api.localhost:4566", routes.api);
    let (status, _, _) = routes.served.ask("GET", "/dev/x", &[&host], "").await;
    assert_eq!(status, 201);
    // Another host is another machine, also for a stage.
    let target = format!("/_aws/execute-api/{}/dev/a", routes.api);
    for host in
        ["host: evil.example".to_owned(), format!("host: {}.execute-api.evil.example", routes.api)]
    {
        let (status, _, _) = routes.served.ask("GET", &target, &[&host], "").await;
        assert_eq!(status, 403, "{host}");
    }
}

#[tokio::test]
async fn what_is_not_served_is_refused_as_by_api_gateway() {
    let routes = Routes::start().await;
    with_function(&routes.served.sandbox, "echo", ECHO);
    routes.function("pay", "POST", json!({}), "echo");
    let link = json!({ "type": "HTTP_PROXY", "httpMethod": "GET", "uri": "http://inside.example" });
    routes.add("other", "GET", json!({}), link);
    let mock = json!({ "type": "MOCK", "requestTemplates": { "application/json": "{\"statusCode\": 204}" } });
    routes.add("mock", "OPTIONS", json!({}), mock);
    let input = json!({ "resource": routes.ask("GetResources", json!({}))["item"].as_array().unwrap()
        .iter().find(|one| one["path"] == "/mock").unwrap()["id"], "method": "OPTIONS", "status": "204",
        "responseParameters": { "method.response.header.Access-Control-Allow-Origin": "'*'" } });
    routes.ask("PutIntegrationResponse", input);
    routes.deploy();
    let missing = json!({ "message": "Missing Authentication Token" });
    let (status, head, said) = routes.get("/dev/none", &[]).await;
    assert_eq!((status, said), (403, missing.clone()));
    assert!(head.contains("x-amzn-errortype: missingauthenticationtokenexception"), "{head}");
    assert_eq!(routes.get("/dev/pay", &[]).await.2, missing, "another method");
    assert_eq!(routes.get("/prod/pay", &[]).await.2, json!({ "message": "Forbidden" }));
    let (status, _, said) = routes.get("/dev/other", &[]).await;
    assert_eq!(status, 503);
    let said = said["message"].as_str().unwrap().to_owned();
    assert!(said.contains("does not send requests") && said.contains("inside.example"), "{said}");
    let (status, head, _) = routes.send("OPTIONS", "/dev/mock", &[], "").await;
    assert_eq!(status, 204);
    assert!(head.contains("access-control-allow-origin: *"), "{head}");
    // The policy of the function does not let API Gateway call it.
    let (status, _, said) = routes.send("POST", "/dev/pay", &[], "{}").await;
    assert_eq!((status, said), (500, json!({ "message": "Internal server error" })));
    // A stage serves its deployment, not what was changed since.
    routes.function("late", "GET", json!({}), "echo");
    assert_eq!(routes.get("/dev/late", &[]).await.0, 403);
    routes.deploy();
    assert_eq!(routes.get("/dev/late", &[]).await.0, 500);
    let (status, _, said) = routes.served.ask("GET", "/_aws/execute-api/none/dev/x", &[], "").await;
    assert_eq!(status, 404);
    assert!(said.contains("the sandbox has no API none"), "{said}");
}

#[tokio::test]
async fn a_route_to_an_alias_runs_its_version_under_its_policy() {
    let routes = Routes::start().await;
    let sandbox = &routes.served.sandbox;
    with_versions(sandbox, |word| {
        format!(
            "def handler(event, context):\n    return {{'statusCode': 200, 'body': '{word}'}}\n"
        )
    });
    routes.function("live", "GET", json!({}), "f:live");
    routes.deploy();
    admit(sandbox, "f", "apigateway.amazonaws.com");
    assert_eq!(routes.get("/dev/live", &[]).await.0, 500, "the policy of the function is another");
    admit(sandbox, "f:live", "apigateway.amazonaws.com");
    let (status, _, said) = routes.get("/dev/live", &[]).await;
    assert_eq!((status, said), (200, json!("one")));
}

#[tokio::test]
async fn a_malformed_answer_is_a_bad_gateway_and_a_late_one_a_timeout() {
    let routes = Routes::start().await;
    let sandbox = &routes.served.sandbox;
    let code = "import json, time\n\
        def handler(event, context):\n\
        \x20   query = event['queryStringParameters']\n\
        \x20   if query.get('late'): time.sleep(5)\n\
        \x20   return json.loads(query['answer'])\n";
    with_function(sandbox, "f", code);
    admit(sandbox, "f", "apigateway.amazonaws.com");
    routes.function("f", "GET", json!({}), "f");
    let integration = json!({
        "type": "AWS_PROXY", "httpMethod": "POST", "uri": function_uri("f"), "timeoutInMillis": 50,
    });
    routes.add("late", "GET", json!({}), integration);
    routes.deploy();
    let ask = async |answer: Value| {
        let encoded: String =
            answer.to_string().bytes().map(|byte| format!("%{byte:02x}")).collect();
        routes.get(&format!("/dev/f?answer={encoded}"), &[]).await
    };
    for malformed in [
        json!("text"),
        json!({}),
        json!({ "statusCode": "two" }),
        json!({ "statusCode": 200, "body": { "a": 1 } }),
        json!({ "statusCode": 200, "more": 1 }),
    ] {
        let (status, _, said) = ask(malformed.clone()).await;
        assert_eq!(
            (status, said),
            (502, json!({ "message": "Internal server error" })),
            "{malformed}"
        );
    }
    let (status, head, said) = ask(json!({
        "statusCode": 200, "headers": { "A": true, "B": "one" }, "multiValueHeaders": { "B": ["two"] },
    })).await;
    assert_eq!((status, said), (200, json!("")));
    assert!(head.contains("a: true") && head.contains("b: two\r\nb: one"), "{head}");
    let (status, _, said) = routes.get("/dev/late?late=1&answer=%7B%7D", &[]).await;
    assert_eq!((status, said), (504, json!({ "message": "Endpoint request timed out" })));
}

#[tokio::test]
async fn a_validator_checks_parameters_and_the_body() {
    let routes = Routes::start().await;
    with_function(&routes.served.sandbox, "echo", ECHO);
    admit(&routes.served.sandbox, "echo", "apigateway.amazonaws.com");
    let schema = json!({
        "type": "object", "required": ["amount"], "properties": { "amount": { "type": "number" } },
    });
    let model = json!({
        "name": "Payment", "contentType": "application/json", "schema": schema.to_string(),
    });
    routes.ask("CreateModel", model);
    let validator = json!({
        "name": "all", "validateRequestBody": true, "validateRequestParameters": true,
    });
    let validator = routes.ask("CreateRequestValidator", validator);
    let request = json!({
        "requestValidatorId": validator["id"], "requestModels": { "application/json": "Payment" },
        "requestParameters": {
            "method.request.header.Idempotency-Key": true, "method.request.querystring.q": true,
            "method.request.querystring.optional": false,
        },
    });
    routes.function("pay", "POST", request, "echo");
    routes.deploy();
    let good = "{\"amount\": 1}";
    let (status, _, said) = routes.send("POST", "/dev/pay", &[], good).await;
    let message = "Missing required request parameters: [Idempotency-Key, q]";
    assert_eq!((status, said), (400, json!({ "message": message })));
    let key = ["idempotency-key: k"];
    for wrong in ["{\"amount\": \"1\"}", "{", ""] {
        let (status, _, said) = routes.send("POST", "/dev/pay?q=1", &key, wrong).await;
        assert_eq!((status, said), (400, json!({ "message": "Invalid request body" })), "{wrong}");
    }
    assert_eq!(routes.send("POST", "/dev/pay?q=1", &key, good).await.0, 201);
}

#[tokio::test]
async fn methods_admit_whom_they_should() {
    let routes = Routes::start().await;
    let sandbox = &routes.served.sandbox;
    with_function(sandbox, "echo", ECHO);
    admit(sandbox, "echo", "apigateway.amazonaws.com");
    let code = "def handler(event, context):\n\
        \x20   token = event.get('authorizationToken') or event['headers'].get('X-Token')\n\
        \x20   if token == 'raise': raise Exception('Unauthorized')\n\
        \x20   if token == 'break': return {}\n\
        \x20   effect = 'Allow' if token == 'good' else 'Deny'\n\
        \x20   resource = event['methodArn'] if token != 'elsewhere' else 'arn:none'\n\
        \x20   statement = {'Action': 'execute-api:Invoke', 'Effect': effect, 'Resource': resource}\n\
        \x20   return {'principalId': 'user', 'policyDocument': {'Statement': [statement]},\n\
        \x20       'context': {'level': 3}}\n";
    with_function(sandbox, "check", code);
    admit(sandbox, "check", "apigateway.amazonaws.com");
    routes.function("iam", "GET", json!({ "authorizationType": "AWS_IAM" }), "echo");
    routes.function("key", "GET", json!({ "apiKeyRequired": true }), "echo");
    let mut ids = Vec::new();
    for (kind, source) in [
        ("TOKEN", "method.request.header.Authorization"),
        ("REQUEST", "method.request.header.X-Token"),
    ] {
        let input = json!({
            "name": kind, "type": kind, "authorizerUri": function_uri("check"), "identitySource": source,
        });
        ids.push(routes.ask("CreateAuthorizer", input)["id"].clone());
    }
    let custom = |id: &Value| json!({ "authorizationType": "CUSTOM", "authorizerId": id });
    routes.function("token", "GET", custom(&ids[0]), "echo");
    routes.function("request", "GET", custom(&ids[1]), "echo");
    routes.deploy();

    let (status, _, said) = routes.get("/dev/iam", &[]).await;
    assert_eq!((status, said), (403, json!({ "message": "Missing Authentication Token" })));
    let signed = |key: &str, service: &str| {
        format!(
            "authorization: AWS4-HMAC-SHA256 Credential={key}/20260101/{REGION}/{service}/aws4_request, \
             SignedHeaders=host, Signature=0"
        )
    };
    let (status, _, event) = routes.get("/dev/iam", &[&signed("test", "execute-api")]).await;
    assert_eq!(status, 201, "{event}");
    let identity = &event["requestContext"]["identity"];
    assert_eq!(identity["accessKey"], "test");
    assert_eq!(identity["userArn"], "arn:aws:iam::000000000000:root");
    for wrong in [
        signed("test", "s3"),
        signed("ASIANONE", "execute-api"),
        "authorization: AWS4-HMAC-SHA256 Credential=a/b/c/execute-api/aws4_request".to_owned(),
    ] {
        assert_eq!(routes.get("/dev/iam", &[&wrong]).await.0, 403, "{wrong}");
    }

    let forbidden = json!({ "message": "Forbidden" });
    assert_eq!(routes.get("/dev/key", &[]).await.2, forbidden);
    let plan = json!({ "name": "p", "apiStages": [{ "apiId": routes.api, "stage": "dev" }] });
    let plan = routes.ask("CreateUsagePlan", plan);
    let value = "a-key-of-twenty-letters";
    let key = routes.ask("CreateApiKey", json!({ "name": "k", "enabled": true, "value": value }));
    let header = format!("x-api-key: {value}");
    assert_eq!(routes.get("/dev/key", &[&header]).await.2, forbidden, "in no plan");
    let add = json!({ "plan": plan["id"], "keyId": key["id"], "keyType": "API_KEY" });
    routes.ask("CreateUsagePlanKey", add);
    let (status, _, event) = routes.get("/dev/key", &[&header]).await;
    assert_eq!((status, &event["requestContext"]["identity"]["apiKeyId"]), (201, &key["id"]));

    for (path, name) in [("/dev/token", "authorization"), ("/dev/request", "x-token")] {
        let with = async |token: &str| {
            let header = format!("{name}: {token}");
            routes.get(path, &[&header]).await
        };
        let unauthorized = json!({ "message": "Unauthorized" });
        let (status, _, said) = routes.get(path, &[]).await;
        assert_eq!((status, said), (401, unauthorized.clone()), "{path}");
        let (status, _, event) = with("good").await;
        assert_eq!(status, 201, "{path}: {event}");
        let authorizer = &event["requestContext"]["authorizer"];
        assert_eq!(
            (&authorizer["principalId"], &authorizer["level"]),
            (&json!("user"), &json!("3"))
        );
        let (status, _, said) = with("bad").await;
        let message = "User is not authorized to access this resource with an explicit deny";
        assert_eq!((status, said), (403, json!({ "Message": message })));
        assert_eq!(with("raise").await.2, unauthorized);
        let (status, _, said) = with("break").await;
        assert_eq!((status, said), (500, json!({ "message": null })));
    }
}
