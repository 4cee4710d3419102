//! SNS topics, with policy and encryption folded in.

use serde::{Deserialize, Serialize};

use crate::model::document::Document;
use crate::model::text::Text;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Topic {
    /// The name; ends in `.fifo` exactly for FIFO topics.
    pub name: String,
    /// The name that people see.
    pub display_name: String,
    /// The KMS key, by id, ARN or alias; none when not encrypted.
    pub key: Option<Text>,
    /// Who may publish and subscribe; AWS's default policy if unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Document>,
}
