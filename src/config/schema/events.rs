//! `[events.NAME]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::PhysicalName;

/// An EventBridge rule with its targets.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventRule {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
}
