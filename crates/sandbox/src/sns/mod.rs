//! The sandbox's SNS.
//!
//! Quirks kept: Creation is idempotent unless tags or attributes differ. Subscriptions by email and
//! HTTP wait for a confirmation that never comes; those of queues and functions are confirmed at
//! once. A topic has a default policy.

mod defaults;
mod delivery;
mod filters;
mod publish;
mod subscriptions;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shelf::{Shelf, kept};
use super::toolbox::{
    KEY_VALUE, Tags, add_tags, at, here, is_name, list, many, map, page, put, refuse, remove_tags,
    tag_list, tag_pairs, text, texts,
};
use super::{ACCOUNT, Answer, Call, Refusal, World};

/// The state of SNS.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Topics by region and name.
    topics: Shelf<Topic>,
    /// Subscriptions by ARN.
    subscriptions: Shelf<subscriptions::Subscription>,
}

kept!(State { topics, subscriptions });

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Topic {
    /// The attributes that calls have set. All others have their defaults.
    attributes: BTreeMap<String, String>,
    tags: Tags,
}

/// Attributes that a call can set.
const SETTABLE: &[&str] = &[
    "ArchivePolicy",
    "ContentBasedDeduplication",
    "DataProtectionPolicy",
    "DeliveryPolicy",
    "DisplayName",
    "FifoThroughputScope",
    "KmsMasterKeyId",
    "Policy",
    "SignatureVersion",
    "TracingConfig",
];

/// The codes for a bad tag and for too many.
const TAGS: (&str, &str) = ("InvalidParameter", "TagLimitExceeded");

const INVALID: &str = "InvalidParameter";

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    vec![("topics", state.topics.len()), ("subscriptions", state.subscriptions.len())]
}

/// The tags of a region's topics, by ARN.
pub(crate) fn all_tags<'a>(
    state: &'a State,
    region: &'a str,
) -> impl Iterator<Item = (String, Cow<'a, Tags>)> + 'a {
    here(&state.topics, region)
        .map(move |(name, topic)| (topic_arn(region, name), Cow::Borrowed(&topic.tags)))
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    let (input, region) = (&call.input, call.region.as_str());
    let state = &mut world.sns;
    match call.operation.as_str() {
        "CreateTopic" => create(state, region, input),
        "GetTopicAttributes" => {
            let arn = required(input, "TopicArn")?;
            find(state, region, arn)?;
            Ok(json!({ "Attributes": { "$map": describe(state, region, arn)? } }))
        }
        "SetTopicAttributes" => {
            let arn = required(input, "TopicArn")?;
            let topic = find(state, region, arn)?;
            let key = required(input, "AttributeName")?;
            topic.assign(arn, key, text(input, "AttributeValue").unwrap_or_default())?;
            Ok(json!({}))
        }
        "ListTopics" => {
            let arns = here(&state.topics, region)
                .map(|(name, _)| (name.to_owned(), json!({ "TopicArn": topic_arn(region, name) })));
            listed("Topics", arns.collect(), input)
        }
        "DeleteTopic" => {
            let arn = required(input, "TopicArn")?;
            state.topics.remove(&place(region, arn)?);
            state.subscriptions.retain(|_, subscription| subscription.topic != arn);
            Ok(json!({}))
        }
        "TagResource" => {
            let more = tags_of(input)?;
            add_tags(&mut tagged(state, region, input)?.tags, more, TAGS)?;
            Ok(json!({}))
        }
        "UntagResource" => {
            remove_tags(&mut tagged(state, region, input)?.tags, &texts(input, "TagKeys"));
            Ok(json!({}))
        }
        "ListTagsForResource" => {
            Ok(json!({ "Tags": tag_pairs(&tagged(state, region, input)?.tags, KEY_VALUE) }))
        }
        "Publish" => publish::publish(world, region, input),
        "Subscribe" => subscriptions::subscribe(world, region, input),
        "Unsubscribe" => subscriptions::unsubscribe(state, input),
        "ListSubscriptions" => subscriptions::list(state, input, |arn, _| {
            arn.starts_with(&format!("arn:aws:sns:{region}:"))
        }),
        "ListSubscriptionsByTopic" => {
            let topic = required(input, "TopicArn")?;
            find(state, region, topic)?;
            subscriptions::list(state, input, |_, subscription| subscription.topic == topic)
        }
        "GetSubscriptionAttributes" => subscriptions::get(state, input),
        "SetSubscriptionAttributes" => subscriptions::set(state, input),
        _ => Err(Refusal::not_covered(&call.service, &call.operation)),
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(INVALID, format!("Invalid parameter: {}", message.into()))
}

fn topic_arn(region: &str, name: &str) -> String {
    format!("arn:aws:sns:{region}:{ACCOUNT}:{name}")
}

/// A required text member.
fn required<'a>(input: &'a Value, key: &str) -> Result<&'a str, Refusal> {
    text(input, key)
        .ok_or_else(|| invalid(format!("{key} Reason: no value for required parameter")))
}

/// The elements of an ARN. `key` is the member with the ARN.
fn elements<'a>(key: &str, arn: &'a str) -> Result<Vec<&'a str>, Refusal> {
    let elements: Vec<&str> = arn.split(':').collect();
    match elements.len() {
        0..6 => Err(invalid(format!(
            "{key} Reason: An ARN must have at least 6 elements, not {}",
            elements.len()
        ))),
        _ => Ok(elements),
    }
}

/// The key of a topic in the state, from its ARN. A call must go to the topic's region.
fn place(region: &str, arn: &str) -> Result<String, Refusal> {
    match elements("TopicArn", arn)?.as_slice() {
        ["arn", _, "sns", home, _, name] if *home == region => Ok(at(region, name)),
        _ => Err(invalid("TopicArn")),
    }
}

fn find<'a>(state: &'a mut State, region: &str, arn: &str) -> Result<&'a mut Topic, Refusal> {
    state.topics.get_mut(&place(region, arn)?).ok_or_else(no_topic)
}

fn no_topic() -> Refusal {
    refuse(404, "NotFound", "Topic does not exist")
}

fn tagged<'a>(state: &'a mut State, region: &str, input: &Value) -> Result<&'a mut Topic, Refusal> {
    let arn = required(input, "ResourceArn")?;
    let found = find(state, region, arn);
    found.map_err(|_| refuse(404, "ResourceNotFound", "Resource does not exist"))
}

/// The tags of a call. Each key appears once.
fn tags_of(input: &Value) -> Result<Tags, Refusal> {
    let tags = tag_list(input, "Tags", KEY_VALUE);
    if tags.len() == list(input, "Tags").len() {
        Ok(tags)
    } else {
        Err(invalid("Duplicated keys are not allowed."))
    }
}

/// One page of a list. Tokens are opaque, in Base64.
fn listed(member: &str, items: Vec<(String, Value)>, input: &Value) -> Answer {
    let token = match text(input, "NextToken") {
        None => None,
        Some(token) => {
            let decoded = BASE64_STANDARD.decode(token).ok();
            let token = decoded.and_then(|token| String::from_utf8(token).ok());
            Some(token.ok_or_else(|| invalid("NextToken Reason: invalid token"))?)
        }
    };
    let (found, next) = page(items, token.as_deref(), 100);
    let mut answer = json!({ member: found });
    put(&mut answer, "NextToken", next.map(|next| BASE64_STANDARD.encode(next)));
    Ok(answer)
}

impl Topic {
    /// Sets an attribute if SNS accepts it. An empty text clears any attribute but the policy.
    fn assign(&mut self, arn: &str, key: &str, value: &str) -> Result<(), Refusal> {
        if !SETTABLE.contains(&key) {
            return Err(invalid("AttributeName"));
        }
        if key == "Policy" {
            valid_policy(arn, value)?;
        }
        if key == "DisplayName" && value.chars().count() > 100 {
            return Err(invalid("DisplayName Reason: must be at most 100 characters long"));
        }
        let value = match key {
            "DeliveryPolicy" if !value.is_empty() => defaults::kept_delivery(value)
                .map_err(|error| invalid(format!("{key}: failed to parse JSON. {error}")))?,
            _ => value.to_owned(),
        };
        if value.is_empty() {
            self.attributes.remove(key)
        } else {
            self.attributes.insert(key.to_owned(), value)
        };
        Ok(())
    }
}

fn valid_policy(arn: &str, policy: &str) -> Result<(), Refusal> {
    let tree: Value =
        serde_json::from_str(policy).map_err(|_| invalid("Policy Error: not valid JSON"))?;
    let statements = match tree.get("Statement") {
        Some(Value::Array(statements)) => statements.iter().collect(),
        Some(statement @ Value::Object(_)) => vec![statement],
        _ => return Err(invalid("Policy Error: no Statement")),
    };
    for statement in statements {
        if statement.get("Principal").is_none() && statement.get("NotPrincipal").is_none() {
            return Err(invalid("Policy statement must contain principals"));
        }
        let values = |member: &str| many(&statement[member]).into_iter().filter_map(Value::as_str);
        let of_sns = |action: &str| action.to_lowercase().starts_with("sns:") || action == "*";
        if !values("Action").all(of_sns) {
            return Err(invalid("Policy statement action out of service scope!"));
        }
        if values("Resource").any(|resource| resource != arn && resource != "*") {
            return Err(invalid("Policy statement resource must be the topic"));
        }
    }
    Ok(())
}

fn create(state: &mut State, region: &str, input: &Value) -> Answer {
    let name = required(input, "Name")?;
    let stem = name.strip_suffix(".fifo");
    let mut attributes = map(input, "Attributes");
    let fifo = attributes.remove("FifoTopic").is_some_and(|fifo| fifo == "true");
    // The names of FIFO topics, and no others, end in .fifo.
    if name.len() > 256 || !is_name(stem.unwrap_or(name), 1..=256, "_-") || fifo != stem.is_some() {
        return Err(invalid("Topic Name"));
    }
    let arn = topic_arn(region, name);
    let answer = json!({ "TopicArn": arn });
    let mut topic = Topic::default();
    add_tags(&mut topic.tags, tags_of(input)?, TAGS)?;
    for (key, value) in &attributes {
        topic.assign(&arn, key, value)?;
    }
    if let Some(known) = state.topics.get(&at(region, name)) {
        let live = describe(state, region, &arn)?;
        if topic.tags.iter().any(|(key, value)| known.tags.get(key) != Some(value)) {
            return Err(invalid("Tags Reason: Topic already exists with different tags"));
        }
        let value = |of: &BTreeMap<String, String>, key| of.get(key).cloned().unwrap_or_default();
        let same = |key| value(&live, key) == value(&topic.attributes, key);
        return if attributes.keys().all(same) {
            Ok(answer)
        } else {
            Err(invalid("Attributes Reason: Topic already exists with different attributes"))
        };
    }
    state.topics.insert(at(region, name), topic);
    Ok(answer)
}

/// All attributes, with defaults.
fn describe(state: &State, region: &str, arn: &str) -> Result<BTreeMap<String, String>, Refusal> {
    let topic = state.topics.get(&place(region, arn)?).ok_or_else(no_topic)?;
    let delivery = topic.attributes.get("DeliveryPolicy").map(String::as_str);
    let mine = state.subscriptions.values().filter(|subscription| subscription.topic == arn);
    let (pending, confirmed): (Vec<_>, Vec<_>) = mine.partition(|mine| mine.pending);
    let mut all: BTreeMap<String, String> = [
        ("TopicArn", arn.to_owned()),
        ("Owner", ACCOUNT.to_owned()),
        ("DisplayName", String::new()),
        ("Policy", defaults::policy(arn)),
        ("SubscriptionsConfirmed", confirmed.len().to_string()),
        ("SubscriptionsPending", pending.len().to_string()),
        ("SubscriptionsDeleted", "0".to_owned()),
        ("EffectiveDeliveryPolicy", defaults::effective_delivery(delivery)),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    if arn.ends_with(".fifo") {
        all.insert("FifoTopic".into(), "true".into());
        all.insert("ContentBasedDeduplication".into(), "false".into());
    }
    all.extend(topic.attributes.clone());
    Ok(all)
}
