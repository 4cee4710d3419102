//! Events that wait for their function: Lambda takes them at once, and calls the function later, up to
//! three times.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::refuse;
use super::super::{Call, Refusal, World, sns, sqs};
use super::{Plan, plan};

/// The most events that wait. More are refused, as AWS refuses too many calls.
const MOST: usize = 10_000;

/// How long Lambda waits before it calls a function again, in seconds, call by call.
const AGAIN: [f64; 2] = [60.0, 120.0];

/// An event that waits.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Waiting {
    pub(crate) region: String,
    /// The function, by its name or ARN.
    pub(crate) function: String,
    pub(crate) event: String,
    request_id: String,
    /// From when on it can be taken.
    due: f64,
    /// How often the function has failed with it.
    failed: usize,
}

/// Puts an event into the queue of a function.
pub(crate) fn enqueue(
    world: &mut World,
    region: &str,
    function: &str,
    event: String,
    request_id: &str,
) -> Result<(), Refusal> {
    if world.lambda.waiting.len() >= MOST {
        return Err(refuse(429, "TooManyRequestsException", "Rate Exceeded."));
    }
    world.lambda.waiting.push(Waiting {
        region: region.to_owned(),
        function: function.to_owned(),
        event,
        request_id: request_id.to_owned(),
        due: world.base.now(),
        failed: 0,
    });
    Ok(())
}

/// Whether an event can be taken now.
pub(crate) fn is_due(world: &World) -> bool {
    let now = world.base.now();
    world.lambda.waiting.iter().any(|waiting| waiting.due <= now)
}

/// Takes the events that are due, at most so many, each with the plan of its call. What cannot be
/// called any more is dropped, as on AWS.
pub(crate) fn take(world: &mut World, most: usize) -> Vec<(Waiting, Plan)> {
    let now = world.base.now();
    let (mut taken, mut left) = (Vec::new(), Vec::new());
    for waiting in std::mem::take(&mut world.lambda.waiting) {
        if waiting.due <= now && taken.len() < most {
            taken.push(waiting);
        } else {
            left.push(waiting);
        }
    }
    world.lambda.waiting = left;
    let planned = taken.into_iter().filter_map(|waiting| {
        let input = json!({ "FunctionName": waiting.function });
        let plan = plan(world, &waiting.region, &input, waiting.request_id.clone());
        match plan {
            Ok(plan) => Some((waiting, plan)),
            Err(refusal) => {
                tracing::debug!(function = waiting.function, why = refusal.message, "dropped");
                None
            }
        }
    });
    planned.collect()
}

/// Brings back an event that could not be taken: nobody has seen it.
pub(crate) fn put_back(world: &mut World, mut waiting: Waiting) {
    waiting.due = world.base.now() + 1.0;
    world.lambda.waiting.push(waiting);
}

/// Lets a function that failed with an event have it again later, or sends it to the dead letters.
pub(crate) fn fail(world: &mut World, mut waiting: Waiting, plan: &Plan, error: &Value) {
    let Some(pause) = AGAIN.get(waiting.failed) else {
        if let Some(target) = &plan.dead_letter {
            bury(world, &waiting, target, error);
        }
        return;
    };
    waiting.failed += 1;
    waiting.due = world.base.now() + pause;
    world.lambda.waiting.push(waiting);
}

/// Sends an event to a queue or topic, with what happened.
fn bury(world: &mut World, waiting: &Waiting, target: &str, error: &Value) {
    let message = error["errorMessage"].as_str().unwrap_or("unknown");
    let of = |kind: &str, value: &str| json!({ "DataType": kind, "StringValue": value });
    let attributes = json!({
        "RequestID": of("String", &waiting.request_id),
        "ErrorCode": of("Number", "200"),
        "ErrorMessage": of("String", message),
    });
    let region = &waiting.region;
    let (service, operation, mut input) = if target.contains(":sqs:") {
        (
            "sqs",
            "SendMessage",
            json!({
                "QueueUrl": target.rsplit(':').next(), "MessageBody": waiting.event,
            }),
        )
    } else {
        ("sns", "Publish", json!({ "TopicArn": target, "Message": waiting.event }))
    };
    input["MessageAttributes"] = attributes;
    let call = Call {
        service: service.into(),
        operation: operation.into(),
        input,
        region: region.clone(),
    };
    let sent = match service {
        "sqs" => sqs::call(world, &call),
        _ => sns::call(world, &call),
    };
    if let Err(refusal) = sent {
        tracing::debug!(target, why = refusal.message, "a dead letter is lost");
    }
}
