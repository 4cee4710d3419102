//! What the kinds of Cost Explorer share.
//!
//! AWS quirks: AWS bills each request to Cost Explorer, and none to the Resource Groups Tagging API.
//! Cost Explorer is global: its objects stand in the Tagging API of one region of a partition.

use aws_sdk_resourcegroupstagging::config::{Config, Region};
use aws_sdk_resourcegroupstagging::types::TagFilter;

use crate::aws::clients::Aws;
use crate::aws::error::op;
use crate::aws::resource::Survey;
use payctl_engine::model::error::OpError;
use payctl_engine::model::scope::{TAG_ENV, TAG_PROJECT};

/// The types of the kinds, as the Tagging API names them.
const TYPES: [&str; 2] = ["ce:anomalymonitor", "ce:anomalysubscription"];

/// Whether a survey has a reason to ask Cost Explorer: the config wants such an object, or one carries
/// the tags of the environment. If the Tagging API does not say, Cost Explorer must.
pub(super) async fn may_exist(cx: &Survey<'_>) -> bool {
    if !cx.wanted.is_empty() || cx.sweep.is_none() {
        return true;
    }
    // Where the objects stand in the index of this region, that has told already. An answer without anything
    // may be none at all.
    if cx.aws.scope.region == home(&cx.aws.scope.partition)
        && let Some(index) = cx.tags_of_everything().await.filter(|index| !index.is_empty())
    {
        return index.keys().any(|arn| arn.split(':').nth(2) == Some("ce"));
    }
    let tagged = cx.once("tagged objects of Cost Explorer", is_any_tagged(cx.aws)).await;
    tagged.map_or(true, |tagged| *tagged)
}

async fn is_any_tagged(aws: &Aws) -> Result<bool, OpError> {
    let filter = |key: &str, value: &str| TagFilter::builder().key(key).values(value).build();
    let call = aws
        .resourcegroupstagging
        .get_resources()
        .tag_filters(filter(TAG_PROJECT, &aws.scope.project))
        .tag_filters(filter(TAG_ENV, &aws.scope.env))
        .set_resource_type_filters(Some(TYPES.map(str::to_owned).to_vec()))
        .customize()
        .config_override(Config::builder().region(Region::new(home(&aws.scope.partition))));
    let answer = call.send().await.map_err(op("GetResources"))?;
    Ok(!answer.resource_tag_mapping_list().is_empty())
}

/// The region whose Tagging API knows the global objects of a partition.
fn home(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "cn-northwest-1",
        "aws-us-gov" => "us-gov-west-1",
        _ => "us-east-1",
    }
}
