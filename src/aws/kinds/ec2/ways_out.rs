//! The routes of subnets that others own: a load balancer that faces the internet is reached only through
//! an internet gateway, and tasks of Fargate load their images through some route. payctl creates the routes
//! of its own subnets, so it asks only for those of others, and only if a plan needs one.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::RouteTable as AwsTable;
use futures::future::try_join;

use super::common::filter;
use super::route_table::list;
use super::subnet::{Subnet, find as find_subnets};
use crate::aws::clients::{Aws, retry_read};
use crate::aws::kinds::ecs::service::Service;
use crate::aws::kinds::elb::load_balancer::LoadBalancer;
use crate::aws::preflight::{Check, Finding, Planned, Preflight, Subject, decode};
use crate::aws::resource::Resource as _;
use payctl_engine::model::error::OpError;
use payctl_engine::model::text::Text;

/// See the module.
pub(super) const CHECK: Check = Check {
    subject: Subject::Zones,
    doing: "read the routes of the subnets that others own",
    run: |cx| Box::pin(check(cx)),
};

/// The route that something needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Through an internet gateway.
    Gateway,
    /// Any.
    Any,
}

/// Something that needs a route out of subnets that others own.
struct Needy<'a> {
    planned: &'a Planned<'a>,
    subnets: BTreeSet<String>,
    way: Way,
}

async fn check(cx: &Preflight<'_>) -> Result<Vec<Finding>, OpError> {
    let all: Vec<Needy<'_>> = cx.planned.iter().filter_map(|planned| needy(cx, planned)).collect();
    let subnets: BTreeSet<String> = all.iter().flat_map(|one| one.subnets.clone()).collect();
    if subnets.is_empty() {
        return Ok(Vec::new());
    }
    let ways = retry_read(|| ways_of(cx.aws, &subnets)).await?;
    let findings = all.iter().filter_map(|Needy { planned, subnets, way }| {
        let has = |subnet: &&String| {
            let found = ways.get(*subnet);
            found.is_none_or(|found| found.contains("igw-") || (*way == Way::Any && !found.is_empty()))
        };
        let without: Vec<&str> =
            subnets.iter().filter(|subnet| !has(subnet)).map(String::as_str).collect();
        let (lacks, hint) = match way {
            Way::Gateway => (
                "no route to an internet gateway: clients on the internet will not reach it",
                "name subnets with such a route in `public_subnets`, or set `scheme = \"internal\"`",
            ),
            Way::Any => (
                "no default route: tasks reach only what is in the network",
                "name subnets with a route out, or make sure that endpoints lead to ECR, S3 and the logs",
            ),
        };
        (!without.is_empty()).then(|| Finding::Note {
            address: planned.address.clone(),
            text: format!("{} of another owner: {lacks}", without.join(", ")),
            hint: hint.to_owned(),
        })
    });
    Ok(findings.collect())
}

/// What needs a route, if the plan puts it into subnets that others own. The ids of own subnets are
/// references.
fn needy<'a>(cx: &Preflight<'_>, planned: &'a Planned<'a>) -> Option<Needy<'a>> {
    let spec = &cx.resources.get(planned.address)?.spec;
    let (subnets, way) = if planned.address.kind == LoadBalancer::META.kind {
        let balancer: LoadBalancer = decode(spec).ok()?;
        (balancer.subnets, (balancer.scheme == "internet-facing").then_some(Way::Gateway)?)
    } else if planned.address.kind == Service::META.kind {
        let service: Service = decode(spec).ok()?;
        let way = if service.public_ip { Way::Gateway } else { Way::Any };
        (service.subnets, way)
    } else {
        return None;
    };
    let subnets = subnets.iter().filter_map(Text::literal).map(str::to_owned).collect();
    planned.makes("subnets").then_some(Needy { planned, subnets, way })
}

/// The target of the default route of each subnet; empty if there is none. A subnet without a table of its
/// own has the main one of its VPC.
async fn ways_of(
    aws: &Aws,
    subnets: &BTreeSet<String>,
) -> Result<BTreeMap<String, String>, OpError> {
    let named = list(aws, vec![filter("association.subnet-id", subnets)]);
    let found = find_subnets(aws, vec![filter("subnet-id", subnets)]);
    let (named, found) = try_join(named, found).await?;
    let vpcs: BTreeSet<&str> = found.iter().map(|live| live.spec.vpc.known()).collect();
    let main = vec![filter("vpc-id", vpcs), filter("association.main", ["true"])];
    let main = list(aws, main).await?;
    let way = |live: &Subnet, id: &str| {
        let explicit = named.iter().find(|table| is_of(table, id));
        let table = explicit.or_else(|| {
            main.iter().find(|table| table.vpc_id.as_deref() == Some(live.vpc.known()))
        });
        table.map(way_out).unwrap_or_default()
    };
    Ok(found.iter().map(|live| (live.id.clone(), way(&live.spec, &live.id))).collect())
}

fn is_of(table: &AwsTable, subnet: &str) -> bool {
    table.associations().iter().any(|one| one.subnet_id() == Some(subnet))
}

/// The target of the default route of a table.
fn way_out(table: &AwsTable) -> String {
    let default = table.routes().iter().find(|route| {
        route.destination_cidr_block() == Some("0.0.0.0/0")
            && route.state().is_none_or(|state| state.as_str() != "blackhole")
    });
    let Some(route) = default else { return String::new() };
    let targets = [
        route.gateway_id(),
        route.nat_gateway_id(),
        route.network_interface_id(),
        route.transit_gateway_id(),
        route.vpc_peering_connection_id(),
        route.core_network_arn(),
    ];
    targets.into_iter().flatten().next().unwrap_or("other").to_owned()
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{Route, RouteState};

    use super::*;

    #[test]
    fn the_default_route_tells_the_way_out() {
        let route = Route::builder().destination_cidr_block("0.0.0.0/0");
        let table = |route: Route| AwsTable::builder().routes(route).build();
        assert_eq!(way_out(&table(route.clone().gateway_id("igw-1").build())), "igw-1");
        assert_eq!(way_out(&table(route.clone().transit_gateway_id("tgw-1").build())), "tgw-1");
        let dead = route.nat_gateway_id("nat-1").state(RouteState::Blackhole);
        assert_eq!(way_out(&table(dead.build())), "");
        assert_eq!(way_out(&AwsTable::builder().build()), "");
    }
}
