//! VPCs, with DNS settings and the closed default security group folded in.
//!
//! AWS quirks: a VPC does not have a token or a unique name, so payctl finds it by its tags. The
//! two DNS settings are read and changed one by one, and host names need name resolution. AWS
//! creates a default security group with every VPC, and lists it a little later; it cannot be
//! deleted, only emptied.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_ec2::types::{
    AttributeBooleanValue, Filter, ResourceType, SecurityGroup, Vpc as AwsVpc, VpcAttributeName,
    VpcState,
};
use futures::future::{FutureExt as _, try_join_all};
use serde::{Deserialize, Serialize};

use super::common;
use super::permissions::{Direction, Peer, Rule, rules_of, sync};
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::quotas;
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::drawn::{Drawn, Shape};
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs};

/// A VPC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vpc {
    /// The address range.
    pub cidr: String,
    /// Whether the VPC resolves names.
    pub dns_support: bool,
    /// Whether instances get host names.
    pub dns_hostnames: bool,
    /// Whether the default security group is closed, that is, without rules.
    pub default_group_closed: bool,
}

impl Resource for Vpc {
    const META: Meta = Meta {
        drawn: Drawn {
            shape: Shape::Frame { note: "cidr" },
            ..Drawn::badge("network", "VPC", &[])
        },
        notes: &[
            "AWS creates and deletes the main route table, the default network ACL and the \
             default security group with the VPC; payctl changes only the rules of that group.",
            "A change of the address range replaces the VPC and everything in it. A load balancer \
             cannot move, and neither can a target group whose name is taken: remove them from \
             the config first, and add them again afterwards.",
            "If the default security group is no longer closed, payctl restores the two rules \
             that AWS gives a new one.",
        ],
        immutable: &["cidr"],
        replace: Replace::CreateFirst,
        can_duplicate: true,
        use_blocks_delete: true,
        read_lag: common::SETTLE,
        deadline: Duration::from_secs(600),
        gone_at_once: true,
        permits: &[
            quotas::PERMIT,
            Permit::look(&["ec2:DescribeSecurityGroups", "ec2:DescribeVpcs"], &["*"]),
            Permit::create(&["ec2:CreateVpc"], &["ec2:{here}:vpc/*"]).made_ours(),
            Permit::create(&["ec2:CreateTags"], &["ec2:{here}:vpc/*"])
                .where_equal("ec2:CreateAction", "CreateVpc"),
            Permit::change(
                &["ec2:CreateTags", "ec2:DeleteTags", "ec2:ModifyVpcAttribute"],
                &["ec2:{here}:vpc/*"],
            )
            .ours(),
            Permit::delete(&["ec2:DeleteVpc"], &["ec2:{here}:vpc/*"]).ours(),
            Permit::look(&["ec2:DescribeVpcAttribute"], &["ec2:{here}:vpc/*"]),
            Permit::set(
                &[
                    "ec2:AuthorizeSecurityGroupEgress",
                    "ec2:AuthorizeSecurityGroupIngress",
                    "ec2:RevokeSecurityGroupEgress",
                    "ec2:RevokeSecurityGroupIngress",
                ],
                &["ec2:{here}:security-group/*"],
            ),
        ],
        names: Some(NameRule::tag("vpc")),
        section: "network",
        asked: &["cidr"],
        typical: Typical::seconds(4, 3, 3).calls(15, 8, 2),
        serves: true,
        pricing: Pricing::Free("AWS charges nothing for a VPC."),
        types: &["ec2:vpc"],
        ..Meta::new("ec2.vpc", "ec2", "A VPC with its DNS settings and default security group.")
    };

    fn sample() -> Self {
        Self {
            cidr: "10.90.0.0/16".into(),
            dns_support: true,
            dns_hostnames: true,
            default_group_closed: true,
        }
    }

    fn variants() -> Vec<Self> {
        vec![
            Self { dns_hostnames: false, ..Self::sample() },
            Self { dns_hostnames: false, dns_support: false, ..Self::sample() },
            Self { default_group_closed: false, ..Self::sample() },
        ]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        Ok(common::found(cx, find(cx.aws, common::ours(cx.aws)).await?))
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        Ok(common::pick(cx, find(cx.aws, vec![common::filter("vpc-id", [cx.id()])]).await?))
    }

    async fn glance(cx: &Cx<'_>, planned: Live<Self>) -> Result<Option<Live<Self>>, OpError> {
        let list: common::Describe<AwsVpc> = |aws, filters| list(aws, filters).boxed();
        let found = common::with_others(cx.aws, "vpc-id", cx.id(), list).await?;
        let own = found.into_iter().find(|vpc| vpc.vpc_id.as_deref() == Some(cx.id()));
        Ok(own.map(|vpc| Live {
            spec: Self { cidr: vpc.cidr_block.unwrap_or_default(), ..planned.spec },
            tags: common::tags(vpc.tags),
            phase: phase_of(vpc.state.as_ref(), true),
            ..planned
        }))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let answer = cx
            .aws
            .ec2
            .create_vpc()
            .cidr_block(&self.cidr)
            .tag_specifications(common::tagged(ResourceType::Vpc, cx.tags))
            .send()
            .await
            .map_err(op("CreateVpc"))?;
        common::made("CreateVpc", answer.vpc.and_then(|vpc| vpc.vpc_id))
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let (support, hostnames) = (self.dns_support, self.dns_hostnames);
        // Host names need name resolution: it is switched on before them and off after them.
        if support && !live.spec.dns_support {
            set_support(cx.aws, &live.id, true).await?;
        }
        if hostnames != live.spec.dns_hostnames {
            set_hostnames(cx.aws, &live.id, hostnames).await?;
        }
        if !support && live.spec.dns_support {
            set_support(cx.aws, &live.id, false).await?;
        }
        if self.default_group_closed != live.spec.default_group_closed
            && let Some(group) = default_group(cx.aws, &live.id).await?
            && let Some(group) = group.group_id
        {
            let rules = if self.default_group_closed {
                BTreeSet::new()
            } else {
                rules_of_a_new_vpc(&group)
            };
            sync(cx.aws, &group, &rules).await?;
        }
        Ok(())
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        common::add_tags(cx.aws, &live.id, set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        common::remove_tags(cx.aws, &live.id, unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.ec2.delete_vpc().vpc_id(&live.id).send();
        send.await.map_err(op("DeleteVpc")).or_gone().map(drop)
    }
}

async fn list(aws: &Aws, filters: Vec<Filter>) -> Result<Vec<AwsVpc>, OpError> {
    let call = aws.ec2.describe_vpcs().set_filters(Some(filters)).max_results(1000);
    call.into_paginator().items().send().try_collect().await.map_err(op("DescribeVpcs"))
}

async fn find(aws: &Aws, filters: Vec<Filter>) -> Result<Vec<Live<Vpc>>, OpError> {
    let lives = list(aws, filters).await?.into_iter().map(|vpc| describe(aws, vpc));
    Ok(try_join_all(lives).await?.into_iter().flatten().collect())
}

async fn describe(aws: &Aws, vpc: AwsVpc) -> Result<Option<Live<Vpc>>, OpError> {
    let id = vpc.vpc_id.unwrap_or_default();
    let (dns_support, dns_hostnames, group) = futures::try_join!(
        attribute(aws, &id, VpcAttributeName::EnableDnsSupport),
        attribute(aws, &id, VpcAttributeName::EnableDnsHostnames),
        default_group(aws, &id),
    )?;
    let (Some(dns_support), Some(dns_hostnames)) = (dns_support, dns_hostnames) else {
        return Ok(None);
    };
    Ok(Some(Live {
        spec: Vpc {
            cidr: vpc.cidr_block.unwrap_or_default(),
            dns_support,
            dns_hostnames,
            default_group_closed: group.as_ref().is_some_and(|group| rules_of(group).is_empty()),
        },
        outputs: Outputs::from([(Output::Id, id.clone())]),
        tags: common::tags(vpc.tags),
        phase: phase_of(vpc.state.as_ref(), group.is_some()),
        id,
    }))
}

/// A group that AWS does not list yet also has rules, which payctl has to remove.
fn phase_of(state: Option<&VpcState>, has_group: bool) -> Phase {
    match state {
        Some(VpcState::Available) | None if has_group => Phase::Ready,
        Some(VpcState::Available) | None => {
            Phase::Pending("its default security group is missing".into())
        }
        Some(VpcState::Deleting) => Phase::Deleting("deleting".into()),
        Some(other) => Phase::Pending(other.as_str().to_owned()),
    }
}

/// One DNS setting; `None` when the VPC is gone.
async fn attribute(aws: &Aws, vpc: &str, name: VpcAttributeName) -> Result<Option<bool>, OpError> {
    let call = aws.ec2.describe_vpc_attribute().vpc_id(vpc).attribute(name.clone());
    let answer = call.send().await.map_err(op("DescribeVpcAttribute")).or_gone()?;
    Ok(answer.map(|answer| {
        let value = match name {
            VpcAttributeName::EnableDnsSupport => answer.enable_dns_support,
            _ => answer.enable_dns_hostnames,
        };
        value.and_then(|value| value.value).unwrap_or(false)
    }))
}

async fn set_support(aws: &Aws, vpc: &str, on: bool) -> Result<(), OpError> {
    let value = AttributeBooleanValue::builder().value(on).build();
    let call = aws.ec2.modify_vpc_attribute().vpc_id(vpc).enable_dns_support(value);
    call.send().await.map_err(op("ModifyVpcAttribute")).map(drop)
}

async fn set_hostnames(aws: &Aws, vpc: &str, on: bool) -> Result<(), OpError> {
    let value = AttributeBooleanValue::builder().value(on).build();
    let call = aws.ec2.modify_vpc_attribute().vpc_id(vpc).enable_dns_hostnames(value);
    call.send().await.map_err(op("ModifyVpcAttribute")).map(drop)
}

async fn default_group(aws: &Aws, vpc: &str) -> Result<Option<SecurityGroup>, OpError> {
    let mut filters = vec![common::filter("group-name", ["default"])];
    if !aws.is_shared {
        filters.push(common::filter("vpc-id", [vpc]));
    }
    let groups = super::security_group::list(aws, filters).await?;
    Ok(groups.into_iter().find(|group| group.vpc_id.as_deref() == Some(vpc)))
}

/// The rules in the default security group of a new VPC.
fn rules_of_a_new_vpc(group: &str) -> BTreeSet<Rule> {
    let rule = |direction, peer| Rule {
        direction,
        protocol: "-1".into(),
        from_port: None,
        to_port: None,
        peer,
        description: None,
    };
    BTreeSet::from([
        rule(Direction::Ingress, Peer::Group(group.into())),
        rule(Direction::Egress, Peer::Cidr("0.0.0.0/0".into())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vpc_is_usable_once_it_is_available_with_its_default_group() {
        let check = |state, has_group, expected| {
            assert_eq!(phase_of(Some(&state), has_group), expected);
        };
        check(VpcState::Available, true, Phase::Ready);
        let without = "its default security group is missing";
        check(VpcState::Available, false, Phase::Pending(without.into()));
        check(VpcState::Pending, true, Phase::Pending("pending".into()));
        check(VpcState::Deleting, false, Phase::Deleting("deleting".into()));
    }
}
