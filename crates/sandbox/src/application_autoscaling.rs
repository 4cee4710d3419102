//! The sandbox's Application Auto Scaling (JSON protocol).
//!
//! Quirks kept: A registration creates or updates. It sets tags only the first time, and moves the
//! scaled number into the bounds at once. Policies are deleted with their target. A target outlives
//! its service.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shelf::{Shelf, kept};
use super::toolbox::{
    Tags, add_tags, at, digest, here, map, need, now, number, page, put, remove_tags, text, texts,
    uuid_of, within,
};
use super::{ACCOUNT, Answer, Call, Refusal, World, ecs, lambda};

/// The state of Application Auto Scaling.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Targets by region and `DIMENSION/RESOURCE`.
    targets: Shelf<Target>,
}

kept!(State { targets });

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Target {
    namespace: String,
    dimension: String,
    resource: String,
    min: i64,
    max: i64,
    created: f64,
    tags: Tags,
    policies: BTreeMap<String, Value>,
}

/// The dimension of aliases and versions of functions.
const CONCURRENCY: &str = "lambda:function:ProvisionedConcurrency";

/// The code of a bad value.
const INVALID: &str = "ValidationException";
/// The codes for a bad tag and for too many.
const TAGS: (&str, &str) = (INVALID, "TooManyTagsException");

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    vec![("targets", state.targets.len())]
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    let (input, region) = (&call.input, call.region.as_str());
    let state = &mut world.application_autoscaling;
    match call.operation.as_str() {
        "RegisterScalableTarget" => register(world, region, input),
        "DeregisterScalableTarget" => {
            find(state, region, input)?;
            state.targets.remove(&place(region, input)?);
            Ok(json!({}))
        }
        "DescribeScalableTargets" => describe_targets(state, region, input),
        "PutScalingPolicy" => put_policy(world, region, input),
        "DeleteScalingPolicy" => {
            let name = need(input, "PolicyName", INVALID)?;
            let gone = find(state, region, input)?.policies.remove(name);
            gone.map(|_| json!({})).ok_or_else(|| missing("No scaling policy found"))
        }
        "DescribeScalingPolicies" => describe_policies(state, region, input),
        "TagResource" => {
            add_tags(&mut by_arn(state, region, input)?.tags, map(input, "Tags"), TAGS)?;
            Ok(json!({}))
        }
        "UntagResource" => {
            remove_tags(&mut by_arn(state, region, input)?.tags, &texts(input, "TagKeys"));
            Ok(json!({}))
        }
        "ListTagsForResource" => Ok(json!({ "Tags": by_arn(state, region, input)?.tags })),
        _ => Err(Refusal::not_covered(&call.service, &call.operation)),
    }
}

fn missing(message: &str) -> Refusal {
    Refusal::new("ObjectNotFoundException", message)
}

fn place(region: &str, input: &Value) -> Result<String, Refusal> {
    let dimension = need(input, "ScalableDimension", INVALID)?;
    Ok(at(region, &format!("{dimension}/{}", need(input, "ResourceId", INVALID)?)))
}

fn find<'a>(state: &'a mut State, region: &str, input: &Value) -> Result<&'a mut Target, Refusal> {
    let target = state.targets.get_mut(&place(region, input)?);
    target.ok_or_else(|| missing("No scalable target found for the resource."))
}

fn arn(region: &str, target: &Target) -> String {
    let id = &digest(&format!("{}{}", target.dimension, target.resource))[..24];
    format!("arn:aws:application-autoscaling:{region}:{ACCOUNT}:scalable-target/{id}")
}

fn by_arn<'a>(
    state: &'a mut State,
    region: &str,
    input: &Value,
) -> Result<&'a mut Target, Refusal> {
    let wanted = need(input, "ResourceARN", INVALID)?;
    let prefix = at(region, "");
    let mut all = state.targets.iter_mut().filter(|(place, _)| place.starts_with(&prefix));
    let found = all.find(|(_, target)| arn(region, target) == wanted);
    found.map(|(_, target)| target.into_mut()).ok_or_else(|| {
        let message = format!("No resource found with ARN {wanted}.");
        Refusal::new("ResourceNotFoundException", message)
    })
}

fn register(world: &mut World, region: &str, input: &Value) -> Answer {
    let namespace = need(input, "ServiceNamespace", INVALID)?;
    let (place, resource) = (place(region, input)?, need(input, "ResourceId", INVALID)?);
    let dimension = need(input, "ScalableDimension", INVALID)?;
    match (namespace, dimension) {
        ("ecs", "ecs:service:DesiredCount") if ecs::has_service(&world.ecs, region, resource) => {}
        ("ecs", "ecs:service:DesiredCount") => {
            return Err(Refusal::new(INVALID, format!("ECS service doesn't exist: {resource}")));
        }
        ("lambda", CONCURRENCY) if lambda::can_be_provisioned(&world.lambda, region, resource) => {}
        ("lambda", CONCURRENCY) => {
            let message = format!("No Lambda function found for resource ID: {resource}");
            return Err(Refusal::new(INVALID, message));
        }
        _ => {
            let message = "Unsupported service namespace, resource type or scalable dimension";
            return Err(Refusal::new(INVALID, message));
        }
    }
    let old = world.application_autoscaling.targets.get(&place).cloned();
    let bound = |key, old: Option<i64>| {
        number(input, key).or(old).ok_or_else(|| {
            Refusal::new(INVALID, format!("{key} is required for a new scalable target."))
        })
    };
    let min = bound("MinCapacity", old.as_ref().map(|old| old.min))?;
    let max = bound("MaxCapacity", old.as_ref().map(|old| old.max))?;
    if min < 0 || min > max {
        let message = "MinCapacity must not be negative or above MaxCapacity.";
        return Err(Refusal::new(INVALID, message));
    }
    let (mut tags, created) = (Tags::new(), now(&world.base));
    add_tags(&mut tags, map(input, "Tags"), TAGS)?;
    let target = match old {
        Some(old) => Target { min, max, ..old },
        None => Target {
            namespace: namespace.to_owned(),
            dimension: dimension.to_owned(),
            resource: resource.to_owned(),
            min,
            max,
            created,
            tags,
            policies: BTreeMap::new(),
        },
    };
    let answer = json!({ "ScalableTargetARN": arn(region, &target) });
    world.application_autoscaling.targets.insert(place, target);
    match dimension {
        CONCURRENCY => lambda::keep_within(world, region, resource, min, max),
        _ => ecs::keep_within(world, region, resource, min, max),
    }
    Ok(answer)
}

/// The targets of a region that a describe call asks for, in order.
fn asked<'a>(
    state: &'a State,
    region: &'a str,
    input: &'a Value,
) -> Result<Vec<(&'a str, &'a Target)>, Refusal> {
    let namespace = need(input, "ServiceNamespace", INVALID)?;
    let mut resources = texts(input, "ResourceIds");
    resources.extend(text(input, "ResourceId").map(str::to_owned));
    let dimension = text(input, "ScalableDimension");
    let found = here(&state.targets, region).filter(|(_, target)| {
        target.namespace == namespace
            && (resources.is_empty() || resources.contains(&target.resource))
            && dimension.is_none_or(|dimension| target.dimension == dimension)
    });
    Ok(found.collect())
}

fn answer(name: &str, found: Vec<(String, Value)>, input: &Value) -> Answer {
    let limit = within(input, "MaxResults", 1..=50, INVALID)?.unwrap_or(50);
    let (found, next) = page(found, text(input, "NextToken"), limit as usize);
    let mut answer = json!({ name: found });
    put(&mut answer, "NextToken", next);
    Ok(answer)
}

fn describe_targets(state: &State, region: &str, input: &Value) -> Answer {
    let views = asked(state, region, input)?.into_iter().map(|(place, target)| {
        let (service, role) = match target.namespace.as_str() {
            "lambda" => ("lambda", "LambdaConcurrency"),
            _ => ("ecs", "ECSService"),
        };
        let role = format!(
            "aws-service-role/{service}.application-autoscaling.amazonaws.com/\
             AWSServiceRoleForApplicationAutoScaling_{role}"
        );
        let view = json!({
            "ServiceNamespace": target.namespace,
            "ResourceId": target.resource,
            "ScalableDimension": target.dimension,
            "MinCapacity": target.min,
            "MaxCapacity": target.max,
            "RoleARN": format!("arn:aws:iam::{ACCOUNT}:role/{role}"),
            "CreationTime": target.created,
            "SuspendedState": {
                "DynamicScalingInSuspended": false,
                "DynamicScalingOutSuspended": false,
                "ScheduledScalingSuspended": false,
            },
            "ScalableTargetARN": arn(region, target),
        });
        (place.to_owned(), view)
    });
    answer("ScalableTargets", views.collect(), input)
}

fn put_policy(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "PolicyName", INVALID)?;
    let metrics = match text(input, "ServiceNamespace") {
        Some("lambda") => "LambdaProvisionedConcurrency",
        _ => "ECSService",
    };
    let tracking = input.get("TargetTrackingScalingPolicyConfiguration");
    let usable = tracking.filter(|tracking| {
        let metric = &tracking["PredefinedMetricSpecification"]["PredefinedMetricType"];
        tracking["TargetValue"].as_f64().is_some_and(|value| value > 0.0)
            && metric.as_str().is_some_and(|metric| metric.starts_with(metrics))
    });
    let Some(tracking) =
        usable.filter(|_| text(input, "PolicyType") == Some("TargetTrackingScaling"))
    else {
        return Err(Refusal::new(INVALID, "The policy configuration is not valid."));
    };
    let created = now(&world.base);
    let target = find(&mut world.application_autoscaling, region, input)?;
    let seed = format!("{region}{}{}{name}", target.dimension, target.resource);
    let Target { namespace, resource, .. } = &*target;
    let path = format!("{}:resource/{namespace}/{resource}:policyName/{name}", uuid_of(&seed));
    let own = format!("arn:aws:autoscaling:{region}:{ACCOUNT}:scalingPolicy:{path}");
    let alarms = ["AlarmHigh", "AlarmLow"].map(|which| {
        let name = format!("TargetTracking-{}-{which}-{}", target.resource, uuid_of(&seed));
        json!({
            "AlarmName": name,
            "AlarmARN": format!("arn:aws:cloudwatch:{region}:{ACCOUNT}:alarm:{name}"),
        })
    });
    let policy = json!({
        "PolicyARN": own,
        "PolicyName": name,
        "ServiceNamespace": target.namespace,
        "ResourceId": target.resource,
        "ScalableDimension": target.dimension,
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": tracking,
        "Alarms": alarms,
        "CreationTime": created,
    });
    target.policies.insert(name.to_owned(), policy);
    Ok(json!({ "PolicyARN": own, "Alarms": alarms }))
}

fn describe_policies(state: &State, region: &str, input: &Value) -> Answer {
    let names = texts(input, "PolicyNames");
    let targets = asked(state, region, input)?.into_iter();
    let policies = targets.flat_map(|(place, target)| {
        target.policies.iter().map(move |(name, policy)| (name, format!("{place}/{name}"), policy))
    });
    let wanted = policies.filter(|(name, ..)| names.is_empty() || names.contains(name));
    let views = wanted.map(|(_, place, policy)| (place, policy.clone())).collect();
    answer("ScalingPolicies", views, input)
}
