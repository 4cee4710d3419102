//! Messages on their way to confirmed subscriptions: queues and functions.

use serde_json::{Map, Value, json};

use super::super::events::matches;
use super::super::toolbox::{put, text, uuid};
use super::super::{Call, Refusal, World, lambda, sqs};
use super::subscriptions::Subscription;

/// A message that a topic has taken.
struct Notification<'a> {
    topic: &'a str,
    id: &'a str,
    time: String,
    input: &'a Value,
}

/// Sends a message to the subscriptions of its topic. What cannot be sent is lost here; AWS would try
/// again.
pub(super) fn deliver(world: &mut World, region: &str, topic: &str, id: &str, input: &Value) {
    let time = time_of(world.base.now());
    let notification = Notification { topic, id, time, input };
    let subscribed = world
        .sns
        .subscriptions
        .iter()
        .filter(|(_, one)| one.topic == topic && !one.pending && one.wants(input));
    let subscribed: Vec<(String, Subscription)> =
        subscribed.map(|(arn, one)| (arn.clone(), one.clone())).collect();
    for (arn, subscription) in subscribed {
        let sent = match subscription.protocol() {
            "sqs" => to_queue(world, region, &notification, &arn, &subscription),
            "lambda" => to_function(world, region, &notification, &arn, &subscription),
            _ => Ok(()),
        };
        if let Err(refusal) = sent {
            tracing::warn!(subscription = arn, why = refusal.message, "a message is lost");
        }
    }
}

impl Subscription {
    /// Whether its filter lets a message pass.
    fn wants(&self, input: &Value) -> bool {
        let policy = self.attribute("FilterPolicy");
        let Some(policy) = policy.and_then(|policy| serde_json::from_str::<Value>(policy).ok())
        else {
            return true;
        };
        let shown = match self.attribute("FilterPolicyScope") {
            Some("MessageBody") => {
                let body = text(input, "Message").unwrap_or_default();
                match serde_json::from_str(body) {
                    Ok(body @ Value::Object(_)) => body,
                    _ => return false,
                }
            }
            _ => Value::Object(
                attributes(input).map(|(name, one)| (name.clone(), value_of(one))).collect(),
            ),
        };
        matches(&policy, &shown)
    }
}

fn attributes(input: &Value) -> impl Iterator<Item = (&String, &Value)> {
    input["MessageAttributes"].as_object().into_iter().flatten()
}

/// An attribute as filters see it.
fn value_of(attribute: &Value) -> Value {
    let value = text(attribute, "StringValue").unwrap_or_default();
    match text(attribute, "DataType").unwrap_or_default() {
        "Number" | "String.Array" => serde_json::from_str(value).unwrap_or_default(),
        _ => value.into(),
    }
}

impl Notification<'_> {
    /// The text for a protocol.
    fn message(&self, protocol: &str) -> String {
        let message = text(self.input, "Message").unwrap_or_default();
        if text(self.input, "MessageStructure") != Some("json") {
            return message.to_owned();
        }
        let parts: Value = serde_json::from_str(message).unwrap_or_default();
        let part = text(&parts, protocol).or_else(|| text(&parts, "default"));
        part.unwrap_or_default().to_owned()
    }

    /// The message with what SNS tells of it. Queues and functions spell two of the members otherwise.
    fn envelope(&self, protocol: &str, subscription: &str) -> Value {
        let end = if protocol == "lambda" { "Url" } else { "URL" };
        let region = self.topic.split(':').nth(3).unwrap_or_default();
        let host = format!("https://sns.{region}.amazonaws.com");
        let mut envelope = json!({
            "Type": "Notification",
            "MessageId": self.id,
            "TopicArn": self.topic,
            "Message": self.message(protocol),
            "Timestamp": self.time,
            "SignatureVersion": "1",
            "Signature": "c2FuZGJveA==",
        });
        envelope[format!("SigningCert{end}")] =
            format!("{host}/SimpleNotificationService-sandbox.pem").into();
        envelope[format!("Unsubscribe{end}")] =
            format!("{host}/?Action=Unsubscribe&SubscriptionArn={subscription}").into();
        let told = attributes(self.input).map(|(name, one)| {
            let value = text(one, "StringValue").or_else(|| text(one, "BinaryValue"));
            (name.clone(), json!({ "Type": one["DataType"], "Value": value }))
        });
        let told: Map<String, Value> = told.collect();
        let subject = text(self.input, "Subject");
        match protocol {
            "lambda" => {
                envelope["Subject"] = json!(subject);
                envelope["MessageAttributes"] = Value::Object(told);
            }
            _ => {
                put(&mut envelope, "Subject", subject);
                put(&mut envelope, "MessageAttributes", (!told.is_empty()).then_some(told));
            }
        }
        envelope
    }
}

fn to_queue(
    world: &mut World,
    region: &str,
    notification: &Notification<'_>,
    arn: &str,
    subscription: &Subscription,
) -> Result<(), Refusal> {
    let queue = subscription.endpoint();
    let raw = subscription.attribute("RawMessageDelivery") == Some("true");
    let body = if raw {
        notification.message("sqs")
    } else {
        notification.envelope("sqs", arn).to_string()
    };
    let mut input = json!({ "QueueUrl": queue.rsplit(':').next(), "MessageBody": body });
    if raw {
        put(&mut input, "MessageAttributes", notification.input.get("MessageAttributes").cloned());
    }
    for name in ["MessageGroupId", "MessageDeduplicationId"] {
        put(&mut input, name, text(notification.input, name).filter(|_| queue.ends_with(".fifo")));
    }
    let call = Call {
        service: "sqs".into(),
        operation: "SendMessage".into(),
        input,
        region: queue.split(':').nth(3).unwrap_or(region).into(),
    };
    sqs::call(world, &call).map(drop)
}

fn to_function(
    world: &mut World,
    region: &str,
    notification: &Notification<'_>,
    arn: &str,
    subscription: &Subscription,
) -> Result<(), Refusal> {
    let function = subscription.endpoint();
    let called = "sns.amazonaws.com";
    if !lambda::may_be_called(&world.lambda, region, function, called, notification.topic) {
        let message = "the policy of the function does not admit the topic";
        return Err(Refusal::new("AccessDenied", message));
    }
    let event = json!({ "Records": [{
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": arn,
        "Sns": notification.envelope("lambda", arn),
    }] });
    let id = uuid(&mut world.base);
    lambda::enqueue(world, region, function, event.to_string(), &id)
}

/// `2026-01-31T12:00:00.000Z`.
fn time_of(seconds: f64) -> String {
    let second = super::super::toolbox::iso(seconds);
    second.replace('Z', &format!(".{:03}Z", (seconds.fract() * 1e3) as u32))
}
