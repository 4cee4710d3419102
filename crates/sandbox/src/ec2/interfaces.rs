//! Network interfaces of instances, NAT gateways and other services. They live as long as their
//! holders.

use serde_json::{Value, json};

use super::super::{ACCOUNT, Answer};
use super::listing::{self, Listing};
use super::{Cx, Region};

/// A network interface, as its holder describes it.
pub(super) struct Interface {
    pub id: String,
    /// The instance, the NAT gateway, or the holder for another service.
    pub holder: String,
    pub vpc: String,
    pub subnet: String,
    pub private_ip: String,
    pub public_ip: Option<String>,
    /// The elastic address: its allocation and its association.
    pub elastic: Option<(String, String)>,
    pub groups: Vec<String>,
    pub source_dest_check: bool,
    /// `in-use` once the holder is running.
    pub status: &'static str,
    /// AWS's type of it, such as `interface`, `nat_gateway` or `lambda`.
    pub kind: String,
    pub description: String,
}

impl Region {
    /// All interfaces of the region.
    pub(super) fn interfaces(&self) -> Vec<Interface> {
        let instances = self.instances.iter().filter(|(_, one)| one.lives());
        let nats = self.nats.iter().filter(|(_, one)| one.lives());
        let instances = instances.map(|(id, one)| one.interface(self, id));
        let own = instances.chain(nats.map(|(id, one)| one.interface(self, id)));
        let shared = self.shared.iter().map(|(id, one)| one.interface(id));
        let lent = self.lent.iter().map(|(id, one)| one.interface(id));
        own.chain(lent).chain(shared).collect()
    }

    /// The instance or the NAT gateway of an interface.
    pub(super) fn interface_holder(&self, id: &str) -> Option<String> {
        self.interfaces().into_iter().find(|one| one.id == id).map(|one| one.holder)
    }

    /// The elastic address of an instance or a NAT gateway: address, allocation, association.
    pub(super) fn elastic(&self, holder: &str) -> Option<(String, String, String)> {
        let mut held = self.addresses.iter();
        held.find_map(|(id, address)| {
            let association = address.held_by(holder)?;
            Some((address.ip.clone(), id.clone(), association.to_owned()))
        })
    }

    /// The groups with their names.
    pub(super) fn group_set(&self, ids: &[String]) -> Value {
        let name = |id: &String| self.groups.get(id).map(|group| group.name.as_str());
        ids.iter().map(|id| json!({ "groupId": id, "groupName": name(id) })).collect()
    }

    /// The interface in an answer.
    pub(super) fn render_interface(&self, one: &Interface) -> Value {
        let instance = one.holder.starts_with("i-");
        let owner = match one.holder.as_str() {
            _ if instance => ACCOUNT,
            service if service.starts_with("amazon-") => service,
            _ => "amazon-aws",
        };
        let (allocation, association) = one.elastic.clone().unzip();
        let public = one.public_ip.as_ref().map(|ip| {
            json!({
                "publicIp": ip,
                "ipOwnerId": if allocation.is_some() { ACCOUNT } else { "amazon" },
                "allocationId": allocation,
                "associationId": association,
            })
        });
        let subnet = self.subnets.get(&one.subnet);
        let attachment = (one.status != "available").then(|| {
            json!({
                "attachmentId": format!("eni-attach-{}", one.id.trim_start_matches("eni-")),
                "deviceIndex": 0,
                "networkCardIndex": 0,
                "status": "attached",
                "deleteOnTermination": instance,
                "instanceId": instance.then_some(&one.holder),
                "instanceOwnerId": owner,
            })
        });
        json!({
            "networkInterfaceId": one.id,
            "description": one.description,
            "interfaceType": one.kind,
            "ownerId": ACCOUNT,
            "requesterManaged": !instance,
            "vpcId": one.vpc,
            "subnetId": one.subnet,
            "availabilityZone": subnet.map(|subnet| subnet.zone.as_str()),
            "status": one.status,
            "macAddress": mac(&one.private_ip),
            "privateIpAddress": one.private_ip,
            "privateIpAddressesSet": [{
                "privateIpAddress": one.private_ip,
                "primary": true,
                "association": public,
            }],
            "sourceDestCheck": one.source_dest_check,
            "groupSet": self.group_set(&one.groups),
            "association": public,
            "attachment": attachment,
            "tagSet": self.tag_set(&one.id),
        })
    }
}

/// A hardware address for a private one.
fn mac(ip: &str) -> String {
    let parts: Vec<u8> = ip.split('.').filter_map(|part| part.parse().ok()).collect();
    let hex: Vec<String> = parts.iter().map(|part| format!("{part:02x}")).collect();
    format!("02:00:{}", hex.join(":"))
}

const LISTING: Listing = Listing {
    set: "networkInterfaceSet",
    ask: "NetworkInterfaceId",
    id: "networkInterfaceId",
    prefix: "eni",
    filters: &[
        ("addresses.private-ip-address", "privateIpAddressesSet.privateIpAddress"),
        ("association.allocation-id", "association.allocationId"),
        ("association.association-id", "association.associationId"),
        ("association.public-ip", "association.publicIp"),
        ("attachment.attachment-id", "attachment.attachmentId"),
        ("attachment.instance-id", "attachment.instanceId"),
        ("attachment.instance-owner-id", "attachment.instanceOwnerId"),
        ("attachment.status", "attachment.status"),
        ("availability-zone", "availabilityZone"),
        ("description", "description"),
        ("group-id", "groupSet.groupId"),
        ("group-name", "groupSet.groupName"),
        ("interface-type", "interfaceType"),
        ("network-interface-id", "networkInterfaceId"),
        ("owner-id", "ownerId"),
        ("private-ip-address", "privateIpAddress"),
        ("requester-managed", "requesterManaged"),
        ("status", "status"),
        ("subnet-id", "subnetId"),
        ("vpc-id", "vpcId"),
    ],
};

pub(super) fn describe(cx: &mut Cx<'_>) -> Answer {
    let interfaces = cx.here.interfaces();
    let all = interfaces.iter().map(|one| cx.here.render_interface(one)).collect();
    listing::answer(cx, &LISTING, all)
}
