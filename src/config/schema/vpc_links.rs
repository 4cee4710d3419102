//! `[vpc_links.NAME]`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::network::SubnetTier;
use super::text::{GroupRef, PhysicalName};

/// A VPC link: a connection from APIs into the network.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VpcLink {
    /// The physical name. Default: built from `naming.pattern`.
    pub name: Option<PhysicalName>,
    /// The tier of subnets of its network interfaces.
    #[serde(default)]
    pub subnets: SubnetTier,
    /// The number of zones, from the first, that it has a network interface in. Default: all. AWS
    /// cannot move a link, so without this key payctl replaces it when `zones` of the network changes.
    #[schemars(range(min = 1, max = 6))]
    pub zones: Option<u8>,
    /// The security groups of its network interfaces.
    pub security_groups: BTreeSet<GroupRef>,
}
