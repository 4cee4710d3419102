//! Internet gateways.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{ACCOUNT, Answer, Refusal};
use super::listing::{self, Listing};
use super::{Cx, Region, depended_on, found, found_mut};

/// An internet gateway.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Gateway {
    /// The attached VPC.
    pub vpc: Option<String>,
}

fn render(here: &Region, id: &str, gateway: &Gateway) -> Value {
    let attachments = gateway.vpc.iter().map(|vpc| json!({ "vpcId": vpc, "state": "available" }));
    json!({
        "internetGatewayId": id,
        "ownerId": ACCOUNT,
        "attachmentSet": attachments.collect::<Vec<_>>(),
        "tagSet": here.tag_set(id),
    })
}

impl Region {
    /// Whether the VPC has an internet gateway.
    pub(super) fn has_gateway(&self, vpc: &str) -> bool {
        self.gateways.values().any(|gateway| gateway.vpc.as_deref() == Some(vpc))
    }
}

pub(super) fn create(cx: &mut Cx<'_>) -> Answer {
    let id = cx.make("igw")?;
    cx.here.gateways.insert(id.clone(), Gateway::default());
    Ok(json!({ "internetGateway": render(cx.here, &id, &Gateway::default()) }))
}

pub(super) fn attach(cx: &mut Cx<'_>) -> Answer {
    let (id, vpc) = (cx.need("InternetGatewayId")?, cx.need("VpcId")?);
    found(&cx.here.vpcs, "vpc", vpc)?;
    let taken = cx.here.has_gateway(vpc);
    let gateway = found_mut(&mut cx.here.gateways, "igw", id)?;
    if let Some(other) = &gateway.vpc {
        let message = format!("resource {id} is already attached to network {other}");
        return Err(Refusal::new("Resource.AlreadyAssociated", message));
    }
    if taken {
        let message = format!("Network {vpc} already has an internet gateway attached");
        return Err(Refusal::new("Resource.AlreadyAssociated", message));
    }
    gateway.vpc = Some(vpc.to_owned());
    Ok(json!({ "return": true }))
}

/// Detaches, unless an interface in the VPC has a public address.
pub(super) fn detach(cx: &mut Cx<'_>) -> Answer {
    let (id, vpc) = (cx.need("InternetGatewayId")?, cx.need("VpcId")?);
    let gateway = found(&cx.here.gateways, "igw", id)?;
    found(&cx.here.vpcs, "vpc", vpc)?;
    if gateway.vpc.as_deref() != Some(vpc) {
        let message = format!("resource {id} is not attached to network {vpc}");
        return Err(Refusal::new("Gateway.NotAttached", message));
    }
    if cx.here.interfaces().iter().any(|one| one.vpc == vpc && one.public_ip.is_some()) {
        let message = format!(
            "Network {vpc} has some mapped public address(es). Please unmap those public \
             address(es) before detaching the gateway."
        );
        return Err(Refusal::new("DependencyViolation", message));
    }
    found_mut(&mut cx.here.gateways, "igw", id)?.vpc = None;
    Ok(json!({ "return": true }))
}

const LISTING: Listing = Listing {
    set: "internetGatewaySet",
    ask: "InternetGatewayId",
    id: "internetGatewayId",
    prefix: "igw",
    filters: &[
        ("attachment.state", "attachmentSet.state"),
        ("attachment.vpc-id", "attachmentSet.vpcId"),
        ("internet-gateway-id", "internetGatewayId"),
        ("owner-id", "ownerId"),
    ],
};

pub(super) fn describe(cx: &mut Cx<'_>) -> Answer {
    let all = cx.here.gateways.iter().map(|(id, one)| render(cx.here, id, one)).collect();
    listing::answer(cx, &LISTING, all)
}

pub(super) fn delete(cx: &mut Cx<'_>) -> Answer {
    let id = cx.need("InternetGatewayId")?;
    if found(&cx.here.gateways, "igw", id)?.vpc.is_some() {
        return Err(depended_on("internetGateway", id));
    }
    cx.here.gateways.remove(id);
    cx.here.tags.remove(id);
    Ok(json!({ "return": true }))
}
