//! The same environment in two regions of one account: what belongs to the account is seen from both.

use payctl::aws::clients::Connection;
use payctl_engine::model::address::Address;
use payctl_engine::plan::Purpose;
use payctl_sandbox::Sandbox;

use crate::support::{
    block_on, expect_settled, plan_now, provider_for, run, sample_provider, sandboxed, shipped,
    some,
};

fn elsewhere(sandbox: &Sandbox) -> Connection {
    Connection { region: Some("eu-west-1".into()), ..sandboxed(sandbox) }
}

#[test]
fn an_environment_of_another_region_is_left_alone() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let home = provider_for(&sandboxed(&sandbox), "dev").await;
        let here = shipped(&home).await;
        run(&home, &here, Purpose::Apply).await;

        let away = provider_for(&elsewhere(&sandbox), "dev").await;
        let there = shipped(&away).await;
        // Nothing of the other region is wanted away, and nothing of it is named.
        assert!(plan_now(&away, &there, Purpose::Destroy).await.changes.is_empty());
        run(&away, &there, Purpose::Apply).await;
        expect_settled(&away, &there, "creation beside the other region").await;
        expect_settled(&home, &here, "creation in the other region").await;

        run(&away, &there, Purpose::Destroy).await;
        expect_settled(&home, &here, "destruction in the other region").await;
        run(&home, &here, Purpose::Destroy).await;
        let left = sandbox.counts().expect("a sandbox");
        assert!(left.is_empty(), "{left:?}");
    });
}

#[test]
fn a_cost_monitor_of_another_region_is_shared_and_its_subscription_left_alone() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let home = sample_provider(&sandboxed(&sandbox)).await;
        let away = sample_provider(&elsewhere(&sandbox)).await;
        let [here, there] = [&home, &away].map(|provider| {
            let mut blueprint = some(provider, &["costs.anomaly_subscription"]);
            let monitor = Address::new("costs.anomaly_monitor", "sample");
            let monitor = blueprint.resources.get_mut(&monitor).expect("the sample");
            monitor.name = "sample-monitor.services".into();
            blueprint
        });
        run(&home, &here, Purpose::Apply).await;
        let made = run(&away, &there, Purpose::Apply).await;
        let kinds: Vec<&str> = made.changes.iter().map(|change| &*change.address.kind).collect();
        assert!(kinds.contains(&"costs.anomaly_subscription"), "{kinds:?}");
        assert!(!kinds.contains(&"costs.anomaly_monitor"), "{kinds:?}");
        expect_settled(&home, &here, "creation in the other region").await;
        run(&away, &there, Purpose::Destroy).await;
        expect_settled(&home, &here, "destruction in the other region").await;
    });
}
