//! All rules of one security group, as one set.
//!
//! The set exists exactly while its group, which payctl finds by the group's tags, has a rule. So
//! it can be emptied before any group is deleted, and groups may refer to each other. The spec
//! cannot express a group without rules.
//!
//! AWS quirks: a new group allows all outbound traffic. One duplicate fails a whole batch, and
//! rules that differ only in their description are duplicates. Missing ports come back as -1,
//! protocols by name, address ranges with zero host bits; `canonical` normalises all of that in
//! both directions.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_ec2::types::SecurityGroup;
use serde::{Deserialize, Deserializer, Serialize};

use super::common;
pub(crate) use super::permissions::{Direction, Peer, Rule};
use super::permissions::{rules_of, sync};
use super::security_group::{self, ours};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Owner, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Traffic, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};

/// Distinguishes the id of the rules from the id of their group. So a reference to the group's id
/// is always a reference to the group.
const SUFFIX: &str = "/rules";

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

impl Resource for Rules {
    const META: Meta = Meta {
        drawn: Drawn::badge("shield", "rule set", &["group"]),
        notes: &[
            "The set is complete: payctl removes rules that the config does not contain, \
             including the default rule of a new group.",
            "payctl adds new rules before it removes old ones.",
        ],
        immutable: &["group"],
        replace: Replace::DeleteFirst,
        tagged: false,
        read_lag: common::SETTLE,
        deadline: Duration::from_secs(300),
        gone_at_once: true,
        permits: &[
            Permit::look(&["ec2:DescribeSecurityGroups"], &["*"]),
            Permit::set(
                &[
                    "ec2:AuthorizeSecurityGroupEgress",
                    "ec2:AuthorizeSecurityGroupIngress",
                    "ec2:RevokeSecurityGroupEgress",
                    "ec2:RevokeSecurityGroupIngress",
                    "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
                    "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
                ],
                &["ec2:{here}:security-group/*"],
            )
            .ours(),
            Permit::delete(
                &["ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress"],
                &["ec2:{here}:security-group/*"],
            )
            .ours(),
        ],
        names: Some(NameRule::tag("security-group-rules")),
        section: "security_groups",
        asked: &["rules"],
        typical: Typical::seconds(2, 2, 2).calls(4, 5, 3),
        serves: true,
        felt: &[("rules", Traffic::NewConnections)],
        pricing: Pricing::Free("AWS charges nothing for rules."),
        ..Meta::new("ec2.security_group_rules", "ec2", "All rules of one security group.")
    };

    fn sample() -> Self {
        let group = Text::reference(Address::new("ec2.security_group", "sample"), Output::Id);
        let rule = |direction, port: Option<i32>, peer| Rule {
            direction,
            protocol: if port.is_some() { "tcp" } else { "-1" }.into(),
            from_port: port,
            to_port: port,
            peer,
            description: None,
        };
        let from_vpc = rule(Direction::Ingress, Some(443), Peer::Cidr("10.90.0.0/16".into()));
        let rules = BTreeSet::from([
            Rule { description: Some("From the VPC".into()), ..from_vpc },
            rule(Direction::Ingress, Some(5432), Peer::Group(group.clone())),
            rule(Direction::Egress, None, Peer::Cidr("0.0.0.0/0".into())),
        ]);
        Self { group, rules }
    }

    fn variants() -> Vec<Self> {
        let sample = Self::sample();
        let each = |change: fn(Rule) -> Rule| Self {
            rules: sample.rules.iter().cloned().map(change).collect(),
            ..sample.clone()
        };
        let reworded = each(|rule| Rule {
            description: rule.description.map(|_| "Reworded".to_owned()),
            ..rule
        });
        let over_udp = each(|rule| match rule.direction {
            Direction::Ingress => Rule { protocol: "udp".into(), ..rule },
            Direction::Egress => Rule { peer: Peer::Cidr("10.90.0.0/16".into()), ..rule },
        });
        let only_one = Self {
            rules: sample.rules.iter().take(1).cloned().collect(),
            group: sample.group.clone(),
        };
        vec![reworded, over_udp, only_one]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let found = ours(cx).await?.to_vec().into_iter();
        let found = found.filter_map(|group| {
            let name = group.group_name().unwrap_or_default();
            let (of, owner) = cx.ours(name, &common::tags(group.tags.clone()))?;
            if owner != Owner::Ours || of.kind != security_group::SecurityGroup::META.kind {
                return None;
            }
            let address = Address::new(Self::META.kind, of.name);
            Some(Found { address, owner, live: to_live(&group)? })
        });
        Ok(found.collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        Ok(group(cx).await?.as_ref().and_then(to_live))
    }

    /// It goes with its parent, and its id names it.
    async fn glance(_: &Cx<'_>, planned: Live<Self>) -> Result<Option<Live<Self>>, OpError> {
        Ok(Some(planned))
    }

    async fn holder(cx: &Cx<'_>, _: &Live<Self>) -> Result<Option<Tags>, OpError> {
        Ok(group(cx).await?.map(|group| common::tags(group.tags)))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        if self.rules.is_empty() {
            let message = "a security group needs at least one rule; to close it, allow only \
                           traffic to 255.255.255.255/32";
            return Err(OpError::new("create", ErrorClass::Invalid, "NoRules", message));
        }
        let group = self.group.known();
        sync(cx.aws, group, &self.rules).await?;
        Ok(format!("{group}{SUFFIX}"))
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        sync(cx.aws, live.spec.group.known(), &self.rules).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        sync(cx.aws, live.spec.group.known(), &BTreeSet::new()).await
    }
}

/// The rules of a group as one object; `None` if it does not have any.
async fn group(cx: &Cx<'_>) -> Result<Option<SecurityGroup>, OpError> {
    let id = cx.id().strip_suffix(SUFFIX).unwrap_or(cx.id());
    let found = security_group::with_others(cx.aws, id).await?;
    Ok(found.into_iter().find(|group| group.group_id.as_deref() == Some(id)))
}

fn to_live(group: &SecurityGroup) -> Option<Live<Rules>> {
    let id = group.group_id.clone().unwrap_or_default();
    let rules = rules_of(group);
    (!rules.is_empty()).then(|| Live {
        id: format!("{id}{SUFFIX}"),
        spec: Rules { group: id.as_str().into(), rules },
        outputs: Outputs::new(),
        tags: Tags::new(),
        phase: Phase::Ready,
    })
}

fn canonical<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<Rule>, D::Error> {
    let rules = BTreeSet::<Rule>::deserialize(deserializer)?;
    Ok(rules.into_iter().map(Rule::canonical).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::kinds::ec2::permissions::tests::from_all;

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
    fn a_group_without_rules_has_no_rules_object() {
        assert_eq!(to_live(&SecurityGroup::builder().group_id("sg-1").build()), None);
    }
}
