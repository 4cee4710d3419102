//! `[security_groups.NAME]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{GroupText, Peer, PhysicalName, PortRange};

/// A security group.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecurityGroup {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
    /// What it is for. It cannot be changed later without replacing the group.
    pub description: GroupText,
    /// What may come in. Nothing unless stated.
    #[serde(default)]
    pub ingress: Vec<Rule>,
    /// What may go out: `"all"`, or a list of rules. Nothing unless stated.
    #[serde(default)]
    pub egress: Egress,
}

/// What may go out.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Egress {
    /// Everything.
    All(All),
    /// Only this.
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
    /// Everything.
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
    /// Where traffic comes from (ingress): an address range, `vpc`, `group:NAME` or `pl-...`.
    pub from: Option<Peer>,
    /// Where traffic goes to (egress): an address range, `vpc`, `group:NAME` or `pl-...`.
    pub to: Option<Peer>,
    /// What it is for.
    pub description: Option<GroupText>,
}

impl Rule {
    /// The first and the last port; none if the protocol has none or the range is no range.
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

/// An IP protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// ICMP.
    Icmp,
    /// ICMP for IPv6.
    Icmpv6,
    /// Every protocol.
    All,
}
