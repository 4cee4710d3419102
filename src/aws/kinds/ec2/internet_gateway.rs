//! Internet gateways, with their attachment folded in.
//!
//! AWS quirks: one call creates a gateway and a second one attaches it, so a crash in between
//! leaves it detached. Its tag `payctl:vpc` names its VPC, so that the next run attaches it instead
//! of replacing it. It cannot be detached while the VPC has public addresses.

use std::time::Duration;

use aws_sdk_ec2::types::{
    AttachmentStatus, Filter, InternetGateway as AwsGateway, InternetGatewayAttachment,
    ResourceType,
};
use futures::future::FutureExt as _;
use serde::{Deserialize, Serialize};

use super::common;
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Traffic, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};

/// The tag with the VPC that a gateway was made for. It is part of the spec, so `Live.tags` does
/// not contain it.
const TAG_VPC: &str = "payctl:vpc";

/// An internet gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InternetGateway {
    /// The id of the VPC that it is attached to, or was made for.
    pub vpc: Text,
    /// Whether it is attached.
    pub attached: bool,
}

impl Resource for InternetGateway {
    const META: Meta = Meta {
        drawn: Drawn::badge("internet", "internet gateway", &["vpc"]),
        notes: &[
            "AWS detaches it only after all public addresses in the VPC are gone; a deletion \
             waits for that.",
        ],
        immutable: &["vpc"],
        replace: Replace::CreateFirst,
        can_duplicate: true,
        use_blocks_delete: true,
        read_lag: common::SETTLE,
        deadline: Duration::from_secs(1200),
        gone_at_once: true,
        permits: &[
            Permit::look(&["ec2:DescribeInternetGateways"], &["*"]),
            Permit::create(&["ec2:CreateInternetGateway"], &["ec2:{here}:internet-gateway/*"])
                .made_ours(),
            Permit::create(&["ec2:CreateTags"], &["ec2:{here}:internet-gateway/*"])
                .where_equal("ec2:CreateAction", "CreateInternetGateway"),
            Permit::change(
                &[
                    "ec2:AttachInternetGateway",
                    "ec2:CreateTags",
                    "ec2:DeleteTags",
                    "ec2:DetachInternetGateway",
                ],
                &["ec2:{here}:internet-gateway/*"],
            )
            .ours(),
            Permit::delete(
                &["ec2:DeleteInternetGateway", "ec2:DetachInternetGateway"],
                &["ec2:{here}:internet-gateway/*"],
            )
            .ours(),
            Permit::change(
                &["ec2:AttachInternetGateway", "ec2:DetachInternetGateway"],
                &["ec2:{here}:vpc/*"],
            )
            .ours(),
            Permit::delete(&["ec2:DetachInternetGateway"], &["ec2:{here}:vpc/*"]).ours(),
        ],
        names: Some(NameRule::tag("internet-gateway")),
        section: "network",
        typical: Typical::seconds(3, 3, 3).calls(5, 4, 3),
        serves: true,
        felt: &[("attached", Traffic::Outage)],
        pricing: Pricing::Free(
            "AWS charges nothing for the gateway; what sends data to the internet bears that \
             charge.",
        ),
        types: &["ec2:internet-gateway"],
        ..Meta::new("ec2.internet_gateway", "ec2", "An internet gateway attached to a VPC.")
    };

    fn sample() -> Self {
        let vpc = Text::reference(Address::new("ec2.vpc", "sample"), Output::Id);
        Self { vpc, attached: true }
    }

    fn variants() -> Vec<Self> {
        vec![]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        Ok(common::found(cx, find(cx.aws, common::ours(cx.aws)).await?))
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        common::read(cx, "internet-gateway-id", |aws, filters| find(aws, filters).boxed()).await
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let mut tags = cx.tags.clone();
        tags.insert(TAG_VPC.to_owned(), self.vpc.known().to_owned());
        let tags = common::tagged(ResourceType::InternetGateway, &tags);
        let send = cx.aws.ec2.create_internet_gateway().tag_specifications(tags).send();
        let gateway = send.await.map_err(op("CreateInternetGateway"))?.internet_gateway;
        common::made("CreateInternetGateway", gateway.and_then(|made| made.internet_gateway_id))
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        if self.attached {
            attach(cx.aws, &live.id, self.vpc.known()).await
        } else {
            detach(cx.aws, &live.id, self.vpc.known()).await
        }
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        common::add_tags(cx.aws, &live.id, set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        common::remove_tags(cx.aws, &live.id, unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        if live.spec.attached {
            detach(cx.aws, &live.id, live.spec.vpc.known()).await?;
        }
        let call = cx.aws.ec2.delete_internet_gateway().internet_gateway_id(&live.id);
        call.send().await.map_err(op("DeleteInternetGateway")).or_gone().map(drop)
    }
}

async fn find(aws: &Aws, filters: Vec<Filter>) -> Result<Vec<Live<InternetGateway>>, OpError> {
    let call = aws.ec2.describe_internet_gateways().set_filters(Some(filters)).max_results(1000);
    let pages = call.into_paginator().items().send();
    let gateways: Vec<AwsGateway> =
        pages.try_collect().await.map_err(op("DescribeInternetGateways"))?;
    Ok(gateways.into_iter().map(to_live).collect())
}

fn to_live(gateway: AwsGateway) -> Live<InternetGateway> {
    let id = gateway.internet_gateway_id.unwrap_or_default();
    let mut tags = common::tags(gateway.tags);
    let made_for = tags.remove(TAG_VPC).unwrap_or_default();
    let attachments = gateway.attachments.unwrap_or_default();
    let attachment = attachments.into_iter().find(|attachment| {
        !matches!(attachment.state, Some(AttachmentStatus::Detached)) && attachment.vpc_id.is_some()
    });
    let phase = phase_of(attachment.as_ref());
    let attached_to = attachment.and_then(|attachment| attachment.vpc_id);
    Live {
        spec: InternetGateway {
            attached: attached_to.is_some(),
            vpc: attached_to.unwrap_or(made_for).into(),
        },
        outputs: Outputs::from([(Output::Id, id.clone())]),
        tags,
        phase,
        id,
    }
}

/// Only the attachment has a state: `available` when attached.
fn phase_of(attachment: Option<&InternetGatewayAttachment>) -> Phase {
    match attachment.and_then(|attachment| attachment.state.as_ref()) {
        Some(state @ (AttachmentStatus::Attaching | AttachmentStatus::Detaching)) => {
            Phase::Pending(state.as_str().to_owned())
        }
        _ => Phase::Ready,
    }
}

async fn attach(aws: &Aws, id: &str, vpc: &str) -> Result<(), OpError> {
    let call = aws.ec2.attach_internet_gateway().internet_gateway_id(id).vpc_id(vpc);
    match call.send().await.map_err(op("AttachInternetGateway")) {
        // The code is the same if another gateway is attached to the VPC; the message names the one
        // that is attached.
        Err(error) if error.class == ErrorClass::Exists && error.message.contains(id) => Ok(()),
        answer => answer.map(drop),
    }
}

async fn detach(aws: &Aws, id: &str, vpc: &str) -> Result<(), OpError> {
    let call = aws.ec2.detach_internet_gateway().internet_gateway_id(id).vpc_id(vpc);
    call.send().await.map_err(op("DetachInternetGateway")).or_gone().map(drop)
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::Tag;

    use super::*;

    fn gateway(attachment: Option<&str>) -> AwsGateway {
        let tag = Tag::builder().key(TAG_VPC).value("vpc-1").build();
        let attachment = attachment.map(|state| {
            let state = AttachmentStatus::from(state);
            InternetGatewayAttachment::builder().state(state).vpc_id("vpc-1").build()
        });
        let attachments = attachment.map(|attachment| vec![attachment]);
        AwsGateway::builder().tags(tag).set_attachments(attachments).build()
    }

    #[test]
    fn a_detached_gateway_differs_only_in_its_attachment() {
        for state in [None, Some("detached")] {
            let live = to_live(gateway(state));
            assert_eq!(live.spec, InternetGateway { vpc: "vpc-1".into(), attached: false });
            assert_eq!(live.phase, Phase::Ready);
            assert!(live.tags.is_empty());
        }
    }

    #[test]
    fn an_attached_gateway_is_ready_once_it_is_available() {
        let live = |state| to_live(gateway(Some(state)));
        assert!(live("available").spec.attached);
        assert_eq!(live("available").phase, Phase::Ready);
        assert_eq!(live("attaching").phase, Phase::Pending("attaching".into()));
    }
}
