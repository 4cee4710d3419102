//! VPCs and their default network ACLs.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{ACCOUNT, Answer, Refusal};
use super::cidr::Cidr;
use super::groups::Group;
use super::input::missing_parameter;
use super::listing::{self, Listing};
use super::tables::Table;
use super::{Cx, Region, depended_on, found, found_mut, groups, invalid};

/// A VPC.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Vpc {
    pub cidr: String,
    pub dns_support: bool,
    pub dns_hostnames: bool,
    usage_metrics: bool,
    tenancy: String,
    cidr_association: String,
    /// The default network ACL. It has no more than this id.
    pub acl: String,
}

pub(crate) const QUOTA: usize = 5;

const ATTRIBUTES: [(&str, &str); 3] = [
    ("EnableDnsSupport", "enableDnsSupport"),
    ("EnableDnsHostnames", "enableDnsHostnames"),
    ("EnableNetworkAddressUsageMetrics", "enableNetworkAddressUsageMetrics"),
];

impl Vpc {
    fn attribute(&mut self, name: &str) -> Option<&mut bool> {
        match name {
            "enableDnsSupport" => Some(&mut self.dns_support),
            "enableDnsHostnames" => Some(&mut self.dns_hostnames),
            "enableNetworkAddressUsageMetrics" => Some(&mut self.usage_metrics),
            _ => None,
        }
    }
}

fn render(here: &Region, id: &str, vpc: &Vpc) -> Value {
    json!({
        "vpcId": id,
        "ownerId": ACCOUNT,
        "state": "available",
        "cidrBlock": vpc.cidr,
        "cidrBlockAssociationSet": [{
            "associationId": vpc.cidr_association,
            "cidrBlock": vpc.cidr,
            "cidrBlockState": { "state": "associated" },
        }],
        "dhcpOptionsId": "default",
        "instanceTenancy": vpc.tenancy,
        "isDefault": false,
        "tagSet": here.tag_set(id),
    })
}

pub(super) fn create(cx: &mut Cx<'_>) -> Answer {
    let text = cx.need("CidrBlock")?;
    let cidr = Cidr::parse(text).ok_or_else(|| {
        invalid(format!(
            "Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block."
        ))
    })?;
    if !cidr.fits_networks() {
        return Err(Refusal::new("InvalidVpc.Range", format!("The CIDR '{text}' is invalid.")));
    }
    if cx.base.strict && cx.here.vpcs.len() >= QUOTA {
        let message = "The maximum number of VPCs has been reached.";
        return Err(Refusal::new("VpcLimitExceeded", message));
    }
    let id = cx.make("vpc")?;
    let vpc = Vpc {
        cidr: cidr.to_string(),
        dns_support: true,
        tenancy: cx.text("InstanceTenancy").unwrap_or("default").to_owned(),
        cidr_association: cx.base.id("vpc-cidr-assoc"),
        acl: cx.base.id("acl"),
        ..Vpc::default()
    };
    cx.here.vpcs.insert(id.clone(), vpc);
    let main = Table { main: Some(cx.base.id("rtbassoc")), ..Table::of(&id) };
    let table = cx.base.id("rtb");
    cx.here.tables.insert(table, main);
    groups::insert(cx, Group::default_of(&id));
    Ok(json!({ "vpc": render(cx.here, &id, &cx.here.vpcs[&id]) }))
}

const LISTING: Listing = Listing {
    set: "vpcSet",
    ask: "VpcId",
    id: "vpcId",
    prefix: "vpc",
    filters: &[
        ("cidr", "cidrBlock"),
        ("cidr-block-association.association-id", "cidrBlockAssociationSet.associationId"),
        ("cidr-block-association.cidr-block", "cidrBlockAssociationSet.cidrBlock"),
        ("dhcp-options-id", "dhcpOptionsId"),
        ("is-default", "isDefault"),
        ("isDefault", "isDefault"),
        ("owner-id", "ownerId"),
        ("state", "state"),
        ("vpc-id", "vpcId"),
    ],
};

pub(super) fn describe(cx: &mut Cx<'_>) -> Answer {
    let all = cx.here.vpcs.iter().map(|(id, vpc)| render(cx.here, id, vpc)).collect();
    listing::answer(cx, &LISTING, all)
}

/// Changes one attribute. AWS refuses two in one call.
pub(super) fn modify(cx: &mut Cx<'_>) -> Answer {
    let id = cx.need("VpcId")?;
    let asked: Vec<_> = ATTRIBUTES.iter().filter(|(ask, _)| cx.has(ask)).collect();
    let [(ask, name)] = asked[..] else {
        return Err(if asked.is_empty() {
            missing_parameter("attribute")
        } else {
            Refusal::new(
                "InvalidParameterCombination",
                "Fields can not be modified at the same time: only one VPC attribute per request.",
            )
        });
    };
    let on = cx.wrapped_flag(ask)?;
    let vpc = found_mut(&mut cx.here.vpcs, "vpc", id)?;
    if *name == "enableDnsHostnames" && on && !vpc.dns_support {
        return Err(invalid("DNS host names need DNS support to be enabled first."));
    }
    if let Some(attribute) = vpc.attribute(name) {
        *attribute = on;
    }
    Ok(json!({ "return": true }))
}

pub(super) fn attribute(cx: &mut Cx<'_>) -> Answer {
    let (id, name) = (cx.need("VpcId")?, cx.need("Attribute")?);
    let vpc = found_mut(&mut cx.here.vpcs, "vpc", id)?;
    let Some(value) = vpc.attribute(name) else {
        return Err(invalid(format!("Value ({name}) for parameter attribute is invalid.")));
    };
    let mut answer = json!({ "vpcId": id });
    answer[name] = json!({ "value": *value });
    Ok(answer)
}

/// Deletes the VPC with the objects that AWS created for it, unless another object is in it.
pub(super) fn delete(cx: &mut Cx<'_>) -> Answer {
    let id = cx.need("VpcId")?;
    let acl = found(&cx.here.vpcs, "vpc", id)?.acl.clone();
    let here = &mut *cx.here;
    let blocked = here.subnets.values().any(|subnet| subnet.vpc == id)
        || here.tables.values().any(|table| table.vpc == id && table.main.is_none())
        || here.gateways.values().any(|gateway| gateway.vpc.as_deref() == Some(id))
        || here.groups.values().any(|group| group.vpc == id && !group.is_default())
        || here.endpoints.values().any(|endpoint| endpoint.vpc == id && endpoint.lives());
    if blocked {
        return Err(depended_on("vpc", id));
    }
    let tables: Vec<_> = here.tables.iter().filter(|(_, table)| table.vpc == id).collect();
    let groups: Vec<_> = here.groups.iter().filter(|(_, group)| group.vpc == id).collect();
    let mut gone: Vec<String> = tables.into_iter().map(|(table, _)| table.clone()).collect();
    gone.extend(groups.into_iter().map(|(group, _)| group.clone()));
    gone.extend([acl, id.to_owned()]);
    for one in gone {
        here.tables.remove(&one);
        here.forget_group(&one);
        here.tags.remove(&one);
    }
    here.vpcs.remove(id);
    Ok(json!({ "return": true }))
}

const ACLS: Listing = Listing {
    set: "networkAclSet",
    ask: "NetworkAclId",
    id: "networkAclId",
    prefix: "acl",
    filters: &[
        ("association.association-id", "associationSet.networkAclAssociationId"),
        ("association.network-acl-id", "associationSet.networkAclId"),
        ("association.subnet-id", "associationSet.subnetId"),
        ("default", "default"),
        ("network-acl-id", "networkAclId"),
        ("owner-id", "ownerId"),
        ("vpc-id", "vpcId"),
    ],
};

/// Lists the default network ACLs. Each allows all traffic.
pub(super) fn network_acls(cx: &mut Cx<'_>) -> Answer {
    let entry = |egress: bool, number: u32, action: &str| {
        json!({
            "cidrBlock": "0.0.0.0/0",
            "egress": egress,
            "protocol": "-1",
            "ruleAction": action,
            "ruleNumber": number,
        })
    };
    let mut all = Vec::new();
    for (id, vpc) in &cx.here.vpcs {
        let subnets = cx.here.subnets.iter().filter(|(_, subnet)| subnet.vpc == *id);
        let associations: Vec<_> = subnets
            .map(|(subnet_id, subnet)| {
                json!({
                    "networkAclAssociationId": subnet.acl_association,
                    "networkAclId": vpc.acl,
                    "subnetId": subnet_id,
                })
            })
            .collect();
        all.push(json!({
            "networkAclId": vpc.acl,
            "vpcId": id,
            "ownerId": ACCOUNT,
            "default": true,
            "associationSet": associations,
            "entrySet": [
                entry(true, 100, "allow"),
                entry(true, 32767, "deny"),
                entry(false, 100, "allow"),
                entry(false, 32767, "deny"),
            ],
            "tagSet": cx.here.tag_set(&vpc.acl),
        }));
    }
    listing::answer(cx, &ACLS, all)
}
