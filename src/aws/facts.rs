//! The facts about account and region that a blueprint needs.

use super::clients::{Aws, Connection, retry_read};
use super::error::op;
use super::kinds::ec2::common::filter;
use payctl_engine::model::error::OpError;
use payctl_engine::model::zone::Zone;

/// The IAM actions that every command needs, whatever the config contains: for the identity of the
/// caller, the zones of the region, and the tags of all resources.
pub const ACTIONS: &[&str] =
    &["ec2:DescribeAvailabilityZones", "sts:GetCallerIdentity", "tag:GetResources"];

/// Connects, and reads the zones of the region at the same time.
pub async fn connect(
    connection: &Connection,
    project: &str,
    env: &str,
) -> Result<(Aws, Vec<Zone>), OpError> {
    Aws::connect_asking(connection, project, env, zones).await
}

/// The availability zones that this account may use in the region, in the order of their names. The
/// list leaves out local and wavelength zones, and zones that need an opt-in. It includes zones
/// that are impaired at the moment: otherwise subnets would move to other zones.
pub async fn zones(aws: &Aws) -> Result<Vec<Zone>, OpError> {
    let call = aws
        .ec2
        .describe_availability_zones()
        .filters(filter("zone-type", ["availability-zone"]))
        .filters(filter("opt-in-status", ["opt-in-not-required", "opted-in"]));
    let send = || async { call.clone().send().await.map_err(op("DescribeAvailabilityZones")) };
    let answer = retry_read(send).await?;
    let zones = answer.availability_zones.unwrap_or_default();
    let zones = zones.into_iter().filter_map(|zone| {
        Some(Zone { name: zone.zone_name?, id: zone.zone_id.unwrap_or_default() })
    });
    let mut zones: Vec<Zone> = zones.collect();
    zones.sort();
    Ok(zones)
}

#[cfg(test)]
mod tests {
    use super::super::clients::tests::{Does, connected};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_impaired_zone_keeps_its_place() {
        let aws = connected(|request| {
            let asked = String::from_utf8_lossy(request.body().bytes().unwrap_or_default());
            if asked.contains("Filter.1.Name=zone-type") && !asked.contains("Name=state") {
                Does::Answer(
                    200,
                    "<DescribeAvailabilityZonesResponse><availabilityZoneInfo>\
                     <item><zoneName>us-east-1b</zoneName><zoneState>available</zoneState>\
                     <zoneId>use1-az4</zoneId></item>\
                     <item><zoneName>us-east-1a</zoneName><zoneState>impaired</zoneState>\
                     <zoneId>use1-az6</zoneId></item>\
                     </availabilityZoneInfo></DescribeAvailabilityZonesResponse>",
                )
            } else {
                Does::Answer(200, "<DescribeAvailabilityZonesResponse/>")
            }
        });
        let zone = |name: &str, id: &str| Zone { name: name.into(), id: id.into() };
        let expected = [zone("us-east-1a", "use1-az6"), zone("us-east-1b", "use1-az4")];
        assert_eq!(zones(&aws.await).await.unwrap(), expected);
    }
}
