//! The calls behind security group rules, for the rules' own kind and for the default group of a
//! VPC.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{
    IpPermission, IpRange, Ipv6Range, PrefixListId, SecurityGroupRule, UserIdGroupPair,
};
use futures::future::try_join_all;

use super::ec2;
use super::ec2_security_group_rules::{Direction, Peer, Rule};
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::model::error::OpError;

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

impl Rule {
    /// A rule as AWS lists it.
    pub(super) fn read(rule: &SecurityGroupRule) -> Option<Self> {
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
}
