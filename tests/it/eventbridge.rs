//! Rules of EventBridge.

use payctl_engine::plan::Purpose;
use payctl_sandbox::Sandbox;

use crate::support::{block_on, by_hand, sample_provider, sandboxed, some};

#[test]
fn a_foreign_rule_with_a_wanted_name_is_not_replaced() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let events = aws_sdk_eventbridge::Client::new(&by_hand(&sandbox));
        let theirs = events.put_rule().name("sample-rule").schedule_expression("rate(2 days)");
        theirs.send().await.expect("a rule");
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let blueprint = some(&provider, &["events.rule", "sqs.queue"]);
        let snapshot =
            payctl_engine::survey::survey(&provider, &blueprint.resources).await.expect("a survey");
        let plan =
            payctl_engine::planner::plan(&provider, &blueprint, &snapshot, Purpose::Apply, &[]);
        let refused = plan.expect("a plan").refused;
        assert_eq!(refused.len(), 1, "{refused:?}");
    });
}
