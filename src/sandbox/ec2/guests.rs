//! Network interfaces that other services put into subnets: they hold subnets and security groups
//! for as long as their service wants them.

use serde::{Deserialize, Serialize};

use super::super::{Base, Refusal};
use super::interfaces::Interface;
use super::{State, found};

/// The interface of another service.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Guest {
    interface: String,
    vpc: String,
    subnet: String,
    private_ip: String,
    groups: Vec<String>,
    words: String,
}

impl Guest {
    pub(super) fn interface(&self, holder: &str) -> Interface {
        Interface {
            id: self.interface.clone(),
            holder: holder.to_owned(),
            vpc: self.vpc.clone(),
            subnet: self.subnet.clone(),
            private_ip: self.private_ip.clone(),
            public_ip: None,
            elastic: None,
            groups: self.groups.clone(),
            source_dest_check: true,
            guest: Some(self.words.clone()),
            status: "in-use",
        }
    }
}

impl State {
    /// VPC and zone of a subnet.
    pub(crate) fn place_of(&self, region: &str, subnet: &str) -> Option<(&str, &str)> {
        let subnet = self.regions.get(region)?.subnets.get(subnet)?;
        Some((&subnet.vpc, &subnet.zone))
    }

    /// The VPC of a security group.
    pub(crate) fn vpc_of_group(&self, region: &str, group: &str) -> Option<&str> {
        Some(&self.regions.get(region)?.groups.get(group)?.vpc)
    }

    /// Puts an interface into a subnet, for `holder`; `words` is how AWS describes it.
    pub(crate) fn lodge(
        &mut self,
        base: &mut Base,
        region: &str,
        holder: &str,
        words: &str,
        subnet: &str,
        groups: &[String],
    ) -> Result<(), Refusal> {
        let here = self.regions.entry(region.to_owned()).or_default();
        let vpc = found(&here.subnets, "subnet", subnet)?.vpc.clone();
        let guest = Guest {
            private_ip: here.free_address(subnet)?,
            interface: base.id("eni"),
            vpc,
            subnet: subnet.to_owned(),
            groups: groups.to_vec(),
            words: words.to_owned(),
        };
        here.guests.insert(holder.to_owned(), guest);
        Ok(())
    }

    /// Gives the interface of `holder` other groups.
    pub(crate) fn regroup(&mut self, region: &str, holder: &str, groups: &[String]) {
        let here = self.regions.get_mut(region);
        if let Some(guest) = here.and_then(|here| here.guests.get_mut(holder)) {
            guest.groups = groups.to_vec();
        }
    }

    /// Takes the interface of `holder` away.
    pub(crate) fn leave(&mut self, region: &str, holder: &str) {
        if let Some(here) = self.regions.get_mut(region) {
            here.guests.remove(holder);
        }
    }
}
