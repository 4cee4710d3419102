//! `[secrets]`: values that payctl generates once, or that people set, and their rotation.

use crate::aws::kinds::secretsmanager::rotation::{Rotation, every};
use crate::aws::kinds::secretsmanager::secret::{Generate, Password, Secret};
use crate::config::KeyPath;
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Text};

use super::permissions::Caller;
use super::{Builder, Item};

const ATTACHMENT: &str = "secretsmanager.attachment";
pub(super) const SECRET: &str = "secretsmanager.secret";

impl Builder<'_> {
    pub(super) fn secrets(&mut self) {
        for (key, config) in &self.config.secrets {
            let path = &KeyPath::of("secrets").key(key);
            let kind = "secretsmanager.secret";
            let name = self.item_name(kind, key, config.name.as_ref(), path);
            let spec = Secret {
                name: name.clone(),
                description: config.description.clone(),
                key: config.key.as_ref().map(|key| self.key(key)),
                generate: config.generate.then(|| match &config.self_signed {
                    Some(host) => Generate::Certificate { self_signed: host.clone() },
                    None => Generate::Password(Password {
                        template: config.template.clone(),
                        field: config.field.clone(),
                        length: config.length,
                        exclude_punctuation: config.exclude_punctuation,
                    }),
                }),
                recovery_days: config.recovery_days,
                has_value: None,
            };
            self.add(Item::new(Address::new(kind, key.0.as_str()), name, path), &spec);
        }
    }

    /// The rotation of secrets, after their database can be reached: AWS tests the
    /// function at once.
    pub(super) fn rotations(&mut self) {
        for (key, secret) in &self.config.secrets {
            let Some(rotation) = &secret.rotation else { continue };
            let function = rotation.function.0.as_str();
            let path = &KeyPath::of("secrets").key(key).key("rotation");
            let spec = Rotation {
                secret: secret_arn(key),
                function: Text::reference(Address::new("lambda.function", function), Output::Arn),
                schedule: match (&rotation.schedule, rotation.days) {
                    (Some(schedule), _) => schedule.0.clone(),
                    (None, days) => every(days.unwrap_or(30)),
                },
                window: rotation.window_hours.map(|hours| format!("{hours}h")),
            };
            let name = self.physical_name(&Address::new(SECRET, key.0.as_str()));
            let address = Address::new("secretsmanager.rotation", key.0.as_str());
            let mut item = Item::new(address, name, path);
            item.after.insert(Address::new("lambda.permissions", function));
            for (name, database) in &self.config.databases {
                if database.secret.0 == key.0 {
                    item.after.insert(Address::new(ATTACHMENT, key.0.as_str()));
                    let numbers = 1..=database.instances.len();
                    item.after.extend(numbers.map(|n| {
                        Address::new("rds.instance", format!("{name}-{n}", name = name.0))
                    }));
                }
            }
            self.add(item, &spec);
            let sid = format!("Rotation{}", camel(key));
            let service = "secretsmanager.amazonaws.com";
            self.may_call(
                Address::new("lambda.function", function),
                Caller { sid, service, source: secret_arn(key) },
            );
        }
    }
}

pub(super) fn secret_arn(secret: &str) -> Text {
    Text::reference(Address::new(SECRET, secret), Output::Arn)
}

/// `customer-db` as `CustomerDb`.
fn camel(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    name.split('-').map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_joined_in_statement_ids() {
        assert_eq!(camel("customer-db"), "CustomerDb");
    }
}
