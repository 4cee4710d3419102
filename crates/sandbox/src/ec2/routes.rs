//! Routes. A read checks whether the target of a route still exists.

use serde_json::{Value, json};

use super::super::{ACCOUNT, Answer, Refusal};
use super::cidr::Cidr;
use super::input::missing_parameter;
use super::tables::Table;
use super::{Cx, Region, found, found_mut, invalid, missing};

impl Region {
    /// The routes of a table in an answer: the local one, those of calls, those of gateway
    /// endpoints.
    pub(super) fn routes_of(&self, id: &str, table: &Table) -> Vec<Value> {
        let mut routes = vec![json!({
            "destinationCidrBlock": self.vpcs.get(&table.vpc).map(|vpc| vpc.cidr.as_str()),
            "gatewayId": "local",
            "state": "active",
            "origin": "CreateRouteTable",
        })];
        routes.extend(table.routes.iter().map(|(to, target)| self.route(table, to, target)));
        let endpoints = self.endpoints.iter().filter(|(_, one)| one.lives());
        routes.extend(endpoints.filter(|(_, one)| one.tables.contains(id)).map(|(id, one)| {
            json!({
                "destinationPrefixListId": one.prefix_list(),
                "gatewayId": id,
                "state": "active",
                "origin": "CreateRoute",
            })
        }));
        routes
    }

    fn route(&self, table: &Table, to: &str, target: &str) -> Value {
        let mut route = json!({ "destinationCidrBlock": to, "origin": "CreateRoute" });
        let active = if target.starts_with("nat-") {
            route["natGatewayId"] = json!(target);
            self.nats.get(target).is_some_and(super::nats::Nat::carries)
        } else if target.starts_with("eni-") {
            route["networkInterfaceId"] = json!(target);
            let instance = self.instances.iter().find(|(_, one)| one.interface == target);
            if let Some((id, _)) = instance {
                route["instanceId"] = json!(id);
                route["instanceOwnerId"] = json!(ACCOUNT);
            }
            instance.is_some_and(|(_, one)| one.runs())
        } else {
            route["gatewayId"] = json!(target);
            self.gateways.get(target).is_some_and(|one| one.vpc.as_ref() == Some(&table.vpc))
        };
        route["state"] = json!(if active { "active" } else { "blackhole" });
        route
    }
}

/// The destination in its canonical form.
fn destination(cx: &Cx<'_>) -> Result<String, Refusal> {
    let text = cx.need("DestinationCidrBlock")?;
    let cidr = Cidr::parse(text).ok_or_else(|| {
        invalid(format!(
            "Value ({text}) for parameter destinationCidrBlock is invalid. This is not a valid \
             CIDR block."
        ))
    })?;
    Ok(cidr.to_string())
}

/// The target that a call wants. It must be in the table's VPC.
fn wanted_target(cx: &Cx<'_>, vpc: &str) -> Result<String, Refusal> {
    let names = ["GatewayId", "NatGatewayId", "NetworkInterfaceId", "InstanceId"];
    let given: Vec<&str> = names.iter().filter_map(|name| cx.text(name)).collect();
    let [id] = given[..] else {
        return Err(if given.is_empty() {
            missing_parameter("gatewayId")
        } else {
            Refusal::new(
                "InvalidParameterCombination",
                "The parameters for the target of a route exclude each other.",
            )
        });
    };
    let elsewhere = || {
        let message = format!("route table and {id} belong to different networks");
        invalid(message)
    };
    let (target_vpc, target) = if id.starts_with("igw-") {
        let gateway = cx.here.gateways.get(id).ok_or_else(|| {
            let message = format!("The gateway ID '{id}' does not exist");
            Refusal::new("InvalidGatewayID.NotFound", message)
        })?;
        (gateway.vpc.clone().ok_or_else(elsewhere)?, id.to_owned())
    } else if id.starts_with("nat-") {
        let nat = cx.here.nats.get(id).filter(|nat| nat.carries()).ok_or_else(|| {
            let message = format!("The natGateway ID '{id}' does not exist");
            Refusal::new("InvalidNatGatewayID.NotFound", message)
        })?;
        (nat.vpc.clone(), id.to_owned())
    } else {
        let interfaces = cx.here.interfaces();
        let own = interfaces.into_iter().find(|one| one.id == id || one.holder == id);
        let prefix = if id.starts_with("eni-") { "eni" } else { "i" };
        let own = own.ok_or_else(|| missing(prefix, id))?;
        (own.vpc, own.id)
    };
    if target_vpc != vpc { Err(elsewhere()) } else { Ok(target) }
}

/// Whether the destination is the VPC's own range.
fn is_local(cx: &Cx<'_>, vpc: &str, to: &str) -> bool {
    cx.here.vpcs.get(vpc).is_some_and(|vpc| vpc.cidr == to)
}

pub(super) fn create(cx: &mut Cx<'_>) -> Answer {
    let (id, to) = (cx.need("RouteTableId")?, destination(cx)?);
    let vpc = found(&cx.here.tables, "rtb", id)?.vpc.clone();
    let target = wanted_target(cx, &vpc)?;
    let local = is_local(cx, &vpc, &to);
    let table = found_mut(&mut cx.here.tables, "rtb", id)?;
    // A repeated route is not an error.
    if table.routes.get(&to) == Some(&target) {
        return Ok(json!({ "return": true }));
    }
    if local || table.routes.contains_key(&to) {
        let message = format!("The route identified by {to} already exists.");
        return Err(Refusal::new("RouteAlreadyExists", message));
    }
    table.routes.insert(to, target);
    Ok(json!({ "return": true }))
}

pub(super) fn replace(cx: &mut Cx<'_>) -> Answer {
    let (id, to) = (cx.need("RouteTableId")?, destination(cx)?);
    let vpc = found(&cx.here.tables, "rtb", id)?.vpc.clone();
    let target = wanted_target(cx, &vpc)?;
    let table = found_mut(&mut cx.here.tables, "rtb", id)?;
    let route = table.routes.get_mut(&to).ok_or_else(|| {
        invalid(format!(
            "There is no route defined for '{to}' in the route table. Use CreateRoute instead."
        ))
    })?;
    *route = target;
    Ok(json!({ "return": true }))
}

pub(super) fn delete(cx: &mut Cx<'_>) -> Answer {
    let (id, to) = (cx.need("RouteTableId")?, destination(cx)?);
    let vpc = found(&cx.here.tables, "rtb", id)?.vpc.clone();
    if is_local(cx, &vpc, &to) {
        return Err(invalid(format!("cannot remove local route {to} in route table {id}")));
    }
    match found_mut(&mut cx.here.tables, "rtb", id)?.routes.remove(&to) {
        Some(_) => Ok(json!({ "return": true })),
        None => Err(Refusal::new(
            "InvalidRoute.NotFound",
            format!("no route with destination-cidr-block {to} in route table {id}"),
        )),
    }
}
