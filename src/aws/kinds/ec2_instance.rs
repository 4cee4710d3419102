//! Single instances, such as a NAT instance.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::text::Text;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Instance {
    /// The public SSM parameter that holds the image id; read when the instance is made.
    pub image_parameter: String,
    /// The instance type.
    pub instance_type: String,
    /// The id of the subnet.
    pub subnet: Text,
    /// The ids of the security groups.
    pub groups: BTreeSet<Text>,
    /// The name of the instance profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Text>,
    /// The script that runs at the first boot, as plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data: Option<String>,
    /// Whether AWS drops packets that are not from or to the instance itself.
    pub source_dest_check: bool,
}
