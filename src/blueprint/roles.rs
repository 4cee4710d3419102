//! `[roles]`: IAM roles, under the environment's own path.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::aws::kinds::iam::instance_profile::InstanceProfile;
use crate::aws::kinds::iam::role::Role as Spec;
use crate::config::KeyPath;
use crate::config::schema::roles::Role;
use crate::config::schema::text::{PhysicalName, Template};
use payctl_engine::model::address::Address;
use payctl_engine::model::document::Document;
use payctl_engine::model::text::{Output, Text};

use super::{Builder, Item};

impl Builder<'_> {
    pub(super) fn roles(&mut self) {
        for (key, config) in &self.config.roles {
            let path = &KeyPath::of("roles").key(key);
            let address = Address::new("iam.role", key.0.as_str());
            if config.existing.is_none() {
                let name = self.item_name("iam.role", key, config.name.as_ref(), path);
                let spec = self.role(config, &address, name.clone());
                self.add(Item::new(address, name, path), &spec);
            }
            if config.instance_profile {
                self.instance_profile(key, config.name.as_ref(), path);
            }
        }
    }

    fn role(&self, config: &Role, address: &Address, name: String) -> Spec {
        let services: Vec<&str> = config.services.iter().map(|service| &**service).collect();
        let mut trust: Vec<Value> = Vec::new();
        if !services.is_empty() {
            trust.push(json!({
                "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": { "Service": services },
            }));
        }
        let more = config.trust.iter();
        trust.extend(more.map(|found| self.statement(found, address, Value::Null)));
        let own = config.statements.iter();
        let own: Vec<Value> =
            own.map(|found| self.statement(found, address, Value::Null)).collect();
        let inline = if own.is_empty() {
            BTreeMap::new()
        } else {
            BTreeMap::from([("permissions".to_owned(), Document::of(own))])
        };
        let managed: BTreeSet<Text> =
            config.managed.iter().map(|policy| self.managed_policy(policy)).collect();
        Spec {
            name,
            path: self.scope.iam_path(),
            description: config.description.as_deref().unwrap_or_default().to_owned(),
            trust: Document::of(trust),
            inline,
            managed,
            max_session: Some(config.max_session.unwrap_or(3600)),
            boundary: self.boundary(config.boundary.as_ref()),
        }
    }

    /// The permissions boundary of a role: its own, else that of all roles.
    pub(super) fn boundary(&self, own: Option<&Template>) -> Option<Text> {
        let boundary = own.or(self.config.permissions_boundary.as_ref());
        boundary.map(|boundary| self.text(boundary))
    }

    /// The instance profile of a role of the same logical name.
    pub(super) fn instance_profile(
        &mut self,
        logical: &str,
        explicit: Option<&PhysicalName>,
        path: &KeyPath,
    ) {
        let name = self.item_name("iam.instance_profile", logical, explicit, path);
        let spec = InstanceProfile {
            name: name.clone(),
            path: self.scope.iam_path(),
            role: Text::reference(Address::new("iam.role", logical), Output::Name),
        };
        self.add(Item::new(Address::new("iam.instance_profile", logical), name, path), &spec);
    }

    /// The config names AWS's own policies without their ARN.
    fn managed_policy(&self, policy: &str) -> Text {
        if policy.starts_with("arn:") || policy.starts_with("${") {
            self.text(policy)
        } else {
            format!("arn:{}:iam::aws:policy/{policy}", self.scope.partition).into()
        }
    }
}
