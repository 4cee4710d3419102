//! What AWS does to topics.

use std::time::Duration;

use payctl_engine::model::address::Address;
use payctl_engine::plan::{Action, Purpose};
use payctl_sandbox::{Faults, Sandbox};
use serde_json::json;
use tokio::time::Instant;

use crate::support::{
    block_on, by_hand, count, expect_settled, run, sample_provider, some, through,
};

#[test]
fn an_unconfirmed_subscription_is_mailed_once() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let faults = Faults::new(sandbox.transport());
        let provider = sample_provider(&through(faults.transport())).await;
        let mut blueprint = some(&provider, &["sns.topic", "sns.subscription"]);
        let old = blueprint
            .resources
            .keys()
            .find(|address| address.kind == "sns.subscription")
            .expect("the sample")
            .clone();
        let mut mail = blueprint.resources.remove(&old).expect("the sample");
        mail.address = Address::new("sns.subscription", "sample.email.ops@example.com");
        mail.name = "sample-topic.email.ops@example.com".into();
        mail.spec["protocol"] = json!("email");
        mail.spec["endpoint"] = json!("ops@example.com");
        blueprint.resources.insert(mail.address.clone(), mail);
        for _ in 0..3 {
            run(&provider, &blueprint, Purpose::Apply).await;
        }
        expect_settled(&provider, &blueprint, "three runs").await;
        assert_eq!(count(&faults, "sns.Subscribe"), 1);

        // It is deleted with its topic, and created again with it.
        let sns = aws_sdk_sns::Client::new(&by_hand(&sandbox));
        let topic = sns.list_topics().send().await.expect("a list").topics()[0].topic_arn.clone();
        sns.delete_topic().topic_arn(topic.expect("an ARN")).send().await.expect("deleted");
        let plan = run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!(plan.count(Action::Create), 2);
        assert_eq!(count(&faults, "sns.Subscribe"), 2);

        // AWS cannot delete it, and it does not block the topic.
        let began = Instant::now();
        run(&provider, &blueprint, Purpose::Destroy).await;
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert!(sandbox.counts().expect("a sandbox").is_empty());
    });
}
