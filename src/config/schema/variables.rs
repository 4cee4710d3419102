//! `[variables.NAME]`.

use schemars::JsonSchema;
use serde::Deserialize;

/// A variable of the process that this config may read. Names of credentials are refused: `AWS_*` but
/// for the region, and what holds `TOKEN`, `SECRET`, `PASSWORD`, `PASSWD`, `CREDENTIAL` or `KEY`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// Its value where it is unset or empty. Without one it must be set.
    pub default: Option<String>,
    /// A regular expression that the whole value must match, and the default too.
    pub pattern: Option<String>,
    /// What it is for.
    pub description: Option<String>,
}
