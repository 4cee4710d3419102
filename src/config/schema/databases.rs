//! `[databases.NAME]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::PhysicalName;

/// An Aurora PostgreSQL cluster with its instances.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
}
