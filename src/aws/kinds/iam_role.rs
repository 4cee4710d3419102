//! IAM roles, with inline policies and attached managed policies folded in.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::document::Document;
use crate::model::text::Text;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Role {
    /// The name, unique in the account.
    pub name: String,
    /// The path, `Scope::iam_path` for every role that payctl makes.
    pub path: String,
    /// What it is for.
    pub description: String,
    /// Who may assume it.
    pub trust: Document,
    /// Inline policies by name; any other is removed.
    pub inline: BTreeMap<String, Document>,
    /// ARNs of attached managed policies; any other is detached.
    pub managed: BTreeSet<Text>,
    /// How long a session may last, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_session: Option<u32>,
    /// The ARN of the permissions boundary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<Text>,
}
