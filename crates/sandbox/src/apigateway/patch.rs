//! JSON patches: paths whose steps are escaped, and values that are always texts.

use serde_json::Value;

use super::super::Refusal;
use super::super::toolbox::{list, text};
use super::bad;

/// One operation.
pub(super) struct Patch<'a> {
    /// `add`, `replace` or `remove`.
    pub op: &'a str,
    /// The steps of the path, without escapes.
    pub steps: Vec<String>,
    /// The value.
    pub value: Option<&'a str>,
}

/// The operations of a call.
pub(super) fn patches(input: &Value) -> Result<Vec<Patch<'_>>, Refusal> {
    let patches = list(input, "patchOperations").iter().map(|patch| {
        let op = text(patch, "op").unwrap_or_default();
        let path = text(patch, "path").unwrap_or_default();
        if !["add", "replace", "remove"].contains(&op) || !path.starts_with('/') {
            return Err(bad(format!("Invalid patch operation '{op}' for path '{path}'")));
        }
        let step = |step: &str| step.replace("~1", "/").replace("~0", "~");
        let steps = path[1..].split('/').map(step).collect();
        Ok(Patch { op, steps, value: text(patch, "value") })
    });
    patches.collect()
}

impl Patch<'_> {
    /// The steps, to be matched.
    pub(super) fn path(&self) -> Vec<&str> {
        self.steps.iter().map(String::as_str).collect()
    }

    /// The value as a text.
    pub(super) fn text(&self) -> &str {
        self.value.unwrap_or_default()
    }

    /// The value as true or false.
    pub(super) fn flag(&self) -> Result<bool, Refusal> {
        match self.text() {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(bad(format!("Invalid value '{other}': true or false"))),
        }
    }

    /// The value as a number.
    pub(super) fn number<T: std::str::FromStr>(&self) -> Result<T, Refusal> {
        let text = self.text();
        text.parse().map_err(|_| bad(format!("Invalid value '{text}': not a number")))
    }

    /// A path that cannot be patched.
    pub(super) fn refused(&self) -> Refusal {
        let path = self.steps.join("/");
        bad(format!("Invalid patch path '/{path}' specified for op '{}'", self.op))
    }
}
