//! Policy statements: the permissions of a role, and the access to keys, topics, queues and buckets.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::OneOrMany;
use super::text::{Action, Sid, Template};

/// A policy statement.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The statement id (Sid).
    pub sid: Option<Sid>,
    /// Whether it allows or denies.
    #[serde(default)]
    pub effect: Effect,
    /// The actions, `"dynamodb:GetItem"`.
    pub actions: OneOrMany<Action>,
    /// The ARNs of the resources. Default in the policy of a resource: that resource.
    #[serde(default)]
    pub resources: OneOrMany<Template>,
    /// The principals, by type (`AWS`, `Service`, `Federated`). Not in the policy of a role.
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
    /// The value in IAM.
    pub fn name(self) -> &'static str {
        match self {
            Self::AWS => "AWS",
            Self::Service => "Service",
            Self::Federated => "Federated",
        }
    }
}
