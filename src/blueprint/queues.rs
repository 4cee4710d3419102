//! `[queues]`: queues, their dead-letter queues, and their policies.

use serde_json::{Value, json};

use crate::aws::kinds::sqs::queue::{Encryption, Queue as QueueSpec, Redrive};
use crate::config::KeyPath;
use crate::config::rules::queues::RETENTION;
use crate::config::schema::queues::Queue;
use crate::config::schema::text::PhysicalName;
use crate::words::aws_services::Service;
use payctl_engine::model::address::Address;
use payctl_engine::model::document::Document;
use payctl_engine::model::text::{Output, Text};

use super::{Builder, Item};

/// SQS's own defaults, set explicitly so that removing a line from the config undoes it.
const VISIBILITY: u32 = 30;

impl Builder<'_> {
    pub(super) fn queues(&mut self) {
        for (key, config) in &self.config.queues {
            let path = &KeyPath::of("queues").key(key);
            let name = self.channel_name("sqs.queue", key, config.name.as_ref(), config.fifo, path);
            let address = Address::new("sqs.queue", key.0.as_str());
            let redrive = self.dead_letter_queue(key, config, path);
            let spec = QueueSpec {
                name: name.clone(),
                visibility_timeout: Some(config.visibility_timeout.unwrap_or(VISIBILITY)),
                retention: Some(config.retention.unwrap_or(RETENTION)),
                delay: Some(config.delay.unwrap_or(0)),
                receive_wait: Some(config.receive_wait.unwrap_or(0)),
                encryption: Some(self.queue_encryption(config)),
                redrive,
                policy: Some(self.queue_policy(config, &address, &name)),
            };
            self.add(Item::new(address.clone(), name.clone(), path), &spec);
            for topic in &config.topics {
                let endpoint = Text::reference(address.clone(), Output::Arn);
                self.subscribe(&topic.0, "sqs", endpoint, config.raw, None, path);
            }
        }
    }

    fn dead_letter_queue(&mut self, key: &str, config: &Queue, path: &KeyPath) -> Option<Redrive> {
        let settings = config.dead_letter.settings()?;
        let logical = format!("{key}-dlq");
        let explicit = config.name.as_ref().map(|name| {
            let stem = name.0.strip_suffix(".fifo").unwrap_or(&name.0);
            PhysicalName(format!("{stem}-dlq"))
        });
        let name = self.channel_name("sqs.queue", &logical, explicit.as_ref(), config.fifo, path);
        let address = Address::new("sqs.queue", logical);
        let policy = Self::tls_only("sqs:*", &json!(self.own_arn("sqs.queue", &name)));
        let spec = QueueSpec {
            name: name.clone(),
            visibility_timeout: Some(VISIBILITY),
            retention: Some(settings.retention),
            delay: Some(0),
            receive_wait: Some(0),
            encryption: Some(self.queue_encryption(config)),
            redrive: None,
            policy: Some(Document::of([policy])),
        };
        self.add(Item::new(address.clone(), name, path), &spec);
        let target = Text::reference(address, Output::Arn);
        Some(Redrive { target, max_receives: settings.max_receives })
    }

    fn queue_encryption(&self, config: &Queue) -> Encryption {
        match &config.key {
            Some(key) => Encryption::Kms(self.key(key)),
            None if config.aws_key => Encryption::Kms("alias/aws/sqs".into()),
            None => Encryption::Sqs,
        }
    }

    fn queue_policy(&self, config: &Queue, address: &Address, name: &str) -> Document {
        let arn = json!(self.own_arn("sqs.queue", name));
        let mut statements = vec![Self::tls_only("sqs:*", &arn)];
        if !config.topics.is_empty() {
            let topics = config.topics.iter().map(|topic| {
                Text::reference(Address::new("sns.topic", topic.0.as_str()), Output::Arn)
            });
            statements.push(json!({
                "Sid": "Topics", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn,
                "Principal": { "Service": "sns.amazonaws.com" },
                "Condition": { "ArnEquals": { "aws:SourceArn": topics.collect::<Vec<_>>() } },
            }));
        }
        let senders = config.senders.iter();
        statements.extend(senders.map(|service| self.send_from(*service, &arn)));
        let more = config.statements.iter();
        statements.extend(more.map(|found| self.statement(found, address, arn.clone())));
        Document::of(statements)
    }

    fn send_from(&self, service: Service, queue: &Value) -> Value {
        let super::Facts { account, region, partition, .. } = self.facts;
        let mut statement = self.admit(service, "sqs:SendMessage", queue);
        if service == Service::Events {
            let rules = format!("arn:{partition}:events:{region}:{account}:rule/*");
            statement["Condition"] = json!({ "ArnLike": { "aws:SourceArn": rules } });
        }
        statement
    }
}
