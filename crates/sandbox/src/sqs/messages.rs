//! Messages: sent, hidden while received, deleted.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{need, now, number, put, text, uuid};
use super::super::{Answer, World};
use super::{MISSING, find, place, refused};

/// A message.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    id: String,
    handle: String,
    body: String,
    attributes: Value,
    visible: f64,
    receives: u32,
}

impl Message {
    /// Whether somebody has it at the moment.
    pub(super) fn is_hidden(&self, now: f64) -> bool {
        self.visible > now
    }
}

/// Puts a message at the end of the queue.
pub(super) fn send(world: &mut World, region: &str, input: &Value) -> Answer {
    let body = need(input, "MessageBody", MISSING)?.to_owned();
    let today = now(&world.base);
    let id = uuid(&mut world.base);
    let place = place(region, input)?;
    let queue = find(&mut world.sqs, region, input)?;
    let settings = super::settings(&queue.attributes, &place);
    let usual = settings.get("DelaySeconds").and_then(|delay| delay.parse().ok());
    let delay = number(input, "DelaySeconds").or(usual).unwrap_or_default();
    queue.messages.push(Message {
        id: id.clone(),
        body,
        attributes: input.get("MessageAttributes").cloned().unwrap_or_default(),
        visible: today + delay as f64,
        ..Message::default()
    });
    Ok(json!({ "MessageId": id }))
}

/// Hands out visible messages and hides them.
pub(super) fn receive(world: &mut World, region: &str, input: &Value) -> Answer {
    let today = now(&world.base);
    let most = number(input, "MaxNumberOfMessages").unwrap_or(1).clamp(1, 10) as usize;
    let place = place(region, input)?;
    let base = &mut world.base;
    let queue = find(&mut world.sqs, region, input)?;
    let settings = super::settings(&queue.attributes, &place);
    let usual = settings.get("VisibilityTimeout").and_then(|timeout| timeout.parse().ok());
    let timeout = number(input, "VisibilityTimeout").or(usual).unwrap_or(30);
    let mut received = Vec::new();
    for message in queue.messages.iter_mut().filter(|m| !m.is_hidden(today)).take(most) {
        message.visible = today + timeout as f64;
        message.receives += 1;
        message.handle = uuid(base);
        let mut view = json!({
            "MessageId": message.id,
            "ReceiptHandle": message.handle,
            "Body": message.body,
            "Attributes": { "ApproximateReceiveCount": message.receives.to_string() },
        });
        let attributes = Some(message.attributes.clone()).filter(|value| !value.is_null());
        put(&mut view, "MessageAttributes", attributes);
        received.push(view);
    }
    Ok(if received.is_empty() { json!({}) } else { json!({ "Messages": received }) })
}

/// Deletes the message that a handle was given out for.
pub(super) fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let queue = find(&mut world.sqs, region, input)?;
    match text(input, "ReceiptHandle").filter(|handle| !handle.is_empty()) {
        Some(handle) => {
            queue.messages.retain(|message| message.handle != handle);
            Ok(json!({}))
        }
        None => Err(refused("ReceiptHandleIsInvalid", "The receipt handle is missing.")),
    }
}
