//! `[cost_anomalies.NAME]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::PhysicalName;

/// A monitor of unusual costs, and who hears of them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CostAnomaly {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
}
