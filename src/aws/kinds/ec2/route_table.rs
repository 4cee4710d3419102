//! Route tables, with routes and subnet associations folded in.
//!
//! AWS quirks: AWS manages the local route, the routes of gateway endpoints and propagated routes;
//! the spec does not list them. A route whose target is gone stays as a black hole; payctl reads it
//! as an unwanted target, so that it is replaced. A route to an instance comes back with the
//! instance and its interface; the interface counts. A subnet has at most one explicit association:
//! payctl moves a subnet of another table.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_ec2::types::{
    Filter, ResourceType, RouteTable as AwsTable, RouteTableAssociation,
    RouteTableAssociationStateCode,
};
use futures::future::{FutureExt as _, try_join_all};
use serde::{Deserialize, Serialize};

use super::common;
use super::egress::by_default_route;
use crate::aws::clients::Aws;
use crate::aws::costs::{Costs, to};
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Traffic, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};
use payctl_money::load::{Driver, Passed};
use routes::{create_route, delete_route, replace_route, route};

mod routes;

/// A route table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteTable {
    /// The id of the VPC.
    pub vpc: Text,
    /// Destinations (CIDR) and their targets, without the local route.
    pub routes: BTreeMap<String, Route>,
    /// The ids of the associated subnets.
    pub subnets: BTreeSet<Text>,
}

/// The target of a route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Route {
    /// An internet gateway, by id.
    InternetGateway(Text),
    /// A NAT gateway, by id.
    NatGateway(Text),
    /// A network interface, by id.
    Interface(Text),
    /// A target that others set; payctl never wants one.
    Other(String),
}

impl Resource for RouteTable {
    const META: Meta = Meta {
        drawn: Drawn::badge("route", "route table", &["vpc"]),
        notes: &[
            "payctl leaves local routes, propagated routes and those of gateway endpoints alone, \
             and removes every other route that the config does not contain.",
            "payctl moves a subnet of another route table to this one.",
        ],
        immutable: &["vpc"],
        replace: Replace::CreateFirst,
        can_duplicate: true,
        // Deleting a subnet ends its association; a gateway can be detached with routes to it.
        does_not_block: &["ec2.subnet", "ec2.internet_gateway"],
        read_lag: common::SETTLE,
        // A route shows in some answers before it shows in all.
        agreeing_reads: 2,
        deadline: Duration::from_secs(300),
        transient: &[
            // An internet gateway that was attached a moment ago.
            ("InvalidParameterValue", "belong to different networks"),
            // The route was deleted after it was read; the next read shows that.
            ("InvalidParameterValue", "There is no route defined"),
        ],
        gone_at_once: true,
        permits: &[
            Permit::look(&["ec2:DescribeRouteTables"], &["*"]),
            Permit::create(&["ec2:CreateRouteTable"], &["ec2:{here}:route-table/*"]).made_ours(),
            Permit::create(&["ec2:CreateTags"], &["ec2:{here}:route-table/*"])
                .where_equal("ec2:CreateAction", "CreateRouteTable"),
            Permit::change(
                &[
                    "ec2:AssociateRouteTable",
                    "ec2:CreateRoute",
                    "ec2:CreateTags",
                    "ec2:DeleteRoute",
                    "ec2:DeleteTags",
                    "ec2:DisassociateRouteTable",
                    "ec2:ReplaceRoute",
                    "ec2:ReplaceRouteTableAssociation",
                ],
                &["ec2:{here}:route-table/*"],
            )
            .ours(),
            Permit::delete(
                &["ec2:DeleteRouteTable", "ec2:DisassociateRouteTable"],
                &["ec2:{here}:route-table/*"],
            )
            .ours(),
            Permit::create(&["ec2:CreateRouteTable"], &["ec2:{here}:vpc/*"]).ours(),
            Permit::change(
                &[
                    "ec2:AssociateRouteTable",
                    "ec2:DisassociateRouteTable",
                    "ec2:ReplaceRouteTableAssociation",
                ],
                &["ec2:{here}:subnet/*"],
            )
            .ours(),
            Permit::delete(&["ec2:DisassociateRouteTable"], &["ec2:{here}:subnet/*"]).ours(),
        ],
        names: Some(NameRule::tag("route-table")),
        section: "network",
        asked: &["routes"],
        typical: Typical::seconds(3, 3, 3).calls(8, 8, 5),
        serves: true,
        felt: &[("routes", Traffic::NewConnections), ("subnets", Traffic::NewConnections)],
        pricing: Pricing::Free("AWS charges nothing for routes."),
        types: &["ec2:route-table"],
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

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        let gateways = self.routes.values().filter_map(|route| match route {
            Route::NatGateway(gateway) => Some(gateway),
            Route::InternetGateway(_) | Route::Interface(_) | Route::Other(_) => None,
        });
        let sent = by_default_route(cx);
        gateways.flat_map(|gateway| to(gateway, Driver::NatGb, sent)).collect()
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let tables = list(cx.aws, common::ours(cx.aws)).await?;
        Ok(common::found(cx, tables.into_iter().map(to_live).collect()))
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let list: common::Describe<AwsTable> = |aws, filters| list(aws, filters).boxed();
        let tables = common::with_others(cx.aws, "route-table-id", cx.id(), list).await?;
        Ok(common::pick(cx, tables.into_iter().map(to_live).collect()))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let call = cx
            .aws
            .ec2
            .create_route_table()
            .vpc_id(self.vpc.known())
            .tag_specifications(common::tagged(ResourceType::RouteTable, cx.tags));
        let answer = call.send().await.map_err(op("CreateRouteTable"))?;
        common::made("CreateRouteTable", answer.route_table.and_then(|table| table.route_table_id))
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let (want, have) = (&self.routes, &live.spec.routes);
        let changed = want.iter().filter(|(to, route)| have.get(*to) != Some(*route));
        try_join_all(changed.map(|(to, route)| async move {
            if have.contains_key(to) {
                replace_route(cx.aws, &live.id, to, route).await
            } else {
                create_route(cx.aws, &live.id, to, route).await
            }
        }))
        .await?;
        let surplus = have.keys().filter(|to| !want.contains_key(*to));
        try_join_all(surplus.map(|to| delete_route(cx.aws, &live.id, to))).await?;
        move_subnets(cx.aws, &live.id, &self.subnets, &live.spec.subnets).await
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        common::add_tags(cx.aws, &live.id, set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        common::remove_tags(cx.aws, &live.id, unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        move_subnets(cx.aws, &live.id, &BTreeSet::new(), &live.spec.subnets).await?;
        let send = cx.aws.ec2.delete_route_table().route_table_id(&live.id).send();
        send.await.map_err(op("DeleteRouteTable")).or_gone().map(drop)
    }
}

pub(super) async fn list(aws: &Aws, filters: Vec<Filter>) -> Result<Vec<AwsTable>, OpError> {
    // A page of this call holds 100 at most.
    let call = aws.ec2.describe_route_tables().set_filters(Some(filters)).max_results(100);
    let pages = call.into_paginator().items().send();
    pages.try_collect().await.map_err(op("DescribeRouteTables"))
}

fn to_live(table: AwsTable) -> Live<RouteTable> {
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
        tags: common::tags(table.tags),
        phase: Phase::Ready,
        id,
    }
}

fn is_in_force(association: &RouteTableAssociation) -> bool {
    use RouteTableAssociationStateCode::{Disassociated, Disassociating, Failed};
    let state = association.association_state.as_ref().and_then(|state| state.state.as_ref());
    !matches!(state, Some(Disassociated | Disassociating | Failed))
}

/// Associates missing subnets, also those of other tables, and disassociates the rest.
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

/// The explicit associations of these subnets, whatever their route table.
async fn associations(aws: &Aws, subnets: &[&str]) -> Result<Vec<RouteTableAssociation>, OpError> {
    let filters = vec![common::filter("association.subnet-id", subnets.iter().copied())];
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

    use super::*;

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
