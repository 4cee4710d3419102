//! `[security_groups.NAME]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{EnvName, GroupText, Peer, PhysicalName, PortRange};
use crate::words::security_groups::Protocol;

/// A security group.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecurityGroup {
    /// Another environment of the project whose group of this name is used, as its only key: `"dev"`.
    /// payctl finds it by its ownership tags, and changes neither the group nor its rules.
    pub from: Option<EnvName>,
    /// The physical name. Default: built from `naming.pattern`.
    pub name: Option<PhysicalName>,
    /// A description. A later change replaces the group. Needed unless `from` is set.
    #[serde(default)]
    pub description: GroupText,
    /// The inbound rules. Default: none.
    #[serde(default)]
    pub ingress: Vec<Rule>,
    /// The outbound rules: `"all"`, or a list of rules. Default: none.
    #[serde(default)]
    pub egress: Egress,
}

/// The outbound rules.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Egress {
    /// All traffic.
    All(All),
    /// Only traffic that a rule allows.
    Rules(Vec<Rule>),
}

impl Default for Egress {
    fn default() -> Self {
        Self::Rules(Vec::new())
    }
}

/// The word `all`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum All {
    /// All traffic.
    All,
}

/// A security group rule.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The protocol.
    #[serde(default)]
    pub protocol: Protocol,
    /// The port.
    pub port: Option<u16>,
    /// A range of ports, `"8000-8080"`.
    pub ports: Option<PortRange>,
    /// The source of traffic (ingress): an address range, `vpc`, `group:NAME` or `pl-...`.
    pub from: Option<Peer>,
    /// The destination of traffic (egress): an address range, `vpc`, `group:NAME` or `pl-...`.
    pub to: Option<Peer>,
    /// A description.
    pub description: Option<GroupText>,
}

impl Rule {
    /// The first and the last port; none if the protocol has no ports or the range is not valid.
    pub fn span(&self) -> Option<(u16, u16)> {
        match (self.protocol, self.port, self.ports.as_deref()) {
            (Protocol::Icmp | Protocol::Icmpv6 | Protocol::All, _, _) => None,
            (_, Some(port), _) => Some((port, port)),
            (_, None, Some(ports)) => {
                let (from, to) = ports.split_once('-')?;
                Some((from.parse().ok()?, to.parse().ok()?))
            }
            (_, None, None) => Some((0, u16::MAX)),
        }
    }
}
