//! The rules of `[topics]`.

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::words::topics::Delivery;

const QUEUE: &str = "write the ARN of a queue; for a queue of this config, use its `topics`";

const FUNCTION: &str = "write the ARN of a function";

impl Rules<'_> {
    pub(super) fn topics(&mut self) {
        for (name, topic) in &self.config.topics {
            let path = KeyPath::of("topics").key(name);
            if topic.fifo && topic.email.iter().next().is_some() {
                let path = path.key("email");
                self.say(&path, "a FIFO topic delivers only to queues", "remove `fifo` or `email`");
            }
            self.standard_name(&path, topic.fifo, topic.name.as_deref());
            self.resource_statements(&path, &topic.statements);
            for (at, found) in topic.subscriptions.iter().enumerate() {
                let path = path.key("subscriptions").item(at).key("endpoint");
                let endpoint = &*found.endpoint;
                let reference = endpoint.starts_with("${");
                let (fine, fix) = match found.protocol {
                    Delivery::Email | Delivery::EmailJson => {
                        let parts = endpoint.split_once('@');
                        let fine = parts.is_some_and(|(who, host)| {
                            !who.is_empty() && host.contains('.') && !endpoint.contains(' ')
                        });
                        (fine, "write an e-mail address such as ops@example.com")
                    }
                    Delivery::Https => {
                        (endpoint.starts_with("https://"), "write a URL with https://")
                    }
                    Delivery::Sms => {
                        let digits = endpoint.strip_prefix('+').unwrap_or_default();
                        let number = digits.bytes().all(|byte| byte.is_ascii_digit());
                        (
                            (8..=15).contains(&digits.len()) && number,
                            "write a number such as +4912345678",
                        )
                    }
                    Delivery::Sqs => {
                        (endpoint.starts_with("arn:aws") && endpoint.contains(":sqs:"), QUEUE)
                    }
                    Delivery::Lambda => {
                        (endpoint.starts_with("arn:aws") && endpoint.contains(":lambda:"), FUNCTION)
                    }
                };
                if !fine && !reference {
                    self.say(&path, format!("`{endpoint}` is not valid here"), fix);
                }
                if found.raw && !matches!(found.protocol, Delivery::Sqs | Delivery::Https) {
                    let message = "`raw` is only for queues and URLs";
                    self.say(&path, message, "remove `raw`");
                }
                if found.filter.as_ref().is_some_and(|filter| filter.len() > 5) {
                    self.say(&path, "the filter has too many attributes", "use at most 5");
                }
                let empty = |values: &Vec<String>| values.is_empty();
                if found.filter.as_ref().is_some_and(|filter| filter.values().any(empty)) {
                    let message = "the filter has an attribute without values";
                    self.say(&path, message, "add some, or remove the attribute");
                }
                if topic.fifo && found.protocol != Delivery::Sqs {
                    self.say(&path, "a FIFO topic delivers only to queues", "remove it");
                }
            }
        }
    }

    pub(super) fn standard_name(&mut self, path: &KeyPath, fifo: bool, name: Option<&str>) {
        if !fifo && name.is_some_and(|name| name.ends_with(".fifo")) {
            let path = path.key("name");
            let fix = "set `fifo = true`, or choose another name";
            self.say(&path, "only FIFO queues and topics may have a name that ends in .fifo", fix);
        }
    }
}
