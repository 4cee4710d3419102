//! Log groups that a service writes again after the destroy of their environment. They have no tags, so
//! only the record of the destroy tells that they were payctl's.
//!
//! AWS quirks: functions write their last events seconds to minutes late, and create the group for it,
//! without tags and retention.

use std::collections::BTreeSet;

use super::log_group::{self, LogGroup};
use crate::aws::clients::{Aws, retry_read};
use crate::aws::error::{Gone, op};
use crate::aws::leftovers::Late;
use crate::aws::resource::Resource as _;
use payctl_engine::model::error::OpError;
use payctl_engine::model::permit::Permit;

/// See the module.
pub(in crate::aws::kinds) const LATE: Late = Late {
    kind: LogGroup::META.kind,
    permits: &[
        Permit::look(&["logs:DescribeLogGroups"], &["*"]),
        Permit::look(&["logs:ListTagsForResource"], &["logs:{here}:log-group:{seen}"]),
        Permit::delete(&["logs:DeleteLogGroup"], &["logs:{here}:log-group:{name}:*"]),
    ],
    find: |aws, names| Box::pin(find(aws, names)),
    delete: |aws, name| Box::pin(delete(aws, name)),
};

/// What the names of all groups begin with that services write by themselves.
const SERVICES: &str = "/aws/";

/// Those of the groups that exist again, without any tag.
async fn find(aws: &Aws, names: &BTreeSet<String>) -> Result<BTreeSet<String>, OpError> {
    if !names.iter().any(|name| name.starts_with(SERVICES)) {
        return Ok(BTreeSet::new());
    }
    let list = || async {
        let call = aws.cloudwatchlogs.describe_log_groups().log_group_name_prefix(SERVICES);
        let groups = call.limit(50).into_paginator().items().send().try_collect().await;
        groups.map_err(op("DescribeLogGroups"))
    };
    let groups: Vec<_> = retry_read(list).await?;
    let mut late = BTreeSet::new();
    for group in groups {
        let name = group.log_group_name().unwrap_or_default().to_owned();
        if !names.contains(&name) || !name.starts_with(SERVICES) {
            continue;
        }
        let tags = retry_read(|| log_group::tags_of(aws, log_group::arn_of(&group))).await?;
        if tags.is_some_and(|tags| tags.is_empty()) {
            late.insert(name);
        }
    }
    Ok(late)
}

async fn delete(aws: &Aws, name: &str) -> Result<(), OpError> {
    let send = aws.cloudwatchlogs.delete_log_group().log_group_name(name).send();
    send.await.map_err(op("DeleteLogGroup")).or_gone().map(drop)
}
