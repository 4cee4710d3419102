//! `[load_balancers.NAME]` and `[target_groups.NAME]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::PhysicalName;

/// A load balancer with its listeners.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadBalancer {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
}

/// Where a load balancer sends requests.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetGroup {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
}
