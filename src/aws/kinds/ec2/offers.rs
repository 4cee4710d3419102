//! The zones in which AWS offers an instance type. AWS would refuse the type in another zone in the
//! middle of an apply.

use std::collections::BTreeSet;

use super::common::filter;
use super::instance::Instance;
use super::subnet::Subnet;
use crate::aws::clients::{Aws, retry_read};
use crate::aws::error::op;
use crate::aws::preflight::{Check, Finding, Planned, Preflight, Subject};
use crate::aws::resource::Resource as _;
use payctl_engine::model::address::Address;
use payctl_engine::model::error::OpError;

/// Checks whether AWS offers the types of new instances in their zones.
pub(super) const CHECK: Check =
    Check { subject: Subject::Zones, doing: ASKING, run: |cx| Box::pin(check(cx)) };

/// What payctl does in all checks of zones, as a message says it.
pub(crate) const ASKING: &str = "list the instance classes of each zone";

const TYPE: &str = "instance_type";

async fn check(cx: &Preflight<'_>) -> Result<Vec<Finding>, OpError> {
    let mut findings = Vec::new();
    for planned in cx.of(Instance::META.kind).filter(|planned| planned.makes(TYPE)) {
        let wanted = planned.want.and_then(|want| want.spec[TYPE].as_str());
        if let Some(wanted) = wanted {
            findings.extend(available(cx, planned, wanted).await?);
        }
    }
    Ok(findings)
}

/// Checks whether AWS offers an instance type in one of the zones where the plan uses it.
pub(crate) async fn available(
    cx: &Preflight<'_>,
    planned: &Planned<'_>,
    instance_type: &str,
) -> Result<Option<Finding>, OpError> {
    let zones = zones_of(cx, planned.address);
    let question = format!("ec2 {instance_type}");
    cx.available(planned, instance_type, zones, offered(cx.aws, instance_type), question).await
}

/// The zones of the subnets of a resource, or of the resource that it belongs to.
pub(crate) fn zones_of(cx: &Preflight<'_>, address: &Address) -> BTreeSet<String> {
    let subnets = cx.used(address, Subnet::META.kind).into_iter();
    let zone = |subnet: Address| cx.resources[&subnet].spec["zone"].as_str().map(str::to_owned);
    subnets.filter_map(zone).collect()
}

/// Asks for the names of the zones that have an instance type.
async fn offered(aws: &Aws, name: &str) -> Result<BTreeSet<String>, OpError> {
    let ask = || async {
        let pages = aws
            .ec2
            .describe_instance_type_offerings()
            .location_type("availability-zone".into())
            .filters(filter("instance-type", [name]))
            .into_paginator()
            .items()
            .send();
        let found = pages.collect::<Result<Vec<_>, _>>().await;
        found.map_err(op("DescribeInstanceTypeOfferings"))
    };
    let found = retry_read(ask).await?;
    Ok(found.into_iter().filter_map(|one| one.location).collect())
}
