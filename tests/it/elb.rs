//! Load balancers and the Auto Scaling groups behind them: rules, blueprints, life on the sandbox.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use aws_sdk_elasticloadbalancingv2::types::{
    Action as AwsAction, ActionTypeEnum, FixedResponseActionConfig, RuleCondition,
};
use payctl::blueprint::{Facts, build, problems};
use payctl::config::load;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::plan::{Action, Plan, Purpose};
use payctl_sandbox::{Fault, Faults, Sandbox};
use serde_json::{Value, json};

use crate::support::{
    applied_under, block_on, carry_out, configured, expect_settled, plan_now, provider_for, run,
    sandboxed,
};

pub const HEAD: &str = "project = \"payment\"\nregion = \"us-east-1\"\n";

pub const NETWORK: &str = "[network]\ncidr = \"10.0.0.0/16\"\nzones = 2\nnat = { kind = \"none\" }\n\
    [security_groups.lb]\ndescription = \"Clients\"\n\
    ingress = [{ port = 80, from = \"0.0.0.0/0\" }]\negress = \"all\"\n\
    [security_groups.workers]\ndescription = \"Workers\"\negress = \"all\"\n";

/// A folder with an environment and the sources of its functions.
fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("work")).expect("a folder");
    let source = "def handler(event, context):\n    return {\"statusCode\": 200}\n";
    fs::write(folder.path().join("work/index.py"), source).expect("a file");
    fs::write(folder.path().join("dev.toml"), format!("{HEAD}{text}")).expect("a file");
    folder
}

fn in_folder<T>(text: &str, with: impl FnOnce(&Path) -> T) -> T {
    with(folder(text).path())
}

pub fn blueprint_of(text: &str) -> Blueprint {
    let facts = Facts { account: "000000000000".into(), ..Facts::placeholder("us-east-1") };
    built(text, &facts).unwrap_or_else(|found| panic!("{found:#?}"))
}

/// What becomes of a config in an account of which this is known, or what is wrong with it.
pub fn built(text: &str, facts: &Facts) -> Result<Blueprint, String> {
    in_folder(text, |folder| {
        let found = load(folder, "dev", &|_| None).and_then(|loaded| build(&loaded, facts));
        found.map_err(|problems| problems.iter().map(|one| format!("{one}\n")).collect())
    })
}

pub fn spec_of(blueprint: &Blueprint, address: &str) -> Value {
    let address: Address = address.parse().expect("an address");
    blueprint.resources[&address].spec.clone()
}

/// Expects a problem of a config with the network.
#[track_caller]
pub(super) fn check(text: &str, expected: &str) {
    let text = format!("{NETWORK}{text}");
    let found = in_folder(&text, |folder| problems(folder, "dev", &|_| None, None));
    let shown: Vec<String> =
        found.iter().map(|one| format!("{} ({})", one.message, one.fix)).collect();
    assert!(shown.iter().any(|line| line.contains(expected)), "{expected}\n{shown:#?}");
}

#[test]
fn load_balancers_that_aws_would_refuse_are_refused() {
    let lb = |rest: &str| format!("[load_balancers.a]\nsecurity_groups = [\"lb\"]\n{rest}\n");
    let on = |listener: &str| {
        format!(
            "{}[target_groups.blue]\n[target_groups.green]\n[target_groups.raw]\nprotocol = \"tcp\"\n",
            lb(&format!("listeners = [{listener}]"))
        )
    };
    check("[load_balancers.a]", "an application load balancer needs a security group");
    check(&lb("subnets = \"isolated\""), "the network has no isolated subnets");
    check(&lb("scheme = \"internet-facing\"\nsubnets = \"private\""), "needs public subnets");
    check(&lb("name = \"internal-${env}\""), "AWS reserves names that begin with `internal-`");
    check(&lb(&format!("name = \"{}-${{env}}\"", "x".repeat(32))), "use at most 32");
    check(&lb("idle_timeout = 4001"), "4001 is out of range (use 1 to 4000)");
    check(&lb("cross_zone = true"), "`cross_zone` is only for network load balancers");
    check(
        &lb("type = \"network\"\nhttp2 = true"),
        "`http2` is only for application load balancers",
    );
    let log = "access_log = { bucket = \"b\" }\n[buckets.b]\n";
    check(&lb(log), "load balancers may not write to the bucket `b`");
    let log = format!("{log}log_delivery = true\nkey = \"k\"\n[keys.k]");
    check(&lb(&log), "the bucket `b` has a customer key");
    let log = "access_log = { bucket = \"b\", prefix = \"/x\" }\n[buckets.b]\nlog_delivery = true";
    check(&lb(log), "this is not a valid prefix");
    check(&on("{ port = 80 }"), "the listener has no action");
    check(&on("{ port = 0, forward = \"blue\" }"), "0 is out of range");
    let both = "{ port = 80, forward = \"blue\", respond = { status = 200 } }";
    check(&on(both), "forward and respond cannot be used together");
    let twice = "{ port = 80, forward = \"blue\" }, { port = 80, forward = \"green\" }";
    check(&on(twice), "another listener uses port 80");
    check(&on("{ port = 80, forward = \"bleu\" }"), "[target_groups] has no `bleu`");
    check(&on("{ port = 80, forward = { bleu = 1, green = 2 } }"), "[target_groups] has no `bleu`");
    check(&on("{ port = 80, forward = { blue = 0, green = 0 } }"), "all weights are 0");
    check(
        &on("{ port = 80, forward = { blue = 1000, green = 0 } }"),
        "the weight 1000 is out of range",
    );
    check(&on("{ port = 80, forward = \"raw\" }"), "the protocol of the target group `raw` is TCP");
    check(&on("{ port = 80, forward = \"blue\", sticky_seconds = 9 }"), "only one target group");
    check(&on("{ port = 80, protocol = \"tcp\", forward = \"blue\" }"), "does not support TCP");
    check(
        &on("{ port = 53, protocol = \"udp\", forward = \"raw\" }"),
        "`udp` is not valid here (use one of http, https, tcp, tls",
    );
    let network = "type = \"network\"\nlisteners = [{ port = 80, respond = { status = 200 } }]";
    check(&lb(network), "a network load balancer can only forward");
    check(&lb(&crowd()).replace("security_groups = [\"lb\"]\n", ""), "too many security groups");
    let https = |more: &str| on(&format!("{{ port = 443, forward = \"blue\", {more} }}"));
    check(&https("protocol = \"https\""), "HTTPS needs a certificate");
    check(&https("certificate = \"arn:aws:iam::1:x\""), "not the ARN of an ACM certificate");
    let far = "certificate = \"arn:aws:acm:eu-west-1:1:certificate/x\"";
    check(&https(far), "this certificate is in eu-west-1");
    check(
        &https(&format!("protocol = \"http\", {far}")),
        "the protocol HTTP does not use a certificate",
    );
    check(&on("{ port = 80, respond = { status = 301 } }"), "cannot have the status 301");
    check(&on("{ port = 80, redirect = { protocol = \"tcp\" } }"), "must lead to http or https");
    check(&on("{ port = 80, redirect = { path = \"x\" } }"), "a path must begin with a slash");
    let round = "{ port = 80, redirect = { protocol = \"http\", port = 80 } }";
    check(&on(round), "leads back to itself");
    let second = "[load_balancers.b]\nsecurity_groups = [\"lb\"]\n\
                  listeners = [{ port = 80, forward = \"blue\" }]";
    let both = format!("{}{second}", on("{ port = 80, forward = \"blue\" }"));
    check(&both, "the load balancer `a` already uses `blue`");
}

/// Six security groups, and the names of all of them.
pub(super) fn crowd() -> String {
    let names: Vec<String> = (0..6).map(|at| format!("g{at}")).collect();
    let groups: String = names
        .iter()
        .map(|name| format!("[security_groups.{name}]\ndescription = \"x\"\n"))
        .collect();
    format!("security_groups = {names:?}\n{groups}")
}

#[test]
fn an_application_load_balancer_needs_two_zones_and_room_in_them() {
    let text = "[network]\ncidr = \"10.0.0.0/16\"\nprivate_subnets = \"/28\"\n\
                [security_groups.lb]\ndescription = \"x\"\n\
                [load_balancers.a]\nsecurity_groups = [\"lb\"]\n";
    let found = in_folder(text, |folder| problems(folder, "dev", &|_| None, None));
    let says = |one: &str| found.iter().any(|problem| problem.message.contains(one));
    assert!(says("an application load balancer needs subnets of /27"), "{found:#?}");
    let larger = text.replace("/28", "/27");
    let found = in_folder(&larger, |folder| problems(folder, "dev", &|_| None, None));
    assert!(found.is_empty(), "{found:#?}");
    let text = "[network]\ncidr = \"10.0.0.0/16\"\nzones = 1\nnat = { kind = \"none\" }\n\
                [security_groups.lb]\ndescription = \"x\"\n\
                [load_balancers.a]\nsecurity_groups = [\"lb\"]\n";
    let found = in_folder(text, |folder| problems(folder, "dev", &|_| None, None));
    let says = |one: &str| found.iter().any(|problem| problem.message.contains(one));
    assert!(says("an application load balancer needs two zones"), "{found:#?}");
    let found =
        in_folder("[load_balancers.a]\n", |folder| problems(folder, "dev", &|_| None, None));
    let says = |one: &str| found.iter().any(|problem| problem.message.contains(one));
    assert!(says("a load balancer needs a network"), "{found:#?}");
}

#[test]
fn target_groups_that_aws_would_refuse_are_refused() {
    let group = |rest: &str| format!("[target_groups.a]\n{rest}\n");
    let health = |rest: &str| group(&format!("health = {{ {rest} }}"));
    check(&health("interval = 5, timeout = 5"), "the timeout of 5 s is not less than the interval");
    check(&health("interval = 301"), "301 is out of range (use 5 to 300)");
    check(&health("timeout = 1"), "1 is out of range (use 2 to 120)");
    check(&health("healthy = 1"), "1 is out of range (use 2 to 10)");
    check(&health("unhealthy = 11"), "11 is out of range (use 2 to 10)");
    check(&health("path = \"health\""), "a path must begin with a slash");
    check(&health("codes = \"500\""), "codes are 200 to 499");
    check(&health("protocol = \"tcp\""), "a tcp check does not work for http targets");
    check(&group("protocol = \"tcp\"\nhealth = { path = \"/\" }"), "`path` is not for tcp checks");
    check(&group("deregistration_delay = 3601"), "3601 is out of range (use 0 to 3600)");
    check(&group("slow_start = 29"), "`slow_start` is out of range");
    check(&group("targets = \"alb\""), "`alb` is not valid here (use one of ip, instance");
    check(&group("protocol = \"tcp\"\nsticky_seconds = 9"), "`sticky_seconds` is not for tcp");
    check(&group(&format!("name = \"{}-${{env}}\"", "x".repeat(26))), "use at most 25");
}

/// The load balancers of 003 and 004 and the fleet of 001.
const SYSTEMS: &str = r#"
[load_balancers.private]
security_groups = ["lb"]
listeners = [{ port = 80, forward = { blue = 100, green = 0 } }]
[load_balancers.public]
scheme = "internet-facing"
security_groups = ["lb"]
drop_invalid_headers = false
listeners = [{ port = 80, forward = "api" }]
[target_groups.blue]
[target_groups.green]
[target_groups.api]
health = { path = "/health", interval = 30, timeout = 5, healthy = 2, unhealthy = 3 }
[fleets.workers]
instance_type = "t4g.micro"
security_groups = ["workers"]
min = 1
max = 3
desired = 2
scaling = { cpu = 70, memory = 80 }
"#;

#[test]
fn the_config_expresses_the_agreed_systems() {
    let blueprint = blueprint_of(&format!("{NETWORK}{SYSTEMS}"));
    let public = spec_of(&blueprint, "elb.load_balancer/public");
    assert_eq!(
        (&public["type"], &public["scheme"]),
        (&json!("application"), &json!("internet-facing"))
    );
    assert_eq!(public["subnets"].as_array().map(Vec::len), Some(2));
    assert_eq!(public["deletion_protection"], false);
    let group = spec_of(&blueprint, "elb.target_group/api");
    let expected = json!({
        "protocol": "HTTP", "port": "traffic-port", "path": "/health", "matcher": "200",
        "interval": 30, "timeout": 5, "healthy": 2, "unhealthy": 3,
    });
    assert_eq!((&group["health"], &group["target_type"]), (&expected, &json!("ip")));
    assert_eq!((&group["port"], &group["stickiness"]), (&json!(80), &Value::Null));
    let listener = spec_of(&blueprint, "elb.listener/private-80");
    let weights: Vec<&Value> = listener["action"]["forward"]["targets"]
        .as_array()
        .expect("targets")
        .iter()
        .map(|share| &share["weight"])
        .collect();
    assert_eq!(weights, [100, 0]);
    let group = spec_of(&blueprint, "autoscaling.group/workers");
    assert_eq!(
        (&group["min"], &group["max"], &group["initial"]),
        (&json!(1), &json!(3), &json!(2))
    );
    assert!(group.get("desired").is_none(), "the policies own the number");
    assert_eq!(group["policies"]["cpu"]["target"], 70.0);
    let memory = &group["policies"]["memory"];
    assert_eq!(
        (&memory["target"], &memory["metric"]["custom"]["name"]),
        (&json!(80.0), &json!("mem_used_percent"))
    );
    let template = spec_of(&blueprint, "ec2.launch_template/workers");
    let script = template["user_data"].as_str().expect("a script");
    assert!(script.contains("dnf install -y amazon-cloudwatch-agent"), "{script}");
    let role = spec_of(&blueprint, "iam.role/fleet-workers")["managed"].to_string();
    assert!(role.contains("AmazonSSMManagedInstanceCore"), "{role}");
    assert!(role.contains("CloudWatchAgentServerPolicy"), "{role}");
}

#[test]
fn names_fit_whatever_the_environment_is_called() {
    let blueprint = blueprint_of(&format!("{NETWORK}{SYSTEMS}"));
    for (address, desired) in &blueprint.resources {
        if address.kind == "elb.load_balancer" || address.kind == "elb.target_group" {
            assert!(desired.name.len() <= 32 && desired.name.contains("dev"), "{}", desired.name);
        }
    }
}

#[test]
fn weights_move_traffic_and_a_new_port_needs_a_successor() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider_for(&sandboxed(&sandbox), "dev").await;
        let text = format!("{NETWORK}{SYSTEMS}");
        let first = blueprint_of(&text);
        run(&provider, &first, Purpose::Apply).await;
        expect_settled(&provider, &first, "creation").await;

        let text = text.replace("{ blue = 100, green = 0 }", "{ blue = 90, green = 10 }");
        let moved = blueprint_of(&text);
        let plan = run(&provider, &moved, Purpose::Apply).await;
        let changed: Vec<(String, Action)> =
            plan.changes.iter().map(|one| (one.address.to_string(), one.action)).collect();
        assert_eq!(changed, [("elb.listener/private-80".to_owned(), Action::Update)]);
        expect_settled(&provider, &moved, "moving traffic").await;

        let text = text.replace("[target_groups.green]", "[target_groups.green]\nport = 8080");
        let replaced = blueprint_of(&text);
        let plan = run(&provider, &replaced, Purpose::Apply).await;
        let actions: BTreeMap<String, Action> =
            plan.changes.iter().map(|one| (one.address.to_string(), one.action)).collect();
        assert_eq!(actions["elb.listener/private-80"], Action::Update);
        assert_eq!(actions.len(), 2, "{actions:?}");
        expect_settled(&provider, &replaced, "a new port").await;

        let text = text.replace("t4g.micro", "t4g.small");
        let larger = blueprint_of(&text);
        let plan = run(&provider, &larger, Purpose::Apply).await;
        assert_eq!((plan.changes.len(), plan.count(Action::Update)), (2, 2));
        expect_settled(&provider, &larger, "larger instances").await;

        run(&provider, &larger, Purpose::Destroy).await;
        let left = plan_now(&provider, &larger, Purpose::Destroy).await;
        assert!(left.is_empty(), "left after destroy: {:?}", left.changes);
        assert_eq!(sandbox.counts().expect("a sandbox"), BTreeMap::new());
    });
}

/// A listener on port 80 of the load balancer `a` with rules, and target groups for them.
fn ruled(rules: &str) -> String {
    format!(
        "[load_balancers.a]\nsecurity_groups = [\"lb\"]\n[[load_balancers.a.listeners]]\nport = 80\n\
         respond = {{ status = 404 }}\nrules = {{ {rules} }}\n[target_groups.blue]\n\
         [target_groups.green]\n[target_groups.raw]\nprotocol = \"tcp\"\n"
    )
}

#[test]
fn listener_rules_that_aws_would_refuse_are_refused() {
    let rule = |rest: &str| ruled(&format!("r = {{ priority = 1, {rest} }}"));
    let when = |when: &str| rule(&format!("when = {{ {when} }}, forward = \"blue\""));
    check(&when("path = \"/a b\""), "`/a b` has the wrong format (a path is 1 to 128");
    check(&when("path = []"), "the rule has no condition");
    check(&when("host = \"pay_me\""), "a host is 1 to 128 letters");
    check(&when("method = \"GET*\""), "without wildcards");
    check(&when("header = { \"a b\" = \"x\" }"), "the name of a header has 1 to 40");
    check(&when("header = { HOST = \"x\" }"), "a condition cannot look at the header `Host`");
    check(&when("query = { \"\" = \"x\" }"), "the name of a parameter has 0 characters");
    check(&when("query = { a = \"é\" }"), "a value is 1 to 128 characters of ASCII");
    check(&when("source_ip = \"10.0.0.1\""), "an address range looks like");
    check(&when("source_ip = \"10.0.0.0/33\""), "`10.0.0.0/33` is not an address range");
    check(&when("source_ip = \"2001:db8::/129\""), "is not an address range");
    let many = "path = [\"/a\", \"/b\", \"/c\"], method = [\"GET\", \"PUT\", \"POST\"]";
    check(&when(many), "the conditions have 6 values (use at most 5, or several rules)");
    check(&when("path = \"/*/*/*/*\", query = { \"v?\" = \"*\" }"), "6 wildcards");
    check(&rule("forward = \"blue\""), "`when` is missing");
    check(&rule("when = { path = \"/a\" }"), "the rule has no action");
    let both = "when = { path = \"/a\" }, forward = \"blue\", respond = { status = 200 }";
    check(&rule(both), "forward and respond cannot be used together");
    let act = |action: &str| rule(&format!("when = {{ path = \"/a\" }}, {action}"));
    check(&act("forward = \"bleu\""), "[target_groups] has no `bleu`");
    check(&act("forward = \"raw\""), "the protocol of the target group `raw` is TCP");
    check(&act("forward = { blue = 0, green = 0 }"), "all weights are 0");
    check(&act("forward = \"blue\", sticky_seconds = 9"), "only one target group");
    check(&act("redirect = { protocol = \"http\", port = 80 }"), "leads back to itself");
    check(&act("respond = { status = 302 }"), "cannot have the status 302");
    let pair = |one: u32, other: u32| {
        let rule = |name: &str, priority: u32| {
            format!(
                "{name} = {{ priority = {priority}, when = {{ path = \"/a\" }}, respond = {{ status = 200 }} }}"
            )
        };
        ruled(&format!("{}, {}", rule("one", one), rule("other", other)))
    };
    check(&pair(7, 7), "the rule `one` has priority 7");
    check(&pair(7, 0), "0 is out of range (use 1 to 50000)");
    check(&pair(7, 50_001), "50001 is out of range (use 1 to 50000)");
    let network = "[load_balancers.n]\ntype = \"network\"\n[[load_balancers.n.listeners]]\nport = 5000\n\
                   forward = \"raw\"\nrules = { r = { priority = 1, when = { path = \"/a\" }, forward = \"raw\" } }\n\
                   [target_groups.raw]\nprotocol = \"tcp\"\n";
    check(network, "a network load balancer has no rules");
    let second = "[load_balancers.b]\nsecurity_groups = [\"lb\"]\n\
                  listeners = [{ port = 80, forward = \"blue\" }]";
    let both = format!("{}{second}", act("forward = \"blue\""));
    check(&both, "the load balancer `a` already uses `blue`");
}

#[test]
fn certificates_and_policies_that_aws_would_refuse_are_refused() {
    let certificate = |id: &str| format!("\"arn:aws:acm:us-east-1:1:certificate/{id}\"");
    let on = |more: &str| {
        format!(
            "[load_balancers.a]\nsecurity_groups = [\"lb\"]\nlisteners = [{{ port = 443, \
             forward = \"blue\", {more} }}]\n[target_groups.blue]\n"
        )
    };
    let secure = |more: &str| on(&format!("certificate = {}, {more}", certificate("x")));
    check(
        &secure("tls_policy = \"ELBSecurityPolicy-TLS13-1-2-2021-O6\""),
        "AWS has no TLS security policy `ELBSecurityPolicy-TLS13-1-2-2021-O6` (did you mean",
    );
    check(
        &secure("tls_policy = \"modern\""),
        "use for example ELBSecurityPolicy-TLS13-1-2-2021-06",
    );
    check(&secure("other_certificates = [\"x\"]"), "not the ARN of an ACM certificate");
    let far = "other_certificates = [\"arn:aws:acm:eu-west-1:1:certificate/x\"]";
    check(&secure(far), "this certificate is in eu-west-1");
    let same = format!("other_certificates = [{}]", certificate("x"));
    check(&secure(&same), "`certificate` already names one of these certificates");
    check(&on(&same), "the protocol HTTP does not use a certificate (remove `other_certificates`");
    let all: Vec<String> = (0..26).map(|id| certificate(&id.to_string())).collect();
    let all = format!("other_certificates = [{}]", all.join(", "));
    check(&secure(&all), "too many items: 26, at most 25");
}

/// A function `f`, and one `g`, whose sources the tests write.
pub const FUNCTIONS: &str = "[roles.work]\nservices = \"lambda.amazonaws.com\"\n\
    managed = [\"service-role/AWSLambdaBasicExecutionRole\"]\n\
    [functions.f]\nsource = \"work\"\nruntime = \"python3.13\"\nrole = \"work\"\n\
    [functions.g]\nsource = \"work\"\nruntime = \"python3.13\"\nrole = \"work\"\n";

#[test]
fn groups_for_functions_that_aws_would_refuse_are_refused() {
    let group = |rest: &str| format!("{FUNCTIONS}[target_groups.a]\nfunction = \"f\"\n{rest}\n");
    for key in ["port = 80", "protocol = \"http\"", "targets = \"ip\"", "deregistration_delay = 9"]
    {
        let (name, _) = key.split_once(' ').expect("a key");
        check(&group(key), &format!("`{name}` is not for functions (remove it)"));
    }
    check(&group("sticky_seconds = 9"), "`sticky_seconds` is not for functions");
    check(&group("slow_start = 30"), "`slow_start` is not for functions");
    check(&group("health = { port = 80 }"), "`port` is not for functions");
    check(&group("health = { protocol = \"http\" }"), "`protocol` is not for functions");
    check(
        &group("health = { interval = 28, timeout = 20 }"),
        "the interval of 28 s is not more than the timeout of the function `f`, 28 s",
    );
    check(&group("health = { timeout = 40 }"), "the timeout of 40 s is not less than");
    check(&group("").replace("\"f\"", "\"h\""), "[functions] has no `h`");
    let plain = "[target_groups.a]\nmulti_value_headers = true\n";
    check(plain, "`multi_value_headers` is only for functions");
    let network =
        "[load_balancers.n]\ntype = \"network\"\nlisteners = [{ port = 80, forward = \"a\" }]\n";
    check(&group(network), "the target of `a` is the function `f`");
    let fleet = "[fleets.w]\ninstance_type = \"t4g.micro\"\nsecurity_groups = [\"workers\"]\n\
                 min = 1\nmax = 1\ntarget_groups = [\"a\"]\n";
    check(&group(fleet), "the targets of `a` are not instances");
    let service = "[load_balancers.b]\nsecurity_groups = [\"lb\"]\n\
                   listeners = [{ port = 80, forward = \"a\" }]\n[clusters.c]\n[services.s]\n\
                   cluster = \"c\"\nimage = \"x\"\nport = 80\ntarget_group = \"a\"\nsecurity_groups = [\"workers\"]\n";
    check(&group(service), "the targets of the target group `a` are of type lambda");
}

/// A load balancer in front of two functions and of addresses.
const RULED: &str = r#"
[load_balancers.front]
security_groups = ["lb"]
[[load_balancers.front.listeners]]
port = 80
respond = { status = 404 }
[load_balancers.front.listeners.rules.validate]
priority = 10
when = { path = "/validate", method = ["POST", "PUT"] }
forward = "validate"
[load_balancers.front.listeners.rules.beta]
priority = 20
when = { header = { X-Version = "2*" }, query = { beta = ["1", "yes"] } }
forward = { validate = 1, api = 99 }
sticky_seconds = 60
[load_balancers.front.listeners.rules.inner]
priority = 30
when = { host = "*.example.com", source_ip = ["10.0.0.0/8", "2001:db8::/32"] }
redirect = { host = "inner.example.com" }
[target_groups.validate]
function = "f"
multi_value_headers = true
[target_groups.api]
"#;

/// An environment with a network and functions.
pub fn environment(text: &str) -> tempfile::TempDir {
    folder(&format!("{NETWORK}{FUNCTIONS}{text}"))
}

fn actions_of(plan: &Plan) -> BTreeMap<String, Action> {
    plan.changes.iter().map(|one| (one.address.to_string(), one.action)).collect()
}

/// The client of an account that also changes things by hand.
fn client(sandbox: &Sandbox) -> aws_sdk_elasticloadbalancingv2::Client {
    let config = aws_sdk_elasticloadbalancingv2::Config::builder()
        .behavior_version(aws_sdk_elasticloadbalancingv2::config::BehaviorVersion::latest())
        .region(aws_sdk_elasticloadbalancingv2::config::Region::new("us-east-1"))
        .credentials_provider(aws_credential_types::Credentials::from_keys("S", "s", None))
        .http_client(sandbox.transport());
    aws_sdk_elasticloadbalancingv2::Client::from_conf(config.build())
}

#[test]
fn a_function_is_allowed_then_registered_then_used() {
    let folder = environment(RULED);
    let facts = Facts { account: "000000000000".into(), ..Facts::placeholder("us-east-1") };
    let loaded = load(folder.path(), "dev", &|_| None).expect("a config");
    let blueprint = build(&loaded, &facts).unwrap_or_else(|found| panic!("{found:#?}"));
    let group = spec_of(&blueprint, "elb.target_group/validate");
    assert_eq!(group["target_type"], "lambda");
    for field in ["vpc", "protocol", "port", "health", "stickiness"] {
        assert_eq!(group[field], Value::Null, "{field}");
    }
    assert_eq!(group["multi_value_headers"], true);
    let callers = &spec_of(&blueprint, "lambda.permissions/f")["callers"];
    let caller = &callers["target-group-validate"];
    assert_eq!(caller["principal"], "elasticloadbalancing.amazonaws.com");
    assert!(caller["source"].to_string().contains("elb.target_group/validate"), "{caller}");
    let after = |address: &str| {
        let address: Address = address.parse().expect("an address");
        let all = blueprint.resources[&address].after.iter();
        all.map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(after("elb.target/validate"), ["lambda.permissions/f"]);
    assert_eq!(after("elb.listener_rule/front-80-validate"), ["elb.target/validate"]);
    assert_eq!(after("elb.listener_rule/front-80-inner"), [""; 0]);
    let rule = spec_of(&blueprint, "elb.listener_rule/front-80-beta");
    let conditions = json!([
        { "header": { "name": "X-Version", "values": ["2*"] } },
        { "query": [{ "key": "beta", "value": "1" }, { "key": "beta", "value": "yes" }] },
    ]);
    assert_eq!((&rule["priority"], &rule["conditions"]), (&json!(20), &conditions));
    assert_eq!(rule["action"]["forward"]["sticky_seconds"], 60);
}

#[test]
fn rules_and_functions_live_on_the_sandbox() {
    block_on(async {
        let sandbox = Sandbox::in_memory_strict();
        let connection = sandboxed(&sandbox);
        let applied = async |text: &str, when: &str| {
            let folder = environment(text);
            let configured = Box::pin(configured(&connection, folder.path(), "dev"));
            let (provider, blueprint) = configured.await;
            let plan = run(&provider, &blueprint, Purpose::Apply).await;
            expect_settled(&provider, &blueprint, when).await;
            actions_of(&plan)
        };
        applied(RULED, "creation").await;
        let rule = |name: &str| format!("elb.listener_rule/front-80-{name}");

        // Two rules swap their priorities, and a third one moves into the place of a deleted one.
        let swapped = RULED
            .replace("priority = 10", "priority = 11")
            .replace("priority = 20", "priority = 10")
            .replace("priority = 11", "priority = 20");
        let changed = applied(&swapped, "swapping priorities").await;
        let updates = [(rule("beta"), Action::Update), (rule("validate"), Action::Update)];
        assert_eq!(changed, BTreeMap::from(updates));
        let renamed = swapped.replace("rules.inner", "rules.outer");
        let changed = applied(&renamed, "renaming a rule").await;
        let moves = [(rule("inner"), Action::Delete), (rule("outer"), Action::Create)];
        assert_eq!(changed, BTreeMap::from(moves));

        // Weights, conditions and checks change in place.
        let changed = renamed
            .replace("api = 99", "api = 50")
            .replace("path = \"/validate\"", "path = [\"/validate\", \"/check\"]")
            .replace("multi_value_headers = true", "health = { path = \"/health\" }");
        let actions = applied(&changed, "changes in place").await;
        assert!(actions.values().all(|action| *action == Action::Update), "{actions:?}");
        assert_eq!(actions.len(), 3, "{actions:?}");

        // Another function means another group beside the old one.
        let other = changed.replace("function = \"f\"", "function = \"g\"");
        let actions = applied(&other, "another function").await;
        assert_eq!(actions["elb.target_group/validate"], Action::Replace, "{actions:?}");
        assert_eq!(actions["elb.target/validate"], Action::Replace, "{actions:?}");

        // So does an alias of it.
        let called = other.replace("function = \"g\"", "function = \"g:live\"");
        let called = format!("{called}[functions.g.aliases.live]\n");
        let actions = applied(&called, "an alias").await;
        assert_eq!(actions["elb.target/validate"], Action::Replace, "{actions:?}");

        // Somebody takes the function out of its group.
        let elb = client(&sandbox);
        let groups = elb.describe_target_groups().send().await.expect("groups");
        let group = groups.target_groups().iter().find(|one| one.vpc_id().is_none());
        let group = group.and_then(|one| one.target_group_arn()).expect("the group of g");
        let health = elb.describe_target_health().target_group_arn(group).send().await;
        let health = health.expect("targets");
        let target = health.target_health_descriptions()[0].target().expect("g").clone();
        let id = target.id().unwrap_or_default();
        assert!(id.ends_with(":function:dev-payment-lambda-g:live"), "{target:?}");
        let gone = elb.deregister_targets().target_group_arn(group).targets(target);
        gone.send().await.expect("it is registered");
        let actions = applied(&called, "a registration taken away").await;
        let again = [("elb.target/validate".to_owned(), Action::Create)];
        assert_eq!(actions, BTreeMap::from(again));

        let folder = environment(&called);
        let (provider, blueprint) = configured(&connection, folder.path(), "dev").await;
        run(&provider, &blueprint, Purpose::Destroy).await;
        let left = plan_now(&provider, &blueprint, Purpose::Destroy).await;
        assert!(left.is_empty(), "left after destroy: {:?}", left.changes);
        assert_eq!(sandbox.counts().expect("a sandbox"), BTreeMap::new());
    });
}

#[test]
fn faults_at_rules_and_registrations_leave_one_of_each() {
    block_on(async {
        let folder = environment(RULED);
        let sandbox = Sandbox::in_memory();
        let faults = Faults::new(sandbox.transport());
        assert!(applied_under(&sandbox, Some(&faults), folder.path()).await.is_complete());
        let clean = sandbox.counts().expect("counts");
        let made = ["elasticloadbalancing.CreateRule", "elasticloadbalancing.RegisterTargets"];
        let calls = faults.calls();
        let at: Vec<usize> = (0..calls.len()).filter(|at| made.contains(&&*calls[*at])).collect();
        assert_eq!(at.len(), 4, "{calls:#?}");
        for (at, fault) in at.iter().flat_map(|at| Fault::ALL.iter().map(move |it| (*at, *it))) {
            let sandbox = Sandbox::in_memory();
            let faults = Faults::new(sandbox.transport()).at(at + 1, fault);
            tokio::select! {
                // Only death may leave anything undone.
                report = applied_under(&sandbox, Some(&faults), folder.path()) => {
                    assert!(report.is_complete(), "{fault:?}: {:#?}", report.failed);
                }
                () = faults.stopped() => {
                    let report = applied_under(&sandbox, None, folder.path()).await;
                    assert!(report.is_complete(), "after {fault:?}: {:#?}", report.failed);
                }
            }
            assert_eq!(sandbox.counts().expect("counts"), clean, "{} {fault:?}", calls[at]);
        }
    });
}

#[test]
fn rules_of_others_stay_and_keep_their_priorities() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let connection = sandboxed(&sandbox);
        let folder = environment(RULED);
        let (provider, blueprint) = configured(&connection, folder.path(), "dev").await;
        run(&provider, &blueprint, Purpose::Apply).await;
        let elb = client(&sandbox);
        let balancers = elb.describe_load_balancers().send().await.expect("load balancers");
        let balancer = balancers.load_balancers()[0].load_balancer_arn().expect("an ARN");
        let listeners = elb.describe_listeners().load_balancer_arn(balancer).send().await;
        let listeners = listeners.expect("listeners");
        let listener = listeners.listeners()[0].listener_arn().expect("an ARN");
        let condition = RuleCondition::builder().field("path-pattern").values("/other").build();
        let answer = FixedResponseActionConfig::builder().status_code("200").build();
        let action = AwsAction::builder().r#type(ActionTypeEnum::FixedResponse);
        let action = action.fixed_response_config(answer).build();
        let call = elb.create_rule().listener_arn(listener).priority(40);
        call.conditions(condition).actions(action).send().await.expect("a rule");
        expect_settled(&provider, &blueprint, "a rule of others").await;

        // payctl's rule cannot have that priority. It says so, and its rule stays beside it.
        let folder = environment(&RULED.replace("priority = 30", "priority = 40"));
        let (provider, blueprint) = configured(&connection, folder.path(), "dev").await;
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let report = carry_out(&provider, &plan).await;
        let (address, _, error) = &report.failed[0];
        assert_eq!(address.to_string(), "elb.listener_rule/front-80-inner");
        assert!(format!("{error:?}").contains("PriorityInUse"), "{error:?}");
        let rules = elb.describe_rules().listener_arn(listener).send().await.expect("rules");
        let places: Vec<_> = rules.rules().iter().filter_map(|one| one.priority()).collect();
        assert_eq!(places, ["10", "20", "40", "41", "default"]);
    });
}

#[test]
fn further_certificates_are_left_alone_unless_the_config_names_them() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let connection = sandboxed(&sandbox);
        let arn = |id: &str| format!("\"arn:aws:acm:us-east-1:000000000000:certificate/{id}\"");
        let text = |others: &str| {
            format!(
                "[load_balancers.front]\nsecurity_groups = [\"lb\"]\nlisteners = [{{ port = 443, \
                 certificate = {}, {others} respond = {{ status = 404 }} }}]\n",
                arn("a")
            )
        };
        let applied = async |others: &str| {
            let folder = environment(&text(others));
            let configured = Box::pin(configured(&connection, folder.path(), "dev"));
            let (provider, blueprint) = configured.await;
            let plan = run(&provider, &blueprint, Purpose::Apply).await;
            expect_settled(&provider, &blueprint, others).await;
            actions_of(&plan)
        };
        applied(&format!("other_certificates = [{}, {}],", arn("b"), arn("c"))).await;
        let listener = "elb.listener/front-443".to_owned();
        let update = BTreeMap::from([(listener, Action::Update)]);
        assert_eq!(applied(&format!("other_certificates = [{}],", arn("b"))).await, update);
        assert_eq!(applied("").await, BTreeMap::new());
        assert_eq!(applied("other_certificates = [],").await, update);
    });
}
