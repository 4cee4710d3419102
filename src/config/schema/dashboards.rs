//! `[dashboards.NAME]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::metrics::Metric;
use super::text::{
    AlarmRef, MetricId, MetricName, MetricNamespace, PhysicalName, Statistic, Template, WatchedItem,
};

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

fn six() -> u32 {
    6
}

fn twelve() -> u32 {
    12
}

fn five_minutes() -> u32 {
    300
}
