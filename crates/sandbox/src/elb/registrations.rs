//! The targets of target groups and their health.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{list, need, number, text};
use super::super::{Answer, Refusal, World, ecs, lambda};
use super::targets::TargetGroup;
use super::{INVALID, invalid, missing};

/// A target of a group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Target {
    pub id: String,
    port: Option<i64>,
    since: f64,
}

const SERVICE: &str = "elasticloadbalancing.amazonaws.com";

impl Target {
    fn of(group: &TargetGroup, given: &Value, now: f64) -> Result<Self, Refusal> {
        let id = need(given, "Id", INVALID)?.to_owned();
        let port = number(given, "Port");
        if port.is_some_and(|port| !(1..=65535).contains(&port)) {
            return Err(invalid("A port must be between 1 and 65535"));
        }
        let fits = match group.kind.as_str() {
            "lambda" if port.is_some() => {
                return Err(invalid(
                    "Port cannot be specified for target groups with target type 'lambda'",
                ));
            }
            "lambda" => id.starts_with("arn:") && id.contains(":function:"),
            "instance" => id.starts_with("i-"),
            "alb" => id.contains(":loadbalancer/app/"),
            _ => id.parse::<Ipv4Addr>().is_ok(),
        };
        if !fits {
            let message = format!("The target '{id}' is not valid for type '{}'", group.kind);
            return Err(Refusal::new("InvalidTarget", message));
        }
        let port = port.or(group.port).filter(|_| group.kind != "lambda");
        Ok(Self { id, port, since: now })
    }

    /// Whether a request means this target.
    fn is(&self, given: &Value) -> bool {
        text(given, "Id") == Some(self.id.as_str())
            && number(given, "Port").is_none_or(|port| Some(port) == self.port)
    }
}

pub(super) fn register(world: &mut World, region: &str, input: &Value) -> Answer {
    let arn = need(input, "TargetGroupArn", INVALID)?;
    let now = world.base.now();
    let group = world.elb.targets.get(arn).ok_or_else(|| missing(arn))?;
    let mut all = group.members.clone();
    for given in list(input, "Targets") {
        let target = Target::of(group, given, now)?;
        if group.kind == "lambda" {
            if !lambda::may_be_called(&world.lambda, region, &target.id, SERVICE, arn) {
                let message = format!(
                    "elasticloadbalancing principal does not have permission to invoke {} from \
                     target group {arn}",
                    target.id
                );
                return Err(Refusal::new("AccessDenied", message).with_status(403));
            }
            if all.iter().any(|other| other.id != target.id) {
                let message = format!("The maximum number of targets on '{arn}' has been reached");
                return Err(Refusal::new("TooManyTargets", message));
            }
        }
        let is_new = |other: &Target| (&other.id, other.port) != (&target.id, target.port);
        if all.iter().all(is_new) {
            all.push(target);
        }
    }
    if let Some(group) = world.elb.targets.get_mut(arn) {
        group.members = all;
    }
    Ok(json!({}))
}

pub(super) fn deregister(world: &mut World, input: &Value) -> Answer {
    let arn = need(input, "TargetGroupArn", INVALID)?;
    let group = world.elb.targets.get_mut(arn).ok_or_else(|| missing(arn))?;
    for given in list(input, "Targets") {
        if !group.members.iter().any(|target| target.is(given)) {
            let id = text(given, "Id").unwrap_or_default();
            let message = format!("The following targets are not registered: '{id}'");
            return Err(Refusal::new("InvalidTarget", message));
        }
        group.members.retain(|target| !target.is(given));
    }
    Ok(json!({}))
}

/// A state of health with AWS's reason and words for it.
fn health(state: &str, reason: &str, words: &str) -> Value {
    json!({ "State": state, "Reason": reason, "Description": words })
}

/// The health of a target.
fn health_of(world: &World, arn: &str, group: &TargetGroup, target: &Target) -> Value {
    let forced = group.forced.get(&target.id).or_else(|| group.forced.get("*"));
    if let Some(state) = forced {
        return match state.as_str() {
            "healthy" => json!({ "State": "healthy" }),
            "unhealthy" => health(state, "Target.FailedHealthChecks", "Health checks failed"),
            "initial" => {
                let words = "Initial health checks in progress";
                health(state, "Elb.InitialHealthChecking", words)
            }
            "draining" => {
                let words = "Target deregistration is in progress";
                health(state, "Target.DeregistrationInProgress", words)
            }
            other => json!({ "State": other }),
        };
    }
    if world.elb.user_of(arn).is_none() {
        let words = "Target group is not configured to receive traffic from the load balancer";
        return health("unused", "Target.NotInUse", words);
    }
    if !group.is_checked() {
        let words = "Health checks are not enabled for this target";
        return health("unavailable", "Target.HealthCheckDisabled", words);
    }
    if world.base.strict && world.base.now() < target.since + group.proves_in() {
        let words = "Target registration is in progress";
        return health("initial", "Elb.RegistrationInProgress", words);
    }
    json!({ "State": "healthy" })
}

pub(super) fn describe(world: &World, region: &str, input: &Value) -> Answer {
    let arn = need(input, "TargetGroupArn", INVALID)?;
    let group = world.elb.targets.get(arn).ok_or_else(|| missing(arn))?;
    let tasks = ecs::addresses(world, region, arn);
    let tasks = tasks.into_iter().map(|(id, port, since)| Target { id, port: Some(port), since });
    let members = group.members.iter().cloned().chain(tasks).map(|target| {
        let place = (group.kind == "lambda").then_some("all");
        let health = health_of(world, arn, group, &target);
        let port = target.port.map(|port| port.to_string());
        let checked = group.health_port().filter(|port| *port != "traffic-port").map(str::to_owned);
        let shown = json!({
            "Target": { "Id": target.id, "Port": target.port, "AvailabilityZone": place },
            "HealthCheckPort": checked.or(port),
            "TargetHealth": health,
        });
        (target, shown)
    });
    let members: Vec<(Target, Value)> = members.collect();
    let asked = list(input, "Targets");
    if asked.is_empty() {
        let all: Vec<Value> = members.into_iter().map(|(_, shown)| shown).collect();
        return Ok(json!({ "TargetHealthDescriptions": all }));
    }
    // A target that is not registered is told of as unused.
    let shown = asked.iter().map(|given| {
        let found = members.iter().find(|(target, _)| target.is(given));
        found.map_or_else(
            || {
                let words = "Target is not registered to the target group";
                json!({
                    "Target": { "Id": given["Id"], "Port": number(given, "Port") },
                    "TargetHealth": health("unused", "Target.NotRegistered", words),
                })
            },
            |(_, shown)| shown.clone(),
        )
    });
    Ok(json!({ "TargetHealthDescriptions": shown.collect::<Vec<_>>() }))
}
