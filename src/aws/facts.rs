//! What must be known about the account and region before a blueprint can be drawn.

use super::clients::{Aws, Connection, patiently};
use super::error::op;
use super::kinds::ec2::filter;
use crate::model::error::OpError;

/// Connects, and asks at the same time for the zones of the region.
pub async fn connect(
    connection: &Connection,
    project: &str,
    env: &str,
) -> Result<(Aws, Vec<String>), OpError> {
    Aws::connect_asking(connection, project, env, zones).await
}

/// The names of the availability zones that this account may use in the region, in order. Local
/// and wavelength zones are left out; so are zones that need opting in.
pub async fn zones(aws: &Aws) -> Result<Vec<String>, OpError> {
    let call = aws
        .ec2
        .describe_availability_zones()
        .filters(filter("zone-type", ["availability-zone"]))
        .filters(filter("state", ["available"]))
        .filters(filter("opt-in-status", ["opt-in-not-required", "opted-in"]));
    let send = || async { call.clone().send().await.map_err(op("DescribeAvailabilityZones")) };
    let answer = patiently(send).await?;
    let zones = answer.availability_zones.unwrap_or_default();
    let mut names: Vec<String> = zones.into_iter().filter_map(|zone| zone.zone_name).collect();
    names.sort();
    Ok(names)
}
