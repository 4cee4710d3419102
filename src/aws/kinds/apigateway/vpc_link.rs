//! VPC links of the second version: interfaces in subnets that connect APIs with load balancers.
//!
//! AWS quirks: subnets and groups never change. A link without traffic for 60 days becomes inactive
//! until the next request. It cannot be deleted while an API or a deployment refers to it.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_apigatewayv2::types;
use serde::{Deserialize, Serialize};

use super::common::{NAME_RULE, arn, incomplete, tags};
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::quotas;
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::{Drawn, Lane};
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};

/// A VPC link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VpcLink {
    /// The name.
    pub name: String,
    /// The ids of its subnets.
    pub subnets: BTreeSet<Text>,
    /// The ids of its security groups.
    pub groups: BTreeSet<Text>,
}

impl Resource for VpcLink {
    const META: Meta = Meta {
        drawn: Drawn::a_box(Lane::Pass, "link", "VPC link"),
        notes: &[
            "AWS takes 2 to 4 minutes to create one.",
            "A link without traffic for 60 days is inactive until the next request.",
            "payctl deletes it after the APIs that use it and after their deployments.",
        ],
        immutable: &["subnets", "groups"],
        replace: Replace::CreateFirst,
        can_duplicate: true,
        use_blocks_delete: true,
        deadline: Duration::from_secs(1200),
        transient: &[("BadRequestException", "referenced"), ("BadRequestException", "in use")],
        permits: &[
            quotas::PERMIT,
            Permit::look(&["apigateway:GET"], &["apigateway:{region}::/vpclinks"]),
            Permit::watch(&["apigateway:GET"], &["apigateway:{region}::/vpclinks/*"]),
            Permit::create(&["apigateway:POST"], &["apigateway:{region}::/vpclinks"]),
            Permit::create(&["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets"], &["*"]),
            Permit::create(
                &["iam:CreateServiceLinkedRole"],
                &["iam::{account}:role/aws-service-role/ops.apigateway.amazonaws.com/*"],
            )
            .where_equal("iam:AWSServiceName", "ops.apigateway.amazonaws.com"),
            Permit::change(&["apigateway:PATCH"], &["apigateway:{region}::/vpclinks/*"]),
            Permit::set(&["apigateway:POST"], &["apigateway:{region}::/tags/*"]),
            Permit::change(&["apigateway:DELETE"], &["apigateway:{region}::/tags/*"]),
            Permit::delete(&["apigateway:DELETE"], &["apigateway:{region}::/vpclinks/*"]),
        ],
        names: Some(NameRule::new("vpc-link", 128, r"^[A-Za-z0-9._-]{1,128}$", NAME_RULE)),
        section: "vpc_links",
        predicted: &[(Output::Name, "{name}")],
        typical: Typical::seconds(150, 5, 60),
        serves: true,
        pricing: Pricing::Free(
            "AWS charges nothing for the link; the load balancer behind it costs.",
        ),
        types: &["apigateway:vpclinks"],
        ..Meta::new(
            "apigateway.vpc_link",
            "apigateway",
            "A VPC link, which lets REST APIs reach a network.",
        )
    };

    fn sample() -> Self {
        let id = |kind| Text::reference(Address::new(kind, "sample"), Output::Id);
        Self {
            name: "sample-link".into(),
            subnets: BTreeSet::from([id("ec2.subnet")]),
            groups: BTreeSet::from([id("ec2.security_group")]),
        }
    }

    fn variants() -> Vec<Self> {
        vec![Self { name: "sample-link-2".into(), ..Self::sample() }]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let mut lives = Vec::new();
        let mut token = None;
        loop {
            let call = cx.aws.apigatewayv2.get_vpc_links().set_next_token(token);
            let page = call.send().await.map_err(op("GetVpcLinks"))?;
            let links = page.items.unwrap_or_default().into_iter();
            lives.extend(links.map(|link| to_live(cx.aws, link)));
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(lives
                    .into_iter()
                    .filter_map(|live| cx.found(live, |spec| &spec.name))
                    .collect());
            }
        }
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let send = cx.aws.apigatewayv2.get_vpc_link().vpc_link_id(cx.id()).send();
        let Some(found) = send.await.map_err(op("GetVpcLink")).or_gone()? else { return Ok(None) };
        let link = types::VpcLink::builder()
            .set_vpc_link_id(found.vpc_link_id)
            .set_name(found.name)
            .set_subnet_ids(found.subnet_ids)
            .set_security_group_ids(found.security_group_ids)
            .set_vpc_link_status(found.vpc_link_status)
            .set_vpc_link_status_message(found.vpc_link_status_message)
            .set_tags(found.tags);
        Ok(Some(to_live(cx.aws, link.build())))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let ids = |texts: &BTreeSet<Text>| -> Vec<String> {
            texts.iter().map(|id| id.known().to_owned()).collect()
        };
        let made = cx
            .aws
            .apigatewayv2
            .create_vpc_link()
            .name(&self.name)
            .set_subnet_ids(Some(ids(&self.subnets)))
            .set_security_group_ids(Some(ids(&self.groups)))
            .set_tags(Some(cx.tags.clone().into_iter().collect()))
            .send()
            .await
            .map_err(op("CreateVpcLink"))?;
        made.vpc_link_id.ok_or_else(|| incomplete("CreateVpcLink"))
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let call = cx.aws.apigatewayv2.update_vpc_link().vpc_link_id(&live.id).name(&self.name);
        call.send().await.map_err(op("UpdateVpcLink")).map(drop)
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        let call = cx
            .aws
            .apigatewayv2
            .tag_resource()
            .resource_arn(arn(cx.aws, &format!("/vpclinks/{}", live.id)))
            .set_tags(Some(set.clone().into_iter().collect()));
        call.send().await.map_err(op("TagResource")).map(drop)
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        let call = cx
            .aws
            .apigatewayv2
            .untag_resource()
            .resource_arn(arn(cx.aws, &format!("/vpclinks/{}", live.id)))
            .set_tag_keys(Some(unset.to_vec()));
        call.send().await.map_err(op("UntagResource")).map(drop)
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.apigatewayv2.delete_vpc_link().vpc_link_id(&live.id).send();
        send.await.map_err(op("DeleteVpcLink")).or_gone().map(drop)
    }
}

fn to_live(aws: &Aws, link: types::VpcLink) -> Live<VpcLink> {
    use types::VpcLinkStatus as Status;
    let id = link.vpc_link_id.unwrap_or_default();
    let name = link.name.unwrap_or_default();
    let reason = || link.vpc_link_status_message.clone().unwrap_or_else(|| "FAILED".into());
    let phase = match &link.vpc_link_status {
        Some(Status::Pending) => Phase::Pending("PENDING".into()),
        Some(Status::Deleting) => Phase::Deleting("DELETING".into()),
        Some(Status::Failed) => Phase::Failed(reason()),
        _ => Phase::Ready,
    };
    let texts = |ids: Option<Vec<String>>| ids.unwrap_or_default().into_iter().map(Text::from);
    Live {
        outputs: Outputs::from([
            (Output::Id, id.clone()),
            (Output::Name, name.clone()),
            (Output::Arn, arn(aws, &format!("/vpclinks/{id}"))),
        ]),
        spec: VpcLink {
            name,
            subnets: texts(link.subnet_ids).collect(),
            groups: texts(link.security_group_ids).collect(),
        },
        id,
        tags: tags(link.tags),
        phase,
    }
}
