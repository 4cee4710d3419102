//! What is typed: one struct for each section, the source of the JSON Schema and of the checks.
//!
//! The doc comments are the descriptions that editors show. What a value means beyond its form is
//! checked in `rules`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub mod access;
pub mod apis;
pub mod balancing;
pub mod containers;
pub mod data;
pub mod databases;
pub mod events;
pub mod firewalls;
pub mod fleets;
pub mod functions;
pub mod guards;
pub mod messaging;
pub mod network;
pub mod text;
pub mod watching;

use access::{Key, Role, Secret};
use data::{Bucket, LogGroup, Table};
use messaging::{Queue, Topic};
use network::{Network, SecurityGroup};
use text::{
    AccountId, InputName, ItemName, NamePattern, OutputName, ParameterName, ProjectName, Region,
    Stamp, TagKey, TagValue, Template,
};

/// One environment of payment infrastructure on AWS.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "payctl environment")]
pub struct Config {
    /// The file that this one builds on, in the same directory. Tables merge by key; an overlay
    /// says only what differs.
    pub extends: Option<String>,
    /// Makes this file a template: every environment whose name matches takes it.
    pub template: Option<TemplateRule>,
    /// The variables of the process that `${var.NAME}` may read, by name. No other is read.
    #[serde(default)]
    pub variables: BTreeMap<InputName, Variable>,
    /// The project. Part of every name.
    pub project: ProjectName,
    /// The AWS region.
    pub region: Region,
    /// The only AWS account that this environment may live in.
    pub account: Option<AccountId>,
    /// Refuses destroy and any loss of data. Kept as the tag `payctl:protect` on what holds data; to
    /// lift it, set `false` and apply: that apply takes the tag off, and the next one may delete.
    #[serde(default)]
    pub protect: bool,
    /// Says that its data may go: `--auto-approve` alone destroys it. Kept as the tag
    /// `payctl:disposable` on what holds data.
    #[serde(default)]
    pub disposable: bool,
    /// Whether GuardDuty watches the account. A detector that is there already is taken as it is.
    #[serde(default)]
    pub threat_detection: guards::ThreatDetection,
    /// The ARN of the policy that bounds what any role of the environment may do; a role's own
    /// `boundary` counts instead. Whoever applies may then be allowed to make roles with it only.
    pub permissions_boundary: Option<Template>,
    /// How resources are named.
    #[serde(default)]
    pub naming: Naming,
    /// Tags of every resource, kept up to date.
    #[serde(default)]
    pub tags: BTreeMap<TagKey, TagValue>,
    /// Tags given when a resource is made and never compared again. `${now}` is the time.
    #[serde(default)]
    pub tags_at_creation: BTreeMap<TagKey, Stamp>,
    /// The network. Without this section there is none.
    pub network: Option<Network>,
    /// Security groups by name.
    #[serde(default)]
    pub security_groups: BTreeMap<ItemName, SecurityGroup>,
    /// Customer KMS keys by name.
    #[serde(default)]
    pub keys: BTreeMap<ItemName, Key>,
    /// Secrets by name.
    #[serde(default)]
    pub secrets: BTreeMap<ItemName, Secret>,
    /// SSM parameters by full path.
    #[serde(default)]
    pub parameters: BTreeMap<ParameterName, Parameter>,
    /// DynamoDB tables by name.
    #[serde(default)]
    pub tables: BTreeMap<ItemName, Table>,
    /// S3 buckets by name.
    #[serde(default)]
    pub buckets: BTreeMap<ItemName, Bucket>,
    /// SNS topics by name.
    #[serde(default)]
    pub topics: BTreeMap<ItemName, Topic>,
    /// SQS queues by name.
    #[serde(default)]
    pub queues: BTreeMap<ItemName, Queue>,
    /// IAM roles by name.
    #[serde(default)]
    pub roles: BTreeMap<ItemName, Role>,
    /// CloudWatch log groups by name.
    #[serde(default)]
    pub log_groups: BTreeMap<ItemName, LogGroup>,
    /// Lambda functions by name.
    #[serde(default)]
    pub functions: BTreeMap<ItemName, functions::Function>,
    /// REST APIs by name.
    #[serde(default)]
    pub apis: BTreeMap<ItemName, apis::Api>,
    /// Ways of APIs into the network by name.
    #[serde(default)]
    pub vpc_links: BTreeMap<ItemName, apis::VpcLink>,
    /// Aurora PostgreSQL clusters by name.
    #[serde(default)]
    pub databases: BTreeMap<ItemName, databases::Database>,
    /// ECS clusters by name.
    #[serde(default)]
    pub clusters: BTreeMap<ItemName, containers::Cluster>,
    /// Fargate services by name.
    #[serde(default)]
    pub services: BTreeMap<ItemName, containers::ContainerService>,
    /// Load balancers by name.
    #[serde(default)]
    pub load_balancers: BTreeMap<ItemName, balancing::LoadBalancer>,
    /// Target groups by name.
    #[serde(default)]
    pub target_groups: BTreeMap<ItemName, balancing::TargetGroup>,
    /// Groups of EC2 instances that scale by name.
    #[serde(default)]
    pub fleets: BTreeMap<ItemName, fleets::Fleet>,
    /// Web ACLs by name.
    #[serde(default)]
    pub firewalls: BTreeMap<ItemName, firewalls::Firewall>,
    /// EventBridge rules by name.
    #[serde(default)]
    pub events: BTreeMap<ItemName, events::EventRule>,
    /// Monitors of unusual costs by name.
    #[serde(default)]
    pub cost_anomalies: BTreeMap<ItemName, guards::CostAnomaly>,
    /// Alarms by name.
    #[serde(default)]
    pub alarms: BTreeMap<ItemName, watching::Alarm>,
    /// Dashboards by name.
    #[serde(default)]
    pub dashboards: BTreeMap<ItemName, watching::Dashboard>,
    /// Metrics counted from logs by name.
    #[serde(default)]
    pub metric_filters: BTreeMap<ItemName, watching::MetricFilter>,
    /// What `payctl outputs` shows, by name.
    #[serde(default)]
    pub outputs: BTreeMap<OutputName, Template>,
}

/// Which environments take this file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateRule {
    /// A regular expression that the whole name of the environment must match.
    pub pattern: String,
    /// Names that match, for help texts.
    #[serde(default)]
    pub examples: Vec<String>,
}

/// A variable of the process that this config may read. Names of credentials are refused: `AWS_*` but
/// for the region, and what holds `TOKEN`, `SECRET`, `PASSWORD`, `PASSWD`, `CREDENTIAL` or `KEY`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// Its value where it is unset or empty. Without one it must be set.
    pub default: Option<String>,
    /// A regular expression that the whole value must match, and the default too.
    pub pattern: Option<String>,
    /// What it is for.
    pub description: Option<String>,
}

/// How resources are named.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Naming {
    /// The pattern of names. It must hold `{env}` and `{name}`.
    #[serde(default = "default_pattern")]
    pub pattern: NamePattern,
}

fn default_pattern() -> NamePattern {
    NamePattern("{env}-{project}-{type}-{name}".into())
}

impl Default for Naming {
    fn default() -> Self {
        Self { pattern: default_pattern() }
    }
}

/// An SSM parameter.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Parameter {
    /// A string.
    Text(Template),
    /// A list of strings.
    List(Vec<Template>),
    /// A value with a description.
    Described(DescribedParameter),
}

/// An SSM parameter with a description.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DescribedParameter {
    /// The value.
    pub value: ParameterValue,
    /// What it is for.
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
}

/// The value of an SSM parameter.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ParameterValue {
    /// A string.
    Text(Template),
    /// A list of strings.
    List(Vec<Template>),
}

/// One value, or a list of them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// Several.
    Many(Vec<T>),
}

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl<T> OneOrMany<T> {
    /// The values.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        match self {
            Self::One(value) => std::slice::from_ref(value).iter(),
            Self::Many(values) => values.iter(),
        }
    }
}

pub(crate) const fn yes() -> bool {
    true
}
