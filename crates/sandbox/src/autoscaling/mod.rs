//! The sandbox's EC2 Auto Scaling.
//!
//! Its instances are instances of the sandbox's EC2, with interfaces that block subnets and groups.
//! Quirks kept: A group with instances can only be deleted by force, and stays listed as "Delete in
//! progress" until they are terminated. A failed launch does not fail a call; the activities list
//! it. The customer key of a volume must allow Auto Scaling. One refresh runs at a time; a strict
//! sandbox takes half an hour for it. The sandbox has no metrics, so no group scales on its own.

mod groups;
mod instances;
mod policies;
mod refreshes;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shelf::{Shelf, kept};
use super::toolbox::{Tags, add_tags, at, flag, list, need, text};
use super::{Answer, Call, Refusal, World};

/// The state of Auto Scaling, by region and name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    groups: Shelf<groups::Group>,
}

kept!(State { groups });

const INVALID: &str = "ValidationError";
/// The codes for a bad tag and for too many.
const TAGS: (&str, &str) = (INVALID, "LimitExceeded");

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    vec![("groups", state.groups.len())]
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    let (input, region) = (&call.input, call.region.as_str());
    match call.operation.as_str() {
        "CreateAutoScalingGroup" => groups::create(world, region, input),
        "DescribeAutoScalingGroups" => groups::describe(world, region, input),
        "UpdateAutoScalingGroup" => groups::update(world, region, input),
        "DeleteAutoScalingGroup" => groups::delete(world, region, input),
        "DescribeScalingActivities" => groups::activities(world, region, input),
        "StartInstanceRefresh" => refreshes::start(world, region, input),
        "CancelInstanceRefresh" => refreshes::cancel(world, region, input),
        "DescribeInstanceRefreshes" => refreshes::describe(world, region, input),
        "AttachLoadBalancerTargetGroups" | "DetachLoadBalancerTargetGroups" => {
            groups::targets(world, region, input, call.operation.starts_with("Attach"))
        }
        "EnableMetricsCollection" | "DisableMetricsCollection" => {
            find(world, region, input)?.metrics = call.operation.starts_with("Enable");
            Ok(Value::Null)
        }
        "PutScalingPolicy" => policies::put(world, region, input),
        "DescribePolicies" => policies::describe(world, region, input),
        "DeletePolicy" => policies::delete(world, region, input),
        "CreateOrUpdateTags" => {
            for tag in list(input, "Tags") {
                let group = need(tag, "ResourceId", INVALID)?.to_owned();
                let group = tagged(world, region, &group)?;
                let (tags, at_launch) = tags(std::slice::from_ref(tag))?;
                add_tags(&mut group.tags, tags, TAGS)?;
                group.at_launch.extend(at_launch);
            }
            Ok(Value::Null)
        }
        "DeleteTags" => {
            for tag in list(input, "Tags") {
                let key = need(tag, "Key", INVALID)?;
                let group = tagged(world, region, need(tag, "ResourceId", INVALID)?)?;
                group.tags.remove(key);
                group.at_launch.remove(key);
            }
            Ok(Value::Null)
        }
        _ => Err(Refusal::not_covered(&call.service, &call.operation)),
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(INVALID, message)
}

/// The tags of a request, and whether instances get each of them.
fn tags(list: &[Value]) -> Result<(Tags, BTreeMap<String, bool>), Refusal> {
    let (mut tags, mut at_launch) = (Tags::new(), BTreeMap::new());
    for tag in list {
        let key = need(tag, "Key", INVALID)?;
        tags.insert(key.to_owned(), text(tag, "Value").unwrap_or_default().to_owned());
        at_launch.insert(key.to_owned(), flag(tag, "PropagateAtLaunch").unwrap_or_default());
    }
    Ok((tags, at_launch))
}

fn by_name<'w>(
    world: &'w mut World,
    region: &str,
    name: &str,
) -> Result<&'w mut groups::Group, Refusal> {
    let group = world.autoscaling.groups.get_mut(&at(region, name));
    group.ok_or_else(|| invalid(format!("AutoScalingGroup name not found - no such group: {name}")))
}

fn find<'w>(
    world: &'w mut World,
    region: &str,
    input: &Value,
) -> Result<&'w mut groups::Group, Refusal> {
    by_name(world, region, need(input, "AutoScalingGroupName", INVALID)?)
}

/// The group of a tag. AWS has other words here for a missing group.
fn tagged<'w>(
    world: &'w mut World,
    region: &str,
    name: &str,
) -> Result<&'w mut groups::Group, Refusal> {
    let message = format!("AutoScalingGroup not found - AutoScaling Group {name} not found");
    by_name(world, region, name).map_err(|_| invalid(message))
}

/// Calls the sandbox's own EC2.
fn ec2(world: &mut World, region: &str, operation: &str, input: Value) -> Answer {
    let (service, operation) = ("ec2".to_owned(), operation.to_owned());
    super::ec2::call(world, &Call { service, operation, input, region: region.to_owned() })
}

/// The ids and states of instances. Each look ages the instances by a read.
fn states_of(world: &mut World, region: &str, ids: &[String]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for id in ids {
        let Ok(answer) = ec2(world, region, "DescribeInstances", json!({ "InstanceId": [id] }))
        else {
            continue;
        };
        let state = answer.pointer("/reservationSet/0/instancesSet/0/instanceState/name");
        let state = state.and_then(Value::as_str).unwrap_or_default();
        if state != "terminated" {
            found.insert(id.clone(), state.to_owned());
        }
    }
    found
}
