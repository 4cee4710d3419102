//! `[functions.NAME]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::OneOrMany;
use super::log_groups::Retention;
use super::network::InnerTier;
use super::text::{
    GroupRef, ItemName, KeyRef, PhysicalName, QueueRef, RoleRef, TableRef, Template, VariableName,
};
use super::yes;
use crate::words::functions::{Architecture, Start};
use crate::words::log_groups::LogClass;

/// A Lambda function. payctl packs it from a folder of sources.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// The physical name. Default: built from `naming.pattern`.
    pub name: Option<PhysicalName>,
    /// A description.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub description: String,
    /// The folder of its code, relative to the config directory. payctl leaves out dotfiles, `__pycache__`,
    /// `*.pyc`, and folders named `tests`.
    pub source: String,
    /// The runtime, `"python3.13"`.
    pub runtime: String,
    /// The handler: file and function.
    #[serde(default = "handler")]
    #[schemars(length(min = 1, max = 128))]
    pub handler: String,
    /// The architecture. Arm costs a fifth less.
    #[serde(default)]
    pub architecture: Architecture,
    /// The memory in MB. The CPU share grows with it.
    #[serde(default = "memory")]
    #[schemars(range(min = 128, max = 10240))]
    pub memory: u32,
    /// The timeout of a call in seconds. An API waits 29 seconds.
    #[serde(default = "timeout")]
    #[schemars(range(min = 1, max = 900))]
    pub timeout: u32,
    /// The disk space under /tmp in MB.
    #[serde(default = "disk")]
    #[schemars(range(min = 512, max = 10240))]
    pub disk: u32,
    /// The role that it runs with.
    pub role: RoleRef,
    /// The subnets of its network interfaces. Without them it runs outside the network.
    pub subnets: Option<InnerTier>,
    /// The security groups of these interfaces.
    #[serde(default)]
    pub security_groups: OneOrMany<GroupRef>,
    /// Environment variables.
    #[serde(default)]
    pub environment: BTreeMap<VariableName, Template>,
    /// The KMS key that encrypts the environment variables. Default: Lambda's own key.
    pub environment_key: Option<KeyRef>,
    /// Reserved concurrency: how many calls may run at the same time. Lambda takes them from the
    /// account's limit, of which 100 must stay free.
    #[schemars(range(min = 0, max = 100_000))]
    pub reserved_concurrency: Option<u32>,
    /// The ARN of a queue or topic for asynchronous calls that fail.
    pub dead_letter: Option<Template>,
    /// Whether X-Ray traces calls.
    #[serde(default)]
    pub tracing: bool,
    /// How many days CloudWatch keeps its log, or `"forever"`.
    #[serde(default)]
    pub log_retention_days: Retention,
    /// The class of its log group. AWS never changes the class of a log group, and payctl does not replace one: set
    /// it before the first apply.
    #[serde(default)]
    pub log_class: LogClass,
    /// The KMS key that encrypts its log. Default: CloudWatch's own key.
    pub log_key: Option<KeyRef>,
    /// The queues and tables whose messages and changes it processes.
    #[serde(default)]
    pub triggers: Vec<Trigger>,
    /// Aliases by name. Each names a published version: payctl publishes one when the code or the
    /// configuration changes. Where a function can be named, `validation:live` names the alias `live`
    /// of the function `validation`.
    #[serde(default)]
    pub aliases: BTreeMap<ItemName, FunctionAlias>,
    /// How many older versions payctl keeps for a way back, beside those that aliases name.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 100))]
    pub keep_versions: u32,
}

fn three() -> u32 {
    3
}

/// An alias of a function.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FunctionAlias {
    /// Whether it stays at its version when the function changes. It gets its first version when
    /// payctl creates it.
    #[serde(default)]
    pub hold: bool,
    /// Provisioned concurrency: how many calls it is always ready for, as a number or within bounds. It
    /// costs money while nothing calls the function.
    pub provisioned_concurrency: Option<ProvisionedConcurrency>,
}

/// How many calls an alias is always ready for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ProvisionedConcurrency {
    /// Always the same number.
    Fixed(#[schemars(range(min = 1, max = 100_000))] u32),
    /// As many as calls need.
    Scaled(ProvisionedScaling),
}

/// Automatic scaling of provisioned concurrency.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProvisionedScaling {
    /// The fewest calls that it is ready for.
    #[schemars(range(min = 1, max = 100_000))]
    pub min: u32,
    /// The most calls that it is ready for.
    #[schemars(range(min = 1, max = 100_000))]
    pub max: u32,
    /// The use to keep, in percent.
    #[serde(default = "seventy")]
    #[schemars(range(min = 10, max = 90))]
    pub utilization: u32,
}

fn seventy() -> u32 {
    70
}

impl ProvisionedConcurrency {
    /// The most calls that it provides for.
    pub fn most(&self) -> u32 {
        match self {
            Self::Fixed(calls) => *calls,
            Self::Scaled(scaling) => scaling.max,
        }
    }
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

/// A trigger of a function: a queue, or the stream of a table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// The queue.
    pub queue: Option<QueueRef>,
    /// The table, which needs a `stream`.
    pub table: Option<TableRef>,
    /// The alias of this function that it calls. Default: the function itself.
    pub alias: Option<ItemName>,
    /// Whether the trigger is on.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The most messages or changes in a call. Default: 10 for a queue, 100 for a
    /// table.
    #[schemars(range(min = 1, max = 10_000))]
    pub batch_size: Option<u32>,
    /// How many seconds Lambda gathers messages for a batch.
    #[serde(default)]
    #[schemars(range(min = 0, max = 300))]
    pub window: u32,
    /// The most calls that a queue makes at the same time.
    #[schemars(range(min = 2, max = 1000))]
    pub max_concurrency: Option<u32>,
    /// Whether the function reports the failed messages of a batch, so that Lambda retries only those.
    #[serde(default)]
    pub report_failures: bool,
    /// The initial position in the stream of a table.
    pub start: Option<Start>,
    /// How often Lambda retries a failed batch of a table. Default: until the batch expires.
    #[schemars(range(min = 0, max = 10_000))]
    pub retries: Option<u32>,
    /// The ARN of a queue or topic for batches of a table that fail. Queues have their own dead-letter
    /// queues.
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
