//! `[queues.NAME]`.

use crate::words::aws_services::Service;
use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::policies::Statement;
use super::text::{KeyRef, PhysicalName, TopicRef};

/// An SQS queue.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// The physical name. Default: built from `naming.pattern`.
    pub name: Option<PhysicalName>,
    /// The visibility timeout: how many seconds a received message stays hidden.
    #[schemars(range(min = 0, max = 43200))]
    pub visibility_timeout: Option<u32>,
    /// How many seconds SQS keeps a message.
    #[schemars(range(min = 60, max = 1_209_600))]
    pub retention: Option<u32>,
    /// The delay: how many seconds a new message stays hidden.
    #[schemars(range(min = 0, max = 900))]
    pub delay: Option<u32>,
    /// How many seconds a receive call waits for a message.
    #[schemars(range(min = 0, max = 20))]
    pub receive_wait: Option<u32>,
    /// Whether messages that cannot be processed go to a dead-letter queue, `NAME-dlq`.
    #[serde(default)]
    pub dead_letter: DeadLetter,
    /// The KMS key that encrypts it. Default: a key that SQS manages.
    pub key: Option<KeyRef>,
    /// Whether the account's aws/sqs key encrypts it. Other AWS services then cannot send to it.
    #[serde(default)]
    pub aws_key: bool,
    /// Whether it is a FIFO queue, which keeps the order of messages.
    #[serde(default)]
    pub fifo: bool,
    /// The topics whose messages it receives.
    #[serde(default)]
    pub topics: BTreeSet<TopicRef>,
    /// Whether messages of topics arrive without SNS's envelope.
    #[serde(default)]
    pub raw: bool,
    /// The AWS services that may send messages to it.
    #[serde(default)]
    pub senders: BTreeSet<Service>,
    /// Additional statements of the queue policy.
    #[serde(default)]
    pub statements: Vec<Statement>,
}

/// Whether a queue has a dead-letter queue.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum DeadLetter {
    /// Yes (after 5 receives), or no.
    Enabled(bool),
    /// Yes, with these settings.
    Settings(DeadLetterSettings),
}

impl Default for DeadLetter {
    fn default() -> Self {
        Self::Enabled(false)
    }
}

impl DeadLetter {
    /// The settings, if there is one.
    pub fn settings(&self) -> Option<DeadLetterSettings> {
        match self {
            Self::Enabled(false) => None,
            Self::Enabled(true) => {
                Some(DeadLetterSettings { max_receives: five(), retention: fortnight() })
            }
            Self::Settings(settings) => Some(*settings),
        }
    }
}

/// The settings of a dead-letter queue.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadLetterSettings {
    /// After how many receives a message moves there.
    #[serde(default = "five")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_receives: u32,
    /// How many seconds the dead-letter queue keeps a message.
    #[serde(default = "fortnight")]
    #[schemars(range(min = 60, max = 1_209_600))]
    pub retention: u32,
}

fn five() -> u32 {
    5
}

fn fortnight() -> u32 {
    1_209_600
}
