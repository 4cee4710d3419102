//! Helpers of the ECS kinds: tags, names in ARNs, the clusters to read.

use std::sync::Arc;

use aws_sdk_ecs::types::Tag;

use crate::aws::clients::Aws;
use crate::aws::error::op;
use crate::aws::resource::Survey;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::Tags;
use payctl_engine::model::naming::NameRule;

/// The rule for names of ECS.
pub(super) const fn named(word: &'static str) -> NameRule {
    NameRule::new(word, 255, r"^[a-zA-Z0-9_-]{1,255}$", "1 to 255 letters, digits, _ and -")
}

/// The text after the last slash of an ARN: a name, or `FAMILY:REVISION`.
pub(super) fn name_in(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// The ARNs of all clusters of the account.
pub(super) async fn all_clusters(cx: &Survey<'_>) -> Result<Arc<Vec<String>>, OpError> {
    let list = async {
        let pages = cx.aws.ecs.list_clusters().into_paginator().items().send();
        pages.try_collect().await.map_err(op("ListClusters"))
    };
    cx.once("ecs:ListClusters", list).await
}

/// The ARNs of all clusters that carry the environment's name or a wanted one.
pub(super) async fn clusters(cx: &Survey<'_>) -> Result<Vec<String>, OpError> {
    let all = all_clusters(cx).await?;
    Ok(all.iter().filter(|arn| cx.is_candidate(name_in(arn))).cloned().collect())
}

pub(super) fn to_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

pub(super) fn from_tags(tags: Option<Vec<Tag>>) -> Tags {
    let pair = |tag: Tag| Some((tag.key?, tag.value.unwrap_or_default()));
    tags.unwrap_or_default().into_iter().filter_map(pair).collect()
}

/// Sets tags.
pub(super) async fn add_tags(aws: &Aws, arn: &str, set: &Tags) -> Result<(), OpError> {
    let call = aws.ecs.tag_resource().resource_arn(arn).set_tags(Some(to_tags(set)));
    call.send().await.map_err(op("TagResource")).map(drop)
}

/// Removes tags.
pub(super) async fn remove_tags(aws: &Aws, arn: &str, unset: &[String]) -> Result<(), OpError> {
    let call = aws.ecs.untag_resource().resource_arn(arn).set_tag_keys(Some(unset.to_vec()));
    call.send().await.map_err(op("UntagResource")).map(drop)
}

/// The error of an answer without the ARN of the new object.
pub(super) fn no_arn(operation: &'static str) -> OpError {
    OpError::new(operation, ErrorClass::Service, "NoArn", "AWS did not return an ARN")
}
