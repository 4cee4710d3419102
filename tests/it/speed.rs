//! The number of calls and round trips of a plan: the part of speed that does not depend on the
//! machine. `benches/cycle.rs` measures the rest.

use std::collections::BTreeMap;
use std::time::Duration;

use payctl::aws::provider::AwsProvider;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::live::Owner;
use payctl_engine::model::text::Outputs;
use payctl_engine::outlook::{Estimate, Learned};
use payctl_engine::plan::{Plan, Purpose};
use payctl_engine::planner::plan;
use payctl_engine::provider::Provider as _;
use payctl_engine::survey::{PATIENCE, look};
use payctl_sandbox::Faults;
use payctl_sandbox::Sandbox;
use tokio::time::Instant;

use crate::support::{
    block_on, carry_out, expect_settled, plan_now, provider_for, run, sandboxed, shipped,
};

const ROUND_TRIP: Duration = Duration::from_millis(50);

#[test]
fn an_empty_plan_takes_four_round_trips() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider_for(&sandboxed(&sandbox), "dev").await;
        let blueprint = shipped(&provider).await;
        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "apply").await;

        let faults = Faults::new(sandbox.transport()).with_delay(ROUND_TRIP);
        let mut slow = sandboxed(&sandbox);
        slow.transport = Some(faults.transport());
        let began = Instant::now();
        let provider = provider_for(&slow, "dev").await;
        let connected = began.elapsed();
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let elapsed = began.elapsed();
        assert!(plan.is_empty());
        let calls = faults.calls();
        println!("{} calls, connected after {connected:?}, done after {elapsed:?}", calls.len());
        let trips = elapsed.as_millis() / ROUND_TRIP.as_millis();
        assert!(trips <= 4, "{trips} round trips: {calls:#?}");
        assert!(calls.len() <= 145, "{} calls: {calls:#?}", calls.len());
    });
}

/// Connects, runs a command, and returns how many calls it made. The calls by operation are printed.
async fn calls(
    sandbox: &Sandbox,
    env: &str,
    name: &str,
    command: impl AsyncFnOnce(&AwsProvider, &Blueprint),
) -> usize {
    let provider = provider_for(&sandboxed(sandbox), env).await;
    let blueprint = shipped(&provider).await;
    command(&provider, &blueprint).await;
    let meter = &provider.aws().meter;
    println!("{env}: {name}, {} calls", meter.total());
    for (call, count) in meter.counts() {
        println!("{count:>5}  {call}");
    }
    meter.total()
}

/// Plans and destroys as `payctl destroy` does, and looks at what is left.
async fn destroyed(provider: &AwsProvider, blueprint: &Blueprint) {
    let look = || look(provider, &blueprint.resources, Purpose::Destroy, PATIENCE, &|_| {});
    let snapshot = look().await;
    let plan = plan(provider, blueprint, &snapshot, Purpose::Destroy, &[]).expect("a plan");
    let report = carry_out(provider, &plan).await;
    assert!(report.is_complete(), "{:#?}", report.failed);
    let left = look().await;
    let ours = left.values().flatten().filter(|found| found.owner == Owner::Ours);
    assert_eq!(ours.count(), 0, "{left:#?}");
}

/// What each command may make in an environment: a first plan, an apply with its plan, a plan with nothing
/// to do, a destroy with its plan and its last look.
async fn few_calls(env: &str, most: [usize; 4]) {
    let sandbox = Sandbox::in_memory();
    let made = [
        calls(&sandbox, env, "first plan", async |provider, blueprint| {
            plan_now(provider, blueprint, Purpose::Apply).await;
        })
        .await,
        calls(&sandbox, env, "apply", async |provider, blueprint| {
            run(provider, blueprint, Purpose::Apply).await;
        })
        .await,
        calls(&sandbox, env, "plan, nothing to do", async |provider, blueprint| {
            assert!(plan_now(provider, blueprint, Purpose::Apply).await.is_empty());
        })
        .await,
        calls(&sandbox, env, "destroy", destroyed).await,
    ];
    assert!(made.iter().zip(most).all(|(made, most)| *made <= most), "{made:?}, at most {most:?}");
}

#[test]
fn the_estimate_names_the_calls() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        for purpose in [Purpose::Apply, Purpose::Destroy] {
            let provider = provider_for(&sandboxed(&sandbox), "dev").await;
            let blueprint = shipped(&provider).await;
            let plan = plan_now(&provider, &blueprint, purpose).await;
            let before = provider.aws().meter.total();
            assert!(carry_out(&provider, &plan).await.is_complete());
            let made = provider.aws().meter.total() - before;
            let estimate = Estimate::of(&plan, &provider.kinds(), &Learned::new(), 1);
            let said = estimate.total_calls();
            println!("{purpose:?}: {made} calls, estimated {said}");
            assert!(said * 2 <= made * 3 && made * 2 <= said * 3, "{made} calls, not {said}");
        }
    });
}

#[test]
fn each_command_makes_few_calls_in_dev() {
    block_on(few_calls("dev", [62, 600, 145, 705]));
}

#[test]
fn each_command_makes_few_calls_in_staging() {
    block_on(few_calls("staging", [62, 600, 145, 710]));
}

/// Carries out a plan, and returns how long that took.
async fn timed(provider: &AwsProvider, plan: &Plan) -> (Duration, BTreeMap<Address, Outputs>) {
    let report = carry_out(provider, plan).await;
    assert!(report.is_complete(), "{:#?}", report.failed);
    (report.elapsed, report.outputs)
}

/// The time of each step of a plan by itself. The steps run one after the other, so that each takes
/// as long as its own calls.
async fn step_by_step(provider: &AwsProvider, plan: &Plan) -> BTreeMap<Address, Duration> {
    let (mut steps, mut alone) = (BTreeMap::new(), plan.clone());
    for change in &plan.changes {
        alone.changes = vec![change.clone()];
        let (elapsed, outputs) = timed(provider, &alone).await;
        alone.outputs = outputs;
        steps.insert(change.address.clone(), elapsed);
    }
    steps
}

/// The longest chain of steps that wait for each other.
fn longest_chain(plan: &Plan, steps: &BTreeMap<Address, Duration>) -> (Duration, Vec<Address>) {
    let mut chains: BTreeMap<&Address, (Duration, Vec<Address>)> = BTreeMap::new();
    // Changes come in the order in which they need each other.
    for change in &plan.changes {
        let before = change.needs.iter().filter_map(|needed| chains.get(needed)).max();
        let (time, mut chain) = before.cloned().unwrap_or_default();
        chain.push(change.address.clone());
        chains.insert(&change.address, (time + steps[&change.address], chain));
    }
    chains.into_values().max().unwrap_or_default()
}

#[test]
fn an_apply_takes_little_longer_than_its_longest_chain() {
    block_on(async {
        let slowly = |sandbox: &Sandbox| {
            let mut slow = sandboxed(sandbox);
            let faults = Faults::new(sandbox.transport()).with_delay(ROUND_TRIP);
            slow.transport = Some(faults.transport());
            slow
        };
        let alone = Sandbox::in_memory();
        let provider = provider_for(&slowly(&alone), "dev").await;
        let blueprint = shipped(&provider).await;
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let steps = step_by_step(&provider, &plan).await;
        let one_by_one: Duration = steps.values().sum();
        let (longest, chain) = longest_chain(&plan, &steps);

        let together = Sandbox::in_memory();
        let provider = provider_for(&slowly(&together), "dev").await;
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let (elapsed, _) = timed(&provider, &plan).await;
        let chain: Vec<String> = chain.iter().map(Address::to_string).collect();
        println!(
            "apply {elapsed:?}; one by one {one_by_one:?}; longest chain {longest:?}: {}",
            chain.join(" > ")
        );
        assert!(
            elapsed.as_secs_f64() <= longest.as_secs_f64() * 1.3,
            "{elapsed:?} for {longest:?}"
        );
    });
}
