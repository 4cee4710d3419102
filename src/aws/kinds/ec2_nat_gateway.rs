//! Public NAT gateways in one zone.

use serde::{Deserialize, Serialize};

use crate::model::text::Text;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NatGateway {
    /// The id of the public subnet.
    pub subnet: Text,
    /// The allocation id of its elastic IP address.
    pub address: Text,
}
