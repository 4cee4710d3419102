//! `[template]`.

use schemars::JsonSchema;
use serde::Deserialize;

/// The environments that use this file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateRule {
    /// A regular expression that the whole name of the environment must match.
    pub pattern: String,
    /// Names that match, for help texts.
    #[serde(default)]
    pub examples: Vec<String>,
}
