//! What a poller does for an event source that is a queue: takes a batch of messages, and deletes
//! those that the function took.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::super::events::matches;
use super::super::super::toolbox::{number, text};
use super::super::super::{Answer, Call, World, sqs};
use super::super::function_arn;
use super::Mapping;

/// A batch of messages for a function.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Region and id of its event source.
    pub(crate) source: String,
    pub(crate) region: String,
    pub(crate) function: String,
    queue: String,
    records: Vec<Value>,
    /// Whether the function says which messages failed.
    reports: bool,
}

impl Batch {
    /// The event that the function gets.
    pub(crate) fn event(&self) -> Value {
        json!({ "Records": self.records })
    }
}

/// The most bytes of a batch.
const MOST_BYTES: usize = 6 << 20;

fn ask(world: &mut World, region: &str, operation: &str, input: Value) -> Answer {
    let call =
        Call { service: "sqs".into(), operation: operation.into(), input, region: region.into() };
    sqs::call(world, &call)
}

/// The keys of the enabled event sources that are queues.
pub(crate) fn queues(world: &World) -> Vec<String> {
    let now = world.base.now();
    let polled = |mapping: &Mapping| {
        mapping.is_queue() && mapping.enabled && !mapping.is_going() && mapping.until <= now
    };
    let all = world.lambda.mappings.iter().filter(|(_, mapping)| polled(mapping));
    all.map(|(key, _)| key.clone()).collect()
}

/// The batch of an event source, if one is complete: enough messages have come, or the first has
/// waited for as long as the window says. `waits` remembers since when the first does.
pub(crate) fn batch(
    world: &mut World,
    key: &str,
    waits: &mut BTreeMap<String, f64>,
) -> Option<Batch> {
    let mapping = world.lambda.mappings.get(key)?.clone();
    let region = key.split('|').next().unwrap_or_default();
    let queue = mapping.source.rsplit(':').next().unwrap_or_default().to_owned();
    let input = json!({ "QueueUrl": queue, "AttributeNames": ["ApproximateNumberOfMessages"] });
    let told = ask(world, region, "GetQueueAttributes", input).ok()?;
    let waiting = number(&told["Attributes"], "ApproximateNumberOfMessages").unwrap_or_default();
    if waiting == 0 {
        waits.remove(key);
        return None;
    }
    let of = |name: &str| mapping.settings.get(name).and_then(Value::as_i64).unwrap_or_default();
    let most = of("BatchSize").max(1);
    let now = world.base.now();
    let since = *waits.entry(key.to_owned()).or_insert(now);
    if waiting < most && now - since < of("MaximumBatchingWindowInSeconds") as f64 {
        return None;
    }
    waits.remove(key);
    let mut batch = Batch {
        source: key.to_owned(),
        region: region.to_owned(),
        function: function_arn(region, &mapping.function),
        reports: mapping.settings.get("FunctionResponseTypes").is_some_and(|types| {
            types.as_array().is_some_and(|types| types.contains(&json!("ReportBatchItemFailures")))
        }),
        queue,
        records: Vec::new(),
    };
    // Receiving moves what failed too often to the dead letters, even if nothing is left then.
    world.base.moved = true;
    let (mut bytes, mut seen) = (0, 0);
    while seen < most && bytes < MOST_BYTES {
        let input = json!({
            "QueueUrl": batch.queue, "MaxNumberOfMessages": (most - seen).min(10),
            "AttributeNames": ["All"], "MessageAttributeNames": ["All"],
        });
        let received = ask(world, region, "ReceiveMessage", input).unwrap_or_default();
        let messages = received["Messages"].as_array().cloned().unwrap_or_default();
        if messages.is_empty() {
            break;
        }
        for message in messages {
            seen += 1;
            let record = record(&message, &mapping.source, region);
            if mapping.wants(&record) {
                bytes += text(&record, "body").map_or(0, str::len);
                batch.records.push(record);
            } else {
                // What the filter does not want is gone.
                batch.delete(world, &record);
            }
        }
    }
    (!batch.records.is_empty()).then_some(batch)
}

impl Mapping {
    /// Whether the filters want a message: without any, all of them.
    fn wants(&self, record: &Value) -> bool {
        let Some(criteria) = self.settings.get("FilterCriteria") else { return true };
        let mut shown = record.clone();
        let body = text(record, "body").and_then(|body| serde_json::from_str(body).ok());
        if let Some(body @ Value::Object(_)) = body {
            shown["body"] = body;
        }
        let filters = criteria["Filters"].as_array().into_iter().flatten();
        filters
            .filter_map(|filter| serde_json::from_str::<Value>(text(filter, "Pattern")?).ok())
            .any(|pattern| matches(&pattern, &shown))
    }
}

impl Batch {
    fn delete(&self, world: &mut World, record: &Value) {
        let input = json!({ "QueueUrl": self.queue, "ReceiptHandle": record["receiptHandle"] });
        // A queue that is gone has no message either.
        drop(ask(world, &self.region, "DeleteMessage", input));
    }
}

/// Deletes the messages that a function took. The others are seen again once nobody hides them.
pub(crate) fn settle(world: &mut World, batch: &Batch, answer: Option<&Value>) {
    let Some(answer) = answer else { return };
    let Some(failed) = (if batch.reports { batch.failed(answer) } else { Some(BTreeSet::new()) })
    else {
        return;
    };
    for record in &batch.records {
        if !failed.contains(text(record, "messageId").unwrap_or_default()) {
            batch.delete(world, record);
        }
    }
}

impl Batch {
    /// The messages that an answer reports as failed; none for an answer that is not one.
    fn failed<'a>(&self, answer: &'a Value) -> Option<BTreeSet<&'a str>> {
        let items = match answer {
            Value::Null => return Some(BTreeSet::new()),
            Value::Object(members) => match members.get("batchItemFailures") {
                None | Some(Value::Null) => return Some(BTreeSet::new()),
                Some(Value::Array(items)) => items,
                Some(_) => return None,
            },
            _ => return None,
        };
        let known = |id: &str| self.records.iter().any(|one| text(one, "messageId") == Some(id));
        items.iter().map(|item| text(item, "itemIdentifier").filter(|id| known(id))).collect()
    }
}

/// A message as an event tells of it.
fn record(message: &Value, source: &str, region: &str) -> Value {
    let given = message["MessageAttributes"].as_object().into_iter().flatten();
    let given = given.map(|(name, one)| {
        let mut told = json!({
            "stringListValues": [], "binaryListValues": [], "dataType": one["DataType"],
        });
        for (from, to) in [("StringValue", "stringValue"), ("BinaryValue", "binaryValue")] {
            if let Some(value) = text(one, from) {
                told[to] = value.into();
            }
        }
        (name.clone(), told)
    });
    json!({
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": given.collect::<serde_json::Map<_, _>>(),
        "md5OfMessageAttributes": message["MD5OfMessageAttributes"],
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": source,
        "awsRegion": region,
    })
}
