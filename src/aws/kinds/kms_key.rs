//! Customer keys, with alias, policy and rotation folded in.

use serde::{Deserialize, Serialize};

use crate::model::document::Document;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    /// The alias, `alias/...`.
    pub alias: String,
    /// What the key is for.
    pub description: String,
    /// Who may use and manage it.
    pub policy: Document,
    /// Whether AWS rotates the key material.
    pub rotation: bool,
    /// How often, in days; AWS's default is 365.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation_days: Option<u32>,
    /// How long a deleted key can be brought back, in days (kept in a tag, for the deletion).
    pub recovery_days: u32,
}
