//! `[firewalls.NAME]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::PhysicalName;

/// A web ACL and what it protects.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Firewall {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
}
