//! JSON patches: their paths are escaped, and their values are always texts.

use serde_json::Value;

use super::super::Refusal;
use super::super::toolbox::{list, text};
use super::bad;

/// One operation.
pub(super) struct Patch<'a> {
    /// One of [`OPS`].
    pub op: &'a str,
    /// The path as it was sent.
    raw: &'a str,
    /// The steps of the path, without escapes.
    pub steps: Vec<String>,
    /// The value.
    pub value: Option<&'a str>,
    /// The source of a copy.
    pub from: Option<&'a str>,
}

/// The operations in the model. No member takes all of them.
pub(super) const OPS: [&str; 6] = ["add", "remove", "move", "test", "replace", "copy"];

/// The operations of a call.
pub(super) fn patches(input: &Value) -> Result<Vec<Patch<'_>>, Refusal> {
    let patches = list(input, "patchOperations").iter().map(|patch| {
        let raw = text(patch, "path").unwrap_or("null");
        let step = |step: &str| step.replace("~1", "/").replace("~0", "~");
        let steps =
            raw.strip_prefix('/').ok_or_else(|| bad(format!("Invalid patch path {raw}")))?;
        Ok(Patch {
            op: text(patch, "op").unwrap_or_default(),
            raw,
            steps: steps.split('/').map(step).collect(),
            value: text(patch, "value"),
            from: text(patch, "from"),
        })
    });
    patches.collect()
}

impl Patch<'_> {
    /// The steps of the path, for a match.
    pub(super) fn path(&self) -> Vec<&str> {
        self.steps.iter().map(String::as_str).collect()
    }

    /// The value as a text, or an empty one.
    pub(super) fn text(&self) -> &str {
        self.value.unwrap_or_default()
    }

    /// The value as a boolean: everything but `true` is false.
    pub(super) fn flag(&self) -> bool {
        self.text().eq_ignore_ascii_case("true")
    }

    /// The value as a number.
    pub(super) fn number<T: std::str::FromStr>(&self) -> Result<T, Refusal> {
        let text = self.text();
        text.parse().map_err(|_| bad(format!("Invalid value '{text}': not a number")))
    }

    /// The refusal of a path, with the paths that can be replaced.
    pub(super) fn refused(&self, paths: &[&str]) -> Refusal {
        let Self { op, raw, .. } = self;
        let hint = match *op {
            "replace" => format!("Must be one of: [{}]", paths.join(", ")),
            _ => "Please choose supported operations".to_owned(),
        };
        bad(format!("Invalid patch path  '{raw}' specified for op '{op}'. {hint}"))
    }

    /// The refusal of a path that an API or a method does not have.
    pub(super) fn unknown(&self) -> Refusal {
        bad(format!("Invalid patch path {}", self.raw))
    }

    /// Refuses an operation that a member of an API or a method does not take.
    pub(super) fn only(&self, op: &str) -> Result<(), Refusal> {
        if self.op == op {
            Ok(())
        } else {
            Err(bad(format!("Invalid patch operation specified. Must be one of: [{op}]")))
        }
    }
}
