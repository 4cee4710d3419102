//! `[target_groups.NAME]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{HealthCodes, PhysicalName};
use crate::words::target_groups::{TargetProtocol, TargetType};

/// A target group: the targets that a load balancer sends requests to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetGroup {
    /// The physical name, at most 32 characters. Default: built from `naming.pattern`. payctl adds a digest
    /// of the settings that AWS cannot change (port, protocol, type), so that a replacement can coexist.
    pub name: Option<PhysicalName>,
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
    /// The health check of the targets.
    #[serde(default)]
    pub health: Health,
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
    /// The seconds between two checks.
    #[serde(default = "thirty")]
    #[schemars(range(min = 5, max = 300))]
    pub interval: u32,
    /// The timeout of a check in seconds.
    #[serde(default = "five")]
    #[schemars(range(min = 2, max = 120))]
    pub timeout: u32,
    /// How many checks in a row must succeed before a target is healthy.
    #[serde(default = "five")]
    #[schemars(range(min = 2, max = 10))]
    pub healthy: u32,
    /// How many checks in a row must fail before a target is unhealthy.
    #[serde(default = "two")]
    #[schemars(range(min = 2, max = 10))]
    pub unhealthy: u32,
}

fn thirty() -> u32 {
    30
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
            interval: thirty(),
            timeout: five(),
            healthy: five(),
            unhealthy: two(),
        }
    }
}
