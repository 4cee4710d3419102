//! Public NAT gateways in one zone.
//!
//! AWS quirks: creation succeeds at once and may fail later (state `failed`, with a reason); a
//! failed gateway can only be deleted. Deleted ones stay listed with their tags for about an hour.
//! A deletion takes a minute or two, during which the gateway still holds its address.

use std::time::Duration;

use aws_sdk_ec2::types::{
    ConnectivityType, Filter, NatGateway as AwsGateway, NatGatewayState, ResourceType,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::common;
use crate::aws::clients::Aws;
use crate::aws::costs::Costs;
use crate::aws::error::{Gone, op};
use crate::aws::measured::Gauge;
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::{Drawn, End, Flow, Lane};
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};
use payctl_money::bill::Charge;
use payctl_money::load::Driver;

/// A NAT gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NatGateway {
    /// The id of the public subnet.
    pub subnet: Text,
    /// The allocation id of its elastic IP address.
    pub address: Text,
}

impl Resource for NatGateway {
    const META: Meta = Meta {
        drawn: Drawn::a_box(Lane::Pass, "nat", "NAT gateway").with(flows),
        notes: &[
            "AWS takes one to three minutes to create it, and as long to delete it.",
            "Its VPC needs an attached internet gateway first; without one it fails, and the next \
             run recreates it.",
        ],
        immutable: &["subnet", "address"],
        replace: Replace::DeleteFirst,
        can_duplicate: true,
        read_lag: common::SETTLE,
        deadline: Duration::from_secs(900),
        permits: &[
            Permit::look(&["ec2:DescribeNatGateways"], &["*"]),
            Permit::create(&["ec2:CreateNatGateway"], &["ec2:{here}:natgateway/*"]).made_ours(),
            Permit::create(&["ec2:CreateTags"], &["ec2:{here}:natgateway/*"])
                .where_equal("ec2:CreateAction", "CreateNatGateway"),
            Permit::change(&["ec2:CreateTags", "ec2:DeleteTags"], &["ec2:{here}:natgateway/*"])
                .ours(),
            Permit::delete(&["ec2:DeleteNatGateway"], &["ec2:{here}:natgateway/*"]).ours(),
            Permit::create(
                &["ec2:CreateNatGateway"],
                &["ec2:{here}:elastic-ip/*", "ec2:{here}:subnet/*"],
            )
            .ours(),
        ],
        names: Some(NameRule::tag("nat-gateway")),
        section: "network",
        typical: Typical::seconds(110, 1, 70).calls(6, 3, 6),
        serves: true,
        pricing: Pricing::Charged(
            "AWS charges for the gateway by the hour, and for all data through it.",
        ),
        types: &["ec2:natgateway"],
        ..Meta::new("ec2.nat_gateway", "ec2", "A NAT gateway with a public address.")
    };

    fn sample() -> Self {
        Self {
            subnet: Text::reference(Address::new("ec2.subnet", "sample"), Output::Id),
            address: Text::reference(Address::new("ec2.elastic_ip", "sample"), Output::Id),
        }
    }

    fn variants() -> Vec<Self> {
        vec![]
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        vec![
            Charge::fixed("NAT gateway", "nat.hours", cx.hours()),
            Charge::usage("data through NAT", "nat.gb", cx.load(Driver::NatGb)),
        ]
    }

    fn gauges(&self, id: &str, _: &Costs<'_>) -> Vec<Gauge> {
        let metrics = &["BytesOutToDestination", "BytesOutToSource"];
        let dimensions = vec![("NatGatewayId", id.to_owned())];
        vec![Gauge::sum(Driver::NatGb, "AWS/NATGateway", metrics, dimensions).in_gb()]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let gateways = list(cx.aws, common::ours(cx.aws)).await?;
        Ok(common::found(cx, gateways.into_iter().filter_map(to_live).collect()))
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let gateways = list(cx.aws, vec![common::filter("nat-gateway-id", [cx.id()])]).await?;
        Ok(common::pick(cx, gateways.into_iter().filter_map(to_live).collect()))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let call = cx
            .aws
            .ec2
            .create_nat_gateway()
            .subnet_id(self.subnet.known())
            .allocation_id(self.address.known())
            .connectivity_type(ConnectivityType::Public)
            .client_token(common::token(cx, self, &dead(cx).await?))
            .tag_specifications(common::tagged(ResourceType::Natgateway, cx.tags));
        let answer = call.send().await.map_err(op("CreateNatGateway"))?;
        common::made("CreateNatGateway", answer.nat_gateway.and_then(|made| made.nat_gateway_id))
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
        let send = cx.aws.ec2.delete_nat_gateway().nat_gateway_id(&live.id).send();
        send.await.map_err(op("DeleteNatGateway")).or_gone().map(drop)
    }
}

/// The gateways as AWS lists them, including deleted ones.
async fn list(aws: &Aws, filters: Vec<Filter>) -> Result<Vec<AwsGateway>, OpError> {
    let call = aws.ec2.describe_nat_gateways().set_filter(Some(filters)).max_results(1000);
    let pages = call.into_paginator().items().send();
    pages.try_collect().await.map_err(op("DescribeNatGateways"))
}

/// The ids of the gateways of this address that AWS has deleted or is deleting, in order.
async fn dead(cx: &Cx<'_>) -> Result<Vec<String>, OpError> {
    let gateways = list(cx.aws, common::at(&cx.aws.scope, cx.address)).await?;
    let is_dead = |gateway: &AwsGateway| {
        use NatGatewayState::{Deleted, Deleting, Failed};
        matches!(gateway.state, Some(Deleted | Deleting | Failed))
    };
    let dead = gateways.into_iter().filter(is_dead).filter(|gateway| {
        cx.aws.scope.owned(&common::tags(gateway.tags.clone())).as_ref() == Some(cx.address)
    });
    let mut ids: Vec<String> = dead.filter_map(|gateway| gateway.nat_gateway_id).collect();
    ids.sort();
    Ok(ids)
}

/// `None` for deleted gateways that AWS still lists.
fn to_live(gateway: AwsGateway) -> Option<Live<NatGateway>> {
    let phase = phase_of(&gateway)?;
    let id = gateway.nat_gateway_id.unwrap_or_default();
    let addresses = gateway.nat_gateway_addresses.unwrap_or_default();
    let primary = addresses.iter().find(|address| address.is_primary == Some(true));
    let primary = primary.or(addresses.first()).cloned();
    let (address, ip) = primary.map(|it| (it.allocation_id, it.public_ip)).unwrap_or_default();
    let mut outputs = Outputs::from([(Output::Id, id.clone())]);
    outputs.extend(ip.map(|ip| (Output::PublicIp, ip)));
    Some(Live {
        spec: NatGateway {
            subnet: gateway.subnet_id.unwrap_or_default().into(),
            address: address.unwrap_or_default().into(),
        },
        outputs,
        tags: common::tags(gateway.tags),
        phase,
        id,
    })
}

fn phase_of(gateway: &AwsGateway) -> Option<Phase> {
    match gateway.state.as_ref()? {
        NatGatewayState::Deleted => None,
        NatGatewayState::Available => Some(Phase::Ready),
        NatGatewayState::Deleting => Some(Phase::Deleting("deleting".into())),
        NatGatewayState::Failed => {
            let code = gateway.failure_code.as_deref().unwrap_or("failed");
            let message = gateway.failure_message.as_deref().unwrap_or("AWS gave no reason");
            Some(Phase::Failed(format!("{code}: {message}")))
        }
        other => Some(Phase::Pending(other.as_str().to_owned())),
    }
}

/// What leaves through it.
fn flows(_: &Value) -> Vec<Flow> {
    vec![Flow::new(End::Here, End::Outside("internet", "Internet".to_owned()), "outgoing calls")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway(state: NatGatewayState) -> AwsGateway {
        let gateway = AwsGateway::builder().nat_gateway_id("nat-1").state(state);
        gateway.failure_code("Gateway.NotAttached").failure_message("no gateway").build()
    }

    #[test]
    fn a_deleted_gateway_that_is_still_listed_is_gone() {
        assert_eq!(to_live(gateway(NatGatewayState::Deleted)), None);
    }

    #[test]
    fn a_failed_gateway_gives_its_reason() {
        let failed = Phase::Failed("Gateway.NotAttached: no gateway".into());
        assert_eq!(phase_of(&gateway(NatGatewayState::Failed)), Some(failed));
        assert_eq!(phase_of(&gateway(NatGatewayState::Available)), Some(Phase::Ready));
        let pending = Phase::Pending("pending".into());
        assert_eq!(phase_of(&gateway(NatGatewayState::Pending)), Some(pending));
    }
}
