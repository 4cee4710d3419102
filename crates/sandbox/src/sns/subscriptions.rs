//! Subscriptions of topics.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{flag, map, refuse, text, uuid};
use super::super::{ACCOUNT, Answer, Refusal, World};
use super::{INVALID, State, elements, filters, find, invalid, listed, required};

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
    /// Sets an attribute if SNS accepts it. An empty text clears it.
    fn assign(&mut self, key: &str, value: &str) -> Result<(), String> {
        if !SETTABLE.contains(&key) {
            return Err("AttributeName".to_owned());
        }
        let mut value = value.to_owned();
        match key {
            "RawMessageDelivery" => {
                if !["true", "false"].contains(&value.to_ascii_lowercase().as_str()) {
                    return Err(format!("{key}: Invalid value [{value}]. Must be true or false."));
                }
                value.make_ascii_lowercase();
            }
            "FilterPolicyScope" if ![FLAT, "MessageBody"].contains(&value.as_str()) => {
                return Err(format!(
                    "{key}: Invalid value [{value}]. Please use either MessageBody or \
                     MessageAttributes"
                ));
            }
            "FilterPolicy" if !value.is_empty() => {
                let scope = self.attributes.get("FilterPolicyScope");
                let is_flat = scope.is_none_or(|scope| scope == FLAT);
                filters::check(&value, is_flat).map_err(|fault| match fault {
                    filters::Fault::Policy(reason) => format!("{key}: {reason}"),
                    filters::Fault::Nested => {
                        format!("Filter policy scope {FLAT} does not support nested filter policy")
                    }
                })?;
            }
            "RedrivePolicy" if !value.is_empty() => {
                self.check_redrive(&value).map_err(|reason| format!("{key}: {reason}"))?;
            }
            "DeliveryPolicy" if !value.is_empty() => {
                parse(&value).map_err(|reason| format!("{key}: {reason}"))?;
            }
            _ => {}
        }
        if value.is_empty() || value == "{}" {
            self.attributes.remove(key)
        } else {
            self.attributes.insert(key.to_owned(), value)
        };
        Ok(())
    }

    fn check_redrive(&self, policy: &str) -> Result<(), String> {
        let policy = parse(policy)?;
        let target = text(&policy, "deadLetterTargetArn").unwrap_or_default();
        if !target.starts_with("arn:") || target.split(':').count() < 6 {
            return Err("deadLetterTargetArn is an invalid arn".to_owned());
        }
        let fifo = [&self.topic, &self.endpoint].iter().all(|arn| arn.ends_with(".fifo"));
        if fifo && !target.ends_with(".fifo") {
            Err("must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.".to_owned())
        } else {
            Ok(())
        }
    }

    /// The attributes that calls have set, with the defaults of the others.
    fn settings(&self) -> BTreeMap<String, String> {
        let defaults = [("RawMessageDelivery", "false"), ("FilterPolicyScope", FLAT)];
        let defaults = defaults.map(|(key, value)| (key.to_owned(), value.to_owned()));
        defaults.into_iter().chain(self.attributes.clone()).collect()
    }
}

/// The default scope of a filter policy.
const FLAT: &str = "MessageAttributes";

fn parse(json: &str) -> Result<Value, String> {
    serde_json::from_str(json).map_err(|error| format!("failed to parse JSON. {error}"))
}

fn valid_endpoint(topic: &str, protocol: &str, endpoint: &str) -> Result<(), Refusal> {
    let fits = match protocol {
        "email" | "email-json" => endpoint.contains('@'),
        "http" => endpoint.starts_with("http://"),
        "https" => endpoint.starts_with("https://"),
        "sqs" if !endpoint.starts_with("arn:aws:sqs:") => {
            return Err(invalid("SQS endpoint ARN"));
        }
        "sqs" if endpoint.ends_with(".fifo") && !topic.ends_with(".fifo") => {
            return Err(invalid(
                "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to \
                 standard SNS topics",
            ));
        }
        "sqs" => true,
        "lambda" | "firehose" => endpoint.starts_with(&format!("arn:aws:{protocol}:")),
        "application" => endpoint.starts_with("arn:aws:sns:"),
        "sms" if !is_phone_number(endpoint) => {
            return Err(Refusal::new(INVALID, format!("Invalid SMS endpoint: {endpoint}")));
        }
        "sms" => true,
        _ => {
            let message = format!("Amazon SNS does not support this protocol string: {protocol}");
            return Err(invalid(message));
        }
    };
    if fits {
        Ok(())
    } else {
        Err(invalid(format!("Endpoint Reason: {endpoint} does not fit {protocol}")))
    }
}

/// Whether a text is a phone number: digits with single separators between them, and a plus before
/// them.
pub(super) fn is_phone_number(number: &str) -> bool {
    let number = number.strip_prefix('+').unwrap_or(number);
    let groups: Vec<&str> = number.split(['.', '/', '-']).collect();
    let digits: usize = groups.iter().map(|group| group.len()).sum();
    let is_group = |group: &&str| !group.is_empty() && group.chars().all(|c| c.is_ascii_digit());
    (2..=15).contains(&digits) && groups.iter().all(is_group) && !number.starts_with('0')
}

/// Subscribes, or returns the existing subscription.
pub(super) fn subscribe(world: &mut World, region: &str, input: &Value) -> Answer {
    let topic = required(input, "TopicArn")?;
    find(&mut world.sns, region, topic)?;
    let protocol = required(input, "Protocol")?;
    let endpoint = text(input, "Endpoint").unwrap_or_default();
    valid_endpoint(topic, protocol, endpoint)?;
    let mut new = Subscription {
        topic: topic.to_owned(),
        protocol: protocol.to_owned(),
        endpoint: endpoint.to_owned(),
        pending: ["email", "email-json", "http", "https"].contains(&protocol),
        attributes: BTreeMap::new(),
    };
    // The scope of a filter comes first, because it decides which filters are valid.
    let given = map(input, "Attributes");
    let (scopes, others): (Vec<_>, Vec<_>) =
        given.iter().partition(|(key, _)| *key == "FilterPolicyScope");
    for (key, value) in scopes.into_iter().chain(others) {
        let refuse = |reason| invalid(format!("Attributes Reason: {reason}"));
        new.assign(key, value).map_err(refuse)?;
    }
    let same = |old: &Subscription| {
        (&old.topic, &old.protocol, &old.endpoint) == (&new.topic, &new.protocol, &new.endpoint)
    };
    let known = world.sns.subscriptions.iter().find(|(_, old)| same(old));
    let (arn, pending) = match known {
        Some((arn, old)) => {
            let (live, wanted) = (old.settings(), new.settings());
            if given.keys().any(|key| live.get(key) != wanted.get(key)) {
                return Err(invalid(
                    "Attributes Reason: Subscription already exists with different attributes",
                ));
            }
            (arn.clone(), old.pending)
        }
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

/// The ARN of a subscription, if it is well-formed.
fn arn_of(input: &Value) -> Result<&str, Refusal> {
    let arn = required(input, "SubscriptionArn")?;
    elements("SubscriptionArn", arn)?;
    Ok(arn)
}

fn by_arn<'a>(state: &'a mut State, input: &Value) -> Result<&'a mut Subscription, Refusal> {
    let found = state.subscriptions.get_mut(arn_of(input)?);
    found.ok_or_else(|| refuse(404, "NotFound", "Subscription does not exist"))
}

/// Deletes a confirmed subscription. A missing one is not an error.
pub(super) fn unsubscribe(state: &mut State, input: &Value) -> Answer {
    let arn = arn_of(input)?;
    if arn.split(':').count() < 7 {
        return Err(invalid("SubscriptionId"));
    }
    match state.subscriptions.get(arn) {
        Some(subscription) if subscription.pending => Err(invalid(
            "SubscriptionArn Reason: Cannot unsubscribe a subscription that is pending \
             confirmation",
        )),
        _ => {
            state.subscriptions.remove(arn);
            Ok(json!({}))
        }
    }
}

/// The subscriptions that a call asks for. Pending ones have no ARN.
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
    listed("Subscriptions", views.collect(), input)
}

/// All attributes, with defaults.
pub(super) fn get(state: &mut State, input: &Value) -> Answer {
    let arn = arn_of(input)?;
    let subscription = by_arn(state, input)?;
    let mut all: BTreeMap<String, String> = [
        ("SubscriptionArn", arn.to_owned()),
        ("TopicArn", subscription.topic.clone()),
        ("Owner", ACCOUNT.to_owned()),
        ("Protocol", subscription.protocol.clone()),
        ("Endpoint", subscription.endpoint.clone()),
        ("PendingConfirmation", subscription.pending.to_string()),
        ("ConfirmationWasAuthenticated", (!subscription.pending).to_string()),
        ("SubscriptionPrincipal", format!("arn:aws:iam::{ACCOUNT}:user/sandbox")),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    all.extend(subscription.settings());
    // The scope shows only with a filter.
    if !subscription.attributes.contains_key("FilterPolicy") {
        all.remove("FilterPolicyScope");
    }
    Ok(json!({ "Attributes": { "$map": all } }))
}

/// Sets one attribute.
pub(super) fn set(state: &mut State, input: &Value) -> Answer {
    let subscription = by_arn(state, input)?;
    let key = required(input, "AttributeName")?;
    let value = text(input, "AttributeValue").unwrap_or_default();
    subscription.assign(key, value).map_err(invalid)?;
    Ok(json!({}))
}
