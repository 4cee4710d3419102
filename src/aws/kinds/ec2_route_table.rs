//! Route tables, with routes and subnet associations folded in.
//!
//! AWS quirks: the local route, the routes of gateway endpoints and propagated routes come and go
//! by themselves and are not listed here. A route whose target is gone stays as a black hole; it is
//! read as another target, so that it is replaced. A route to an instance comes back with the
//! instance and its interface; the interface counts. A subnet has one explicit association at
//! most: a subnet of another table is moved, never doubly associated.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_ec2::types::{
    Filter, ResourceType, Route as AwsRoute, RouteOrigin, RouteState, RouteTable as AwsTable,
    RouteTableAssociation, RouteTableAssociationStateCode,
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::ec2;
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use crate::model::address::Address;
use crate::model::error::{ErrorClass, OpError};
use crate::model::live::{Found, Live, Phase, Tags};
use crate::model::meta::{Meta, Replace};
use crate::model::text::{Output, Outputs, Text};

/// A route table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteTable {
    /// The id of the VPC.
    pub vpc: Text,
    /// Destinations (CIDR) and where they lead; the local route is not listed.
    pub routes: BTreeMap<String, Route>,
    /// The ids of the associated subnets.
    pub subnets: BTreeSet<Text>,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Route {
    /// An internet gateway, by id.
    InternetGateway(Text),
    /// A NAT gateway, by id.
    NatGateway(Text),
    /// A network interface, by id.
    Interface(Text),
    /// What payctl never asks for but may find: a black hole, or a target set by somebody else.
    Other(String),
}

impl Resource for RouteTable {
    const META: Meta = Meta {
        notes: &[
            "Local and propagated routes and those of gateway endpoints are left alone; every \
             other route that the config does not contain is removed.",
            "A subnet that is associated with another route table is moved to this one.",
        ],
        immutable: &["vpc"],
        replace: Replace::CreateFirst,
        settle: ec2::SETTLE,
        deadline: Duration::from_secs(300),
        transient: &[
            ("InvalidVpcID.NotFound", ""),
            ("InvalidRouteTableID.NotFound", ""),
            ("InvalidSubnetID.NotFound", ""),
            ("InvalidGatewayID.NotFound", ""),
            ("InvalidInternetGatewayID.NotFound", ""),
            ("InvalidNatGatewayID.NotFound", ""),
            ("InvalidNetworkInterfaceID.NotFound", ""),
            // Another table has just taken the subnet, or let it go.
            ("InvalidAssociationID.NotFound", ""),
            ("IdempotentParameterMismatch", ""),
        ],
        actions: &[
            "ec2:AssociateRouteTable",
            "ec2:CreateRoute",
            "ec2:CreateRouteTable",
            "ec2:CreateTags",
            "ec2:DeleteRoute",
            "ec2:DeleteRouteTable",
            "ec2:DeleteTags",
            "ec2:DescribeRouteTables",
            "ec2:DisassociateRouteTable",
            "ec2:ReplaceRoute",
            "ec2:ReplaceRouteTableAssociation",
        ],
        ..Meta::new("ec2.route_table", "ec2", "A route table with its routes and subnets.")
    };

    fn sample() -> Self {
        let id = |kind| Text::reference(Address::new(kind, "sample"), Output::Id);
        let gateway = Route::InternetGateway(id("ec2.internet_gateway"));
        Self {
            vpc: id("ec2.vpc"),
            routes: BTreeMap::from([("0.0.0.0/0".into(), gateway)]),
            subnets: BTreeSet::from([id("ec2.subnet")]),
        }
    }

    fn variants() -> Vec<Self> {
        let gateway = Self::sample().routes["0.0.0.0/0"].clone();
        let elsewhere = BTreeMap::from([
            ("198.51.100.0/24".to_owned(), gateway.clone()),
            ("203.0.113.0/24".to_owned(), gateway),
        ]);
        vec![
            Self { routes: elsewhere, ..Self::sample() },
            Self { routes: BTreeMap::new(), subnets: BTreeSet::new(), ..Self::sample() },
        ]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let tables = list(cx.aws, ec2::ours(&cx.aws.scope)).await?;
        Ok(ec2::found(cx, tables.into_iter().map(live).collect()))
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let tables = list(cx.aws, ec2::target(cx, "route-table-id")).await?;
        Ok(ec2::pick(cx, tables.into_iter().map(live).collect()))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let call = cx
            .aws
            .ec2
            .create_route_table()
            .vpc_id(self.vpc.known())
            .client_token(ec2::token(cx, &self.vpc, &[]))
            .tag_specifications(ec2::tagged(ResourceType::RouteTable, cx.tags));
        let answer = call.send().await.map_err(op("CreateRouteTable"))?;
        ec2::made("CreateRouteTable", answer.route_table.and_then(|table| table.route_table_id))
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let (want, have) = (&self.routes, &live.spec.routes);
        let changed = want.iter().filter(|(to, route)| have.get(*to) != Some(*route));
        try_join_all(changed.map(|(to, route)| async move {
            match have.contains_key(to) {
                true => replace_route(cx.aws, &live.id, to, route).await,
                false => create_route(cx.aws, &live.id, to, route).await,
            }
        }))
        .await?;
        let surplus = have.keys().filter(|to| !want.contains_key(*to));
        try_join_all(surplus.map(|to| delete_route(cx.aws, &live.id, to))).await?;
        move_subnets(cx.aws, &live.id, &self.subnets, &live.spec.subnets).await
    }

    async fn retag(
        cx: &Cx<'_>,
        live: &Live<Self>,
        set: &Tags,
        unset: &[String],
    ) -> Result<(), OpError> {
        ec2::retag(cx.aws, &live.id, set, unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        move_subnets(cx.aws, &live.id, &BTreeSet::new(), &live.spec.subnets).await?;
        let send = cx.aws.ec2.delete_route_table().route_table_id(&live.id).send();
        send.await.map_err(op("DeleteRouteTable")).or_gone().map(drop)
    }
}

async fn list(aws: &Aws, filters: Vec<Filter>) -> Result<Vec<AwsTable>, OpError> {
    // A page of this call holds 100 at most.
    let call = aws.ec2.describe_route_tables().set_filters(Some(filters)).max_results(100);
    let pages = call.into_paginator().items().send();
    pages.try_collect().await.map_err(op("DescribeRouteTables"))
}

fn live(table: AwsTable) -> Live<RouteTable> {
    let id = table.route_table_id.unwrap_or_default();
    let associations = table.associations.unwrap_or_default();
    let subnets = associations.into_iter().filter(is_in_force).filter_map(|it| it.subnet_id);
    let routes = table.routes.unwrap_or_default();
    Live {
        spec: RouteTable {
            vpc: table.vpc_id.unwrap_or_default().into(),
            routes: routes.iter().filter_map(route).collect(),
            subnets: subnets.map(Text::from).collect(),
        },
        outputs: Outputs::from([(Output::Id, id.clone())]),
        tags: ec2::tags(table.tags),
        phase: Phase::Ready,
        id,
    }
}

fn is_in_force(association: &RouteTableAssociation) -> bool {
    use RouteTableAssociationStateCode::{Disassociated, Disassociating, Failed};
    let state = association.association_state.as_ref().and_then(|state| state.state.as_ref());
    !matches!(state, Some(Disassociated | Disassociating | Failed))
}

/// The destination and target of a route, unless AWS looks after the route itself.
fn route(route: &AwsRoute) -> Option<(String, Route)> {
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
    if route.state == Some(RouteState::Blackhole) {
        return Route::Other(format!("black hole (was {target})"));
    }
    match (nat, interface, internet) {
        (Some(id), _, _) => Route::NatGateway(id.into()),
        (_, Some(id), _) => Route::Interface(id.into()),
        (_, _, Some(id)) => Route::InternetGateway(id.into()),
        (None, None, None) => Route::Other(target.to_owned()),
    }
}

/// The members of a destination or a target that a call takes one of.
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
                let message = format!("payctl cannot lead {destination} to {target}");
                return Err(OpError::new("CreateRoute", ErrorClass::Bug, "PayctlBug", message));
            }
        }
        Ok(members)
    }

    fn to(destination: &str) -> Self {
        let destination = Some(destination.to_owned());
        match destination.as_ref().is_some_and(|range| range.contains(':')) {
            true => Self { ipv6: destination, ..Self::default() },
            false => Self { ipv4: destination, ..Self::default() },
        }
    }
}

async fn create_route(aws: &Aws, table: &str, to: &str, route: &Route) -> Result<(), OpError> {
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

async fn replace_route(aws: &Aws, table: &str, to: &str, route: &Route) -> Result<(), OpError> {
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

async fn delete_route(aws: &Aws, table: &str, to: &str) -> Result<(), OpError> {
    let Members { ipv4, ipv6, .. } = Members::to(to);
    let call = aws
        .ec2
        .delete_route()
        .route_table_id(table)
        .set_destination_cidr_block(ipv4)
        .set_destination_ipv6_cidr_block(ipv6);
    call.send().await.map_err(op("DeleteRoute")).or_gone().map(drop)
}

/// Associates what is wanted and not there, taking it from other tables, and lets go of the rest.
async fn move_subnets(
    aws: &Aws,
    table: &str,
    want: &BTreeSet<Text>,
    have: &BTreeSet<Text>,
) -> Result<(), OpError> {
    let moving: Vec<&str> = want.symmetric_difference(have).map(Text::known).collect();
    if moving.is_empty() {
        return Ok(());
    }
    let current = associations(aws, &moving).await?;
    let missing = want.difference(have).map(|subnet| {
        let old = current.iter().find(|old| old.subnet_id.as_deref() == Some(subnet.known()));
        associate(aws, table, subnet.known(), old)
    });
    try_join_all(missing).await?;
    let surplus = current.iter().filter(|old| {
        let subnet = Text::from(old.subnet_id.as_deref().unwrap_or_default());
        old.route_table_id.as_deref() == Some(table) && !want.contains(&subnet)
    });
    try_join_all(surplus.map(|old| disassociate(aws, old))).await.map(drop)
}

/// The explicit associations of some subnets, with whichever table.
async fn associations(aws: &Aws, subnets: &[&str]) -> Result<Vec<RouteTableAssociation>, OpError> {
    let filters = vec![ec2::filter("association.subnet-id", subnets.iter().copied())];
    let tables = list(aws, filters).await?;
    let all = tables.into_iter().flat_map(|table| {
        let id = table.route_table_id;
        let of_table = move |mut association: RouteTableAssociation| {
            association.route_table_id = association.route_table_id.or_else(|| id.clone());
            association
        };
        table.associations.unwrap_or_default().into_iter().map(of_table)
    });
    let moving = |it: &RouteTableAssociation| {
        is_in_force(it) && it.subnet_id.as_deref().is_some_and(|id| subnets.contains(&id))
    };
    Ok(all.filter(moving).collect())
}

async fn associate(
    aws: &Aws,
    table: &str,
    subnet: &str,
    old: Option<&RouteTableAssociation>,
) -> Result<(), OpError> {
    match old {
        Some(old) if old.route_table_id.as_deref() == Some(table) => Ok(()),
        Some(old) => {
            let call = aws
                .ec2
                .replace_route_table_association()
                .set_association_id(old.route_table_association_id.clone())
                .route_table_id(table);
            call.send().await.map_err(op("ReplaceRouteTableAssociation")).map(drop)
        }
        None => {
            let call = aws.ec2.associate_route_table().route_table_id(table).subnet_id(subnet);
            call.send().await.map_err(op("AssociateRouteTable")).map(drop)
        }
    }
}

async fn disassociate(aws: &Aws, old: &RouteTableAssociation) -> Result<(), OpError> {
    let id = old.route_table_association_id.clone();
    let send = aws.ec2.disassociate_route_table().set_association_id(id).send();
    send.await.map_err(op("DisassociateRouteTable")).or_gone().map(drop)
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::RouteTableAssociationState;
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
    fn routes_that_aws_looks_after_are_not_listed() {
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
    fn black_holes_and_targets_of_others_differ_from_everything_wanted() {
        let hole = to("0.0.0.0/0").nat_gateway_id("nat-1").state(RouteState::Blackhole);
        check(hole, Some(Route::Other("black hole (was nat-1)".into())));
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

    #[test]
    fn associations_that_ended_do_not_count() {
        let association = |state: &str| {
            let state = RouteTableAssociationState::builder().state(state.into()).build();
            RouteTableAssociation::builder().association_state(state).build()
        };
        assert!(is_in_force(&association("associated")));
        assert!(is_in_force(&RouteTableAssociation::builder().build()));
        assert!(!is_in_force(&association("disassociating")));
    }
}
