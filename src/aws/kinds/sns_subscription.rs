//! Subscriptions of a topic.

use serde::{Deserialize, Serialize};

use crate::model::text::Text;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subscription {
    /// The ARN of the topic.
    pub topic: Text,
    /// `email`, `https`, `sqs`, `lambda` ...
    pub protocol: String,
    /// Where it delivers to: an address, a URL or an ARN.
    pub endpoint: Text,
    /// Whether the message is delivered without SNS's envelope.
    pub raw: bool,
    /// Which messages are delivered; all if none.
    pub filter: Option<serde_json::Value>,
}
