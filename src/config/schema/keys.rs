//! `[keys.NAME]`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::aws_services::Service;
use super::policies::Statement;
use super::text::PhysicalName;
use super::yes;

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
