//! Plain SSM parameters, such as the live ids that a platform publishes.

use serde::{Deserialize, Serialize};

use crate::model::text::Text;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameter {
    /// The name, `/payment/vpc-id-dev`.
    pub name: String,
    /// The value.
    pub value: Text,
    /// Whether the value is a comma-separated list.
    pub list: bool,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}
