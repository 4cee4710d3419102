//! The attributes of an instance. A call reads or changes one at a time.

use serde_json::{Value, json};

use super::super::{Answer, Refusal};
use super::input::{flag, missing_parameter};
use super::instances::Phase;
use super::{Cx, found, found_mut, invalid};

pub(super) fn describe(cx: &mut Cx<'_>) -> Answer {
    let (id, name) = (cx.need("InstanceId")?, cx.need("Attribute")?);
    let one = found(&cx.here.instances, "i", id)?;
    let value = |value: Value| json!({ "value": value });
    let (member, shown) = match name {
        "userData" => (name, one.user_data.as_ref().map_or(json!({}), |data| value(json!(data)))),
        "sourceDestCheck" => (name, value(json!(one.source_dest_check))),
        "instanceType" => (name, value(json!(one.kind))),
        "disableApiTermination" => (name, value(json!(one.protected))),
        "disableApiStop" | "ebsOptimized" => (name, value(json!(false))),
        "enaSupport" => (name, value(json!(true))),
        "instanceInitiatedShutdownBehavior" => (name, value(json!(one.on_shutdown))),
        "rootDeviceName" => (name, value(json!("/dev/xvda"))),
        "groupSet" => (name, cx.here.group_set(&one.groups)),
        "kernel" | "ramdisk" | "sriovNetSupport" => (name, json!({})),
        "blockDeviceMapping" | "productCodes" => (name, json!([])),
        other => {
            let message = format!("Value ({other}) for parameter attribute is invalid.");
            return Err(invalid(message));
        }
    };
    let mut answer = json!({ "instanceId": id });
    answer[member] = shown;
    Ok(answer)
}

/// The attributes that a call can change: parameter and name.
const ATTRIBUTES: [(&str, &str); 6] = [
    ("SourceDestCheck", "sourceDestCheck"),
    ("DisableApiTermination", "disableApiTermination"),
    ("InstanceType", "instanceType"),
    ("UserData", "userData"),
    ("InstanceInitiatedShutdownBehavior", "instanceInitiatedShutdownBehavior"),
    ("GroupId", "groupSet"),
];

pub(super) fn modify(cx: &mut Cx<'_>) -> Answer {
    let id = cx.need("InstanceId")?;
    let phase = found(&cx.here.instances, "i", id)?.phase;
    if matches!(phase, Phase::ShuttingDown | Phase::Terminated) {
        let message = format!("The instance '{id}' is not in a valid state for this operation.");
        return Err(Refusal::new("IncorrectInstanceState", message));
    }
    let given: Vec<_> = ATTRIBUTES.iter().filter(|(ask, _)| cx.has(ask)).collect();
    let (name, value) = match (&given[..], cx.text("Attribute")) {
        ([], Some(name)) => (name, cx.need("Value")?),
        ([("GroupId", name)], None) => (*name, ""),
        ([(ask, name)], None) => (*name, cx.wrapped(ask)?),
        ([], None) => return Err(missing_parameter("attribute")),
        _ => {
            let message = "Only one instance attribute can be changed in one request.";
            return Err(Refusal::new("InvalidParameterCombination", message));
        }
    };
    if ["instanceType", "userData"].contains(&name) && phase != Phase::Stopped {
        let message = format!("The instance '{id}' is not in the 'stopped' state.");
        return Err(Refusal::new("IncorrectInstanceState", message));
    }
    let groups = cx.list("GroupId");
    for group in &groups {
        found(&cx.here.groups, "sg", group)?;
    }
    let one = found_mut(&mut cx.here.instances, "i", id)?;
    match name {
        "sourceDestCheck" => one.source_dest_check = flag(name, value)?,
        "disableApiTermination" => one.protected = flag(name, value)?,
        "instanceType" => one.kind = value.to_owned(),
        "userData" => one.user_data = Some(value.to_owned()).filter(|data| !data.is_empty()),
        "instanceInitiatedShutdownBehavior" => one.on_shutdown = value.to_owned(),
        "groupSet" => one.groups = groups,
        other => {
            let message = format!("Value ({other}) for parameter attribute is invalid.");
            return Err(invalid(message));
        }
    }
    Ok(json!({ "return": true }))
}
