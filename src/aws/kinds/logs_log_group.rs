//! CloudWatch log groups with their retention.

use serde::{Deserialize, Serialize};

use crate::model::text::Text;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogGroup {
    /// The name.
    pub name: String,
    /// How long events are kept, in days; none is for ever.
    pub retention_days: Option<u32>,
    /// The ARN of the KMS key; none when not encrypted by one.
    pub key: Option<Text>,
}
