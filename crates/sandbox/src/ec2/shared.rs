//! The network interfaces of Lambda functions: one for each subnet and set of security groups,
//! shared by all functions with both.
//!
//! AWS releases them long after the last function has left. Here only a strict sandbox takes that
//! time. They are `available` for a while, so that a waiting caller may delete them, and then AWS
//! deletes them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::{Answer, Base, Refusal};
use super::interfaces::Interface;
use super::{Cx, Region, State, missing};

/// How long an interface stays in use after the last function left, and how long it exists.
const IN_USE: f64 = 900.0;
const THERE: f64 = 1500.0;

/// An interface that functions share.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Shared {
    vpc: String,
    subnet: String,
    groups: BTreeSet<String>,
    private_ip: String,
    /// The functions that use it.
    functions: BTreeSet<String>,
    /// When the last of them left.
    left: Option<f64>,
    /// Whether AWS has released it.
    available: bool,
}

impl Shared {
    /// The interface in the form that all holders share.
    pub(super) fn interface(&self, id: &str) -> Interface {
        Interface {
            id: id.to_owned(),
            holder: "lambda".to_owned(),
            vpc: self.vpc.clone(),
            subnet: self.subnet.clone(),
            private_ip: self.private_ip.clone(),
            public_ip: None,
            elastic: None,
            groups: self.groups.iter().cloned().collect(),
            source_dest_check: true,
            kind: "lambda".to_owned(),
            description: format!("AWS Lambda VPC ENI-{id}"),
            status: if self.available { "available" } else { "in-use" },
        }
    }
}

/// A subnet without a free address, among those that a function wants to enter.
pub(crate) fn full<'a>(
    state: &State,
    region: &str,
    subnets: &'a [String],
    groups: &[String],
) -> Option<&'a str> {
    let here = state.regions.get(region)?;
    let groups: BTreeSet<String> = groups.iter().cloned().collect();
    let shares =
        |subnet: &str| here.shared.values().any(|one| one.subnet == subnet && one.groups == groups);
    let is_full = |subnet: &&String| {
        here.subnets.contains_key(*subnet) && !shares(subnet) && here.free_address(subnet).is_err()
    };
    subnets.iter().find(is_full).map(String::as_str)
}

/// Puts a function into subnets, with groups. The answer is the VPC, or the refusal of EC2.
pub(crate) fn enter(
    base: &mut Base,
    state: &mut State,
    region: &str,
    function: &str,
    subnets: &[String],
    groups: &[String],
) -> Result<String, String> {
    let here = state.regions.entry(region.to_owned()).or_default();
    if let Some(id) = groups.iter().find(|id| !here.groups.contains_key(*id)) {
        return Err(format!(
            "DescribeSecurityGroups. EC2 Error Code: InvalidGroup.NotFound. EC2 Error Message: The \
             security group '{id}' does not exist"
        ));
    }
    let mut vpc = String::new();
    for id in subnets {
        let subnet = here.subnets.get(id).ok_or_else(|| {
            format!(
                "DescribeSubnets. EC2 Error Code: InvalidSubnetID.NotFound. EC2 Error Message: The \
                 subnet ID '{id}' does not exist"
            )
        })?;
        vpc.clone_from(&subnet.vpc);
    }
    if let Some(id) = groups.iter().find(|id| here.groups[*id].vpc != vpc) {
        return Err(format!("CreateNetworkInterface: security group '{id}' is not in VPC {vpc}"));
    }
    let groups: BTreeSet<String> = groups.iter().cloned().collect();
    // The interfaces that only this function uses move to the new groups.
    let mut kept = BTreeSet::new();
    for mut one in here.shared.values_mut().filter(|one| one.functions.contains(function)) {
        if one.functions.len() == 1 && subnets.contains(&one.subnet) {
            one.groups.clone_from(&groups);
            kept.insert(one.subnet.clone());
        } else if one.functions.remove(function) && one.functions.is_empty() {
            one.left = Some(base.now().floor());
        }
    }
    for subnet in subnets.iter().filter(|subnet| !kept.contains(*subnet)) {
        let mut all = here.shared.iter();
        let found = all.find(|(_, one)| one.subnet == *subnet && one.groups == groups);
        let found = found.map(|(id, _)| id.clone());
        if let Some(one) = found.and_then(|id| here.shared.get_mut(&id)) {
            one.functions.insert(function.to_owned());
            (one.left, one.available) = (None, false);
            continue;
        }
        let private_ip = here
            .free_address(subnet)
            .map_err(|refusal| format!("CreateNetworkInterface: {}", refusal.message))?;
        let functions = BTreeSet::from([function.to_owned()]);
        let (vpc, subnet, groups) = (vpc.clone(), subnet.clone(), groups.clone());
        let one = Shared { vpc, subnet, groups, private_ip, functions, ..Shared::default() };
        here.shared.insert(base.id("eni"), one);
    }
    release(base, here);
    Ok(vpc)
}

/// Removes a function from all its interfaces.
pub(crate) fn leave(base: &Base, state: &mut State, region: &str, function: &str) {
    let now = base.now().floor();
    let Some(here) = state.regions.get_mut(region) else { return };
    for mut one in here.shared.values_mut().filter(|one| one.functions.contains(function)) {
        if one.functions.remove(function) && one.functions.is_empty() {
            one.left = Some(now);
        }
    }
    release(base, here);
}

/// Releases the interfaces that functions left long enough ago.
pub(super) fn release(base: &Base, here: &mut Region) {
    let (now, strict) = (base.now(), base.strict);
    here.shared.retain(|_, one| {
        let since = one.left.map(|left| now - left);
        let available = since.is_some_and(|since| since >= IN_USE);
        if one.available != available {
            one.available = available;
        }
        since.is_none_or(|since| strict && since < THERE)
    });
}

/// Deletes an available interface. Only the holder can delete any other.
pub(super) fn delete(cx: &mut Cx<'_>) -> Answer {
    let id = cx.need("NetworkInterfaceId")?;
    match cx.here.shared.get(id) {
        Some(one) if one.available => {
            cx.here.shared.remove(id);
            Ok(json!({ "return": true }))
        }
        None if cx.here.interface_holder(id).is_none() => Err(missing("eni", id)),
        Some(_) | None => {
            let message = format!("Network interface '{id}' is currently in use.");
            Err(Refusal::new("InvalidParameterValue", message))
        }
    }
}
