//! `[alarms.NAME]`.

use crate::words::metrics::Unit;
use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::metrics::Metric;
use super::text::{
    MetricId, MetricName, MetricNamespace, PhysicalName, Statistic, Template, TopicRef, WatchedItem,
};
use super::yes;
use crate::words::alarms::{FewSamples, Missing};

/// A CloudWatch alarm on one metric, or on an `expression` over several `metrics`. It fires when the value
/// is `above`, `at_least`, `below` or `at_most` a threshold.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alarm {
    /// The physical name. Default: built from `naming.pattern`.
    pub name: Option<PhysicalName>,
    /// The description that people read when the alarm fires.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub description: String,
    /// The item to watch, such as `"functions.processing"`. It gives the namespace and the dimensions.
    pub watch: Option<WatchedItem>,
    /// The namespace of the metric. It replaces the namespace of `watch`.
    pub namespace: Option<MetricNamespace>,
    /// The name of the metric.
    pub metric: Option<MetricName>,
    /// Dimensions, in addition to those of `watch`.
    #[serde(default)]
    pub dimensions: BTreeMap<String, Template>,
    /// The statistic of each period. Default: the usual one of the metric.
    pub statistic: Option<Statistic>,
    /// Reads only data with this unit.
    pub unit: Option<Unit>,
    /// Metric math over `metrics`, by their ids: `"100 * errors / calls"`.
    #[schemars(length(min = 1, max = 1024))]
    pub expression: Option<String>,
    /// The parts of `expression`, by id.
    #[serde(default)]
    pub metrics: BTreeMap<MetricId, Metric>,
    /// Fires if the value is above this.
    pub above: Option<f64>,
    /// Fires if the value is this or above.
    pub at_least: Option<f64>,
    /// Fires if the value is below this.
    pub below: Option<f64>,
    /// Fires if the value is this or below.
    pub at_most: Option<f64>,
    /// The length of a period in seconds: 10, 20, 30, or a multiple of 60.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 10, max = 604_800))]
    pub period: u32,
    /// How many of the last periods the alarm evaluates.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10_080))]
    pub periods: u32,
    /// In how many of these periods the value must breach the threshold. Default: in all.
    #[schemars(range(min = 1, max = 10_080))]
    pub datapoints: Option<u32>,
    /// How to treat a period without data.
    #[serde(default)]
    pub missing: Missing,
    /// Whether to evaluate a percentile when there are too few samples for it.
    pub few_samples: Option<FewSamples>,
    /// Whether the alarm sends notifications.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Topics that get a message when the alarm fires.
    #[serde(default)]
    pub notify: BTreeSet<TopicRef>,
    /// Topics that get a message when the alarm returns to OK.
    #[serde(default)]
    pub notify_ok: BTreeSet<TopicRef>,
    /// Topics that get a message when there is no data.
    #[serde(default)]
    pub notify_missing: BTreeSet<TopicRef>,
    /// ARNs of other actions to run when the alarm fires.
    #[serde(default)]
    pub actions: BTreeSet<Template>,
}

fn five_minutes() -> u32 {
    300
}

fn one() -> u32 {
    1
}
