//! Target tracking policies.

use serde_json::{Value, json};

use super::super::toolbox::{self, flag, here, list, need, page, text, uuid_of};
use super::super::{ACCOUNT, Answer, World};
use super::{INVALID, by_name, find, invalid};

pub(super) fn put(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "PolicyName", INVALID)?;
    let kind = text(input, "PolicyType").unwrap_or("SimpleScaling");
    let config = input.get("TargetTrackingConfiguration").filter(|it| it.is_object());
    let (Some(config), "TargetTrackingScaling") = (config, kind) else {
        return Err(invalid("The sandbox knows policies that track a target, no others"));
    };
    let target: Option<f64> = text(config, "TargetValue").and_then(|text| text.parse().ok());
    let target = target.filter(|target| *target > 0.0);
    let target = target.ok_or_else(|| invalid("TargetValue must be greater than 0"))?;
    let mut kept = json!({
        "TargetValue": target,
        "DisableScaleIn": flag(config, "DisableScaleIn").unwrap_or_default(),
    });
    let custom = config.get("CustomizedMetricSpecification").filter(|it| it.is_object());
    match (config.get("PredefinedMetricSpecification"), custom) {
        (Some(metric), None) => kept["PredefinedMetricSpecification"] = metric.clone(),
        (None, Some(metric)) => {
            let mut metric = metric.clone();
            metric["Dimensions"] = json!(list(&metric, "Dimensions"));
            kept["CustomizedMetricSpecification"] = metric;
        }
        _ => return Err(invalid("A policy tracks one metric, predefined or customized")),
    }
    let group = need(input, "AutoScalingGroupName", INVALID)?;
    let missing = |_| invalid(format!("Group {group} not found"));
    let found = by_name(world, region, group).map_err(missing)?;
    found.policies.insert(name.to_owned(), kept);
    let arn = policy_arn(region, group, name);
    Ok(json!({ "PolicyARN": arn, "Alarms": [] }))
}

fn policy_arn(region: &str, group: &str, name: &str) -> String {
    let id = uuid_of(&format!("{group}/{name}"));
    format!(
        "arn:aws:autoscaling:{region}:{ACCOUNT}:scalingPolicy:{id}:autoScalingGroupName/{group}:\
         policyName/{name}"
    )
}

pub(super) fn describe(world: &World, region: &str, input: &Value) -> Answer {
    let wanted = text(input, "AutoScalingGroupName");
    let groups = here(&world.autoscaling.groups, region);
    let groups = groups.filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name));
    let all = groups.flat_map(|(group, one)| {
        one.policies.iter().map(move |(name, config)| {
            let shown = json!({
                "AutoScalingGroupName": group,
                "PolicyName": name,
                "PolicyARN": policy_arn(region, group, name),
                "PolicyType": "TargetTrackingScaling",
                "StepAdjustments": [],
                "Alarms": [],
                "TargetTrackingConfiguration": config,
                "Enabled": true,
            });
            (format!("{group}/{name}"), shown)
        })
    });
    let (policies, next) = page(all.collect(), text(input, "NextToken"), 50);
    let mut answer = json!({ "ScalingPolicies": policies });
    toolbox::put(&mut answer, "NextToken", next);
    Ok(answer)
}

pub(super) fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "PolicyName", INVALID)?;
    match find(world, region, input)?.policies.remove(name) {
        Some(_) => Ok(Value::Null),
        None => Err(invalid(format!("PolicyName not found - no such policy: {name}"))),
    }
}
