//! Route tables and their associations.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::shelf::Touch;
use super::super::{ACCOUNT, Answer, Refusal};
use super::listing::{self, Listing};
use super::{Cx, Region, depended_on, found, found_mut, invalid, missing};

/// A route table.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Table {
    pub vpc: String,
    /// The id of the main association, if it is the VPC's main table.
    pub main: Option<String>,
    /// The targets' ids by destination, without the local route.
    pub routes: BTreeMap<String, String>,
    /// Subnets by association id.
    pub subnets: BTreeMap<String, String>,
}

impl Table {
    /// A table without routes.
    pub(super) fn of(vpc: &str) -> Self {
        Self { vpc: vpc.to_owned(), ..Self::default() }
    }
}

fn render(here: &Region, id: &str, table: &Table) -> Value {
    let state = json!({ "state": "associated" });
    let main = table.main.iter().map(|association| {
        json!({
            "routeTableAssociationId": association,
            "routeTableId": id,
            "main": true,
            "associationState": state,
        })
    });
    let subnets = table.subnets.iter().map(|(association, subnet)| {
        json!({
            "routeTableAssociationId": association,
            "routeTableId": id,
            "subnetId": subnet,
            "main": false,
            "associationState": state,
        })
    });
    json!({
        "routeTableId": id,
        "vpcId": table.vpc,
        "ownerId": ACCOUNT,
        "routeSet": here.routes_of(id, table),
        "associationSet": main.chain(subnets).collect::<Vec<_>>(),
        "propagatingVgwSet": [],
        "tagSet": here.tag_set(id),
    })
}

pub(super) fn create(cx: &mut Cx<'_>) -> Answer {
    if let Some(token) = cx.replay()? {
        let live = token.ids.first().and_then(|id| Some((id, cx.here.tables.get(id)?)));
        return Ok(match live {
            Some((id, table)) => json!({ "routeTable": render(cx.here, id, table) }),
            None => token.answer,
        });
    }
    let vpc = cx.need("VpcId")?;
    found(&cx.here.vpcs, "vpc", vpc)?;
    let id = cx.make("rtb")?;
    let table = Table::of(vpc);
    let mut answer = json!({ "routeTable": render(cx.here, &id, &table) });
    answer["clientToken"] = json!(cx.text("ClientToken"));
    cx.here.tables.insert(id.clone(), table);
    cx.remember(vec![id], &answer);
    Ok(answer)
}

const LISTING: Listing = Listing {
    set: "routeTableSet",
    ask: "RouteTableId",
    id: "routeTableId",
    prefix: "rtb",
    filters: &[
        ("association.gateway-id", "associationSet.gatewayId"),
        ("association.main", "associationSet.main"),
        ("association.route-table-association-id", "associationSet.routeTableAssociationId"),
        ("association.route-table-id", "associationSet.routeTableId"),
        ("association.subnet-id", "associationSet.subnetId"),
        ("owner-id", "ownerId"),
        ("route-table-id", "routeTableId"),
        ("route.destination-cidr-block", "routeSet.destinationCidrBlock"),
        ("route.destination-prefix-list-id", "routeSet.destinationPrefixListId"),
        ("route.gateway-id", "routeSet.gatewayId"),
        ("route.instance-id", "routeSet.instanceId"),
        ("route.nat-gateway-id", "routeSet.natGatewayId"),
        ("route.origin", "routeSet.origin"),
        ("route.state", "routeSet.state"),
        ("vpc-id", "vpcId"),
    ],
};

pub(super) fn describe(cx: &mut Cx<'_>) -> Answer {
    let all = cx.here.tables.iter().map(|(id, table)| render(cx.here, id, table)).collect();
    listing::answer(cx, &LISTING, all)
}

/// Associates a subnet. A subnet may have one association of its own.
pub(super) fn associate(cx: &mut Cx<'_>) -> Answer {
    let (id, subnet) = (cx.need("RouteTableId")?, cx.need("SubnetId")?);
    let vpc = &found(&cx.here.tables, "rtb", id)?.vpc;
    if found(&cx.here.subnets, "subnet", subnet)?.vpc != *vpc {
        return Err(invalid(format!(
            "Route table {id} and subnet {subnet} belong to different networks"
        )));
    }
    for (other, table) in &cx.here.tables {
        let Some((association, _)) = table.subnets.iter().find(|(_, one)| *one == subnet) else {
            continue;
        };
        // A repeated association is not an error.
        if other == id {
            return Ok(associated("associationId", association));
        }
        let message = format!(
            "the specified association for route table {id} conflicts with an existing association"
        );
        return Err(Refusal::new("Resource.AlreadyAssociated", message));
    }
    let association = cx.base.id("rtbassoc");
    let table = found_mut(&mut cx.here.tables, "rtb", id)?;
    table.subnets.insert(association.clone(), subnet.to_owned());
    Ok(associated("associationId", &association))
}

fn associated(name: &str, association: &str) -> Value {
    let mut answer = json!({ "associationState": { "state": "associated" } });
    answer[name] = json!(association);
    answer
}

/// Moves a subnet, or the role of the main table, to another table.
pub(super) fn replace_association(cx: &mut Cx<'_>) -> Answer {
    let (old, id) = (cx.need("AssociationId")?, cx.need("RouteTableId")?);
    let vpc = found(&cx.here.tables, "rtb", id)?.vpc.clone();
    let new = cx.base.id("rtbassoc");
    let holder = cx
        .here
        .tables
        .values_mut()
        .find(|table| table.subnets.contains_key(old) || table.main.as_deref() == Some(old));
    let holder = holder.map(Touch::into_mut).ok_or_else(|| missing("rtbassoc", old))?;
    if holder.vpc != vpc {
        return Err(invalid(format!("Route table {id} belongs to a different network")));
    }
    let subnet = holder.subnets.remove(old);
    if subnet.is_none() {
        holder.main = None;
    }
    let table = found_mut(&mut cx.here.tables, "rtb", id)?;
    match subnet {
        Some(subnet) => {
            table.subnets.insert(new.clone(), subnet);
        }
        None => table.main = Some(new.clone()),
    }
    Ok(associated("newAssociationId", &new))
}

pub(super) fn disassociate(cx: &mut Cx<'_>) -> Answer {
    let association = cx.need("AssociationId")?;
    if cx.here.tables.values().any(|table| table.main.as_deref() == Some(association)) {
        let message = format!("cannot disassociate the main route table association {association}");
        return Err(invalid(message));
    }
    let mut tables = cx.here.tables.values_mut();
    let holder = tables.find(|table| table.subnets.contains_key(association));
    let mut holder = holder.ok_or_else(|| missing("rtbassoc", association))?;
    holder.subnets.remove(association);
    Ok(json!({ "return": true }))
}

pub(super) fn delete(cx: &mut Cx<'_>) -> Answer {
    let id = cx.need("RouteTableId")?;
    let table = found(&cx.here.tables, "rtb", id)?;
    if table.main.is_some() || !table.subnets.is_empty() {
        return Err(depended_on("routeTable", id));
    }
    for mut endpoint in cx.here.endpoints.values_mut().filter(|one| one.tables.contains(id)) {
        endpoint.tables.remove(id);
    }
    cx.here.tables.remove(id);
    cx.here.tags.remove(id);
    Ok(json!({ "return": true }))
}
