//! Answers that AWS should not send: members are missing, values have other types, texts are odd or huge, bodies
//! end in the middle. A plan says what it could not read, and never panics.
//!
//! `PAYCTL_HOSTILE=full` damages answers with two thousand seeds instead of some tens.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use payctl::aws::census;
use payctl::aws::clients::{Aws, Connection};
use payctl::aws::facts;
use payctl::aws::provider::AwsProvider;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::error::OpError;
use payctl_engine::plan::Purpose;
use payctl_engine::planner;
use payctl_engine::survey::{PATIENCE, look};
use payctl_sandbox::{Damage, Garbled, Sandbox};

use crate::support::{block_on, run, sample_provider, samples, sandboxed};

fn seeds() -> std::ops::Range<u64> {
    let is_full = std::env::var("PAYCTL_HOSTILE").is_ok_and(|asked| asked == "full");
    0..if is_full { 2000 } else { 40 }
}

/// An error names the operation that AWS answered, and says something.
fn expect_told(error: &OpError, context: &str) {
    assert!(error.op.starts_with(|c: char| c.is_ascii_alphabetic()), "{context}: {error:?}");
    assert!(!error.code.is_empty() && !error.message.is_empty(), "{context}: {error:?}");
    assert!(!error.message.contains("panicked"), "{context}: {error:?}");
}

/// Looks at everything and makes a plan. Returns how many kinds could not be read.
async fn planned(provider: &AwsProvider, blueprint: &Blueprint, purpose: Purpose) -> usize {
    let wanted = &blueprint.resources;
    let snapshot = look(provider, wanted, purpose, PATIENCE, &|_| {}).await;
    for unseen in &snapshot.unseen {
        expect_told(&unseen.error, &unseen.kind);
        assert!(unseen.to_string().contains(&unseen.kind), "{unseen}");
    }
    for (address, found) in &snapshot {
        for one in found {
            assert!(!one.live.id.is_empty(), "{address} has no id");
        }
    }
    if let Err(error) = planner::plan(provider, blueprint, &snapshot, purpose, &[]) {
        assert!(!error.to_string().is_empty());
    }
    snapshot.unseen.len()
}

/// Runs with damaged answers; a panic names the seed and what was damaged.
async fn unharmed<T>(garbled: &Garbled, seed: u64, work: impl Future<Output = T>) -> T {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(done) => done,
        Err(_) => panic!("seed {seed} panicked after {:#?}", garbled.damaged()),
    }
}

#[test]
fn a_plan_survives_damaged_answers_to_every_read() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let garbled = Garbled::new(sandbox.transport());
        let transport = Some(garbled.transport());
        let connection = Connection { transport, ..sandboxed(&sandbox) };
        let provider = sample_provider(&connection).await;
        let blueprint = samples(&provider.aws().scope);
        run(&provider, &blueprint, Purpose::Apply).await;
        let before = sandbox.snapshot().expect("a state").to_json().expect("JSON");
        let (mut unread, mut all) = (0, Vec::<Damage>::new());
        for seed in seeds() {
            all.extend(garbled.begin(seed, 8));
            let purpose = if seed % 4 == 0 { Purpose::Destroy } else { Purpose::Apply };
            unread += unharmed(&garbled, seed, planned(&provider, &blueprint, purpose)).await;
            if let Err(error) = unharmed(&garbled, seed, census::environments(provider.aws())).await
            {
                expect_told(&error, "the list of environments");
            }
        }
        let after = sandbox.snapshot().expect("a state").to_json().expect("JSON");
        // The sandbox counts reads of things that change their state by themselves.
        assert_eq!(before["sqs"], after["sqs"], "a plan writes nothing");
        let calls: std::collections::BTreeSet<&str> =
            all.iter().map(|damage| damage.call.as_str()).collect();
        println!(
            "{} damaged answers of {} operations; {unread} kinds unread",
            all.len(),
            calls.len()
        );
        assert!(all.len() > 300 && calls.len() > 80, "{} of {}", all.len(), calls.len());
        assert!(unread > 20, "damage that nobody notices is none");
    });
}

#[test]
fn connecting_survives_damaged_answers() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let garbled = Garbled::new(sandbox.transport());
        let transport = Some(garbled.transport());
        let connection = Connection { transport, ..sandboxed(&sandbox) };
        for seed in 0..150 {
            garbled.begin(seed, 100);
            let connected = async {
                let aws = Box::pin(Aws::connect(&connection, "payment", "sample")).await?;
                facts::zones(&aws).await
            };
            if let Err(error) = unharmed(&garbled, seed, connected).await {
                expect_told(&error, "connecting");
            }
        }
    });
}
