//! Two applies of one environment at once: at most the second fails, and after at most two more runs
//! the environment is complete, with nothing there twice.
//!
//! `PAYCTL_TOGETHER=full` runs every shipped environment at every distance, and tens of cases of the
//! real binary.

use std::path::{Path, PathBuf};
use std::time::Duration;

use payctl::aws::clients::Connection;
use payctl::aws::kinds::KINDS;
use payctl_engine::model::live::Owner;
use payctl_engine::model::text::{Ref, resolve};
use payctl_engine::plan::Purpose;
use payctl_engine::planner;
use payctl_engine::provider::{Provider as _, Target};
use payctl_engine::survey::survey;
use payctl_sandbox::Faults;
use payctl_sandbox::Sandbox;

use crate::cli_support::{Folder, ended};
use crate::examples::dir_of;
use crate::support::{
    address_of, block_on, carry_out, configured, expect_settled, run, sample_provider, samples,
    sandboxed,
};

fn is_full() -> bool {
    std::env::var("PAYCTL_TOGETHER").is_ok_and(|asked| asked == "full")
}

/// Every shipped environment.
fn shipped() -> Vec<(PathBuf, &'static str)> {
    let recommended = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut all: Vec<_> =
        ["dev", "staging", "prod", "pr-7"].map(|env| (recommended.clone(), env)).into();
    let examples: [(&str, &[&'static str]); 5] = [
        ("container-api", &["dev", "prod", "pr-7"]),
        ("cost-optimised", &["dev", "prod"]),
        ("migration", &["dev", "prod", "pr-7"]),
        ("migration-blue-green", &["dev"]),
        ("serverless-secured", &["dev", "staging", "prod", "pr-7"]),
    ];
    for (example, envs) in examples {
        all.extend(envs.iter().map(|env| (dir_of(example), *env)));
    }
    all
}

/// Plans and applies. Returns the steps that failed.
async fn attempt(connection: &Connection, dir: &Path, env: &str) -> Vec<String> {
    let (provider, blueprint) = configured(connection, dir, env).await;
    let snapshot = match survey(&provider, &blueprint.resources).await {
        Ok(snapshot) => snapshot,
        Err(errors) => return vec![format!("{errors:?}")],
    };
    let plan =
        planner::plan(&provider, &blueprint, &snapshot, Purpose::Apply, &[]).expect("a plan");
    if !plan.refused.is_empty() {
        return plan.refused.iter().map(|refused| format!("{refused:?}")).collect();
    }
    let report = carry_out(&provider, &plan).await;
    let failed = report.failed.iter();
    failed.map(|(address, verb, error)| format!("{verb:?} {address}: {error}")).collect()
}

/// One case. Returns how many of the two failed.
async fn together(dir: &Path, env: &str, apart: Duration, strict: bool) -> usize {
    let case = format!("{}, {env}, {apart:?} apart", dir.display());
    let sandbox = if strict { Sandbox::in_memory_strict() } else { Sandbox::in_memory() };
    let slowly = |delay| {
        let faults = Faults::new(sandbox.transport()).with_delay(Duration::from_millis(delay));
        Connection { transport: Some(faults.transport()), ..sandboxed(&sandbox) }
    };
    let (one, other) = (slowly(50), slowly(47));
    let second = async {
        tokio::time::sleep(apart).await;
        attempt(&other, dir, env).await
    };
    let (first, second) = tokio::join!(attempt(&one, dir, env), second);
    assert!(first.is_empty() || second.is_empty(), "{case}: {first:#?}\n{second:#?}");
    for failure in first.iter().chain(&second) {
        println!("{case}: {failure}");
    }
    let connection = sandboxed(&sandbox);
    if !attempt(&connection, dir, env).await.is_empty() {
        assert_eq!(attempt(&connection, dir, env).await, Vec::<String>::new(), "{case}");
    }
    let (provider, blueprint) = configured(&connection, dir, env).await;
    expect_settled(&provider, &blueprint, &case).await;
    let snapshot = survey(&provider, &blueprint.resources).await.expect("a survey");
    for (address, found) in &snapshot {
        let ours = found.iter().filter(|found| found.owner == Owner::Ours);
        assert!(ours.count() < 2, "{case}: {address} is there twice");
    }
    usize::from(!first.is_empty()) + usize::from(!second.is_empty())
}

#[test]
fn two_concurrent_applies_make_one_environment() {
    let distances: &[u64] =
        if is_full() { &[0, 20, 50, 100, 200, 350, 500, 750, 1000, 2000, 4000] } else { &[0, 350] };
    let (mut cases, mut failed) = (0, 0);
    for (at, (dir, env)) in shipped().into_iter().enumerate() {
        let distances = distances.iter().enumerate();
        for (_, apart) in distances.filter(|(index, _)| is_full() || index % 2 == at % 2) {
            cases += 1;
            let apart = Duration::from_millis(*apart);
            failed += block_on(together(&dir, env, apart, at % 2 == 0));
        }
    }
    println!("{cases} cases, in {failed} of them one of the two failed");
}

/// What AWS lets be made a second time under one address is known, since a step then looks first.
#[test]
fn only_kinds_that_can_duplicate_make_a_second_object() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let blueprint = samples(&provider.aws().scope);
        run(&provider, &blueprint, Purpose::Apply).await;
        let outputs = {
            let snapshot = survey(&provider, &blueprint.resources).await.expect("a survey");
            let first =
                |found: &Vec<payctl_engine::model::live::Found>| found[0].live.outputs.clone();
            snapshot
                .iter()
                .map(|(address, found)| (address.clone(), first(found)))
                .collect::<std::collections::BTreeMap<_, _>>()
        };
        let mut twice = Vec::new();
        for kind in KINDS {
            let desired = &blueprint.resources[&address_of(*kind)];
            let spec = resolve(&desired.spec, &|reference: &Ref| {
                outputs.get(&reference.to)?.get(&reference.output).cloned()
            });
            let mut tags = desired.tags_once.clone();
            tags.extend(desired.tags.clone());
            let target = Target {
                address: desired.address.clone(),
                name: desired.name.clone(),
                id: None,
                tags,
            };
            // It may be refused. What counts is what exists then.
            drop(provider.create(&target, &spec).await);
            let wanted = [(desired.name.clone(), desired.address.clone())].into();
            let found = provider.survey(kind.meta().kind, &wanted, None).await.expect("a survey");
            let ours = found
                .iter()
                .filter(|found| found.address == desired.address && found.owner == Owner::Ours);
            if ours.count() > 1 {
                twice.push(kind.meta().kind);
                assert!(kind.meta().can_duplicate, "{} can be made twice", kind.meta().kind);
            }
        }
        println!("made twice: {twice:?}");
        assert!(twice.contains(&"ec2.vpc") && twice.contains(&"kms.key"), "{twice:?}");
    });
}

/// The real binary, twice at once.
#[test]
fn two_concurrent_processes_make_one_environment() {
    let distances: Vec<u64> =
        if is_full() { (0..24).map(|step| step * 42).collect() } else { vec![0, 400] };
    let mut failed = 0;
    for apart in distances {
        let folder = Folder::shipped();
        // The lease would keep the two apart.
        let line = "apply --env dev --sandbox --auto-approve --no-lock";
        let first = folder.start_slowly(line, Duration::from_millis(20));
        std::thread::sleep(Duration::from_millis(apart));
        let second = ended(folder.payctl(line).env("PAYCTL_SANDBOX_DELAY_MS", "20"));
        let (_, code, said) = first.end();
        let codes = [code, second.code];
        assert!(codes.contains(&Some(0)), "{apart} ms: {said}\n{}", second.err);
        if codes != [Some(0), Some(0)] {
            failed += 1;
            println!("{apart} ms apart: {codes:?}\n{said}\n{}", second.err);
        }
        if folder.run(line).code != Some(0) {
            folder.expect(0, line);
        }
        folder.expect(0, "plan --env dev --sandbox --detailed-exitcode");
        let counts = folder.counts();
        assert_eq!(counts["ec2.vpcs"], 1, "{counts:#}");
        folder.expect(0, "destroy --env dev --sandbox --auto-approve");
        assert_eq!(folder.counts(), serde_json::json!({}));
    }
    println!("one of the two failed in {failed} cases");
}
