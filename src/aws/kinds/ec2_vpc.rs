//! VPCs, with DNS settings and the stripped default security group folded in.

use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vpc {
    /// The address range.
    pub cidr: String,
    /// Whether the VPC resolves names.
    pub dns_support: bool,
    /// Whether instances get host names.
    pub dns_hostnames: bool,
    /// Whether the default security group has no rules at all.
    pub default_group_closed: bool,
}
