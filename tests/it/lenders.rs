//! What environments lend: nothing that a borrower needs goes while there is one, whatever the command, and
//! the plan says so already.

use std::collections::BTreeSet;

use payctl::aws::kinds::KINDS;
use payctl::blueprint::loans::is_lendable;
use payctl_sandbox::Sandbox;
use serde_json::Value;

use crate::borrowing;
use crate::cli_support::{Folder, ended};
use crate::support::{block_on, by_hand};

/// A network with a way out and endpoints, and what only the lender needs.
const LENDER: &str = r#"project = "shop"
region = "us-east-1"
disposable = true

[network]
cidr = "10.0.0.0/16"
nat = { kind = "gateway", count = 1 }
gateway_endpoints = ["s3", "dynamodb"]

[queues.jobs]

[queues.mail]
"#;

const BORROWER: &str = r#"project = "shop"
region = "us-east-1"
disposable = true
template = { pattern = "pr-[0-9]+" }

[network]
from = "dev"

[security_groups.app]
description = "Functions"
egress = [{ port = 443, to = "0.0.0.0/0" }]
"#;

const USED: &str = "other environments use dev: pr-7";

fn lending() -> Folder {
    let folder = Folder::empty();
    folder.write("config/dev.toml", LENDER);
    folder.write("config/pr.toml", BORROWER);
    for env in ["dev", "pr-7"] {
        folder.expect(0, &format!("apply --env {env} --sandbox --auto-approve"));
    }
    folder
}

/// Every way to this change is refused, and nothing is changed.
fn expect_refused(folder: &Folder, plan: &str, change: &str) {
    let before = folder.world();
    let planned = folder.expect(1, &format!("{plan} --env dev --sandbox"));
    assert!(planned.out.contains(USED), "{plan}: {}", planned.out);
    let refused = folder.expect(1, &format!("{change} --env dev --sandbox --auto-approve"));
    assert!(refused.err.contains(USED), "{change}: {}", refused.err);
    assert_eq!(counted(&before), counted(&folder.world()), "{change}");
}

/// The number of objects of each sort, without what the clock changes.
fn counted(world: &Value) -> BTreeSet<(String, usize)> {
    let sorts = world.as_object().expect("services").iter();
    sorts
        .map(|(sort, all)| (sort.clone(), all.as_object().map_or(0, serde_json::Map::len)))
        .collect()
}

#[test]
fn what_a_borrower_uses_without_an_id_stays_in_the_lender() {
    let folder = lending();
    for target in [
        "ec2.nat_gateway/nat-1",
        "ec2.elastic_ip/nat-1",
        "ec2.internet_gateway/main",
        "ec2.route_table/private",
        "ec2.gateway_endpoint/s3",
    ] {
        let target = format!("--target {target}");
        let plan = format!("plan --destroy {target}");
        expect_refused(&folder, &plan, &format!("destroy {target}"));
    }
    // Without a config.
    let nowhere = "--config-dir nowhere --region us-east-1";
    let target = format!("--target ec2.nat_gateway/nat-1 {nowhere}");
    let refused = folder.expect(1, &format!("destroy {target} --env dev --sandbox --auto-approve"));
    assert!(refused.err.contains(USED), "{}", refused.err);
    folder.edit("config/dev.toml", "[\"s3\", \"dynamodb\"]", "[]");
    expect_refused(&folder, "plan", "apply");
    let fleet = folder.expect(1, "plan --all --sandbox");
    assert!(fleet.err.contains(USED), "{}", fleet.err);
    // The policies allow the question.
    let policy = folder.policy_without("plan", "dev", "nothing:AtAll");
    let mut command = folder.payctl("plan --env dev --sandbox");
    let planned = ended(command.env("PAYCTL_SANDBOX_POLICY", policy));
    assert!(planned.out.contains(USED), "{} {}", planned.out, planned.err);

    // What nobody borrows may go.
    folder.edit("config/dev.toml", "[]", "[\"s3\", \"dynamodb\"]");
    folder.edit("config/dev.toml", "[queues.mail]\n", "");
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    folder.expect(0, "destroy --target sqs.queue/jobs --env dev --sandbox --auto-approve");
    folder.expect(0, "destroy --env pr-7 --sandbox --auto-approve");
    let target = "destroy --target ec2.gateway_endpoint/s3";
    folder.expect(0, &format!("{target} --env dev --sandbox --auto-approve"));
}

#[test]
fn the_parts_of_a_lent_database_and_load_balancer_stay() {
    let folder = borrowing::lending();
    for env in ["dev", "pr-7"] {
        folder.expect(0, &format!("apply --env {env} --sandbox --auto-approve"));
    }
    for target in [
        "rds.instance/main-1",
        "secretsmanager.attachment/customer",
        "ec2.security_group_rules/database",
        "elb.listener/public-80",
    ] {
        let line = format!("plan --destroy --target {target} --env dev --sandbox");
        let planned = folder.expect(1, &line);
        assert!(planned.out.contains(USED), "{target}: {}", planned.out);
    }
}

#[test]
fn a_reader_of_a_lent_database_may_go_while_another_instance_stays() {
    let folder = borrowing::lending();
    let one = "[{ class = \"db.serverless\" }]";
    let two = "[{ class = \"db.serverless\" }, { class = \"db.serverless\" }]";
    folder.edit("config/dev.toml", one, two);
    for env in ["dev", "pr-7"] {
        folder.expect(0, &format!("apply --env {env} --sandbox --auto-approve"));
    }
    let last = "--target rds.instance/main-1 --target rds.instance/main-2";
    let refused = folder.expect(1, &format!("plan --destroy {last} --env dev --sandbox"));
    assert!(refused.out.contains(USED), "{}", refused.out);
    folder.edit("config/dev.toml", two, one);
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    folder.expect(0, "plan --env pr-7 --sandbox --detailed-exitcode");
    let last = "plan --destroy --target rds.instance/main-1 --env dev --sandbox";
    let refused = folder.expect(1, last);
    assert!(refused.out.contains(USED), "{}", refused.out);
}

#[test]
fn what_a_borrower_uses_is_not_taken_away_in_place() {
    let folder = borrowing::lending();
    for env in ["dev", "pr-7"] {
        folder.expect(0, &format!("apply --env {env} --sandbox --auto-approve"));
    }
    let rule = "egress = [{ port = 5432, to = \"vpc\" }]\n";
    let two = "egress = [{ port = 5432, to = \"vpc\" }, { port = 443, to = \"vpc\" }]\n";
    // Something more hurts nobody, and the plan says who uses it.
    folder.edit("config/dev.toml", rule, two);
    let planned = folder.expect(0, "plan --env dev --sandbox");
    assert!(planned.out.contains("other environments use this: pr-7"), "{}", planned.out);
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    // The functions of the borrower are in this group.
    folder.edit("config/dev.toml", two, rule);
    let used = "it takes away what other environments use: pr-7 (lambda.function/check)";
    let planned = folder.expect(1, "plan --env dev --sandbox");
    assert!(planned.out.contains(used), "{}", planned.out);
    let refused = folder.expect(1, "apply --env dev --sandbox --auto-approve");
    assert!(refused.err.contains(used), "{}", refused.err);
    // Nobody can tell whether the borrower is behind this rule.
    folder.edit("config/dev.toml", rule, two);
    folder.edit("config/dev.toml", "ingress = [{ port = 80, from = \"0.0.0.0/0\" }]\n", "");
    let planned = folder.expect(0, "plan --env dev --sandbox");
    let may = "other environments use dev and may need what this takes away: pr-7";
    assert!(planned.out.contains(may), "{}", planned.out);
    // The database does not admit the clients any more: the borrower is one.
    folder.edit("config/dev.toml", "from = \"group:clients\"", "from = \"10.0.9.0/24\"");
    let planned = folder.expect(1, "plan --env dev --sandbox");
    assert!(planned.out.contains(used), "{}", planned.out);
    folder.expect(0, "destroy --env pr-7 --sandbox --auto-approve");
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
}

#[test]
fn every_kind_of_a_lent_part_is_one_unless_it_serves_only_its_environment() {
    let all: BTreeSet<&str> = KINDS.iter().map(|kind| kind.meta().kind).collect();
    let lent: BTreeSet<&str> = all.into_iter().filter(|kind| is_lendable(kind)).collect();
    let expected = BTreeSet::from([
        "ec2.elastic_ip",
        "ec2.gateway_endpoint",
        "ec2.instance",
        "ec2.internet_gateway",
        "ec2.nat_gateway",
        "ec2.route_table",
        "ec2.security_group",
        "ec2.security_group_rules",
        "ec2.subnet",
        "ec2.vpc",
        "elb.listener",
        "elb.load_balancer",
        "kms.key",
        "rds.cluster",
        "rds.cluster_parameter_group",
        "rds.instance",
        "rds.subnet_group",
        "secretsmanager.attachment",
    ]);
    assert_eq!(lent, expected, "a new kind of these sections: say whether a borrower needs it");
}

#[test]
fn what_failed_in_the_lender_is_repaired_under_its_borrowers() {
    let folder = Folder::empty();
    let network = "nat = { kind = \"gateway\", count = 1 }";
    let lender = LENDER.replace(network, "nat = { kind = \"instance\", count = 1 }");
    folder.write("config/dev.toml", &lender);
    folder.write("config/pr.toml", BORROWER);
    for env in ["dev", "pr-7"] {
        folder.expect(0, &format!("apply --env {env} --sandbox --auto-approve"));
    }
    let hand = by_hand(&Sandbox::open(&folder.path(".payctl/sandbox")).expect("a sandbox"));
    block_on(async {
        let ec2 = aws_sdk_ec2::Client::new(&hand);
        let all = ec2.describe_instances().send().await.expect("instances");
        let mut all = all.reservations().iter().flat_map(|one| one.instances());
        let id = all.next().and_then(|one| one.instance_id()).expect("an instance");
        ec2.stop_instances().instance_ids(id).send().await.expect("stopping");
        for _ in 0..100 {
            let seen = ec2.describe_instances().instance_ids(id).send().await.expect("an instance");
            let mut seen = seen.reservations().iter().flat_map(|one| one.instances());
            let state = seen.next().and_then(|one| one.state()?.name().cloned());
            if state.is_some_and(|state| state.as_str() == "stopped") {
                break;
            }
        }
    });
    let repaired = folder.expect(0, "apply --env dev --sandbox --auto-approve");
    assert!(repaired.err.contains("ec2.instance/nat-1"), "{}", repaired.err);
    folder.expect(0, "plan --env dev --sandbox --detailed-exitcode");
}
