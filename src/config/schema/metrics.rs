//! Metrics, as alarms, dashboards and metric filters name them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{MetricName, MetricNamespace, Statistic, Template, WatchedItem};
use crate::words::metrics::Unit;

/// A part of metric math.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metric {
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
}
