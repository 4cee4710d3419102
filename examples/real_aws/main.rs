//! The acceptance run against a real account: see `docs/real-aws.md`.
//!
//! `cargo run --example real_aws -- --account 123456789012` stands a small environment of its own
//! up, changes it, cuts a destroy short, converges, destroys, looks for leftovers, and writes down
//! what AWS answered otherwise than the embedded sandbox. Without `--account`, or without
//! credentials of exactly that account, it says so and does nothing.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use payctl::aws::clients::Connection;
use payctl::aws::facts;
use payctl::aws::provider::AwsProvider;
use payctl::blueprint::{self, Facts};
use payctl::config;
use payctl_sandbox::Sandbox;

mod run;

use run::Side;

/// Lets a small environment live and die in a real AWS account, and reports what differed.
#[derive(Debug, Parser)]
struct Args {
    /// The account that may be charged; the credentials must belong to it.
    #[arg(long)]
    account: Option<String>,
    /// The region.
    #[arg(long, default_value = "us-east-1")]
    region: String,
    /// The environment: a name that the template `pr` takes.
    #[arg(long, default_value = "pr-9999")]
    env: String,
    /// Where the configs are.
    #[arg(long, default_value = "config")]
    config_dir: String,
    /// Where the report goes.
    #[arg(long, default_value = "real-aws-report.md")]
    report: String,
    /// Another endpoint instead of AWS, to rehearse the run.
    #[arg(long)]
    endpoint_url: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let Some(account) = &args.account else {
        eprintln!(
            "Nothing was done: say which account may be charged with --account. What the run \
             creates and costs is written in docs/real-aws.md."
        );
        return ExitCode::SUCCESS;
    };
    match Box::pin(accept(&args, account)).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("Nothing was done: {reason}");
            ExitCode::from(2)
        }
    }
}

async fn accept(args: &Args, account: &str) -> Result<bool, String> {
    let keys = args.endpoint_url.as_ref().map(|_| ("rehearsal".into(), "rehearsal".into()));
    let connection = Connection {
        region: Some(args.region.clone()),
        endpoint_url: args.endpoint_url.clone(),
        keys,
        ..Connection::default()
    };
    let sandbox = Sandbox::in_memory();
    let beside = Connection {
        region: Some(args.region.clone()),
        keys: Some(("sandbox".into(), "sandbox".into())),
        transport: Some(sandbox.transport()),
        ..Connection::default()
    };
    let mut cloud = side(args, &connection, false).await?;
    if cloud.blueprint.scope.account != account {
        let found = &cloud.blueprint.scope.account;
        return Err(format!("these credentials belong to account {found}, not {account}"));
    }
    let mut twin = side(args, &beside, true).await?;
    let scope = cloud.blueprint.scope.to_string();
    println!("{scope}: {} resources", cloud.blueprint.resources.len());
    let findings = run::accept(&mut cloud, &mut twin, &|text| println!("{text}")).await;
    let report = findings.report(&scope);
    std::fs::write(&args.report, &report)
        .map_err(|error| format!("cannot write {}: {error}", args.report))?;
    println!("{report}\nThe report is in {}.", args.report);
    Ok(findings.failures.is_empty())
}

async fn side(args: &Args, connection: &Connection, is_twin: bool) -> Result<Side, String> {
    let variable = |name: &str| std::env::var(name).ok();
    let loaded =
        config::load_in(Path::new(&args.config_dir), &args.env, &variable, Some(&args.region))
            .map_err(|problems| format!("the config is not valid: {problems:?}"))?;
    let connected = facts::connect(connection, &loaded.config.project.0, &args.env).await;
    let (mut aws, zones) = connected.map_err(|error| format!("no account answers: {error}"))?;
    aws.packages = loaded.packages();
    let facts = Facts {
        account: aws.scope.account.clone(),
        region: aws.scope.region.clone(),
        partition: aws.scope.partition.clone(),
        zones,
        now: "2000-01-01T00:00:00Z".into(),
        lent: None,
    };
    let blueprint = blueprint::build(&loaded, &facts)
        .map_err(|problems| format!("the config is not valid: {problems:?}"))?;
    Ok(Side { provider: AwsProvider::new(aws), blueprint, is_twin })
}
