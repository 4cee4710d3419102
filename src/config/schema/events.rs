//! `[events.NAME]`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::text::{CalleeRef, PhysicalName, QueueRef, Schedule, TopicRef};
use super::yes;

/// An EventBridge rule with its targets.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventRule {
    /// The physical name. Default: built from `naming.pattern`.
    pub name: Option<PhysicalName>,
    /// A description.
    #[serde(default)]
    #[schemars(length(max = 512))]
    pub description: String,
    /// The schedule: `rate(1 day)` or `cron(0 3 * * ? *)`, in UTC.
    pub schedule: Option<Schedule>,
    /// The event pattern: `{ source = ["aws.health"] }`.
    pub pattern: Option<FreeTable>,
    /// Whether the rule is on.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The functions to call.
    #[serde(default)]
    pub functions: BTreeSet<CalleeRef>,
    /// The topics to send to. Their `publishers` must contain `events`.
    #[serde(default)]
    pub topics: BTreeSet<TopicRef>,
    /// The queues to send to. Their `senders` must contain `events`.
    #[serde(default)]
    pub queues: BTreeSet<QueueRef>,
    /// A fixed input that the targets get instead of the event.
    pub input: Option<FreeTable>,
    /// The input that the targets get, made from the event.
    pub transform: Option<Transform>,
    /// The queue for events that cannot be delivered. Its `senders` must contain `events`.
    pub dead_letter: Option<QueueRef>,
    /// How often EventBridge retries a delivery.
    #[serde(default = "most_retries")]
    #[schemars(range(min = 0, max = 185))]
    pub retries: u32,
    /// How many seconds EventBridge retries a delivery.
    #[serde(default = "one_day")]
    #[schemars(range(min = 60, max = 86400))]
    pub max_age: u32,
}

fn most_retries() -> u32 {
    185
}

fn one_day() -> u32 {
    86_400
}

/// An input of targets, made from the event.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transform {
    /// Parts of the event by name: `{ status = "$.detail.status" }`.
    #[serde(default)]
    pub paths: BTreeMap<String, String>,
    /// The text, with the names in angle brackets: `"Payment <status>"`.
    #[schemars(length(min = 1, max = 8192))]
    pub template: String,
}

/// A table with any content.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct FreeTable(pub Map<String, Value>);

impl JsonSchema for FreeTable {
    fn schema_name() -> Cow<'static, str> {
        "FreeTable".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object" })
    }
}
