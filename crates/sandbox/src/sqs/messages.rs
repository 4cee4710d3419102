//! Messages: sent, hidden while received, deleted, moved to a dead-letter queue.
//!
//! A FIFO queue delivers a message only while no earlier one of its group is hidden. The group that
//! has waited longest comes first. The queue drops a duplicate within five minutes. There is no
//! long polling: a receive returns at once.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{at, digest, now, number, put, text, texts, uuid};
use super::super::{ACCOUNT, Answer, Refusal, World};
use super::attributes::settings_of;
use super::{
    Attributes, Queue, arn, bad_parameter, contents, find, invalid, missing, place_of, refused,
    required,
};

/// A message.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    id: String,
    /// The last receipt handle.
    handle: String,
    body: String,
    attributes: Option<BTreeMap<String, Value>>,
    /// Its system attributes beside the counts, such as the sender and the group.
    system: Attributes,
    visible: f64,
    receives: u32,
    /// The times of the first and of the last receive.
    first: f64,
    last: f64,
}

/// The record of a message that a FIFO queue needs to find duplicates.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    id: String,
    number: String,
    at: f64,
}

/// How long a queue finds duplicates, in seconds.
const DUPLICATES: f64 = 300.0;

/// A number near SQS's sequence numbers.
const FIRST: u128 = 18_849_496_460_467_696_128;

/// How long a change of a queue's attributes may take to take effect, in seconds.
const IN_FORCE: f64 = 60.0;

impl Message {
    /// Whether the message is in flight.
    fn is_flying(&self, now: f64) -> bool {
        self.visible > now && self.receives > 0
    }

    fn group(&self) -> &str {
        self.system.get("MessageGroupId").map(String::as_str).unwrap_or_default()
    }
}

/// The numbers of visible messages, of messages in flight, and of delayed ones.
pub(super) fn tally(queue: &Queue, now: f64) -> (usize, usize, usize) {
    let flying = queue.messages.iter().filter(|message| message.is_flying(now)).count();
    let hidden = queue.messages.iter().filter(|message| message.visible > now).count();
    (queue.messages.len() - hidden, flying, hidden - flying)
}

/// A number that must be in its range, if it is given.
fn within(input: &Value, key: &str, reason: &str, most: i64) -> Result<Option<i64>, Refusal> {
    match number(input, key) {
        Some(number) if !(0..=most).contains(&number) => {
            Err(bad_parameter(key, &number.to_string(), reason))
        }
        number => Ok(number),
    }
}

/// The attributes of a message, if it has any.
fn attributes_of(input: &Value, key: &str) -> Option<BTreeMap<String, Value>> {
    let given = input.get(key)?.as_object()?.clone();
    Some(given.into_iter().collect()).filter(|given: &BTreeMap<_, _>| !given.is_empty())
}

/// Adds a message at the end of the queue.
pub(super) fn send(world: &mut World, region: &str, input: &Value) -> Answer {
    let today = now(&world.base);
    let id = uuid(&mut world.base);
    let place = place_of(region, input)?;
    let queue = find(&mut world.sqs, region, input)?;
    let body = required(input, "MessageBody")?;
    let settings = settings_of(&queue.attributes, &place);
    let usual = |key: &str| settings.get(key).and_then(|value| value.parse::<i64>().ok());
    let attributes = attributes_of(input, "MessageAttributes");
    let most = usual("MaximumMessageSize").and_then(|most| usize::try_from(most).ok());
    contents::check(body, attributes.as_ref(), most.unwrap_or_default())?;
    let range = "DelaySeconds must be >= 0 and <= 900.";
    let delay = within(input, "DelaySeconds", range, 900)?;
    let mut system: Attributes =
        [("SenderId".to_owned(), ACCOUNT.to_owned()), ("SentTimestamp".to_owned(), millis(today))]
            .into();
    for key in ["MessageGroupId", "MessageDeduplicationId"] {
        if let Some(id) = text(input, key) {
            contents::check_id(key, id)?;
            system.insert(key.to_owned(), id.to_owned());
        }
    }
    let given = attributes_of(input, "MessageSystemAttributes");
    let header = given.as_ref().and_then(|given| text(given.get("AWSTraceHeader")?, "StringValue"));
    if let Some(header) = header {
        system.insert("AWSTraceHeader".to_owned(), header.to_owned());
    }
    let mut answer = json!({ "MD5OfMessageBody": contents::sum(body) });
    let sum = |attributes: &Option<_>| attributes.as_ref().map(contents::sum_of_attributes);
    put(&mut answer, "MD5OfMessageAttributes", sum(&attributes));
    put(&mut answer, "MD5OfMessageSystemAttributes", sum(&given));
    let delay = if place.ends_with(".fifo") {
        if let Some(delay) = delay.filter(|delay| *delay > 0) {
            let reason = "The request include parameter that is not valid for this queue type.";
            return Err(bad_parameter("DelaySeconds", &delay.to_string(), reason));
        }
        let sent = queue.number(&mut system, &settings, body, &id, today)?;
        answer["MessageId"] = sent.id.clone().into();
        answer["SequenceNumber"] = sent.number.into();
        if sent.id != id {
            return Ok(answer);
        }
        usual("DelaySeconds")
    } else {
        delay.or_else(|| usual("DelaySeconds"))
    };
    answer["MessageId"] = id.clone().into();
    queue.messages.push(Message {
        id,
        body: body.to_owned(),
        attributes,
        system,
        visible: today + delay.unwrap_or_default() as f64,
        ..Message::default()
    });
    Ok(answer)
}

impl Queue {
    /// The sequence number of a message of a FIFO queue, or the message that it duplicates.
    fn number(
        &mut self,
        system: &mut Attributes,
        settings: &Attributes,
        body: &str,
        id: &str,
        today: f64,
    ) -> Result<Sent, Refusal> {
        let group =
            system.get("MessageGroupId").cloned().ok_or_else(|| missing("MessageGroupId"))?;
        let by_content = settings.get("ContentBasedDeduplication").is_some_and(|on| on == "true");
        let duplicate = match system.get("MessageDeduplicationId") {
            Some(duplicate) => duplicate.clone(),
            None if by_content => digest(body),
            None => {
                return Err(invalid(
                    "The queue should either have ContentBasedDeduplication enabled or \
                     MessageDeduplicationId provided explicitly",
                ));
            }
        };
        system.insert("MessageDeduplicationId".to_owned(), duplicate.clone());
        let scope = if today - self.modified < IN_FORCE && self.modified > self.created {
            self.before.get("DeduplicationScope")
        } else {
            self.attributes.get("DeduplicationScope")
        };
        let key = if scope.is_some_and(|scope| scope == "messageGroup") {
            at(&group, &duplicate)
        } else {
            duplicate
        };
        self.sent.retain(|_, sent| today - sent.at < DUPLICATES);
        if let Some(sent) = self.sent.get(&key) {
            return Ok(sent.clone());
        }
        self.numbered += 1;
        let number = (FIRST + u128::from(self.numbered) * 256).to_string();
        system.insert("SequenceNumber".to_owned(), number.clone());
        let sent = Sent { id: id.to_owned(), number, at: today };
        self.sent.insert(key, sent.clone());
        Ok(sent)
    }

    /// The messages that a call can receive, in order.
    fn ready(&self, fifo: bool, now: f64) -> Vec<usize> {
        let mut ready: Vec<usize> = (0..self.messages.len()).collect();
        if !fifo {
            ready.retain(|place| self.messages[*place].visible <= now);
            return ready;
        }
        let mut groups: BTreeMap<&str, (f64, Vec<usize>)> = BTreeMap::new();
        for (place, message) in self.messages.iter().enumerate() {
            let (served, places) = groups.entry(message.group()).or_default();
            *served = served.max(message.last);
            places.push(place);
        }
        let mut groups: Vec<(f64, Vec<usize>)> = groups.into_values().collect();
        groups
            .sort_by(|(one, first), (other, second)| one.total_cmp(other).then(first.cmp(second)));
        // Messages behind a hidden one of their group are not visible.
        let places = groups.into_iter().flat_map(|(_, places)| {
            places.into_iter().take_while(|place| self.messages[*place].visible <= now)
        });
        places.collect()
    }
}

/// Returns visible messages and hides them.
pub(super) fn receive(world: &mut World, region: &str, input: &Value) -> Answer {
    let today = now(&world.base);
    let place = place_of(region, input)?;
    find(&mut world.sqs, region, input)?;
    let most = number(input, "MaxNumberOfMessages").unwrap_or(1);
    if !(1..=10).contains(&most) {
        let reason = "Must be between 1 and 10, if provided.";
        return Err(bad_parameter("MaxNumberOfMessages", &most.to_string(), reason));
    }
    within(input, "WaitTimeSeconds", "Must be >= 0 and <= 20, if provided.", 20)?;
    let range = "Must be >= 0 and <= 43200, if provided.";
    let timeout = within(input, "VisibilityTimeout", range, 43_200)?;
    bury(world, region, &place, today);
    let base = &mut world.base;
    let queue = find(&mut world.sqs, region, input)?;
    let settings = settings_of(&queue.attributes, &place);
    let usual = settings.get("VisibilityTimeout").and_then(|timeout| timeout.parse().ok());
    let timeout = timeout.or(usual).unwrap_or(30) as f64;
    let mut received = Vec::new();
    let ready = queue.ready(place.ends_with(".fifo"), today);
    for place in ready.into_iter().take(most as usize) {
        let message = &mut queue.messages[place];
        message.visible = today + timeout;
        message.receives += 1;
        message.last = today;
        if message.receives == 1 {
            message.first = today;
        }
        message.handle = BASE64_STANDARD.encode(format!("{} {}", message.id, uuid(base)));
        received.push(view(message, input));
    }
    Ok(if received.is_empty() { json!({}) } else { json!({ "Messages": received }) })
}

/// Moves messages that were received too often to the dead-letter queue.
fn bury(world: &mut World, region: &str, place: &str, today: f64) {
    let Some(queue) = world.sqs.queues.get_mut(place) else { return };
    let policy = queue.attributes.get("RedrivePolicy");
    let policy: Value =
        policy.and_then(|policy| serde_json::from_str(policy).ok()).unwrap_or_default();
    let target = text(&policy, "deadLetterTargetArn").and_then(|target| target.rsplit(':').next());
    let (Some(target), Some(most)) = (target, number(&policy, "maxReceiveCount")) else { return };
    let is_dead =
        |message: &Message| message.visible <= today && i64::from(message.receives) >= most;
    let (dead, live) = queue.messages.drain(..).partition::<Vec<_>, _>(is_dead);
    queue.messages = live;
    let source = arn(region, place.rsplit('|').next().unwrap_or_default());
    if let Some(target) = world.sqs.queues.get_mut(&at(region, target)) {
        target.messages.extend(dead.into_iter().map(|mut message| {
            message.system.insert("DeadLetterQueueSourceArn".to_owned(), source.clone());
            message
        }));
    }
}

fn millis(seconds: f64) -> String {
    ((seconds * 1000.0) as i64).to_string()
}

/// A message with the members that a receive asks for.
fn view(message: &Message, input: &Value) -> Value {
    let mut view = json!({
        "MessageId": message.id,
        "ReceiptHandle": message.handle,
        "MD5OfBody": contents::sum(&message.body),
        "Body": message.body,
    });
    let mut wanted = texts(input, "AttributeNames");
    wanted.extend(texts(input, "MessageSystemAttributeNames"));
    let mut system = message.system.clone();
    system.extend([
        ("ApproximateReceiveCount".to_owned(), message.receives.to_string()),
        ("ApproximateFirstReceiveTimestamp".to_owned(), millis(message.first)),
    ]);
    system.retain(|key, _| wanted.iter().any(|name| name == "All" || name == key));
    put(&mut view, "Attributes", (!system.is_empty()).then(|| json!(system)));
    let wanted = texts(input, "MessageAttributeNames");
    let mut attributes = message.attributes.clone().unwrap_or_default();
    attributes.retain(|key, _| {
        wanted.iter().any(|name| match name.strip_suffix('*') {
            Some(start) => key.starts_with(start.trim_end_matches('.')),
            None => name == "All" || name == key,
        })
    });
    if !attributes.is_empty() {
        view["MD5OfMessageAttributes"] = contents::sum_of_attributes(&attributes).into();
        view["MessageAttributes"] = json!(attributes);
    }
    view
}

/// The message of a receipt handle, if it still exists.
fn by_handle<'a>(queue: &'a mut Queue, handle: &str) -> Result<Option<&'a mut Message>, Refusal> {
    let decoded =
        BASE64_STANDARD.decode(handle).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let id = decoded.as_deref().and_then(|text| text.split_once(' ')).map(|(id, _)| id);
    let Some(id) = id else {
        let message =
            format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
        return Err(refused("ReceiptHandleIsInvalid", message));
    };
    Ok(queue.messages.iter_mut().find(|message| message.id == id))
}

/// Deletes the message of a receipt handle.
pub(super) fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let today = now(&world.base);
    let place = place_of(region, input)?;
    let queue = find(&mut world.sqs, region, input)?;
    let handle = required(input, "ReceiptHandle")?;
    let Some(message) = by_handle(queue, handle)? else { return Ok(json!({})) };
    let expired = message.handle != handle || !message.is_flying(today);
    if place.ends_with(".fifo") && expired {
        return Err(bad_parameter("ReceiptHandle", handle, "The receipt handle has expired."));
    }
    let id = message.id.clone();
    queue.messages.retain(|message| message.id != id);
    Ok(json!({}))
}

/// Changes how long a received message stays hidden.
pub(super) fn change_visibility(world: &mut World, region: &str, input: &Value) -> Answer {
    let today = now(&world.base);
    let queue = find(&mut world.sqs, region, input)?;
    let handle = required(input, "ReceiptHandle")?;
    let range = "VisibilityTimeout must be an integer between 0 and 43200";
    let timeout = within(input, "VisibilityTimeout", range, 43_200)?
        .ok_or_else(|| missing("VisibilityTimeout"))?;
    match by_handle(queue, handle)?.filter(|message| message.receives > 0) {
        Some(message) => {
            message.visible = today + timeout as f64;
            Ok(json!({}))
        }
        None => {
            let reason =
                "Message does not exist or is not available for visibility timeout change.";
            Err(bad_parameter("ReceiptHandle", handle, reason))
        }
    }
}
