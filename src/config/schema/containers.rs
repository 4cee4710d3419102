//! `[clusters.NAME]` and `[services.NAME]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::PhysicalName;

/// An ECS cluster.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
}

/// A Fargate service with its task.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContainerService {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
}
