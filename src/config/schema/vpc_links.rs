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
    /// The security groups of its network interfaces.
    pub security_groups: BTreeSet<GroupRef>,
}
