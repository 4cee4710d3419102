//! The sandbox's SQS (JSON protocol).
//!
//! Quirks kept: All attributes are texts and come back with their defaults. An empty text clears
//! one. Creation is idempotent if the given attributes equal the live ones. A strict sandbox blocks
//! the name of a deleted queue for a minute, and shows old attributes for a while.

mod attributes;
mod contents;
mod messages;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::attributes::{canonical, check, is_known, settings_of};
use super::shelf::{Shelf, kept};
use super::toolbox::{
    Tags, add_tags, at, here, here_with, is_name, map, now, number, page, put, remove_tags, text,
    texts,
};
use super::{ACCOUNT, Answer, Call, Refusal, World};

type Attributes = BTreeMap<String, String>;

/// The state of SQS.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Queues by region and name.
    queues: Shelf<Queue>,
    /// When queues were deleted, by region and name.
    deleted: Shelf<f64>,
}

kept!(State { queues, deleted });

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Queue {
    /// The attributes that calls have set. All others have their defaults.
    attributes: Attributes,
    tags: Tags,
    created: f64,
    modified: f64,
    /// The attributes before the last change.
    before: Attributes,
    messages: Vec<messages::Message>,
    /// The number of messages so far in a FIFO queue, for their sequence numbers.
    numbered: u64,
    /// The messages that may still get duplicates, by deduplication id (FIFO queues).
    sent: BTreeMap<String, messages::Sent>,
    /// When it was last purged.
    purged: Option<f64>,
}

/// How long a strict sandbox shows the attributes before the last change, in seconds.
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
) -> impl Iterator<Item = (String, Cow<'a, Tags>)> + 'a {
    here(&state.queues, region)
        .map(move |(name, queue)| (arn(region, name), Cow::Borrowed(&queue.tags)))
}

/// The visibility timeout of the queue with this ARN, in seconds.
pub(crate) fn visibility(state: &State, region: &str, arn: &str) -> Option<i64> {
    let name = arn.rsplit(':').next().unwrap_or(arn);
    let queue = state.queues.get(&at(region, name))?;
    settings_of(&queue.attributes, name).get("VisibilityTimeout")?.parse().ok()
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    let (input, region) = (&call.input, call.region.as_str());
    let today = now(&world.base);
    match call.operation.as_str() {
        "CreateQueue" => create(world, region, input),
        "SetQueueAttributes" => set(world, region, input),
        "GetQueueUrl" => {
            let name = required(input, "QueueName")?;
            if world.sqs.queues.contains_key(&at(region, name)) {
                Ok(json!({ "QueueUrl": url(region, name) }))
            } else {
                Err(no_queue())
            }
        }
        "ListQueues" => list(&world.sqs, region, input),
        "GetQueueAttributes" => get(world, region, input, today),
        "DeleteQueue" => {
            let place = place_of(region, input)?;
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
            let place = place_of(region, input)?;
            let queue = find(&mut world.sqs, region, input)?;
            if queue.purged.is_some_and(|purged| today - purged < 60.0) {
                let name = place.rsplit('|').next().unwrap_or_default();
                let message =
                    format!("Only one PurgeQueue operation on {name} is allowed every 60 seconds.");
                return Err(refused("PurgeQueueInProgress", message).with_status(403));
            }
            queue.messages.clear();
            queue.sent.clear();
            queue.purged = Some(today);
            Ok(json!({}))
        }
        "SendMessage" => messages::send(world, region, input),
        "ReceiveMessage" => messages::receive(world, region, input),
        "DeleteMessage" => messages::delete(world, region, input),
        "ChangeMessageVisibility" => messages::change_visibility(world, region, input),
        _ => Err(Refusal::not_covered(&call.service, &call.operation)),
    }
}

fn refused(code: &str, message: impl Into<String>) -> Refusal {
    Refusal::new(&format!("com.amazonaws.sqs#{code}"), message)
}

/// The refusal of a parameter. SQS's model has no error for it.
fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("com.amazon.coral.service#InvalidParameterValueException", message)
}

fn bad_parameter(key: &str, value: &str, reason: &str) -> Refusal {
    invalid(format!("Value {value} for parameter {key} is invalid. Reason: {reason}"))
}

/// A required text member that must not be empty.
fn required<'a>(input: &'a Value, key: &str) -> Result<&'a str, Refusal> {
    text(input, key).filter(|text| !text.is_empty()).ok_or_else(|| missing(key))
}

fn missing(key: &str) -> Refusal {
    let message = format!("The request must contain the parameter {key}.");
    Refusal::new("com.amazon.coral.service#MissingRequiredParameterException", message)
}

fn no_queue() -> Refusal {
    refused("QueueDoesNotExist", "The specified queue does not exist.")
}

fn url(region: &str, name: &str) -> String {
    format!("https://sqs.{region}.amazonaws.com/{ACCOUNT}/{name}")
}

fn place_of(region: &str, input: &Value) -> Result<String, Refusal> {
    let url = required(input, "QueueUrl")?;
    Ok(at(region, url.rsplit('/').next().unwrap_or(url)))
}

fn find<'a>(state: &'a mut State, region: &str, input: &Value) -> Result<&'a mut Queue, Refusal> {
    state.queues.get_mut(&place_of(region, input)?).ok_or_else(no_queue)
}

fn arn(region: &str, name: &str) -> String {
    format!("arn:aws:sqs:{region}:{ACCOUNT}:{name}")
}

fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = required(input, "QueueName")?;
    let attributes = canonical(map(input, "Attributes"));
    check_name(name, attributes.get("FifoQueue").is_some_and(|fifo| fifo == "true"))?;
    check(world, region, name, &attributes)?;
    let place = at(region, name);
    let answer = json!({ "QueueUrl": url(region, name) });
    if let Some(queue) = world.sqs.queues.get(&place) {
        let live = settings_of(&queue.attributes, name);
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

/// The names of FIFO queues, and no others, end in .fifo. The length includes the suffix.
fn check_name(name: &str, fifo: bool) -> Result<(), Refusal> {
    let stem = name.strip_suffix(".fifo");
    if name.len() <= 80 && is_name(stem.unwrap_or(name), 1..=80, "_-") && fifo == stem.is_some() {
        return Ok(());
    }
    Err(invalid(if fifo {
        "The name of a FIFO queue can only include alphanumeric characters, hyphens, or \
             underscores, must end with .fifo suffix and be 1 to 80 in length."
    } else {
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
    }))
}

fn set(world: &mut World, region: &str, input: &Value) -> Answer {
    let attributes = canonical(map(input, "Attributes"));
    let place = place_of(region, input)?;
    let name = place.rsplit('|').next().unwrap_or_default();
    find(&mut world.sqs, region, input)?;
    check(world, region, name, &attributes)?;
    if attributes.get("FifoQueue").is_some_and(|fifo| fifo == "false") {
        let message = "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is \
                       not supported.";
        return Err(refused("InvalidAttributeValue", message));
    }
    let modified = now(&world.base);
    let queue = find(&mut world.sqs, region, input)?;
    queue.modified = modified;
    queue.before = queue.attributes.clone();
    queue.assign(attributes);
    Ok(json!({}))
}

fn list(state: &State, region: &str, input: &Value) -> Answer {
    let prefix = text(input, "QueueNamePrefix").unwrap_or_default();
    let found = here_with(&state.queues, region, prefix);
    let urls = found.map(|(name, _)| (name.to_owned(), url(region, name)));
    // Without a page size the answer is one page of at most a thousand, and has no token.
    let size = number(input, "MaxResults").map(|size| size.clamp(1, 1000));
    let limit = size.unwrap_or(1000) as usize;
    let (urls, next) = page(urls.collect(), text(input, "NextToken"), limit);
    let mut answer = json!({});
    put(&mut answer, "QueueUrls", Some(urls).filter(|urls| !urls.is_empty()));
    put(&mut answer, "NextToken", next.filter(|_| size.is_some()));
    Ok(answer)
}

fn get(world: &mut World, region: &str, input: &Value, today: f64) -> Answer {
    let place = place_of(region, input)?;
    let name = place.rsplit('|').next().unwrap_or_default();
    let strict = world.base.strict;
    let queue = find(&mut world.sqs, region, input)?;
    let mut all = if strict && queue.modified > queue.created && today - queue.modified < LAG {
        settings_of(&queue.before, name)
    } else {
        settings_of(&queue.attributes, name)
    };
    let (waiting, flying, delayed) = messages::tally(queue, today);
    let seconds = |time: f64| (time as i64).to_string();
    all.extend([
        ("QueueArn".to_owned(), arn(region, name)),
        ("CreatedTimestamp".to_owned(), seconds(queue.created)),
        ("LastModifiedTimestamp".to_owned(), seconds(queue.modified)),
        ("ApproximateNumberOfMessages".to_owned(), waiting.to_string()),
        ("ApproximateNumberOfMessagesNotVisible".to_owned(), flying.to_string()),
        ("ApproximateNumberOfMessagesDelayed".to_owned(), delayed.to_string()),
    ]);
    let wanted = texts(input, "AttributeNames");
    if let Some(key) = wanted.iter().find(|key| !all.contains_key(*key) && !is_known(key)) {
        return Err(refused("InvalidAttributeName", format!("Unknown Attribute {key}.")));
    }
    if !wanted.iter().any(|key| key == "All") {
        all.retain(|key, _| wanted.contains(key));
    }
    Ok(if all.is_empty() { json!({}) } else { json!({ "Attributes": all }) })
}
