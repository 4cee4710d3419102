//! Elastic IP addresses.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{ACCOUNT, Answer, Refusal};
use super::listing::{self, Listing};
use super::{Cx, found, found_mut, invalid, missing};

/// An elastic address.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Address {
    pub ip: String,
    /// The association and the instance or NAT gateway that holds the address.
    pub held: Option<(String, String)>,
}

impl Address {
    /// The association, if that instance or NAT gateway holds the address.
    pub(super) fn held_by(&self, holder: &str) -> Option<&str> {
        let (association, current) = self.held.as_ref()?;
        (current == holder).then_some(association)
    }

    fn is_held_by_nat(&self) -> bool {
        self.held.as_ref().is_some_and(|(_, holder)| holder.starts_with("nat-"))
    }
}

pub(crate) const QUOTA: usize = 5;

impl Cx<'_> {
    /// The next public address.
    pub(super) fn public_address(&mut self) -> String {
        self.here.public_addresses += 1;
        let [_, _, high, low] = self.here.public_addresses.to_be_bytes();
        format!("198.18.{high}.{low}")
    }
}

/// The refusal when a service of AWS holds the address.
fn not_yours() -> Refusal {
    let message = "You do not have permission to access the specified resource.";
    Refusal::new("AuthFailure", message)
}

pub(super) fn allocate(cx: &mut Cx<'_>) -> Answer {
    if let Some(other) = cx.text("Domain").filter(|domain| *domain != "vpc") {
        return Err(invalid(format!("Value ({other}) for parameter domain is invalid.")));
    }
    if cx.base.strict && cx.here.addresses.len() >= QUOTA {
        let message = "The maximum number of addresses has been reached.";
        return Err(Refusal::new("AddressLimitExceeded", message));
    }
    let id = cx.make("eipalloc")?;
    let ip = cx.public_address();
    cx.here.addresses.insert(id.clone(), Address { ip: ip.clone(), held: None });
    Ok(json!({
        "allocationId": id,
        "publicIp": ip,
        "domain": "vpc",
        "publicIpv4Pool": "amazon",
        "networkBorderGroup": cx.call.region,
    }))
}

fn render(cx: &Cx<'_>, id: &str, address: &Address) -> Value {
    let holder = address.held.as_ref().map(|(_, holder)| holder.as_str());
    let interfaces = cx.here.interfaces();
    let interface = interfaces.iter().find(|one| Some(one.holder.as_str()) == holder);
    json!({
        "allocationId": id,
        "publicIp": address.ip,
        "domain": "vpc",
        "publicIpv4Pool": "amazon",
        "networkBorderGroup": cx.call.region,
        "associationId": address.held.as_ref().map(|(association, _)| association),
        "instanceId": holder.filter(|holder| holder.starts_with("i-")),
        "networkInterfaceId": interface.map(|one| one.id.as_str()),
        "networkInterfaceOwnerId": interface.map(|_| ACCOUNT),
        "privateIpAddress": interface.map(|one| one.private_ip.as_str()),
        "tagSet": cx.here.tag_set(id),
    })
}

const LISTING: Listing = Listing {
    set: "addressesSet",
    ask: "AllocationId",
    id: "allocationId",
    prefix: "eipalloc",
    filters: &[
        ("allocation-id", "allocationId"),
        ("association-id", "associationId"),
        ("domain", "domain"),
        ("instance-id", "instanceId"),
        ("network-border-group", "networkBorderGroup"),
        ("network-interface-id", "networkInterfaceId"),
        ("network-interface-owner-id", "networkInterfaceOwnerId"),
        ("private-ip-address", "privateIpAddress"),
        ("public-ip", "publicIp"),
    ],
};

pub(super) fn describe(cx: &mut Cx<'_>) -> Answer {
    let mut all: Vec<_> = cx.here.addresses.iter().map(|(id, one)| render(cx, id, one)).collect();
    let ips = cx.list("PublicIp");
    if let Some(ip) = ips.iter().find(|ip| !all.iter().any(|one| one["publicIp"] == ip.as_str())) {
        let message = format!("Address '{ip}' not found.");
        return Err(Refusal::new("InvalidAddress.NotFound", message));
    }
    all.retain(|one| ips.is_empty() || ips.iter().any(|ip| one["publicIp"] == ip.as_str()));
    listing::answer(cx, &LISTING, all)
}

pub(super) fn associate(cx: &mut Cx<'_>) -> Answer {
    let id = cx.need("AllocationId")?;
    let holder = match cx.text("NetworkInterfaceId") {
        Some(eni) => cx.here.interface_holder(eni).ok_or_else(|| missing("eni", eni))?,
        None => cx.need("InstanceId")?.to_owned(),
    };
    let instance = found(&cx.here.instances, "i", &holder)?;
    if !instance.is_settled() {
        let message = format!("The pending instance '{holder}' is not in a valid state.");
        return Err(Refusal::new("InvalidInstanceID", message));
    }
    let association = cx.base.id("eipassoc");
    let address = found_mut(&mut cx.here.addresses, "eipalloc", id)?;
    if address.is_held_by_nat() {
        return Err(not_yours());
    }
    if let Some((current, holding)) = &address.held
        && *holding != holder
        && cx.call.input.get("AllowReassociation").and_then(Value::as_str) != Some("true")
    {
        let message = format!("resource {id} is already associated with associate-id {current}");
        return Err(Refusal::new("Resource.AlreadyAssociated", message));
    }
    // An instance has one public address, so it loses an earlier one.
    for mut other in cx.here.addresses.values_mut() {
        if other.held_by(&holder).is_some() {
            other.held = None;
        }
    }
    found_mut(&mut cx.here.addresses, "eipalloc", id)?.held = Some((association.clone(), holder));
    Ok(json!({ "return": true, "associationId": association }))
}

pub(super) fn disassociate(cx: &mut Cx<'_>) -> Answer {
    let association = cx.need("AssociationId")?;
    let address =
        cx.here.addresses.values_mut().find(|address| {
            address.held.as_ref().is_some_and(|(current, _)| current == association)
        });
    let mut address = address.ok_or_else(|| missing("eipassoc", association))?;
    if address.is_held_by_nat() {
        return Err(not_yours());
    }
    address.held = None;
    Ok(json!({ "return": true }))
}

pub(super) fn release(cx: &mut Cx<'_>) -> Answer {
    let id = cx.need("AllocationId")?;
    let address = found(&cx.here.addresses, "eipalloc", id)?;
    if address.is_held_by_nat() {
        return Err(not_yours());
    }
    if address.held.is_some() {
        let message = format!("Address {} is in use.", address.ip);
        return Err(Refusal::new("InvalidIPAddress.InUse", message));
    }
    cx.here.addresses.remove(id);
    cx.here.tags.remove(id);
    Ok(json!({ "return": true }))
}
