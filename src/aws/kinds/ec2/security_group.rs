//! Security groups without their rules, so that groups may refer to each other.
//!
//! AWS quirks: name and description never change. AWS gives every new group a rule that allows all
//! outbound traffic; the kind of the rules replaces it. A group cannot be deleted while an
//! interface uses it or a rule of another group refers to it.

use std::sync::Arc;

use aws_sdk_ec2::types::{Filter, ResourceType, SecurityGroup as AwsGroup};
use futures::future::FutureExt as _;
use serde::{Deserialize, Serialize};

use super::common;
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};

/// A security group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecurityGroup {
    /// The name, unique in the VPC.
    pub name: String,
    /// The description, which AWS requires and never changes.
    pub description: String,
    /// The id of the VPC.
    pub vpc: Text,
}

impl Resource for SecurityGroup {
    const META: Meta = Meta {
        drawn: Drawn::badge("shield", "security group", &["vpc"]),
        notes: &[
            "Its rules are a separate resource, ec2.security_group_rules.",
            "It cannot be deleted while a resource uses it. The interfaces of load balancers, \
             databases and functions outlive their owners by minutes, and payctl waits for them.",
        ],
        immutable: &["name", "description", "vpc"],
        replace: Replace::DeleteFirst,
        can_duplicate: true,
        use_blocks_delete: true,
        read_lag: common::SETTLE,
        deadline: common::INTERFACES,
        gone_at_once: true,
        permits: &[
            Permit::look(&["ec2:DescribeSecurityGroups"], &["*"]),
            Permit::create(&["ec2:CreateSecurityGroup"], &["ec2:{here}:security-group/*"])
                .made_ours(),
            Permit::create(&["ec2:CreateTags"], &["ec2:{here}:security-group/*"])
                .where_equal("ec2:CreateAction", "CreateSecurityGroup"),
            Permit::change(&["ec2:CreateTags", "ec2:DeleteTags"], &["ec2:{here}:security-group/*"])
                .ours(),
            Permit::delete(&["ec2:DeleteSecurityGroup"], &["ec2:{here}:security-group/*"]).ours(),
            Permit::create(&["ec2:CreateSecurityGroup"], &["ec2:{here}:vpc/*"]).ours(),
            Permit::delete(&["ec2:DescribeNetworkInterfaces"], &["*"]),
            Permit::delete(&["ec2:DeleteNetworkInterface"], &["ec2:{here}:network-interface/*"]),
        ],
        names: Some(NameRule {
            is_reserved: Some(is_reserved),
            ..NameRule::new(
                "security-group",
                255,
                r"^[a-zA-Z0-9 ._:/()#,@\[\]+=&;{}!$*-]{1,255}$",
                "1 to 255 letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*; not `default`, not `sg-...`",
            )
        }),
        section: "security_groups",
        predicted: &[(Output::Name, "{name}")],
        asked: &["description"],
        typical: Typical::seconds(3, 1, 5).calls(2, 2, 2),
        serves: true,
        pricing: Pricing::Free("AWS charges nothing for security groups."),
        types: &["ec2:security-group"],
        ..Meta::new("ec2.security_group", "ec2", "A security group, without its rules.")
    };

    fn sample() -> Self {
        Self {
            name: "sample-group".into(),
            description: "Sample".into(),
            vpc: Text::reference(Address::new("ec2.vpc", "sample"), Output::Id),
        }
    }

    fn variants() -> Vec<Self> {
        vec![]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let groups = ours(cx).await?.to_vec().into_iter();
        Ok(groups.filter_map(|group| cx.found(to_live(group), |spec| &spec.name)).collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let groups = with_others(cx.aws, cx.id()).await?;
        Ok(common::pick(cx, groups.into_iter().map(to_live).collect()))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let call = cx
            .aws
            .ec2
            .create_security_group()
            .group_name(&self.name)
            .description(&self.description)
            .vpc_id(self.vpc.known())
            .tag_specifications(common::tagged(ResourceType::SecurityGroup, cx.tags));
        let answer = call.send().await.map_err(op("CreateSecurityGroup"))?;
        common::made("CreateSecurityGroup", answer.group_id)
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
        let send = cx.aws.ec2.delete_security_group().group_id(&live.id).send();
        match send.await.map_err(op("DeleteSecurityGroup")).or_gone() {
            Ok(_) => Ok(()),
            Err(refused) => {
                let held = common::filter("group-id", [&live.id]);
                Err(common::held_by_functions(cx.aws, held, refused).await)
            }
        }
    }
}

/// The environment's groups; also for the kind of their rules.
pub(super) async fn ours(cx: &Survey<'_>) -> Result<Arc<Vec<AwsGroup>>, OpError> {
    cx.once("ec2:DescribeSecurityGroups", list(cx.aws, common::ours(cx.aws))).await
}

/// A group, and those that are read at the same moment; also for the kind of their rules.
pub(super) async fn with_others(aws: &Aws, id: &str) -> Result<Vec<AwsGroup>, OpError> {
    let list: common::Describe<AwsGroup> = |aws, filters| list(aws, filters).boxed();
    common::with_others(aws, "group-id", id, list).await
}

/// The groups that match.
pub(super) async fn list(aws: &Aws, filters: Vec<Filter>) -> Result<Vec<AwsGroup>, OpError> {
    let call = aws.ec2.describe_security_groups().set_filters(Some(filters)).max_results(1000);
    let pages = call.into_paginator().items().send();
    pages.try_collect().await.map_err(op("DescribeSecurityGroups"))
}

fn to_live(group: AwsGroup) -> Live<SecurityGroup> {
    let id = group.group_id.unwrap_or_default();
    let name = group.group_name.unwrap_or_default();
    let mut outputs = Outputs::from([(Output::Id, id.clone()), (Output::Name, name.clone())]);
    outputs.extend(group.security_group_arn.map(|arn| (Output::Arn, arn)));
    Live {
        spec: SecurityGroup {
            name,
            description: group.description.unwrap_or_default(),
            vpc: group.vpc_id.unwrap_or_default().into(),
        },
        outputs,
        tags: common::tags(group.tags),
        phase: Phase::Ready,
        id,
    }
}

/// Names that AWS keeps for itself.
fn is_reserved(name: &str) -> bool {
    name == "default" || name.to_lowercase().starts_with("sg-")
}
