//! Load balancers and the Auto Scaling groups behind them: blueprints, rules, life on the sandbox.

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

mod life;
mod rules;

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

/// Six security groups, and the names of all of them.
pub(super) fn crowd() -> String {
    let names: Vec<String> = (0..6).map(|at| format!("g{at}")).collect();
    let groups: String = names
        .iter()
        .map(|name| format!("[security_groups.{name}]\ndescription = \"x\"\n"))
        .collect();
    format!("security_groups = {names:?}\n{groups}")
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

/// A function `f`, and one `g`, whose sources the tests write.
pub const FUNCTIONS: &str = "[roles.work]\nservices = \"lambda.amazonaws.com\"\n\
    managed = [\"service-role/AWSLambdaBasicExecutionRole\"]\n\
    [functions.f]\nsource = \"work\"\nruntime = \"python3.13\"\nrole = \"work\"\n\
    [functions.g]\nsource = \"work\"\nruntime = \"python3.13\"\nrole = \"work\"\n";

/// An environment with a network and functions.
pub fn environment(text: &str) -> tempfile::TempDir {
    folder(&format!("{NETWORK}{FUNCTIONS}{text}"))
}
