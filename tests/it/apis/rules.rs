//! Configs of APIs: their blueprints, and the configs that payctl refuses.

use std::path::PathBuf;

use payctl::blueprint::{Facts, build, problems};
use payctl::config;
use payctl_engine::model::address::Address;
use serde_json::{Value, json};

use super::{Folder, PAYMENTS, address};

/// Expects a problem of a config.
#[track_caller]
fn refuses(text: &str, expected: &str) {
    let folder = Folder::with(text);
    let found = problems(&folder.0, "dev", &|_| None, None);
    let shown: Vec<String> =
        found.iter().map(|problem| format!("{} ({})", problem.message, problem.fix)).collect();
    assert!(shown.iter().any(|line| line.contains(expected)), "{expected}\n{shown:#?}");
}

/// Expects a config without problems.
#[track_caller]
fn accepts(text: &str) {
    let folder = Folder::with(text);
    let found = problems(&folder.0, "dev", &|_| None, None);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_config_expresses_the_migration_api_exactly() {
    let mut text = PAYMENTS.to_owned();
    for (route, function) in
        [("validate", "validation"), ("fraud-check", "fraud"), ("process", "processing")]
    {
        let url = format!("url = \"https://example.com/{route}\"");
        text = text.replace(&url, &format!("function = \"{function}\""));
        text += &format!(
            "[functions.{function}]\nsource = \"code\"\nruntime = \"python3.13\"\nrole = \"work\"\n"
        );
    }
    text += "[roles.work]\nservices = \"lambda.amazonaws.com\"\n";
    let folder = Folder::with(&text);
    folder.add_code();
    let blueprint = folder.blueprint();
    let spec = |kind: &str| &blueprint.resources[&address(kind)].spec;
    let api = spec("apigateway.rest_api");
    assert_eq!(api["name"], "payment-api-dev");
    assert_eq!(api["description"], "Payment Processing API - dev");
    assert_eq!(api["endpoint"], "EDGE");
    assert_eq!(
        api["validators"],
        json!({ "payment-validator-dev": { "body": true, "parameters": true } })
    );
    let routes: Vec<&String> = api["routes"].as_object().expect("routes").keys().collect();
    assert_eq!(routes, ["POST /fraud-check", "POST /process", "POST /validate"]);
    assert_eq!(api["routes"]["POST /process"]["authorization"], "NONE");
    let process = api["routes"]["POST /process"]["integration"].to_string();
    assert!(process.contains("AWS_PROXY") && process.contains("lambda.function/processing"));
    let stage = spec("apigateway.stage");
    assert_eq!(stage["name"], "prod");
    let all = &stage["methods"]["*/*"];
    assert_eq!(
        (&all["log_level"], &all["data_trace"], &all["metrics"]),
        (&json!("INFO"), &json!(true), &json!(true))
    );
    assert_eq!(blueprint.resources[&address("apigateway.stage")].name, "payment-api-dev/prod");
    assert!(blueprint.resources.contains_key(&Address::new("apigateway.account", "main")));
}

#[test]
fn apis_that_aws_would_refuse_are_refused() {
    let route = |name: &str, rest: &str| {
        format!("[apis.a.routes.\"{name}\"]\nurl = \"https://x.example\"\n{rest}\n")
    };
    refuses("[apis.a]\nroutes = {}", "an API needs at least one route");
    refuses(&route("POST /a b", ""), "has the wrong format (a route is a method and a path");
    refuses(&route("FETCH /a", ""), "has the wrong format");
    refuses(&route("GET /a/", ""), "a path must not end in a slash (write `/a`)");
    refuses(&route("GET /{all+}/x", ""), "`{all+}` matches the rest of the path");
    refuses(
        &(route("GET /{a}", "") + &route("GET /{b}/c", "")),
        "`{b}` and `{a}` are at the same place",
    );
    refuses(&route("GET /{a}/x/{a}", ""), "`{a}` appears twice");
    refuses(&route("GET /", "timeout_ms = 49"), "49 is out of range (use 50 to 29000)");
    refuses(&route("GET /", "timeout_ms = 29001"), "29001 is out of range (use 50 to 29000)");
    refuses("[apis.a.routes.\"GET /\"]\napi_key = false", "the route has no backend");
    refuses(&route("GET /", "load_balancer = \"main\""), "[load_balancers] has no `main`");
    refuses(
        "[apis.a.routes.\"GET /\"]\nfunction = \"validaton\"\n[functions.validation]",
        "[functions] has no `validaton`",
    );
    let balanced = "[apis.a.routes.\"GET /\"]\nload_balancer = \"main\"\n\
                    [load_balancers.main]\nlisteners = [{ port = 443, forward = \"web\" }]";
    refuses(balanced, "`vpc_link` is missing: an API reaches");
    refuses(balanced, "`main` does not listen on port 80 (set `port` to the port of one");
    let many: String = (0..300).map(|at| route(&format!("GET /{at}"), "")).collect();
    refuses(&many, "too many paths: 301 (use variables: AWS allows at most 300");
    refuses(&route("GET /", "path = \"/x\""), "`path` needs `load_balancer`");
    refuses("[apis.a.routes.\"GET /\"]\nurl = \"ftp://x\"", "`ftp://x` is not a URL");
    refuses(
        "[apis.a.routes.\"GET /a\"]\nurl = \"https://x/{id}\"",
        "the path of the route has no `{id}`",
    );
    refuses(&route("GET /", "model = \"Payment\""), "no model `Payment`");
    let checked = "[apis.a]\nvalidator = {}\n";
    let every = "this route has none: every body passes";
    refuses(&(checked.to_owned() + &route("POST /", "")), every);
    refuses(&(checked.to_owned() + &route("ANY /", "")), every);
    accepts(&(checked.to_owned() + &route("GET /", "")));
    accepts(&(checked.to_owned() + &route("POST /", "model = \"none\"")));
    accepts(&(checked.to_owned() + &route("POST /", "validate = false")));
    refuses(&route("GET /", "api_key = true"), "the API has no API key");
    refuses(&route("GET /", "authorization = \"cstomers\""), "no authorizer `cstomers`");
    refuses(&route("GET /", "authorization = \"IAM\""), "write iam, none, or the name of");
    refuses(&route("GET /", "scopes = [\"a\"]"), "scopes need an authorizer with user pools");
    let guarded = |authorizer: &str| {
        route("GET /", "authorization = \"callers\"")
            + &format!("[apis.a.authorizers.callers]\n{authorizer}\n[functions.check]")
    };
    refuses(&guarded(""), "the authorizer checks nothing");
    refuses(&guarded("function = \"chek\""), "[functions] has no `chek`");
    refuses(&guarded("user_pools = \"pool\""), "write the id of a user pool");
    let both = "user_pools = \"us-east-1_a\"\nfunction = \"check\"";
    refuses(&guarded(both), "`user_pools` and `function` cannot be used together");
    let pools = |rest: &str| guarded(&format!("user_pools = \"us-east-1_a\"\n{rest}"));
    refuses(&pools("cache_seconds = 5"), "`cache_seconds` needs `function`");
    refuses(&pools("identity = \"query.a\""), "a token comes from one header");
    let two = "function = \"check\"\nidentity = [\"header.A\", \"header.B\"]";
    refuses(&guarded(two), "a token comes from one header");
    let nobody = "function = \"check\"\ngets = \"request\"\nidentity = []";
    refuses(&guarded(nobody), "API Gateway cannot cache an answer without an identity");
    refuses(&guarded("function = \"check\"\ncache_seconds = 3601"), "3601 is out of range");
    let unused = "[apis.a.authorizers.callers]\nuser_pools = \"us-east-1_a\"";
    refuses(&(route("GET /", "") + unused), "no route uses this authorizer");
    refuses(&(route("GET /", "") + &unused.replace("callers", "iam")), "this name is reserved");
    let eleven: String =
        (0..11).map(|at| unused.replace("callers", &format!("c{at}")) + "\n").collect();
    refuses(&(route("GET /", "") + &eleven), "too many authorizers: 11");
    refuses(&route("GET /", "parameters = { id = true }"), "write `query.NAME` or `header.NAME`");
    let api = |head: &str| format!("[apis.a]\n{head}\n{}", route("GET /", ""));
    refuses(&api("stage = \"a b\""), "`a b` has the wrong format (a stage's name");
    refuses(&api("throttle = { rate = 0, burst = 1 }"), "0 is out of range");
    refuses(&api("models = { Payment = \"{\" }"), "this is not JSON");
    refuses(&api("models = { Payment = \"[]\" }"), "a schema must be a JSON object");
    refuses(&api("models = { Empty = \"{}\" }"), "AWS adds a model of this name to every API");
    refuses(&api("models = { none = \"{}\" }"), "`none` is a reserved name");
    refuses(&api("log = { data_trace = true }"), "with every card number in them");
    accepts(&api("log = { data_trace = true, card_numbers_in_logs = true }"));
    refuses(
        &api("log = { level = \"off\", data_trace = true }"),
        "`data_trace` writes into the execution log",
    );
    refuses(&api("log = { retention_days = 8 }"), "CloudWatch cannot keep logs for 8 days");
    refuses(&api("variables = { a = \"x y\" }"), "`x y` is not a valid value");
    refuses(
        &api("cors = { origins = [\"*\", \"https://a.b\"] }"),
        "`*` already includes every other",
    );
    refuses(&api("cors = { origins = \"*\", credentials = true }"), "browsers do not send cookies");
    refuses(&api("cors = { origins = \"https://a.b/\" }"), "an origin looks like");
    refuses(&api("usage = { keys = [\"partner\"] }"), "no route needs an API key");
    refuses(
        &api("throttle = { rate = 5, burst = 5 }\nusage = { throttle = { rate = 9, burst = 5 } }"),
        "one key may send more than the API allows",
    );
    refuses(&api("name = \"a b ${env}\""), "is not a valid name");
    refuses(
        &api("statements = [{ actions = \"s3:GetObject\", principals = { AWS = \"*\" } }]"),
        "`s3:GetObject` is not valid in this policy",
    );
    refuses(
        &api("statements = [{ actions = \"execute-api:Invoke\", principals = { AWS = \"*\" }, \
              resources = \"arn:aws:execute-api:us-east-1:000000000000:abc123/*\" }]"),
        "names an API by its id",
    );
    let long = "x".repeat(9000);
    let policy = format!(
        "statements = [{{ actions = \"execute-api:Invoke\", principals = {{ AWS = \"*\" }}, \
         conditions = {{ StringEquals = {{ \"aws:x\" = \"{long}\" }} }} }}]"
    );
    refuses(&api(&policy), "use at most 8192");
    refuses(
        "[vpc_links.a]\nsecurity_groups = [\"g\"]\n[security_groups.g]\ndescription = \"g\"",
        "a VPC link needs a network",
    );
    refuses(
        "[network]\ncidr = \"10.0.0.0/16\"\n[vpc_links.a]\nsubnets = \"isolated\"\n\
         security_groups = [\"g\"]\n[security_groups.g]\ndescription = \"g\"",
        "the network has no isolated subnets",
    );
    refuses(
        "[network]\ncidr = \"10.0.0.0/16\"\n[vpc_links.a]\nsecurity_groups = []",
        "a VPC link needs a security group",
    );
}

#[test]
fn a_function_timeout_above_the_api_limit_must_be_explicit() {
    let text = "[functions.slow]\ntimeout = 30\nsource = \"code\"\nruntime = \"python3.13\"\n\
                role = \"work\"\n[roles.work]\nservices = \"lambda.amazonaws.com\"\n\
                [apis.a.routes.\"GET /\"]\nfunction = \"slow\"\n";
    let waits = |text: &str| {
        let folder = Folder::with(text);
        folder.add_code();
        let found = config::load(&folder.0, "dev", &|_| None).err().unwrap_or_default();
        let expected = "`slow` may take 30 seconds, but API Gateway waits only 29";
        found.iter().any(|problem| problem.message.contains(expected))
    };
    assert!(waits(text));
    assert!(!waits(&format!("{text}timeout_ms = 29000\n")));
}

#[test]
fn routes_require_authorization_by_default() {
    let folder = Folder::with(
        r#"
[apis.payments]
cors = { origins = "https://shop.example" }
[apis.payments.authorizers.customers]
user_pools = ["us-east-1_AbC", "arn:aws:cognito-idp:eu-west-1:111111111111:userpool/eu-west-1_X"]
[apis.payments.authorizers.partners]
function = "check"
gets = "request"
identity = ["header.X-Key", "query.tenant", "stage.level", "context.identity.sourceIp"]
cache_seconds = 0
[apis.payments.routes."GET /signed"]
url = "https://x.example"
[apis.payments.routes."GET /open"]
url = "https://x.example"
authorization = "none"
[apis.payments.routes."GET /customers"]
url = "https://x.example"
authorization = "customers"
scopes = ["payments/read"]
[apis.payments.routes."GET /partners"]
url = "https://x.example"
authorization = "partners"
[functions.check]
source = "code"
runtime = "python3.13"
role = "work"
[roles.work]
services = "lambda.amazonaws.com"
"#,
    );
    folder.add_code();
    let blueprint = folder.blueprint();
    let spec = &blueprint.resources[&address("apigateway.rest_api")].spec;
    let asks = |route: &str| {
        let found = &spec["routes"][route];
        (found["authorization"].clone(), found["authorizer"].clone(), found["scopes"].clone())
    };
    let none = Value::Null;
    assert_eq!(asks("GET /signed"), (json!("AWS_IAM"), none.clone(), none.clone()));
    assert_eq!(asks("GET /open"), (json!("NONE"), none.clone(), none.clone()));
    let customers = (json!("COGNITO_USER_POOLS"), json!("customers"), json!(["payments/read"]));
    assert_eq!(asks("GET /customers"), customers);
    assert_eq!(asks("GET /partners"), (json!("CUSTOM"), json!("partners"), none.clone()));
    assert_eq!(asks("OPTIONS /signed").0, "NONE", "a browser asks without credentials");
    let pools = json!([
        "arn:aws:cognito-idp:eu-west-1:111111111111:userpool/eu-west-1_X",
        "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_AbC",
    ]);
    assert_eq!(spec["authorizers"]["customers"]["pools"], pools);
    let partners = &spec["authorizers"]["partners"];
    assert_eq!((&partners["kind"], &partners["cache_seconds"]), (&json!("REQUEST"), &json!(0)));
    let identity = json!([
        "context.identity.sourceIp",
        "method.request.header.X-Key",
        "method.request.querystring.tenant",
        "stageVariables.level",
    ]);
    assert_eq!(partners["identity"], identity);
    // API Gateway may call it.
    let permissions = Address::new("lambda.permissions", "check");
    assert!(blueprint.resources.contains_key(&permissions));
}

#[test]
fn the_recommended_api_requires_authorization_and_validates_bodies() {
    for env in ["dev", "staging", "prod", "pr-1"] {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config");
        let facts = Facts { account: "000000000000".into(), ..Facts::placeholder("us-east-1") };
        let loaded = config::load(&root, env, &|_| None).expect("a valid config");
        let blueprint = build(&loaded, &facts).expect("a valid blueprint");
        let apis = blueprint.resources.iter();
        let apis: Vec<_> = apis.filter(|(one, _)| one.kind == "apigateway.rest_api").collect();
        assert!(!apis.is_empty());
        for (_, api) in apis {
            for (name, route) in api.spec["routes"].as_object().expect("routes") {
                assert_eq!(route["authorization"], "AWS_IAM", "{name}");
                let is_passed_on = name.contains("/service/");
                let models = route["models"].as_object().expect("models");
                assert_eq!(models.is_empty(), is_passed_on, "{name}");
            }
            let process = &api.spec["routes"]["POST /process"]["parameters"];
            assert_eq!(process["method.request.header.Idempotency-Key"], true);
            let policy = api.spec["policy"].to_string();
            assert!(policy.contains("arn:aws:iam::000000000000:root"), "{policy}");
            // API Gateway logs values that do not match a pattern or a length.
            let models = api.spec["models"].to_string();
            assert!(!models.contains("pattern") && !models.contains("Length"), "{models}");
        }
        let stages = blueprint.resources.iter().filter(|(one, _)| one.kind == "apigateway.stage");
        for (_, stage) in stages {
            assert_eq!(stage.spec["methods"]["*/*"]["data_trace"], false);
        }
    }
}
