//! Two environments that borrow from a third one: random runs at once, with faults, crashes and hands of
//! others in between. On the sandbox, on a clock that jumps over every wait.
//!
//! `PAYCTL_TOGETHER=full` runs a hundred seeds instead of a few.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use aws_config::SdkConfig;
use payctl::aws::clients::Connection;
use payctl_engine::model::live::Owner;
use payctl_engine::plan::Purpose;
use payctl_engine::planner;
use payctl_engine::survey::survey;
use payctl_sandbox::{Fault, Faults, Sandbox};

use crate::cli_support::Folder;
use crate::support::{block_on, by_hand, carry_out, configured, expect_settled, run, sandboxed};

const HEAD: &str = "project = \"shop\"\nregion = \"us-east-1\"\ndisposable = true\n";

const LENDER: &str = r#"
[network]
cidr = "10.0.0.0/16"
nat = { kind = "none" }

[keys.main]
"#;

const BORROWER: &str = r#"
[template]
pattern = "pr-[0-9]+"
examples = ["pr-1"]

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

[tables.orders]
partition_key = "id:S"

[queues.jobs]
key = "main"
"#;

const BORROWERS: [&str; 2] = ["pr-7", "pr-8"];

/// One run of the program: connect, look, plan, carry out. It may fail.
async fn attempt(connection: &Connection, dir: &Path, env: &str, purpose: Purpose) {
    let (provider, blueprint) = Box::pin(configured(connection, dir, env)).await;
    let Ok(snapshot) = survey(&provider, &blueprint.resources).await else { return };
    let plan = planner::plan(&provider, &blueprint, &snapshot, purpose, &[]).expect("a plan");
    if plan.refused.is_empty() {
        carry_out(&provider, &plan).await;
    }
}

/// The runs of one environment: some, one after another, each with faults of its own. A run may die.
async fn runs_of(sandbox: &Sandbox, dir: &Path, env: &str, mut random: fastrand::Rng) {
    for _ in 0..random.usize(1..4) {
        tokio::time::sleep(Duration::from_millis(random.u64(..4000))).await;
        let all = [Fault::LoseReply, Fault::ResetBefore, Fault::Throttle, Fault::Error500];
        let faults = Faults::new(sandbox.transport())
            .at_random(random.u64(..), random.u8(..8), &all)
            .with_delay(Duration::from_millis(random.u64(5..90)));
        let faults = match random.u8(..3) {
            0 => faults.at(random.usize(1..250), Fault::StopAfter),
            _ => faults,
        };
        let connection = Connection { transport: Some(faults.transport()), ..sandboxed(sandbox) };
        let purpose = if random.u8(..3) == 0 { Purpose::Destroy } else { Purpose::Apply };
        tokio::select! {
            () = attempt(&connection, dir, env, purpose) => {}
            () = faults.stopped() => {}
        }
    }
}

/// What somebody does by hand to an environment. It fails where the object is not there.
async fn hand(config: &SdkConfig, env: &str, what: u8) {
    let sqs = aws_sdk_sqs::Client::new(config);
    let queue = async || {
        let url = sqs.get_queue_url().queue_name(format!("{env}-shop-queue-jobs")).send().await;
        url.ok().and_then(|answer| answer.queue_url)
    };
    let role = format!("{env}-shop-role-app");
    let function = format!("{env}-shop-lambda-check");
    match what {
        0 => {
            if let Some(url) = queue().await {
                drop(sqs.delete_queue().queue_url(url).send().await);
            }
        }
        1 => {
            if let Some(url) = queue().await {
                let name = aws_sdk_sqs::types::QueueAttributeName::VisibilityTimeout;
                drop(sqs.set_queue_attributes().queue_url(url).attributes(name, "7").send().await);
            }
        }
        2 => {
            let arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole";
            let iam = aws_sdk_iam::Client::new(config);
            drop(iam.detach_role_policy().role_name(role).policy_arn(arn).send().await);
        }
        3 => {
            let lambda = aws_sdk_lambda::Client::new(config);
            drop(lambda.delete_function().function_name(function).send().await);
        }
        4 => {
            let lambda = aws_sdk_lambda::Client::new(config);
            let call = lambda.update_function_configuration().function_name(function);
            drop(call.timeout(77).send().await);
        }
        _ => {
            let logs = aws_sdk_cloudwatchlogs::Client::new(config);
            let group = format!("/aws/lambda/{function}");
            drop(logs.delete_log_group().log_group_name(group).send().await);
        }
    }
}

async fn one_case(seed: u64, dir: &Path) {
    let mut random = fastrand::Rng::with_seed(seed);
    let sandbox = Sandbox::in_memory();
    let connection = sandboxed(&sandbox);
    let (lender, wanted) = configured(&connection, dir, "dev").await;
    run(&lender, &wanted, Purpose::Apply).await;
    let lent = sandbox.counts().expect("counts");

    let [one, other] = BORROWERS.map(|env| runs_of(&sandbox, dir, env, random.fork()));
    let mut others = random.fork();
    let config = by_hand(&sandbox);
    let hands = async {
        for _ in 0..others.usize(..12) {
            tokio::time::sleep(Duration::from_millis(others.u64(..1500))).await;
            hand(&config, BORROWERS[others.usize(..2)], others.u8(..6)).await;
        }
    };
    tokio::join!(one, other, hands);

    let when = format!("seed {seed}");
    // What was half created or half deleted is completed by at most two runs.
    for env in BORROWERS {
        for _ in 0..2 {
            attempt(&connection, dir, env, Purpose::Apply).await;
        }
        let (provider, blueprint) = configured(&connection, dir, env).await;
        expect_settled(&provider, &blueprint, &format!("{when}, {env}")).await;
        let snapshot = survey(&provider, &blueprint.resources).await.expect("a survey");
        for (address, found) in &snapshot {
            let ours = found.iter().filter(|found| found.owner == Owner::Ours).count();
            assert!(ours < 2, "{when}, {env}: {address} is there twice");
        }
    }
    expect_settled(&lender, &wanted, &format!("{when}, the lender")).await;
    for env in BORROWERS {
        let (provider, blueprint) = configured(&connection, dir, env).await;
        run(&provider, &blueprint, Purpose::Destroy).await;
    }
    assert_eq!(sandbox.counts().expect("counts"), lent, "{when}: the lender has what it had");
    expect_settled(&lender, &wanted, &format!("{when}, the lender alone")).await;
    run(&lender, &wanted, Purpose::Destroy).await;
    assert_eq!(sandbox.counts().expect("counts"), BTreeMap::new(), "{when}: nothing is left");
}

#[test]
fn two_borrowers_end_well_in_any_order_of_runs_crashes_and_hands() {
    let folder = Folder::empty();
    folder.write("functions/check/index.py", "def handler(event, context):\n    return {}\n");
    folder.write("config/dev.toml", &format!("{HEAD}{LENDER}"));
    folder.write("config/pr.toml", &format!("{HEAD}{BORROWER}"));
    let dir = folder.path("config");
    let is_full = std::env::var("PAYCTL_TOGETHER").is_ok_and(|asked| asked == "full");
    for seed in 0..if is_full { 100 } else { 8 } {
        println!("seed {seed}");
        block_on(Box::pin(one_case(seed, &dir)));
    }
}
