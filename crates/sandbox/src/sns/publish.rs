//! Publishing, with SNS's checks. The sandbox does not deliver messages.

use serde_json::{Value, json};

use super::super::toolbox::{text, uuid};
use super::super::{Answer, Refusal, World};
use super::subscriptions::is_phone_number;
use super::{find, invalid, required};

/// The most bytes of a message.
const MOST: usize = 262_144;

/// Accepts a message for a topic or a phone number.
pub(super) fn publish(world: &mut World, region: &str, input: &Value) -> Answer {
    let to = text(input, "TopicArn").or(text(input, "TargetArn"));
    match (to, text(input, "PhoneNumber")) {
        (Some(arn), _) => {
            find(&mut world.sns, region, arn)?;
        }
        (None, Some(number)) if !is_phone_number(number) => {
            return Err(invalid(format!(
                "PhoneNumber Reason: {number} is not valid to publish to"
            )));
        }
        (None, Some(_)) => {}
        (None, None) => {
            return Err(invalid("TopicArn or TargetArn Reason: no value for required parameter"));
        }
    }
    let message = required(input, "Message")?;
    if message.is_empty() {
        return Err(invalid("Empty message"));
    }
    if message.len() > MOST {
        return Err(invalid("Message too long"));
    }
    if text(input, "MessageStructure") == Some("json") {
        let parts: Value = serde_json::from_str(message)
            .map_err(|_| invalid("Message Structure - JSON message body failed to parse"))?;
        if text(&parts, "default").is_none() {
            return Err(invalid("Message Structure - No default entry in JSON message body"));
        }
    }
    if let Some(arn) = to {
        let topic = find(&mut world.sns, region, arn)?;
        let by_content = topic.attributes.get("ContentBasedDeduplication");
        check_fifo(input, arn.ends_with(".fifo"), by_content.is_some_and(|on| on == "true"))?;
    }
    Ok(json!({ "MessageId": uuid(&mut world.base) }))
}

/// Checks the members that a FIFO topic needs and that other topics refuse.
fn check_fifo(input: &Value, fifo: bool, by_content: bool) -> Result<(), Refusal> {
    let id = text(input, "MessageDeduplicationId");
    if !fifo {
        return match id {
            None => Ok(()),
            Some(_) => Err(invalid(
                "MessageDeduplicationId Reason: The request includes MessageDeduplicationId \
                 parameter that is not valid for this topic type",
            )),
        };
    }
    if text(input, "MessageGroupId").is_none() {
        return Err(invalid("The MessageGroupId parameter is required for FIFO topics"));
    }
    if id.is_none() && !by_content {
        return Err(invalid(
            "The topic should either have ContentBasedDeduplication enabled or \
             MessageDeduplicationId provided explicitly",
        ));
    }
    Ok(())
}
