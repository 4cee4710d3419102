//! Policy statements: the permissions of a role, and the access to keys, topics, queues and buckets.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::OneOrMany;
use super::text::{Action, Sid, Template};
use crate::words::policies::{Effect, PrincipalType};

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
