//! Secrets whose value payctl generates once and never shows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::text::Text;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Secret {
    /// The name.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The KMS key, by id, ARN or alias; the account's aws/secretsmanager key if unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Text>,
    /// How the first value is made. Never read back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<Generate>,
    /// How long a deleted secret can be brought back, in days; 0 deletes at once (kept in a tag).
    pub recovery_days: u32,
}

/// How a value is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Generate {
    /// Fields of the JSON value that are known beforehand.
    pub template: BTreeMap<String, String>,
    /// The field that receives the generated password.
    pub field: String,
    /// How long the password is.
    pub length: u32,
    /// Whether it has letters and digits only.
    pub exclude_punctuation: bool,
}
