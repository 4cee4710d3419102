//! APIs: what the config makes of them, what it refuses, and what becomes of them on the sandbox.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use payctl::aws::clients::Connection;
use payctl::aws::provider::AwsProvider;
use payctl::blueprint::{Facts, build, problems};
use payctl::config;
use payctl_engine::apply::Report;
use payctl_engine::event::StepError;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::error::ErrorClass;
use payctl_engine::model::text::{Output, Text};
use payctl_engine::plan::{Action, Plan, Purpose};
use payctl_engine::provider::Provider as _;
use payctl_sandbox::{Fault, Faults};
use payctl_sandbox::{Sandbox, Snapshot};
use serde_json::{Value, json};

use crate::support::{
    block_on, carry_out, expect_settled, plan_now, provider, provider_for, run, sandboxed, some,
};

/// A config folder that goes with this value.
struct Folder(PathBuf);

impl Folder {
    fn with(text: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("apis-{}-{number}", std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("the build folder is writable");
        let text = format!("project = \"payment\"\nregion = \"us-east-1\"\n{text}\n");
        fs::write(path.join("dev.toml"), text).expect("the build folder is writable");
        Self(path)
    }

    /// Adds the sources of functions.
    fn add_code(&self) {
        let code = self.0.join("code");
        fs::create_dir_all(&code).expect("the build folder is writable");
        fs::write(code.join("index.py"), "def handler(event, context): ...\n")
            .expect("the build folder is writable");
    }

    fn blueprint(&self) -> Blueprint {
        let facts = Facts { account: "000000000000".into(), ..Facts::placeholder("us-east-1") };
        let loaded = config::load(&self.0, "dev", &|_| None).expect("a valid config");
        build(&loaded, &facts).expect("a valid blueprint")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// The messages that a config gets.
#[track_caller]
fn refuses(text: &str, expected: &str) {
    let folder = Folder::with(text);
    let found = problems(&folder.0, "dev", &|_| None, None);
    let shown: Vec<String> =
        found.iter().map(|problem| format!("{} ({})", problem.message, problem.fix)).collect();
    assert!(shown.iter().any(|line| line.contains(expected)), "{expected}\n{shown:#?}");
}

/// A config that nothing is said about.
#[track_caller]
fn accepts(text: &str) {
    let folder = Folder::with(text);
    let found = problems(&folder.0, "dev", &|_| None, None);
    assert!(found.is_empty(), "{found:#?}");
}

/// An API without functions, as far as its routes go.
const PAYMENTS: &str = r#"
[apis.payments]
name = "payment-api-${env}"
description = "Payment Processing API - ${env}"
endpoint = "edge"
stage = "prod"
validator = { name = "payment-validator-${env}", body = true, parameters = true }
log = { level = "info", data_trace = true, card_numbers_in_logs = true, retention_days = 7 }
[apis.payments.routes."POST /validate"]
authorization = "none"
model = "none"
url = "https://example.com/validate"
[apis.payments.routes."POST /fraud-check"]
authorization = "none"
model = "none"
url = "https://example.com/fraud-check"
[apis.payments.routes."POST /process"]
authorization = "none"
model = "none"
url = "https://example.com/process"
"#;

fn address(kind: &str) -> Address {
    Address::new(kind, "payments")
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

/// An environment with one API, on a sandbox.
struct Scene {
    provider: AwsProvider,
    blueprint: Blueprint,
    sandbox: Sandbox,
}

impl Scene {
    async fn new(text: &str) -> Self {
        let sandbox = Sandbox::in_memory();
        let provider = provider_for(&sandboxed(&sandbox), "dev").await;
        Self { provider, blueprint: Folder::with(text).blueprint(), sandbox }
    }

    async fn apply(&self) -> Plan {
        let plan = run(&self.provider, &self.blueprint, Purpose::Apply).await;
        expect_settled(&self.provider, &self.blueprint, "apply").await;
        plan
    }

    fn set(&mut self, kind: &str, pointer: &str, value: Value) {
        let spec = &mut self.blueprint.resources.get_mut(&address(kind)).expect("it").spec;
        *spec.pointer_mut(pointer).expect("the field is there") = value;
    }

    async fn output(&self, kind: &str, output: Output) -> String {
        let found = self.provider.survey(kind, &BTreeMap::new(), None).await.expect("a survey");
        found[0].live.outputs[&output].clone()
    }
}

fn kinds(plan: &Plan) -> BTreeSet<(&str, Action)> {
    plan.changes.iter().map(|change| (change.address.kind.as_str(), change.action)).collect()
}

#[test]
fn an_api_is_redeployed_exactly_when_it_changed() {
    block_on(async {
        let mut scene = Scene::new(PAYMENTS).await;
        scene.apply().await;
        let api = aws_sdk_apigateway::Client::from_conf(
            aws_sdk_apigateway::Config::builder()
                .behavior_version(aws_sdk_apigateway::config::BehaviorVersion::latest())
                .region(aws_sdk_apigateway::config::Region::new("us-east-1"))
                .credentials_provider(aws_credential_types::Credentials::from_keys("S", "s", None))
                .http_client(scene.sandbox.transport())
                .build(),
        );
        let id = scene.output("apigateway.rest_api", Output::Id).await;
        let url = scene.output("apigateway.stage", Output::Url).await;
        assert_eq!(url, format!("https://{id}.execute-api.us-east-1.amazonaws.com/prod"));
        let deployed = || async {
            let found = api.get_deployments().rest_api_id(&id).send().await.expect("a list");
            let found = found.items.unwrap_or_default();
            assert_eq!(found.len(), 1, "old deployments go");
            found[0].id.clone()
        };
        let first = deployed().await;

        // What is not part of the picture needs no new one.
        scene.set("apigateway.rest_api", "/description", json!("Payments"));
        let plan = scene.apply().await;
        assert_eq!(kinds(&plan), BTreeSet::from([("apigateway.rest_api", Action::Update)]));
        assert_eq!(deployed().await, first);

        scene.set(
            "apigateway.rest_api",
            "/routes/POST ~1process/integration/timeout_ms",
            json!(5000),
        );
        let plan = scene.apply().await;
        let both = [("apigateway.rest_api", Action::Update), ("apigateway.stage", Action::Update)];
        assert_eq!(kinds(&plan), BTreeSet::from(both));
        let second = deployed().await;
        assert_ne!(second, first);

        // A change that somebody made by hand is undone, and what they deployed replaced.
        let root = api.get_resources().rest_api_id(&id).send().await.expect("a list");
        let root = root.items.unwrap_or_default().into_iter();
        let root = root.filter(|one| one.path() == Some("/")).find_map(|one| one.id);
        let root = root.expect("a root");
        let put = api.put_method().rest_api_id(&id).resource_id(&root).http_method("GET");
        put.authorization_type("NONE").send().await.expect("a method");
        let put = api.put_integration().rest_api_id(&id).resource_id(&root).http_method("GET");
        let mock = aws_sdk_apigateway::types::IntegrationType::Mock;
        put.r#type(mock).send().await.expect("an integration");
        let theirs = api.create_deployment().rest_api_id(&id).send().await.expect("a deployment");
        let patch = aws_sdk_apigateway::types::PatchOperation::builder()
            .op(aws_sdk_apigateway::types::Op::Replace)
            .path("/deploymentId")
            .value(theirs.id.expect("an id"))
            .build();
        let update = api.update_stage().rest_api_id(&id).stage_name("prod");
        update.patch_operations(patch).send().await.expect("moved");
        let plan = scene.apply().await;
        assert_eq!(kinds(&plan), BTreeSet::from(both));

        run(&scene.provider, &scene.blueprint, Purpose::Destroy).await;
        assert_eq!(scene.sandbox.counts().expect("a sandbox"), BTreeMap::new());
    });
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

/// The same behind an authorizer.
fn guarded(authorizer: &str) -> String {
    let text = PAYMENTS.replace("authorization = \"none\"", "authorization = \"callers\"");
    format!("{text}[apis.payments.authorizers.callers]\n{authorizer}\n")
}

#[test]
fn authorizers_are_created_changed_and_deleted_with_their_methods() {
    block_on(async {
        let mut scene = Scene::new(PAYMENTS).await;
        scene.apply().await;
        let signed = PAYMENTS.replace("authorization = \"none\"", "authorization = \"iam\"");
        let steps = [
            guarded("user_pools = \"us-east-1_a\""),
            guarded("user_pools = [\"us-east-1_b\", \"us-east-1_c\"]"),
            signed,
            PAYMENTS.to_owned(),
        ];
        for step in steps {
            scene.blueprint = Folder::with(&step).blueprint();
            // What differs is in force at once: the stage moves with the API.
            let kinds = kinds(&scene.apply().await)
                .into_iter()
                .filter(|(kind, _)| kind.starts_with("apigateway."))
                .map(|(kind, action)| (kind.to_owned(), action))
                .collect::<BTreeSet<_>>();
            let both = ["apigateway.rest_api", "apigateway.stage"];
            assert_eq!(kinds, both.map(|kind| (kind.to_owned(), Action::Update)).into());
        }
        run(&scene.provider, &scene.blueprint, Purpose::Destroy).await;
        assert_eq!(scene.sandbox.counts().expect("a sandbox"), BTreeMap::new());
    });
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
            // What does not fit a pattern or a length is logged by API Gateway as it is.
            let models = api.spec["models"].to_string();
            assert!(!models.contains("pattern") && !models.contains("Length"), "{models}");
        }
        let stages = blueprint.resources.iter().filter(|(one, _)| one.kind == "apigateway.stage");
        for (_, stage) in stages {
            assert_eq!(stage.spec["methods"]["*/*"]["data_trace"], false);
        }
    }
}

#[test]
fn routes_are_created_and_deleted_with_their_paths() {
    block_on(async {
        let mut scene = Scene::new(PAYMENTS).await;
        scene.apply().await;
        let with = PAYMENTS.replace("POST /process", "POST /{id}/process/{rest+}");
        let with = with.replace("https://example.com/process", "https://example.com/{rest}/{id}");
        let with = format!(
            "{with}\n[apis.payments.cors]\norigins = [\"https://a.example\", \"https://b.example\"]\n"
        );
        scene.blueprint = Folder::with(&with).blueprint();
        scene.apply().await;
        scene.blueprint = Folder::with(PAYMENTS).blueprint();
        scene.apply().await;
        // The variable takes another name: the old path goes first.
        let other = PAYMENTS.replace("POST /process", "POST /{payment}/process");
        scene.blueprint = Folder::with(&with).blueprint();
        scene.apply().await;
        scene.blueprint = Folder::with(&other).blueprint();
        scene.apply().await;
    });
}

#[test]
fn the_account_role_is_shared_and_stays_after_destroy() {
    block_on(async {
        let scene = Scene::new(PAYMENTS).await;
        let made = scene.apply().await;
        let account = ("apigateway.account", Action::Create);
        assert!(kinds(&made).contains(&account));
        run(&scene.provider, &scene.blueprint, Purpose::Destroy).await;
        let again = scene.apply().await;
        assert!(!kinds(&again).contains(&account));
    });
}

/// The same with a usage plan and a key.
fn with_keys() -> String {
    let text = PAYMENTS.replace(
        "validator =",
        "usage = { throttle = { rate = 5, burst = 9 }, quota = { limit = 100, period = \"day\" }, \
         keys = [\"partner\"] }\nvalidator =",
    );
    format!("{text}api_key = true\n")
}

/// A whole run as the program makes it.
async fn whole_run(connection: &Connection, blueprint: &Blueprint, purpose: Purpose) -> Report {
    let provider = provider_for(connection, "dev").await;
    let plan = plan_now(&provider, blueprint, purpose).await;
    carry_out(&provider, &plan).await
}

/// One fault at one call of a run; the next run must end where a clean one does.
async fn struck(blueprint: &Blueprint, before: &Snapshot, purpose: Purpose, call: usize) {
    let sandbox = Sandbox::in_memory();
    sandbox.restore(before).expect("a sandbox");
    let fault = Fault::ALL[call % Fault::ALL.len()];
    let faults = Faults::new(sandbox.transport()).at(call, fault);
    let faulty = Connection { transport: Some(faults.transport()), ..sandboxed(&sandbox) };
    tokio::select! {
        report = whole_run(&faulty, blueprint, purpose) => {
            assert!(report.is_complete(), "{call} {fault:?}: {:#?}", report.failed);
        }
        () = faults.stopped() => {
            let report = whole_run(&sandboxed(&sandbox), blueprint, purpose).await;
            assert!(report.is_complete(), "after {call} {fault:?}: {:#?}", report.failed);
        }
    }
    let provider = provider_for(&sandboxed(&sandbox), "dev").await;
    if purpose == Purpose::Apply {
        expect_settled(&provider, blueprint, &format!("{call} {fault:?}")).await;
        run(&provider, blueprint, Purpose::Destroy).await;
    }
    let left = sandbox.counts().expect("a sandbox");
    assert_eq!(left, BTreeMap::new(), "after {call} {fault:?}");
}

#[test]
fn an_api_with_keys_survives_faults() {
    let blueprint = Folder::with(&with_keys()).blueprint();
    for purpose in [Purpose::Apply, Purpose::Destroy] {
        let (before, calls) = block_on(async {
            let sandbox = Sandbox::in_memory();
            if purpose == Purpose::Destroy {
                whole_run(&sandboxed(&sandbox), &blueprint, Purpose::Apply).await;
            }
            let before = sandbox.snapshot().expect("a snapshot");
            let faults = Faults::new(sandbox.transport());
            let counted = Connection { transport: Some(faults.transport()), ..sandboxed(&sandbox) };
            assert!(whole_run(&counted, &blueprint, purpose).await.is_complete());
            (before, faults.calls().len())
        });
        // Each kind of fault comes up; the sweep of the shipped environments does the rest.
        for call in (1..=calls).step_by(7) {
            block_on(struck(&blueprint, &before, purpose, call));
        }
    }
}

#[test]
fn a_link_is_deleted_after_the_deployment_that_uses_it() {
    block_on(async {
        let link = "[network]\ncidr = \"10.0.0.0/16\"\nnat = { kind = \"none\" }\n\
                    [security_groups.link]\ndescription = \"link\"\n\
                    [vpc_links.main]\nsecurity_groups = [\"link\"]\n";
        let mut scene = Scene::new(&format!("{PAYMENTS}{link}")).await;
        scene.sandbox = Sandbox::in_memory_strict();
        scene.provider = provider_for(&sandboxed(&scene.sandbox), "dev").await;
        let id = Text::reference(Address::new("apigateway.vpc_link", "main"), Output::Id);
        let balancer = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/x/1";
        scene.set(
            "apigateway.rest_api",
            "/routes/POST ~1process/integration/link",
            json!({ "id": id, "target": balancer }),
        );
        scene.apply().await;
        scene.set("apigateway.rest_api", "/routes/POST ~1process/integration/link", Value::Null);
        scene.blueprint.resources.remove(&Address::new("apigateway.vpc_link", "main"));
        let plan = scene.apply().await;
        assert!(kinds(&plan).contains(&("apigateway.vpc_link", Action::Delete)));
        run(&scene.provider, &scene.blueprint, Purpose::Destroy).await;
        assert_eq!(scene.sandbox.counts().expect("a sandbox"), BTreeMap::new());
    });
}

#[test]
fn deleting_a_stage_deletes_only_its_own_log() {
    block_on(async {
        let scene = Scene::new(PAYMENTS).await;
        scene.apply().await;
        let id = scene.output("apigateway.rest_api", Output::Id).await;
        let stage = address("apigateway.stage");
        // Somebody's stage of the same API, whose name begins like ours.
        let logs = aws_sdk_cloudwatchlogs::Client::from_conf(
            aws_sdk_cloudwatchlogs::Config::builder()
                .behavior_version(aws_sdk_cloudwatchlogs::config::BehaviorVersion::latest())
                .region(aws_sdk_cloudwatchlogs::config::Region::new("us-east-1"))
                .credentials_provider(aws_credential_types::Credentials::from_keys("S", "s", None))
                .http_client(scene.sandbox.transport())
                .build(),
        );
        let other = format!("API-Gateway-Execution-Logs_{id}/prod2");
        logs.create_log_group().log_group_name(&other).send().await.expect("a group");
        let groups = || async {
            let call = logs.describe_log_groups().log_group_name_prefix("API-Gateway-Execution");
            let found = call.send().await.expect("a list").log_groups.unwrap_or_default();
            found.into_iter().filter_map(|group| group.log_group_name).collect::<Vec<_>>()
        };
        assert_eq!(groups().await.len(), 2);
        let mut without = scene.blueprint.clone();
        without.resources.remove(&stage);
        run(&scene.provider, &without, Purpose::Apply).await;
        assert_eq!(groups().await, [other]);
        // With the API go all that it has written.
        run(&scene.provider, &without, Purpose::Destroy).await;
        assert!(groups().await.is_empty());
    });
}

#[test]
fn a_usage_plan_whose_deletion_was_interrupted_is_deleted() {
    block_on(async {
        let blueprint = Folder::with(&with_keys()).blueprint();
        let sandbox = Sandbox::in_memory();
        whole_run(&sandboxed(&sandbox), &blueprint, Purpose::Apply).await;
        let snapshot = sandbox.snapshot().expect("a snapshot");
        let faults = Faults::new(sandbox.transport());
        let counted = Connection { transport: Some(faults.transport()), ..sandboxed(&sandbox) };
        assert!(whole_run(&counted, &blueprint, Purpose::Destroy).await.is_complete());
        let calls = faults.calls();
        let delete = calls.iter().position(|call| call == "apigateway.DeleteUsagePlan");
        let delete = delete.unwrap_or_else(|| panic!("{calls:#?}"));

        // The stages are off the plan already when it is asked again.
        sandbox.restore(&snapshot).expect("a sandbox");
        let faults = Faults::new(sandbox.transport()).at(delete + 1, Fault::Error500);
        let faulty = Connection { transport: Some(faults.transport()), ..sandboxed(&sandbox) };
        let report = whole_run(&faulty, &blueprint, Purpose::Destroy).await;
        assert_eq!(faults.struck(), [("apigateway.DeleteUsagePlan".into(), Fault::Error500)]);
        assert!(report.is_complete(), "{:#?}", report.failed);
    });
}

#[test]
fn an_exhausted_api_quota_is_not_throttling() {
    block_on(async {
        let provider = provider(&sandboxed(&Sandbox::in_memory())).await;
        let mut blueprint = some(&provider, &["apigateway.rest_api"]);
        let sample = Address::new("apigateway.rest_api", "sample");
        let api = blueprint.resources.get_mut(&sample).expect("an API");
        let paths = api.spec["paths"].as_array_mut().expect("its paths");
        paths.extend((0..300).map(|n| json!(format!("/many-{n:03}"))));
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let report = carry_out(&provider, &plan).await;
        let [(failed, _, StepError::Refused(error))] = &report.failed[..] else {
            panic!("{:#?}", report.failed);
        };
        assert_eq!((failed, error.class), (&sample, ErrorClass::Quota), "{error}");
        assert!(report.elapsed < Duration::from_secs(60), "{:?}", report.elapsed);
    });
}
