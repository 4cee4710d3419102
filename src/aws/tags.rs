//! The tags of all objects of the environment, from the Resource Groups Tagging API.
//!
//! AWS quirks: the answer lags behind by seconds to minutes, contains deleted objects, and does not
//! know every type. So payctl uses it only for the tags of objects in a service's own list, and
//! only if they equal the wanted tags (`Survey::tags`).

use std::collections::BTreeMap;

use aws_sdk_resourcegroupstagging::types::{Tag, TagFilter};

use super::clients::{Aws, soon};
use payctl_engine::model::live::Tags;
use payctl_engine::model::scope::{TAG_ENV, TAG_PROJECT};

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

/// The part of an ARN with the object's name; `None` if it only has an id.
pub(super) fn name_in(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(6, ':').skip(2);
    let (service, name) = (parts.next()?, parts.nth(2)?);
    let is_id =
        matches!(service, "acm" | "apigateway" | "kms") || name.starts_with("event-source-mapping");
    (!is_id).then_some(name)
}

/// Tags by ARN; none if the API does not answer all of it, and then payctl asks every service.
pub(super) async fn of_everything(aws: &Aws) -> BTreeMap<String, Tags> {
    soon(ask(aws)).await.unwrap_or_default()
}

async fn ask(aws: &Aws) -> BTreeMap<String, Tags> {
    let filter = |key: &str, value: &str| TagFilter::builder().key(key).values(value).build();
    let call = aws
        .resourcegroupstagging
        .get_resources()
        .tag_filters(filter(TAG_PROJECT, &aws.scope.project))
        .tag_filters(filter(TAG_ENV, &aws.scope.env))
        .set_resource_type_filters(Some(TYPES.iter().map(|name| (*name).to_owned()).collect()))
        .resources_per_page(100);
    let mut pages = call.into_paginator().items().send();
    let mut all = BTreeMap::new();
    while let Some(resource) = pages.next().await {
        match resource {
            Ok(resource) => {
                let tags = resource.tags.unwrap_or_default().into_iter();
                let tags = tags.map(|Tag { key, value, .. }| (key, value)).collect();
                all.insert(resource.resource_arn.unwrap_or_default(), tags);
            }
            Err(error) => {
                tracing::debug!(?error, "no tags of everything: each service is asked");
                return BTreeMap::new();
            }
        }
    }
    all
}
