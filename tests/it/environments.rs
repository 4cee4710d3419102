//! Environments that come and go: their expiry, the list of all of them, destroying them without a config,
//! the receipt, and what they use of others. Through the real binary where a person would.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use payctl::aws::leftovers::{Deleted, Search, indexed, surveyed};
use payctl_engine::model::address::Address;
use payctl_engine::model::live::Tags;
use payctl_engine::model::scope::{Scope, TAG_EXPIRES};
use payctl_engine::plan::{Action, Purpose};
use payctl_engine::survey::survey;
use payctl_sandbox::{Fault, Faults, Sandbox, Snapshot};
use serde_json::{Value, json};

use crate::borrowing;
use crate::cli_support::{Folder, Ran, copy, ended};
use crate::support::{
    block_on, by_hand, carry_out, configured, expect_settled, plan_now, run, sandboxed,
};

const HEAD: &str = "project = \"shop\"\nregion = \"us-east-1\"\n";

/// What a pull request gets: everything costs cents and stands in seconds.
const THINGS: &str = r#"
[keys.main]
recovery_days = 7

[secrets.api]
recovery_days = 7

[tables.orders]
partition_key = "id:S"

[queues.jobs]

[roles.app]
services = ["lambda.amazonaws.com"]
"#;

const LENDER: &str = r#"
[network]
cidr = "10.0.0.0/16"
nat = { kind = "none" }

[keys.main]
"#;

const BORROWER: &str = r#"
[network]
from = "dev"

[keys.main]
from = "dev"

[security_groups.app]
description = "Functions"
ingress = [{ port = 443, from = "vpc" }]
egress = [{ port = 443, to = "0.0.0.0/0" }]

[roles.app]
services = ["lambda.amazonaws.com"]
managed = ["service-role/AWSLambdaVPCAccessExecutionRole"]

[functions.check]
source = "../functions/check"
runtime = "python3.13"
handler = "index.handler"
role = "app"
subnets = "private"
security_groups = ["app"]

[queues.jobs]
key = "main"

[outputs]
Vpc = "${network.vpc_id}"
Subnets = "${network.private_subnets}"
Range = "${network.cidr}"
Key = "${keys.main.arn}"
"#;

/// A template of pull requests with this time to live.
fn template(ttl: &str, things: &str) -> String {
    let rule = "[template]\npattern = \"pr-[0-9]+\"\nexamples = [\"pr-1\"]\n";
    format!("{HEAD}disposable = true\n{ttl}\n{rule}{things}")
}

fn folder_with(ttl: &str) -> Folder {
    let folder = Folder::empty();
    folder.write("config/pr.toml", &template(ttl, THINGS));
    folder
}

fn apply(folder: &Folder, env: &str) -> Ran {
    folder.expect(0, &format!("apply --env {env} --sandbox --auto-approve"))
}

/// The plan of an environment is empty.
fn expect_empty(folder: &Folder, env: &str) {
    folder.expect(0, &format!("plan --env {env} --sandbox --detailed-exitcode"));
}

/// The options of a machine without a checkout.
const NOWHERE: &str = "--sandbox --config-dir nowhere --region us-east-1";

/// The environments of the account by name, from a machine without a checkout.
fn listed(folder: &Folder) -> BTreeMap<String, Value> {
    let ran = folder.expect(0, &format!("env list {NOWHERE} --json"));
    let line: Value = serde_json::from_str(&ran.out).expect("a JSON line");
    let all = line["environments"].as_array().expect("a list").clone();
    all.into_iter().map(|one| (one["name"].as_str().expect("a name").to_owned(), one)).collect()
}

#[test]
fn a_template_gives_an_environment_to_the_job_of_a_pull_request() {
    let folder = folder_with("ttl = \"72h\"");
    for (variable, value) in [("GITHUB_REF", "refs/pull/12/merge"), ("CI_MERGE_REQUEST_IID", "13")]
    {
        let mut apply = folder.payctl("apply --sandbox --auto-approve");
        ended(apply.env(variable, value)).expect(0, "apply in CI");
    }
    let listed = listed(&folder);
    assert_eq!(listed.keys().collect::<Vec<_>>(), ["pr-12", "pr-13"]);
    let one = &listed["pr-12"];
    assert_eq!((&one["state"], &one["pull_request"]), (&json!("live"), &json!("12")));
    assert_eq!(one["resources"], 5, "{one}");
    expect_empty(&folder, "pr-12");
}

#[test]
fn gc_collects_what_has_expired_and_nothing_else_without_a_config() {
    let folder = folder_with("ttl = \"1s\"");
    folder.write("config/kept.toml", &format!("{HEAD}disposable = true\n{THINGS}"));
    folder.write("config/live.toml", &format!("{HEAD}disposable = true\nttl = \"2h\"\n{THINGS}"));
    folder.write("config/safe.toml", &format!("{HEAD}protect = true\n{THINGS}"));
    for env in ["kept", "live", "safe"] {
        apply(&folder, env);
    }
    let before = folder.counts();
    apply(&folder, "pr-7");
    // Somebody puts the time of an expired environment on a protected one.
    let hand = by_hand(&Sandbox::open(&folder.path(".payctl/sandbox")).expect("a sandbox"));
    block_on(async {
        let tag = aws_sdk_dynamodb::types::Tag::builder();
        let tag = tag.key(TAG_EXPIRES).value("2020-01-01T00:00:00Z").build().expect("a tag");
        let call = aws_sdk_dynamodb::Client::new(&hand).tag_resource().tags(tag);
        let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/safe-shop-table-orders";
        call.resource_arn(arn).send().await.expect("tagged");
    });
    sleep(Duration::from_millis(2100));
    let states: BTreeMap<String, Value> =
        listed(&folder).into_iter().map(|(env, one)| (env, one["state"].clone())).collect();
    let expected = [("kept", "kept"), ("live", "live"), ("pr-7", "expired"), ("safe", "protected")];
    let expected = expected.map(|(env, state)| (env.to_owned(), json!(state)));
    assert_eq!(states, BTreeMap::from(expected));

    let all = folder.counts();
    let dry = folder.expect(0, &format!("gc {NOWHERE} --dry-run"));
    assert!(dry.out.contains("pr-7") && !dry.out.contains("safe"), "{}", dry.out);
    assert_eq!(folder.counts(), all);
    let asked = folder.expect(1, &format!("gc {NOWHERE}"));
    assert!(asked.err.contains("not a terminal"), "{}", asked.err);
    assert_eq!(folder.counts(), all);
    let done = folder.expect(0, &format!("gc {NOWHERE} --auto-approve"));
    assert!(done.err.contains("nothing of shop pr-7"), "{}", done.err);
    assert_eq!(folder.counts(), before);
    folder.expect(0, &format!("gc {NOWHERE} --auto-approve"));
    for env in ["kept", "live", "safe"] {
        expect_empty(&folder, env);
    }
}

#[test]
fn gc_keeps_an_environment_with_data_that_is_not_disposable() {
    let folder = folder_with("ttl = \"1s\"");
    apply(&folder, "pr-7");
    let hand = by_hand(&Sandbox::open(&folder.path(".payctl/sandbox")).expect("a sandbox"));
    block_on(async {
        let call = aws_sdk_dynamodb::Client::new(&hand).untag_resource();
        let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/pr-7-shop-table-orders";
        let call = call.resource_arn(arn).tag_keys("payctl:disposable");
        call.send().await.expect("untagged");
    });
    sleep(Duration::from_millis(1100));
    let before = folder.counts();
    let refused = folder.expect(1, &format!("gc {NOWHERE} --auto-approve"));
    assert!(refused.err.contains("dynamodb.table/orders"), "{}", refused.err);
    assert_eq!(folder.counts(), before);
}

#[test]
fn an_apply_moves_the_time_on_and_no_plan_shows_it() {
    let folder = folder_with("ttl = \"72h\"");
    apply(&folder, "pr-7");
    let first = listed(&folder)["pr-7"]["expires"].clone();
    let again = apply(&folder, "pr-7");
    assert!(!again.err.contains("lives until"), "more than half is left: {}", again.err);
    assert_eq!(listed(&folder)["pr-7"]["expires"], first);

    // 72 of 150 hours are less than half.
    folder.write("config/pr.toml", &template("ttl = \"150h\"", THINGS));
    expect_empty(&folder, "pr-7");
    let moved = apply(&folder, "pr-7");
    assert!(moved.err.contains("pr-7 lives until 20"), "{}", moved.err);
    let time = moved.err.split("lives until ").nth(1).expect("a time");
    assert_eq!(time.find('Z'), Some("2026-12-01T02:03:04".len()), "whole seconds: {time}");
    assert!(listed(&folder)["pr-7"]["expires"].as_str() > first.as_str());
    expect_empty(&folder, "pr-7");

    folder.write("config/pr.toml", &template("ttl = \"1h\"", THINGS));
    apply(&folder, "pr-7");
    assert!(listed(&folder)["pr-7"]["expires"].as_str() < first.as_str(), "a shorter time counts");

    folder.write("config/pr.toml", &template("", THINGS));
    expect_empty(&folder, "pr-7");
    let freed = apply(&folder, "pr-7");
    assert!(freed.err.contains("pr-7 lives without a limit"), "{}", freed.err);
    assert_eq!(listed(&folder)["pr-7"]["state"], "kept");
    expect_empty(&folder, "pr-7");
}

#[test]
fn an_environment_is_destroyed_without_a_config_and_comes_back_at_once() {
    let folder = folder_with("ttl = \"72h\"");
    apply(&folder, "pr-7");
    apply(&folder, "pr-70");
    folder.expect(0, &format!("destroy --env pr-70 {NOWHERE} --auto-approve"));
    let before = folder.counts();
    folder.expect(0, &format!("destroy --env pr-7 {NOWHERE} --auto-approve"));
    apply(&folder, "pr-7");
    assert_eq!(folder.counts(), before, "it came back at once");
    expect_empty(&folder, "pr-7");

    let unknown = folder.expect(1, &format!("destroy --env pr-8 {NOWHERE} --auto-approve"));
    assert!(unknown.err.contains("there is no environment `pr-8`"), "{}", unknown.err);
    // The name is not in the config either, so that its tags decide.
    folder.write("config/pr.toml", HEAD);
    let bank = template("ttl = \"72h\"", THINGS).replace("\"shop\"", "\"bank\"");
    folder.write("bank/pr.toml", &bank);
    folder.expect(0, "apply --env pr-7 --sandbox --config-dir bank --auto-approve");
    let two = folder.expect(1, &format!("destroy --env pr-7 {NOWHERE} --auto-approve"));
    assert!(two.err.contains("bank, shop") && two.err.contains("--project"), "{}", two.err);
    folder.expect(0, &format!("destroy --env pr-7 {NOWHERE} --project shop --auto-approve"));
    assert_eq!(listed(&folder)["pr-7"]["project"], "bank");

    // A second destroy has nothing to do. What never existed is a slip.
    folder.expect(0, &format!("destroy --env pr-7 {NOWHERE} --project shop --auto-approve"));
    let slip =
        folder.expect(1, &format!("destroy --env pr-7 {NOWHERE} --project bnak --auto-approve"));
    for said in ["there is no environment `pr-7` of the project `bnak`", "there is pr-7 of bank"] {
        assert!(slip.err.contains(said), "{said}: {}", slip.err);
    }
    // The config has a project too.
    let other = folder
        .expect(1, "destroy --env pr-7 --config-dir bank --sandbox --project shop --auto-approve");
    assert!(other.err.contains("is of the project `bank`, not `shop`"), "{}", other.err);
    let own = "destroy --env pr-7 --config-dir bank --sandbox --project bank --auto-approve";
    folder.expect(0, own);
}

#[test]
fn the_receipt_says_what_aws_holds_and_until_when() {
    let folder = folder_with("ttl = \"72h\"");
    apply(&folder, "pr-7");
    let ran = folder.expect(0, "destroy --env pr-7 --sandbox --auto-approve --json");
    let lines = ran.out.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let lines: Vec<Value> = lines.collect();
    let receipt = lines.iter().find(|line| line["type"] == "verified").expect("a receipt");
    let held = receipt["held"].as_array().expect("a list");
    let held: Vec<&str> = held.iter().filter_map(|one| one["address"].as_str()).collect();
    assert_eq!(held, ["kms.key/main", "secretsmanager.secret/api"], "{receipt}");
    assert!(receipt["held"][0]["until"].as_str().is_some_and(|time| time.starts_with("20")));
    assert_eq!(receipt["left"], json!([]));
    assert_eq!(receipt["deleted"].as_array().map(Vec::len), Some(5), "{receipt}");
    // A second destroy finds the same, and nothing else.
    let again = folder.expect(0, "destroy --env pr-7 --sandbox --auto-approve");
    assert!(again.err.contains("kms.key/main by 20"), "{}", again.err);
    // The key and the secret come back with the environment.
    apply(&folder, "pr-7");
    expect_empty(&folder, "pr-7");
}

#[test]
fn each_of_three_searches_finds_what_the_others_do_not() {
    let folder = Folder::empty();
    let things = "[queues.jobs]\n\n[log_groups.app]\nname = \"/aws/lambda/pr-7-app\"\n";
    folder.write("config/pr.toml", &template("", things));
    let sandbox = Sandbox::in_memory();
    let hand = by_hand(&sandbox);
    block_on(async {
        let (provider, blueprint) =
            configured(&sandboxed(&sandbox), &folder.path("config"), "pr-7").await;
        run(&provider, &blueprint, Purpose::Apply).await;
        let plan = plan_now(&provider, &blueprint, Purpose::Destroy).await;
        assert!(carry_out(&provider, &plan).await.is_complete());
        let deletes = plan.changes.iter().filter(|change| change.action == Action::Delete);
        let deleted: Vec<Deleted<'_>> = deletes
            .filter_map(|change| {
                Some(Deleted { address: &change.address, live: change.live.as_ref()? })
            })
            .collect();
        let left = async || {
            let snapshot = survey(&provider, &blueprint.resources).await.expect("a survey");
            let mut left = surveyed(&snapshot, &deleted);
            let (more, held) = indexed(&provider, &deleted).await.expect("an index");
            assert!(held.is_empty(), "{held:?}");
            left.extend(more);
            left.into_iter().map(|one| (one.found_by, one.id)).collect::<Vec<_>>()
        };
        assert_eq!(left().await, Vec::new());

        // The lists: the index of tags does not know roles, and nothing deleted had the name.
        let iam = aws_sdk_iam::Client::new(&hand);
        let tags = owned("iam.role/late").into_iter().map(|(key, value)| {
            aws_sdk_iam::types::Tag::builder().key(key).value(value).build().expect("a tag")
        });
        let call =
            iam.create_role().role_name("pr-7-shop-role-late").path("/payctl/shop/pr-7/us-east-1/");
        let trust = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": { "Service": "lambda.amazonaws.com" },
        }] });
        let call = call.assume_role_policy_document(trust.to_string());
        call.set_tags(Some(tags.collect())).send().await.expect("a role");
        assert_eq!(left().await, [(Search::Lists, "pr-7-shop-role-late".to_owned())]);
        iam.delete_role().role_name("pr-7-shop-role-late").send().await.expect("deleted");

        // The index: payctl has no kind of hosted zones.
        let route53 = aws_sdk_route53::Client::new(&hand);
        let call = route53.create_hosted_zone().name("pr-7.example.com").caller_reference("a");
        let zone = call.send().await.expect("a zone").hosted_zone.expect("a zone").id;
        let id = zone.trim_start_matches("/hostedzone/").to_owned();
        let tags = owned("route53.zone/main").into_iter().map(|(key, value)| {
            aws_sdk_route53::types::Tag::builder().key(key).value(value).build()
        });
        let call = route53.change_tags_for_resource().resource_id(&id);
        let call = call.resource_type(aws_sdk_route53::types::TagResourceType::Hostedzone);
        call.set_add_tags(Some(tags.collect())).send().await.expect("tagged");
        let expected = (Search::Index, format!("arn:aws:route53:::hostedzone/{id}"));
        assert_eq!(left().await, [expected]);
        route53.delete_hosted_zone().id(&id).send().await.expect("deleted");

        // The index: a queue's ARN does not tell its URL.
        let sqs = aws_sdk_sqs::Client::new(&hand);
        let call = sqs.create_queue().queue_name("pr-7-shop-queue-late");
        let call = call.set_tags(Some(owned("sqs.queue/late").into_iter().collect()));
        let url = call.send().await.expect("a queue").queue_url.expect("a URL");
        let (more, _) = indexed(&provider, &deleted).await.expect("an index");
        let found: Vec<&str> = more.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(found, ["arn:aws:sqs:us-east-1:000000000000:pr-7-shop-queue-late"]);
        sqs.delete_queue().queue_url(url).send().await.expect("deleted");

        // The names: a late write brings the log group back, without tags.
        let logs = aws_sdk_cloudwatchlogs::Client::new(&hand);
        let name = "/aws/lambda/pr-7-app";
        logs.create_log_group().log_group_name(name).send().await.expect("a group");
        assert_eq!(left().await, [(Search::Names, name.to_owned())]);
    });
}

#[test]
fn a_destroy_that_cannot_search_the_index_changes_nothing() {
    let folder = folder_with("ttl = \"72h\"");
    apply(&folder, "pr-7");
    let before = folder.counts();
    let policy = folder.policy_without("destroy", "pr-7", "tag:GetResources");
    let mut command = folder.payctl("destroy --env pr-7 --sandbox --auto-approve");
    let ran = ended(command.env("PAYCTL_SANDBOX_POLICY", policy));
    ran.expect(1, "the index is denied");
    assert!(ran.err.contains("cannot look for environments that use this one"), "{}", ran.err);
    assert!(!ran.err.contains("Verified"), "{}", ran.err);
    assert_eq!(folder.counts(), before);
    folder.expect(0, "destroy --env pr-7 --sandbox --auto-approve");
}

/// The tags of an address of `pr-7`.
fn owned(address: &str) -> Tags {
    let scope = Scope {
        project: "shop".into(),
        env: "pr-7".into(),
        account: "000000000000".into(),
        region: "us-east-1".into(),
        partition: "aws".into(),
    };
    let address: Address = address.parse().expect("an address");
    scope.ownership(&address)
}

#[test]
fn a_destroyed_environment_is_not_in_the_list_although_the_index_has_it() {
    let folder = Folder::empty();
    let things = format!("[network]\ncidr = \"10.0.0.0/16\"\nnat = {{ count = 1 }}\n{THINGS}");
    folder.write("config/pr.toml", &template("ttl = \"72h\"", &things));
    apply(&folder, "pr-7");
    // Its objects have no tag of the user.
    assert!(listed(&folder)["pr-7"]["created"].as_str().is_some_and(|time| time.starts_with("20")));
    apply(&folder, "pr-8");
    folder.expect(0, "destroy --env pr-7 --sandbox --auto-approve");
    let names: Vec<String> = listed(&folder).into_keys().collect();
    assert_eq!(names, ["pr-8"]);
    // One that lost its key lives on.
    let hand = by_hand(&Sandbox::open(&folder.path(".payctl/sandbox")).expect("a sandbox"));
    block_on(async {
        let kms = aws_sdk_kms::Client::new(&hand);
        let aliases = kms.list_aliases().send().await.expect("aliases");
        let mut aliases = aliases.aliases().iter();
        let own = aliases.find(|one| one.alias_name().is_some_and(|name| name.contains("pr-8")));
        let key = own.and_then(|one| one.target_key_id()).expect("a key");
        let call = kms.schedule_key_deletion().key_id(key).pending_window_in_days(7);
        call.send().await.expect("scheduled");
    });
    let names: Vec<String> = listed(&folder).into_keys().collect();
    assert_eq!(names, ["pr-8"]);
}

#[test]
fn validate_checks_the_environments_that_fit_a_pattern() {
    let folder = folder_with("");
    folder.write("config/dev.toml", &format!("{HEAD}nonsense = 1\n"));
    let fitting = folder.expect(0, "validate --env pr-*");
    assert!(fitting.out.contains("The config is valid: pr-1."), "{}", fitting.out);
    folder.expect(1, "validate");
    let none = folder.expect(1, "validate --env pr-*x");
    assert!(none.err.contains("no environment fits `pr-*x`"), "{}", none.err);
}

#[test]
fn the_sandbox_says_that_it_is_not_the_account_of_the_config() {
    let folder = Folder::empty();
    let config = |account: &str| format!("{HEAD}account = \"{account}\"\n[queues.jobs]\n");
    folder.write("config/dev.toml", &config("123456789012"));
    let other = folder.expect(0, "plan --env dev --sandbox");
    assert!(other.err.contains("The config allows only account 123456789012"), "{}", other.err);
    folder.write("config/dev.toml", &config("000000000000"));
    let own = folder.expect(0, "plan --env dev --sandbox");
    assert!(!own.err.contains("allows only account"), "{}", own.err);
}

#[test]
fn a_list_of_forty_environments_takes_few_calls() {
    let folder = Folder::empty();
    let hand = by_hand(&Sandbox::open(&folder.path(".payctl/sandbox")).expect("a sandbox"));
    block_on(async {
        let sqs = aws_sdk_sqs::Client::new(&hand);
        for number in 0..40 {
            for queue in ["jobs", "mail", "news"] {
                let scope = Scope {
                    project: "shop".into(),
                    env: format!("pr-{number}"),
                    account: "000000000000".into(),
                    region: "us-east-1".into(),
                    partition: "aws".into(),
                };
                let tags = scope.ownership(&Address::new("sqs.queue", queue));
                let call = sqs.create_queue().queue_name(format!("pr-{number}-shop-queue-{queue}"));
                let call = call.set_tags(Some(tags.into_iter().collect()));
                call.send().await.expect("a queue");
            }
        }
    });
    assert_eq!(listed(&folder).len(), 40);
    let ran = folder.expect(0, &format!("env list {NOWHERE} -v"));
    assert!(ran.out.ends_with("40 environments.\n"), "{}", ran.out);
    let calls =
        ran.err.lines().filter_map(|line| line.split_whitespace().next()?.parse::<u32>().ok());
    let calls: u32 = calls.sum();
    assert!((1..=60).contains(&calls), "{calls} calls: {}", ran.err);
    let matrix = folder.expect(0, &format!("env list {NOWHERE} --matrix github"));
    let matrix: Value = serde_json::from_str(&matrix.out).expect("JSON");
    assert_eq!(matrix["include"].as_array().map(Vec::len), Some(40));
}

/// A folder with a lender and a template of borrowers.
fn lending() -> Folder {
    let folder = Folder::empty();
    folder.write("functions/check/index.py", "def handler(event, context):\n    return {}\n");
    folder.write("config/dev.toml", &format!("{HEAD}disposable = true\n{LENDER}"));
    folder.write("config/pr.toml", &template("ttl = \"72h\"", BORROWER));
    folder
}

#[test]
fn a_borrower_uses_the_network_and_the_key_of_another_environment_and_leaves_them() {
    let folder = lending();
    let early = folder.expect(1, "apply --env pr-7 --sandbox --auto-approve");
    assert!(early.err.contains("dev has no ec2.vpc/main here"), "{}", early.err);
    assert_eq!(folder.counts(), json!({}), "nothing was written");
    folder.expect(0, "validate --env pr-7");

    apply(&folder, "dev");
    let lender = folder.counts();
    let outputs = |env: &str| -> Value {
        let ran = folder.expect(0, &format!("outputs --env {env} --sandbox --json"));
        serde_json::from_str::<Value>(&ran.out).expect("a JSON line")["outputs"].clone()
    };
    apply(&folder, "pr-7");
    expect_empty(&folder, "pr-7");
    expect_empty(&folder, "dev");
    let seen = outputs("pr-7");
    assert!(seen["Vpc"].as_str().is_some_and(|id| id.starts_with("vpc-")), "{seen}");
    assert_eq!(seen["Subnets"].as_str().map(|list| list.split(',').count()), Some(2), "{seen}");
    assert_eq!(seen["Range"], "10.0.0.0/16");
    assert!(seen["Key"].as_str().is_some_and(|arn| arn.contains(":key/")), "{seen}");
    let counts = folder.counts();
    assert_eq!(counts["ec2.vpcs"], lender["ec2.vpcs"], "no network of its own: {counts}");
    assert_eq!(counts["kms.keys"], lender["kms.keys"], "no key of its own: {counts}");

    apply(&folder, "pr-8");
    let both = folder.counts();
    for line in [
        "destroy --env dev --sandbox --auto-approve",
        &format!("destroy --env dev {NOWHERE} --auto-approve"),
    ] {
        let refused = folder.expect(1, line);
        assert!(refused.err.contains("other environments use dev"), "{}", refused.err);
        assert!(refused.err.contains("pr-7, pr-8"), "{}", refused.err);
    }
    assert_eq!(folder.counts(), both, "nothing was changed");
    folder.expect(0, "destroy --env pr-7 --sandbox --auto-approve");
    let refused = folder.expect(1, "destroy --env dev --sandbox --auto-approve");
    assert!(refused.err.contains("pr-8") && !refused.err.contains("pr-7"), "{}", refused.err);
    folder.expect(0, &format!("destroy --env pr-8 {NOWHERE} --auto-approve"));
    assert_eq!(folder.counts(), lender, "the lender has all that it had");
    expect_empty(&folder, "dev");
    folder.expect(0, "destroy --env dev --sandbox --auto-approve");
    assert_eq!(folder.counts(), json!({}));
}

#[test]
fn a_borrower_is_destroyed_although_the_lender_lost_what_it_lent() {
    let folder = lending();
    apply(&folder, "dev");
    apply(&folder, "pr-7");
    let target =
        folder.expect(1, "destroy --env dev --sandbox --auto-approve --target kms.key/main");
    assert!(target.err.contains("other environments use dev"), "{}", target.err);
    let hand = by_hand(&Sandbox::open(&folder.path(".payctl/sandbox")).expect("a sandbox"));
    block_on(async {
        let kms = aws_sdk_kms::Client::new(&hand);
        let key = kms.describe_key().key_id("alias/dev-shop-key-main").send().await;
        let key = key.expect("a key").key_metadata.expect("a key").key_id;
        kms.schedule_key_deletion().key_id(key).send().await.expect("scheduled");
    });
    let lost = folder.expect(1, "plan --env pr-7 --sandbox");
    assert!(lost.err.contains("dev has no kms.key/main here"), "{}", lost.err);
    folder.expect(0, "destroy --env pr-7 --sandbox --auto-approve");
}

#[test]
fn an_environment_that_stops_borrowing_says_so_in_its_tags() {
    let folder = lending();
    apply(&folder, "dev");
    apply(&folder, "pr-7");
    let own = BORROWER
        .replace("[network]\nfrom = \"dev\"", "")
        .replace("[keys.main]\nfrom = \"dev\"", "[keys.main]");
    let own = format!("[network]\ncidr = \"10.1.0.0/16\"\nnat = {{ kind = \"none\" }}\n{own}");
    folder.write("config/pr.toml", &template("ttl = \"72h\"", &own));
    let plan = folder.expect(2, "plan --env pr-7 --sandbox --detailed-exitcode");
    assert!(plan.out.contains("payctl:borrows"), "{}", plan.out);
    apply(&folder, "pr-7");
    expect_empty(&folder, "pr-7");
    folder.expect(0, "destroy --env dev --sandbox --auto-approve");
    expect_empty(&folder, "pr-7");
}

#[test]
fn what_stands_beside_from_is_an_error_and_what_is_inherited_is_not() {
    let folder = lending();
    folder.write("config/base.toml", &format!("{HEAD}{LENDER}"));
    let above = template("", BORROWER).replace(HEAD, "extends = \"base.toml\"\n");
    folder.write("config/pr.toml", &above);
    folder.expect(0, "validate --env pr-7");
    folder.write(
        "config/pr.toml",
        &above.replace("from = \"dev\"\n", "from = \"dev\"\nname = \"x-${env}\"\n"),
    );
    let refused = folder.expect(1, "validate --env pr-7");
    assert!(refused.err.contains("`name` cannot be used with `from`"), "{}", refused.err);
    folder.write("config/pr.toml", &above.replace("\"dev\"", "\"pr-7\""));
    let itself = folder.expect(1, "validate --env pr-7");
    assert!(itself.err.contains("`pr-7` is this environment"), "{}", itself.err);
    // The lender has no isolated subnets.
    folder
        .write("config/pr.toml", &above.replace("subnets = \"private\"", "subnets = \"isolated\""));
    apply(&folder, "dev");
    let before = folder.counts();
    let lacking = folder.expect(1, "apply --env pr-7 --sandbox --auto-approve");
    assert!(lacking.err.contains("which dev does not have"), "{}", lacking.err);
    assert_eq!(folder.counts(), before);
}

#[test]
fn a_full_quota_of_addresses_is_found_before_the_first_write() {
    let folder = Folder::empty();
    let network = "[network]\ncidr = \"10.0.0.0/16\"\nzones = 3\nnat = { count = 3 }\n";
    folder.write("config/pr.toml", &template("", network));
    apply(&folder, "pr-7");
    let before = folder.counts();
    // A plan that writes nothing has a note.
    let planned = folder.expect(2, "plan --env pr-8 --sandbox --detailed-exitcode").out;
    let refused = folder.expect(1, "apply --auto-approve --env pr-8 --sandbox").err;
    for text in [&planned, &refused] {
        assert!(text.contains("no room for 3 more elastic IP addresses"), "{text}");
        assert!(text.contains("it has 3 of 5"), "{text}");
        assert!(text.contains("needs 3, so 0 more fit"), "{text}");
    }
    assert!(planned.contains("note: ec2.elastic_ip/"), "{planned}");
    assert_eq!(folder.counts(), before);
    expect_empty(&folder, "pr-7");
}

/// How many cases of each sweep a normal run makes.
const SAMPLE: usize = 10;

/// A whole run of the borrower as the program makes it: connect, look for what is lent, plan, carry out.
async fn whole_run(
    sandbox: &Sandbox,
    faults: Option<&Faults>,
    dir: &Path,
    purpose: Purpose,
) -> bool {
    let mut connection = sandboxed(sandbox);
    connection.transport = faults.map(Faults::transport).or(connection.transport);
    let (provider, blueprint) = Box::pin(configured(&connection, dir, "pr-7")).await;
    let plan = plan_now(&provider, &blueprint, purpose).await;
    carry_out(&provider, &plan).await.is_complete()
}

/// One fault at one call. The next run ends as a run without faults, and the lender has what it had.
async fn one_case(dir: &Path, before: &Snapshot, purpose: Purpose, (call, fault): (usize, Fault)) {
    let sandbox = Sandbox::in_memory();
    sandbox.restore(before).expect("a sandbox");
    let faults = Faults::new(sandbox.transport()).at(call, fault);
    tokio::select! {
        is_complete = whole_run(&sandbox, Some(&faults), dir, purpose) => {
            assert!(is_complete, "call {call}, {fault:?}");
        }
        () = faults.stopped() => {
            assert!(whole_run(&sandbox, None, dir, purpose).await, "after call {call}, {fault:?}");
        }
    }
    assert!(!faults.struck().is_empty(), "call {call}, {fault:?} did not happen");
    let when = format!("call {call}, {fault:?}");
    let (lender, wanted) = configured(&sandboxed(&sandbox), dir, "dev").await;
    expect_settled(&lender, &wanted, &when).await;
    let (provider, blueprint) = configured(&sandboxed(&sandbox), dir, "pr-7").await;
    if purpose == Purpose::Apply {
        expect_settled(&provider, &blueprint, &when).await;
        run(&provider, &blueprint, Purpose::Destroy).await;
    }
    run(&lender, &wanted, Purpose::Destroy).await;
    assert_eq!(sandbox.counts().expect("counts"), BTreeMap::new(), "after {when}");
}

#[test]
fn a_borrower_survives_a_fault_at_any_call() {
    // The second lends a database and a listener as well.
    let folders = [lending(), borrowing::lending()];
    let dirs = folders.iter().map(|folder| folder.path("config"));
    let purposes = [Purpose::Apply, Purpose::Destroy];
    for (dir, purpose) in dirs.flat_map(|dir| purposes.map(|purpose| (dir.clone(), purpose))) {
        let (before, calls) = block_on(async {
            let sandbox = Sandbox::in_memory();
            let (lender, wanted) = configured(&sandboxed(&sandbox), &dir, "dev").await;
            run(&lender, &wanted, Purpose::Apply).await;
            if purpose == Purpose::Destroy {
                assert!(whole_run(&sandbox, None, &dir, Purpose::Apply).await);
            }
            let before = sandbox.snapshot().expect("a snapshot");
            let faults = Faults::new(sandbox.transport());
            assert!(whole_run(&sandbox, Some(&faults), &dir, purpose).await);
            (before, faults.calls().len())
        });
        let all = calls * Fault::ALL.len();
        for index in (0..SAMPLE).map(|index| (index * all + all / 2) / SAMPLE) {
            let case = (index / Fault::ALL.len() + 1, Fault::ALL[index % Fault::ALL.len()]);
            block_on(one_case(&dir, &before, purpose, case));
        }
    }
}

#[test]
fn the_example_of_pull_requests_works() {
    let folder = Folder::empty();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/pull-requests");
    copy(&shipped, &folder.path("config"));
    apply(&folder, "dev");
    let before = folder.counts();
    apply(&folder, "pr-123");
    expect_empty(&folder, "pr-123");
    folder.expect(0, "destroy --env pr-123 --sandbox --auto-approve");
    assert_eq!(folder.counts(), before);
}
