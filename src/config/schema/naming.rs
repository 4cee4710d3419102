//! `[naming]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::NamePattern;

/// The names of resources.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Naming {
    /// The pattern of names. It must hold `{env}` and `{name}`.
    #[serde(default = "default_pattern")]
    pub pattern: NamePattern,
}

fn default_pattern() -> NamePattern {
    NamePattern("{env}-{project}-{type}-{name}".into())
}

impl Default for Naming {
    fn default() -> Self {
        Self { pattern: default_pattern() }
    }
}
