//! `[topics.NAME]` and `[queues.NAME]`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::OneOrMany;
use super::access::Statement;
use super::text::{Email, KeyRef, PhysicalName, Template, TopicRef};

/// An AWS service that sends messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// CloudWatch alarms.
    Cloudwatch,
    /// EventBridge rules.
    Events,
    /// S3 notifications.
    S3,
    /// AWS Budgets.
    Budgets,
    /// SNS topics.
    Sns,
    /// CloudWatch Logs.
    Logs,
    /// Secrets Manager.
    Secretsmanager,
    /// Cost anomaly detection.
    Costalerts,
    /// EC2 for the volumes of instances.
    Ec2,
}

impl Service {
    /// The service principal; Logs has one in each region.
    pub fn principal(self, region: &str) -> String {
        match self {
            Self::Logs => format!("logs.{region}.amazonaws.com"),
            other => format!("{}.amazonaws.com", other.word()),
        }
    }

    /// The service as the config names it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cloudwatch => "cloudwatch",
            Self::Events => "events",
            Self::S3 => "s3",
            Self::Budgets => "budgets",
            Self::Sns => "sns",
            Self::Logs => "logs",
            Self::Secretsmanager => "secretsmanager",
            Self::Costalerts => "costalerts",
            Self::Ec2 => "ec2",
        }
    }
}

/// An SNS topic.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
    /// The name that people see in messages.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub display_name: String,
    /// The key that encrypts it. The services in `publishers` may use it.
    pub key: Option<KeyRef>,
    /// Whether messages keep their order.
    #[serde(default)]
    pub fifo: bool,
    /// AWS services that may publish.
    #[serde(default)]
    pub publishers: BTreeSet<Service>,
    /// E-mail addresses that get every message, once their owners have confirmed.
    #[serde(default)]
    pub email: OneOrMany<Email>,
    /// Other subscriptions. Queues subscribe by their own `topics`.
    #[serde(default)]
    pub subscriptions: Vec<Subscription>,
    /// More statements of the topic's policy.
    #[serde(default)]
    pub statements: Vec<Statement>,
}

/// A subscription of a topic.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// How messages are delivered.
    pub protocol: Delivery,
    /// Where they go: an address, a URL or an ARN.
    pub endpoint: Template,
    /// Whether the message is delivered without SNS's envelope.
    #[serde(default)]
    pub raw: bool,
    /// Which messages are delivered, by attribute: `{ kind = ["refund"] }`.
    pub filter: Option<BTreeMap<String, Vec<String>>>,
}

/// How messages are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// By e-mail.
    Email,
    /// By e-mail, as JSON.
    EmailJson,
    /// To a URL.
    Https,
    /// To a queue of another account.
    Sqs,
    /// To a function.
    Lambda,
    /// To a phone number.
    Sms,
}

impl Delivery {
    /// The protocol as SNS names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::EmailJson => "email-json",
            Self::Https => "https",
            Self::Sqs => "sqs",
            Self::Lambda => "lambda",
            Self::Sms => "sms",
        }
    }
}

/// An SQS queue.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
    /// How many seconds a received message stays hidden.
    #[schemars(range(min = 0, max = 43200))]
    pub visibility_timeout: Option<u32>,
    /// How many seconds a message is kept.
    #[schemars(range(min = 60, max = 1_209_600))]
    pub retention: Option<u32>,
    /// How many seconds a new message stays hidden.
    #[schemars(range(min = 0, max = 900))]
    pub delay: Option<u32>,
    /// How many seconds a receive call waits for a message.
    #[schemars(range(min = 0, max = 20))]
    pub receive_wait: Option<u32>,
    /// Whether messages that cannot be processed go to a queue of their own, `NAME-dlq`.
    #[serde(default)]
    pub dead_letter: DeadLetter,
    /// The key that encrypts it; a key that SQS manages if unset.
    pub key: Option<KeyRef>,
    /// Whether the account's aws/sqs key encrypts it. No other AWS service can send into it then.
    #[serde(default)]
    pub aws_key: bool,
    /// Whether messages keep their order.
    #[serde(default)]
    pub fifo: bool,
    /// Topics whose messages it receives.
    #[serde(default)]
    pub topics: BTreeSet<TopicRef>,
    /// Whether messages of topics come without SNS's envelope.
    #[serde(default)]
    pub raw: bool,
    /// AWS services that may send.
    #[serde(default)]
    pub senders: BTreeSet<Service>,
    /// More statements of the queue's policy.
    #[serde(default)]
    pub statements: Vec<Statement>,
}

/// Whether there is a dead-letter queue.
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

/// How a dead-letter queue works.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadLetterSettings {
    /// After how many receives a message moves there.
    #[serde(default = "five")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_receives: u32,
    /// How many seconds it keeps a message.
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
