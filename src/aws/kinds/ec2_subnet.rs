//! Subnets.

use serde::{Deserialize, Serialize};

use crate::model::text::Text;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subnet {
    /// The id of the VPC.
    pub vpc: Text,
    /// The address range.
    pub cidr: String,
    /// The availability zone.
    pub zone: String,
    /// Whether instances get a public address.
    pub public_addresses: bool,
}
