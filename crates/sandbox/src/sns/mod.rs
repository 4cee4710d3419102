//! The sandbox's SNS.
//!
//! Quirks kept: creation is idempotent unless tags or attributes differ; subscriptions by mail and
//! HTTP wait for a confirmation that nobody sends, those of queues and functions are confirmed at
//! once; a topic has a default policy.

mod subscriptions;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::toolbox::{
    KEY_VALUE, Tags, add_tags, at, here, is_name, map, need, page, put, refuse, remove_tags,
    tag_list, tag_pairs, text, texts, uuid,
};
use super::{ACCOUNT, Answer, Call, Refusal, World};

/// What SNS keeps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Topics by region and name.
    topics: BTreeMap<String, Topic>,
    /// Subscriptions by ARN.
    subscriptions: BTreeMap<String, subscriptions::Subscription>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Topic {
    /// What was set; the rest is as by default.
    attributes: BTreeMap<String, String>,
    tags: Tags,
}

/// Attributes that can be set.
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
) -> impl Iterator<Item = (String, Tags)> + 'a {
    here(&state.topics, region).map(move |(name, topic)| (arn(region, name), topic.tags.clone()))
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    let (input, region) = (&call.input, call.region.as_str());
    let state = &mut world.sns;
    match call.operation.as_str() {
        "CreateTopic" => create(state, region, input),
        "GetTopicAttributes" => {
            let arn = need(input, "TopicArn", INVALID)?;
            find(state, arn)?;
            Ok(json!({ "Attributes": { "$map": describe(state, arn)? } }))
        }
        "SetTopicAttributes" => {
            let arn = need(input, "TopicArn", INVALID)?;
            let key = need(input, "AttributeName", INVALID)?;
            let value = text(input, "AttributeValue").unwrap_or_default();
            let topic = find(state, arn)?;
            topic.assign(arn, key, value)?;
            Ok(json!({}))
        }
        "ListTopics" => {
            let arns = here(&state.topics, region)
                .map(|(name, _)| (name.to_owned(), json!({ "TopicArn": arn(region, name) })));
            let (topics, next) = page(arns.collect(), text(input, "NextToken"), 100);
            let mut answer = json!({ "Topics": topics });
            put(&mut answer, "NextToken", next);
            Ok(answer)
        }
        "DeleteTopic" => {
            let arn = need(input, "TopicArn", INVALID)?;
            state.topics.remove(&place(arn));
            state.subscriptions.retain(|_, subscription| subscription.topic != arn);
            Ok(json!({}))
        }
        "TagResource" => {
            let more = tag_list(input, "Tags", KEY_VALUE);
            add_tags(&mut tagged(state, input)?.tags, more, TAGS)?;
            Ok(json!({}))
        }
        "UntagResource" => {
            remove_tags(&mut tagged(state, input)?.tags, &texts(input, "TagKeys"));
            Ok(json!({}))
        }
        "ListTagsForResource" => {
            Ok(json!({ "Tags": tag_pairs(&tagged(state, input)?.tags, KEY_VALUE) }))
        }
        "Publish" => {
            let arn = text(input, "TopicArn").or(text(input, "TargetArn")).unwrap_or_default();
            find(state, arn)?;
            need(input, "Message", INVALID)?;
            Ok(json!({ "MessageId": uuid(&mut world.base) }))
        }
        "Subscribe" => subscriptions::subscribe(world, input),
        "Unsubscribe" => subscriptions::unsubscribe(state, input),
        "ListSubscriptions" => subscriptions::list(state, input, |arn, _| {
            arn.starts_with(&format!("arn:aws:sns:{region}:"))
        }),
        "ListSubscriptionsByTopic" => {
            let topic = need(input, "TopicArn", INVALID)?;
            find(state, topic)?;
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

fn arn(region: &str, name: &str) -> String {
    format!("arn:aws:sns:{region}:{ACCOUNT}:{name}")
}

/// The key of a topic, from its ARN.
fn place(arn: &str) -> String {
    let parts: Vec<&str> = arn.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "sns", region, _, name] => at(region, name),
        _ => String::new(),
    }
}

fn find<'a>(state: &'a mut State, arn: &str) -> Result<&'a mut Topic, Refusal> {
    let place = place(arn);
    if place.is_empty() {
        return Err(invalid(format!("TopicArn Reason: {arn} is not the ARN of a topic")));
    }
    state.topics.get_mut(&place).ok_or_else(|| refuse(404, "NotFound", "Topic does not exist"))
}

fn tagged<'a>(state: &'a mut State, input: &Value) -> Result<&'a mut Topic, Refusal> {
    let arn = need(input, "ResourceArn", INVALID)?;
    find(state, arn).map_err(|_| refuse(404, "ResourceNotFound", "Resource does not exist"))
}

impl Topic {
    /// Sets an attribute if SNS would take it; an empty text clears all but the policy.
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
        match value.is_empty() {
            true => self.attributes.remove(key),
            false => self.attributes.insert(key.to_owned(), value.to_owned()),
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
    let each = |value: &Value| match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        item => item.as_str().map(str::to_owned).into_iter().collect::<Vec<_>>(),
    };
    for statement in statements {
        if statement.get("Principal").is_none() && statement.get("NotPrincipal").is_none() {
            return Err(invalid("Policy statement must contain principals"));
        }
        let ours = |action: &String| action.to_lowercase().starts_with("sns:") || action == "*";
        if !each(&statement["Action"]).iter().all(ours) {
            return Err(invalid("Policy statement action out of service scope!"));
        }
        if each(&statement["Resource"]).iter().any(|resource| resource != arn && resource != "*") {
            return Err(invalid("Policy statement resource must be the topic"));
        }
    }
    Ok(())
}

fn create(state: &mut State, region: &str, input: &Value) -> Answer {
    let name = need(input, "Name", INVALID)?;
    let stem = name.strip_suffix(".fifo");
    let mut attributes = map(input, "Attributes");
    let fifo = attributes.remove("FifoTopic").is_some_and(|fifo| fifo == "true");
    if name.len() > 256 || !is_name(stem.unwrap_or(name), 1..=256, "_-") || fifo != stem.is_some() {
        return Err(invalid(
            "Topic Name Reason: only letters, digits, - and _, at most 256; exactly FIFO topics \
             end in .fifo",
        ));
    }
    let arn = arn(region, name);
    let answer = json!({ "TopicArn": arn });
    let mut topic = Topic::default();
    let tags = tag_list(input, "Tags", KEY_VALUE);
    add_tags(&mut topic.tags, tags, TAGS)?;
    for (key, value) in &attributes {
        topic.assign(&arn, key, value)?;
    }
    if state.topics.contains_key(&at(region, name)) {
        let live = describe(state, &arn)?;
        let known = &find(state, &arn)?.tags;
        if !topic.tags.is_empty() && *known != topic.tags {
            return Err(invalid("Tags Reason: Topic already exists with different tags"));
        }
        let same = |(key, value): (&String, &String)| {
            live.get(key).map_or(value.is_empty(), |known| known == value)
        };
        return match attributes.iter().all(same) {
            true => Ok(answer),
            false => {
                Err(invalid("Attributes Reason: Topic already exists with different attributes"))
            }
        };
    }
    state.topics.insert(at(region, name), topic);
    Ok(answer)
}

/// All attributes, with defaults.
fn describe(state: &State, arn: &str) -> Result<BTreeMap<String, String>, Refusal> {
    let topic = state.topics.get(&place(arn));
    let topic = topic.ok_or_else(|| refuse(404, "NotFound", "Topic does not exist"))?;
    let mine = state.subscriptions.values().filter(|subscription| subscription.topic == arn);
    let (pending, confirmed): (Vec<_>, Vec<_>) = mine.partition(|mine| mine.pending);
    let mut all: BTreeMap<String, String> = [
        ("TopicArn", arn.to_owned()),
        ("Owner", ACCOUNT.to_owned()),
        ("DisplayName", String::new()),
        ("Policy", default_policy(arn)),
        ("SubscriptionsConfirmed", confirmed.len().to_string()),
        ("SubscriptionsPending", pending.len().to_string()),
        ("SubscriptionsDeleted", "0".to_owned()),
        ("EffectiveDeliveryPolicy", delivery_policy()),
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

fn default_policy(arn: &str) -> String {
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

fn delivery_policy() -> String {
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
    .to_string()
}
