//! Subscriptions of topics.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{flag, map, need, page, put, refuse, text, uuid};
use super::super::{ACCOUNT, Answer, Refusal, World};
use super::{INVALID, State, find, invalid};

/// A subscription.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Subscription {
    pub(super) topic: String,
    protocol: String,
    endpoint: String,
    pub(super) pending: bool,
    attributes: BTreeMap<String, String>,
}

const SETTABLE: &[&str] = &[
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
    "ReplayPolicy",
    "SubscriptionRoleArn",
];

impl Subscription {
    fn assign(&mut self, key: &str, value: &str) -> Result<(), Refusal> {
        if !SETTABLE.contains(&key) {
            return Err(invalid("AttributeName"));
        }
        let json = ["DeliveryPolicy", "FilterPolicy", "RedrivePolicy"].contains(&key);
        if json && !value.is_empty() && serde_json::from_str::<Value>(value).is_err() {
            return Err(invalid(format!("{key}: not valid JSON")));
        }
        if key == "RawMessageDelivery" && !["true", "false"].contains(&value) {
            return Err(invalid("Attributes Reason: RawMessageDelivery: must be true or false"));
        }
        match value.is_empty() || value == "{}" {
            true => self.attributes.remove(key),
            false => self.attributes.insert(key.to_owned(), value.to_owned()),
        };
        Ok(())
    }

    /// What differs from the usual only, to compare two.
    fn essence(&self) -> BTreeMap<&String, &String> {
        self.attributes.iter().filter(|(_, value)| *value != "false").collect()
    }
}

fn valid_endpoint(protocol: &str, endpoint: &str) -> Result<(), Refusal> {
    let fits = match protocol {
        "email" | "email-json" => endpoint.contains('@'),
        "http" => endpoint.starts_with("http://"),
        "https" => endpoint.starts_with("https://"),
        "sqs" | "lambda" | "firehose" => endpoint.starts_with(&format!("arn:aws:{protocol}:")),
        "application" => endpoint.starts_with("arn:aws:sns:"),
        "sms" => !endpoint.is_empty(),
        _ => {
            let message = format!("Amazon SNS does not support this protocol string: {protocol}");
            return Err(invalid(message));
        }
    };
    match fits {
        true => Ok(()),
        false => Err(invalid(format!("Endpoint Reason: {endpoint} does not fit {protocol}"))),
    }
}

/// Subscribes, or names the subscription that is there.
pub(super) fn subscribe(world: &mut World, input: &Value) -> Answer {
    let topic = need(input, "TopicArn", INVALID)?;
    let protocol = need(input, "Protocol", INVALID)?;
    let endpoint = text(input, "Endpoint").unwrap_or_default();
    find(&mut world.sns, topic)?;
    valid_endpoint(protocol, endpoint)?;
    let mut new = Subscription {
        topic: topic.to_owned(),
        protocol: protocol.to_owned(),
        endpoint: endpoint.to_owned(),
        pending: ["email", "email-json", "http", "https"].contains(&protocol),
        attributes: BTreeMap::new(),
    };
    for (key, value) in map(input, "Attributes") {
        new.assign(&key, &value)?;
    }
    let same = |old: &Subscription| {
        (&old.topic, &old.protocol, &old.endpoint) == (&new.topic, &new.protocol, &new.endpoint)
    };
    let known = world.sns.subscriptions.iter().find(|(_, old)| same(old));
    let (arn, pending) = match known {
        Some((_, old)) if !new.attributes.is_empty() && old.essence() != new.essence() => {
            return Err(invalid(
                "Attributes Reason: Subscription already exists with different attributes",
            ));
        }
        Some((arn, old)) => (arn.clone(), old.pending),
        None => {
            let arn = format!("{topic}:{}", uuid(&mut world.base));
            let pending = new.pending;
            world.sns.subscriptions.insert(arn.clone(), new);
            (arn, pending)
        }
    };
    let open = !pending || flag(input, "ReturnSubscriptionArn").unwrap_or(false);
    Ok(json!({ "SubscriptionArn": if open { &*arn } else { "pending confirmation" } }))
}

fn by_arn<'a>(state: &'a mut State, input: &Value) -> Result<&'a mut Subscription, Refusal> {
    let arn = need(input, "SubscriptionArn", INVALID)?;
    if !arn.starts_with("arn:aws:sns:") {
        let message = format!("SubscriptionArn Reason: {arn} is not the ARN of a subscription");
        return Err(invalid(message));
    }
    let found = state.subscriptions.get_mut(arn);
    found.ok_or_else(|| refuse(404, "NotFound", "Subscription does not exist"))
}

/// Ends a confirmed subscription; one that is gone does not matter.
pub(super) fn unsubscribe(state: &mut State, input: &Value) -> Answer {
    let arn = need(input, "SubscriptionArn", INVALID)?;
    match by_arn(state, input) {
        Ok(subscription) if subscription.pending => Err(invalid(
            "SubscriptionArn Reason: Cannot unsubscribe a subscription that is pending \
             confirmation",
        )),
        Err(refusal) if refusal.status != 404 => Err(refusal),
        _ => {
            state.subscriptions.remove(arn);
            Ok(json!({}))
        }
    }
}

/// The subscriptions that are wanted; pending ones without their ARN.
pub(super) fn list(
    state: &State,
    input: &Value,
    wanted: impl Fn(&str, &Subscription) -> bool,
) -> Answer {
    let found = state.subscriptions.iter().filter(|(arn, subscription)| wanted(arn, subscription));
    let views = found.map(|(arn, subscription)| {
        let shown = if subscription.pending { "PendingConfirmation" } else { arn.as_str() };
        let view = json!({
            "SubscriptionArn": shown,
            "Owner": ACCOUNT,
            "Protocol": subscription.protocol,
            "Endpoint": subscription.endpoint,
            "TopicArn": subscription.topic,
        });
        (arn.clone(), view)
    });
    let (views, next) = page(views.collect(), text(input, "NextToken"), 100);
    let mut answer = json!({ "Subscriptions": views });
    put(&mut answer, "NextToken", next);
    Ok(answer)
}

/// All attributes, with defaults.
pub(super) fn get(state: &mut State, input: &Value) -> Answer {
    let arn = need(input, "SubscriptionArn", INVALID)?;
    let subscription = by_arn(state, input)?;
    let mut all: BTreeMap<String, String> = [
        ("SubscriptionArn", arn.to_owned()),
        ("TopicArn", subscription.topic.clone()),
        ("Owner", ACCOUNT.to_owned()),
        ("Protocol", subscription.protocol.clone()),
        ("Endpoint", subscription.endpoint.clone()),
        ("PendingConfirmation", subscription.pending.to_string()),
        ("ConfirmationWasAuthenticated", (!subscription.pending).to_string()),
        ("RawMessageDelivery", "false".to_owned()),
        ("SubscriptionPrincipal", format!("arn:aws:iam::{ACCOUNT}:user/sandbox")),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    if subscription.attributes.contains_key("FilterPolicy") {
        all.insert("FilterPolicyScope".into(), "MessageAttributes".into());
    }
    all.extend(subscription.attributes.clone());
    Ok(json!({ "Attributes": { "$map": all } }))
}

/// Sets one attribute.
pub(super) fn set(state: &mut State, input: &Value) -> Answer {
    let key = need(input, "AttributeName", INVALID)?;
    let value = text(input, "AttributeValue").unwrap_or_default();
    by_arn(state, input)?.assign(key, value)?;
    Ok(json!({}))
}
