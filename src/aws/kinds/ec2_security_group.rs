//! Security groups without their rules, so that groups may refer to each other.

use serde::{Deserialize, Serialize};

use crate::model::text::Text;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecurityGroup {
    /// The name, unique in the VPC.
    pub name: String,
    /// The description, which AWS requires and never changes.
    pub description: String,
    /// The id of the VPC.
    pub vpc: Text,
}
