//! `[topics.NAME]`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::OneOrMany;
use super::aws_services::Service;
use super::policies::Statement;
use super::text::{Email, KeyRef, PhysicalName, Template};

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
