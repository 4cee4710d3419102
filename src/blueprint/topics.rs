//! `[topics]`: topics, their subscriptions, and their policies.

use serde_json::{Value, json};

use crate::aws::kinds::sns::subscription::{Subscription as SubscriptionSpec, logical_name};
use crate::aws::kinds::sns::topic::Topic as TopicSpec;
use crate::config::KeyPath;
use crate::config::schema::text::PhysicalName;
use crate::config::schema::topics::Topic;
use crate::words::aws_services::Service;
use payctl_engine::model::address::Address;
use payctl_engine::model::document::Document;
use payctl_engine::model::text::{Output, Part, Text};

use super::permissions::Caller;
use super::{Builder, Item};

impl Builder<'_> {
    /// The name of a topic or queue; FIFO ones end in `.fifo`.
    pub(super) fn channel_name(
        &mut self,
        kind: &str,
        logical: &str,
        explicit: Option<&PhysicalName>,
        fifo: bool,
        path: &KeyPath,
    ) -> String {
        match (explicit, fifo) {
            (Some(name), true) if !name.ends_with(".fifo") => {
                let name = PhysicalName(format!("{}.fifo", name.0));
                self.item_name(kind, logical, Some(&name), path)
            }
            (None, true) => {
                let rule = super::naming::rule(kind);
                let pattern = &self.config.naming.pattern;
                let full = super::naming::render(pattern, &self.scope, rule, logical);
                self.item_name(kind, logical, Some(&PhysicalName(format!("{full}.fifo"))), path)
            }
            _ => self.item_name(kind, logical, explicit, path),
        }
    }

    pub(super) fn topics(&mut self) {
        for (key, config) in &self.config.topics {
            let path = &KeyPath::of("topics").key(key);
            let name = self.channel_name("sns.topic", key, config.name.as_ref(), config.fifo, path);
            let address = Address::new("sns.topic", key.0.as_str());
            let spec = TopicSpec {
                name: name.clone(),
                display_name: config.display_name.clone(),
                key: config.key.as_ref().map(|key| self.key(key)),
                policy: Some(self.topic_policy(config, &address, &name)),
            };
            self.add(Item::new(address, name, path), &spec);
            for email in config.email.iter() {
                self.subscribe(key, "email", email.0.as_str(), false, None, path);
            }
        }
    }

    /// The subscriptions of topics. They are identified by the names of what they deliver to, so every
    /// function is known before.
    pub(super) fn subscriptions(&mut self) {
        for (key, config) in &self.config.topics {
            let path = &KeyPath::of("topics").key(key);
            for wanted in &config.subscriptions {
                let protocol = wanted.protocol.aws();
                let endpoint = self.text(&wanted.endpoint);
                self.topic_calls(key, &endpoint);
                let filter = wanted.filter.as_ref().map(|filter| json!(filter));
                self.subscribe(key, protocol, endpoint, wanted.raw, filter, path);
            }
        }
    }

    /// Lets a topic call the function that it delivers to, if the function is in this config: without
    /// that, SNS accepts the subscription, but delivers nothing.
    fn topic_calls(&mut self, key: &str, endpoint: &Text) {
        let [Part::Ref(reference)] = endpoint.parts() else { return };
        if ["lambda.alias", "lambda.function"].contains(&reference.to.kind.as_str()) {
            let topic = self.physical_name(&Address::new("sns.topic", key));
            let source = self.own_arn("sns.topic", &topic);
            let sid = format!("topic-{key}");
            self.may_call(
                reference.to.clone(),
                Caller { sid, service: "sns.amazonaws.com", source },
            );
        }
    }

    /// Adds a subscription. It has no tags, so its name identifies it: topic, protocol, and the
    /// endpoint (of an ARN, the last part, or the function and its alias).
    pub(super) fn subscribe(
        &mut self,
        topic: &str,
        protocol: &str,
        endpoint: impl Into<Text>,
        raw: bool,
        filter: Option<Value>,
        path: &KeyPath,
    ) {
        let (topic, endpoint) = (Address::new("sns.topic", topic), endpoint.into());
        let known = endpoint.parts().iter().map(|part| match part {
            Part::Literal(text) => Some(text.clone()),
            Part::Ref(reference) => self.predict(reference),
        });
        let Some(known) = known.collect::<Option<String>>() else {
            let message = "the endpoint is not known before it exists";
            return self.problem(path, message, "write the address, URL or ARN itself");
        };
        let spec = SubscriptionSpec {
            topic: Text::reference(topic.clone(), Output::Arn),
            protocol: protocol.to_owned(),
            endpoint,
            raw,
            filter,
        };
        let logical = logical_name(&topic.name, protocol, &known);
        let address = Address::new("sns.subscription", logical);
        let name = logical_name(&self.physical_name(&topic), protocol, &known);
        self.add(Item::new(address, name, path), &spec);
    }

    fn topic_policy(&self, config: &Topic, address: &Address, name: &str) -> Document {
        let arn = json!(self.own_arn("sns.topic", name));
        let publishers =
            config.publishers.iter().map(|service| self.admit(*service, "sns:Publish", &arn));
        let more = config.statements.iter();
        let more = more.map(|found| self.statement(found, address, arn.clone()));
        let tls = Self::tls_only("sns:Publish", &arn);
        Document::of(std::iter::once(tls).chain(publishers).chain(more))
    }

    /// Lets a service send, only on behalf of this account if the service supports that:
    /// EventBridge does not support conditions in the policy of a topic.
    pub(super) fn admit(&self, service: Service, action: &str, resource: &Value) -> Value {
        let mut statement = json!({
            "Sid": format!("{service:?}"), "Effect": "Allow", "Action": action,
            "Principal": { "Service": service.principal(&self.facts.region) },
            "Resource": resource,
        });
        if let Some(condition) = self.on_behalf(service) {
            statement["Condition"] = condition;
        }
        statement
    }
}
