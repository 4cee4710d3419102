//! Groups and their instances.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::ec2::{lent, templates};
use super::super::toolbox::{
    self, Tags, add_tags, at, flag, here, iso, list, need, number, page, text, texts, uuid_of,
};
use super::super::{ACCOUNT, Answer, Call, Refusal, World, fresh, kms};
use super::{INVALID, TAGS, by_name, ec2, find, invalid, states, tags};

/// A group.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Group {
    min: i64,
    max: i64,
    desired: i64,
    subnets: Vec<String>,
    /// Id and version, as asked for.
    template: (String, String),
    targets: Vec<String>,
    health_check: String,
    grace: i64,
    warmup: Option<i64>,
    pub metrics: bool,
    pub policies: BTreeMap<String, Value>,
    pub tags: Tags,
    /// Which tags instances get.
    pub at_launch: BTreeMap<String, bool>,
    /// The ids of its instances, and their states as last seen.
    instances: BTreeMap<String, String>,
    /// The template that each instance was launched from, if not from the present one.
    launched: BTreeMap<String, (String, String)>,
    deleting: bool,
    /// Why the last launch failed.
    failure: Option<String>,
    /// Until when instances are being replaced, if that ever was, and whether that was cancelled.
    refreshing: f64,
    cancelled: bool,
    made: f64,
}

/// What every group of AWS publishes, if asked to.
const METRICS: [&str; 8] = [
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupMaxSize",
    "GroupMinSize",
    "GroupPendingInstances",
    "GroupStandbyInstances",
    "GroupTerminatingInstances",
    "GroupTotalInstances",
];

fn lifecycle(state: &str) -> &'static str {
    match state {
        "running" => "InService",
        "pending" => "Pending",
        _ => "Terminating",
    }
}

fn render(world: &World, region: &str, name: &str, one: &Group) -> Value {
    let id = uuid_of(name);
    let spec = |(template, version): &(String, String)| {
        json!({
            "LaunchTemplateId": template,
            "LaunchTemplateName": templates::name(world, region, template),
            "Version": version,
        })
    };
    let instances = one.instances.iter().map(|(id, state)| {
        json!({
            "InstanceId": id,
            "LifecycleState": lifecycle(state),
            "HealthStatus": "Healthy",
            "LaunchTemplate": spec(one.launched.get(id).unwrap_or(&one.template)),
            "ProtectedFromScaleIn": false,
        })
    });
    let place = |subnet: &String| lent::place(world, region, subnet).map(|place| place.zone);
    let zones: Vec<String> = one.subnets.iter().filter_map(place).collect();
    let tags = one.tags.iter().map(|(key, value)| {
        json!({
            "ResourceId": name,
            "ResourceType": "auto-scaling-group",
            "Key": key,
            "Value": value,
            "PropagateAtLaunch": one.at_launch.get(key).copied().unwrap_or_default(),
        })
    });
    let metrics = METRICS.iter().filter(|_| one.metrics);
    let metrics = metrics.map(|metric| json!({ "Metric": metric, "Granularity": "1Minute" }));
    json!({
        "AutoScalingGroupName": name,
        "AutoScalingGroupARN": format!(
            "arn:aws:autoscaling:{region}:{ACCOUNT}:autoScalingGroup:{id}:\
             autoScalingGroupName/{name}"
        ),
        "MinSize": one.min,
        "MaxSize": one.max,
        "DesiredCapacity": one.desired,
        "DefaultCooldown": 300,
        "AvailabilityZones": zones,
        "VPCZoneIdentifier": one.subnets.join(","),
        "LaunchTemplate": spec(&one.template),
        "TargetGroupARNs": one.targets,
        "LoadBalancerNames": [],
        "HealthCheckType": one.health_check,
        "HealthCheckGracePeriod": one.grace,
        "DefaultInstanceWarmup": one.warmup,
        "Instances": instances.collect::<Vec<_>>(),
        "EnabledMetrics": metrics.collect::<Vec<_>>(),
        "SuspendedProcesses": [],
        "TerminationPolicies": ["Default"],
        "NewInstancesProtectedFromScaleIn": false,
        "AvailabilityZoneDistribution": { "CapacityDistributionStrategy": "balanced-best-effort" },
        "CapacityReservationSpecification": { "CapacityReservationPreference": "default" },
        "ServiceLinkedRoleARN": format!(
            "arn:aws:iam::{ACCOUNT}:role/aws-service-role/autoscaling.amazonaws.com/\
             AWSServiceRoleForAutoScaling"
        ),
        "CreatedTime": iso(one.made),
        "Status": one.deleting.then_some("Delete in progress"),
        "Tags": tags.collect::<Vec<_>>(),
    })
}

/// What a request says of a group, over what it was.
fn described(world: &World, region: &str, mut one: Group, input: &Value) -> Result<Group, Refusal> {
    let count = |key: &str, old: i64| number(input, key).unwrap_or(old);
    one.min = count("MinSize", one.min);
    one.max = count("MaxSize", one.max);
    if one.min > one.max {
        let message = format!(
            "Max bound, {}, must be greater than or equal to min bound, {}",
            one.max, one.min
        );
        return Err(invalid(message));
    }
    // Bounds move the number along; asking for one outside of them is refused.
    one.desired = match number(input, "DesiredCapacity") {
        Some(asked) if !(one.min..=one.max).contains(&asked) => {
            let message = format!(
                "Desired capacity:{asked} must be between the specified min size:{} and max size:{}",
                one.min, one.max
            );
            return Err(invalid(message));
        }
        Some(asked) => asked,
        None => one.desired.clamp(one.min, one.max),
    };
    one.grace = count("HealthCheckGracePeriod", one.grace);
    one.health_check = text(input, "HealthCheckType").map_or(one.health_check, str::to_owned);
    one.warmup = number(input, "DefaultInstanceWarmup").or(one.warmup).filter(|it| *it >= 0);
    if let Some(zones) = text(input, "VPCZoneIdentifier").filter(|it| !it.is_empty()) {
        one.subnets = zones.split(',').map(str::to_owned).collect();
    }
    if let Some(wrong) = one.subnets.iter().find(|it| lent::place(world, region, it).is_none()) {
        return Err(invalid(format!("The subnet ID '{wrong}' does not exist")));
    }
    if one.subnets.is_empty() {
        return Err(invalid("At least one Availability Zone or VPC Subnet is required."));
    }
    if let Some(template) = input.get("LaunchTemplate").filter(|it| it.is_object()) {
        let id = need(template, "LaunchTemplateId", INVALID)?.to_owned();
        let version = text(template, "Version").unwrap_or("$Default").to_owned();
        if templates::data(world, region, &id, &version).is_none() {
            return Err(invalid(format!(
                "You must use a valid fully-formed launch template. The version {version} of \
                 {id} does not exist"
            )));
        }
        let old = std::mem::replace(&mut one.template, (id, version));
        for instance in one.instances.keys() {
            one.launched.entry(instance.clone()).or_insert_with(|| old.clone());
        }
    }
    if one.template.0.is_empty() {
        Err(invalid("Valid requests must contain a launch template"))
    } else {
        Ok(one)
    }
}

fn known_targets(world: &World, arns: &[String]) -> Result<(), Refusal> {
    match arns.iter().find(|arn| super::super::elb::target_group(world, arn).is_none()) {
        None => Ok(()),
        Some(arn) => Err(invalid(format!("Target group {arn} not found"))),
    }
}

pub(super) fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "AutoScalingGroupName", INVALID)?;
    if name.contains(':') || name.len() > 255 {
        return Err(invalid("Group name must have 1 to 255 characters, and no colon"));
    }
    if world.autoscaling.groups.contains_key(&at(region, name)) {
        let message = format!(
            "AutoScalingGroup by this name already exists - A group with the name {name} already exists"
        );
        return Err(Refusal::new("AlreadyExists", message));
    }
    for key in ["MinSize", "MaxSize"] {
        number(input, key).ok_or_else(|| invalid(format!("{key} is required")))?;
    }
    let targets = texts(input, "TargetGroupARNs");
    known_targets(world, &targets)?;
    let (new, at_launch) = tags(list(input, "Tags"))?;
    let mut tags = Tags::new();
    add_tags(&mut tags, new, TAGS)?;
    let bare = Group {
        targets,
        tags,
        at_launch,
        health_check: "EC2".into(),
        made: world.base.now().floor(),
        ..Group::default()
    };
    let one = described(world, region, bare, input)?;
    world.autoscaling.groups.insert(at(region, name), one);
    scale(world, region, name);
    Ok(Value::Null)
}

pub(super) fn update(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "AutoScalingGroupName", INVALID)?;
    let old = by_name(world, region, name)?.clone();
    if old.deleting {
        let message = format!("You cannot update group {name}: it is being deleted");
        return Err(Refusal::new("ScalingActivityInProgress", message));
    }
    let one = described(world, region, old, input)?;
    world.autoscaling.groups.insert(at(region, name), one);
    scale(world, region, name);
    Ok(Value::Null)
}

/// Launches and terminates until there are as many instances as there should be.
fn scale(world: &mut World, region: &str, name: &str) {
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
        // One that somebody else terminated is gone all the same.
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

/// Nobody but the key's own policy admits Auto Scaling to a customer key.
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
    let answer = super::super::ssm::call(world, &call)?;
    let value = answer.pointer("/Parameter/Value").and_then(Value::as_str);
    Ok(value.unwrap_or_default().to_owned())
}

pub(super) fn describe(world: &mut World, region: &str, input: &Value) -> Answer {
    let names = texts(input, "AutoScalingGroupNames");
    let all: Vec<String> = here(&world.autoscaling.groups, region)
        .map(|(name, _)| name.to_owned())
        .filter(|name| names.is_empty() || names.contains(name))
        .collect();
    let mut shown = Vec::new();
    for name in all {
        let one = &world.autoscaling.groups[&at(region, &name)];
        shown.push((name.clone(), render(world, region, &name, one)));
        grow(world, region, &name);
    }
    let size = number(input, "MaxRecords").and_then(|size| size.try_into().ok()).unwrap_or(50);
    let (groups, next) = page(shown, text(input, "NextToken"), size);
    let mut answer = json!({ "AutoScalingGroups": groups });
    toolbox::put(&mut answer, "NextToken", next);
    Ok(answer)
}

/// Lets a group grow older by one read: instances start and end, those that are missing are
/// launched, and a group that is being deleted vanishes with its last one.
fn grow(world: &mut World, region: &str, name: &str) {
    let Ok(group) = by_name(world, region, name) else { return };
    let ids: Vec<String> = group.instances.keys().cloned().collect();
    let states = states(world, region, &ids);
    let Ok(group) = by_name(world, region, name) else { return };
    let gone = states.is_empty() && group.deleting;
    group.instances = states;
    group.launched.retain(|id, _| group.instances.contains_key(id));
    if gone {
        drop(world.autoscaling.groups.remove(&at(region, name)))
    } else {
        scale(world, region, name)
    }
}

pub(super) fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "AutoScalingGroupName", INVALID)?;
    let group = by_name(world, region, name)?;
    if !group.instances.is_empty() && flag(input, "ForceDelete") != Some(true) {
        let message = "You cannot delete an AutoScalingGroup while there are instances or pending Spot \
             instance request(s) still in the group.";
        return Err(Refusal::new("ResourceInUse", message));
    }
    group.deleting = true;
    let is_empty = group.instances.is_empty();
    scale(world, region, name);
    if is_empty {
        world.autoscaling.groups.remove(&at(region, name));
    }
    Ok(Value::Null)
}

pub(super) fn activities(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "AutoScalingGroupName", INVALID)?;
    let group = find(world, region, input)?;
    let failed = group.failure.iter().map(|reason| {
        json!({
            "ActivityId": uuid_of(reason),
            "AutoScalingGroupName": name,
            "Cause": "An instance was launched because the capacity was too small.",
            "StartTime": iso(group.made),
            "StatusCode": "Failed",
            "StatusMessage": reason,
        })
    });
    Ok(json!({ "Activities": failed.collect::<Vec<_>>() }))
}

/// How long a strict sandbox takes for a refresh, and to cancel one; in seconds.
const REFRESH: f64 = 1800.0;
const CANCEL: f64 = 15.0;

/// Replaces all instances, at once; that counts as under way for a while.
pub(super) fn refresh(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "AutoScalingGroupName", INVALID)?;
    let now = world.base.now();
    let lasts = if world.base.strict { REFRESH } else { 0.0 };
    let group = find(world, region, input)?;
    if now < group.refreshing {
        let message = "An Instance Refresh is already in progress and blocks the execution of this \
                       Instance Refresh.";
        return Err(Refusal::new("InstanceRefreshInProgress", message));
    }
    (group.refreshing, group.cancelled) = (now + lasts, false);
    let ids: Vec<String> = group.instances.keys().cloned().collect();
    for id in &ids {
        let _gone = ec2(world, region, "TerminateInstances", json!({ "InstanceId": [id] }));
        if let Some(state) = find(world, region, input)?.instances.get_mut(id) {
            *state = "shutting-down".to_owned();
        }
    }
    scale(world, region, name);
    Ok(json!({ "InstanceRefreshId": uuid_of(&format!("{name}{ids:?}")) }))
}

/// Ends a refresh before its time.
pub(super) fn cancel_refresh(world: &mut World, region: &str, input: &Value) -> Answer {
    let now = world.base.now();
    let group = find(world, region, input)?;
    if now >= group.refreshing {
        let message = "No in progress or pending Instance Refresh found for the group.";
        return Err(Refusal::new("ActiveInstanceRefreshNotFound", message));
    }
    (group.refreshing, group.cancelled) = (group.refreshing.min(now + CANCEL), true);
    Ok(json!({ "InstanceRefreshId": uuid_of("refresh") }))
}

/// The last refresh, if there was one.
pub(super) fn refreshes(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "AutoScalingGroupName", INVALID)?;
    let now = world.base.now();
    let group = find(world, region, input)?;
    let status = match (now < group.refreshing, group.cancelled) {
        (true, false) => "InProgress",
        (true, true) => "Cancelling",
        (false, true) => "Cancelled",
        (false, false) => "Successful",
    };
    let last = json!({
        "InstanceRefreshId": uuid_of("refresh"), "AutoScalingGroupName": name, "Status": status,
    });
    let known = Some(last).filter(|_| group.refreshing > 0.0);
    Ok(json!({ "InstanceRefreshes": known.into_iter().collect::<Vec<_>>() }))
}

pub(super) fn targets(world: &mut World, region: &str, input: &Value, attach: bool) -> Answer {
    let arns = texts(input, "TargetGroupARNs");
    if attach {
        known_targets(world, &arns)?;
    }
    let group = find(world, region, input)?;
    group.targets.retain(|arn| !arns.contains(arn));
    if attach {
        group.targets.extend(arns);
    }
    Ok(json!({}))
}
