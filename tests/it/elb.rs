//! Load balancers and the Auto Scaling groups behind them: rules, blueprints, life on the sandbox.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use payctl::blueprint::{Facts, build, problems};
use payctl::config::load;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::plan::{Action, Purpose};
use payctl_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::support::{block_on, expect_settled, plan_now, provider_for, run, sandboxed};

const HEAD: &str = "project = \"payment\"\nregion = \"us-east-1\"\n";

pub const NETWORK: &str = "[network]\ncidr = \"10.0.0.0/16\"\nzones = 2\nnat = { kind = \"none\" }\n\
    [security_groups.lb]\ndescription = \"Clients\"\n\
    ingress = [{ port = 80, from = \"0.0.0.0/0\" }]\negress = \"all\"\n\
    [security_groups.workers]\ndescription = \"Workers\"\negress = \"all\"\n";

fn in_folder<T>(text: &str, with: impl FnOnce(&Path) -> T) -> T {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("dev.toml"), format!("{HEAD}{text}")).expect("a file");
    with(folder.path())
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
