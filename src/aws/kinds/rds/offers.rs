//! The zones in which AWS offers a class of database instances. AWS would refuse the class in
//! another zone in the middle of an apply.

use std::collections::BTreeSet;

use super::cluster::Cluster;
use super::instance::Instance;
use crate::aws::clients::{Aws, retry_read};
use crate::aws::error::op;
use crate::aws::kinds::ec2::offers::{ASKING, zones_of};
use crate::aws::preflight::{Check, Finding, Planned, Preflight, Subject};
use crate::aws::resource::Resource as _;
use payctl_engine::model::error::OpError;

/// Checks whether AWS offers the classes of new instances in their zones.
pub(super) const CHECK: Check =
    Check { subject: Subject::Zones, doing: ASKING, run: |cx| Box::pin(check(cx)) };

async fn check(cx: &Preflight<'_>) -> Result<Vec<Finding>, OpError> {
    let mut findings = Vec::new();
    for planned in cx.of(Instance::META.kind).filter(|planned| planned.makes("class")) {
        let Some((class, version)) = class(cx, planned) else { continue };
        let zones = zones_of(cx, planned.address);
        let question = format!("rds {class} {version}");
        let ask = offered(cx.aws, version, class);
        findings.extend(cx.available(planned, class, zones, ask, question).await?);
    }
    Ok(findings)
}

/// The class of an instance, and the version of its cluster.
fn class<'a>(cx: &'a Preflight<'_>, planned: &'a Planned<'_>) -> Option<(&'a str, &'a str)> {
    let want = planned.want?;
    let cluster = cx.used(planned.address, Cluster::META.kind).pop_first()?;
    let version = cx.resources[&cluster].spec["engine_version"].as_str()?;
    Some((want.spec["class"].as_str()?, version))
}

/// Asks for the names of the zones that have a class for a version of Aurora PostgreSQL.
async fn offered(aws: &Aws, version: &str, class: &str) -> Result<BTreeSet<String>, OpError> {
    // A major version stands for the version that AWS chooses.
    let exact = version.contains('.').then(|| version.to_owned());
    let ask = || async {
        let pages = aws
            .rds
            .describe_orderable_db_instance_options()
            .engine("aurora-postgresql")
            .set_engine_version(exact.clone())
            .db_instance_class(class)
            .into_paginator()
            .items()
            .send();
        let found = pages.collect::<Result<Vec<_>, _>>().await;
        found.map_err(op("DescribeOrderableDBInstanceOptions"))
    };
    let found = retry_read(ask).await?;
    let zones = found.into_iter().flat_map(|one| one.availability_zones.unwrap_or_default());
    Ok(zones.filter_map(|zone| zone.name).collect())
}
