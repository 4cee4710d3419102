//! `[cost_anomalies.NAME]`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::OneOrMany;
use super::text::{Email, PhysicalName, TopicRef};
use crate::words::cost_anomalies::AlertFrequency;

/// A monitor of unusual costs, and the recipients of its alerts.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CostAnomaly {
    /// The physical name. Default: built from `naming.pattern`.
    pub name: Option<PhysicalName>,
    /// The costs to monitor.
    #[serde(default)]
    pub watch: CostWatch,
    /// The topic that gets a message about each anomaly at once. Its `publishers` must contain `costalerts`.
    pub topic: Option<TopicRef>,
    /// E-mail addresses that get a summary of anomalies once a day or week.
    #[serde(default)]
    pub email: OneOrMany<Email>,
    /// How often the e-mail addresses get a summary.
    pub frequency: Option<AlertFrequency>,
    /// The least size of an anomaly that causes an alert.
    #[serde(default)]
    pub threshold: AnomalyThreshold,
}

/// The costs to monitor.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum CostWatch {
    /// A word for a whole group.
    All(WatchAll),
    /// The resources with a cost allocation tag, or in a cost category.
    Some(WatchSome),
}

impl Default for CostWatch {
    fn default() -> Self {
        Self::All(WatchAll::Services)
    }
}

/// A whole group of costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WatchAll {
    /// The costs of each AWS service of the account.
    Services,
}

/// The resources with a tag, or in a category.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchSome {
    /// The key of an activated cost allocation tag.
    #[schemars(length(min = 1, max = 128))]
    pub tag: Option<String>,
    /// The name of a cost category.
    #[schemars(length(min = 1, max = 128))]
    pub category: Option<String>,
    /// The values of the tag or category.
    #[schemars(length(min = 1))]
    pub values: BTreeSet<String>,
}

/// The least size of an anomaly that causes an alert.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnomalyThreshold {
    /// The least impact in US dollars.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub amount: Option<u32>,
    /// The least impact in percent above the expected costs.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub percent: Option<u32>,
    /// Whether an anomaly must reach both limits, or one of them.
    #[serde(default)]
    pub when: When,
}

impl Default for AnomalyThreshold {
    /// 100 dollars and 40 percent, as AWS suggests.
    fn default() -> Self {
        Self { amount: Some(100), percent: Some(40), when: When::Both }
    }
}

/// Whether an anomaly must reach two limits, or one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Both limits.
    #[default]
    Both,
    /// One of the limits.
    Either,
}
