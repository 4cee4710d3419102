//! All rules of one security group, as one set.
//!
//! The set exists exactly while its group, found by the group's tags, has a rule: so it can be
//! emptied before any group is deleted, and groups may refer to each other. A group that should
//! have no rules at all cannot be expressed.
//!
//! AWS quirks: a new group lets everything out. One duplicate refuses a whole batch, and a
//! duplicate is one whose description alone differs. Ports come back as -1 where there are none,
//! protocols by name, address ranges with their host bits zero; `canonical` settles all of that in
//! both directions.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_ec2::types::{
    IpPermission, IpRange, Ipv6Range, PrefixListId, SecurityGroupRule, UserIdGroupPair,
};
use futures::future::try_join_all;
use serde::{Deserialize, Deserializer, Serialize};

use super::ec2_security_group::list as groups;
use super::{ec2, ec2_security_group::SecurityGroup};
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use crate::model::address::Address;
use crate::model::error::{ErrorClass, OpError};
use crate::model::live::{Found, Live, Owner, Phase, Tags};
use crate::model::meta::{Meta, Replace};
use crate::model::text::{Output, Outputs, Text};

/// The rules of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    /// The id of the security group.
    pub group: Text,
    /// The rules; any other rule of the group is removed.
    #[serde(deserialize_with = "canonical")]
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

impl Resource for Rules {
    const META: Meta = Meta {
        notes: &[
            "The set is complete: a rule that the config does not contain is removed, also the one \
             that AWS gives every new group.",
            "New rules are added before old ones are removed.",
        ],
        immutable: &["group"],
        replace: Replace::DeleteFirst,
        tagged: false,
        settle: ec2::SETTLE,
        deadline: Duration::from_secs(300),
        transient: &[
            ("InvalidGroup.NotFound", ""),
            ("InvalidGroupId.NotFound", ""),
            ("InvalidPrefixListID.NotFound", ""),
        ],
        actions: &[
            "ec2:AuthorizeSecurityGroupEgress",
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:DescribeSecurityGroupRules",
            "ec2:DescribeSecurityGroups",
            "ec2:RevokeSecurityGroupEgress",
            "ec2:RevokeSecurityGroupIngress",
            "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
            "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
        ],
        ..Meta::new("ec2.security_group_rules", "ec2", "All rules of one security group.")
    };

    fn sample() -> Self {
        let group = Text::reference(Address::new("ec2.security_group", "sample"), Output::Id);
        let rule = |direction, port: Option<i32>, peer, description: &str| Rule {
            direction,
            protocol: if port.is_some() { "tcp" } else { "-1" }.into(),
            from_port: port,
            to_port: port,
            peer,
            description: Some(description.to_owned()).filter(|text| !text.is_empty()),
        };
        let rules = BTreeSet::from([
            rule(Direction::Ingress, Some(5432), Peer::Group(group.clone()), "Among themselves"),
            rule(Direction::Ingress, Some(443), Peer::Cidr("10.90.0.0/16".into()), "From the VPC"),
            rule(Direction::Egress, None, Peer::Cidr("0.0.0.0/0".into()), ""),
        ]);
        Self { group, rules }
    }

    fn variants() -> Vec<Self> {
        let sample = Self::sample();
        let each = |change: fn(Rule) -> Rule| Self {
            rules: sample.rules.iter().cloned().map(change).collect(),
            ..sample.clone()
        };
        let reworded = each(|rule| Rule { description: Some("Reworded".into()), ..rule });
        let undescribed = each(|rule| Rule { description: None, ..rule });
        let over_udp = each(|rule| match rule.direction {
            Direction::Ingress => Rule { protocol: "udp".into(), ..rule },
            Direction::Egress => Rule { peer: Peer::Cidr("10.90.0.0/16".into()), ..rule },
        });
        let only_one = Self {
            rules: sample.rules.iter().take(1).cloned().collect(),
            group: sample.group.clone(),
        };
        vec![reworded, undescribed, over_udp, only_one]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let found = groups(cx.aws, ec2::ours(&cx.aws.scope)).await?.into_iter();
        let owned: Vec<(String, Address)> = found
            .filter_map(|group| {
                let owner = cx.aws.scope.owned(&ec2::tags(group.tags))?;
                Some((group.group_id?, Address::new(Self::META.kind, owner.name)))
            })
            .collect();
        let ids: Vec<String> = owned.iter().map(|(id, _)| id.clone()).collect();
        let rules = rules_of(cx.aws, &ids).await?;
        let found = owned.into_iter().filter_map(|(id, address)| {
            let of_group = rules.iter().filter(|rule| rule.group_id.as_deref() == Some(&id));
            Some(Found { address, owner: Owner::Ours, live: live(&id, of_group)? })
        });
        Ok(found.collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let group = match cx.id {
            Some(id) => id.to_owned(),
            None => {
                let owner = Address::new(SecurityGroup::META.kind, &cx.address.name);
                let found = groups(cx.aws, ec2::at(&cx.aws.scope, &owner)).await?;
                let found = found.into_iter().find(|group| {
                    cx.aws.scope.owned(&ec2::tags(group.tags.clone())).as_ref() == Some(&owner)
                });
                match found.and_then(|group| group.group_id) {
                    Some(id) => id,
                    None => return Ok(None),
                }
            }
        };
        let rules = rules_of(cx.aws, std::slice::from_ref(&group)).await?;
        Ok(live(&group, rules.iter()))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        if self.rules.is_empty() {
            let message = "a security group needs at least one rule; to close it, let it reach \
                           only 255.255.255.255/32";
            return Err(OpError::new("create", ErrorClass::Invalid, "NoRules", message));
        }
        let group = self.group.known();
        sync(cx.aws, group, &self.rules).await?;
        Ok(group.to_owned())
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        sync(cx.aws, &live.id, &self.rules).await
    }

    async fn retag(_: &Cx<'_>, _: &Live<Self>, _: &Tags, _: &[String]) -> Result<(), OpError> {
        Ok(())
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        sync(cx.aws, &live.id, &BTreeSet::new()).await
    }
}

/// The rules of a group as one object; none when there are none.
fn live<'a>(
    group: &str,
    rules: impl Iterator<Item = &'a SecurityGroupRule>,
) -> Option<Live<Rules>> {
    let rules: BTreeSet<Rule> = rules.filter_map(Rule::read).collect();
    (!rules.is_empty()).then(|| Live {
        id: group.to_owned(),
        spec: Rules { group: group.into(), rules },
        outputs: Outputs::from([(Output::Id, group.to_owned())]),
        tags: Tags::new(),
        phase: Phase::Ready,
    })
}

/// The rules of some groups, as AWS lists them.
pub(super) async fn rules_of(
    aws: &Aws,
    groups: &[String],
) -> Result<Vec<SecurityGroupRule>, OpError> {
    // A filter takes 200 values at most.
    let batches = groups.chunks(200).map(|ids| async move {
        let filter = ec2::filter("group-id", ids);
        let call = aws.ec2.describe_security_group_rules().filters(filter).max_results(1000);
        let pages = call.into_paginator().items().send();
        let rules: Result<Vec<_>, _> = pages.try_collect().await;
        let rules = rules.map_err(op("DescribeSecurityGroupRules")).or_gone()?;
        Ok(rules.unwrap_or_default())
    });
    let rules = try_join_all(batches).await?.into_iter().flatten();
    let is_asked = |rule: &SecurityGroupRule| {
        rule.group_id.as_ref().is_some_and(|group| groups.contains(group))
    };
    Ok(rules.filter(is_asked).collect())
}

/// Gives a group exactly these rules: what is missing first, so that nothing that stays is cut off.
pub(super) async fn sync(aws: &Aws, group: &str, want: &BTreeSet<Rule>) -> Result<(), OpError> {
    let listed = rules_of(aws, &[group.to_owned()]).await?;
    let have: Vec<(Rule, &SecurityGroupRule)> =
        listed.iter().filter_map(|rule| Some((Rule::read(rule)?, rule))).collect();
    for direction in [Direction::Ingress, Direction::Egress] {
        let want = || want.iter().filter(|rule| rule.direction == direction);
        let is_missing = |rule: &&Rule| !have.iter().any(|(other, _)| other.does_the_same(rule));
        let is_reworded = |rule: &&Rule| {
            let mut same = have.iter().filter(|(other, _)| other.does_the_same(rule));
            same.any(|(other, _)| other.description != rule.description)
        };
        let missing = want().filter(is_missing).map(Rule::permission).collect();
        authorize(aws, group, direction, missing).await?;
        let reworded = want().filter(is_reworded).map(Rule::permission).collect();
        describe(aws, group, direction, reworded).await?;
    }
    for direction in [Direction::Ingress, Direction::Egress] {
        let surplus = have.iter().filter(|(rule, _)| {
            rule.direction == direction && !want.iter().any(|other| other.does_the_same(rule))
        });
        let ids = surplus.filter_map(|(_, listed)| listed.security_group_rule_id.clone());
        revoke(aws, group, direction, ids.collect()).await?;
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
    ids: Vec<String>,
) -> Result<(), OpError> {
    if ids.is_empty() {
        return Ok(());
    }
    match direction {
        Direction::Ingress => {
            let call = aws.ec2.revoke_security_group_ingress().group_id(group);
            let send = call.set_security_group_rule_ids(Some(ids)).send();
            send.await.map_err(op("RevokeSecurityGroupIngress")).or_gone().map(drop)
        }
        Direction::Egress => {
            let call = aws.ec2.revoke_security_group_egress().group_id(group);
            let send = call.set_security_group_rule_ids(Some(ids)).send();
            send.await.map_err(op("RevokeSecurityGroupEgress")).or_gone().map(drop)
        }
    }
}

fn canonical<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<Rule>, D::Error> {
    let rules = BTreeSet::<Rule>::deserialize(deserializer)?;
    Ok(rules.into_iter().map(Rule::canonical).collect())
}

impl Rule {
    /// The rule as AWS would return it.
    fn canonical(self) -> Self {
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
            Peer::Cidr(range) => Peer::Cidr(ec2::canonical_cidr(&range)),
            other => other,
        };
        let description = self.description.filter(|text| !text.is_empty());
        Self { protocol, from_port, to_port, peer, description, ..self }
    }

    fn read(rule: &SecurityGroupRule) -> Option<Self> {
        let range = rule.cidr_ipv4.as_ref().or(rule.cidr_ipv6.as_ref());
        let group = rule.referenced_group_info.as_ref().and_then(|info| info.group_id.as_deref());
        let peer = match (range, group, &rule.prefix_list_id) {
            (Some(range), _, _) => Peer::Cidr(range.clone()),
            (_, Some(group), _) => Peer::Group(group.into()),
            (_, _, Some(list)) => Peer::PrefixList(list.clone()),
            (None, None, None) => return None,
        };
        let direction = match rule.is_egress {
            Some(true) => Direction::Egress,
            Some(false) | None => Direction::Ingress,
        };
        let read = Self {
            direction,
            protocol: rule.ip_protocol.clone().unwrap_or_else(|| "-1".to_owned()),
            from_port: rule.from_port,
            to_port: rule.to_port,
            peer,
            description: rule.description.clone(),
        };
        Some(read.canonical())
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
mod tests {
    use aws_sdk_ec2::types::ReferencedSecurityGroup;

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

    fn from_all(protocol: &str, from: Option<i32>, to: Option<i32>) -> Rule {
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
    fn decoding_a_spec_makes_its_rules_canonical() {
        let written = Rules {
            group: "sg-1".into(),
            rules: BTreeSet::from([from_all("6", None, None), from_all("tcp", None, None)]),
        };
        let decoded: Rules =
            serde_json::from_value(serde_json::to_value(written).unwrap()).unwrap();
        assert_eq!(decoded.rules, BTreeSet::from([from_all("tcp", Some(0), Some(65_535))]));
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
            assert_eq!(Rule::read(&listed(&sent.permission())), Some(sent));
        }
        let ping = from_all("icmp", None, None);
        assert_eq!(ping.permission().from_port, Some(-1));
        assert_eq!(Rule::read(&listed(&ping.permission())), Some(ping));
    }

    /// A permission as AWS lists it afterwards.
    fn listed(sent: &IpPermission) -> SecurityGroupRule {
        let listed = SecurityGroupRule::builder()
            .is_egress(false)
            .set_ip_protocol(sent.ip_protocol.clone())
            .set_from_port(sent.from_port)
            .set_to_port(sent.to_port);
        let listed = if let [range] = sent.ip_ranges() {
            let listed = listed.set_cidr_ipv4(range.cidr_ip.clone());
            listed.set_description(range.description.clone())
        } else if let [range] = sent.ipv6_ranges() {
            let listed = listed.set_cidr_ipv6(range.cidr_ipv6.clone());
            listed.set_description(range.description.clone())
        } else if let [list] = sent.prefix_list_ids() {
            let listed = listed.set_prefix_list_id(list.prefix_list_id.clone());
            listed.set_description(list.description.clone())
        } else {
            let pair = &sent.user_id_group_pairs()[0];
            let group =
                ReferencedSecurityGroup::builder().set_group_id(pair.group_id.clone()).build();
            listed.referenced_group_info(group).set_description(pair.description.clone())
        };
        listed.build()
    }

    #[test]
    fn rules_that_differ_in_their_text_do_the_same() {
        let plain = from_all("tcp", Some(1), Some(1));
        let described = Rule { description: Some("x".into()), ..plain.clone() };
        assert!(plain.does_the_same(&described));
        assert!(!plain.does_the_same(&from_all("tcp", Some(1), Some(2))));
    }

    #[test]
    fn a_group_without_rules_has_no_rules_object() {
        assert_eq!(live("sg-1", std::iter::empty()), None);
    }
}
