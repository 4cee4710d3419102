//! `[roles.NAME]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::OneOrMany;
use super::existing::ExistingRole;
use super::policies::Statement;
use super::text::{GroupText, PhysicalName, ServicePrincipal, Template};

/// An IAM role.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// A role that payctl did not create: `{ name = "payments-runtime" }`. Beside it stands at most
    /// `instance_profile`. payctl neither changes nor deletes it.
    pub existing: Option<ExistingRole>,
    /// The physical name. Default: built from `naming.pattern`, with the region.
    pub name: Option<PhysicalName>,
    /// A description.
    #[serde(default)]
    pub description: Option<GroupText>,
    /// The services that may assume it, `"lambda.amazonaws.com"`.
    #[serde(default)]
    pub services: OneOrMany<ServicePrincipal>,
    /// Additional statements of the trust policy.
    #[serde(default)]
    pub trust: Vec<Statement>,
    /// Managed policies: names of AWS's own (`"service-role/AWSLambdaVPCAccessExecutionRole"`), or
    /// ARNs.
    #[serde(default)]
    pub managed: Vec<Template>,
    /// The statements of its inline policy.
    #[serde(default)]
    pub statements: Vec<Statement>,
    /// Whether it gets an instance profile, so that EC2 instances can use it.
    #[serde(default)]
    pub instance_profile: bool,
    /// The longest session in seconds.
    #[schemars(range(min = 3600, max = 43200))]
    pub max_session: Option<u32>,
    /// The ARN of the permissions boundary.
    pub boundary: Option<Template>,
}
