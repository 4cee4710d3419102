//! `[services.NAME]`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::log_groups::Retention;
use super::network::SubnetTier;
use super::text::{
    ClusterRef, ContainerFolder, ContainerVariable, GroupRef, KeyRef, PhysicalName, RoleRef,
    SecretField, TargetGroupRef, Template,
};
use super::{OneOrMany, yes};
use crate::words::services::{ContainerArchitecture, PropagateTags};

/// A service on Fargate: a number of tasks, each with one container.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContainerService {
    /// The physical name. Default: built from `naming.pattern`. The task definition has it too.
    pub name: Option<PhysicalName>,
    /// The cluster that it runs in.
    pub cluster: ClusterRef,
    /// The CPU units of a task. 1024 units are one vCPU.
    #[serde(default = "cpu")]
    pub cpu: u32,
    /// The memory of a task in MiB. The allowed values depend on `cpu`.
    #[serde(default = "memory")]
    pub memory: u32,
    /// The processor architecture of tasks. The image must support it.
    #[serde(default)]
    pub architecture: ContainerArchitecture,
    /// The disk space of a task in GiB.
    #[serde(default = "storage")]
    #[schemars(range(min = 20, max = 200))]
    pub storage: u32,
    /// The image, with its tag.
    pub image: Template,
    /// The name of the container. Default: the name of the service.
    pub container: Option<String>,
    /// The port that the container listens on.
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// Environment variables.
    #[serde(default)]
    pub environment: BTreeMap<ContainerVariable, Template>,
    /// Environment variables that a task reads from secrets when it starts: `"database:password"`
    /// is the field `password` of [secrets.database], and `"database"` is its whole value.
    #[serde(default)]
    pub secrets: BTreeMap<ContainerVariable, SecretField>,
    /// Replaces the image's entry point.
    #[serde(default)]
    pub entry_point: Vec<String>,
    /// Replaces the image's command.
    #[serde(default)]
    pub command: Vec<String>,
    /// The health check: a command that runs in the container.
    pub health: Option<ContainerHealth>,
    /// Whether the container's file system is read-only.
    #[serde(default)]
    pub read_only_root: bool,
    /// Writable folders in a read-only file system, `["/tmp"]`. Each is an empty volume that ends with the
    /// task. Root owns it, unless the image declares it as a volume of another owner.
    #[serde(default)]
    pub writable: BTreeSet<ContainerFolder>,
    /// The user that the container runs as, `"1000:1000"`. Default: the user of the image.
    #[schemars(length(min = 1))]
    pub user: Option<String>,
    /// How many seconds the container has to stop.
    #[serde(default = "thirty")]
    #[schemars(range(min = 2, max = 120))]
    pub stop_timeout: u32,
    /// The number of tasks; with `scaling`, only the initial number. Default: 2, within the bounds of
    /// `scaling`.
    #[schemars(range(min = 0, max = 5000))]
    pub desired: Option<u32>,
    /// Automatic scaling of the number of tasks. Default: no scaling.
    pub scaling: Option<Scaling>,
    /// The subnets that tasks run in.
    #[serde(default)]
    pub subnets: SubnetTier,
    /// The security groups of the tasks.
    pub security_groups: OneOrMany<GroupRef>,
    /// Whether tasks get public addresses. In public subnets, tasks need them to reach the internet.
    #[serde(default)]
    pub public_ip: bool,
    /// The target group that ECS registers tasks with, on `port`.
    pub target_group: Option<TargetGroupRef>,
    /// How many seconds a new task may be unhealthy for its target group. Default: 60.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub health_grace: Option<u32>,
    /// The deployment: how new tasks replace old ones.
    #[serde(default)]
    pub deployment: Rolling,
    /// The task role: the permissions of the container.
    pub role: Option<RoleRef>,
    /// The execution role, which starts tasks. Default: payctl creates one with exactly the permissions that
    /// the service needs: write its log, read its secrets, fetch its image.
    pub execution_role: Option<RoleRef>,
    /// Whether you can run commands in the container (`aws ecs execute-command`). Its `role` must
    /// allow the four actions of ssmmessages.
    #[serde(default)]
    pub execute_command: bool,
    /// The source of the tags of tasks.
    #[serde(default)]
    pub propagate_tags: PropagateTags,
    /// Whether ECS keeps tasks balanced across the zones.
    #[serde(default = "yes")]
    pub zone_rebalancing: bool,
    /// The platform version of Fargate, `"LATEST"` or a number such as `"1.4.0"`.
    #[serde(default = "latest")]
    #[schemars(length(min = 1))]
    pub platform_version: String,
    /// Whether an apply waits until all tasks run and no deployment is in progress. Default:
    /// false, because a deployment may take long, and an image that never becomes healthy would
    /// make every apply fail.
    #[serde(default)]
    pub wait_until_stable: bool,
    /// How many days CloudWatch keeps its log, or `"forever"`.
    #[serde(default)]
    pub log_retention_days: Retention,
    /// The KMS key that encrypts its log. Default: CloudWatch's own key.
    pub log_key: Option<KeyRef>,
    /// The prefix of its log streams. Default: the service's name in this config.
    #[schemars(length(min = 1, max = 256))]
    pub log_prefix: Option<String>,
}

fn cpu() -> u32 {
    256
}

fn memory() -> u32 {
    512
}

fn storage() -> u32 {
    20
}

fn thirty() -> u32 {
    30
}

fn latest() -> String {
    "LATEST".into()
}

impl ContainerService {
    /// The initial number of tasks.
    pub fn tasks(&self) -> u32 {
        let bounds = self.scaling.as_ref().map(|scaling| (scaling.min, scaling.max));
        let usual = bounds.map_or(2, |(min, max)| min.max(2).min(max));
        self.desired.unwrap_or(usual)
    }
}

/// A health check: a command that runs in the container.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContainerHealth {
    /// The shell command, `"curl -f http://localhost/ || exit 1"`.
    #[schemars(length(min = 1))]
    pub command: String,
    /// The seconds between two runs.
    #[serde(default = "thirty")]
    #[schemars(range(min = 5, max = 300))]
    pub interval: u32,
    /// The timeout of a run in seconds.
    #[serde(default = "five")]
    #[schemars(range(min = 2, max = 60))]
    pub timeout: u32,
    /// How many runs in a row must fail.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 10))]
    pub retries: u32,
    /// The seconds after the start in which failures do not count.
    #[serde(default)]
    #[schemars(range(min = 0, max = 300))]
    pub start_period: u32,
}

fn five() -> u32 {
    5
}

fn three() -> u32 {
    3
}

/// How new tasks replace old ones.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rolling {
    /// The least percentage of the desired tasks that must run during a deployment.
    #[serde(default = "hundred")]
    #[schemars(range(min = 0, max = 100))]
    pub minimum_percent: u32,
    /// The most tasks that may run during a deployment, in percent of the desired number.
    #[serde(default = "two_hundred")]
    #[schemars(range(min = 100, max = 200))]
    pub maximum_percent: u32,
    /// Whether ECS stops a deployment whose tasks do not start, instead of retrying it for ever.
    #[serde(default = "yes")]
    pub circuit_breaker: bool,
    /// Whether ECS then rolls back to the last deployment that worked. Default: as `circuit_breaker`.
    pub rollback: Option<bool>,
}

fn hundred() -> u32 {
    100
}

fn two_hundred() -> u32 {
    200
}

impl Default for Rolling {
    fn default() -> Self {
        Self {
            minimum_percent: hundred(),
            maximum_percent: two_hundred(),
            circuit_breaker: true,
            rollback: None,
        }
    }
}

/// Automatic scaling of the number of tasks.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// The fewest tasks.
    #[schemars(range(min = 0, max = 5000))]
    pub min: u32,
    /// The most tasks.
    #[schemars(range(min = 1, max = 5000))]
    pub max: u32,
    /// The average use of the CPU to keep, in percent.
    #[schemars(range(min = 1, max = 100))]
    pub cpu: Option<u32>,
    /// The average use of the memory to keep, in percent.
    #[schemars(range(min = 1, max = 100))]
    pub memory: Option<u32>,
    /// The seconds between adding tasks and adding more.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 0, max = 3600))]
    pub out_cooldown: u32,
    /// The seconds between removing tasks and removing more.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 0, max = 3600))]
    pub in_cooldown: u32,
}

fn five_minutes() -> u32 {
    300
}
