//! What the kinds of Cost Explorer share.
//!
//! AWS quirks: AWS bills each request to Cost Explorer, and none to the Resource Groups Tagging API.
//! Cost Explorer is global: its objects stand in the Tagging API of one region of a partition.

use aws_sdk_resourcegroupstagging::config::{Config, Region};
use aws_sdk_resourcegroupstagging::types::{Tag, TagFilter};

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
    let tagged = cx.once("tagged objects of Cost Explorer", is_any_tagged(cx.aws)).await;
    tagged.map_or(true, |tagged| *tagged)
}

async fn is_any_tagged(aws: &Aws) -> Result<bool, OpError> {
    let project = TagFilter::builder().key(TAG_PROJECT).values(&aws.scope.project).build();
    let env = TagFilter::builder().key(TAG_ENV);
    let env = if aws.is_shared { env } else { env.values(&aws.scope.env) };
    let call = aws
        .resourcegroupstagging
        .get_resources()
        .tag_filters(project)
        .tag_filters(env.build())
        .set_resource_type_filters(Some(TYPES.map(str::to_owned).to_vec()))
        .customize()
        .config_override(Config::builder().region(Region::new(home(&aws.scope.partition))));
    let answer = call.send().await.map_err(op("GetResources"))?;
    let is_own = |tag: &Tag| tag.key == TAG_ENV && tag.value == aws.scope.env;
    let tagged = answer.resource_tag_mapping_list().iter();
    Ok(tagged.flat_map(|one| one.tags()).any(is_own))
}

/// The region whose Tagging API knows the global objects of a partition.
fn home(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "cn-northwest-1",
        "aws-us-gov" => "us-gov-west-1",
        _ => "us-east-1",
    }
}
