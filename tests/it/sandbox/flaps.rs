//! Reads that show the state before a change and the state after it in turn.

use std::time::Duration;

use payctl_engine::plan::Purpose;
use payctl_sandbox::{Faults, Sandbox};

use crate::support::{
    block_on, expect_settled, left_by_samples, run, sample_provider, samples, sandboxed, some,
};

const LASTS: Duration = Duration::from_secs(5);

#[test]
fn every_kind_lives_through_flapping_reads() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let blueprint = samples(&provider.aws().scope);
        sandbox.flap(Some(LASTS));
        run(&provider, &blueprint, Purpose::Apply).await;
        tokio::time::sleep(LASTS).await;
        expect_settled(&provider, &blueprint, "once the reads have caught up").await;
        run(&provider, &blueprint, Purpose::Destroy).await;
        sandbox.flap(None);
        assert_eq!(sandbox.counts().expect("counts"), left_by_samples());
    });
}

/// A parameter is complete when it is created. Old answers after that must not make payctl write it again.
#[test]
fn a_fresh_parameter_is_written_once() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let faults = Faults::new(sandbox.transport());
        let mut connection = sandboxed(&sandbox);
        connection.transport = Some(faults.transport());
        let provider = sample_provider(&connection).await;
        sandbox.flap(Some(LASTS));
        run(&provider, &some(&provider, &["ssm.parameter"]), Purpose::Apply).await;
        let calls = faults.calls();
        let writes = calls.iter().filter(|call| *call == "ssm.PutParameter").count();
        assert_eq!(writes, 1, "{calls:?}");
    });
}
