//! `[alarms.NAME]`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::metrics::{Metric, Unit};
use super::text::{
    MetricId, MetricName, MetricNamespace, PhysicalName, Statistic, Template, TopicRef, WatchedItem,
};
use super::yes;

/// An alarm: on one metric, or on an `expression` over several `metrics`. It goes off when the value
/// is `above`, `at_least`, `below` or `at_most` a threshold.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alarm {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
    /// What people read when it goes off.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub description: String,
    /// What is watched, `"functions.processing"`; gives the namespace and the dimensions.
    pub watch: Option<WatchedItem>,
    /// The namespace of the metric, without `watch` or instead of its own.
    pub namespace: Option<MetricNamespace>,
    /// The name of the metric.
    pub metric: Option<MetricName>,
    /// Dimensions, beside those of what is watched.
    #[serde(default)]
    pub dimensions: BTreeMap<String, Template>,
    /// The statistic of each period; the usual one of the metric if unset.
    pub statistic: Option<Statistic>,
    /// Only data with this unit.
    pub unit: Option<Unit>,
    /// Metric math over `metrics`, by their ids: `"100 * errors / calls"`.
    #[schemars(length(min = 1, max = 1024))]
    pub expression: Option<String>,
    /// The parts of `expression`, by id.
    #[serde(default)]
    pub metrics: BTreeMap<MetricId, Metric>,
    /// It goes off above this.
    pub above: Option<f64>,
    /// It goes off at this and above.
    pub at_least: Option<f64>,
    /// It goes off below this.
    pub below: Option<f64>,
    /// It goes off at this and below.
    pub at_most: Option<f64>,
    /// The length of a period in seconds: 10, 20, 30, or a multiple of 60.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 10, max = 604_800))]
    pub period: u32,
    /// How many of the last periods are looked at.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10_080))]
    pub periods: u32,
    /// In how many of them the threshold must be broken; in all if unset.
    #[schemars(range(min = 1, max = 10_080))]
    pub datapoints: Option<u32>,
    /// What a period without data counts as.
    #[serde(default)]
    pub missing: Missing,
    /// Whether a percentile counts when there are too few samples for it.
    pub few_samples: Option<FewSamples>,
    /// Whether it tells anybody.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Topics that are told when it goes off.
    #[serde(default)]
    pub notify: BTreeSet<TopicRef>,
    /// Topics that are told when all is well again.
    #[serde(default)]
    pub notify_ok: BTreeSet<TopicRef>,
    /// Topics that are told when there are no data.
    #[serde(default)]
    pub notify_missing: BTreeSet<TopicRef>,
    /// What else is called when it goes off, by ARN.
    #[serde(default)]
    pub actions: BTreeSet<Template>,
}

/// What a period without data counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// As missing: without any data the alarm has a state of its own.
    #[default]
    Missing,
    /// As nothing: the alarm stays as it is.
    Ignore,
    /// As bad.
    Breaching,
    /// As good.
    NotBreaching,
}

impl Missing {
    /// The word of CloudWatch.
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Ignore => "ignore",
            Self::Breaching => "breaching",
            Self::NotBreaching => "notBreaching",
        }
    }
}

/// Whether a percentile counts when there are too few samples for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FewSamples {
    /// It counts.
    Evaluate,
    /// The alarm stays as it is.
    Ignore,
}

impl FewSamples {
    /// The word of CloudWatch.
    pub fn word(self) -> &'static str {
        match self {
            Self::Evaluate => "evaluate",
            Self::Ignore => "ignore",
        }
    }
}

fn five_minutes() -> u32 {
    300
}

fn one() -> u32 {
    1
}
