//! `[target_groups.NAME]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{CalleeRef, HealthCodes, PhysicalName};
use crate::words::target_groups::{TargetProtocol, TargetType};

/// A target group: the targets that a load balancer sends requests to. With `function`, the target is
/// a function, and the keys of ports and connections do not apply.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetGroup {
    /// The physical name, at most 32 characters. Default: built from `naming.pattern`. payctl adds a digest
    /// of the settings that AWS cannot change (port, protocol, type, function), so that a replacement can
    /// coexist.
    pub name: Option<PhysicalName>,
    /// The function, or the alias `function:alias`, that handles the requests of an application load balancer. payctl registers it
    /// and allows the load balancer to call it.
    pub function: Option<CalleeRef>,
    /// Whether the function gets and returns headers and query parameters as lists of values (function
    /// only). Default: false.
    pub multi_value_headers: Option<bool>,
    /// The protocol between the load balancer and the targets.
    #[serde(default)]
    pub protocol: TargetProtocol,
    /// The port of the targets.
    #[serde(default = "eighty")]
    #[schemars(range(min = 1))]
    pub port: u16,
    /// The type of the targets. Fargate services need `ip`.
    #[serde(default)]
    pub targets: TargetType,
    /// The health check of the targets. A function has none unless you set this, since each check
    /// is a call that costs money.
    pub health: Option<Health>,
    /// The deregistration delay: how many seconds a removed target may finish its work.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 0, max = 3600))]
    pub deregistration_delay: u32,
    /// Stickiness: how many seconds a client stays with its target, by a cookie. Default: off.
    #[schemars(range(min = 1, max = 604_800))]
    pub sticky_seconds: Option<u32>,
    /// Slow start: the seconds until a new target gets its full share, 0 or 30 to 900.
    #[serde(default)]
    #[schemars(range(min = 0, max = 900))]
    pub slow_start: u32,
}

fn eighty() -> u16 {
    80
}

fn five_minutes() -> u32 {
    300
}

/// The health check of targets.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// The protocol of the check. Default: the protocol of the group.
    pub protocol: Option<TargetProtocol>,
    /// The port of the check. Default: the port of the target.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// The path of the check. Default: `/`.
    #[schemars(length(min = 1, max = 1024))]
    pub path: Option<String>,
    /// The status codes of a healthy answer, `"200"`, `"200,202"` or `"200-299"`. Default: `"200"`.
    pub codes: Option<HealthCodes>,
    /// The seconds between two checks. Default: 30, or 35 for a function.
    #[schemars(range(min = 5, max = 300))]
    pub interval: Option<u32>,
    /// The timeout of a check in seconds. Default: 5, or 30 for a function.
    #[schemars(range(min = 2, max = 120))]
    pub timeout: Option<u32>,
    /// How many checks in a row must succeed before a target is healthy.
    #[serde(default = "five")]
    #[schemars(range(min = 2, max = 10))]
    pub healthy: u32,
    /// How many checks in a row must fail before a target is unhealthy.
    #[serde(default = "two")]
    #[schemars(range(min = 2, max = 10))]
    pub unhealthy: u32,
}

fn five() -> u32 {
    5
}

fn two() -> u32 {
    2
}

impl Default for Health {
    fn default() -> Self {
        Self {
            protocol: None,
            port: None,
            path: None,
            codes: None,
            interval: None,
            timeout: None,
            healthy: five(),
            unhealthy: two(),
        }
    }
}

impl TargetGroup {
    /// AWS's word for the type of its targets.
    pub fn target_type(&self) -> &'static str {
        if self.function.is_some() { "lambda" } else { self.targets.aws() }
    }

    /// The health check of its targets, if they are checked.
    pub fn checks(&self) -> Option<Health> {
        match (&self.health, &self.function) {
            (None, Some(_)) => None,
            (health, _) => Some(health.clone().unwrap_or_default()),
        }
    }

    /// The seconds between two checks, and the timeout of a check.
    pub fn pace(&self, health: &Health) -> (u32, u32) {
        let (interval, timeout) = if self.function.is_some() { (35, 30) } else { (30, 5) };
        (health.interval.unwrap_or(interval), health.timeout.unwrap_or(timeout))
    }
}
