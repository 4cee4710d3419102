//! `[alarms.NAME]`, `[dashboards.NAME]` and `[metric_filters.NAME]`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{
    AlarmRef, LogSource, MetricId, MetricName, MetricNamespace, PhysicalName, Statistic, Template,
    TopicRef, WatchedItem,
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

/// A part of metric math.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metric {
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

/// The unit of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A number of things.
    Count,
    /// Things in a second.
    CountPerSecond,
    /// Of a hundred.
    Percent,
    /// Seconds.
    Seconds,
    /// Thousandths of a second.
    Milliseconds,
    /// Millionths of a second.
    Microseconds,
    /// Bytes.
    Bytes,
    /// 1024 bytes.
    Kilobytes,
    /// 1024 kilobytes.
    Megabytes,
    /// 1024 megabytes.
    Gigabytes,
    /// Bytes in a second.
    BytesPerSecond,
    /// No unit.
    None,
}

impl Unit {
    /// The word of CloudWatch.
    pub fn word(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::CountPerSecond => "Count/Second",
            Self::Percent => "Percent",
            Self::Seconds => "Seconds",
            Self::Milliseconds => "Milliseconds",
            Self::Microseconds => "Microseconds",
            Self::Bytes => "Bytes",
            Self::Kilobytes => "Kilobytes",
            Self::Megabytes => "Megabytes",
            Self::Gigabytes => "Gigabytes",
            Self::BytesPerSecond => "Bytes/Second",
            Self::None => "None",
        }
    }
}

/// A dashboard: made from what the environment contains, from widgets, or from both.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dashboard {
    /// The physical name, instead of one by the pattern. Dashboards of all regions share their names.
    pub name: Option<PhysicalName>,
    /// Widgets for everything in the environment, as far as it matters to this question.
    pub generate: Option<Generate>,
    /// More widgets, below the generated ones.
    #[serde(default)]
    #[schemars(length(max = 500))]
    pub widgets: Vec<Widget>,
}

/// The question that a generated dashboard answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Generate {
    /// Does it work: traffic, errors, latency, load.
    Operations,
    /// Is somebody at the door: blocked and refused requests, alarms.
    Security,
    /// What does it cost: charges, and what drives them.
    Cost,
}

/// A widget: a graph of `metrics`, a `text`, or the states of `alarms`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Widget {
    /// The title.
    #[serde(default)]
    pub title: String,
    /// The lines of a graph.
    #[serde(default)]
    #[schemars(length(max = 500))]
    pub metrics: Vec<Line>,
    /// A text in Markdown.
    pub text: Option<String>,
    /// Alarms whose states are shown.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub alarms: Vec<AlarmRef>,
    /// How a graph looks.
    #[serde(default)]
    pub kind: GraphKind,
    /// The period of a graph in seconds: 1, 5, 10, 30, or a multiple of 60.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 1, max = 2_592_000))]
    pub period: u32,
    /// Its width, of 24.
    #[serde(default = "twelve")]
    #[schemars(range(min = 1, max = 24))]
    pub width: u32,
    /// Its height.
    #[serde(default = "six")]
    #[schemars(range(min = 1, max = 1000))]
    pub height: u32,
}

/// A line of a graph: a metric, or an `expression` over several `metrics`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
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
    /// Metric math over `metrics`, by their ids.
    #[schemars(length(min = 1, max = 1024))]
    pub expression: Option<String>,
    /// The parts of `expression`, by id; unique in the widget.
    #[serde(default)]
    pub metrics: BTreeMap<MetricId, Metric>,
    /// Its name in the graph.
    pub label: Option<String>,
}

/// How a graph looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GraphKind {
    /// Lines over time.
    #[default]
    Line,
    /// Areas over time, on top of each other.
    Stacked,
    /// The latest values as numbers.
    Number,
    /// The latest values as bars.
    Bar,
    /// The latest values as parts of a whole.
    Pie,
}

/// A metric that is counted from the events of a log group.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricFilter {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
    /// The log group: one of `log_groups`, or that of something else, `"functions.processing"`.
    pub log_group: LogSource,
    /// Which events count; all if empty.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub pattern: String,
    /// The namespace of the metric.
    pub namespace: MetricNamespace,
    /// The name of the metric.
    pub metric: MetricName,
    /// What each event adds: a number, or a field such as `"$.amount"`.
    #[serde(default = "each")]
    #[schemars(length(min = 1, max = 100))]
    pub value: String,
    /// The value of a period without events; nothing if unset.
    pub default: Option<f64>,
    /// Dimensions of the metric, each with the field that it is read from.
    #[serde(default)]
    pub dimensions: BTreeMap<String, String>,
    /// The unit.
    #[serde(default = "no_unit")]
    pub unit: Unit,
}

fn five_minutes() -> u32 {
    300
}

fn one() -> u32 {
    1
}

fn six() -> u32 {
    6
}

fn twelve() -> u32 {
    12
}

fn each() -> String {
    "1".into()
}

fn no_unit() -> Unit {
    Unit::None
}
