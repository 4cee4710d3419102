//! The sandbox's SQS (JSON protocol).
//!
//! Quirks kept: all attributes are texts and come back with their defaults; an empty text clears
//! one; creation is idempotent while the given attributes equal the live ones; a strict sandbox
//! keeps the name of a deleted queue for a minute, and shows old attributes for a while.

mod messages;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::toolbox::{
    Tags, add_tags, at, here, is_name, map, need, now, number, page, put, remove_tags, text, texts,
};
use super::{ACCOUNT, Answer, Call, Refusal, World, kms};

type Attributes = BTreeMap<String, String>;

/// What SQS keeps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Queues by region and name.
    queues: BTreeMap<String, Queue>,
    /// When queues were deleted, by region and name.
    deleted: BTreeMap<String, f64>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Queue {
    /// What was set; the rest is as by default.
    attributes: Attributes,
    tags: Tags,
    created: f64,
    modified: f64,
    /// The attributes before the last change.
    before: Attributes,
    messages: Vec<messages::Message>,
}

/// Numeric attributes with their defaults and ranges.
const NUMBERS: &[(&str, &str, i64, i64)] = &[
    ("DelaySeconds", "0", 0, 900),
    ("MaximumMessageSize", "1048576", 1024, 1_048_576),
    ("MessageRetentionPeriod", "345600", 60, 1_209_600),
    ("ReceiveMessageWaitTimeSeconds", "0", 0, 20),
    ("VisibilityTimeout", "30", 0, 43_200),
];

/// Other attributes that can be set.
const TEXTS: &[&str] = &["KmsMasterKeyId", "Policy", "RedriveAllowPolicy", "RedrivePolicy"];

/// Attributes of FIFO queues with their defaults.
const FIFO: &[(&str, &str)] = &[
    ("ContentBasedDeduplication", "false"),
    ("DeduplicationScope", "queue"),
    ("FifoThroughputLimit", "perQueue"),
];

/// How long a strict sandbox shows attributes as they were before the last change, in seconds.
const LAG: f64 = 20.0;

/// The codes for a bad tag and for too many.
const TAGS: (&str, &str) =
    ("com.amazonaws.sqs#InvalidAttributeValue", "com.amazonaws.sqs#OverLimit");

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    vec![("queues", state.queues.len())]
}

/// The tags of a region's queues, by ARN.
pub(crate) fn all_tags<'a>(
    state: &'a State,
    region: &'a str,
) -> impl Iterator<Item = (String, Tags)> + 'a {
    here(&state.queues, region).map(move |(name, queue)| (arn(region, name), queue.tags.clone()))
}

/// The seconds for which the queue with that ARN hides a received message.
pub(crate) fn visibility(state: &State, region: &str, arn: &str) -> Option<i64> {
    let name = arn.rsplit(':').next().unwrap_or(arn);
    let queue = state.queues.get(&at(region, name))?;
    settings(&queue.attributes, name).get("VisibilityTimeout")?.parse().ok()
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    let (input, region) = (&call.input, call.region.as_str());
    let today = now(&world.base);
    match call.operation.as_str() {
        "CreateQueue" => create(world, region, input),
        "SetQueueAttributes" => set(world, region, input),
        "GetQueueUrl" => {
            let name = need(input, "QueueName", MISSING)?;
            match world.sqs.queues.contains_key(&at(region, name)) {
                true => Ok(json!({ "QueueUrl": url(region, name) })),
                false => Err(no_queue()),
            }
        }
        "ListQueues" => list(&world.sqs, region, input),
        "GetQueueAttributes" => get(world, region, input, today),
        "DeleteQueue" => {
            let place = place(region, input)?;
            find(&mut world.sqs, region, input)?;
            world.sqs.queues.remove(&place);
            world.sqs.deleted.insert(place, today);
            Ok(json!({}))
        }
        "TagQueue" => {
            add_tags(&mut find(&mut world.sqs, region, input)?.tags, map(input, "Tags"), TAGS)?;
            Ok(json!({}))
        }
        "UntagQueue" => {
            let queue = find(&mut world.sqs, region, input)?;
            remove_tags(&mut queue.tags, &texts(input, "TagKeys"));
            Ok(json!({}))
        }
        "ListQueueTags" => {
            let tags = &find(&mut world.sqs, region, input)?.tags;
            Ok(if tags.is_empty() { json!({}) } else { json!({ "Tags": tags }) })
        }
        "PurgeQueue" => {
            find(&mut world.sqs, region, input)?.messages.clear();
            Ok(json!({}))
        }
        "SendMessage" => messages::send(world, region, input),
        "ReceiveMessage" => messages::receive(world, region, input),
        "DeleteMessage" => messages::delete(world, region, input),
        _ => Err(Refusal::not_covered(&call.service, &call.operation)),
    }
}

const MISSING: &str = "com.amazon.coral.service#MissingParameterException";

fn refused(code: &str, message: impl Into<String>) -> Refusal {
    Refusal::new(&format!("com.amazonaws.sqs#{code}"), message)
}

fn bad_value(key: &str, value: &str, reason: &str) -> Refusal {
    let message = format!("Value {value} for parameter {key} is invalid. Reason: {reason}");
    refused("InvalidAttributeValue", message)
}

fn no_queue() -> Refusal {
    refused("QueueDoesNotExist", "The specified queue does not exist.")
}

fn url(region: &str, name: &str) -> String {
    format!("https://sqs.{region}.amazonaws.com/{ACCOUNT}/{name}")
}

fn place(region: &str, input: &Value) -> Result<String, Refusal> {
    let url = need(input, "QueueUrl", MISSING)?;
    Ok(at(region, url.rsplit('/').next().unwrap_or(url)))
}

fn find<'a>(state: &'a mut State, region: &str, input: &Value) -> Result<&'a mut Queue, Refusal> {
    state.queues.get_mut(&place(region, input)?).ok_or_else(no_queue)
}

fn arn(region: &str, name: &str) -> String {
    format!("arn:aws:sqs:{region}:{ACCOUNT}:{name}")
}

/// Checks attributes that are to be set on a queue.
fn check(world: &World, region: &str, name: &str, attributes: &Attributes) -> Result<(), Refusal> {
    let fifo = name.ends_with(".fifo");
    for (key, value) in attributes {
        if let Some((_, _, least, most)) = NUMBERS.iter().find(|(known, ..)| known == key) {
            if !value.parse().is_ok_and(|number: i64| (*least..=*most).contains(&number)) {
                return Err(bad_value(key, value, &format!("Must be from {least} to {most}.")));
            }
            continue;
        }
        let for_fifo = key == "FifoQueue" || FIFO.iter().any(|(known, _)| known == key);
        match key.as_str() {
            "RedrivePolicy" if !value.is_empty() => redrive(world, region, fifo, value)?,
            "Policy" | "RedriveAllowPolicy" if !value.is_empty() => {
                if serde_json::from_str::<Value>(value).is_ok_and(|tree| tree.is_object()) {
                    continue;
                }
                return Err(bad_value(key, value, "It is not a JSON document."));
            }
            "KmsMasterKeyId" if !value.is_empty() => {
                if kms::usable(&world.kms, region, value).is_none() {
                    return Err(bad_value(key, value, "The key is not usable."));
                }
            }
            "KmsDataKeyReusePeriodSeconds" => {
                if !value.parse().is_ok_and(|seconds: i64| (60..=86_400).contains(&seconds)) {
                    return Err(bad_value(key, value, "Must be from 60 to 86400."));
                }
            }
            "SqsManagedSseEnabled" if ["true", "false"].contains(&value.as_str()) => {}
            _ if TEXTS.contains(&key.as_str()) => {}
            _ if for_fifo && fifo => {}
            _ => {
                return Err(refused("InvalidAttributeName", format!("Unknown Attribute {key}.")));
            }
        }
    }
    let key = attributes.get("KmsMasterKeyId").is_some_and(|key| !key.is_empty());
    if key && attributes.get("SqsManagedSseEnabled").is_some_and(|on| on == "true") {
        let reason = "You can use one type of server-side encryption (SSE) at one time.";
        return Err(bad_value("SqsManagedSseEnabled", "true", reason));
    }
    Ok(())
}

fn redrive(world: &World, region: &str, fifo: bool, policy: &str) -> Result<(), Refusal> {
    let bad = |reason: &str| bad_value("RedrivePolicy", policy, reason);
    let tree: Value = serde_json::from_str(policy).map_err(|_| bad("It is not JSON."))?;
    let target = text(&tree, "deadLetterTargetArn").ok_or_else(|| {
        bad("Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")
    })?;
    if !number(&tree, "maxReceiveCount").is_some_and(|count| (1..=1000).contains(&count)) {
        return Err(bad("maxReceiveCount must be from 1 to 1000."));
    }
    let name = target.strip_prefix(&arn(region, "")).unwrap_or_default();
    if !world.sqs.queues.contains_key(&at(region, name)) {
        return Err(bad("Dead letter target does not exist."));
    }
    match name.ends_with(".fifo") == fifo {
        true => Ok(()),
        false => Err(bad("Dead-letter queue must be same type of queue as the source.")),
    }
}

impl Queue {
    /// Puts attributes on the queue; an empty text clears one.
    fn assign(&mut self, attributes: Attributes) {
        for (key, value) in attributes {
            // The two ways of encryption replace each other.
            match key.as_str() {
                "KmsMasterKeyId" if !value.is_empty() => {
                    self.attributes.remove("SqsManagedSseEnabled");
                }
                "SqsManagedSseEnabled" if value == "true" => {
                    self.attributes.remove("KmsMasterKeyId");
                }
                _ => {}
            }
            match value.is_empty() {
                true => self.attributes.remove(&key),
                false => self.attributes.insert(key, value),
            };
        }
    }
}

/// All settings, with defaults.
fn settings(set: &Attributes, name: &str) -> Attributes {
    let defaults = NUMBERS.iter().map(|(key, value, ..)| (*key, *value));
    let fifo = name.ends_with(".fifo");
    let fifo = fifo.then(|| FIFO.iter().copied().chain([("FifoQueue", "true")]));
    let defaults = defaults.chain(fifo.into_iter().flatten());
    let mut all: Attributes =
        defaults.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    all.extend(set.clone());
    let key = set.contains_key("KmsMasterKeyId");
    all.entry("SqsManagedSseEnabled".into()).or_insert_with(|| (!key).to_string());
    if key {
        all.entry("KmsDataKeyReusePeriodSeconds".into()).or_insert_with(|| "300".into());
    }
    all
}

fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "QueueName", MISSING)?;
    let attributes = map(input, "Attributes");
    let stem = name.strip_suffix(".fifo");
    let fifo = attributes.get("FifoQueue").is_some_and(|fifo| fifo == "true");
    if name.len() > 80 || !is_name(stem.unwrap_or(name), 1..=80, "_-") || fifo != stem.is_some() {
        let message = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 \
                       in length; exactly FIFO queues end in .fifo.";
        let code = "com.amazon.coral.service#InvalidParameterValueException";
        return Err(Refusal::new(code, message));
    }
    check(world, region, name, &attributes)?;
    let place = at(region, name);
    let answer = json!({ "QueueUrl": url(region, name) });
    if let Some(queue) = world.sqs.queues.get(&place) {
        let live = settings(&queue.attributes, name);
        let differs = |(key, value): (&String, &String)| {
            live.get(key).map_or(!value.is_empty(), |known| known != value)
        };
        return match attributes.iter().find(|entry| differs(*entry)) {
            Some((key, _)) => Err(refused(
                "QueueNameExists",
                format!(
                    "A queue already exists with the same name and a different value for \
                     attribute {key}"
                ),
            )),
            None => Ok(answer),
        };
    }
    let today = now(&world.base);
    let deleted = world.sqs.deleted.get(&place).copied();
    if world.base.strict && deleted.is_some_and(|deleted| today - deleted < 60.0) {
        return Err(refused(
            "QueueDeletedRecently",
            "You must wait 60 seconds after deleting a queue before you can create another with \
             the same name.",
        ));
    }
    let mut queue = Queue { created: today, modified: today, ..Queue::default() };
    let tags = if input.get("tags").is_some() { "tags" } else { "Tags" };
    add_tags(&mut queue.tags, map(input, tags), TAGS)?;
    queue.assign(attributes);
    world.sqs.deleted.remove(&place);
    world.sqs.queues.insert(place, queue);
    Ok(answer)
}

fn set(world: &mut World, region: &str, input: &Value) -> Answer {
    let attributes = map(input, "Attributes");
    let place = place(region, input)?;
    let name = place.rsplit('|').next().unwrap_or_default();
    find(&mut world.sqs, region, input)?;
    if attributes.contains_key("FifoQueue") {
        let message = "You can specify the FifoQueue only during queue creation.";
        return Err(refused("InvalidAttributeName", message));
    }
    check(world, region, name, &attributes)?;
    let modified = now(&world.base);
    let queue = find(&mut world.sqs, region, input)?;
    queue.modified = modified;
    queue.before = queue.attributes.clone();
    queue.assign(attributes);
    Ok(json!({}))
}

fn list(state: &State, region: &str, input: &Value) -> Answer {
    let prefix = text(input, "QueueNamePrefix").unwrap_or_default();
    let found = here(&state.queues, region).filter(|(name, _)| name.starts_with(prefix));
    let urls = found.map(|(name, _)| (name.to_owned(), url(region, name)));
    // Without a page size there is one page of at most a thousand, and no token.
    let size = number(input, "MaxResults").map(|size| size.clamp(1, 1000));
    let limit = size.unwrap_or(1000) as usize;
    let (urls, next) = page(urls.collect(), text(input, "NextToken"), limit);
    let mut answer = json!({ "QueueUrls": urls });
    put(&mut answer, "NextToken", next.filter(|_| size.is_some()));
    Ok(answer)
}

fn get(world: &mut World, region: &str, input: &Value, today: f64) -> Answer {
    let place = place(region, input)?;
    let name = place.rsplit('|').next().unwrap_or_default();
    let strict = world.base.strict;
    let queue = find(&mut world.sqs, region, input)?;
    let mut all = match strict && queue.modified > queue.created && today - queue.modified < LAG {
        true => settings(&queue.before, name),
        false => settings(&queue.attributes, name),
    };
    let hidden = queue.messages.iter().filter(|message| message.is_hidden(today)).count();
    let seconds = |time: f64| (time as i64).to_string();
    all.extend([
        ("QueueArn".to_owned(), arn(region, name)),
        ("CreatedTimestamp".to_owned(), seconds(queue.created)),
        ("LastModifiedTimestamp".to_owned(), seconds(queue.modified)),
        ("ApproximateNumberOfMessages".to_owned(), (queue.messages.len() - hidden).to_string()),
        ("ApproximateNumberOfMessagesNotVisible".to_owned(), hidden.to_string()),
        ("ApproximateNumberOfMessagesDelayed".to_owned(), "0".to_owned()),
    ]);
    let wanted = texts(input, "AttributeNames");
    let known = |key: &String| {
        let rest = ["All", "FifoQueue", "KmsDataKeyReusePeriodSeconds"];
        all.contains_key(key)
            || rest.contains(&key.as_str())
            || TEXTS.contains(&key.as_str())
            || FIFO.iter().any(|(known, _)| known == key)
    };
    if let Some(key) = wanted.iter().find(|key| !known(key)) {
        return Err(refused("InvalidAttributeName", format!("Unknown Attribute {key}.")));
    }
    if !wanted.iter().any(|key| key == "All") {
        all.retain(|key, _| wanted.contains(key));
    }
    Ok(if all.is_empty() { json!({}) } else { json!({ "Attributes": all }) })
}
