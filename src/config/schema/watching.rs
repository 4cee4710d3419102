//! `[alarms.NAME]` and `[dashboards.NAME]` and `[metric_filters.NAME]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::PhysicalName;

/// An alarm.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alarm {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
}

/// A dashboard.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dashboard {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
}

/// A metric that is counted from a log group.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricFilter {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
}
