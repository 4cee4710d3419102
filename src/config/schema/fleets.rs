//! `[fleets.NAME]`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::network::SubnetTier;
use super::text::{
    GroupRef, ImageId, InstanceType, KeyRef, ParameterName, PhysicalName, RoleRef, TargetGroupRef,
};
use super::yes;
use crate::words::fleets::HealthCheck;

/// An Auto Scaling group of EC2 instances.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// The physical name. Default: built from `naming.pattern`.
    pub name: Option<PhysicalName>,
    /// The instance type.
    pub instance_type: InstanceType,
    /// The image, `ami-...`. Default: the newest Amazon Linux 2023 for the instance type, looked
    /// up at every launch.
    pub image: Option<ImageId>,
    /// The public SSM parameter that holds the id of the image. It replaces `image`.
    pub image_parameter: Option<ParameterName>,
    /// The fewest instances.
    #[schemars(range(min = 0, max = 10_000))]
    pub min: u32,
    /// The most instances.
    #[schemars(range(min = 0, max = 10_000))]
    pub max: u32,
    /// The number of instances; with `scaling`, only the initial number. Default: `min`.
    #[schemars(range(min = 0, max = 10_000))]
    pub desired: Option<u32>,
    /// The tier of subnets that the instances run in.
    #[serde(default = "private")]
    pub subnets: SubnetTier,
    /// Their security groups.
    pub security_groups: BTreeSet<GroupRef>,
    /// The scaling of the group. Default: no scaling.
    #[serde(default)]
    pub scaling: Scaling,
    /// The role of the instances; it needs `instance_profile`. Default: payctl creates one for
    /// Session Manager and the CloudWatch agent.
    pub role: Option<RoleRef>,
    /// Whether the first boot installs the CloudWatch agent, which publishes the memory in use.
    /// `scaling.memory` needs it.
    #[serde(default = "yes")]
    pub agent: bool,
    /// A shell script for the first boot, after the agent. Leave out its first line `#!`.
    pub user_data: Option<String>,
    /// The root volume.
    #[serde(default)]
    pub volume: Volume,
    /// The target groups (of instances) that the instances join.
    #[serde(default)]
    pub target_groups: BTreeSet<TargetGroupRef>,
    /// The health check of instances. Default: `elb` with target groups, `ec2` without.
    pub health_check: Option<HealthCheck>,
    /// How many seconds a new instance may be unhealthy.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 0, max = 7200))]
    pub grace: u32,
    /// After how many seconds a new instance counts in the metrics for scaling.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 0, max = 3600))]
    pub warmup: u32,
    /// Whether CloudWatch collects the metrics of the group.
    #[serde(default = "yes")]
    pub metrics: bool,
    /// Whether a change of the instances replaces running ones, some at a time. Without it, a change
    /// affects only new instances.
    #[serde(default)]
    pub refresh: bool,
}

fn private() -> SubnetTier {
    SubnetTier::Private
}

fn five_minutes() -> u32 {
    300
}

/// The targets of scaling: averages over all instances, in percent.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// The average CPU use to keep.
    #[schemars(range(min = 1, max = 100))]
    pub cpu: Option<f64>,
    /// The average memory use to keep.
    #[schemars(range(min = 1, max = 100))]
    pub memory: Option<f64>,
    /// Whether scaling also removes instances.
    pub scale_in: Option<bool>,
}

/// The root volume: gp3, always encrypted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// The size in GiB.
    #[serde(default = "eight")]
    #[schemars(range(min = 1, max = 16_384))]
    pub size: u32,
    /// The root device of the image.
    #[serde(default = "root")]
    #[schemars(length(min = 5, max = 32))]
    pub device: String,
    /// The KMS key that encrypts it. Default: the account's aws/ebs key.
    pub key: Option<KeyRef>,
}

fn eight() -> u32 {
    8
}

fn root() -> String {
    "/dev/xvda".into()
}

impl Default for Volume {
    fn default() -> Self {
        Self { size: eight(), device: root(), key: None }
    }
}

impl Fleet {
    /// The initial number of instances.
    pub fn first(&self) -> u32 {
        self.desired.unwrap_or(self.min)
    }

    /// Whether the group scales.
    pub fn scales(&self) -> bool {
        self.scaling.cpu.is_some() || self.scaling.memory.is_some()
    }

    /// Whether the instance type has an arm64 processor.
    pub fn is_arm(&self) -> bool {
        let family = self.instance_type.split('.').next().unwrap_or_default();
        let rest = family.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        // `t4g`, `c7gn`: the letter after the generation. `g5` itself is a graphics family.
        rest.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with('g') || family == "a1"
    }
}
