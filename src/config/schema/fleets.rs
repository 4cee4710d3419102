//! `[fleets.NAME]`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::network::SubnetTier;
use super::text::{
    GroupRef, ImageId, InstanceType, KeyRef, ParameterName, PhysicalName, RoleRef, TargetGroupRef,
};
use super::yes;

/// A group of EC2 instances that scales.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
    /// The instance type.
    pub instance_type: InstanceType,
    /// The image, `ami-...`. Unless stated, the newest Amazon Linux 2023 for the instance type, looked
    /// up at every launch.
    pub image: Option<ImageId>,
    /// The public SSM parameter that holds the id of the image, instead of an image.
    pub image_parameter: Option<ParameterName>,
    /// The fewest instances.
    #[schemars(range(min = 0, max = 10_000))]
    pub min: u32,
    /// The most instances.
    #[schemars(range(min = 0, max = 10_000))]
    pub max: u32,
    /// How many there are; with `scaling` how many there are at first. Unless stated, `min`.
    #[schemars(range(min = 0, max = 10_000))]
    pub desired: Option<u32>,
    /// The tier that the instances are in.
    #[serde(default = "private")]
    pub subnets: SubnetTier,
    /// Their security groups.
    pub security_groups: BTreeSet<GroupRef>,
    /// What scales the group. Nothing unless stated.
    #[serde(default)]
    pub scaling: Scaling,
    /// The role of the instances; it needs `instance_profile`. Unless stated, one is made that admits
    /// Session Manager and the CloudWatch agent.
    pub role: Option<RoleRef>,
    /// Whether the CloudWatch agent is installed at the first boot and publishes how much memory is
    /// used; `scaling.memory` needs it.
    #[serde(default = "yes")]
    pub agent: bool,
    /// A shell script for the first boot, after the agent; without its first line `#!`.
    pub user_data: Option<String>,
    /// The root volume.
    #[serde(default)]
    pub volume: Volume,
    /// Target groups (of instances) that they join.
    #[serde(default)]
    pub target_groups: BTreeSet<TargetGroupRef>,
    /// Who says that an instance is ill; unless stated `elb` with target groups and `ec2` without.
    pub health_check: Option<HealthCheck>,
    /// For how many seconds a new instance is not judged.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 0, max = 7200))]
    pub grace: u32,
    /// After how many seconds a new instance counts in the metrics that scale.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 0, max = 3600))]
    pub warmup: u32,
    /// Whether the group's own metrics are collected.
    #[serde(default = "yes")]
    pub metrics: bool,
    /// Whether a change of the instances replaces running ones, some at a time. Without it new ones
    /// alone have it.
    #[serde(default)]
    pub refresh: bool,
}

fn private() -> SubnetTier {
    SubnetTier::Private
}

fn five_minutes() -> u32 {
    300
}

/// What scales a group: averages over all its instances, in percent.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// The processor use to hold.
    #[schemars(range(min = 1, max = 100))]
    pub cpu: Option<f64>,
    /// The memory use to hold.
    #[schemars(range(min = 1, max = 100))]
    pub memory: Option<f64>,
    /// Whether instances are taken away too.
    pub scale_in: Option<bool>,
}

/// Who says that an instance is ill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthCheck {
    /// EC2 alone.
    Ec2,
    /// The target groups too.
    Elb,
}

impl HealthCheck {
    /// As AWS names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ec2 => "EC2",
            Self::Elb => "ELB",
        }
    }
}

/// The root volume: gp3, always encrypted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// The size in GiB.
    #[serde(default = "eight")]
    #[schemars(range(min = 1, max = 16_384))]
    pub size: u32,
    /// The device that the image boots from.
    #[serde(default = "root")]
    #[schemars(length(min = 5, max = 32))]
    pub device: String,
    /// The key that encrypts it; the account's aws/ebs key if unset.
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
    /// How many instances there are at first.
    pub fn first(&self) -> u32 {
        self.desired.unwrap_or(self.min)
    }

    /// Whether something scales it.
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
