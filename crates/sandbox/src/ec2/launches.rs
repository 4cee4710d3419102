//! Launches of instances.

use serde_json::{Value, json};

use super::super::toolbox::text;
use super::super::{ACCOUNT, Answer, Refusal};
use super::input;
use super::instances::{Instance, Phase, render, reservations};
use super::{Cx, found, invalid, zones};

/// The instance that the request describes, without the members that differ between several.
fn find_template(cx: &Cx<'_>) -> Result<Instance, Refusal> {
    let (image, kind) = (cx.need("ImageId")?, cx.text("InstanceType").unwrap_or("m1.small"));
    if !image.starts_with("ami-") {
        let message = format!("Invalid id: \"{image}\" (expecting \"ami-...\")");
        return Err(Refusal::new("InvalidAMIID.Malformed", message));
    }
    if !kind.contains('.') {
        return Err(invalid(format!("Invalid value '{kind}' for InstanceType.")));
    }
    let interfaces = cx.items("NetworkInterface");
    let interface = interfaces.first().copied().unwrap_or(&Value::Null);
    if !interfaces.is_empty() && (cx.has("SubnetId") || cx.has("SecurityGroupId")) {
        return Err(Refusal::new(
            "InvalidParameterCombination",
            "Network interfaces and an instance-level subnet ID or security groups may not be \
             specified on the same request",
        ));
    }
    let Some(subnet_id) = cx.text("SubnetId").or_else(|| text(interface, "SubnetId")) else {
        return Err(Refusal::new("VPCIdNotSpecified", "No default VPC for this user."));
    };
    let subnet = found(&cx.here.subnets, "subnet", subnet_id)?;
    let (region, zone) = (&cx.call.region, &subnet.zone);
    if zones::is_full(region, zone) {
        let open = zones::names(region).into_iter().filter(|zone| !zones::is_full(region, zone));
        let message = format!(
            "Your requested instance type ({kind}) is not supported in your requested Availability \
             Zone ({zone}). Please retry your request by not specifying an Availability Zone or \
             choosing {}.",
            open.collect::<Vec<_>>().join(", ")
        );
        return Err(Refusal::new("Unsupported", message));
    }
    let mut groups = cx.list("SecurityGroupId");
    groups.extend(input::list(interface, "SecurityGroupId"));
    if groups.is_empty() {
        let mut own = cx.here.groups.iter();
        let default = own.find(|(_, group)| group.vpc == subnet.vpc && group.is_default());
        groups.extend(default.map(|(id, _)| id.clone()));
    }
    for id in &groups {
        if found(&cx.here.groups, "sg", id)?.vpc != subnet.vpc {
            return Err(invalid(format!(
                "Security group {id} and subnet {subnet_id} belong to different networks."
            )));
        }
    }
    let maps_public_ip = match text(interface, "AssociatePublicIpAddress") {
        Some(wanted) => wanted == "true",
        None => subnet.public_addresses,
    };
    Ok(Instance {
        image: image.to_owned(),
        kind: kind.to_owned(),
        vpc: subnet.vpc.clone(),
        subnet: subnet_id.to_owned(),
        groups,
        maps_public_ip,
        profile: profile(cx),
        user_data: cx.text("UserData").filter(|data| !data.is_empty()).map(str::to_owned),
        source_dest_check: true,
        protected: cx.text("DisableApiTermination") == Some("true"),
        on_shutdown: cx.text("InstanceInitiatedShutdownBehavior").unwrap_or("stop").to_owned(),
        metadata: metadata(cx),
        token: cx.text("ClientToken").map(str::to_owned),
        passing: Phase::Pending.begins(cx.base),
        launched: cx.now(),
        ..Instance::default()
    })
}

/// The ARN of the instance profile.
fn profile(cx: &Cx<'_>) -> Option<String> {
    let profile = cx.call.input.get("IamInstanceProfile")?;
    let named = |name| format!("arn:aws:iam::{ACCOUNT}:instance-profile/{name}");
    text(profile, "Arn").map(str::to_owned).or_else(|| text(profile, "Name").map(named))
}

fn metadata(cx: &Cx<'_>) -> Value {
    let call = cx.call;
    let asked = call.input.get("MetadataOptions").unwrap_or(&Value::Null);
    let of = |name, otherwise: &'static str| text(asked, name).unwrap_or(otherwise).to_owned();
    json!({
        "state": "applied",
        "httpTokens": of("HttpTokens", "required"),
        "httpPutResponseHopLimit": of("HttpPutResponseHopLimit", "2"),
        "httpEndpoint": of("HttpEndpoint", "enabled"),
        "httpProtocolIpv6": of("HttpProtocolIpv6", "disabled"),
        "instanceMetadataTags": of("InstanceMetadataTags", "disabled"),
    })
}

pub(super) fn run(cx: &mut Cx<'_>) -> Answer {
    if let Some(token) = cx.replay()? {
        let live: Vec<_> =
            token.ids.iter().filter_map(|id| Some((id, cx.here.instances.get(id)?))).collect();
        let live = live.into_iter().map(|(id, one)| render(cx, id, one)).collect();
        return Ok(reservations(cx, live).pop().unwrap_or(token.answer));
    }
    let count = cx.need("MaxCount")?;
    let count: usize =
        count.parse().ok().filter(|count| (1..=20).contains(count)).ok_or_else(|| {
            invalid(format!("Value ({count}) for parameter maxCount is invalid."))
        })?;
    cx.need("MinCount")?;
    let template = find_template(cx)?;
    let mut tags = cx.new_tags(&["instance", "volume", "network-interface"])?;
    let own = tags.remove("instance").unwrap_or_default();
    let of_interface = tags.remove("network-interface").unwrap_or_default();
    let reservation = cx.base.id("r");
    let mut ids = Vec::new();
    for _ in 0..count {
        let private_ip = cx.here.free_address(&template.subnet)?;
        let public_ip = template.maps_public_ip.then(|| cx.public_address());
        let (id, interface) = (cx.base.id("i"), cx.base.id("eni"));
        cx.tag(&id, own.clone());
        cx.tag(&interface, of_interface.clone());
        let reservation = reservation.clone();
        let one = Instance { private_ip, public_ip, interface, reservation, ..template.clone() };
        cx.here.instances.insert(id.clone(), one);
        ids.push(id);
    }
    let made = ids.iter().map(|id| render(cx, id, &cx.here.instances[id])).collect();
    let answer = reservations(cx, made).pop().unwrap_or_default();
    cx.remember(ids, &answer);
    Ok(answer)
}
