//! Metrics, as alarms, dashboards and metric filters name them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{MetricName, MetricNamespace, Statistic, Template, WatchedItem};

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

/// The unit of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A count.
    Count,
    /// A count per second.
    CountPerSecond,
    /// Percent.
    Percent,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Bytes.
    Bytes,
    /// 1024 bytes.
    Kilobytes,
    /// 1024 kilobytes.
    Megabytes,
    /// 1024 megabytes.
    Gigabytes,
    /// Bytes per second.
    BytesPerSecond,
    /// No unit.
    None,
}

impl Unit {
    /// The value in CloudWatch.
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
