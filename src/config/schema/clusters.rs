//! `[clusters.NAME]`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::PhysicalName;
use crate::words::clusters::CapacityProvider;

/// An ECS cluster.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// The physical name. Default: built from `naming.pattern`.
    pub name: Option<PhysicalName>,
    /// Container Insights: `true` (metrics of clusters and services), `"enhanced"` (of tasks and
    /// containers as well), or `false`.
    #[serde(default)]
    pub insights: Insights,
    /// The capacity providers for tasks that other tools start in the cluster. The services of this
    /// config always use Fargate.
    #[serde(default)]
    pub capacity_providers: BTreeSet<CapacityProvider>,
}

/// What Container Insights measures.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Insights {
    /// Metrics of clusters and services, or none.
    Enabled(bool),
    /// Metrics of tasks and containers as well.
    Enhanced(Enhanced),
}

impl Default for Insights {
    fn default() -> Self {
        Self::Enabled(true)
    }
}

/// The word `enhanced`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Enhanced {
    /// Metrics of tasks and containers as well.
    Enhanced,
}
