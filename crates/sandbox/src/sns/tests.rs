//! Tests of SNS, call by call.

use serde_json::{Value, json};

use super::super::World;
use super::super::toolbox::testing::ask;

const ARN: &str = "arn:aws:sns:eu-west-1:000000000000:t";

fn sns(world: &mut World, operation: &str, input: Value) -> Result<Value, String> {
    ask(world, "sns", operation, input).map_err(|refusal| refusal.code)
}

fn create(world: &mut World, tag: &str) -> Result<Value, String> {
    let tags = json!([{ "Key": "k", "Value": tag }]);
    let attributes = json!({ "DisplayName": "Ops" });
    let input = json!({ "Name": "t", "Tags": tags, "Attributes": attributes });
    sns(world, "CreateTopic", input)
}

fn with_topic() -> World {
    let mut world = World::default();
    create(&mut world, "v").unwrap();
    world
}

fn attributes(world: &mut World) -> Value {
    let answer = sns(world, "GetTopicAttributes", json!({ "TopicArn": ARN })).unwrap();
    answer["Attributes"]["$map"].clone()
}

fn set(world: &mut World, key: &str, value: &str) -> Result<Value, String> {
    let input = json!({ "TopicArn": ARN, "AttributeName": key, "AttributeValue": value });
    sns(world, "SetTopicAttributes", input)
}

fn subscribe(world: &mut World, protocol: &str, endpoint: &str) -> Value {
    let input = json!({ "TopicArn": ARN, "Protocol": protocol, "Endpoint": endpoint });
    sns(world, "Subscribe", input).unwrap()["SubscriptionArn"].clone()
}

#[test]
fn creating_again_succeeds_unless_tags_or_attributes_differ() {
    let mut world = with_topic();
    assert_eq!(create(&mut world, "v").unwrap()["TopicArn"], ARN);
    assert_eq!(create(&mut world, "w"), Err("InvalidParameter".into()));
    assert!(sns(&mut world, "CreateTopic", json!({ "Name": "t" })).is_ok());
    let other = json!({ "Name": "t", "Attributes": { "DisplayName": "Other" } });
    assert_eq!(sns(&mut world, "CreateTopic", other), Err("InvalidParameter".into()));
    let twice = json!([{ "Key": "k", "Value": "v" }, { "Key": "k", "Value": "v" }]);
    let twice = json!({ "Name": "u", "Tags": twice });
    assert_eq!(sns(&mut world, "CreateTopic", twice), Err("InvalidParameter".into()));
}

#[test]
fn malformed_topics_and_endpoints_are_refused() {
    let mut world = with_topic();
    let mut refusal = |input: Value| {
        let operation = if input.get("Protocol").is_some() { "Subscribe" } else { "DeleteTopic" };
        ask(&mut world, "sns", operation, input).unwrap_err().message
    };
    for (arn, expected) in [
        ("t", "TopicArn Reason: An ARN must have at least 6 elements, not 1"),
        ("arn:aws:sns:eu-west-1:t", "TopicArn Reason: An ARN must have at least 6 elements, not 5"),
        ("arn:aws:sns:eu-west-2:000000000000:t", "TopicArn"),
    ] {
        let refused = refusal(json!({ "TopicArn": arn }));
        assert_eq!(refused, format!("Invalid parameter: {expected}"));
    }
    let expected = "Invalid parameter: TopicArn Reason: no value for required parameter";
    assert_eq!(refusal(json!({})), expected);
    for (protocol, endpoint, expected) in [
        ("sqs", "https://sqs/q", "Invalid parameter: SQS endpoint ARN"),
        (
            "sqs",
            "arn:aws:sqs:eu-west-1:000000000000:q.fifo",
            "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be \
             subscribed to standard SNS topics",
        ),
        ("sms", "+15--551234567", "Invalid SMS endpoint: +15--551234567"),
        ("sms", "+15551234567.", "Invalid SMS endpoint: +15551234567."),
    ] {
        let input = json!({ "TopicArn": ARN, "Protocol": protocol, "Endpoint": endpoint });
        assert_eq!(refusal(input), expected);
    }
    assert!(subscribe(&mut world, "sms", "+12/34-567.890").is_string());
}

#[test]
fn a_delivery_policy_overrides_the_defaults_of_sns() {
    let mut world = with_topic();
    let policy = json!({ "http": { "defaultHealthyRetryPolicy": { "numRetries": 1 },
        "defaultRequestPolicy": null } });
    set(&mut world, "DeliveryPolicy", &policy.to_string()).unwrap();
    let all = attributes(&mut world);
    let read = |key: &str| serde_json::from_str::<Value>(all[key].as_str().unwrap()).unwrap();
    let kept = json!({ "http": { "defaultHealthyRetryPolicy": { "numRetries": 1 },
        "disableSubscriptionOverrides": false } });
    assert_eq!(read("DeliveryPolicy"), kept);
    let effective = &read("EffectiveDeliveryPolicy")["http"];
    assert_eq!(effective["defaultHealthyRetryPolicy"]["numRetries"], 1);
    assert_eq!(effective["defaultHealthyRetryPolicy"]["minDelayTarget"], 20);
    assert_eq!(effective["defaultRequestPolicy"]["headerContentType"], "text/plain; charset=UTF-8");
}

#[test]
fn a_fifo_topic_needs_a_group_and_a_deduplication_id_or_content() {
    let mut world = with_topic();
    let fifo = json!({ "Name": "f.fifo", "Attributes": { "FifoTopic": "true" } });
    let fifo = sns(&mut world, "CreateTopic", fifo).unwrap()["TopicArn"].clone();
    let mut publish = |arn: &Value, more: Value| {
        let mut input = json!({ "TopicArn": arn, "Message": "m" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ask(&mut world, "sns", "Publish", input).map_err(|refusal| refusal.message)
    };
    let group = json!({ "MessageGroupId": "g" });
    let both = json!({ "MessageGroupId": "g", "MessageDeduplicationId": "d" });
    assert!(
        publish(&fifo, json!({})).unwrap_err().contains("MessageGroupId parameter is required")
    );
    assert!(publish(&fifo, group).unwrap_err().contains("ContentBasedDeduplication"));
    assert!(publish(&fifo, both.clone()).is_ok());
    assert!(publish(&ARN.into(), both).unwrap_err().contains("not valid for this topic type"));
    assert!(publish(&ARN.into(), json!({ "Message": "" })).unwrap_err().ends_with("Empty message"));
}

#[test]
fn attributes_of_subscriptions_are_checked() {
    let mut world = with_topic();
    let arn = subscribe(&mut world, "sqs", "arn:aws:sqs:eu-west-1:000000000000:q");
    let mut set = |key: &str, value: &str| {
        let input =
            json!({ "SubscriptionArn": arn, "AttributeName": key, "AttributeValue": value });
        match ask(&mut world, "sns", "SetSubscriptionAttributes", input) {
            Ok(_) => String::new(),
            Err(refusal) => refusal.message,
        }
    };
    let nested = r#"{"object": {"key": [{"prefix": "a"}]}}"#;
    for (key, value, expected) in [
        ("Colour", "red", "Invalid parameter: AttributeName"),
        (
            "RawMessageDelivery",
            "Yes",
            "Invalid parameter: RawMessageDelivery: Invalid value [Yes]. Must be true or false.",
        ),
        ("RawMessageDelivery", "TRUE", ""),
        (
            "RedrivePolicy",
            r#"{"deadLetterTargetArn": "q"}"#,
            "Invalid parameter: RedrivePolicy: deadLetterTargetArn is an invalid arn",
        ),
        (
            "FilterPolicy",
            nested,
            "Invalid parameter: Filter policy scope MessageAttributes does not support nested \
             filter policy",
        ),
        (
            "FilterPolicy",
            r#"{"k": []}"#,
            "Invalid parameter: FilterPolicy: Empty arrays are not allowed",
        ),
        (
            "FilterPolicyScope",
            "Header",
            "Invalid parameter: FilterPolicyScope: Invalid value [Header]. Please use either \
             MessageBody or MessageAttributes",
        ),
        ("FilterPolicyScope", "MessageBody", ""),
        ("FilterPolicy", nested, ""),
    ] {
        assert_eq!(set(key, value), expected, "{key} {value}");
    }
    let all = sns(&mut world, "GetSubscriptionAttributes", json!({ "SubscriptionArn": arn }));
    let all = &all.unwrap()["Attributes"]["$map"];
    assert_eq!(
        (&all["RawMessageDelivery"], &all["FilterPolicyScope"]),
        (&json!("true"), &json!("MessageBody"))
    );
}

#[test]
fn unset_members_come_back_with_defaults() {
    let mut world = with_topic();
    let all = attributes(&mut world);
    assert_eq!(all["DisplayName"], "Ops");
    assert!(all["Policy"].as_str().unwrap().contains("__default_policy_ID"));
    assert_eq!(all["SubscriptionsConfirmed"], "0");
    assert!(all.get("KmsMasterKeyId").is_none());
}

#[test]
fn an_empty_string_clears_the_key() {
    let mut world = with_topic();
    set(&mut world, "KmsMasterKeyId", "alias/aws/sns").unwrap();
    assert_eq!(attributes(&mut world)["KmsMasterKeyId"], "alias/aws/sns");
    set(&mut world, "KmsMasterKeyId", "").unwrap();
    assert!(attributes(&mut world).get("KmsMasterKeyId").is_none());
    assert_eq!(set(&mut world, "Colour", "red"), Err("InvalidParameter".into()));
}

#[test]
fn a_policy_stays_within_the_service_and_the_topic() {
    let mut world = with_topic();
    let policy = |action: &str, resource: &str| {
        json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": action,
            "Principal": { "Service": "events.amazonaws.com" }, "Resource": resource }] })
        .to_string()
    };
    set(&mut world, "Policy", &policy("sns:Publish", ARN)).unwrap();
    let refused = Err("InvalidParameter".to_owned());
    assert_eq!(set(&mut world, "Policy", &policy("sqs:SendMessage", ARN)), refused);
    assert_eq!(set(&mut world, "Policy", &policy("sns:Publish", "arn:aws:sns:x")), refused);
    assert_eq!(set(&mut world, "Policy", "{"), refused);
    assert_eq!(set(&mut world, "Policy", ""), refused);
}

#[test]
fn a_mail_subscription_stays_pending_and_cannot_be_ended() {
    let mut world = with_topic();
    assert_eq!(subscribe(&mut world, "email", "a@b.c"), "pending confirmation");
    assert_eq!(subscribe(&mut world, "email", "a@b.c"), "pending confirmation");
    let listed = sns(&mut world, "ListSubscriptionsByTopic", json!({ "TopicArn": ARN })).unwrap();
    assert_eq!(listed["Subscriptions"].as_array().unwrap().len(), 1);
    assert_eq!(listed["Subscriptions"][0]["SubscriptionArn"], "PendingConfirmation");
    assert_eq!(attributes(&mut world)["SubscriptionsPending"], "1");
    let input = json!({ "TopicArn": ARN, "Protocol": "email", "Endpoint": "a@b.c",
        "ReturnSubscriptionArn": "true" });
    let arn = sns(&mut world, "Subscribe", input).unwrap()["SubscriptionArn"].clone();
    let end = sns(&mut world, "Unsubscribe", json!({ "SubscriptionArn": arn }));
    assert_eq!(end, Err("InvalidParameter".into()));
    let end = sns(&mut world, "Unsubscribe", json!({ "SubscriptionArn": "PendingConfirmation" }));
    assert_eq!(end, Err("InvalidParameter".into()));
}

#[test]
fn a_queue_subscription_is_confirmed_at_once() {
    let mut world = with_topic();
    let arn = subscribe(&mut world, "sqs", "arn:aws:sqs:eu-west-1:000000000000:q");
    let one = json!({ "SubscriptionArn": arn });
    let all = sns(&mut world, "GetSubscriptionAttributes", one.clone()).unwrap();
    let all = &all["Attributes"]["$map"];
    assert_eq!(all["PendingConfirmation"], "false");
    assert_eq!(all["RawMessageDelivery"], "false");
    assert!(all.get("FilterPolicyScope").is_none());
    let filter = json!({ "SubscriptionArn": arn, "AttributeName": "FilterPolicy",
        "AttributeValue": r#"{"a":["b"]}"# });
    sns(&mut world, "SetSubscriptionAttributes", filter).unwrap();
    let all = sns(&mut world, "GetSubscriptionAttributes", one.clone()).unwrap();
    assert_eq!(all["Attributes"]["$map"]["FilterPolicyScope"], "MessageAttributes");
    sns(&mut world, "Unsubscribe", one.clone()).unwrap();
    let gone = sns(&mut world, "GetSubscriptionAttributes", one);
    assert_eq!(gone, Err("NotFound".into()));
}

#[test]
fn subscribing_with_other_attributes_is_refused() {
    let mut world = with_topic();
    let mut raw = |raw: &str| {
        let input = json!({ "TopicArn": ARN, "Protocol": "sqs", "Endpoint": "arn:aws:sqs:r:0:q",
            "Attributes": { "RawMessageDelivery": raw } });
        sns(&mut world, "Subscribe", input)
    };
    let first = raw("true").unwrap();
    assert_eq!(raw("true").unwrap(), first);
    assert_eq!(raw("True").unwrap(), first);
    assert_eq!(raw("false"), Err("InvalidParameter".into()));
    let usual = json!({ "TopicArn": ARN, "Protocol": "sqs", "Endpoint": "arn:aws:sqs:r:0:q",
        "Attributes": { "FilterPolicyScope": "MessageAttributes" } });
    assert_eq!(sns(&mut world, "Subscribe", usual).unwrap(), first);
}

#[test]
fn deleting_a_topic_deletes_its_subscriptions_and_is_idempotent() {
    let mut world = with_topic();
    subscribe(&mut world, "email", "a@b.c");
    for _ in 0..2 {
        sns(&mut world, "DeleteTopic", json!({ "TopicArn": ARN })).unwrap();
    }
    assert!(super::counts(&world.sns).iter().all(|(_, count)| *count == 0));
    let refusal =
        ask(&mut world, "sns", "GetTopicAttributes", json!({ "TopicArn": ARN })).unwrap_err();
    assert_eq!((refusal.status, &*refusal.code), (404, "NotFound"));
}

#[test]
fn tags_change_independently() {
    let mut world = with_topic();
    let more = json!({ "ResourceArn": ARN, "Tags": [{ "Key": "a", "Value": "b" }] });
    sns(&mut world, "TagResource", more).unwrap();
    let less = json!({ "ResourceArn": ARN, "TagKeys": ["k"] });
    sns(&mut world, "UntagResource", less).unwrap();
    let tags = sns(&mut world, "ListTagsForResource", json!({ "ResourceArn": ARN })).unwrap();
    assert_eq!(tags["Tags"], json!([{ "Key": "a", "Value": "b" }]));
    let published = json!({ "TopicArn": ARN, "Message": "m" });
    assert!(sns(&mut world, "Publish", published).unwrap()["MessageId"].is_string());
}
