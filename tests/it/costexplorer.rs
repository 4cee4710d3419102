//! Monitors of unusual costs.

use payctl_engine::model::address::Address;
use payctl_engine::plan::Purpose;
use payctl_sandbox::Sandbox;

use crate::support::{block_on, by_hand, expect_settled, run, sample_provider, sandboxed, some};

#[test]
fn a_monitor_of_all_services_is_shared_and_its_subscription_is_ours() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let costs = aws_sdk_costexplorer::Client::new(&by_hand(&sandbox));
        let monitor = aws_sdk_costexplorer::types::AnomalyMonitor::builder()
            .monitor_name("Default-Services-Monitor")
            .monitor_type(aws_sdk_costexplorer::types::MonitorType::Dimensional)
            .monitor_dimension(aws_sdk_costexplorer::types::MonitorDimension::Service)
            .build()
            .expect("a monitor");
        costs.create_anomaly_monitor().anomaly_monitor(monitor).send().await.expect("a monitor");
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let kinds = ["costs.anomaly_monitor", "costs.anomaly_subscription", "sns.topic", "kms.key"];
        let mut blueprint = some(&provider, &kinds);
        let address = Address::new("costs.anomaly_monitor", "sample");
        let wanted = blueprint.resources.get_mut(&address).expect("the sample");
        wanted.name = "sample-monitor.services".into();
        let made = run(&provider, &blueprint, Purpose::Apply).await;
        assert!(made.changes.iter().all(|change| change.address != address));
        expect_settled(&provider, &blueprint, "creation").await;
        run(&provider, &blueprint, Purpose::Destroy).await;
        let left = costs.get_anomaly_monitors().send().await.expect("a list");
        assert_eq!(left.anomaly_monitors().len(), 1);
        let left = costs.get_anomaly_subscriptions().send().await.expect("a list");
        assert!(left.anomaly_subscriptions().is_empty());
    });
}
