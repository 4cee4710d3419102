//! Security group rules and the calls behind them, for the rules' own kind and for the default
//! group of a VPC.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{
    IpPermission, IpRange, Ipv6Range, PrefixListId, SecurityGroup, UserIdGroupPair,
};

use serde::{Deserialize, Serialize};

use super::common;
use super::security_group::with_others;
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use payctl_engine::model::error::OpError;
use payctl_engine::model::text::Text;

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
    /// The source or the destination.
    pub peer: Peer,
    /// Its description.
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

/// The rules of a group.
pub(super) fn rules_of(group: &SecurityGroup) -> BTreeSet<Rule> {
    let directed = |direction, permissions: &[IpPermission]| {
        let rules = permissions.iter().flat_map(|permission| Rule::read(direction, permission));
        rules.collect::<Vec<Rule>>()
    };
    let mut rules = directed(Direction::Ingress, group.ip_permissions());
    rules.extend(directed(Direction::Egress, group.ip_permissions_egress()));
    rules.into_iter().collect()
}

/// Gives a group exactly these rules. It adds missing rules first, so that it never interrupts
/// allowed traffic.
pub(super) async fn sync(aws: &Aws, group: &str, want: &BTreeSet<Rule>) -> Result<(), OpError> {
    let found = with_others(aws, group).await?;
    let found = found.iter().filter(|found| found.group_id.as_deref() == Some(group));
    let have: BTreeSet<Rule> = found.flat_map(rules_of).collect();
    for direction in [Direction::Ingress, Direction::Egress] {
        let want = || want.iter().filter(|rule| rule.direction == direction);
        let is_missing = |rule: &&Rule| !have.iter().any(|other| other.does_the_same(rule));
        let is_reworded = |rule: &&Rule| {
            let mut same = have.iter().filter(|other| other.does_the_same(rule));
            same.any(|other| other.description != rule.description)
        };
        let missing = want().filter(is_missing).map(Rule::permission).collect();
        authorize(aws, group, direction, missing).await?;
        let reworded = want().filter(is_reworded).map(Rule::permission).collect();
        describe(aws, group, direction, reworded).await?;
    }
    for direction in [Direction::Ingress, Direction::Egress] {
        let surplus = have.iter().filter(|rule| {
            rule.direction == direction && !want.iter().any(|other| other.does_the_same(rule))
        });
        revoke(aws, group, direction, surplus.map(Rule::permission).collect()).await?;
    }
    Ok(())
}

async fn authorize(
    aws: &Aws,
    group: &str,
    direction: Direction,
    permissions: Vec<IpPermission>,
) -> Result<(), OpError> {
    if permissions.is_empty() {
        return Ok(());
    }
    match direction {
        Direction::Ingress => {
            let call = aws.ec2.authorize_security_group_ingress().group_id(group);
            let send = call.set_ip_permissions(Some(permissions)).send();
            send.await.map_err(op("AuthorizeSecurityGroupIngress")).map(drop)
        }
        Direction::Egress => {
            let call = aws.ec2.authorize_security_group_egress().group_id(group);
            let send = call.set_ip_permissions(Some(permissions)).send();
            send.await.map_err(op("AuthorizeSecurityGroupEgress")).map(drop)
        }
    }
}

async fn describe(
    aws: &Aws,
    group: &str,
    direction: Direction,
    permissions: Vec<IpPermission>,
) -> Result<(), OpError> {
    if permissions.is_empty() {
        return Ok(());
    }
    match direction {
        Direction::Ingress => {
            let call = aws.ec2.update_security_group_rule_descriptions_ingress().group_id(group);
            let send = call.set_ip_permissions(Some(permissions)).send();
            send.await.map_err(op("UpdateSecurityGroupRuleDescriptionsIngress")).map(drop)
        }
        Direction::Egress => {
            let call = aws.ec2.update_security_group_rule_descriptions_egress().group_id(group);
            let send = call.set_ip_permissions(Some(permissions)).send();
            send.await.map_err(op("UpdateSecurityGroupRuleDescriptionsEgress")).map(drop)
        }
    }
}

async fn revoke(
    aws: &Aws,
    group: &str,
    direction: Direction,
    permissions: Vec<IpPermission>,
) -> Result<(), OpError> {
    if permissions.is_empty() {
        return Ok(());
    }
    match direction {
        Direction::Ingress => {
            let call = aws.ec2.revoke_security_group_ingress().group_id(group);
            let send = call.set_ip_permissions(Some(permissions)).send();
            send.await.map_err(op("RevokeSecurityGroupIngress")).or_gone().map(drop)
        }
        Direction::Egress => {
            let call = aws.ec2.revoke_security_group_egress().group_id(group);
            let send = call.set_ip_permissions(Some(permissions)).send();
            send.await.map_err(op("RevokeSecurityGroupEgress")).or_gone().map(drop)
        }
    }
}

impl Rule {
    /// The rule as AWS would return it.
    pub(super) fn canonical(self) -> Self {
        let protocol = match self.protocol.to_lowercase().as_str() {
            "all" => "-1".to_owned(),
            "6" => "tcp".to_owned(),
            "17" => "udp".to_owned(),
            "1" => "icmp".to_owned(),
            "58" => "icmpv6".to_owned(),
            other => other.to_owned(),
        };
        let (from, to) = (self.from_port.filter(|it| *it >= 0), self.to_port.filter(|it| *it >= 0));
        let (from_port, to_port) = match protocol.as_str() {
            "tcp" | "udp" => match from {
                Some(port) => (Some(port), Some(to.unwrap_or(port))),
                None => (Some(0), Some(to.unwrap_or(65_535))),
            },
            "icmp" | "icmpv6" => (from, to),
            // AWS ignores the ports of every other protocol.
            _ => (None, None),
        };
        let peer = match self.peer {
            Peer::Cidr(range) => Peer::Cidr(common::canonical_cidr(&range)),
            other => other,
        };
        let description = self.description.filter(|text| !text.is_empty());
        Self { protocol, from_port, to_port, peer, description, ..self }
    }

    /// The rules of one direction that AWS merged into one permission by protocol and ports.
    fn read(direction: Direction, permission: &IpPermission) -> Vec<Self> {
        let mut peers: Vec<(Option<Peer>, Option<String>)> = Vec::new();
        for range in permission.ip_ranges() {
            peers.push((range.cidr_ip.clone().map(Peer::Cidr), range.description.clone()));
        }
        for range in permission.ipv6_ranges() {
            peers.push((range.cidr_ipv6.clone().map(Peer::Cidr), range.description.clone()));
        }
        for pair in permission.user_id_group_pairs() {
            let group = pair.group_id.as_deref().map(|group| Peer::Group(group.into()));
            peers.push((group, pair.description.clone()));
        }
        for list in permission.prefix_list_ids() {
            let id = list.prefix_list_id.clone();
            peers.push((id.map(Peer::PrefixList), list.description.clone()));
        }
        let rules = peers.into_iter().filter_map(|(peer, description)| {
            let rule = Self {
                direction,
                protocol: permission.ip_protocol.clone().unwrap_or_else(|| "-1".to_owned()),
                from_port: permission.from_port,
                to_port: permission.to_port,
                peer: peer?,
                description,
            };
            Some(rule.canonical())
        });
        rules.collect()
    }

    fn permission(&self) -> IpPermission {
        let (from, to) = match self.protocol.as_str() {
            // Every type, or every code of a type.
            "icmp" | "icmpv6" => (self.from_port.or(Some(-1)), self.to_port.or(Some(-1))),
            _ => (self.from_port, self.to_port),
        };
        let permission =
            IpPermission::builder().ip_protocol(&self.protocol).set_from_port(from).set_to_port(to);
        let text = self.description.clone();
        let permission = match &self.peer {
            Peer::Cidr(range) if range.contains(':') => permission
                .ipv6_ranges(Ipv6Range::builder().cidr_ipv6(range).set_description(text).build()),
            Peer::Cidr(range) => permission
                .ip_ranges(IpRange::builder().cidr_ip(range).set_description(text).build()),
            Peer::Group(group) => permission.user_id_group_pairs(
                UserIdGroupPair::builder().group_id(group.known()).set_description(text).build(),
            ),
            Peer::PrefixList(list) => permission.prefix_list_ids(
                PrefixListId::builder().prefix_list_id(list).set_description(text).build(),
            ),
        };
        permission.build()
    }

    /// Whether two rules differ in their descriptions at most.
    fn does_the_same(&self, other: &Self) -> bool {
        let bare = |rule: &Self| Self { description: None, ..rule.clone() };
        bare(self) == bare(other)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn rule(protocol: &str, from: Option<i32>, to: Option<i32>, peer: Peer) -> Rule {
        Rule {
            direction: Direction::Ingress,
            protocol: protocol.into(),
            from_port: from,
            to_port: to,
            peer,
            description: None,
        }
    }

    /// A rule of every address.
    pub(crate) fn from_all(protocol: &str, from: Option<i32>, to: Option<i32>) -> Rule {
        rule(protocol, from, to, Peer::Cidr("0.0.0.0/0".into()))
    }

    #[test]
    fn every_spelling_has_one_canonical_form() {
        let check = |written: Rule, canonical| assert_eq!(written.canonical(), canonical);
        check(from_all("TCP", None, None), from_all("tcp", Some(0), Some(65_535)));
        check(from_all("6", Some(443), None), from_all("tcp", Some(443), Some(443)));
        check(from_all("all", Some(0), Some(65_535)), from_all("-1", None, None));
        check(from_all("-1", Some(-1), Some(-1)), from_all("-1", None, None));
        check(from_all("1", Some(-1), Some(-1)), from_all("icmp", None, None));
        check(from_all("icmp", Some(8), Some(-1)), from_all("icmp", Some(8), None));
        let range = |text: &str| rule("udp", Some(53), Some(53), Peer::Cidr(text.into()));
        check(range("10.1.2.3/16"), range("10.1.0.0/16"));
        let blank = Rule { description: Some(String::new()), ..from_all("-1", None, None) };
        check(blank, from_all("-1", None, None));
    }

    #[test]
    fn a_rule_is_read_back_as_it_was_sent() {
        for peer in [
            Peer::Cidr("10.0.0.0/8".into()),
            Peer::Cidr("2001:db8::/64".into()),
            Peer::Group("sg-2".into()),
            Peer::PrefixList("pl-1".into()),
        ] {
            let sent = Rule {
                description: Some("why".into()),
                ..rule("tcp", Some(80), Some(90), peer.clone())
            };
            assert_eq!(Rule::read(Direction::Ingress, &sent.permission()), [sent]);
        }
        let ping = from_all("icmp", None, None);
        assert_eq!(ping.permission().from_port, Some(-1));
        assert_eq!(Rule::read(Direction::Ingress, &ping.permission()), [ping]);
    }

    #[test]
    fn a_merged_permission_becomes_one_rule_per_peer() {
        let described = |text: &str| Some(text.to_owned());
        let merged = IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(443)
            .to_port(443)
            .ip_ranges(IpRange::builder().cidr_ip("10.0.0.0/8").description("a").build())
            .ip_ranges(IpRange::builder().cidr_ip("10.1.0.0/16").build())
            .user_id_group_pairs(
                UserIdGroupPair::builder().group_id("sg-2").description("b").build(),
            );
        let https = |peer| rule("tcp", Some(443), Some(443), peer);
        let expected = [
            Rule { description: described("a"), ..https(Peer::Cidr("10.0.0.0/8".into())) },
            https(Peer::Cidr("10.1.0.0/16".into())),
            Rule { description: described("b"), ..https(Peer::Group("sg-2".into())) },
        ];
        assert_eq!(Rule::read(Direction::Ingress, &merged.build()), expected);
    }

    #[test]
    fn rules_that_differ_only_in_description_are_equivalent() {
        let plain = from_all("tcp", Some(1), Some(1));
        let described = Rule { description: Some("x".into()), ..plain.clone() };
        assert!(plain.does_the_same(&described));
        assert!(!plain.does_the_same(&from_all("tcp", Some(1), Some(2))));
    }
}
