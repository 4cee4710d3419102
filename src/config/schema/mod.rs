//! The config as users write it: one struct for each section, the source of the JSON Schema and the checks.
//!
//! The doc comments are the descriptions that editors show. Rules about the meaning of a value are
//! in `rules`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub mod alarms;
pub mod apis;
pub mod buckets;
pub mod certificates;
pub mod checks;
pub mod clusters;
pub mod cost_anomalies;
pub mod dashboards;
pub mod databases;
pub mod events;
pub mod existing;
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
pub mod outputs;
pub mod parameters;
pub mod policies;
pub mod queues;
pub mod roles;
pub mod secrets;
pub mod security_groups;
pub mod services;
pub mod shifts;
pub mod tables;
pub mod target_groups;
pub mod template;
pub mod text;
pub mod threat_detection;
pub mod topics;
pub mod usage;
pub mod variables;
pub mod vpc_links;

use naming::Naming;
use outputs::Output;
use parameters::Parameter;
use template::TemplateRule;
use text::{
    AccountId, DomainName, InputName, ItemName, OutputName, ParameterName, ProjectName, Region,
    RoleArn, Stamp, TagKey, TagValue, Template, TimeSpan, ZoneId,
};
use variables::Variable;

/// One environment of payment infrastructure on AWS.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "payctl environment")]
pub struct Config {
    /// The file that this one extends, in the same directory. Tables merge by key; this file
    /// contains only the differences.
    pub extends: Option<String>,
    /// Makes this file a template: every environment whose name matches uses it.
    pub template: Option<TemplateRule>,
    /// The environment variables that `${var.NAME}` may read, by name. payctl does not read others.
    #[serde(default)]
    pub variables: BTreeMap<InputName, Variable>,
    /// The project. It is part of every name.
    pub project: ProjectName,
    /// The AWS region.
    pub region: Region,
    /// The public hosted zone of the account in which payctl writes records: `"example.com"`. Strings may
    /// contain it as `${zone}`. If it is set, the differences in `[with_zone]` apply.
    pub zone: Option<DomainName>,
    /// The ids of hosted zones by name, where several public zones of the account have one name:
    /// `{ "example.com" = "Z0123456789ABCDEFGHIJ" }`. It decides where payctl creates records; records that
    /// exist stay.
    #[serde(default)]
    pub zone_ids: BTreeMap<DomainName, ZoneId>,
    /// The id of the only AWS account that this environment may use. With it, `--region` cannot name
    /// another region than `region`.
    pub account: Option<AccountId>,
    /// The ARN of the role that payctl assumes for this environment, with the credentials that it finds.
    /// `--assume-role` replaces it.
    pub assume_role: Option<RoleArn>,
    /// Refuses destroy and any loss of data. Objects that hold data have the tag `payctl:protect`. To
    /// lift it, set `false` and apply: that apply removes the tag, and the next one may delete.
    #[serde(default)]
    pub protect: bool,
    /// Allows the loss of its data: `--auto-approve` is enough to destroy it. Objects that hold data
    /// have the tag `payctl:disposable`.
    #[serde(default)]
    pub disposable: bool,
    /// How long the environment lives after its last apply: `"72h"`. Its objects have the tag
    /// `payctl:expires`, and `payctl gc` destroys the environment once that time has passed. An apply
    /// moves the time on as soon as less than half of it is left. It needs `disposable = true`.
    pub ttl: Option<TimeSpan>,
    /// Whether GuardDuty monitors the account. payctl does not change a detector that exists already.
    #[serde(default)]
    pub threat_detection: threat_detection::ThreatDetection,
    /// The ARN of the permissions boundary of every role of the environment. A role's own
    /// `boundary` replaces it. You can then allow the deploying role to create only roles with this boundary.
    pub permissions_boundary: Option<Template>,
    /// The names of resources.
    #[serde(default)]
    pub naming: Naming,
    /// Tags of every resource. payctl keeps them up to date.
    #[serde(default)]
    pub tags: BTreeMap<TagKey, TagValue>,
    /// Tags that payctl sets when it creates a resource and does not compare later. `${now}` is the time.
    #[serde(default)]
    pub tags_at_creation: BTreeMap<TagKey, Stamp>,
    /// The network. Without this section the environment has no network.
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
    /// VPC links by name: connections from APIs into the network.
    #[serde(default)]
    pub vpc_links: BTreeMap<ItemName, vpc_links::VpcLink>,
    /// Aurora PostgreSQL clusters by name.
    #[serde(default)]
    pub databases: BTreeMap<ItemName, databases::Database>,
    /// ECS clusters by name.
    #[serde(default)]
    pub clusters: BTreeMap<ItemName, clusters::Cluster>,
    /// Certificates by name.
    #[serde(default)]
    pub certificates: BTreeMap<ItemName, certificates::Certificate>,
    /// Fargate services by name.
    #[serde(default)]
    pub services: BTreeMap<ItemName, services::ContainerService>,
    /// Load balancers by name.
    #[serde(default)]
    pub load_balancers: BTreeMap<ItemName, load_balancers::LoadBalancer>,
    /// Target groups by name.
    #[serde(default)]
    pub target_groups: BTreeMap<ItemName, target_groups::TargetGroup>,
    /// Auto Scaling groups of EC2 instances by name.
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
    /// Shifts of traffic by name: `payctl shift NAME` moves it step by step, watches it, and takes it
    /// back.
    #[serde(default)]
    pub shifts: BTreeMap<ItemName, shifts::Shift>,
    /// Dashboards by name.
    #[serde(default)]
    pub dashboards: BTreeMap<ItemName, dashboards::Dashboard>,
    /// Metric filters by name: metrics from logs.
    #[serde(default)]
    pub metric_filters: BTreeMap<ItemName, metric_filters::MetricFilter>,
    /// Checks of one's own by name: `payctl check` runs them beside those that it has for everything.
    #[serde(default)]
    pub checks: BTreeMap<ItemName, checks::Check>,
    /// What `payctl cost` assumes about a month.
    #[serde(default)]
    pub usage: usage::Usage,
    /// The most that the environment may cost.
    pub budget: Option<usage::Budget>,
    /// The values that `payctl outputs` shows, by name.
    #[serde(default)]
    pub outputs: BTreeMap<OutputName, Output>,
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
