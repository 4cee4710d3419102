//! Groups.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::ec2::{lent, templates};
use super::super::toolbox::{
    self, Tags, add_tags, at, flag, here, iso, list, need, number, page, text, texts, uuid_of,
};
use super::super::{ACCOUNT, Answer, Refusal, World};
use super::instances::{grow, lifecycle, scale};
use super::{INVALID, TAGS, by_name, find, invalid, tags};

/// A group.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Group {
    pub min: i64,
    pub max: i64,
    pub desired: i64,
    pub subnets: Vec<String>,
    /// The id and the version of the launch template, as the call named them.
    pub template: (String, String),
    pub targets: Vec<String>,
    pub health_check: String,
    pub grace: i64,
    pub warmup: Option<i64>,
    pub metrics: bool,
    pub policies: BTreeMap<String, Value>,
    pub tags: Tags,
    /// Whether instances get each tag at launch.
    pub at_launch: BTreeMap<String, bool>,
    /// The ids of the instances, and their states at the last look.
    pub instances: BTreeMap<String, String>,
    /// The template that each instance was launched from, if it differs from the present one.
    pub launched: BTreeMap<String, (String, String)>,
    pub deleting: bool,
    /// Why the last launch failed.
    pub failure: Option<String>,
    /// Until when a refresh replaces instances, if there was one, and whether a call cancelled it.
    pub refreshing: f64,
    pub cancelled: bool,
    pub made: f64,
}

/// The metrics that each group can publish.
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

/// The group that a request describes; members that it leaves out come from `one`.
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
    // New bounds move the desired number. A call that asks for a number outside of them is refused.
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
