//! The routes of a route table: conversions, and the calls that change them.

use aws_sdk_ec2::types::{Route as AwsRoute, RouteOrigin, RouteState};

use super::Route;
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use payctl_engine::model::error::{ErrorClass, OpError};

/// The destination and target of a route, unless AWS looks after the route itself.
pub(super) fn route(route: &AwsRoute) -> Option<(String, Route)> {
    let destination = route.destination_cidr_block.as_ref();
    let destination = destination.or(route.destination_ipv6_cidr_block.as_ref())?;
    let is_automatic = matches!(
        route.origin,
        Some(RouteOrigin::CreateRouteTable | RouteOrigin::EnableVgwRoutePropagation)
    );
    if is_automatic || route.gateway_id.as_deref() == Some("local") {
        return None;
    }
    Some((destination.clone(), where_to(route)))
}

fn where_to(route: &AwsRoute) -> Route {
    let nat = route.nat_gateway_id.as_deref();
    let interface = route.network_interface_id.as_deref();
    let gateway = route.gateway_id.as_deref();
    let internet = gateway.filter(|id| id.starts_with("igw-"));
    let others = [
        nat,
        interface,
        gateway,
        route.instance_id.as_deref(),
        route.vpc_peering_connection_id.as_deref(),
        route.transit_gateway_id.as_deref(),
        route.egress_only_internet_gateway_id.as_deref(),
        route.carrier_gateway_id.as_deref(),
        route.local_gateway_id.as_deref(),
        route.core_network_arn.as_deref(),
    ];
    let target = others.into_iter().flatten().next().unwrap_or("unknown target");
    let is_black_hole = route.state == Some(RouteState::Blackhole);
    // payctl reads a black hole as a target of the same type that is never wanted. So a route whose
    // target is deleted and made again differs in the same field before, during and after the
    // change.
    let read =
        |id: &str| if is_black_hole { format!("black hole (was {id})") } else { id.to_owned() };
    match (nat, interface, internet) {
        (Some(id), _, _) => Route::NatGateway(read(id).into()),
        (_, Some(id), _) => Route::Interface(read(id).into()),
        (_, _, Some(id)) => Route::InternetGateway(read(id).into()),
        (None, None, None) => Route::Other(read(target)),
    }
}

/// The members of a call for the destination and the target; one of each is set.
#[derive(Debug, Default, PartialEq)]
struct Members {
    ipv4: Option<String>,
    ipv6: Option<String>,
    gateway: Option<String>,
    nat: Option<String>,
    interface: Option<String>,
}

impl Members {
    fn of(destination: &str, route: &Route) -> Result<Self, OpError> {
        let mut members = Self::to(destination);
        match route {
            Route::InternetGateway(id) => members.gateway = Some(id.known().to_owned()),
            Route::NatGateway(id) => members.nat = Some(id.known().to_owned()),
            Route::Interface(id) => members.interface = Some(id.known().to_owned()),
            Route::Other(target) => {
                let message = format!("payctl cannot route {destination} to {target}");
                return Err(OpError::new("CreateRoute", ErrorClass::Bug, "PayctlBug", message));
            }
        }
        Ok(members)
    }

    fn to(destination: &str) -> Self {
        let destination = Some(destination.to_owned());
        if destination.as_ref().is_some_and(|range| range.contains(':')) {
            Self { ipv6: destination, ..Self::default() }
        } else {
            Self { ipv4: destination, ..Self::default() }
        }
    }
}

pub(super) async fn create_route(
    aws: &Aws,
    table: &str,
    to: &str,
    route: &Route,
) -> Result<(), OpError> {
    let Members { ipv4, ipv6, gateway, nat, interface } = Members::of(to, route)?;
    let call = aws
        .ec2
        .create_route()
        .route_table_id(table)
        .set_destination_cidr_block(ipv4)
        .set_destination_ipv6_cidr_block(ipv6)
        .set_gateway_id(gateway)
        .set_nat_gateway_id(nat)
        .set_network_interface_id(interface);
    match call.send().await.map_err(op("CreateRoute")) {
        Err(error) if error.class == ErrorClass::Exists => {
            replace_route(aws, table, to, route).await
        }
        answer => answer.map(drop),
    }
}

pub(super) async fn replace_route(
    aws: &Aws,
    table: &str,
    to: &str,
    route: &Route,
) -> Result<(), OpError> {
    let Members { ipv4, ipv6, gateway, nat, interface } = Members::of(to, route)?;
    let call = aws
        .ec2
        .replace_route()
        .route_table_id(table)
        .set_destination_cidr_block(ipv4)
        .set_destination_ipv6_cidr_block(ipv6)
        .set_gateway_id(gateway)
        .set_nat_gateway_id(nat)
        .set_network_interface_id(interface);
    call.send().await.map_err(op("ReplaceRoute")).map(drop)
}

pub(super) async fn delete_route(aws: &Aws, table: &str, to: &str) -> Result<(), OpError> {
    let Members { ipv4, ipv6, .. } = Members::to(to);
    let call = aws
        .ec2
        .delete_route()
        .route_table_id(table)
        .set_destination_cidr_block(ipv4)
        .set_destination_ipv6_cidr_block(ipv6);
    call.send().await.map_err(op("DeleteRoute")).or_gone().map(drop)
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::builders::RouteBuilder;

    use super::*;

    fn to(destination: &str) -> RouteBuilder {
        AwsRoute::builder().destination_cidr_block(destination).origin(RouteOrigin::CreateRoute)
    }

    fn check(read: RouteBuilder, expected: Option<Route>) {
        let read = read.build();
        assert_eq!(route(&read).map(|(_, target)| target), expected, "{read:?}");
    }

    #[test]
    fn routes_managed_by_aws_are_not_listed() {
        check(to("10.0.0.0/16").gateway_id("local").origin(RouteOrigin::CreateRouteTable), None);
        check(to("10.0.0.0/16").gateway_id("local"), None);
        check(
            to("10.8.0.0/16").gateway_id("vgw-1").origin("EnableVgwRoutePropagation".into()),
            None,
        );
        check(AwsRoute::builder().destination_prefix_list_id("pl-1").gateway_id("vpce-1"), None);
    }

    #[test]
    fn targets_are_read_back_as_they_were_set() {
        let all = || to("0.0.0.0/0");
        check(all().gateway_id("igw-1"), Some(Route::InternetGateway("igw-1".into())));
        check(all().nat_gateway_id("nat-1"), Some(Route::NatGateway("nat-1".into())));
        check(
            all().instance_id("i-1").network_interface_id("eni-1"),
            Some(Route::Interface("eni-1".into())),
        );
    }

    #[test]
    fn black_holes_and_foreign_targets_always_differ() {
        let hole = to("0.0.0.0/0").nat_gateway_id("nat-1").state(RouteState::Blackhole);
        check(hole, Some(Route::NatGateway("black hole (was nat-1)".into())));
        let peering = to("10.9.0.0/16").vpc_peering_connection_id("pcx-1");
        check(peering, Some(Route::Other("pcx-1".into())));
    }

    #[test]
    fn a_destination_is_sent_in_the_member_of_its_family() {
        let members = Members::of("::/0", &Route::InternetGateway("igw-1".into())).unwrap();
        assert_eq!((members.ipv4, members.ipv6), (None, Some("::/0".to_owned())));
        assert_eq!(Members::to("0.0.0.0/0").ipv4.as_deref(), Some("0.0.0.0/0"));
        assert!(Members::of("0.0.0.0/0", &Route::Other("pcx-1".into())).is_err());
    }
}
