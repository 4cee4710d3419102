//! Instance refreshes.

use serde_json::{Value, json};

use super::super::toolbox::{need, uuid_of};
use super::super::{Answer, Refusal, World};
use super::instances::scale;
use super::{INVALID, ec2, find};

/// How long a strict sandbox takes for a refresh, and to cancel one, in seconds.
const REFRESH: f64 = 1800.0;
const CANCEL: f64 = 15.0;

/// Replaces all instances at once. The refresh counts as in progress for a while.
pub(super) fn start(world: &mut World, region: &str, input: &Value) -> Answer {
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

/// Cancels a refresh.
pub(super) fn cancel(world: &mut World, region: &str, input: &Value) -> Answer {
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
pub(super) fn describe(world: &mut World, region: &str, input: &Value) -> Answer {
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
