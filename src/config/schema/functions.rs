//! `[functions.NAME]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::OneOrMany;
use super::log_groups::Retention;
use super::network::InnerTier;
use super::text::{
    GroupRef, KeyRef, PhysicalName, QueueRef, RoleRef, TableRef, Template, VariableName,
};
use super::yes;

/// A Lambda function, packed from a folder of sources.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
    /// What it is for.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub description: String,
    /// The folder of its code, relative to the config directory. Dotfiles, `__pycache__`, `*.pyc`
    /// and folders named `tests` are left out.
    pub source: String,
    /// What it runs on, `"python3.13"`.
    pub runtime: String,
    /// What is called: file and function.
    #[serde(default = "handler")]
    #[schemars(length(min = 1, max = 128))]
    pub handler: String,
    /// The processor. Arm costs a fifth less.
    #[serde(default)]
    pub architecture: Architecture,
    /// MB of memory; the share of the processor grows with it.
    #[serde(default = "memory")]
    #[schemars(range(min = 128, max = 10240))]
    pub memory: u32,
    /// After how many seconds a call is given up. An API waits for 29.
    #[serde(default = "timeout")]
    #[schemars(range(min = 1, max = 900))]
    pub timeout: u32,
    /// MB of disk under /tmp.
    #[serde(default = "disk")]
    #[schemars(range(min = 512, max = 10240))]
    pub disk: u32,
    /// The role that it runs in.
    pub role: RoleRef,
    /// The subnets that it reaches the network from; without them it is outside.
    pub subnets: Option<InnerTier>,
    /// Its security groups in those subnets.
    #[serde(default)]
    pub security_groups: OneOrMany<GroupRef>,
    /// Environment variables.
    #[serde(default)]
    pub environment: BTreeMap<VariableName, Template>,
    /// The key that encrypts the environment variables; Lambda's own if unset.
    pub environment_key: Option<KeyRef>,
    /// How many calls may run at the same time. So many are set aside for it out of the account's,
    /// of which 100 must stay free.
    #[schemars(range(min = 0, max = 100_000))]
    pub reserved_concurrency: Option<u32>,
    /// The ARN of a queue or topic for asynchronous calls that fail.
    pub dead_letter: Option<Template>,
    /// Whether calls are traced with X-Ray.
    #[serde(default)]
    pub tracing: bool,
    /// How many days its log is kept, or `"forever"`.
    #[serde(default)]
    pub log_retention_days: Retention,
    /// The key that encrypts its log; CloudWatch's own if unset.
    pub log_key: Option<KeyRef>,
    /// Queues and tables whose messages and changes it processes.
    #[serde(default)]
    pub triggers: Vec<Trigger>,
}

fn handler() -> String {
    "index.handler".into()
}

fn memory() -> u32 {
    512
}

fn timeout() -> u32 {
    28
}

fn disk() -> u32 {
    512
}

/// A processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Architecture {
    /// AWS Graviton.
    #[default]
    Arm64,
    /// Intel and AMD.
    #[serde(rename = "x86_64")]
    X86,
}

impl Architecture {
    /// The processor as Lambda names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86 => "x86_64",
        }
    }
}

/// What makes a function run: a queue or the stream of a table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// The queue.
    pub queue: Option<QueueRef>,
    /// The table, which needs a `stream`.
    pub table: Option<TableRef>,
    /// Whether it is switched on.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// How many messages or changes a call gets at the most: 10 of a queue, 100 of a table, unless
    /// stated.
    #[schemars(range(min = 1, max = 10_000))]
    pub batch_size: Option<u32>,
    /// How many seconds messages are gathered for a batch.
    #[serde(default)]
    #[schemars(range(min = 0, max = 300))]
    pub window: u32,
    /// How many calls a queue makes at the same time, at the most.
    #[schemars(range(min = 2, max = 1000))]
    pub max_concurrency: Option<u32>,
    /// Whether the function reports which of the batch failed, so that only those come again.
    #[serde(default)]
    pub report_failures: bool,
    /// Where the stream of a table is read from at first.
    pub start: Option<Start>,
    /// How often a failed batch of a table is tried again; until it expires if unset.
    #[schemars(range(min = 0, max = 10_000))]
    pub retries: Option<u32>,
    /// The ARN of a queue or topic for batches of a table that fail. Queues have dead letters of
    /// their own.
    pub on_failure: Option<Template>,
}

impl Trigger {
    /// The name of the queue or table.
    pub fn source(&self) -> &str {
        let queue = self.queue.as_ref().map(|queue| queue.0.as_str());
        queue.or(self.table.as_ref().map(|table| table.0.as_str())).unwrap_or_default()
    }

    /// The batch size.
    pub fn batch(&self) -> u32 {
        self.batch_size.unwrap_or(if self.table.is_some() { 100 } else { 10 })
    }
}

/// Where a stream is read from at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Start {
    /// New changes only.
    Latest,
    /// Every change that the stream still holds.
    TrimHorizon,
}

impl Start {
    /// The position as Lambda names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Latest => "LATEST",
            Self::TrimHorizon => "TRIM_HORIZON",
        }
    }
}
