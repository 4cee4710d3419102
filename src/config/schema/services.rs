//! `[services.NAME]`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::load_balancers::Forward;
use super::log_groups::Retention;
use super::network::SubnetTier;
use super::text::{
    AlarmRef, CalleeRef, ClusterRef, ContainerFolder, ContainerVariable, GroupRef, KeyRef,
    PhysicalName, RoleRef, SecretField, TargetGroupRef, Template,
};
use super::{Config, OneOrMany, yes};
use crate::words::log_groups::LogClass;
use crate::words::services::{ContainerArchitecture, PropagateTags, Stage, Strategy};

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
    pub deployment: Deployment,
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
    /// The class of its log group. AWS never changes the class of a log group, and payctl does not replace one: set
    /// it before the first apply.
    #[serde(default)]
    pub log_class: LogClass,
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

impl Config {
    /// The rule whose weights ECS moves in the deployments of a service: its load balancer, the port of
    /// its listener, and its name.
    pub fn deployed_rule(&self, service: &ContainerService) -> Option<(&str, u16, &str)> {
        let alternate = service.deployment.alternate.as_ref();
        let alternate = alternate.filter(|_| service.deployment.moves_traffic())?;
        let sides = BTreeSet::from([service.target_group.as_deref()?, alternate.0.as_str()]);
        let listeners = self.load_balancers.iter().flat_map(|(balancer, config)| {
            config.listeners.iter().map(move |listener| (balancer.0.as_str(), listener))
        });
        let mut rules = listeners.flat_map(|(balancer, listener)| {
            listener.rules.iter().map(move |(name, rule)| (balancer, listener.port, name, rule))
        });
        let found = rules.find(|(.., rule)| {
            let forward = rule.forward.iter().flat_map(Forward::shares);
            forward.map(|(group, _)| group).collect::<BTreeSet<_>>() == sides
        });
        found.map(|(balancer, port, name, _)| (balancer, port, name.0.as_str()))
    }
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

/// How new tasks replace old ones. With the strategy `rolling` they do so within one target group. With the
/// others, ECS starts them in a second one (`alternate`), moves the traffic there with the weights of a
/// rule, and takes it back if an alarm fires.
///
/// ECS goes on if payctl is gone. docs/shifting.md says when to take its strategies, and when `payctl shift`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The strategy.
    #[serde(default)]
    pub strategy: Strategy,
    /// The target group that trades places with `target_group` in each deployment (not with `rolling`).
    /// A rule of a listener must forward to both; payctl then leaves its weights to ECS. Before you go back
    /// to `rolling`, make `target_group` the one that has the traffic.
    pub alternate: Option<TargetGroupRef>,
    /// How many minutes the old tasks stay after all traffic has moved (not with `rolling`). Default: 10.
    #[schemars(range(min = 0, max = 1440))]
    pub bake_minutes: Option<u32>,
    /// The percentage of the traffic that moves in each step (`linear`, at least 3) or first (`canary`).
    /// Default: 10 with `linear`, 5 with `canary`.
    #[schemars(range(min = 0.1, max = 100.0))]
    pub step_percent: Option<f64>,
    /// The minutes after a step (`linear`), or after the first one (`canary`). Default: 6 with `linear`, 10
    /// with `canary`.
    #[schemars(range(min = 0, max = 1440))]
    pub step_minutes: Option<u32>,
    /// The alarms that stop a deployment.
    #[serde(default)]
    pub alarms: BTreeSet<AlarmRef>,
    /// The functions that ECS calls in a deployment (not with `rolling`). Each says whether it goes on.
    #[serde(default)]
    pub hooks: Vec<Hook>,
    /// The role with which ECS changes the load balancer and calls `hooks` (not with `rolling`). Default:
    /// payctl creates one.
    pub role: Option<RoleRef>,
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
    /// Whether ECS rolls back to the last deployment that worked, when the circuit breaker or an alarm stops
    /// one. Default: true if there is one of the two.
    pub rollback: Option<bool>,
}

/// A function that ECS calls in a deployment.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// The function, or the alias `function:alias`.
    pub function: CalleeRef,
    /// The stages of the deployment at which ECS calls it.
    #[schemars(length(min = 1))]
    pub stages: BTreeSet<Stage>,
}

fn hundred() -> u32 {
    100
}

fn two_hundred() -> u32 {
    200
}

impl Default for Deployment {
    fn default() -> Self {
        Self {
            strategy: Strategy::Rolling,
            alternate: None,
            bake_minutes: None,
            step_percent: None,
            step_minutes: None,
            alarms: BTreeSet::new(),
            hooks: Vec::new(),
            role: None,
            minimum_percent: hundred(),
            maximum_percent: two_hundred(),
            circuit_breaker: true,
            rollback: None,
        }
    }
}

impl Deployment {
    /// Whether ECS moves traffic from one target group to another.
    pub fn moves_traffic(&self) -> bool {
        self.strategy != Strategy::Rolling
    }

    /// Whether ECS rolls back when something stops a deployment.
    pub fn rolls_back(&self) -> bool {
        self.rollback.unwrap_or(self.circuit_breaker || !self.alarms.is_empty())
    }

    /// The minutes that the old tasks stay after all traffic has moved.
    pub fn bake(&self) -> u32 {
        self.bake_minutes.unwrap_or(10)
    }

    /// The percentage of a step and the minutes after it, with a strategy of steps.
    pub fn step(&self) -> Option<(f64, u32)> {
        let (percent, minutes) = match self.strategy {
            Strategy::Linear => (10.0, 6),
            Strategy::Canary => (5.0, 10),
            Strategy::Rolling | Strategy::BlueGreen => return None,
        };
        Some((self.step_percent.unwrap_or(percent), self.step_minutes.unwrap_or(minutes)))
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
