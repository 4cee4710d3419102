//! Log groups among those of others.

use payctl::aws::provider::AwsProvider;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::plan::{Action, Purpose};
use payctl_engine::planner;
use payctl_engine::survey::survey;
use payctl_sandbox::Sandbox;
use serde_json::json;

use crate::support::{
    block_on, by_hand, expect_settled, plan_now, run, sample_provider, sandboxed, some,
};

/// The sample of a log group under the name that a function's has.
fn of_a_function(provider: &AwsProvider) -> Blueprint {
    let mut blueprint = some(provider, &["logs.log_group"]);
    let address = Address::new("logs.log_group", "sample");
    let group = blueprint.resources.get_mut(&address).expect("the sample");
    group.name = "/aws/lambda/sample-function".into();
    group.spec["name"] = json!(group.name);
    blueprint
}

/// Deletes the group, and creates it again as a late write does.
async fn write_late(sandbox: &Sandbox, name: &str) {
    let logs = aws_sdk_cloudwatchlogs::Client::new(&by_hand(sandbox));
    // It may be gone already.
    let _gone = logs.delete_log_group().log_group_name(name).send().await;
    logs.create_log_group().log_group_name(name).send().await.expect("a free name");
}

#[test]
fn a_recreated_log_group_is_adopted_by_apply_and_left_by_destroy() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
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
fn a_foreign_log_group_is_not_adopted() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let logs = aws_sdk_cloudwatchlogs::Client::new(&by_hand(&sandbox));
        let refused = async |blueprint: &Blueprint| {
            let snapshot = survey(&provider, &blueprint.resources).await.expect("a survey");
            let plan = planner::plan(&provider, blueprint, &snapshot, Purpose::Apply, &[]);
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
fn log_groups_are_found_among_thousands() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
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
