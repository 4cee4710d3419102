//! Borrowing of a database and a load balancer: what is slow to make and costly to keep. A pull request gets
//! rules of its own on the listener of a long-lived environment, and a client of its database.

use std::collections::BTreeSet;

use payctl_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::cli_support::{Folder, Ran, ended};
use crate::support::{block_on, by_hand};

const HEAD: &str = "project = \"shop\"\nregion = \"us-east-1\"\ndisposable = true\n";

/// The lender: a network, a database with a group of its clients, and a load balancer.
const LENDER: &str = r#"
[network]
cidr = "10.0.0.0/16"
nat = { kind = "none" }
isolated_subnets = true

[security_groups.clients]
description = "Clients of the database"
egress = [{ port = 5432, to = "vpc" }]

[security_groups.database]
description = "The database"
ingress = [{ port = 5432, from = "group:clients" }]

[security_groups.public]
description = "The load balancer"
ingress = [{ port = 80, from = "0.0.0.0/0" }]
egress = [{ ports = "1024-65535", to = "vpc" }]

[secrets.customer]
template = { username = "app" }
recovery_days = 7

[databases.main]
engine_version = "15"
secret = "customer"
security_groups = ["database"]
serverless = { min = 0.5, max = 1 }
instances = [{ class = "db.serverless" }]

[load_balancers.public]
security_groups = ["public"]
listeners = [{ port = 80, respond = { status = 404 } }]
"#;

const BORROWER: &str = r#"
[network]
from = "dev"

[databases.main]
from = "dev"

[security_groups.clients]
from = "dev"

[load_balancers.public]
from = "dev"

[[load_balancers.public.listeners]]
port = 80
rules.app = { when = { host = "${env}.example.com" }, forward = "app" }

[target_groups.app]
function = "check"

[security_groups.app]
description = "Functions"
egress = [{ port = 443, to = "0.0.0.0/0" }]

[roles.app]
services = ["lambda.amazonaws.com"]
managed = ["service-role/AWSLambdaVPCAccessExecutionRole"]
statements = [
  { actions = "secretsmanager:GetSecretValue", resources = "${databases.main.secret_arn}" },
]

[functions.check]
source = "../functions/check"
runtime = "python3.13"
handler = "index.handler"
role = "app"
subnets = "private"
security_groups = ["app", "clients"]
environment = { DB_HOST = "${databases.main.endpoint}", DB_SECRET = "${databases.main.secret_arn}" }

[outputs]
Host = "${databases.main.endpoint}"
Port = "${databases.main.port}"
Secret = "${databases.main.secret_arn}"
Balancer = "${load_balancers.public.dns_name}"
"#;

/// A folder with the lender `dev` and a template of borrowers.
pub(crate) fn lending() -> Folder {
    let folder = Folder::empty();
    folder.write("functions/check/index.py", "def handler(event, context):\n    return {}\n");
    folder.write("config/dev.toml", &format!("{HEAD}{LENDER}"));
    let template = "ttl = \"72h\"\n[template]\npattern = \"pr-[0-9]+\"\n";
    folder.write("config/pr.toml", &format!("{HEAD}{template}{BORROWER}"));
    folder
}

/// Runs payctl with nothing but the policy of the task.
fn with_its_policy(folder: &Folder, task: &str, env: &str, code: i32, line: &str) -> Ran {
    let policy = folder.policy_without(task, env, "nothing:AtAll");
    let mut command = folder.payctl(&format!("{line} --env {env} --sandbox"));
    let ran = ended(command.env("PAYCTL_SANDBOX_POLICY", policy));
    ran.expect(code, line);
    ran
}

fn outputs(folder: &Folder, env: &str) -> Value {
    let ran = folder.expect(0, &format!("outputs --env {env} --sandbox --json"));
    serde_json::from_str::<Value>(&ran.out).expect("a JSON line")["outputs"].clone()
}

/// The rules of all listeners: the host and the priority.
fn rules(folder: &Folder) -> BTreeSet<(String, u16)> {
    let hand = by_hand(&Sandbox::open(&folder.path(".payctl/sandbox")).expect("a sandbox"));
    let elb = aws_sdk_elasticloadbalancingv2::Client::new(&hand);
    block_on(async {
        let all = elb.describe_load_balancers().send().await.expect("an answer");
        let mut found = BTreeSet::new();
        for balancer in all.load_balancers() {
            let call =
                elb.describe_listeners().set_load_balancer_arn(balancer.load_balancer_arn.clone());
            for listener in call.send().await.expect("an answer").listeners() {
                let call = elb.describe_rules().set_listener_arn(listener.listener_arn.clone());
                for rule in call.send().await.expect("an answer").rules() {
                    let host = rule.conditions().first().map(|one| one.values().join(","));
                    let place = rule.priority().and_then(|place| place.parse().ok());
                    found.extend(host.zip(place));
                }
            }
        }
        found
    })
}

#[test]
fn a_pull_request_uses_the_database_and_the_listener_of_another_environment() {
    let folder = lending();
    folder.expect(0, "validate --env pr-7");
    let early = folder.expect(1, "apply --env pr-7 --sandbox --auto-approve");
    for words in [
        "dev has no rds.cluster/main here",
        "dev has no elb.load_balancer/public here",
        "dev has no ec2.security_group/clients here",
    ] {
        assert!(early.err.contains(words), "{words}: {}", early.err);
    }
    assert_eq!(folder.counts(), json!({}), "nothing was written");
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    let lender = folder.counts();

    let plan = with_its_policy(&folder, "plan", "pr-7", 0, "plan");
    assert!(
        plan.out.contains("uses rds.cluster dev-shop-database-main of dev (never changed)"),
        "{}",
        plan.out
    );
    with_its_policy(&folder, "apply", "pr-7", 0, "apply --auto-approve");
    with_its_policy(&folder, "plan", "pr-7", 0, "plan --detailed-exitcode");
    folder.expect(0, "plan --env dev --sandbox --detailed-exitcode");
    let seen = outputs(&folder, "pr-7");
    let of = |name: &str| seen[name].as_str().expect("a text").to_owned();
    assert!(of("Host").starts_with("dev-shop-database-main.cluster-"), "{seen}");
    assert_eq!(of("Port"), "5432");
    assert!(of("Secret").contains(":secret:dev-shop-secret-customer"), "{seen}");
    assert!(of("Balancer").contains("dev-shop-lb-public"), "{seen}");
    let counts = folder.counts();
    for shared in ["rds.clusters", "ec2.vpcs", "secretsmanager.secrets"] {
        assert_eq!(counts[shared], lender[shared], "{shared}: {counts}");
    }

    folder.expect(0, "apply --env pr-8 --sandbox --auto-approve");
    let both = rules(&folder);
    let hosts: Vec<&str> = both.iter().map(|(host, _)| host.as_str()).collect();
    assert_eq!(hosts, ["pr-7.example.com", "pr-8.example.com"]);
    let places: BTreeSet<u16> = both.iter().map(|(_, place)| *place).collect();
    assert!(places.len() == 2 && places.iter().all(|place| (20_000..50_000).contains(place)));

    let refused = folder.expect(1, "destroy --env dev --sandbox --auto-approve");
    assert!(refused.err.contains("other environments use dev"), "{}", refused.err);
    assert!(refused.err.contains("pr-7, pr-8"), "{}", refused.err);
    with_its_policy(&folder, "destroy", "pr-7", 0, "destroy --auto-approve");
    assert_eq!(rules(&folder).len(), 1, "only the rule of pr-8 is left");
    let nowhere = "--sandbox --config-dir nowhere --region us-east-1 --auto-approve";
    folder.expect(0, &format!("destroy --env pr-8 {nowhere}"));
    assert_eq!(folder.counts(), lender, "the lender has all that it had");
    folder.expect(0, "plan --env dev --sandbox --detailed-exitcode");
    folder.expect(0, "destroy --env dev --sandbox --auto-approve");
}

#[test]
fn a_policy_for_a_borrower_touches_no_rule_of_the_lender() {
    let folder = lending();
    let rule = "listeners = [{ port = 80, respond = { status = 404 }, rules = { own = { priority = 5, \
                when = { path = \"/a\" }, respond = { status = 200 } } } }]";
    folder.edit("config/dev.toml", "listeners = [{ port = 80, respond = { status = 404 } }]", rule);
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    let ran = folder.expect(0, "policy --for apply --env pr-7 --sandbox");
    let policy: Value = serde_json::from_str(&ran.out).expect("a policy");
    let statements = policy["Statement"].as_array().expect("statements");
    let has = |statement: &Value, action: &str| {
        statement["Action"].as_array().expect("actions").iter().any(|one| one == action)
    };
    for action in ["ModifyRule", "DeleteRule", "SetRulePriorities", "RemoveTags"] {
        let action = format!("elasticloadbalancing:{action}");
        for statement in statements.iter().filter(|one| has(one, &action)) {
            let of_dev = statement["Resource"].to_string().contains("*dev*");
            let tagged = statement["Condition"].to_string().contains("aws:ResourceTag/payctl:env");
            assert!(!of_dev || tagged, "{statement:#}");
        }
    }
    for action in ["CreateLoadBalancer", "DeleteLoadBalancer", "ModifyListener", "DeleteListener"] {
        let action = format!("elasticloadbalancing:{action}");
        assert!(!statements.iter().any(|one| has(one, &action)), "{action}");
    }
}

#[test]
fn a_borrower_adds_rules_and_nothing_else() {
    let folder = lending();
    let check = |from: &str, to: &str, words: &str| {
        let before = BORROWER.replace(from, to);
        assert_ne!(before, BORROWER, "{from}");
        let template = "[template]\npattern = \"pr-[0-9]+\"\n";
        folder.write("config/pr.toml", &format!("{HEAD}{template}{before}"));
        let refused = folder.expect(1, "validate --env pr-7");
        assert!(refused.err.contains(words), "{words}: {}", refused.err);
    };
    check(
        "port = 80\n",
        "port = 80\nrespond = { status = 404 }\n",
        "`respond` cannot be used with `from`",
    );
    check("forward = \"app\"", "respond = { status = 200 }", "must forward");
    check(
        "[load_balancers.public]\nfrom = \"dev\"",
        "[load_balancers.public]\nfrom = \"dev\"\nidle_timeout = 5",
        "`idle_timeout` cannot be used with `from`",
    );
    check(
        "[databases.main]\nfrom = \"dev\"",
        "[databases.main]\nfrom = \"dev\"\nport = 5433",
        "`port` cannot be used with `from`",
    );
    let firewall =
        "[firewalls.main]\nprotects = [\"load_balancers.public\"]\n\n[target_groups.app]";
    check("[target_groups.app]", firewall, "`public` is of dev, which decides");
    check("[databases.main]\nfrom = \"dev\"", "[databases.main]", "`engine_version` is missing");
}
