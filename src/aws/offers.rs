//! The zones in which AWS offers an instance class. AWS would refuse other zones in the middle of
//! an apply.

use std::collections::BTreeSet;

use super::clients::{Aws, patiently};
use super::error::op;
use super::kinds::ec2::common::filter;
use payctl_engine::model::error::OpError;

/// Asks for the names of the zones that have an EC2 instance type.
pub async fn instance_type(aws: &Aws, name: &str) -> Result<Option<BTreeSet<String>>, OpError> {
    let ask = || async {
        let call = aws.ec2.describe_instance_type_offerings();
        let call = call.location_type("availability-zone".into());
        let pages = call.filters(filter("instance-type", [name])).into_paginator().items().send();
        let found = pages.collect::<Result<Vec<_>, _>>().await;
        found.map_err(op("DescribeInstanceTypeOfferings"))
    };
    let found = patiently(ask).await;
    answered(aws, found.map(|found| found.into_iter().filter_map(|one| one.location).collect()))
}

/// Asks for the names of the zones that have a class for a version of Aurora PostgreSQL.
pub async fn database_class(
    aws: &Aws,
    version: &str,
    class: &str,
) -> Result<Option<BTreeSet<String>>, OpError> {
    // A major version stands for the version that AWS chooses.
    let exact = version.contains('.').then(|| version.to_owned());
    let ask = || async {
        let call = aws.rds.describe_orderable_db_instance_options().engine("aurora-postgresql");
        let call = call.set_engine_version(exact.clone()).db_instance_class(class);
        let pages = call.into_paginator().items().send();
        let found = pages.collect::<Result<Vec<_>, _>>().await;
        found.map_err(op("DescribeOrderableDBInstanceOptions"))
    };
    let zones = patiently(ask).await.map(|found| {
        let zones = found.into_iter().flat_map(|one| one.availability_zones.unwrap_or_default());
        zones.filter_map(|zone| zone.name).collect()
    });
    answered(aws, zones)
}

/// An emulator that does not know the question, or no answer to it, refuses nothing either.
fn answered(
    aws: &Aws,
    zones: Result<BTreeSet<String>, OpError>,
) -> Result<Option<BTreeSet<String>>, OpError> {
    match zones {
        Err(_) if aws.is_elsewhere => Ok(None),
        Ok(zones) if aws.is_elsewhere && zones.is_empty() => Ok(None),
        zones => zones.map(Some),
    }
}
