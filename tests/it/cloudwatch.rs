//! Alarms and dashboards among those of others.

use aws_sdk_cloudwatch::types::{ComparisonOperator, Statistic};
use aws_sdk_cloudwatchlogs::types::MetricTransformation;
use payctl::aws::provider::AwsProvider;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::plan::{Action, Purpose};
use payctl_engine::planner;
use payctl_engine::survey::survey;
use payctl_sandbox::{Fault, Faults, Sandbox};
use serde_json::json;

use crate::support::{block_on, by_hand, expect_settled, run, sample_provider, sandboxed, some};

const BAD_DAY: [Fault; 3] = [Fault::Throttle, Fault::Error500, Fault::LoseReply];

/// The samples of alarms, dashboards and metric filters.
fn watching(provider: &AwsProvider) -> Blueprint {
    some(provider, &["cloudwatch.alarm", "cloudwatch.dashboard", "logs.metric_filter"])
}

async fn put_alarm(client: &aws_sdk_cloudwatch::Client, name: &str) {
    client
        .put_metric_alarm()
        .alarm_name(name)
        .namespace("n")
        .metric_name("m")
        .statistic(Statistic::Sum)
        .period(60)
        .evaluation_periods(1)
        .threshold(1.0)
        .comparison_operator(ComparisonOperator::GreaterThanThreshold)
        .send()
        .await
        .expect("a valid alarm");
}

async fn alarms(client: &aws_sdk_cloudwatch::Client) -> Vec<String> {
    let found = client.describe_alarms().send().await.expect("the sandbox answers");
    let names = found.metric_alarms().iter().filter_map(|alarm| alarm.alarm_name());
    names.map(str::to_owned).collect()
}

#[test]
fn foreign_alarms_and_dashboards_are_left_alone() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let blueprint = watching(&provider);
        let cloudwatch = aws_sdk_cloudwatch::Client::new(&by_hand(&sandbox));
        let logs = aws_sdk_cloudwatchlogs::Client::new(&by_hand(&sandbox));
        let others = ["TargetTracking-service/sample/pay-AlarmHigh-1", "sample-of-others"];
        for name in others {
            put_alarm(&cloudwatch, name).await;
        }
        run(&provider, &blueprint, Purpose::Apply).await;
        let metric = MetricTransformation::builder().metric_name("m").metric_namespace("n");
        let put = logs.put_metric_filter().log_group_name("/sample/log-group").filter_name("ops");
        let put = put
            .filter_pattern("")
            .metric_transformations(metric.metric_value("1").build().expect("a complete metric"));
        put.send().await.expect("a valid filter");
        expect_settled(&provider, &blueprint, "others came").await;

        let mut fewer = blueprint.clone();
        fewer.resources.retain(|address, _| address.kind != "logs.metric_filter");
        let plan = run(&provider, &fewer, Purpose::Apply).await;
        assert_eq!(plan.count(Action::Delete), 1);
        let left = logs.describe_metric_filters().send().await.expect("the sandbox answers");
        assert_eq!(left.metric_filters()[0].filter_name(), Some("ops"));

        run(&provider, &fewer, Purpose::Destroy).await;
        assert_eq!(alarms(&cloudwatch).await, others);
    });
}

#[test]
fn a_foreign_alarm_is_not_adopted() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        put_alarm(&aws_sdk_cloudwatch::Client::new(&by_hand(&sandbox)), "sample-alarm").await;
        let blueprint = watching(&provider);
        let snapshot = survey(&provider, &blueprint.resources).await.expect("a survey");
        let plan =
            planner::plan(&provider, &blueprint, &snapshot, Purpose::Apply, &[]).expect("a plan");
        assert_eq!(plan.refused.len(), 1, "{:#?}", plan.refused);
        assert!(plan.refused[0].reason.contains("somebody else"), "{:?}", plan.refused);
    });
}

#[test]
fn dashboards_are_compared_by_content() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let blueprint = watching(&provider);
        run(&provider, &blueprint, Purpose::Apply).await;
        let cloudwatch = aws_sdk_cloudwatch::Client::new(&by_hand(&sandbox));
        let name = "sample-dashboard";
        let get = cloudwatch.get_dashboard().dashboard_name(name).send();
        let found = get.await.expect("it is there").dashboard_body.expect("a body");
        let put = async |body: String| {
            let put = cloudwatch.put_dashboard().dashboard_name(name).dashboard_body(body);
            put.send().await.expect("a valid dashboard");
        };
        let tree: serde_json::Value = serde_json::from_str(&found).expect("a tree");
        put(serde_json::to_string_pretty(&tree).expect("a text")).await;
        expect_settled(&provider, &blueprint, "another layout").await;

        put(json!({ "widgets": [] }).to_string()).await;
        let plan = run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!((plan.count(Action::Update), plan.changes.len()), (1, 1));
        expect_settled(&provider, &blueprint, "the repair").await;
    });
}

#[test]
fn throttled_and_lost_calls_are_repaired() {
    for seed in 0..5 {
        block_on(async {
            let sandbox = Sandbox::in_memory();
            let faults = Faults::new(sandbox.transport()).only_writes();
            let faults = faults.at_random(seed, 30, &BAD_DAY);
            let mut connection = sandboxed(&sandbox);
            connection.transport = Some(faults.transport());
            let provider = sample_provider(&connection).await;
            let blueprint = watching(&provider);
            run(&provider, &blueprint, Purpose::Apply).await;
            expect_settled(&provider, &blueprint, "a bad day").await;
            run(&provider, &blueprint, Purpose::Destroy).await;
            assert!(!faults.struck().is_empty());
        });
    }
}

#[test]
fn disabled_alarm_actions_are_enabled_again() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let blueprint = watching(&provider);
        run(&provider, &blueprint, Purpose::Apply).await;
        put_alarm(&aws_sdk_cloudwatch::Client::new(&by_hand(&sandbox)), "sample-alarm").await;
        let plan = run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!((plan.count(Action::Update), plan.changes.len()), (1, 1));
        expect_settled(&provider, &blueprint, "the repair").await;
    });
}
