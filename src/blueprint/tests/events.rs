//! Rules of EventBridge, as the systems of the contract have them.

use serde_json::json;

use payctl_engine::model::text::{Output, Text};

use super::firewalls::{built, spec};

use super::*;

#[test]
fn a_rule_has_its_targets() {
    let blueprint = built(
        r#"[events.failures]
        pattern = { source = ["payment"], detail = { amount = [{ numeric = [">", 100] }] } }
        topics = ["ops"]
        queues = ["payments"]
        dead_letter = "payments"
        transform = { paths = { id = "$.detail.id" }, template = '{"id": <id>}' }
        retries = 3
        [topics.ops]
        publishers = ["events"]
        [queues.payments]
        senders = ["events"]"#,
    );
    let rule = spec(&blueprint, "events.rule", "failures");
    assert_eq!(rule["name"], "dev-payment-rule-failures");
    assert_eq!(rule["pattern"]["detail"]["amount"][0]["numeric"], json!([">", 100]));
    let arn = |kind, name| Text::reference(Address::new(kind, name), Output::Arn);
    let target = |arn: Text| {
        json!({
            "arn": arn, "retries": 3, "max_age": 86400,
            "input": { "template": { "paths": { "id": "$.detail.id" }, "text": "{\"id\": <id>}" } },
            "dead_letter": Text::reference(Address::new("sqs.queue", "payments"), Output::Arn),
        })
    };
    assert_eq!(
        rule["targets"],
        json!({
            "topic-ops": target(arn("sns.topic", "ops")),
            "queue-payments": target(arn("sqs.queue", "payments")),
        })
    );
}
