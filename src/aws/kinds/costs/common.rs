//! What the kinds of Cost Explorer share.
//!
//! AWS quirks: AWS bills each request to Cost Explorer, and none to the Resource Groups Tagging API.
//! Cost Explorer is global: its objects stand in the Tagging API of one region of a partition.

use aws_sdk_resourcegroupstagging::config::{Config, Region};
use aws_sdk_resourcegroupstagging::types::{Tag, TagFilter};

use crate::aws::clients::Aws;
use crate::aws::error::op;
use crate::aws::resource::Survey;
use crate::aws::tags::{GLOBAL_TYPES, home};
use payctl_engine::model::error::OpError;
use payctl_engine::model::scope::{Scope, TAG_ENV, TAG_PROJECT};

/// Whether a survey has a reason to ask Cost Explorer: the config wants such an object, or one carries
/// the tags of the environment. If the Tagging API does not say, Cost Explorer must.
pub(super) async fn may_exist(cx: &Survey<'_>) -> bool {
    if !cx.wanted.is_empty() || cx.sweep.is_none() {
        return true;
    }
    // At home, the question for the tags of the region includes them.
    let Scope { partition, region, .. } = &cx.aws.scope;
    if region == home(partition) {
        return cx.has_tagged("ce").await.unwrap_or(true);
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
        .set_resource_type_filters(Some(GLOBAL_TYPES.map(str::to_owned).to_vec()))
        .customize()
        .config_override(Config::builder().region(Region::new(home(&aws.scope.partition))));
    let answer = call.send().await.map_err(op("GetResources"))?;
    let is_own = |tag: &Tag| tag.key == TAG_ENV && tag.value == aws.scope.env;
    let tagged = answer.resource_tag_mapping_list().iter();
    Ok(tagged.flat_map(|one| one.tags()).any(is_own))
}
