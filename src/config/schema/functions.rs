//! `[functions.NAME]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::PhysicalName;

/// A Lambda function.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
}
