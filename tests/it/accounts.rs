//! Pull requests of many accounts and regions, against sandboxes that take calls as fast as AWS does and no faster:
//! applied by several runners at once, planned together, and collected from tags alone. On a clock that jumps over
//! every wait.
//!
//! `PAYCTL_FLEET=full` runs 200 environments in 20 accounts and prints the table of docs/performance.md; otherwise
//! it is six in two.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::join_all;
use payctl::aws::census;
use payctl::aws::clients::{Aws, Connection};
use payctl::aws::facts::zones;
use payctl::aws::lent;
use payctl::aws::provider::AwsProvider;
use payctl::aws::reading::Reading;
use payctl::blueprint::loans::{Loan, loans, taken};
use payctl::blueprint::{self, Facts};
use payctl::config;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::plan::{Plan, Purpose};
use payctl_engine::planner;
use payctl_engine::survey::{PATIENCE, look};
use payctl_sandbox::{Limits, Sandbox, Tally};
use tokio::time::Instant;

use crate::cli_support::Folder;
use crate::support::{block_on, carry_out, sandboxed};

const HEAD: &str = "project = \"shop\"\nregion = \"us-east-1\"\ndisposable = true\n";

const LENDER: &str =
    "[network]\ncidr = \"10.0.0.0/16\"\nnat = { kind = \"none\" }\n\n[keys.main]\n";

const PULL_REQUEST: &str = r#"
ttl = "72h"

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

[apis.front.routes."POST /check"]
function = "check"

[tables.orders]
partition_key = "id:S"

[queues.jobs]
key = "main"
"#;

/// The regions of the accounts, in turn.
const REGIONS: [&str; 4] = ["us-east-1", "eu-west-1", "eu-central-1", "ap-southeast-2"];
/// How many jobs a CI runs at once in one account.
const RUNNERS: usize = 4;
/// How many environments `plan --all` looks at in one account at once.
const AT_ONCE: usize = 8;
/// How long AWS takes for an answer.
const LATENCY: Duration = Duration::from_millis(50);

/// One account in one region.
struct Account {
    region: &'static str,
    sandbox: Sandbox,
    limits: Limits,
}

impl Account {
    fn new(number: usize) -> Self {
        let sandbox = Sandbox::in_memory_strict();
        let limits = Limits::new(sandbox.transport(), LATENCY);
        Self { region: REGIONS[number % REGIONS.len()], sandbox, limits }
    }

    fn connection(&self, reading: Option<Reading>) -> Connection {
        Connection {
            region: Some(self.region.to_owned()),
            transport: Some(self.limits.transport()),
            reading,
            ..sandboxed(&self.sandbox)
        }
    }

    async fn connected(&self, reading: Option<Reading>) -> Aws {
        let connection = self.connection(reading);
        let aws = Box::pin(Aws::connect(&connection, "shop", "")).await;
        aws.expect("the account answers")
    }
}

/// An environment of the config, in the account that is connected.
async fn built(aws: &Aws, dir: &Path, env: &str) -> (AwsProvider, Blueprint) {
    let loaded = config::load_in(dir, env, &|_| None, Some(&aws.scope.region));
    let loaded = loaded.unwrap_or_else(|problems| panic!("{env}: {problems:#?}"));
    let mut aws = aws.of("shop", env);
    aws.packages = loaded.packages();
    let loans = loans(&loaded.config);
    let asked = loans.iter().flat_map(Loan::asks).collect();
    let found = lent::find(&aws, &asked).await.expect("the lender is there");
    let facts = Facts {
        account: aws.scope.account.clone(),
        region: aws.scope.region.clone(),
        partition: aws.scope.partition.clone(),
        zones: zones(&aws).await.expect("zones"),
        now: "2026-01-01T00:00:00Z".into(),
        lent: Some(taken(&loaded, &loans, &found).expect("the lender has it")),
    };
    let blueprint = blueprint::build(&loaded, &facts).expect("a valid blueprint");
    (AwsProvider::new(aws), blueprint)
}

async fn plan(provider: &AwsProvider, blueprint: &Blueprint, purpose: Purpose) -> Plan {
    let snapshot = look(provider, &blueprint.resources, purpose, PATIENCE, &|_| {}).await;
    assert!(snapshot.unseen.is_empty(), "{:#?}", snapshot.unseen);
    let plan = planner::plan(provider, blueprint, &snapshot, purpose, &[]).expect("a plan");
    assert!(plan.refused.is_empty(), "{:#?}", plan.refused);
    plan
}

/// One job: a process of its own that plans and carries out.
async fn job(provider: &AwsProvider, blueprint: &Blueprint, purpose: Purpose) {
    let plan = plan(provider, blueprint, purpose).await;
    let report = carry_out(provider, &plan).await;
    let env = &provider.aws().scope.env;
    assert!(report.is_complete(), "{env}: {:#?}\n{:?}", report.failed, report.skipped);
}

/// Applies environments with as many jobs at once as there are runners.
async fn applied(account: &Account, dir: &Path, envs: &[String]) {
    let queue: Mutex<VecDeque<&String>> = Mutex::new(envs.iter().collect());
    let next = || queue.lock().expect("no panic").pop_front();
    let runner = async || {
        while let Some(env) = next() {
            let aws = account.connected(None).await;
            let (provider, blueprint) = Box::pin(built(&aws, dir, env)).await;
            Box::pin(job(&provider, &blueprint, Purpose::Apply)).await;
        }
    };
    join_all((0..RUNNERS).map(|_| runner())).await;
}

/// Plans every environment with one reading, and expects that nothing is to be done.
async fn planned(account: &Account, dir: &Path, envs: &[String]) {
    let aws = account.connected(Some(Reading::default())).await;
    let plans = envs.iter().map(|env| {
        let aws = &aws;
        Box::pin(async move {
            let (provider, blueprint) = Box::pin(built(aws, dir, env)).await;
            let plan = plan(&provider, &blueprint, Purpose::Apply).await;
            assert!(plan.changes.is_empty(), "{env}: {:#?}", plan.changes);
        })
    });
    futures::stream::iter(plans).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

/// Destroys the environments of pull requests that tags tell of, one after another, as `payctl gc` does.
async fn collected(account: &Account) {
    let aws = account.connected(None).await;
    let found = census::environments(&aws).await.expect("a list");
    for (project, env) in found.into_keys().filter(|(_, env)| env.starts_with("pr-")) {
        let provider = AwsProvider::new(aws.of(&project, &env));
        let blueprint = Blueprint {
            scope: provider.aws().scope.clone(),
            protect: false,
            disposable: true,
            resources: BTreeMap::new(),
            outputs: BTreeMap::new(),
        };
        Box::pin(job(&provider, &blueprint, Purpose::Destroy)).await;
    }
}

/// What a part of the simulation took.
struct Took {
    what: &'static str,
    time: Duration,
    tally: Tally,
}

impl Took {
    fn refused(&self) -> usize {
        self.tally.refused.values().sum()
    }
}

/// Does something in all accounts at once, and measures it.
async fn everywhere<F: Future<Output = ()>>(
    what: &'static str,
    accounts: &[Account],
    work: impl Fn(usize) -> F,
) -> Took {
    let began = Instant::now();
    join_all((0..accounts.len()).map(work)).await;
    let mut tally = Tally::default();
    for one in accounts.iter().map(|account| account.limits.take()) {
        tally.answered += one.answered;
        for (call, number) in one.refused {
            *tally.refused.entry(call).or_default() += number;
        }
    }
    Took { what, time: began.elapsed(), tally }
}

#[test]
fn pull_requests_of_many_accounts_converge_under_the_rates_of_aws() {
    let is_full = std::env::var("PAYCTL_FLEET").is_ok_and(|asked| asked == "full");
    let (accounts, each) = if is_full { (20, 10) } else { (2, 3) };
    let folder = Folder::empty();
    folder.write("functions/check/index.py", "def handler(event, context):\n    return {}\n");
    folder.write("config/dev.toml", &format!("{HEAD}{LENDER}"));
    folder.write("config/pr.toml", &format!("{HEAD}{PULL_REQUEST}"));
    let dir = folder.path("config");
    let envs: Vec<String> = (1..=each).map(|number| format!("pr-{number}")).collect();
    block_on(async {
        let all: Vec<Account> = (0..accounts).map(Account::new).collect();
        let counts = || all.iter().map(|account| account.sandbox.counts().expect("counts"));
        let lender = ["dev".to_owned()];
        let mut took = Vec::new();
        let part = everywhere("apply of the lenders", &all, |at| applied(&all[at], &dir, &lender));
        took.push(Box::pin(part).await);
        let lent: Vec<_> = counts().collect();
        let part = everywhere("apply", &all, |at| applied(&all[at], &dir, &envs));
        took.push(Box::pin(part).await);
        for one in counts() {
            assert_eq!(one["lambda.functions"], each, "{one:#?}");
        }
        let part = everywhere("plan --all", &all, |at| planned(&all[at], &dir, &envs));
        took.push(Box::pin(part).await);
        let part = everywhere("apply again", &all, |at| applied(&all[at], &dir, &envs));
        took.push(Box::pin(part).await);
        let part = everywhere("gc", &all, |at| collected(&all[at]));
        took.push(Box::pin(part).await);
        assert_eq!(
            counts().collect::<Vec<_>>(),
            lent,
            "nothing is left, and the lenders have theirs"
        );

        println!("{} environments in {accounts} accounts", accounts * each);
        println!("| part | time | calls | throttled | of these |");
        println!("|---|--:|--:|--:|---|");
        for one in &took {
            let mut worst: Vec<_> = one.tally.refused.iter().collect();
            worst.sort_by_key(|(_, number)| std::cmp::Reverse(**number));
            let worst: Vec<String> =
                worst.iter().take(3).map(|(call, number)| format!("{number} {call}")).collect();
            println!(
                "| {} | {:.0} s | {} | {} | {} |",
                one.what,
                one.time.as_secs_f64(),
                one.tally.answered + one.refused(),
                one.refused(),
                worst.join(", ")
            );
        }
        // AWS takes one change of the account's setting in 20 seconds, which a job meets with ever longer pauses
        // (0.1 s, then 1.6 times the last one, at most 10 s) until the first job has set it.
        let met =
            took[1].tally.refused.get("apigateway.UpdateAccount").copied().unwrap_or_default();
        assert!(met <= 12 * accounts * each.min(RUNNERS), "UpdateAccount was refused {met} times");
        // AWS deletes one API in 30 seconds: the runs waited for that, and nothing failed.
        let gc = took.last().expect("the last part");
        assert!(gc.time >= Duration::from_secs(30 * (each as u64 - 1)), "{:?}", gc.time);
        assert!(took.iter().map(Took::refused).sum::<usize>() > 0, "the rates were felt");
    });
}
