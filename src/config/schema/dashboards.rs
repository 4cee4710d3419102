//! `[dashboards.NAME]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::metrics::Metric;
use super::text::{
    AlarmRef, MetricId, MetricName, MetricNamespace, PhysicalName, Statistic, Template, WatchedItem,
};

/// A CloudWatch dashboard: generated from the environment, built from widgets, or both.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dashboard {
    /// The physical name. Default: built from `naming.pattern`. Names are unique across all regions.
    pub name: Option<PhysicalName>,
    /// Generates widgets for the parts of the environment that answer this question.
    pub generate: Option<Generate>,
    /// Additional widgets, below the generated ones.
    #[serde(default)]
    #[schemars(length(max = 500))]
    pub widgets: Vec<Widget>,
}

/// The question that a generated dashboard answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Generate {
    /// Does it work? Traffic, errors, latency, load.
    Operations,
    /// Is somebody attacking it? Blocked and refused requests, alarms.
    Security,
    /// What does it cost? Charges, and the usage that causes them.
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
    /// Text in Markdown.
    pub text: Option<String>,
    /// The alarms whose states to show.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub alarms: Vec<AlarmRef>,
    /// The type of a graph.
    #[serde(default)]
    pub kind: GraphKind,
    /// The period of a graph in seconds: 1, 5, 10, 30, or a multiple of 60.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 1, max = 2_592_000))]
    pub period: u32,
    /// The width, of 24 columns.
    #[serde(default = "twelve")]
    #[schemars(range(min = 1, max = 24))]
    pub width: u32,
    /// The height in grid rows.
    #[serde(default = "six")]
    #[schemars(range(min = 1, max = 1000))]
    pub height: u32,
    /// Whether the widget begins a new row, even if the row above has room for it.
    #[serde(default)]
    pub new_row: bool,
}

/// A line of a graph: a metric, or an `expression` over several `metrics`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
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
    /// Metric math over `metrics`, by their ids.
    #[schemars(length(min = 1, max = 1024))]
    pub expression: Option<String>,
    /// The parts of `expression`, by id; unique in the widget.
    #[serde(default)]
    pub metrics: BTreeMap<MetricId, Metric>,
    /// The label of the line.
    pub label: Option<String>,
}

/// The type of a graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GraphKind {
    /// Lines over time.
    #[default]
    Line,
    /// Stacked areas over time.
    Stacked,
    /// The latest values as numbers.
    Number,
    /// The latest values as bars.
    Bar,
    /// The latest values as parts of a whole.
    Pie,
}

fn six() -> u32 {
    6
}

fn twelve() -> u32 {
    12
}

fn five_minutes() -> u32 {
    300
}
