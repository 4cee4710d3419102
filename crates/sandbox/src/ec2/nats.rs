//! NAT gateways. They fail after the call that created them, and stay listed after their deletion.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::passing::Passing;
use super::super::toolbox::iso_millis;
use super::super::{Answer, Base};
use super::interfaces::Interface;
use super::listing::{self, Listing};
use super::{Cx, Region, found, found_mut, invalid, missing};

/// A NAT gateway.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Nat {
    pub vpc: String,
    subnet: String,
    /// The allocation id. A private gateway has none.
    address: Option<String>,
    public_ip: Option<String>,
    private_ip: String,
    interface: String,
    phase: Phase,
    /// The code and the message of a failure. It shows once the gateway is no longer pending.
    failure: Option<(String, String)>,
    /// How long the phase lasts.
    #[serde(flatten)]
    passing: Passing,
    created: f64,
    deleted: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    #[default]
    Pending,
    Available,
    Failed,
    Deleting,
    Deleted,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
        }
    }

    /// How long the phase lasts from now. A deleted gateway stays listed for about an hour.
    fn begins(self, base: &Base) -> Passing {
        let (reads, seconds) = match self {
            Self::Pending => (2, 100.0),
            Self::Deleting => (1, 60.0),
            Self::Deleted => (3, 3600.0),
            Self::Available | Self::Failed => (0, 0.0),
        };
        Passing::begin(base, reads, seconds)
    }
}

impl Nat {
    /// Whether the gateway still has its interface and its address.
    pub(super) fn lives(&self) -> bool {
        !matches!(self.phase, Phase::Failed | Phase::Deleted)
    }

    /// Whether a route to the gateway works.
    pub(super) fn carries(&self) -> bool {
        matches!(self.phase, Phase::Pending | Phase::Available)
    }

    pub(super) fn interface(&self, here: &Region, id: &str) -> Interface {
        let (public_ip, elastic) = match here.elastic(id) {
            Some((ip, allocation, association)) => (Some(ip), Some((allocation, association))),
            None => (None, None),
        };
        Interface {
            id: self.interface.clone(),
            holder: id.to_owned(),
            vpc: self.vpc.clone(),
            subnet: self.subnet.clone(),
            private_ip: self.private_ip.clone(),
            public_ip,
            elastic,
            groups: Vec::new(),
            source_dest_check: false,
            kind: "nat_gateway".to_owned(),
            status: "in-use",
            description: format!("Interface for NAT Gateway {id}"),
        }
    }

    fn turn(&mut self, base: &Base, phase: Phase) {
        self.phase = phase;
        self.passing = phase.begins(base);
    }
}

fn render(here: &Region, id: &str, nat: &Nat) -> Value {
    let failure = nat.failure.as_ref().filter(|_| nat.phase != Phase::Pending);
    let association = here.elastic(id).map(|(_, _, association)| association);
    json!({
        "natGatewayId": id,
        "vpcId": nat.vpc,
        "subnetId": nat.subnet,
        "state": nat.phase.name(),
        "connectivityType": if nat.address.is_some() { "public" } else { "private" },
        "availabilityMode": "zonal",
        "createTime": iso_millis(nat.created),
        "deleteTime": nat.deleted.map(iso_millis),
        "failureCode": failure.map(|(code, _)| code),
        "failureMessage": failure.map(|(_, message)| message),
        "natGatewayAddressSet": [{
            "allocationId": nat.address,
            "associationId": association,
            "publicIp": nat.public_ip,
            "privateIp": nat.private_ip,
            "networkInterfaceId": nat.interface,
            "isPrimary": true,
            "status": if failure.is_some() { "failed" } else { "succeeded" },
        }],
        "tagSet": here.tag_set(id),
    })
}

pub(super) fn create(cx: &mut Cx<'_>) -> Answer {
    if let Some(token) = cx.replay()? {
        let live = token.ids.first().and_then(|id| Some((id, cx.here.nats.get(id)?)));
        return Ok(match live {
            Some((id, nat)) => json!({ "natGateway": render(cx.here, id, nat) }),
            None => token.answer,
        });
    }
    let subnet = cx.need("SubnetId")?;
    let vpc = found(&cx.here.subnets, "subnet", subnet)?.vpc.clone();
    let public = match cx.text("ConnectivityType").unwrap_or("public") {
        "public" => true,
        "private" => false,
        other => return Err(invalid(format!("Invalid connectivity type '{other}'."))),
    };
    let address = if public { Some(cx.need("AllocationId")?.to_owned()) } else { None };
    let held = match &address {
        Some(id) => Some(found(&cx.here.addresses, "eipalloc", id)?.clone()),
        None => None,
    };
    let failure = held.as_ref().and_then(|address| {
        if address.held.is_some() {
            let id = cx.text("AllocationId").unwrap_or_default();
            let message = format!("Elastic IP address [{id}] is already associated");
            Some(("Resource.AlreadyAssociated".to_owned(), message))
        } else if !cx.here.has_gateway(&vpc) {
            let message = format!("Network {vpc} has no Internet gateway attached");
            Some(("Gateway.NotAttached".to_owned(), message))
        } else {
            None
        }
    });
    let private_ip = cx.here.free_address(subnet)?;
    let id = cx.make("nat")?;
    if let (Some(allocation), None) = (&address, &failure) {
        let association = cx.base.id("eipassoc");
        let address = found_mut(&mut cx.here.addresses, "eipalloc", allocation)?;
        address.held = Some((association, id.clone()));
    }
    let nat = Nat {
        vpc,
        subnet: subnet.to_owned(),
        address,
        public_ip: held.map(|address| address.ip),
        private_ip,
        interface: cx.base.id("eni"),
        failure,
        passing: Phase::Pending.begins(cx.base),
        created: cx.now(),
        ..Nat::default()
    };
    cx.here.nats.insert(id.clone(), nat);
    let mut answer = json!({ "natGateway": render(cx.here, &id, &cx.here.nats[&id]) });
    answer["clientToken"] = json!(cx.text("ClientToken"));
    cx.remember(vec![id], &answer);
    Ok(answer)
}

const LISTING: Listing = Listing {
    set: "natGatewaySet",
    ask: "NatGatewayId",
    id: "natGatewayId",
    prefix: "nat",
    filters: &[
        ("nat-gateway-id", "natGatewayId"),
        ("state", "state"),
        ("subnet-id", "subnetId"),
        ("vpc-id", "vpcId"),
    ],
};

pub(super) fn describe(cx: &mut Cx<'_>) -> Answer {
    let all = cx.here.nats.iter().map(|(id, nat)| render(cx.here, id, nat)).collect();
    let answer = listing::answer(cx, &LISTING, all)?;
    let asked = cx.list(LISTING.ask);
    let ids: Vec<String> = cx.here.nats.keys().cloned().collect();
    for id in ids.iter().filter(|id| asked.is_empty() || asked.contains(id)) {
        cx.base.moved |= age(cx.base, cx.here, id);
    }
    Ok(answer)
}

/// Ages a gateway by one read, and says whether its phase changed. A filter does not prevent that,
/// or a caller that waits with one would wait for ever.
fn age(base: &Base, here: &mut Region, id: &str) -> bool {
    let Some(nat) = here.nats.get_mut(id) else { return false };
    if matches!(nat.phase, Phase::Available | Phase::Failed) {
        return false;
    }
    if !nat.passing.is_over(base) {
        return true;
    }
    match nat.phase {
        Phase::Pending if nat.failure.is_some() => nat.turn(base, Phase::Failed),
        Phase::Pending => nat.turn(base, Phase::Available),
        Phase::Deleting => {
            nat.turn(base, Phase::Deleted);
            for mut address in here.addresses.values_mut() {
                if address.held_by(id).is_some() {
                    address.held = None;
                }
            }
        }
        Phase::Deleted => {
            here.nats.remove(id);
            here.tags.remove(id);
        }
        Phase::Available | Phase::Failed => {}
    }
    true
}

pub(super) fn delete(cx: &mut Cx<'_>) -> Answer {
    let id = cx.need("NatGatewayId")?;
    let now = cx.now();
    let nat = found_mut(&mut cx.here.nats, "nat", id)?;
    match nat.phase {
        Phase::Deleted => return Err(missing("nat", id)),
        Phase::Deleting => {}
        _ => {
            nat.turn(cx.base, Phase::Deleting);
            nat.deleted = Some(now);
        }
    }
    Ok(json!({ "natGatewayId": id }))
}
