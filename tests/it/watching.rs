//! Alarms, dashboards and metric filters among those of others, on the embedded sandbox.

use aws_sdk_cloudwatch::types::{ComparisonOperator, Statistic};
use aws_sdk_cloudwatchlogs::types::MetricTransformation;
use payctl::aws::provider::AwsProvider;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::plan::{Action, Purpose};
use payctl_engine::planner::plan;
use payctl_engine::survey::survey;
use payctl_sandbox::Sandbox;
use payctl_sandbox::{Fault, Faults};
use serde_json::json;

use crate::support::{block_on, by_hand, expect_settled, plan_now, provider, run, sandboxed, some};

const BAD_DAY: [Fault; 3] = [Fault::Throttle, Fault::Error500, Fault::LoseReply];

/// The samples of alarms, dashboards and metric filters.
fn watching(provider: &AwsProvider) -> Blueprint {
    some(provider, &["cloudwatch.alarm", "cloudwatch.dashboard", "logs.metric_filter"])
}

async fn put_alarm(client: &aws_sdk_cloudwatch::Client, name: &str) {
    let call = client.put_metric_alarm().alarm_name(name).namespace("n").metric_name("m");
    let call = call.statistic(Statistic::Sum).period(60).evaluation_periods(1).threshold(1.0);
    let call = call.comparison_operator(ComparisonOperator::GreaterThanThreshold);
    call.send().await.expect("a valid alarm");
}

async fn alarms(client: &aws_sdk_cloudwatch::Client) -> Vec<String> {
    let found = client.describe_alarms().send().await.expect("the sandbox answers");
    let names = found.metric_alarms().iter().filter_map(|alarm| alarm.alarm_name());
    names.map(str::to_owned).collect()
}

#[test]
fn what_others_watch_is_left_alone() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider(&sandboxed(&sandbox)).await;
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
fn an_alarm_of_others_is_not_taken_over() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider(&sandboxed(&sandbox)).await;
        put_alarm(&aws_sdk_cloudwatch::Client::new(&by_hand(&sandbox)), "sample-alarm").await;
        let blueprint = watching(&provider);
        let snapshot = survey(&provider, &blueprint.resources).await.expect("a survey");
        let plan = plan(&provider, &blueprint, &snapshot, Purpose::Apply, &[]).expect("a plan");
        assert_eq!(plan.refused.len(), 1, "{:#?}", plan.refused);
        assert!(plan.refused[0].reason.contains("somebody else"), "{:?}", plan.refused);
    });
}

#[test]
fn a_dashboard_is_compared_by_what_it_says() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider(&sandboxed(&sandbox)).await;
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
fn throttled_and_lost_calls_are_made_up_for() {
    for seed in 0..5 {
        block_on(async {
            let sandbox = Sandbox::in_memory();
            let faults = Faults::new(sandbox.transport()).only_writes();
            let faults = faults.at_random(seed, 30, &BAD_DAY);
            let mut connection = sandboxed(&sandbox);
            connection.transport = Some(faults.transport());
            let provider = provider(&connection).await;
            let blueprint = watching(&provider);
            run(&provider, &blueprint, Purpose::Apply).await;
            expect_settled(&provider, &blueprint, "a bad day").await;
            run(&provider, &blueprint, Purpose::Destroy).await;
            assert!(!faults.struck().is_empty());
        });
    }
}

#[test]
fn an_alarm_that_somebody_silenced_speaks_again() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider(&sandboxed(&sandbox)).await;
        let blueprint = watching(&provider);
        run(&provider, &blueprint, Purpose::Apply).await;
        put_alarm(&aws_sdk_cloudwatch::Client::new(&by_hand(&sandbox)), "sample-alarm").await;
        let plan = run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!((plan.count(Action::Update), plan.changes.len()), (1, 1));
        expect_settled(&provider, &blueprint, "the repair").await;
    });
}

/// The sample of a log group under the name that a function's has.
fn of_a_function(provider: &AwsProvider) -> Blueprint {
    let mut blueprint = some(provider, &["logs.log_group"]);
    let address = Address::new("logs.log_group", "sample");
    let group = blueprint.resources.get_mut(&address).expect("the sample");
    group.name = "/aws/lambda/sample-function".into();
    group.spec["name"] = json!(group.name);
    blueprint
}

/// Deletes the group, and makes it again as a late writer does.
async fn write_late(sandbox: &Sandbox, name: &str) {
    let logs = aws_sdk_cloudwatchlogs::Client::new(&by_hand(sandbox));
    // It may be gone already.
    let _gone = logs.delete_log_group().log_group_name(name).send().await;
    logs.create_log_group().log_group_name(name).send().await.expect("a free name");
}

#[test]
fn a_log_group_that_a_late_writer_made_again_is_set_right_by_an_apply_and_left_by_a_destroy() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider(&sandboxed(&sandbox)).await;
        let blueprint = of_a_function(&provider);
        run(&provider, &blueprint, Purpose::Apply).await;
        write_late(&sandbox, "/aws/lambda/sample-function").await;
        let plan = run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!((plan.count(Action::Update), plan.changes.len()), (1, 1));
        let paths: Vec<&str> = plan.changes[0].fields.iter().map(|field| &*field.path).collect();
        assert!(paths.contains(&"retention_days") && paths.contains(&"key"), "{paths:?}");
        expect_settled(&provider, &blueprint, "setting it right").await;

        run(&provider, &blueprint, Purpose::Destroy).await;
        write_late(&sandbox, "/aws/lambda/sample-function").await;
        let plan = plan_now(&provider, &blueprint, Purpose::Destroy).await;
        assert!(plan.changes.is_empty(), "{:#?}", plan.changes);
        let plan = run(&provider, &blueprint, Purpose::Apply).await;
        let others = blueprint.resources.len() - 1;
        assert_eq!((plan.count(Action::Create), plan.count(Action::Update)), (others, 1));
        expect_settled(&provider, &blueprint, "another apply").await;
    });
}

#[test]
fn a_log_group_of_others_is_not_taken_over() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider(&sandboxed(&sandbox)).await;
        let logs = aws_sdk_cloudwatchlogs::Client::new(&by_hand(&sandbox));
        let refused = async |blueprint: &Blueprint| {
            let snapshot = survey(&provider, &blueprint.resources).await.expect("a survey");
            let plan = plan(&provider, blueprint, &snapshot, Purpose::Apply, &[]);
            plan.expect("a plan").refused.len()
        };
        // No service makes a group of that name.
        write_late(&sandbox, "/sample/log-group").await;
        assert_eq!(refused(&some(&provider, &["logs.log_group"])).await, 1);
        let name = "/aws/lambda/sample-function";
        let make = logs.create_log_group().log_group_name(name).tags("Team", "others");
        make.send().await.expect("a free name");
        assert_eq!(refused(&of_a_function(&provider)).await, 1);
    });
}

#[test]
fn log_groups_are_found_among_very_many() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider(&sandboxed(&sandbox)).await;
        let blueprint = some(&provider, &["logs.log_group"]);
        run(&provider, &blueprint, Purpose::Apply).await;
        let logs = aws_sdk_cloudwatchlogs::Client::new(&by_hand(&sandbox));
        for at in 0..120 {
            let make = logs.create_log_group().log_group_name(format!("/sample/{at}"));
            make.send().await.expect("a free name");
        }
        expect_settled(&provider, &blueprint, "others came").await;
        let plan = run(&provider, &blueprint, Purpose::Destroy).await;
        assert_eq!(plan.count(Action::Delete), blueprint.resources.len());
    });
}
