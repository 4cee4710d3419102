//! The rules of `[queues]`.

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::schema::text::ItemName;
use crate::words::aws_services::Service;

/// The default retention of SQS in seconds.
pub(crate) const RETENTION: u32 = 345_600;

impl Rules<'_> {
    pub(super) fn queues(&mut self) {
        for (name, queue) in &self.config.queues {
            let path = KeyPath::of("queues").key(name);
            self.standard_name(&path, queue.fifo, queue.name.as_deref());
            self.resource_statements(&path, &queue.statements);
            for topic in &queue.topics {
                let fifo = self
                    .config
                    .topics
                    .get(&ItemName(topic.0.clone()))
                    .is_some_and(|topic| topic.fifo);
                if fifo && !queue.fifo {
                    let path = path.key("topics");
                    let message = format!("the topic `{}` is FIFO but this queue is not", topic.0);
                    self.say(&path, message, "set `fifo = true`");
                }
                if queue.fifo && !fifo {
                    let path = path.key("topics");
                    let message = format!("the topic `{}` is not FIFO but this queue is", topic.0);
                    self.say(&path, message, "set `fifo = true` on the topic");
                }
            }
            if queue.aws_key {
                let path = path.key("aws_key");
                if queue.key.is_some() {
                    self.say(&path, "the queue has two keys", "remove `aws_key` or `key`");
                } else if !queue.topics.is_empty() || !queue.senders.is_empty() {
                    let message = "with this key, topics and AWS services cannot send to the queue";
                    self.say(&path, message, "remove it, or set `key` to a key of this config");
                }
            }
            if queue.fifo && queue.senders.contains(&Service::S3) {
                let path = path.key("senders");
                self.say(&path, "S3 does not send to FIFO queues", "remove `fifo` or `s3`");
            }
            if let Some(dead) = queue.dead_letter.settings()
                && dead.retention < queue.retention.unwrap_or(RETENTION)
            {
                let path = path.key("dead_letter");
                let message =
                    "the dead-letter queue keeps messages for a shorter time than the queue";
                self.say(
                    &path,
                    message,
                    "increase its `retention`: the age of a message counts from its first arrival",
                );
            }
        }
    }
}
