//! `[cost_anomalies.NAME]`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::OneOrMany;
use super::text::{Email, PhysicalName, TopicRef};

/// A monitor of unusual costs, and who hears of them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CostAnomaly {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
    /// Whose costs are watched.
    #[serde(default)]
    pub watch: CostWatch,
    /// The topic that hears of each anomaly at once; `costalerts` must be among its `publishers`.
    pub topic: Option<TopicRef>,
    /// E-mail addresses that hear of anomalies once a day or week.
    #[serde(default)]
    pub email: OneOrMany<Email>,
    /// How often the addresses hear of them.
    pub frequency: Option<AlertFrequency>,
    /// From which size on somebody hears of an anomaly.
    #[serde(default)]
    pub threshold: AnomalyThreshold,
}

/// Whose costs are watched.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum CostWatch {
    /// A word for all of something.
    All(WatchAll),
    /// What carries a cost allocation tag, or is in a cost category.
    Some(WatchSome),
}

impl Default for CostWatch {
    fn default() -> Self {
        Self::All(WatchAll::Services)
    }
}

/// All of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WatchAll {
    /// Each AWS service of the account.
    Services,
}

/// What carries a tag, or is in a category.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchSome {
    /// The key of an activated cost allocation tag.
    #[schemars(length(min = 1, max = 128))]
    pub tag: Option<String>,
    /// The name of a cost category.
    #[schemars(length(min = 1, max = 128))]
    pub category: Option<String>,
    /// The values.
    #[schemars(length(min = 1))]
    pub values: BTreeSet<String>,
}

/// How often e-mail addresses hear of anomalies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertFrequency {
    /// Once a day.
    Daily,
    /// Once a week.
    Weekly,
}

/// From which size on somebody hears of an anomaly.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnomalyThreshold {
    /// From this many dollars on.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub amount: Option<u32>,
    /// From this many percent above what was expected on.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub percent: Option<u32>,
    /// Whether both must be reached, or either.
    #[serde(default)]
    pub when: When,
}

impl Default for AnomalyThreshold {
    /// 100 dollars and 40 percent, as AWS suggests.
    fn default() -> Self {
        Self { amount: Some(100), percent: Some(40), when: When::Both }
    }
}

/// Whether two limits must be reached, or one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Both.
    #[default]
    Both,
    /// One of them.
    Either,
}
