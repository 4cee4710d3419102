//! `[fleets.NAME]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::PhysicalName;

/// A group of EC2 instances that scales.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
}
