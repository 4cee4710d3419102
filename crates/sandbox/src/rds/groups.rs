//! Subnet groups.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::ec2::lent;
use super::super::toolbox::{Tags, add_tags, at, here, is_name, need, text};
use super::super::{Answer, Refusal, World};
use super::{TAGS, VALUE, arn, listed, names, tags_of};

/// A subnet group.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Group {
    description: String,
    pub subnets: BTreeSet<String>,
    vpc: String,
    pub tags: Tags,
}

pub(super) fn missing(name: &str) -> Refusal {
    let message = format!("DB subnet group '{name}' does not exist.");
    Refusal::new("DBSubnetGroupNotFoundFault", message).with_status(404)
}

/// The subnets of a request, which are in one VPC and at least two zones, and the VPC.
fn subnets(
    world: &World,
    region: &str,
    input: &Value,
) -> Result<(BTreeSet<String>, String), Refusal> {
    let asked: BTreeSet<String> = names(input, "SubnetIds").into_iter().collect();
    let (mut vpcs, mut zones) = (BTreeSet::new(), BTreeSet::new());
    for subnet in &asked {
        let Some(place) = lent::place(world, region, subnet) else {
            let message = format!("Some input subnets in :[{subnet}] are invalid.");
            return Err(Refusal::new("InvalidSubnet", message));
        };
        vpcs.insert(place.vpc);
        zones.insert(place.zone);
    }
    if zones.len() < 2 {
        let message = "The DB subnet group doesn't meet Availability Zone (AZ) coverage \
                       requirement. Add subnets to cover at least 2 AZs.";
        return Err(Refusal::new("DBSubnetGroupDoesNotCoverEnoughAZs", message));
    }
    match vpcs.len() {
        1 => Ok((asked, vpcs.into_iter().collect())),
        _ => Err(Refusal::new("InvalidSubnet", "The subnets must be in one VPC.")),
    }
}

pub(super) fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "DBSubnetGroupName", VALUE)?.to_lowercase();
    if name == "default" || !is_name(&name, 1..=255, " _.-") {
        return Err(Refusal::new(VALUE, format!("Invalid DB subnet group name: {name}")));
    }
    let description = need(input, "DBSubnetGroupDescription", VALUE)?.to_owned();
    if world.rds.subnet_groups.contains_key(&at(region, &name)) {
        let message = format!("The DB subnet group '{name}' already exists.");
        return Err(Refusal::new("DBSubnetGroupAlreadyExists", message));
    }
    let (subnets, vpc) = subnets(world, region, input)?;
    let mut tags = Tags::new();
    add_tags(&mut tags, tags_of(input), TAGS)?;
    let group = Group { description, subnets, vpc, tags };
    let answer = json!({ "DBSubnetGroup": group.render(world, region, &name) });
    world.rds.subnet_groups.insert(at(region, &name), group);
    Ok(answer)
}

impl Group {
    fn render(&self, world: &World, region: &str, name: &str) -> Value {
        let subnet = |id: &String| {
            let zone = lent::place(world, region, id).map(|place| place.zone);
            json!({
                "SubnetIdentifier": id,
                "SubnetAvailabilityZone": { "Name": zone },
                "SubnetStatus": "Active",
            })
        };
        json!({
            "DBSubnetGroupName": name,
            "DBSubnetGroupDescription": self.description,
            "DBSubnetGroupArn": arn(region, "subgrp", name),
            "VpcId": self.vpc,
            "SubnetGroupStatus": "Complete",
            "Subnets": { "Subnet": self.subnets.iter().map(subnet).collect::<Vec<_>>() },
        })
    }
}

pub(super) fn describe(world: &mut World, region: &str, input: &Value) -> Answer {
    let asked = text(input, "DBSubnetGroupName");
    let known = |name: &str| world.rds.subnet_groups.contains_key(&at(region, name));
    if let Some(name) = asked.filter(|name| !known(name)) {
        return Err(missing(name));
    }
    let groups = here(&world.rds.subnet_groups, region);
    let groups = groups.filter(|(name, _)| asked.is_none_or(|asked| asked == *name));
    let views = groups.map(|(name, group)| (name.to_owned(), group.render(world, region, name)));
    listed(input, ("DBSubnetGroups", "DBSubnetGroup"), views.collect())
}

pub(super) fn modify(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "DBSubnetGroupName", VALUE)?;
    let was = world.rds.subnet_groups.get(&at(region, name)).ok_or_else(|| missing(name))?;
    let (subnets, vpc) = subnets(world, region, input)?;
    if vpc != was.vpc {
        return Err(Refusal::new("InvalidSubnet", "The new subnets are not in the same VPC."));
    }
    let description = text(input, "DBSubnetGroupDescription").unwrap_or(&was.description);
    let group = Group { description: description.to_owned(), subnets, ..was.clone() };
    let answer = json!({ "DBSubnetGroup": group.render(world, region, name) });
    world.rds.subnet_groups.insert(at(region, name), group);
    Ok(answer)
}

pub(super) fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "DBSubnetGroupName", VALUE)?;
    let state = &mut world.rds;
    if here(&state.clusters, region).any(|(_, cluster)| cluster.subnet_group == name) {
        let message = format!(
            "Cannot delete the subnet group '{name}' because at least one database cluster is \
             still using it."
        );
        return Err(Refusal::new("InvalidDBSubnetGroupStateFault", message));
    }
    state.subnet_groups.remove(&at(region, name)).ok_or_else(|| missing(name))?;
    Ok(Value::Null)
}
