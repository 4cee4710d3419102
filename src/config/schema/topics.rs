//! `[topics.NAME]`.

use crate::words::aws_services::Service;
use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::OneOrMany;
use super::policies::Statement;
use super::text::{Email, KeyRef, PhysicalName, Template};
use crate::words::topics::Delivery;

/// An SNS topic.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// The physical name. Default: built from `naming.pattern`.
    pub name: Option<PhysicalName>,
    /// The display name that people see in messages.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub display_name: String,
    /// The KMS key that encrypts it. The services in `publishers` may use the key.
    pub key: Option<KeyRef>,
    /// Whether it is a FIFO topic, which keeps the order of messages.
    #[serde(default)]
    pub fifo: bool,
    /// The AWS services that may publish to it.
    #[serde(default)]
    pub publishers: BTreeSet<Service>,
    /// The e-mail addresses that get every message, once their owners have confirmed.
    #[serde(default)]
    pub email: OneOrMany<Email>,
    /// Other subscriptions. For a queue of this config, use `topics` of the queue.
    #[serde(default)]
    pub subscriptions: Vec<Subscription>,
    /// Additional statements of the topic policy.
    #[serde(default)]
    pub statements: Vec<Statement>,
}

/// A subscription of a topic.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// The protocol of delivery.
    pub protocol: Delivery,
    /// The endpoint: an address, a URL or an ARN.
    pub endpoint: Template,
    /// Whether SNS delivers the message without its envelope.
    #[serde(default)]
    pub raw: bool,
    /// The filter policy: which messages SNS delivers, by attribute: `{ kind = ["refund"] }`.
    pub filter: Option<BTreeMap<String, Vec<String>>>,
}
