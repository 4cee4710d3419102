//! `[target_groups.NAME]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{HealthCodes, PhysicalName};

/// Where a load balancer sends requests.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetGroup {
    /// The physical name, instead of one by the pattern. A digest of what cannot be changed (port,
    /// protocol, type) is added, so that a successor can stand beside it; 32 characters in all.
    pub name: Option<PhysicalName>,
    /// What it speaks with the targets.
    #[serde(default)]
    pub protocol: TargetProtocol,
    /// The port of the targets.
    #[serde(default = "eighty")]
    #[schemars(range(min = 1))]
    pub port: u16,
    /// What the targets are. Fargate services need `ip`.
    #[serde(default)]
    pub targets: TargetType,
    /// How targets are checked.
    #[serde(default)]
    pub health: Health,
    /// How many seconds a target that leaves may finish its work.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 0, max = 3600))]
    pub deregistration_delay: u32,
    /// For how many seconds a client stays with its target, by a cookie. Not at all unless stated.
    #[schemars(range(min = 1, max = 604_800))]
    pub sticky_seconds: Option<u32>,
    /// Over how many seconds a new target gets its full share: 0 or 30 to 900.
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

/// What a target group speaks with its targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetProtocol {
    /// HTTP.
    #[default]
    Http,
    /// HTTP over TLS.
    Https,
    /// Any connection, behind a network load balancer.
    Tcp,
}

impl TargetProtocol {
    /// As AWS names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Https => "HTTPS",
            Self::Tcp => "TCP",
        }
    }
}

/// What the targets are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetType {
    /// Addresses, such as those of Fargate tasks.
    #[default]
    Ip,
    /// EC2 instances.
    Instance,
}

impl TargetType {
    /// As AWS names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Instance => "instance",
        }
    }
}

/// How targets are checked.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// What the check speaks; unless stated, as the group does.
    pub protocol: Option<TargetProtocol>,
    /// The port; unless stated, that of the target.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// What is asked for; unless stated `/`.
    #[schemars(length(min = 1, max = 1024))]
    pub path: Option<String>,
    /// The codes of a healthy answer, `"200"`, `"200,202"` or `"200-299"`; unless stated `"200"`.
    pub codes: Option<HealthCodes>,
    /// Seconds from check to check.
    #[serde(default = "thirty")]
    #[schemars(range(min = 5, max = 300))]
    pub interval: u32,
    /// Seconds until an answer counts as missing.
    #[serde(default = "five")]
    #[schemars(range(min = 2, max = 120))]
    pub timeout: u32,
    /// How many good answers make a target healthy.
    #[serde(default = "five")]
    #[schemars(range(min = 2, max = 10))]
    pub healthy: u32,
    /// How many missing answers make it unhealthy.
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
