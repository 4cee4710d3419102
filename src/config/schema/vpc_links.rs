//! `[vpc_links.NAME]`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::network::SubnetTier;
use super::text::{GroupRef, PhysicalName};

/// A way for APIs into the network.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VpcLink {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
    /// In which subnets its interfaces are.
    #[serde(default)]
    pub subnets: SubnetTier,
    /// The security groups of its interfaces.
    pub security_groups: BTreeSet<GroupRef>,
}
