//! Reads a request: every leaf is a string, and lists are arrays.

use serde_json::Value;

use super::super::Refusal;
use super::super::toolbox::{many, text};
use super::{Cx, invalid};

/// The objects of a list. A list of one may be a single object.
pub(super) fn items<'v>(value: &'v Value, name: &str) -> Vec<&'v Value> {
    value.get(name).map(many).unwrap_or_default()
}

/// The strings of a list.
pub(super) fn list(value: &Value, name: &str) -> Vec<String> {
    items(value, name).into_iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

impl<'a> Cx<'a> {
    /// A leaf of the request.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        let call = self.call;
        text(&call.input, name)
    }

    /// A required leaf.
    pub(super) fn need(&self, name: &str) -> Result<&'a str, Refusal> {
        self.text(name).filter(|text| !text.is_empty()).ok_or_else(|| missing_parameter(name))
    }

    /// The strings of a list of the request.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        list(&self.call.input, name)
    }

    /// The objects of a list of the request.
    pub(super) fn items(&self, name: &str) -> Vec<&'a Value> {
        let call = self.call;
        items(&call.input, name)
    }

    /// Whether the request has this member.
    pub(super) fn has(&self, name: &str) -> bool {
        self.call.input.get(name).is_some_and(|member| !member.is_null())
    }

    /// The leaf in `Name.Value`.
    pub(super) fn wrapped(&self, name: &str) -> Result<&'a str, Refusal> {
        let call = self.call;
        let value = call.input.get(name).and_then(|member| text(member, "Value"));
        value.ok_or_else(|| missing_parameter(&format!("{name}.Value")))
    }

    /// The boolean in `Name.Value`.
    pub(super) fn wrapped_flag(&self, name: &str) -> Result<bool, Refusal> {
        flag(name, self.wrapped(name)?)
    }
}

/// A boolean as a query writes it.
pub(super) fn flag(name: &str, text: &str) -> Result<bool, Refusal> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(invalid(format!("Invalid value '{other}' for {name}. Must be true or false"))),
    }
}

/// The refusal of a request without a required parameter.
pub(super) fn missing_parameter(name: &str) -> Refusal {
    Refusal::new("MissingParameter", format!("The request must contain the parameter {name}"))
}
