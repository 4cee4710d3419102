//! `[variables.NAME]`.

use schemars::JsonSchema;
use serde::Deserialize;

/// An environment variable that this config may read. payctl refuses names of credentials: `AWS_*` except
/// the region, and names with `TOKEN`, `SECRET`, `PASSWORD`, `PASSWD`, `CREDENTIAL` or `KEY`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// The value if the variable is unset or empty. Without a default, the variable must be set.
    pub default: Option<String>,
    /// A regular expression that the whole value must match. The default must match it too.
    pub pattern: Option<String>,
    /// A description.
    pub description: Option<String>,
}
