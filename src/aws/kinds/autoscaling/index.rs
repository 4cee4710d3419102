//! The groups of all environments: the tagging API does not know them.

use crate::aws::census::{Index, Indexed};
use crate::aws::clients::{Aws, retry_read};
use crate::aws::error::op;
use crate::aws::kinds::autoscaling::group;
use payctl_engine::model::error::OpError;
use payctl_engine::model::permit::Permit;

/// See the module.
pub(in crate::aws::kinds) const INDEX: Index = Index {
    permits: &[Permit::look(&["autoscaling:DescribeAutoScalingGroups"], &["*"])],
    ask: |aws| Box::pin(ask(aws)),
};

async fn ask(aws: &Aws) -> Result<Vec<Indexed>, OpError> {
    let listed = || async {
        let call = aws.autoscaling.describe_auto_scaling_groups().max_records(100);
        let found = call.into_paginator().items().send().try_collect().await;
        found.map_err(op("DescribeAutoScalingGroups"))
    };
    let groups: Vec<_> = retry_read(listed).await?;
    let indexed = groups.into_iter().filter_map(|one| {
        let tags = group::tags_of(&one);
        Some(Indexed { arn: one.auto_scaling_group_arn?, tags })
    });
    Ok(indexed.collect())
}
