//! How many calls and round trips a plan takes: the part of speed that does not depend on the
//! machine. `benches/cycle.rs` measures the rest.

use std::time::Duration;

use payctl::engine::plan::Purpose;
use payctl::sandbox::connector::Sandbox;
use payctl::sandbox::faults::Faults;
use tokio::time::Instant;

use crate::support::{block_on, expect_settled, plan_now, provider_for, run, sandboxed, shipped};

const ROUND_TRIP: Duration = Duration::from_millis(50);

#[test]
fn a_plan_with_nothing_to_do_takes_four_round_trips() {
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
        assert!(calls.len() <= 130, "{} calls: {calls:#?}", calls.len());
    });
}
