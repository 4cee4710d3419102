//! Network interfaces that other services hold in the network: those of tasks, say. They keep
//! their subnets and groups from being deleted, until their holder lets go.

use serde::{Deserialize, Serialize};

use super::super::Base;
use super::interfaces::Interface;
use super::{Region, State};

/// What a holder asks for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Held {
    /// The subnets that the interfaces are spread over.
    pub subnets: Vec<String>,
    /// Their security groups.
    pub groups: Vec<String>,
    /// What the interfaces are for.
    pub description: String,
}

/// An interface of a holder.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct One {
    id: String,
    private_ip: String,
    subnet: String,
    groups: Vec<String>,
    description: String,
}

/// Gives a holder so many interfaces, and takes away those that differ from what it asks for.
pub(crate) fn hold(
    state: &mut State,
    base: &mut Base,
    region: &str,
    holder: &str,
    count: usize,
    held: Held,
) {
    let here = state.regions.entry(region.to_owned()).or_default();
    let mut own = here.held.remove(holder).unwrap_or_default();
    own.retain(|one| held.subnets.contains(&one.subnet) && one.groups == held.groups);
    own.truncate(count);
    here.held.insert(holder.to_owned(), own);
    for at in here.held[holder].len()..count {
        let Some(subnet) = held.subnets.get(at % held.subnets.len().max(1)) else { break };
        // A full subnet gives none, and a task more does not start.
        let Ok(private_ip) = here.free_address(subnet) else { break };
        let one = One {
            id: base.id("eni"),
            private_ip,
            subnet: subnet.clone(),
            groups: held.groups.clone(),
            description: held.description.clone(),
        };
        here.held.entry(holder.to_owned()).or_default().push(one);
    }
    here.held.retain(|_, own| !own.is_empty());
}

/// The first of these subnets and groups that does not exist.
pub(crate) fn unknown(
    state: &State,
    region: &str,
    subnets: &[String],
    groups: &[String],
) -> Option<String> {
    let here = state.regions.get(region);
    let subnet = |id: &&String| !here.is_some_and(|here| here.subnets.contains_key(*id));
    let group = |id: &&String| !here.is_some_and(|here| here.groups.contains_key(*id));
    let missing = subnets.iter().find(subnet).or_else(|| groups.iter().find(group));
    missing.cloned()
}

impl Region {
    /// The interfaces of all holders.
    pub(super) fn held_interfaces(&self) -> impl Iterator<Item = Interface> {
        let all =
            self.held.iter().flat_map(|(holder, own)| own.iter().map(move |one| (holder, one)));
        all.map(|(holder, one)| Interface {
            id: one.id.clone(),
            holder: holder.clone(),
            vpc: self.subnets.get(&one.subnet).map(|subnet| subnet.vpc.clone()).unwrap_or_default(),
            subnet: one.subnet.clone(),
            private_ip: one.private_ip.clone(),
            public_ip: None,
            elastic: None,
            groups: one.groups.clone(),
            source_dest_check: true,
            status: "in-use",
            description: one.description.clone(),
        })
    }
}
