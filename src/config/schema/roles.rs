//! `[roles.NAME]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::OneOrMany;
use super::policies::Statement;
use super::text::{GroupText, PhysicalName, ServicePrincipal, Template};

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
