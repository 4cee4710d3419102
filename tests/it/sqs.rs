//! What AWS does to queues.

use payctl_engine::event::{StepError, Verb};
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::text::{Output, Text};
use payctl_engine::plan::Purpose;
use payctl_sandbox::{Faults, Sandbox};
use serde_json::{Value, json};

use crate::support::{
    block_on, by_hand, carry_out, count, expect_settled, plan_now, run, sample_provider, sandboxed,
    set, some, through,
};

#[test]
fn a_lagging_attribute_is_written_once() {
    block_on(async {
        let sandbox = Sandbox::in_memory_strict();
        let faults = Faults::new(sandbox.transport());
        let provider = sample_provider(&through(faults.transport())).await;
        let mut blueprint = some(&provider, &["sqs.queue"]);
        run(&provider, &blueprint, Purpose::Apply).await;
        let before = count(&faults, "sqs.SetQueueAttributes");
        set(&mut blueprint, "sqs.queue", "visibility_timeout", json!(90));
        run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!((before, count(&faults, "sqs.SetQueueAttributes")), (0, 1));
        expect_settled(&provider, &blueprint, "a lag").await;
    });
}

#[test]
fn a_dead_letter_queue_is_created_first_and_deleted_last() {
    block_on(async {
        let provider = sample_provider(&sandboxed(&Sandbox::in_memory())).await;
        let mut blueprint = some(&provider, &["sqs.queue"]);
        let dead = Address::new("sqs.queue", "a-dlq");
        let mut letters = blueprint.resources.values().next().expect("a queue").clone();
        letters.address = dead.clone();
        letters.name = "sample-dlq".into();
        letters.spec["name"] = json!("sample-dlq");
        letters.tags.extend(provider.aws().scope.ownership(&dead));
        let target = Text::reference(dead.clone(), Output::Arn);
        let redrive = json!({ "target": target, "max_receives": 5 });
        set(&mut blueprint, "sqs.queue", "redrive", redrive.clone());
        blueprint.resources.insert(dead.clone(), letters);
        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "creation").await;
        let order = async |blueprint: &Blueprint, purpose| {
            let plan = plan_now(&provider, blueprint, purpose).await;
            let report = carry_out(&provider, &plan).await;
            assert!(report.is_complete(), "{:?}", report.failed);
            report.done.into_iter().map(|(address, verb)| (address.name, verb)).collect::<Vec<_>>()
        };
        let mut without = blueprint.clone();
        without.resources.remove(&dead);
        set(&mut without, "sqs.queue", "redrive", Value::Null);
        let done = order(&without, Purpose::Apply).await;
        assert_eq!(done, [("sample".into(), Verb::Update), ("a-dlq".into(), Verb::Delete)]);
        run(&provider, &blueprint, Purpose::Apply).await;
        let done = order(&blueprint, Purpose::Destroy).await;
        assert_eq!(done, [("sample".into(), Verb::Delete), ("a-dlq".into(), Verb::Delete)]);
    });
}

#[test]
fn a_foreign_queue_made_since_the_plan_is_left_alone() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let blueprint = some(&provider, &["sqs.queue"]);
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let sqs = aws_sdk_sqs::Client::new(&by_hand(&sandbox));
        let call = sqs.create_queue().queue_name("sample-queue").tags("Team", "others");
        let url = call.send().await.expect("a queue").queue_url.expect("a URL");
        let report = carry_out(&provider, &plan).await;
        let (_, verb, error) = report.failed.first().expect("it is refused");
        assert!(*verb == Verb::Create && matches!(error, StepError::NotOurs(_)), "{error:?}");
        let tags = sqs.list_queue_tags().queue_url(url).send().await.expect("tags").tags;
        assert_eq!(tags.expect("tags").len(), 1);
    });
}
