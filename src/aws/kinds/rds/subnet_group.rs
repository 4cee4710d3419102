//! Subnet groups: the subnets in which the instances of a database may run.
//!
//! AWS quirks: a group needs subnets in two zones at least; a cluster never moves to another group,
//! but its group may get more subnets; the list does not show tags.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_rds::types::DbSubnetGroup;
use futures::future::try_join_all;
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
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};

/// A subnet group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubnetGroup {
    /// The name, in lower case.
    pub name: String,
    /// Its description.
    pub description: String,
    /// The ids of the subnets.
    pub subnets: BTreeSet<Text>,
}

impl Resource for SubnetGroup {
    const META: Meta = Meta {
        drawn: Drawn::badge("subnet", "subnet group", &[]),
        notes: &[
            "The subnets must be in at least two availability zones.",
            "A subnet cannot leave the group while an instance uses it.",
        ],
        immutable: &["name"],
        replace: Replace::DeleteFirst,
        use_blocks_delete: true,
        deadline: Duration::from_secs(900),
        read_lag: Duration::from_secs(30),
        // The first database of an account: AWS makes the role of RDS meanwhile.
        transient: &[
            ("InvalidParameterValue", "Missing necessary credentials"),
            ("InvalidParameterValue", "service linked role"),
        ],
        permits: &[
            Permit::look(&["rds:DescribeDBSubnetGroups"], &["*"]),
            Permit::look(&["rds:ListTagsForResource"], &["rds:{here}:subgrp:{seen}"]),
            Permit::create(&["rds:CreateDBSubnetGroup"], &["rds:{here}:subgrp:{name}"]),
            Permit::set(&["rds:AddTagsToResource"], &["rds:{here}:subgrp:{name}"]),
            Permit::change(
                &["rds:ModifyDBSubnetGroup", "rds:RemoveTagsFromResource"],
                &["rds:{here}:subgrp:{name}"],
            ),
            Permit::delete(&["rds:DeleteDBSubnetGroup"], &["rds:{here}:subgrp:{name}"]),
            Permit::create(
                &["iam:CreateServiceLinkedRole"],
                &["iam::{account}:role/aws-service-role/rds.amazonaws.com/*"],
            )
            .where_equal("iam:AWSServiceName", "rds.amazonaws.com"),
        ],
        names: Some(common::named("subnet-group", 255)),
        section: "databases",
        predicted: &[
            (Output::Arn, "arn:{partition}:rds:{here}:subgrp:{name}"),
            (Output::Name, "{name}"),
        ],
        asked: &["description"],
        typical: Typical::seconds(2, 2, 2),
        serves: true,
        pricing: Pricing::Free("AWS charges nothing for subnet groups."),
        types: &["rds:subgrp"],
        ..Meta::new("rds.subnet_group", "rds", "The subnets that a database may use.")
    };

    fn sample() -> Self {
        let subnet = |name: &str| Text::reference(Address::new("ec2.subnet", name), Output::Id);
        Self {
            name: "sample-subnets".into(),
            description: "Subnets of the sample".into(),
            subnets: BTreeSet::from([subnet("sample"), subnet("sample-b")]),
        }
    }

    fn variants() -> Vec<Self> {
        let more = Text::reference(Address::new("ec2.subnet", "sample-c"), Output::Id);
        let mut wider = Self { description: "More subnets".into(), ..Self::sample() };
        wider.subnets.insert(more);
        vec![wider, Self::sample()]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let pages = cx.aws.rds.describe_db_subnet_groups().max_records(100).into_paginator();
        let listed = pages.items().send().collect::<Result<Vec<_>, _>>().await;
        let listed = listed.map_err(op("DescribeDBSubnetGroups"))?;
        let candidates = listed
            .into_iter()
            .filter(|group| group.db_subnet_group_name().is_some_and(|name| cx.is_candidate(name)));
        let found = candidates.map(|group| async move {
            let name = group.db_subnet_group_name().unwrap_or_default().to_owned();
            let arn = group.db_subnet_group_arn().unwrap_or_default();
            let tags = cx.if_permitted(&name, cx.tags(arn, common::tags_of(cx.aws, arn)).await)?;
            let Some(tags) = tags else { return Ok(None) };
            let claimed = cx.claim(&name, &tags);
            Ok(claimed.map(|(address, owner)| Found { address, owner, live: to_live(group, tags) }))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let Some(group) = describe(cx.aws, cx.id()).await? else { return Ok(None) };
        let tags = common::tags_of(cx.aws, group.db_subnet_group_arn().unwrap_or_default()).await?;
        Ok(tags.map(|tags| to_live(group, tags)))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        cx.aws
            .rds
            .create_db_subnet_group()
            .db_subnet_group_name(&self.name)
            .db_subnet_group_description(&self.description)
            .set_subnet_ids(Some(self.subnet_ids()))
            .set_tags(Some(common::to_tags(cx.tags)))
            .send()
            .await
            .map_err(op("CreateDBSubnetGroup"))?;
        Ok(self.name.clone())
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        cx.aws
            .rds
            .modify_db_subnet_group()
            .db_subnet_group_name(&live.id)
            .db_subnet_group_description(&self.description)
            .set_subnet_ids(Some(self.subnet_ids()))
            .send()
            .await
            .map_err(op("ModifyDBSubnetGroup"))
            .map(drop)
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        common::add_tags(cx.aws, &live.outputs[&Output::Arn], set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        common::remove_tags(cx.aws, &live.outputs[&Output::Arn], unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.rds.delete_db_subnet_group().db_subnet_group_name(&live.id).send();
        send.await.map_err(op("DeleteDBSubnetGroup")).or_gone().map(drop)
    }
}

impl SubnetGroup {
    fn subnet_ids(&self) -> Vec<String> {
        self.subnets.iter().map(|subnet| subnet.known().to_owned()).collect()
    }
}

async fn describe(aws: &Aws, name: &str) -> Result<Option<DbSubnetGroup>, OpError> {
    let send = aws.rds.describe_db_subnet_groups().db_subnet_group_name(name).send();
    let answer = send.await.map_err(op("DescribeDBSubnetGroups")).or_gone()?;
    Ok(answer.and_then(|answer| answer.db_subnet_groups?.into_iter().next()))
}

fn to_live(group: DbSubnetGroup, tags: Tags) -> Live<SubnetGroup> {
    let name = group.db_subnet_group_name.unwrap_or_default();
    let arn = group.db_subnet_group_arn.unwrap_or_default();
    let ids = group.subnets.unwrap_or_default().into_iter();
    let ids = ids.filter_map(|subnet| subnet.subnet_identifier);
    Live {
        id: name.clone(),
        outputs: Outputs::from([(Output::Arn, arn), (Output::Name, name.clone())]),
        tags,
        phase: Phase::Ready,
        spec: SubnetGroup {
            name,
            description: group.db_subnet_group_description.unwrap_or_default(),
            subnets: ids.map(Text::from).collect(),
        },
    }
}
