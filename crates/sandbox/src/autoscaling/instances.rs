//! The instances of groups: launches and terminations.

use serde_json::{Value, json};

use super::super::ec2::templates;
use super::super::toolbox::{at, list, text};
use super::super::{Call, Refusal, World, fresh, kms, ssm};
use super::groups::Group;
use super::{by_name, ec2, invalid, states_of};

/// The lifecycle state of an instance, from its state in EC2.
pub(super) fn lifecycle(state: &str) -> &'static str {
    match state {
        "running" => "InService",
        "pending" => "Pending",
        _ => "Terminating",
    }
}

/// Launches or terminates instances until the group has its desired number.
pub(super) fn scale(world: &mut World, region: &str, name: &str) {
    let Some(one) = world.autoscaling.groups.get(&at(region, name)).cloned() else { return };
    let serving = one.instances.iter().filter(|(_, state)| lifecycle(state) != "Terminating");
    let serving: Vec<String> = serving.map(|(id, _)| id.clone()).collect();
    let wanted = if one.deleting { 0 } else { usize::try_from(one.desired).unwrap_or_default() };
    let (mut instances, mut failure) = (one.instances.clone(), None);
    for number in serving.len()..wanted {
        let subnet = &one.subnets[number % one.subnets.len()];
        match launch(world, region, &one, subnet) {
            Ok(id) => drop(instances.insert(id, "pending".to_owned())),
            Err(refusal) => {
                failure = Some(format!("{} Launching EC2 instance failed.", refusal.message));
            }
        }
    }
    for id in serving.iter().skip(wanted) {
        // An instance that somebody else terminated is gone all the same.
        let _gone = ec2(world, region, "TerminateInstances", json!({ "InstanceId": [id] }));
        instances.insert(id.clone(), "shutting-down".to_owned());
    }
    if let Ok(group) = by_name(world, region, name) {
        (group.instances, group.failure) = (instances, failure);
    }
}

fn launch(world: &mut World, region: &str, one: &Group, subnet: &str) -> Result<String, Refusal> {
    if let Some(reason) = fresh::cannot_launch(world) {
        return Err(invalid(reason));
    }
    let (id, version) = &one.template;
    let data = templates::data(world, region, id, version);
    let mut input = data.ok_or_else(|| invalid("The launch template does not exist."))?;
    let image = text(&input, "ImageId").unwrap_or_default().to_owned();
    if let Some(parameter) = image.strip_prefix("resolve:ssm:") {
        input["ImageId"] = json!(parameter_value(world, region, parameter)?);
    }
    input["SubnetId"] = json!(subnet);
    (input["MinCount"], input["MaxCount"]) = (json!("1"), json!("1"));
    may_use_keys(world, region, &input)?;
    let tags = one.tags.iter().filter(|(key, _)| one.at_launch.get(*key) == Some(&true));
    let tags: Vec<Value> = tags.map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    let answer = ec2(world, region, "RunInstances", input)?;
    let id = answer.pointer("/instancesSet/0/instanceId").and_then(Value::as_str);
    let id = id.unwrap_or_default().to_owned();
    if !tags.is_empty() {
        ec2(world, region, "CreateTags", json!({ "ResourceId": [id], "Tag": tags }))?;
    }
    Ok(id)
}

/// Auto Scaling can use a customer key only if the key's own policy allows it.
fn may_use_keys(world: &World, region: &str, data: &Value) -> Result<(), Refusal> {
    let via = format!("ec2.{region}.amazonaws.com");
    let keys =
        list(data, "BlockDeviceMapping").iter().filter_map(|one| text(&one["Ebs"], "KmsKeyId"));
    match keys.into_iter().find(|key| !kms::admits(&world.kms, region, key, &via)) {
        Some(_) => Err(Refusal::new(
            "Client.InternalError",
            "Client.InternalError: Client error on launch.",
        )),
        None => Ok(()),
    }
}

fn parameter_value(world: &mut World, region: &str, name: &str) -> Result<String, Refusal> {
    let call = Call {
        service: "ssm".to_owned(),
        operation: "GetParameter".to_owned(),
        input: json!({ "Name": name }),
        region: region.to_owned(),
    };
    let answer = ssm::call(world, &call)?;
    let value = answer.pointer("/Parameter/Value").and_then(Value::as_str);
    Ok(value.unwrap_or_default().to_owned())
}

/// Ages a group by one read: instances start and end, and missing ones are launched. A group under
/// deletion vanishes with its last instance.
pub(super) fn grow(world: &mut World, region: &str, name: &str) {
    let Ok(group) = by_name(world, region, name) else { return };
    let ids: Vec<String> = group.instances.keys().cloned().collect();
    let states = states_of(world, region, &ids);
    let Ok(group) = by_name(world, region, name) else { return };
    let gone = states.is_empty() && group.deleting;
    group.instances = states;
    group.launched.retain(|id, _| group.instances.contains_key(id));
    if gone {
        drop(world.autoscaling.groups.remove(&at(region, name)));
    } else {
        scale(world, region, name);
    }
}
