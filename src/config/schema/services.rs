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

/// A service on Fargate: so many tasks, each of one container.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContainerService {
    /// The physical name, instead of one by the pattern. The task definition has it too.
    pub name: Option<PhysicalName>,
    /// The cluster that it runs in.
    pub cluster: ClusterRef,
    /// CPU units of a task; 1024 are one vCPU.
    #[serde(default = "cpu")]
    pub cpu: u32,
    /// Memory of a task in MiB. Each `cpu` allows its own values.
    #[serde(default = "memory")]
    pub memory: u32,
    /// The processor that tasks run on; the image must be made for it.
    #[serde(default)]
    pub architecture: ContainerArchitecture,
    /// Disk space of a task in GiB.
    #[serde(default = "storage")]
    #[schemars(range(min = 20, max = 200))]
    pub storage: u32,
    /// The image, with its tag.
    pub image: Template,
    /// What the container is called; like the service unless stated.
    pub container: Option<String>,
    /// The port that the container listens on.
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// Environment variables.
    #[serde(default)]
    pub environment: BTreeMap<ContainerVariable, Template>,
    /// Environment variables that a task reads from secrets when it starts: `"database:password"`
    /// is the field `password` of [secrets.database], `"database"` its whole value.
    #[serde(default)]
    pub secrets: BTreeMap<ContainerVariable, SecretField>,
    /// Replaces the image's entry point.
    #[serde(default)]
    pub entry_point: Vec<String>,
    /// Replaces the image's command.
    #[serde(default)]
    pub command: Vec<String>,
    /// A command in the container that tells whether it is well.
    pub health: Option<ContainerHealth>,
    /// Whether the container's file system cannot be written.
    #[serde(default)]
    pub read_only_root: bool,
    /// Folders that can be written all the same, `["/tmp"]`: each is an empty volume, gone with the
    /// task. It belongs to root, unless the image declares it as a volume of another owner.
    #[serde(default)]
    pub writable: BTreeSet<ContainerFolder>,
    /// The user that the container runs as, `"1000:1000"`, unless the image says.
    #[schemars(length(min = 1))]
    pub user: Option<String>,
    /// How many seconds the container has to end.
    #[serde(default = "thirty")]
    #[schemars(range(min = 2, max = 120))]
    pub stop_timeout: u32,
    /// How many tasks run; with `scaling`, only at first. 2 unless stated, within the bounds of
    /// `scaling`.
    #[schemars(range(min = 0, max = 5000))]
    pub desired: Option<u32>,
    /// How the number of tasks follows the load. Without this it does not.
    pub scaling: Option<Scaling>,
    /// The subnets that tasks run in.
    #[serde(default)]
    pub subnets: SubnetTier,
    /// The security groups of the tasks.
    pub security_groups: OneOrMany<GroupRef>,
    /// Whether tasks get public addresses. In public subnets they reach nothing without.
    #[serde(default)]
    pub public_ip: bool,
    /// The target group that tasks are registered with, on `port`.
    pub target_group: Option<TargetGroupRef>,
    /// How many seconds a new task may be unhealthy for its target group; 60 unless stated.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub health_grace: Option<u32>,
    /// How new tasks replace old ones.
    #[serde(default)]
    pub deployment: Rolling,
    /// The role that the container works with.
    pub role: Option<RoleRef>,
    /// The role that starts tasks. Unless named, one is made that may do exactly what this service
    /// needs: write its log, read its secrets, fetch its image.
    pub execution_role: Option<RoleRef>,
    /// Whether commands can be run in the container (`aws ecs execute-command`). Its `role` must
    /// allow the four actions of ssmmessages.
    #[serde(default)]
    pub execute_command: bool,
    /// Whose tags tasks get.
    #[serde(default)]
    pub propagate_tags: PropagateTags,
    /// Whether ECS keeps tasks spread over the zones.
    #[serde(default = "yes")]
    pub zone_rebalancing: bool,
    /// The version of Fargate, `"LATEST"` or a number such as `"1.4.0"`.
    #[serde(default = "latest")]
    #[schemars(length(min = 1))]
    pub platform_version: String,
    /// Whether an apply waits until all tasks run and no deployment is under way. It does not
    /// unless stated: a deployment may take long, and an image that never becomes healthy would
    /// make every apply fail.
    #[serde(default)]
    pub wait_until_stable: bool,
    /// How many days its log is kept, or `"forever"`.
    #[serde(default)]
    pub log_retention_days: Retention,
    /// The key that encrypts its log; CloudWatch's own if unset.
    pub log_key: Option<KeyRef>,
    /// What the names of its log streams begin with; the service's name here unless stated.
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
    /// How many tasks run at first.
    pub fn tasks(&self) -> u32 {
        let bounds = self.scaling.as_ref().map(|scaling| (scaling.min, scaling.max));
        let usual = bounds.map_or(2, |(min, max)| min.max(2).min(max));
        self.desired.unwrap_or(usual)
    }
}

/// A processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContainerArchitecture {
    /// Intel and AMD.
    #[default]
    #[serde(rename = "x86_64")]
    X86,
    /// AWS Graviton: a fifth cheaper.
    Arm64,
}

/// A command that tells whether a container is well.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContainerHealth {
    /// What a shell in the container runs, `"curl -f http://localhost/ || exit 1"`.
    #[schemars(length(min = 1))]
    pub command: String,
    /// Seconds between two runs.
    #[serde(default = "thirty")]
    #[schemars(range(min = 5, max = 300))]
    pub interval: u32,
    /// Seconds until a run has failed.
    #[serde(default = "five")]
    #[schemars(range(min = 2, max = 60))]
    pub timeout: u32,
    /// How many runs must fail.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 10))]
    pub retries: u32,
    /// Seconds at the start in which failures do not count.
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
    /// How much of the desired number must run meanwhile, in percent.
    #[serde(default = "hundred")]
    #[schemars(range(min = 0, max = 100))]
    pub minimum_percent: u32,
    /// How much of it may run meanwhile, in percent.
    #[serde(default = "two_hundred")]
    #[schemars(range(min = 100, max = 200))]
    pub maximum_percent: u32,
    /// Whether a deployment whose tasks do not start is given up, instead of tried for ever.
    #[serde(default = "yes")]
    pub circuit_breaker: bool,
    /// Whether the service then goes back to what ran before; as `circuit_breaker` unless stated.
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

/// How the number of tasks follows the load.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// The least number of tasks.
    #[schemars(range(min = 0, max = 5000))]
    pub min: u32,
    /// The largest number of tasks.
    #[schemars(range(min = 1, max = 5000))]
    pub max: u32,
    /// The average use of the CPU to keep, in percent.
    #[schemars(range(min = 1, max = 100))]
    pub cpu: Option<u32>,
    /// The average use of the memory to keep, in percent.
    #[schemars(range(min = 1, max = 100))]
    pub memory: Option<u32>,
    /// Seconds after tasks were added before more are.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 0, max = 3600))]
    pub out_cooldown: u32,
    /// Seconds after tasks were taken away before more are.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 0, max = 3600))]
    pub in_cooldown: u32,
}

fn five_minutes() -> u32 {
    300
}

/// Whose tags tasks get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PropagateTags {
    /// The service's.
    #[default]
    Service,
    /// The task definition's.
    TaskDefinition,
    /// Nobody's.
    None,
}
