//! `[outputs]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::Template;

/// A value that `payctl outputs` shows.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Output {
    /// The value.
    Text(Template),
    /// The value with a description.
    Described(DescribedOutput),
}

/// An output with a description.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DescribedOutput {
    /// The value.
    pub value: Template,
    /// A description. `payctl outputs` shows it beside the value.
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
}

impl Output {
    /// The value.
    pub fn value(&self) -> &Template {
        match self {
            Self::Text(value) => value,
            Self::Described(described) => &described.value,
        }
    }

    /// The description.
    pub fn description(&self) -> Option<&str> {
        match self {
            Self::Text(_) => None,
            Self::Described(described) => described.description.as_deref(),
        }
    }
}
