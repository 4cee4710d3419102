//! Topics and queues.

use super::Rules;
use crate::config::schema::messaging::{Delivery, Service};
use crate::config::schema::text::ItemName;

impl Rules<'_> {
    pub(super) fn topics(&mut self) {
        for (name, topic) in &self.config.topics {
            let path = ["topics", &**name];
            if topic.fifo && topic.email.iter().next().is_some() {
                let path = [&path[..], &["email"]].concat();
                self.say(&path, "a FIFO topic delivers to queues only", "remove `fifo` or `email`");
            }
            self.resource_statements(&path, &topic.statements);
            for (at, found) in topic.subscriptions.iter().enumerate() {
                let at = at.to_string();
                let path = [&path[..], &["subscriptions", at.as_str(), "endpoint"]].concat();
                let endpoint = &*found.endpoint;
                let reference = endpoint.starts_with("${");
                let (fine, fix) = match found.protocol {
                    Delivery::Email | Delivery::EmailJson => {
                        (endpoint.contains('@'), "an e-mail address")
                    }
                    Delivery::Https => (endpoint.starts_with("https://"), "a URL with https://"),
                    Delivery::Sms => (endpoint.starts_with('+'), "a number such as +4912345678"),
                    Delivery::Sqs | Delivery::Lambda | Delivery::Firehose => {
                        (endpoint.starts_with("arn:"), "an ARN")
                    }
                };
                if !fine && !reference {
                    self.say(&path, format!("`{endpoint}` is not possible here"), fix);
                }
                if topic.fifo && found.protocol != Delivery::Sqs {
                    self.say(&path, "a FIFO topic delivers to queues only", "remove it");
                }
            }
        }
    }

    pub(super) fn queues(&mut self) {
        for (name, queue) in &self.config.queues {
            let path = ["queues", &**name];
            self.resource_statements(&path, &queue.statements);
            for topic in &queue.topics {
                let fifo = self
                    .config
                    .topics
                    .get(&ItemName(topic.0.clone()))
                    .is_some_and(|topic| topic.fifo);
                if fifo && !queue.fifo {
                    let path = [&path[..], &["topics"]].concat();
                    let message = format!("the topic `{}` is FIFO and this queue is not", topic.0);
                    self.say(&path, message, "set `fifo = true`");
                }
                if queue.fifo && !fifo {
                    let path = [&path[..], &["topics"]].concat();
                    let message = format!("the topic `{}` is not FIFO and this queue is", topic.0);
                    self.say(&path, message, "set `fifo = true` on the topic");
                }
            }
            if queue.fifo && queue.senders.contains(&Service::S3) {
                let path = [&path[..], &["senders"]].concat();
                self.say(&path, "S3 does not send to FIFO queues", "remove `fifo` or `s3`");
            }
            if let (Some(retention), Some(dead)) = (queue.retention, queue.dead_letter.settings())
                && dead.retention < retention
            {
                let path = [&path[..], &["dead_letter"]].concat();
                let message = "dead letters are kept for a shorter time than messages";
                self.say(
                    &path,
                    message,
                    "their age counts from the first arrival: keep them longer",
                );
            }
        }
    }
}
