//! `[metric_filters.NAME]`.

use crate::words::metrics::Unit;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{LogSource, MetricName, MetricNamespace, PhysicalName};

/// A metric filter: a metric from the events of a log group.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricFilter {
    /// The physical name. Default: built from `naming.pattern`.
    pub name: Option<PhysicalName>,
    /// The log group: one of `log_groups`, or the log of another item, such as `"functions.processing"`.
    pub log_group: LogSource,
    /// The filter pattern: which events count. If empty, all events count.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub pattern: String,
    /// The namespace of the metric.
    pub namespace: MetricNamespace,
    /// The name of the metric.
    pub metric: MetricName,
    /// The value of each event: a number, or a field such as `"$.amount"`.
    #[serde(default = "each")]
    #[schemars(length(min = 1, max = 100))]
    pub value: String,
    /// The value of a period without events. Default: no value.
    pub default: Option<f64>,
    /// The dimensions of the metric, each with the field that gives its value.
    #[serde(default)]
    pub dimensions: BTreeMap<String, String>,
    /// The unit of the metric.
    #[serde(default = "no_unit")]
    pub unit: Unit,
}

fn each() -> String {
    "1".into()
}

fn no_unit() -> Unit {
    Unit::None
}
