//! The security groups of environments that use something of another one. Whoever uses a network has
//! one in it, and EC2's own list does not lag behind as the index of tags does.

use super::common::{filter, tags};
use crate::aws::census::{Index, Indexed};
use crate::aws::clients::{Aws, retry_read};
use crate::aws::error::op;
use payctl_engine::model::error::OpError;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::scope::TAG_BORROWS;

/// See the module.
pub(in crate::aws::kinds) const CLAIMS: Index = Index {
    permits: &[Permit::look(&["ec2:DescribeSecurityGroups"], &["*"])],
    ask: |aws| Box::pin(ask(aws)),
};

async fn ask(aws: &Aws) -> Result<Vec<Indexed>, OpError> {
    let listed = || async {
        let call = aws.ec2.describe_security_groups().filters(filter("tag-key", [TAG_BORROWS]));
        let found = call.into_paginator().items().send().try_collect().await;
        found.map_err(op("DescribeSecurityGroups"))
    };
    let groups: Vec<_> = retry_read(listed).await?;
    let claims = groups
        .into_iter()
        .map(|group| Indexed { arn: group.group_id.unwrap_or_default(), tags: tags(group.tags) });
    Ok(claims.collect())
}
