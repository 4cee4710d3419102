//! Subnets.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{ACCOUNT, Answer, Refusal};
use super::cidr::Cidr;
use super::input::missing_parameter;
use super::listing::{self, Listing};
use super::{Cx, Region, depended_on, found, found_mut, invalid, tables, zones};

/// A subnet.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Subnet {
    pub vpc: String,
    pub cidr: String,
    pub zone: String,
    pub public_addresses: bool,
    pub acl_association: String,
}

impl Region {
    /// The private addresses of the interfaces in the subnet.
    fn addresses_in(&self, subnet: &str) -> Vec<String> {
        let interfaces = self.interfaces();
        let inside = interfaces.into_iter().filter(|one| one.subnet == subnet);
        inside.map(|one| one.private_ip).collect()
    }

    /// The next free private address in the subnet.
    pub(super) fn free_address(&self, id: &str) -> Result<String, Refusal> {
        let taken = self.addresses_in(id);
        let cidr = Cidr::parse(&found(&self.subnets, "subnet", id)?.cidr);
        let free = cidr.and_then(|cidr| {
            cidr.usable().map(|ip: Ipv4Addr| ip.to_string()).find(|ip| !taken.contains(ip))
        });
        free.ok_or_else(|| {
            let message = format!("There are not enough free addresses in subnet '{id}'.");
            Refusal::new("InsufficientFreeAddressesInSubnet", message)
        })
    }
}

fn render(cx: &Cx<'_>, id: &str, subnet: &Subnet) -> Value {
    let region = &cx.call.region;
    let usable = Cidr::parse(&subnet.cidr).map_or(0, |cidr| cidr.usable().count());
    json!({
        "subnetId": id,
        "subnetArn": format!("arn:aws:ec2:{region}:{ACCOUNT}:subnet/{id}"),
        "ownerId": ACCOUNT,
        "vpcId": subnet.vpc,
        "state": "available",
        "cidrBlock": subnet.cidr,
        "availabilityZone": subnet.zone,
        "availabilityZoneId": zones::zone_id(region, &subnet.zone),
        "availableIpAddressCount": usable - cx.here.addresses_in(id).len().min(usable),
        "defaultForAz": false,
        "mapPublicIpOnLaunch": subnet.public_addresses,
        "assignIpv6AddressOnCreation": false,
        "enableDns64": false,
        "ipv6Native": false,
        "ipv6CidrBlockAssociationSet": [],
        "mapCustomerOwnedIpOnLaunch": false,
        "privateDnsNameOptionsOnLaunch": {
            "hostnameType": "ip-name",
            "enableResourceNameDnsARecord": false,
            "enableResourceNameDnsAAAARecord": false,
        },
        "tagSet": cx.here.tag_set(id),
    })
}

/// The zone that the request names, by name or by id, or else the first one.
fn wanted_zone(cx: &Cx<'_>) -> Result<String, Refusal> {
    let region = &cx.call.region;
    let mut names = zones::names(region);
    let (by_name, by_id) = (cx.text("AvailabilityZone"), cx.text("AvailabilityZoneId"));
    let fits = |name: &String| {
        by_name.is_none_or(|wanted| wanted == name)
            && by_id.is_none_or(|wanted| wanted == zones::zone_id(region, name))
    };
    names.iter().find(|name| fits(name)).cloned().ok_or_else(|| {
        let wanted = by_name.or(by_id).unwrap_or_default();
        let last = names.pop().unwrap_or_default();
        invalid(format!(
            "Value ({wanted}) for parameter availabilityZone is invalid. Subnets can currently \
             only be created in the following availability zones: {}, {last}.",
            names.join(", ")
        ))
    })
}

pub(super) fn create(cx: &mut Cx<'_>) -> Answer {
    let (vpc, text) = (cx.need("VpcId")?, cx.need("CidrBlock")?);
    let range = Cidr::parse(&found(&cx.here.vpcs, "vpc", vpc)?.cidr);
    let cidr = Cidr::parse(text).ok_or_else(|| {
        invalid(format!(
            "Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block."
        ))
    })?;
    if !cidr.fits_networks() || !range.is_some_and(|range| range.contains(cidr)) {
        return Err(Refusal::new("InvalidSubnet.Range", format!("The CIDR '{text}' is invalid.")));
    }
    let mut others = cx.here.subnets.values().filter(|other| other.vpc == vpc);
    if others.any(|other| Cidr::parse(&other.cidr).is_some_and(|other| other.overlaps(cidr))) {
        let message = format!("The CIDR '{text}' conflicts with another subnet");
        return Err(Refusal::new("InvalidSubnet.Conflict", message));
    }
    let zone = wanted_zone(cx)?;
    let id = cx.make("subnet")?;
    let subnet = Subnet {
        vpc: vpc.to_owned(),
        cidr: cidr.to_string(),
        zone,
        public_addresses: false,
        acl_association: cx.base.id("aclassoc"),
    };
    cx.here.subnets.insert(id.clone(), subnet);
    Ok(json!({ "subnet": render(cx, &id, &cx.here.subnets[&id]) }))
}

const LISTING: Listing = Listing {
    set: "subnetSet",
    ask: "SubnetId",
    id: "subnetId",
    prefix: "subnet",
    filters: &[
        ("availability-zone", "availabilityZone"),
        ("availabilityZone", "availabilityZone"),
        ("availability-zone-id", "availabilityZoneId"),
        ("availabilityZoneId", "availabilityZoneId"),
        ("cidr", "cidrBlock"),
        ("cidrBlock", "cidrBlock"),
        ("cidr-block", "cidrBlock"),
        ("default-for-az", "defaultForAz"),
        ("defaultForAz", "defaultForAz"),
        ("map-public-ip-on-launch", "mapPublicIpOnLaunch"),
        ("owner-id", "ownerId"),
        ("state", "state"),
        ("subnet-arn", "subnetArn"),
        ("subnet-id", "subnetId"),
        ("vpc-id", "vpcId"),
    ],
};

pub(super) fn describe(cx: &mut Cx<'_>) -> Answer {
    let all = cx.here.subnets.iter().map(|(id, subnet)| render(cx, id, subnet)).collect();
    listing::answer(cx, &LISTING, all)
}

/// Changes whether instances get public addresses, the only attribute that the sandbox supports.
pub(super) fn modify(cx: &mut Cx<'_>) -> Answer {
    let id = cx.need("SubnetId")?;
    if !cx.has("MapPublicIpOnLaunch") {
        return Err(missing_parameter("MapPublicIpOnLaunch"));
    }
    let on = cx.wrapped_flag("MapPublicIpOnLaunch")?;
    found_mut(&mut cx.here.subnets, "subnet", id)?.public_addresses = on;
    Ok(json!({ "return": true }))
}

/// Deletes the subnet and its route table association, unless an interface is in it.
pub(super) fn delete(cx: &mut Cx<'_>) -> Answer {
    let id = cx.need("SubnetId")?;
    found(&cx.here.subnets, "subnet", id)?;
    if cx.here.interfaces().iter().any(|interface| interface.subnet == id) {
        return Err(depended_on("subnet", id));
    }
    let holds = |table: &tables::Table| table.subnets.values().any(|subnet| subnet == id);
    for mut table in cx.here.tables.values_mut().filter(|table| holds(table)) {
        table.subnets.retain(|_, subnet| subnet != id);
    }
    cx.here.subnets.remove(id);
    cx.here.tags.remove(id);
    Ok(json!({ "return": true }))
}
