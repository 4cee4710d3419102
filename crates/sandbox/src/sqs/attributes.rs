//! Attributes of queues: SQS's checks and descriptions.

use serde_json::Value;

use super::super::toolbox::{at, number, text};
use super::super::{Refusal, World};
use super::{Attributes, Queue, arn, bad_parameter, refused};

/// Numeric attributes with their defaults and ranges.
const NUMBERS: &[(&str, &str, i64, i64)] = &[
    ("DelaySeconds", "0", 0, 900),
    ("MaximumMessageSize", "1048576", 1024, 1_048_576),
    ("MessageRetentionPeriod", "345600", 60, 1_209_600),
    ("ReceiveMessageWaitTimeSeconds", "0", 0, 20),
    ("VisibilityTimeout", "30", 0, 43_200),
];

/// Other attributes that a call can set.
const TEXTS: &[&str] = &["KmsMasterKeyId", "Policy", "RedriveAllowPolicy", "RedrivePolicy"];

/// Attributes of FIFO queues with their defaults.
const FIFO: &[(&str, &str)] = &[
    ("ContentBasedDeduplication", "false"),
    ("DeduplicationScope", "queue"),
    ("FifoThroughputLimit", "perQueue"),
];

/// Boolean attributes. SQS accepts them in any case, and returns them in lower case.
const SWITCHES: &[&str] = &["ContentBasedDeduplication", "FifoQueue", "SqsManagedSseEnabled"];

/// Whether a call may ask for an attribute that the queue does not have.
pub(super) fn is_known(key: &str) -> bool {
    ["All", "FifoQueue", "KmsDataKeyReusePeriodSeconds"].contains(&key)
        || TEXTS.contains(&key)
        || FIFO.iter().any(|(known, _)| *known == key)
}

/// Attributes as SQS keeps them.
pub(super) fn canonical(attributes: Attributes) -> Attributes {
    let canonical = |(key, value): (String, String)| {
        let value = if SWITCHES.contains(&&*key) { value.to_ascii_lowercase() } else { value };
        (key, value)
    };
    attributes.into_iter().map(canonical).collect()
}

fn unknown(key: &str) -> Refusal {
    refused("InvalidAttributeName", format!("Unknown Attribute {key}."))
}

fn bad_value(key: &str) -> Refusal {
    refused("InvalidAttributeValue", format!("Invalid value for the parameter {key}."))
}

/// Checks attributes that a call sets on a queue.
pub(super) fn check(
    world: &World,
    region: &str,
    name: &str,
    attributes: &Attributes,
) -> Result<(), Refusal> {
    let fifo = name.ends_with(".fifo");
    let within = |value: &str, least: i64, most: i64| {
        value.parse().is_ok_and(|number: i64| (least..=most).contains(&number))
    };
    for (key, value) in attributes {
        if let Some((_, _, least, most)) = NUMBERS.iter().find(|(known, ..)| known == key) {
            if within(value, *least, *most) { continue } else { return Err(bad_value(key)) }
        }
        match key.as_str() {
            "RedrivePolicy" if !value.is_empty() => redrive(world, region, fifo, value)?,
            "Policy" | "RedriveAllowPolicy" if !value.is_empty() => {
                if !serde_json::from_str::<Value>(value).is_ok_and(|tree| tree.is_object()) {
                    return Err(bad_value(key));
                }
            }
            "KmsDataKeyReusePeriodSeconds" if !within(value, 60, 86_400) => {
                return Err(bad_value(key));
            }
            "DeduplicationScope" | "FifoThroughputLimit" if !fifo => {
                let message =
                    format!("You can specify the {key} only when FifoQueue is set to true.");
                return Err(refused("InvalidAttributeName", message));
            }
            "FifoQueue" | "ContentBasedDeduplication" if !fifo => return Err(unknown(key)),
            key if SWITCHES.contains(&key) && !["true", "false"].contains(&value.as_str()) => {
                return Err(bad_value(key));
            }
            "KmsDataKeyReusePeriodSeconds" => {}
            key if [TEXTS, SWITCHES].concat().contains(&key) => {}
            key if FIFO.iter().any(|(known, _)| *known == key) => {}
            key => return Err(unknown(key)),
        }
    }
    let key = attributes.get("KmsMasterKeyId").is_some_and(|key| !key.is_empty());
    if key && attributes.get("SqsManagedSseEnabled").is_some_and(|on| on == "true") {
        let message = "You can use one type of server-side encryption (SSE) at one time. You can \
                       either enable KMS SSE or SQS SSE.";
        return Err(refused("InvalidAttributeName", message));
    }
    Ok(())
}

fn redrive(world: &World, region: &str, fifo: bool, policy: &str) -> Result<(), Refusal> {
    let bad = |reason: &str| bad_parameter("RedrivePolicy", policy, reason);
    let lacking = |member: &str| {
        bad(&format!("Redrive policy does not contain mandatory attribute: {member}."))
    };
    let tree: Value =
        serde_json::from_str(policy).map_err(|_| bad("Redrive policy is not a valid JSON map."))?;
    if tree.get("maxReceiveCount").is_none() {
        return Err(lacking("maxReceiveCount"));
    }
    let target =
        text(&tree, "deadLetterTargetArn").ok_or_else(|| lacking("deadLetterTargetArn"))?;
    if !number(&tree, "maxReceiveCount").is_some_and(|count| (1..=1000).contains(&count)) {
        return Err(bad("Invalid value for maxReceiveCount. It must be from 1 to 1000."));
    }
    let name = target.strip_prefix(&arn(region, "")).unwrap_or_default();
    if !world.sqs.queues.contains_key(&at(region, name)) {
        return Err(bad("Dead letter target does not exist."));
    }
    if name.ends_with(".fifo") == fifo {
        Ok(())
    } else {
        Err(bad("Dead-letter queue must be same type of queue as the source."))
    }
}

impl Queue {
    /// Sets attributes of the queue. An empty text clears one.
    pub(super) fn assign(&mut self, attributes: Attributes) {
        for (key, value) in attributes {
            // The two kinds of encryption replace each other. Without a key, the queue has neither
            // until a call asks for SQS's own.
            match key.as_str() {
                "KmsMasterKeyId" if !value.is_empty() => {
                    self.attributes.insert("SqsManagedSseEnabled".into(), "false".into());
                }
                "SqsManagedSseEnabled" if value == "true" => {
                    self.attributes.remove("KmsMasterKeyId");
                }
                _ => {}
            }
            if value.is_empty() {
                self.attributes.remove(&key)
            } else {
                self.attributes.insert(key, value)
            };
        }
    }
}

/// All attributes that a call can set, with defaults.
pub(super) fn settings_of(set: &Attributes, name: &str) -> Attributes {
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
    } else {
        all.remove("KmsDataKeyReusePeriodSeconds");
    }
    all
}
