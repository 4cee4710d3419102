//! Interfaces that other services have in subnets: load balancers, databases, tasks. They block the
//! subnet and the groups until their service releases them.

use serde::{Deserialize, Serialize};

use super::super::{Base, Refusal, World};
use super::interfaces::Interface;
use super::{Region, State, found};

/// An interface of another service.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Lent {
    /// The subnet.
    pub subnet: String,
    /// The security groups.
    pub groups: Vec<String>,
    /// The description, which names the owner.
    pub description: String,
    /// The type, `interface` for most.
    pub kind: String,
    /// The object of the service that uses it, if the service finds it by that.
    pub user: String,
    /// The attachment's owner, such as `amazon-elb`.
    pub owner: String,
    /// Whether it has a public address.
    pub public: bool,
    /// The VPC of the subnet.
    pub vpc: String,
    /// Its address there.
    pub private_ip: String,
    /// Its public address.
    pub public_ip: Option<String>,
    /// When it goes, once its service has released it.
    pub until: Option<f64>,
}

impl Lent {
    pub(super) fn interface(&self, id: &str) -> Interface {
        Interface {
            id: id.to_owned(),
            holder: self.owner.clone(),
            vpc: self.vpc.clone(),
            subnet: self.subnet.clone(),
            private_ip: self.private_ip.clone(),
            public_ip: self.public_ip.clone(),
            elastic: None,
            groups: self.groups.clone(),
            source_dest_check: true,
            status: "in-use",
            kind: self.kind.clone(),
            description: self.description.clone(),
        }
    }
}

impl Region {
    /// Forgets the released interfaces whose time is over.
    pub(super) fn forget_lent(&mut self, now: f64) {
        self.lent.retain(|_, one| one.until.is_none_or(|until| until > now));
    }

    /// Whether the subnet's route table leads to an internet gateway.
    fn leads_out(&self, subnet: &str) -> bool {
        let Some(vpc) = self.subnets.get(subnet).map(|one| &one.vpc) else { return false };
        let own = self.tables.values().find(|table| table.subnets.values().any(|it| it == subnet));
        let main = || self.tables.values().find(|table| table.vpc == *vpc && table.main.is_some());
        let table = own.or_else(main);
        table.is_some_and(|table| table.routes.values().any(|to| to.starts_with("igw-")))
    }
}

/// The place of a subnet.
pub(crate) struct Place {
    /// Its VPC.
    pub vpc: String,
    /// Its zone.
    pub zone: String,
    /// Whether it has a route to the internet.
    pub leads_out: bool,
}

/// The place of a subnet, if it exists.
pub(crate) fn place(world: &World, region: &str, subnet: &str) -> Option<Place> {
    let here = world.ec2.regions.get(region)?;
    let one = here.subnets.get(subnet)?;
    let leads_out = here.leads_out(subnet);
    Some(Place { vpc: one.vpc.clone(), zone: one.zone.clone(), leads_out })
}

/// Whether a VPC exists.
pub(crate) fn has_vpc(world: &World, region: &str, vpc: &str) -> bool {
    world.ec2.regions.get(region).is_some_and(|here| here.vpcs.contains_key(vpc))
}

/// The VPC of a security group, if the group exists.
pub(crate) fn vpc_of_group<'w>(world: &'w World, region: &str, group: &str) -> Option<&'w str> {
    let group = world.ec2.regions.get(region)?.groups.get(group)?;
    Some(&group.vpc)
}

/// When a security group was created, if it exists.
pub(crate) fn group_made(world: &World, region: &str, group: &str) -> Option<f64> {
    Some(world.ec2.regions.get(region)?.groups.get(group)?.made)
}

/// The default security group of a VPC.
pub(crate) fn default_group(world: &World, region: &str, vpc: &str) -> Option<String> {
    let mut groups = world.ec2.regions.get(region)?.groups.iter();
    groups.find(|(_, one)| one.vpc == vpc && one.is_default()).map(|(id, _)| id.clone())
}

/// Creates an interface in a subnet, and returns its id.
pub(crate) fn lend(world: &mut World, region: &str, mut lent: Lent) -> Result<String, Refusal> {
    let id = world.base.id("eni");
    let here = world.ec2.regions.entry(region.to_owned()).or_default();
    lent.private_ip = here.free_address(&lent.subnet)?;
    lent.vpc = found(&here.subnets, "subnet", &lent.subnet)?.vpc.clone();
    if lent.public {
        here.public_addresses += 1;
        lent.public_ip = Some(format!("198.51.100.{}", here.public_addresses % 250 + 1));
    }
    here.lent.insert(id.clone(), lent);
    Ok(id)
}

/// The address of an interface.
pub(crate) fn address(world: &World, region: &str, id: &str) -> Option<String> {
    Some(world.ec2.regions.get(region)?.lent.get(id)?.private_ip.clone())
}

/// Gives `user` one interface like this and no other, or none. A full subnet gives none.
pub(crate) fn keep(
    state: &mut State,
    base: &mut Base,
    region: &str,
    user: &str,
    wanted: Option<Lent>,
) {
    let here = state.regions.entry(region.to_owned()).or_default();
    let old = here.lent.iter().find(|(_, one)| one.user == user).map(|(id, _)| id.clone());
    let old = old.and_then(|id| Some((here.lent.remove(&id)?, id)));
    let Some(wanted) = wanted else { return };
    let lent = match old {
        Some((one, id)) if one.subnet == wanted.subnet => {
            Some((id, Lent { groups: wanted.groups, ..one }))
        }
        Some(_) | None => here.free_address(&wanted.subnet).ok().map(|private_ip| {
            let vpc = here.subnets.get(&wanted.subnet).map(|subnet| subnet.vpc.clone());
            let (vpc, user) = (vpc.unwrap_or_default(), user.to_owned());
            (base.id("eni"), Lent { private_ip, vpc, user, ..wanted })
        }),
    };
    if let Some((id, lent)) = lent {
        here.lent.insert(id, lent);
    }
}

/// Changes the groups of an interface.
pub(crate) fn regroup(world: &mut World, region: &str, id: &str, groups: &[String]) {
    let here = world.ec2.regions.entry(region.to_owned()).or_default();
    if let Some(one) = here.lent.get_mut(id) {
        one.groups = groups.to_vec();
    }
}

/// Releases an interface, at once or some seconds later.
pub(crate) fn take_back(world: &mut World, region: &str, id: &str, after: f64) {
    let until = world.base.now() + after;
    let here = world.ec2.regions.entry(region.to_owned()).or_default();
    if after <= 0.0 {
        here.lent.remove(id);
    } else if let Some(one) = here.lent.get_mut(id) {
        one.until = Some(until);
    }
}
