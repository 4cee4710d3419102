//! `[events.NAME]`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::text::{FunctionRef, PhysicalName, QueueRef, Schedule, TopicRef};
use super::yes;

/// An EventBridge rule with its targets.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventRule {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
    /// What it is for.
    #[serde(default)]
    #[schemars(length(max = 512))]
    pub description: String,
    /// When it fires: `rate(1 day)` or `cron(0 3 * * ? *)`, in UTC.
    pub schedule: Option<Schedule>,
    /// On which events it fires: `{ source = ["aws.health"] }`.
    pub pattern: Option<FreeTable>,
    /// Whether it fires at all.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Functions that are called.
    #[serde(default)]
    pub functions: BTreeSet<FunctionRef>,
    /// Topics that hear of it; `events` must be among their `publishers`.
    #[serde(default)]
    pub topics: BTreeSet<TopicRef>,
    /// Queues that get it; `events` must be among their `senders`.
    #[serde(default)]
    pub queues: BTreeSet<QueueRef>,
    /// What the targets get instead of the event.
    pub input: Option<FreeTable>,
    /// What the targets get, made from the event.
    pub transform: Option<Transform>,
    /// The queue for what cannot be delivered; `events` must be among its `senders`.
    pub dead_letter: Option<QueueRef>,
    /// How often delivery is tried again.
    #[serde(default = "most_retries")]
    #[schemars(range(min = 0, max = 185))]
    pub retries: u32,
    /// How many seconds delivery is tried.
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

/// What targets get, made from the event.
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

/// A table of any form.
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
