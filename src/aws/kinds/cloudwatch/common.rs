//! What the kinds of CloudWatch share: tags.

use aws_sdk_cloudwatch::types;

use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::Tags;

/// The tags of an alarm or dashboard; `None` if it is gone.
pub(super) async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>, OpError> {
    let send = aws.cloudwatch.list_tags_for_resource().resource_arn(arn).send();
    let answer = send.await.map_err(op("ListTagsForResource")).or_gone()?;
    let pair = |tag: types::Tag| Some((tag.key?, tag.value.unwrap_or_default()));
    Ok(answer.map(|it| it.tags.unwrap_or_default().into_iter().filter_map(pair).collect()))
}

/// Tags as the calls take them.
pub(super) fn to_tags(tags: &Tags) -> Vec<types::Tag> {
    let tag =
        |(key, value): (&String, &String)| types::Tag::builder().key(key).value(value).build();
    tags.iter().map(tag).collect()
}

/// Sets tags.
pub(super) async fn add_tags(aws: &Aws, arn: &str, set: &Tags) -> Result<(), OpError> {
    let call = aws.cloudwatch.tag_resource().resource_arn(arn);
    call.set_tags(Some(to_tags(set))).send().await.map_err(op("TagResource")).map(drop)
}

/// Removes tags.
pub(super) async fn remove_tags(aws: &Aws, arn: &str, unset: &[String]) -> Result<(), OpError> {
    let call = aws.cloudwatch.untag_resource().resource_arn(arn);
    call.set_tag_keys(Some(unset.to_vec())).send().await.map_err(op("UntagResource")).map(drop)
}
