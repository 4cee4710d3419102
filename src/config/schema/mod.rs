//! What is typed: one struct for each section, the source of the JSON Schema and of the checks.
//!
//! The doc comments are the descriptions that editors show. What a value means beyond its form is
//! checked in `rules`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub mod alarms;
pub mod apis;
pub mod aws_services;
pub mod buckets;
pub mod clusters;
pub mod cost_anomalies;
pub mod dashboards;
pub mod databases;
pub mod events;
pub mod firewalls;
pub mod fleets;
pub mod functions;
pub mod keys;
pub mod load_balancers;
pub mod log_groups;
pub mod metric_filters;
pub mod metrics;
pub mod naming;
pub mod network;
pub mod parameters;
pub mod policies;
pub mod queues;
pub mod roles;
pub mod secrets;
pub mod security_groups;
pub mod services;
pub mod tables;
pub mod target_groups;
pub mod template;
pub mod text;
pub mod threat_detection;
pub mod topics;
pub mod variables;
pub mod vpc_links;

use naming::Naming;
use parameters::Parameter;
use template::TemplateRule;
use text::{
    AccountId, InputName, ItemName, OutputName, ParameterName, ProjectName, Region, Stamp, TagKey,
    TagValue, Template,
};
use variables::Variable;

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
    pub threat_detection: threat_detection::ThreatDetection,
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
    pub network: Option<network::Network>,
    /// Security groups by name.
    #[serde(default)]
    pub security_groups: BTreeMap<ItemName, security_groups::SecurityGroup>,
    /// Customer KMS keys by name.
    #[serde(default)]
    pub keys: BTreeMap<ItemName, keys::Key>,
    /// Secrets by name.
    #[serde(default)]
    pub secrets: BTreeMap<ItemName, secrets::Secret>,
    /// SSM parameters by full path.
    #[serde(default)]
    pub parameters: BTreeMap<ParameterName, Parameter>,
    /// DynamoDB tables by name.
    #[serde(default)]
    pub tables: BTreeMap<ItemName, tables::Table>,
    /// S3 buckets by name.
    #[serde(default)]
    pub buckets: BTreeMap<ItemName, buckets::Bucket>,
    /// SNS topics by name.
    #[serde(default)]
    pub topics: BTreeMap<ItemName, topics::Topic>,
    /// SQS queues by name.
    #[serde(default)]
    pub queues: BTreeMap<ItemName, queues::Queue>,
    /// IAM roles by name.
    #[serde(default)]
    pub roles: BTreeMap<ItemName, roles::Role>,
    /// CloudWatch log groups by name.
    #[serde(default)]
    pub log_groups: BTreeMap<ItemName, log_groups::LogGroup>,
    /// Lambda functions by name.
    #[serde(default)]
    pub functions: BTreeMap<ItemName, functions::Function>,
    /// REST APIs by name.
    #[serde(default)]
    pub apis: BTreeMap<ItemName, apis::Api>,
    /// Ways of APIs into the network by name.
    #[serde(default)]
    pub vpc_links: BTreeMap<ItemName, vpc_links::VpcLink>,
    /// Aurora PostgreSQL clusters by name.
    #[serde(default)]
    pub databases: BTreeMap<ItemName, databases::Database>,
    /// ECS clusters by name.
    #[serde(default)]
    pub clusters: BTreeMap<ItemName, clusters::Cluster>,
    /// Fargate services by name.
    #[serde(default)]
    pub services: BTreeMap<ItemName, services::ContainerService>,
    /// Load balancers by name.
    #[serde(default)]
    pub load_balancers: BTreeMap<ItemName, load_balancers::LoadBalancer>,
    /// Target groups by name.
    #[serde(default)]
    pub target_groups: BTreeMap<ItemName, target_groups::TargetGroup>,
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
    pub cost_anomalies: BTreeMap<ItemName, cost_anomalies::CostAnomaly>,
    /// Alarms by name.
    #[serde(default)]
    pub alarms: BTreeMap<ItemName, alarms::Alarm>,
    /// Dashboards by name.
    #[serde(default)]
    pub dashboards: BTreeMap<ItemName, dashboards::Dashboard>,
    /// Metrics counted from logs by name.
    #[serde(default)]
    pub metric_filters: BTreeMap<ItemName, metric_filters::MetricFilter>,
    /// What `payctl outputs` shows, by name.
    #[serde(default)]
    pub outputs: BTreeMap<OutputName, Template>,
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
