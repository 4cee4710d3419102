//! Route tables, with routes and subnet associations folded in.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::text::Text;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteTable {
    /// The id of the VPC.
    pub vpc: Text,
    /// Destinations (CIDR) and where they lead; the local route is not listed.
    pub routes: BTreeMap<String, Route>,
    /// The ids of the associated subnets.
    pub subnets: BTreeSet<Text>,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Route {
    /// An internet gateway, by id.
    InternetGateway(Text),
    /// A NAT gateway, by id.
    NatGateway(Text),
    /// A network interface, by id.
    Interface(Text),
}
