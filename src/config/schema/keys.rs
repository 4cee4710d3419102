//! `[keys.NAME]`.

use crate::words::aws_services::Service;
use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::existing::ExistingKey;
use super::policies::Statement;
use super::text::{EnvName, PhysicalName};
use super::yes;

/// A customer managed KMS key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Another environment of the project whose key of this name is used, as its only key: `"dev"`.
    /// payctl finds it by its ownership tags, and neither changes nor deletes it.
    pub from: Option<EnvName>,
    /// A key that payctl did not create, as its only key: `{ alias = "shared" }`. payctl neither changes
    /// nor deletes it.
    pub existing: Option<ExistingKey>,
    /// The alias without `alias/`. Default: built from `naming.pattern`.
    pub name: Option<PhysicalName>,
    /// A description.
    #[serde(default)]
    #[schemars(length(max = 8192))]
    pub description: String,
    /// Whether AWS rotates the key material.
    #[serde(default = "yes")]
    pub rotation: bool,
    /// The days between two rotations.
    #[schemars(range(min = 90, max = 2560))]
    pub rotation_days: Option<u32>,
    /// The AWS services that may use it. Default: the services that need it in this config.
    pub services: Option<BTreeSet<Service>>,
    /// How many days a deleted key can be restored.
    #[serde(default = "thirty")]
    #[schemars(range(min = 7, max = 30))]
    pub recovery_days: u32,
    /// Additional statements of the key policy.
    #[serde(default)]
    pub statements: Vec<Statement>,
}

impl Key {
    /// Whether payctl creates it.
    pub fn is_own(&self) -> bool {
        self.from.is_none() && self.existing.is_none()
    }
}

fn thirty() -> u32 {
    30
}
