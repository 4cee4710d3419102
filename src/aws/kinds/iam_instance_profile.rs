//! Instance profiles, with their one role folded in.

use serde::{Deserialize, Serialize};

use crate::model::text::Text;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InstanceProfile {
    /// The name, unique in the account.
    pub name: String,
    /// The path, `Scope::iam_path` for every profile that payctl makes.
    pub path: String,
    /// The name of the role.
    pub role: Text,
}
