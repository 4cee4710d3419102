//! `[keys.NAME]`, `[secrets.NAME]`, `[roles.NAME]` and policy statements.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::messaging::Service;
use super::text::{
    Action, FunctionRef, GroupText, KeyRef, PhysicalName, RotationSchedule, ServicePrincipal, Sid,
    Template,
};
use super::{OneOrMany, yes};

/// A customer key of KMS.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The alias without `alias/`, instead of one by the pattern.
    pub name: Option<PhysicalName>,
    /// What it is for.
    #[serde(default)]
    #[schemars(length(max = 8192))]
    pub description: String,
    /// Whether AWS rotates the key material.
    #[serde(default = "yes")]
    pub rotation: bool,
    /// How often, in days.
    #[schemars(range(min = 90, max = 2560))]
    pub rotation_days: Option<u32>,
    /// AWS services that may use it; unless stated, those that need it in this config.
    pub services: Option<BTreeSet<Service>>,
    /// How many days a deleted key can be brought back.
    #[serde(default = "thirty")]
    #[schemars(range(min = 7, max = 30))]
    pub recovery_days: u32,
    /// More statements of the key's policy.
    #[serde(default)]
    pub statements: Vec<Statement>,
}

fn thirty() -> u32 {
    30
}

/// A secret whose value is generated once, or brought by somebody, and never shown.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
    /// What it is for.
    #[schemars(length(max = 2048))]
    pub description: Option<String>,
    /// The key that encrypts it; the account's aws/secretsmanager key if unset.
    pub key: Option<KeyRef>,
    /// Fields of the value that are known beforehand, such as `username`.
    #[serde(default)]
    pub template: BTreeMap<String, String>,
    /// The field that receives the generated password.
    #[serde(default = "password")]
    #[schemars(length(min = 1, max = 128))]
    pub field: String,
    /// How long the password is.
    #[serde(default = "length")]
    #[schemars(range(min = 16, max = 4096))]
    pub length: u32,
    /// Whether the password has letters and digits only, which every database accepts.
    #[serde(default = "yes")]
    pub exclude_punctuation: bool,
    /// Whether a first value is generated. If not, somebody brings it with `payctl secret set`.
    #[serde(default = "yes")]
    pub generate: bool,
    /// How many days a deleted secret can be brought back (7 to 30); 0 deletes at once.
    #[serde(default = "thirty")]
    #[schemars(range(min = 0, max = 30))]
    pub recovery_days: u32,
    /// How its password is changed from time to time.
    pub rotation: Option<Rotation>,
}

/// How the password of a secret is changed from time to time: every so many days, or by a schedule.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// The function that changes it. It needs a way to the database and to Secrets Manager, and
    /// restarts the services that read the password.
    pub function: FunctionRef,
    /// Every so many days.
    #[schemars(range(min = 1, max = 1000))]
    pub days: Option<u32>,
    /// When, instead of `days`: `"rate(12 hours)"` or `"cron(0 4 1 * ? *)"`, in UTC.
    pub schedule: Option<RotationSchedule>,
    /// Within so many hours it has begun; until the end of the day if unset.
    #[schemars(range(min = 1, max = 24))]
    pub window_hours: Option<u32>,
}

fn password() -> String {
    "password".into()
}

fn length() -> u32 {
    32
}

/// An IAM role.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// The physical name, instead of one by the pattern with the region.
    pub name: Option<PhysicalName>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<GroupText>,
    /// The services that may assume it, `"lambda.amazonaws.com"`.
    #[serde(default)]
    pub services: OneOrMany<ServicePrincipal>,
    /// More statements of the trust policy.
    #[serde(default)]
    pub trust: Vec<Statement>,
    /// Managed policies: names of AWS's own (`"service-role/AWSLambdaVPCAccessExecutionRole"`), or
    /// ARNs.
    #[serde(default)]
    pub managed: Vec<Template>,
    /// What it may do.
    #[serde(default)]
    pub statements: Vec<Statement>,
    /// Whether EC2 instances can carry it.
    #[serde(default)]
    pub instance_profile: bool,
    /// How many seconds a session may last.
    #[schemars(range(min = 3600, max = 43200))]
    pub max_session: Option<u32>,
    /// The ARN of the permissions boundary.
    pub boundary: Option<Template>,
}

/// A policy statement.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Its id.
    pub sid: Option<Sid>,
    /// Whether it allows or denies.
    #[serde(default)]
    pub effect: Effect,
    /// The actions, `"dynamodb:GetItem"`.
    pub actions: OneOrMany<Action>,
    /// What it is about. In the policy of a resource: that resource, unless stated.
    #[serde(default)]
    pub resources: OneOrMany<Template>,
    /// Who it is about, by type (`AWS`, `Service`, `Federated`). Not in the policy of a role.
    #[serde(default)]
    pub principals: BTreeMap<PrincipalType, OneOrMany<Template>>,
    /// Conditions: operator, then key, then values.
    #[serde(default)]
    pub conditions: BTreeMap<String, BTreeMap<String, OneOrMany<Template>>>,
}

/// Whether a statement allows or denies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Allows.
    #[default]
    Allow,
    /// Denies.
    Deny,
}

/// A type of principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum PrincipalType {
    #[allow(missing_docs, clippy::upper_case_acronyms)]
    AWS,
    #[allow(missing_docs)]
    Service,
    #[allow(missing_docs)]
    Federated,
}

impl PrincipalType {
    /// The type as IAM names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AWS => "AWS",
            Self::Service => "Service",
            Self::Federated => "Federated",
        }
    }
}
