//! The tags of all objects of the environment, from the Resource Groups Tagging API.
//!
//! AWS quirks: the answer lags behind by seconds to minutes, contains deleted objects, and does not
//! know every type. So payctl uses it only for the tags of objects in a service's own list, and
//! only if they equal the wanted tags (`Survey::tags`).

use aws_sdk_resourcegroupstagging::types::{Tag, TagFilter};

use super::census;
use super::clients::{Aws, soon};
use super::leftovers::is_of_type;
use payctl_engine::model::scope::{TAG_ENV, TAG_PROJECT};
use payctl_engine::provider::Tagged;

/// The global types, which the Tagging API of one region of a partition knows.
pub(super) const GLOBAL_TYPES: [&str; 2] = ["ce:anomalymonitor", "ce:anomalysubscription"];

/// The region whose Tagging API knows the global objects of a partition.
pub(super) fn home(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "cn-northwest-1",
        "aws-us-gov" => "us-gov-west-1",
        _ => "us-east-1",
    }
}

/// The services whose own lists do not return tags.
const TYPES: &[&str] = &[
    "acm",
    "apigateway",
    "ce:anomalymonitor",
    "ce:anomalysubscription",
    "cloudwatch",
    "dynamodb:table",
    "ecs:cluster",
    "elasticloadbalancing",
    "events:rule",
    "kms:key",
    "lambda",
    "logs:log-group",
    "rds:cluster-pg",
    "rds:subgrp",
    "s3",
    "sns",
    "sqs",
    "ssm:parameter",
    "wafv2",
];

/// The part of an ARN with the object's name; `None` if it only has an id. The ARN of a listener rule has the
/// name of a load balancer, which may be that of another environment.
pub(super) fn name_in(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(6, ':').skip(2);
    let (service, name) = (parts.next()?, parts.nth(2)?);
    let is_id = matches!(service, "acm" | "apigateway" | "ce" | "kms")
        || ["event-source-mapping", "listener-rule/"].iter().any(|start| name.starts_with(start));
    (!is_id).then_some(name)
}

/// Tags by ARN. If the API does not answer, payctl asks every service.
pub(super) async fn of_everything(aws: &Aws) -> Tagged {
    soon(ask(aws)).await.unwrap_or_default()
}

async fn ask(aws: &Aws) -> Tagged {
    let is_home = aws.scope.region == home(&aws.scope.partition);
    let global = GLOBAL_TYPES.iter().filter(|_| is_home);
    let types: Vec<&str> = TYPES.iter().chain(global).copied().collect();
    if aws.is_shared {
        return from_census(aws, &types).await;
    }
    let filter = |key: &str, value: &str| TagFilter::builder().key(key).values(value).build();
    let call = aws
        .resourcegroupstagging
        .get_resources()
        .tag_filters(filter(TAG_PROJECT, &aws.scope.project))
        .tag_filters(filter(TAG_ENV, &aws.scope.env))
        .set_resource_type_filters(Some(types.into_iter().map(str::to_owned).collect()))
        .resources_per_page(100);
    let mut pages = call.into_paginator().items().send();
    let mut all = Tagged { is_whole: true, ..Tagged::default() };
    while let Some(resource) = pages.next().await {
        match resource {
            Ok(resource) => {
                let tags = resource.tags.unwrap_or_default().into_iter();
                let tags = tags.map(|Tag { key, value, .. }| (key, value)).collect();
                all.of.insert(resource.resource_arn.unwrap_or_default(), tags);
            }
            Err(error) => {
                tracing::debug!(?error, "no tags of everything: each service is asked");
                all.is_whole = false;
                break;
            }
        }
    }
    all
}

/// The same from the list of all environments, which is one question for all of them.
async fn from_census(aws: &Aws, types: &[&str]) -> Tagged {
    let listed = census::listed_of_all(aws).await.inspect_err(|error| {
        tracing::debug!(?error, "no tags of everything: each service is asked");
    });
    let is_whole = listed.is_ok();
    let own = [(TAG_PROJECT, &aws.scope.project), (TAG_ENV, &aws.scope.env)];
    let ours = listed.unwrap_or_default().into_iter().filter(|one| {
        own.iter().all(|(key, value)| one.tags.get(*key) == Some(*value))
            && is_of_type(&one.arn, types)
    });
    Tagged { of: ours.map(|one| (one.arn, one.tags)).collect(), is_whole }
}
