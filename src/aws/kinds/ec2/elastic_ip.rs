//! Elastic IP addresses.
//!
//! AWS quirks: an allocation does not have a token or a name, so payctl finds the address of a lost
//! reply by its tags; otherwise it would leak and cost money. While a NAT gateway is being deleted,
//! a release of its address fails with `AuthFailure`, as if another account owned it.

use std::time::Duration;

use aws_sdk_ec2::types::{Address as AwsAddress, DomainType, Filter, ResourceType};
use futures::future::FutureExt as _;
use serde::{Deserialize, Serialize};

use super::common;
use crate::aws::clients::Aws;
use crate::aws::costs::Costs;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs};
use payctl_money::bill::Charge;

/// An elastic IP address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ElasticIp {}

impl Resource for ElasticIp {
    const META: Meta = Meta {
        drawn: Drawn::badge("address", "static address", &[]),
        notes: &[
            "The default quota is five per region.",
            "The address is lost for good when it is released.",
        ],
        replace: Replace::CreateFirst,
        can_duplicate: true,
        use_blocks_delete: true,
        read_lag: common::SETTLE,
        deadline: Duration::from_secs(600),
        // A NAT gateway that AWS is still deleting holds the address.
        transient: &[("AuthFailure", "permission to access the specified resource")],
        gone_at_once: true,
        permits: &[
            Permit::look(&["ec2:DescribeAccountAttributes", "ec2:DescribeAddresses"], &["*"]),
            Permit::create(&["ec2:AllocateAddress"], &["ec2:{here}:elastic-ip/*"]).made_ours(),
            Permit::create(&["ec2:CreateTags"], &["ec2:{here}:elastic-ip/*"])
                .where_equal("ec2:CreateAction", "AllocateAddress"),
            Permit::change(&["ec2:CreateTags", "ec2:DeleteTags"], &["ec2:{here}:elastic-ip/*"])
                .ours(),
            Permit::delete(&["ec2:ReleaseAddress"], &["ec2:{here}:elastic-ip/*"]).ours(),
        ],
        names: Some(NameRule::tag("address")),
        section: "network",
        typical: Typical::seconds(2, 1, 2),
        serves: true,
        pricing: Pricing::Charged(
            "AWS charges for each public address by the hour, in use or not.",
        ),
        types: &["ec2:elastic-ip"],
        ..Meta::new("ec2.elastic_ip", "ec2", "A static public IPv4 address.")
    };

    fn sample() -> Self {
        Self {}
    }

    fn variants() -> Vec<Self> {
        vec![]
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        vec![Charge::fixed("public address", "ipv4.hours", cx.hours())]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        Ok(common::found(cx, find(cx.aws, common::ours(cx.aws)).await?))
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        common::read(cx, "allocation-id", |aws, filters| find(aws, filters).boxed()).await
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let tags = common::tagged(ResourceType::ElasticIp, cx.tags);
        let call = cx.aws.ec2.allocate_address().domain(DomainType::Vpc).tag_specifications(tags);
        let answer = call.send().await.map_err(op("AllocateAddress"))?;
        common::made("AllocateAddress", answer.allocation_id)
    }

    async fn update(&self, _: &Cx<'_>, _: &Live<Self>) -> Result<(), OpError> {
        Ok(())
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        common::add_tags(cx.aws, &live.id, set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        common::remove_tags(cx.aws, &live.id, unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.ec2.release_address().allocation_id(&live.id).send();
        send.await.map_err(op("ReleaseAddress")).or_gone().map(drop)
    }
}

async fn find(aws: &Aws, filters: Vec<Filter>) -> Result<Vec<Live<ElasticIp>>, OpError> {
    let send = aws.ec2.describe_addresses().set_filters(Some(filters)).send();
    let answer = send.await.map_err(op("DescribeAddresses"))?;
    Ok(answer.addresses.unwrap_or_default().into_iter().map(to_live).collect())
}

fn to_live(address: AwsAddress) -> Live<ElasticIp> {
    let id = address.allocation_id.unwrap_or_default();
    let mut outputs = Outputs::from([(Output::Id, id.clone())]);
    outputs.extend(address.public_ip.map(|ip| (Output::PublicIp, ip)));
    Live { id, spec: ElasticIp {}, outputs, tags: common::tags(address.tags), phase: Phase::Ready }
}
