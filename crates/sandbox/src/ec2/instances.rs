//! Instances. Each has one network interface, which lives as long as the instance does.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::passing::Passing;
use super::super::toolbox::{iso_millis, text};
use super::super::{ACCOUNT, Answer, Base, Refusal};
use super::input::missing_parameter;
use super::interfaces::Interface;
use super::listing::{self, Listing};
use super::{Cx, Region, found, found_mut};

/// An instance.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Instance {
    pub image: String,
    pub kind: String,
    pub vpc: String,
    pub subnet: String,
    pub groups: Vec<String>,
    pub private_ip: String,
    /// The public address that the instance has only while it runs. It is not the elastic one.
    pub public_ip: Option<String>,
    pub maps_public_ip: bool,
    pub interface: String,
    pub profile: Option<String>,
    /// In base64, as the call sent it.
    pub user_data: Option<String>,
    pub source_dest_check: bool,
    pub protected: bool,
    pub on_shutdown: String,
    pub metadata: Value,
    pub token: Option<String>,
    pub reservation: String,
    pub phase: Phase,
    /// How long the phase lasts.
    #[serde(flatten)]
    pub passing: Passing,
    pub launched: f64,
}

/// The phase of an instance's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    #[default]
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl Phase {
    fn render(self) -> Value {
        let (code, name) = match self {
            Self::Pending => (0, "pending"),
            Self::Running => (16, "running"),
            Self::ShuttingDown => (32, "shutting-down"),
            Self::Terminated => (48, "terminated"),
            Self::Stopping => (64, "stopping"),
            Self::Stopped => (80, "stopped"),
        };
        json!({ "code": code, "name": name })
    }

    /// How long the phase lasts from now. A terminated instance stays listed for about an hour.
    pub(super) fn begins(self, base: &Base) -> Passing {
        let (reads, seconds) = match self {
            Self::Pending => (1, 15.0),
            Self::Stopping | Self::ShuttingDown => (1, 30.0),
            Self::Terminated => (3, 3600.0),
            Self::Running | Self::Stopped => (0, 0.0),
        };
        Passing::begin(base, reads, seconds)
    }
}

/// How long the first status checks of an instance take in a strict sandbox, in seconds.
const CHECKS: f64 = 90.0;

impl Instance {
    /// Whether the instance still has its interface.
    pub(super) fn lives(&self) -> bool {
        self.phase != Phase::Terminated
    }

    /// Whether a route to the instance works.
    pub(super) fn runs(&self) -> bool {
        matches!(self.phase, Phase::Pending | Phase::Running)
    }

    /// Whether a call can associate an address.
    pub(super) fn is_settled(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Stopped)
    }

    pub(super) fn interface(&self, here: &Region, id: &str) -> Interface {
        let (public_ip, elastic) = match here.elastic(id) {
            Some((ip, allocation, association)) => (Some(ip), Some((allocation, association))),
            None => (self.public_ip.clone(), None),
        };
        Interface {
            id: self.interface.clone(),
            holder: id.to_owned(),
            vpc: self.vpc.clone(),
            subnet: self.subnet.clone(),
            private_ip: self.private_ip.clone(),
            public_ip,
            elastic,
            groups: self.groups.clone(),
            source_dest_check: self.source_dest_check,
            kind: "interface".to_owned(),
            status: "in-use",
            description: String::new(),
        }
    }

    fn turn(&mut self, base: &Base, phase: Phase) {
        self.phase = phase;
        self.passing = phase.begins(base);
        if !self.runs() {
            self.public_ip = None;
        }
    }
}

pub(super) fn render(cx: &Cx<'_>, id: &str, one: &Instance) -> Value {
    let here = &*cx.here;
    let interface = one.lives().then(|| one.interface(here, id));
    let public_ip = interface.as_ref().and_then(|interface| interface.public_ip.clone());
    let profile = one.profile.as_ref().map(|arn| json!({ "arn": arn, "id": "AIPASANDBOX" }));
    let zone = here.subnets.get(&one.subnet).map(|subnet| subnet.zone.as_str());
    let shown: Vec<_> = interface.iter().map(|it| here.render_interface(it)).collect();
    let arm = one.kind.split('.').next().is_some_and(|family| family.contains('g'));
    json!({
        "instanceId": id,
        "imageId": one.image,
        "instanceState": one.phase.render(),
        "instanceType": one.kind,
        "amiLaunchIndex": 0,
        "architecture": if arm { "arm64" } else { "x86_64" },
        "clientToken": one.token,
        "ebsOptimized": false,
        "enaSupport": true,
        "enclaveOptions": { "enabled": false },
        "hibernationOptions": { "configured": false },
        "hypervisor": "xen",
        "iamInstanceProfile": profile,
        "launchTime": iso_millis(one.launched),
        "metadataOptions": one.metadata,
        "monitoring": { "state": "disabled" },
        "networkInterfaceSet": shown,
        "placement": { "availabilityZone": zone, "tenancy": "default" },
        "platformDetails": "Linux/UNIX",
        "privateIpAddress": one.lives().then_some(&one.private_ip),
        "ipAddress": public_ip,
        "groupSet": here.group_set(if one.lives() { &one.groups } else { &[] }),
        "rootDeviceName": "/dev/xvda",
        "rootDeviceType": "ebs",
        "sourceDestCheck": one.source_dest_check,
        "subnetId": one.lives().then_some(&one.subnet),
        "vpcId": one.lives().then_some(&one.vpc),
        "virtualizationType": "hvm",
        "tagSet": here.tag_set(id),
    })
}

/// The instances, in the reservations that they were launched with.
pub(super) fn reservations(cx: &Cx<'_>, instances: Vec<Value>) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    for instance in instances {
        let id = text(&instance, "instanceId").unwrap_or_default();
        let reservation = cx.here.instances.get(id).map(|one| one.reservation.clone());
        let same = all.iter_mut().find(|one| one["reservationId"] == json!(reservation));
        match same.and_then(|one| one["instancesSet"].as_array_mut()) {
            Some(set) => set.push(instance),
            None => all.push(json!({
                "reservationId": reservation,
                "ownerId": ACCOUNT,
                "groupSet": [],
                "instancesSet": [instance],
            })),
        }
    }
    all
}

const LISTING: Listing = Listing {
    set: "reservationSet",
    ask: "InstanceId",
    id: "instanceId",
    prefix: "i",
    filters: &[
        ("architecture", "architecture"),
        ("availability-zone", "placement.availabilityZone"),
        ("client-token", "clientToken"),
        ("group-id", "groupSet.groupId"),
        ("group-name", "groupSet.groupName"),
        ("iam-instance-profile.arn", "iamInstanceProfile.arn"),
        ("image-id", "imageId"),
        ("instance-id", "instanceId"),
        ("instance-state-code", "instanceState.code"),
        ("instance-state-name", "instanceState.name"),
        ("instance-type", "instanceType"),
        ("instance.group-id", "groupSet.groupId"),
        ("instance.group-name", "groupSet.groupName"),
        ("ip-address", "ipAddress"),
        ("network-interface.network-interface-id", "networkInterfaceSet.networkInterfaceId"),
        ("network-interface.subnet-id", "networkInterfaceSet.subnetId"),
        ("network-interface.vpc-id", "networkInterfaceSet.vpcId"),
        ("private-ip-address", "privateIpAddress"),
        ("source-dest-check", "sourceDestCheck"),
        ("subnet-id", "subnetId"),
        ("vpc-id", "vpcId"),
    ],
};

pub(super) fn describe(cx: &mut Cx<'_>) -> Answer {
    let all = cx.here.instances.iter().map(|(id, one)| render(cx, id, one)).collect();
    let mut page = listing::page(cx, &LISTING, all)?;
    page.items = reservations(cx, page.items);
    let asked = cx.list(LISTING.ask);
    let ids: Vec<String> = cx.here.instances.keys().cloned().collect();
    for id in ids.iter().filter(|id| asked.is_empty() || asked.contains(id)) {
        age(cx, id);
    }
    page.answer(LISTING.set)
}

/// The status checks of running instances.
pub(super) fn statuses(cx: &mut Cx<'_>) -> Answer {
    let asked = cx.list("InstanceId");
    for id in &asked {
        found(&cx.here.instances, "i", id)?;
    }
    let (now, lasts) = (cx.now(), if cx.base.strict { CHECKS } else { 0.0 });
    let running = cx.here.instances.iter().filter(|(id, one)| {
        one.phase == Phase::Running && (asked.is_empty() || asked.contains(id))
    });
    let statuses = running.map(|(id, one)| {
        let word = if now < one.launched + lasts { "initializing" } else { "ok" };
        json!({
            "instanceId": id,
            "instanceState": one.phase.render(),
            "instanceStatus": { "status": word },
            "systemStatus": { "status": word },
        })
    });
    Ok(json!({ "instanceStatusSet": statuses.collect::<Vec<_>>() }))
}

/// Ages an instance by one read, whatever the filters.
fn age(cx: &mut Cx<'_>, id: &str) {
    let Some(one) = cx.here.instances.get_mut(id) else { return };
    if matches!(one.phase, Phase::Running | Phase::Stopped) {
        return;
    }
    cx.base.moved = true;
    if !one.passing.is_over(cx.base) {
        return;
    }
    match one.phase {
        Phase::Pending => one.turn(cx.base, Phase::Running),
        Phase::Stopping => one.turn(cx.base, Phase::Stopped),
        Phase::ShuttingDown => {
            one.turn(cx.base, Phase::Terminated);
            let interface = one.interface.clone();
            cx.here.tags.remove(&interface);
            for mut address in cx.here.addresses.values_mut() {
                if address.held_by(id).is_some() {
                    address.held = None;
                }
            }
        }
        Phase::Terminated => {
            cx.here.instances.remove(id);
            cx.here.tags.remove(id);
        }
        Phase::Running | Phase::Stopped => {}
    }
}

/// Moves all named instances, or none, to the phase that `next` gives.
fn change(cx: &mut Cx<'_>, next: fn(&str, &Instance) -> Result<Phase, Refusal>) -> Answer {
    let ids = cx.list("InstanceId");
    if ids.is_empty() {
        return Err(missing_parameter("InstanceId"));
    }
    let mut changes = Vec::new();
    for id in ids {
        let one = found(&cx.here.instances, "i", &id)?;
        changes.push((next(&id, one)?, id));
    }
    let mut set = Vec::new();
    for (phase, id) in changes {
        let one = found_mut(&mut cx.here.instances, "i", &id)?;
        let previous = one.phase.render();
        let revived = phase == Phase::Pending && one.phase != phase && one.maps_public_ip;
        if one.phase != phase {
            one.turn(cx.base, phase);
        }
        if revived {
            let ip = cx.public_address();
            found_mut(&mut cx.here.instances, "i", &id)?.public_ip = Some(ip);
        }
        set.push(json!({
            "instanceId": id,
            "currentState": phase.render(),
            "previousState": previous,
        }));
    }
    Ok(json!({ "instancesSet": set }))
}

fn wrong_state(id: &str, wanted: &str) -> Refusal {
    let message = format!("The instance '{id}' is not in a state from which it can be {wanted}.");
    Refusal::new("IncorrectInstanceState", message)
}

pub(super) fn terminate(cx: &mut Cx<'_>) -> Answer {
    change(cx, |id, one| match one.phase {
        _ if one.protected => {
            let message = format!(
                "The instance '{id}' may not be terminated. Modify its 'disableApiTermination' \
                 instance attribute and try again."
            );
            Err(Refusal::new("OperationNotPermitted", message))
        }
        Phase::Terminated => Ok(Phase::Terminated),
        _ => Ok(Phase::ShuttingDown),
    })
}

pub(super) fn start(cx: &mut Cx<'_>) -> Answer {
    change(cx, |id, one| match one.phase {
        Phase::Stopped => Ok(Phase::Pending),
        Phase::Pending | Phase::Running => Ok(one.phase),
        _ => Err(wrong_state(id, "started")),
    })
}

pub(super) fn stop(cx: &mut Cx<'_>) -> Answer {
    change(cx, |id, one| match one.phase {
        Phase::Running => Ok(Phase::Stopping),
        Phase::Stopping | Phase::Stopped => Ok(one.phase),
        _ => Err(wrong_state(id, "stopped")),
    })
}
