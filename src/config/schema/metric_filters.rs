//! `[metric_filters.NAME]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::metrics::Unit;
use super::text::{LogSource, MetricName, MetricNamespace, PhysicalName};

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

fn each() -> String {
    "1".into()
}

fn no_unit() -> Unit {
    Unit::None
}
