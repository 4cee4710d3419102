//! All rules of one security group, as one set.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::text::Text;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    /// The id of the security group.
    pub group: Text,
    /// The rules; any other rule of the group is removed.
    pub rules: BTreeSet<Rule>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// In or out.
    pub direction: Direction,
    /// `tcp`, `udp`, `icmp`, `icmpv6` or `-1` for all.
    pub protocol: String,
    /// The first port (or ICMP type); none when all.
    pub from_port: Option<i32>,
    /// The last port (or ICMP code); none when all.
    pub to_port: Option<i32>,
    /// From where or to where.
    pub peer: Peer,
    /// What it is for.
    pub description: Option<String>,
}

/// In or out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Direction {
    /// Into the group's interfaces.
    Ingress,
    /// Out of the group's interfaces.
    Egress,
}

/// The other side of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Peer {
    /// An address range, IPv4 or IPv6.
    Cidr(String),
    /// A security group, by id.
    Group(Text),
    /// A prefix list, by id.
    PrefixList(String),
}
