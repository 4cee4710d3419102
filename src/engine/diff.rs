//! Provisional: the engine's version wins.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Its dotted path.
    pub path: String,
    /// The live value.
    pub before: Option<Value>,
    /// The wanted value.
    pub after: Option<Value>,
    /// Whether `after` holds references that are not known before apply.
    pub unknown: bool,
}
