//! `[parameters]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::Template;

/// An SSM parameter.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Parameter {
    /// A string.
    Text(Template),
    /// A list of strings.
    List(Vec<Template>),
    /// A value with a description.
    Described(DescribedParameter),
}

/// An SSM parameter with a description.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DescribedParameter {
    /// The value.
    pub value: ParameterValue,
    /// A description.
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
}

/// The value of an SSM parameter.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ParameterValue {
    /// A string.
    Text(Template),
    /// A list of strings.
    List(Vec<Template>),
}
