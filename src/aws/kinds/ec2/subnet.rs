//! Subnets.
//!
//! AWS quirks: public addresses cannot be turned on at creation; attributes are changed one at a
//! time. AWS refuses overlapping address ranges (`InvalidSubnet.Conflict`), so a second creation
//! cannot duplicate a subnet. A subnet cannot be deleted while it contains an interface, and those
//! of load balancers, databases and functions outlive their owners by minutes.

use aws_sdk_ec2::types::{
    AttributeBooleanValue, Filter, ResourceType, Subnet as AwsSubnet, SubnetState,
};
use futures::future::FutureExt as _;
use serde::{Deserialize, Serialize};

use super::common;
use super::egress::leaving;
use crate::aws::clients::Aws;
use crate::aws::costs::Costs;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::{Drawn, Shape};
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};
use payctl_money::load::Passed;

/// A subnet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subnet {
    /// The id of the VPC.
    pub vpc: Text,
    /// The address range.
    pub cidr: String,
    /// The availability zone.
    pub zone: String,
    /// Whether instances get a public address.
    pub public_addresses: bool,
}

impl Resource for Subnet {
    const META: Meta = Meta {
        drawn: Drawn {
            shape: Shape::Cell { tier, zone: "zone", note: "cidr" },
            ..Drawn::badge("subnet", "subnet", &[])
        },
        notes: &[
            "AWS reserves the first four addresses and the last one of every subnet.",
            "It cannot be deleted while it contains network interfaces; payctl waits for them, up \
             to 45 minutes for those of functions.",
        ],
        immutable: &["vpc", "cidr", "zone"],
        replace: Replace::DeleteFirst,
        can_duplicate: true,
        use_blocks_delete: true,
        read_lag: common::SETTLE,
        deadline: common::INTERFACES,
        gone_at_once: true,
        permits: &[
            Permit::look(&["ec2:DescribeSubnets"], &["*"]),
            Permit::create(&["ec2:CreateSubnet"], &["ec2:{here}:subnet/*"]).made_ours(),
            Permit::create(&["ec2:CreateTags"], &["ec2:{here}:subnet/*"])
                .where_equal("ec2:CreateAction", "CreateSubnet"),
            Permit::change(
                &["ec2:CreateTags", "ec2:DeleteTags", "ec2:ModifySubnetAttribute"],
                &["ec2:{here}:subnet/*"],
            )
            .ours(),
            Permit::delete(&["ec2:DeleteSubnet"], &["ec2:{here}:subnet/*"]).ours(),
            Permit::create(&["ec2:CreateSubnet"], &["ec2:{here}:vpc/*"]).ours(),
            Permit::delete(&["ec2:DescribeNetworkInterfaces"], &["*"]),
            Permit::delete(&["ec2:DeleteNetworkInterface"], &["ec2:{here}:network-interface/*"]),
        ],
        names: Some(NameRule::tag("subnet")),
        section: "network",
        asked: &["cidr", "zone", "public_addresses"],
        typical: Typical::seconds(3, 2, 5).calls(2, 3, 2),
        serves: true,
        pricing: Pricing::Free("AWS charges nothing for subnets."),
        types: &["ec2:subnet"],
        ..Meta::new("ec2.subnet", "ec2", "A subnet of a VPC in one availability zone.")
    };

    fn sample() -> Self {
        Self {
            vpc: Text::reference(Address::new("ec2.vpc", "sample"), Output::Id),
            cidr: "10.90.1.0/24".into(),
            zone: "us-east-1a".into(),
            public_addresses: true,
        }
    }

    fn variants() -> Vec<Self> {
        vec![Self { public_addresses: false, ..Self::sample() }]
    }

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        let tables = cx.users("ec2.route_table");
        let each = |driver| Costs::each(tables.clone(), driver, cx.load(driver));
        leaving().flat_map(each).collect()
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        Ok(common::found(cx, find(cx.aws, common::ours(cx.aws)).await?))
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        common::read(cx, "subnet-id", |aws, filters| find(aws, filters).boxed()).await
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let call = cx
            .aws
            .ec2
            .create_subnet()
            .vpc_id(self.vpc.known())
            .cidr_block(&self.cidr)
            .availability_zone(&self.zone)
            .tag_specifications(common::tagged(ResourceType::Subnet, cx.tags));
        let answer = call.send().await.map_err(op("CreateSubnet"))?;
        common::made("CreateSubnet", answer.subnet.and_then(|subnet| subnet.subnet_id))
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let value = AttributeBooleanValue::builder().value(self.public_addresses).build();
        let call = cx.aws.ec2.modify_subnet_attribute().subnet_id(&live.id);
        let send = call.map_public_ip_on_launch(value).send();
        send.await.map_err(op("ModifySubnetAttribute")).map(drop)
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        common::add_tags(cx.aws, &live.id, set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        common::remove_tags(cx.aws, &live.id, unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.ec2.delete_subnet().subnet_id(&live.id).send();
        match send.await.map_err(op("DeleteSubnet")).or_gone() {
            Ok(_) => Ok(()),
            Err(refused) => {
                let held = common::filter("subnet-id", [&live.id]);
                Err(common::held_by_functions(cx.aws, held, refused).await)
            }
        }
    }
}

pub(super) async fn find(aws: &Aws, filters: Vec<Filter>) -> Result<Vec<Live<Subnet>>, OpError> {
    let call = aws.ec2.describe_subnets().set_filters(Some(filters)).max_results(1000);
    let pages = call.into_paginator().items().send();
    let subnets: Vec<AwsSubnet> = pages.try_collect().await.map_err(op("DescribeSubnets"))?;
    Ok(subnets.into_iter().map(to_live).collect())
}

pub(super) fn to_live(subnet: AwsSubnet) -> Live<Subnet> {
    let id = subnet.subnet_id.unwrap_or_default();
    let mut outputs = Outputs::from([(Output::Id, id.clone())]);
    outputs.extend(subnet.subnet_arn.map(|arn| (Output::Arn, arn)));
    Live {
        spec: Subnet {
            vpc: subnet.vpc_id.unwrap_or_default().into(),
            cidr: subnet.cidr_block.unwrap_or_default(),
            zone: subnet.availability_zone.unwrap_or_default(),
            public_addresses: subnet.map_public_ip_on_launch.unwrap_or(false),
        },
        outputs,
        tags: common::tags(subnet.tags),
        phase: phase_of(subnet.state.as_ref()),
        id,
    }
}

fn phase_of(state: Option<&SubnetState>) -> Phase {
    match state {
        Some(SubnetState::Available) | None => Phase::Ready,
        Some(failed @ (SubnetState::Failed | SubnetState::FailedInsufficientCapacity)) => {
            Phase::Failed(failed.as_str().to_owned())
        }
        Some(other) => Phase::Pending(other.as_str().to_owned()),
    }
}

/// `private` of `private-1`: the tiers with a way in come first.
fn tier(name: &str) -> (u32, &str) {
    let tier = name.rsplit_once('-').map_or(name, |(tier, _)| tier);
    match tier {
        "public" => (0, tier),
        "isolated" => (2, tier),
        _ => (1, tier),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_subnet_is_a_corpse() {
        assert_eq!(phase_of(Some(&SubnetState::Available)), Phase::Ready);
        assert_eq!(phase_of(Some(&SubnetState::Failed)), Phase::Failed("failed".into()));
        assert_eq!(phase_of(Some(&SubnetState::Pending)), Phase::Pending("pending".into()));
    }
}
