//! Helpers of the API Gateway kinds: patches, tags, the APIs of an environment.
//!
//! Names are not unique in API Gateway, so objects are found by their ownership tags, which the
//! lists carry. Every change is a JSON patch whose values are texts.

use std::sync::Arc;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_apigateway::types::{Op, PatchOperation, RestApi};

use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::Survey;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Owner, Tags};
use payctl_engine::model::naming::NameRule;

/// What API Gateway takes as a name, in words.
pub(super) const NAME_RULE: &str = "letters, digits and . _ -";

/// The rule for names of API Gateway.
pub(super) const fn named(word: &'static str) -> NameRule {
    NameRule::new(word, 255, r"^[A-Za-z0-9._-]{1,255}$", NAME_RULE)
}

/// The largest page of any list.
pub(super) const PAGE: i32 = 500;

/// Sets a value.
pub(in crate::aws) fn replace(path: impl Into<String>, value: impl Into<String>) -> PatchOperation {
    PatchOperation::builder().op(Op::Replace).path(path).value(value).build()
}

/// Sets a value that may be absent, by an empty one.
pub(super) fn clear(path: impl Into<String>) -> PatchOperation {
    PatchOperation::builder().op(Op::Replace).path(path).build()
}

/// Removes a value.
pub(super) fn remove(path: impl Into<String>) -> PatchOperation {
    PatchOperation::builder().op(Op::Remove).path(path).build()
}

/// Adds a value that consists only of its name.
pub(super) fn add(path: impl Into<String>) -> PatchOperation {
    PatchOperation::builder().op(Op::Add).path(path).build()
}

/// Adds a value to a list.
pub(super) fn append(path: impl Into<String>, value: impl Into<String>) -> PatchOperation {
    PatchOperation::builder().op(Op::Add).path(path).value(value).build()
}

/// One step of a patch's path.
pub(super) fn escape(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

/// The ARN by which API Gateway tags an object, `/restapis/ID`.
pub(super) fn arn(aws: &Aws, path: &str) -> String {
    let scope = &aws.scope;
    format!("arn:{}:apigateway:{}::{path}", scope.partition, scope.region)
}

/// Sets tags.
pub(in crate::aws) async fn add_tags(aws: &Aws, path: &str, set: &Tags) -> Result<(), OpError> {
    let call = aws
        .apigateway
        .tag_resource()
        .resource_arn(arn(aws, path))
        .set_tags(Some(set.clone().into_iter().collect()));
    call.send().await.map_err(op("TagResource")).map(drop)
}

/// Removes tags.
pub(in crate::aws) async fn remove_tags(
    aws: &Aws,
    path: &str,
    unset: &[String],
) -> Result<(), OpError> {
    let call = aws
        .apigateway
        .untag_resource()
        .resource_arn(arn(aws, path))
        .set_tag_keys(Some(unset.to_vec()));
    call.send().await.map_err(op("UntagResource")).map(drop)
}

/// Tags as every answer of API Gateway carries them.
pub(super) fn tags(found: Option<std::collections::HashMap<String, String>>) -> Tags {
    let tags = found.unwrap_or_default().into_iter();
    tags.filter(|(key, _)| !key.starts_with("aws:")).collect()
}

/// A map in an order.
pub(super) fn ordered<T>(
    found: Option<std::collections::HashMap<String, T>>,
) -> BTreeMap<String, T> {
    found.unwrap_or_default().into_iter().collect()
}

/// The REST APIs whose tags name the environment.
pub(super) async fn our_apis(cx: &Survey<'_>) -> Result<Vec<(Owner, RestApi)>, OpError> {
    let list = async {
        let pages = cx.aws.apigateway.get_rest_apis().limit(PAGE).into_paginator();
        pages.items().send().try_collect().await.map_err(op("GetRestApis"))
    };
    let all: Arc<Vec<RestApi>> = cx.once("apigateway:GetRestApis", list).await?;
    let ours = all.iter().filter(|api| api.id.is_some()).filter_map(|api| {
        let name = api.name.as_deref().unwrap_or_default();
        let (_, owner) = cx.ours(name, &tags(api.tags.clone()))?;
        Some((owner, api.clone()))
    });
    Ok(ours.collect())
}

/// The error of an answer without a required member.
pub(super) fn incomplete(operation: &str) -> OpError {
    let message = "AWS did not return the id";
    OpError::new(operation, ErrorClass::Service, "Incomplete", message)
}

/// Deletes the execution log groups of an API. API Gateway recreates them with every late request,
/// without tags and retention.
pub(super) async fn delete_execution_logs(aws: &Aws, api: &str) -> Result<(), OpError> {
    let prefix = execution_log(api, "");
    let call = aws.cloudwatchlogs.describe_log_groups().log_group_name_prefix(prefix);
    let groups = call.into_paginator().items().send().try_collect().await;
    let groups = groups.map_err(op("DescribeLogGroups"))?;
    let names: BTreeSet<String> =
        groups.into_iter().filter_map(|group| group.log_group_name).collect();
    for name in names {
        delete_execution_log(aws, &name).await?;
    }
    Ok(())
}

/// Deletes the log group of one stage's executions.
pub(super) async fn delete_execution_log(aws: &Aws, name: &str) -> Result<(), OpError> {
    let send = aws.cloudwatchlogs.delete_log_group().log_group_name(name).send();
    send.await.map_err(op("DeleteLogGroup")).or_gone().map(drop)
}

/// The name of the log group of a stage's executions, or of all of an API without a stage.
pub(super) fn execution_log(api: &str, stage: &str) -> String {
    format!("API-Gateway-Execution-Logs_{api}/{stage}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_segments_are_escaped() {
        assert_eq!(escape("application/x~y"), "application~1x~0y");
    }
}
