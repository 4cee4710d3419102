//! `[keys]`: customer managed keys, and the services that need them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::aws::kinds::kms::key::{DEFAULT_PERIOD, Key as KeySpec};
use crate::config::KeyPath;
use crate::config::schema::keys::Key;
use crate::config::schema::text::KeyRef;
use crate::words::aws_services::Service;
use payctl_engine::model::address::Address;
use payctl_engine::model::document::Document;
use payctl_engine::model::text::{Output, Text};

use super::{Builder, Item};

impl Builder<'_> {
    /// The ARN of a customer key.
    pub(super) fn key(&self, key: &KeyRef) -> Text {
        Text::reference(Address::new("kms.key", key.0.as_str()), Output::Arn)
    }

    pub(super) fn keys(&mut self) {
        for (key, config) in self.config.keys.iter().filter(|(_, key)| key.is_own()) {
            let path = &KeyPath::of("keys").key(key);
            let address = Address::new("kms.key", key.0.as_str());
            let name = self.item_name("kms.key", key, config.name.as_ref(), path);
            let alias = format!("alias/{name}");
            self.services_suffice(key, config);
            let spec = KeySpec {
                alias: alias.clone(),
                description: config.description.clone(),
                policy: self.key_policy(key, config, &address),
                enabled: true,
                rotation: config.rotation,
                // AWS's own period has no number.
                rotation_days: config
                    .rotation_days
                    .filter(|days| config.rotation && *days != DEFAULT_PERIOD),
                recovery_days: config.recovery_days,
                kept: self.snapshots_need(key).then_some(true),
            };
            self.add(Item::new(address, alias, path), &spec);
        }
    }

    /// Whether a snapshot that outlives the environment is encrypted with this key.
    fn snapshots_need(&self, key: &str) -> bool {
        self.config.databases.values().any(|database| {
            database.key.as_deref() == Some(key) && self.ends_in_a_snapshot(database)
        })
    }

    /// An explicit list of services must contain all services that need the key.
    fn services_suffice(&mut self, key: &str, config: &Key) {
        let Some(named) = &config.services else { return };
        let needed = self.services_of(key);
        let lacking: Vec<String> =
            needed.difference(named).map(|service| format!("\"{}\"", service.aws())).collect();
        if !lacking.is_empty() && config.statements.is_empty() {
            let message = "services of this config need the key, but may not use it";
            let fix = format!("add {}, or remove `services`", lacking.join(", "));
            self.problem(&KeyPath::of("keys").key(key).key("services"), message, fix);
        }
    }

    fn key_policy(&self, key: &str, config: &Key, address: &Address) -> Document {
        let super::Facts { account, partition, .. } = self.facts;
        let root = json!({
            "Sid": "Account", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
            "Principal": { "AWS": format!("arn:{partition}:iam::{account}:root") },
        });
        let services = match &config.services {
            Some(services) => services.clone(),
            None => self.services_of(key),
        };
        let services = services.into_iter().map(|service| self.key_statement(service));
        let more = config.statements.iter();
        let more = more.map(|statement| self.statement(statement, address, json!("*")));
        Document::of(std::iter::once(root).chain(services).chain(more))
    }

    /// The services that this config needs to use a key. Without this, an
    /// alarm's message to an encrypted topic would be lost without any error.
    fn services_of(&self, key: &str) -> BTreeSet<Service> {
        let is = |other: &Option<KeyRef>| other.as_deref() == Some(key);
        let mut services = BTreeSet::new();
        let super::Config {
            apis,
            databases,
            firewalls,
            functions,
            log_groups,
            network,
            services: containers,
            ..
        } = self.config;
        let log_keys = log_groups.values().map(|group| &group.key);
        let requests = firewalls.values().filter_map(|one| Some(&one.log.as_ref()?.to.key));
        let flows = network.iter().filter_map(|one| Some(&one.flow_log.as_ref()?.to.key));
        let log_keys = log_keys.chain(requests).chain(flows);
        let log_keys = log_keys.chain(apis.values().map(|api| &api.log.key));
        let log_keys = log_keys.chain(databases.values().map(|database| &database.log_key));
        let log_keys = log_keys.chain(functions.values().map(|function| &function.log_key));
        if log_keys.chain(containers.values().map(|service| &service.log_key)).any(is) {
            services.insert(Service::Logs);
        }
        // A group launches with Auto Scaling's own role, which only the key's policy can admit.
        if self.config.fleets.values().any(|fleet| is(&fleet.volume.key)) {
            services.insert(Service::Ec2);
        }
        for topic in self.config.topics.values().filter(|topic| is(&topic.key)) {
            services.extend(&topic.publishers);
        }
        for queue in self.config.queues.values().filter(|queue| is(&queue.key)) {
            services.extend(&queue.senders);
            if !queue.topics.is_empty() {
                services.insert(Service::Sns);
            }
        }
        services
    }

    fn key_statement(&self, service: Service) -> Value {
        let super::Facts { account, region, partition, .. } = self.facts;
        let principal = service.principal(region);
        match service {
            Service::Logs => json!({
                "Sid": "Logs", "Effect": "Allow", "Resource": "*",
                "Principal": { "Service": principal },
                "Action": [
                    "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*",
                    "kms:DescribeKey",
                ],
                "Condition": { "ArnLike": {
                    "kms:EncryptionContext:aws:logs:arn":
                        format!("arn:{partition}:logs:{region}:{account}:*"),
                } },
            }),
            // Both act with the rights of their caller. For Secrets Manager, the account's own
            // policies limit the callers. Auto Scaling calls EC2 by its service-linked role, whose
            // rights cannot be extended, so the key allows everyone of the account, but only through EC2.
            Service::Secretsmanager | Service::Ec2 => json!({
                "Sid": format!("{service:?}"), "Effect": "Allow", "Resource": "*",
                "Principal": { "AWS": match service {
                    Service::Ec2 => "*".to_owned(),
                    _ => format!("arn:{partition}:iam::{account}:root"),
                } },
                "Action": [
                    "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*",
                    "kms:CreateGrant", "kms:DescribeKey",
                ],
                "Condition": { "StringEquals": {
                    "kms:CallerAccount": account,
                    "kms:ViaService": format!("{}.{region}.amazonaws.com", service.aws()),
                } },
            }),
            service => {
                let mut statement = json!({
                    "Sid": format!("{service:?}"), "Effect": "Allow", "Resource": "*",
                    "Principal": { "Service": principal },
                    "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
                });
                // SNS does not send a source when it uses the key of a queue that it delivers to.
                let condition = self.on_behalf(service).filter(|_| service != Service::Sns);
                if let Some(condition) = condition {
                    statement["Condition"] = condition;
                }
                statement
            }
        }
    }

    /// The condition that a publisher acts for this account and, if its ARNs are known, for a resource
    /// in it. AWS's documentation rules both keys out for EventBridge, which sends neither: its
    /// messages would be lost without any error.
    pub(super) fn on_behalf(&self, service: Service) -> Option<Value> {
        let super::Facts { account, region, partition, .. } = self.facts;
        let source = match service {
            Service::Events => return None,
            Service::Cloudwatch => format!("arn:{partition}:cloudwatch:{region}:{account}:alarm:*"),
            Service::Budgets => format!("arn:{partition}:budgets::{account}:*"),
            _ => return Some(json!({ "StringEquals": { "aws:SourceAccount": account } })),
        };
        Some(json!({
            "StringEquals": { "aws:SourceAccount": account },
            "ArnLike": { "aws:SourceArn": source },
        }))
    }
}
