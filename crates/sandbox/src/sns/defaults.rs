//! The default settings of a topic.

use serde_json::{Value, json};

use super::super::ACCOUNT;

pub(super) fn policy(arn: &str) -> String {
    let actions = [
        "GetTopicAttributes",
        "SetTopicAttributes",
        "AddPermission",
        "RemovePermission",
        "DeleteTopic",
        "Subscribe",
        "ListSubscriptionsByTopic",
        "Publish",
    ];
    json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": { "AWS": "*" },
            "Action": actions.map(|action| format!("SNS:{action}")),
            "Resource": arn,
            "Condition": { "StringEquals": { "AWS:SourceOwner": ACCOUNT } },
        }],
    })
    .to_string()
}

/// The delivery policy for HTTP: SNS's defaults, replaced by those of the topic.
pub(super) fn effective_delivery(set: Option<&str>) -> String {
    let mut all = delivery();
    if let Some(set) = set.and_then(|set| serde_json::from_str(set).ok()) {
        lay_over(&mut all, set);
    }
    all.to_string()
}

/// A delivery policy as SNS keeps it: without null members, and with one member more.
pub(super) fn kept_delivery(policy: &str) -> Result<String, serde_json::Error> {
    let mut policy: Value = serde_json::from_str(policy)?;
    if let Some(http) = policy.get_mut("http").and_then(Value::as_object_mut) {
        http.retain(|_, member| !member.is_null());
        http.entry("disableSubscriptionOverrides").or_insert(false.into());
    }
    Ok(policy.to_string())
}

fn lay_over(below: &mut Value, above: Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (key, value) in above {
                lay_over(below.entry(key).or_insert(Value::Null), value);
            }
        }
        (below, above) => *below = above,
    }
}

fn delivery() -> Value {
    json!({ "http": {
        "defaultHealthyRetryPolicy": {
            "minDelayTarget": 20,
            "maxDelayTarget": 20,
            "numRetries": 3,
            "numMaxDelayRetries": 0,
            "numNoDelayRetries": 0,
            "numMinDelayRetries": 0,
            "backoffFunction": "linear",
        },
        "disableSubscriptionOverrides": false,
        "defaultRequestPolicy": { "headerContentType": "text/plain; charset=UTF-8" },
    } })
}
