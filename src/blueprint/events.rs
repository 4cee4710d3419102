//! `[events]`: rules and their targets.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::aws::kinds::events::rule::{Input, Rule, Target};
use crate::config::KeyPath;
use crate::config::schema::events::EventRule;
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Text};

use super::functions::{callee_arn, named_callee};
use super::permissions::Caller;
use super::{Builder, Item};

impl Builder<'_> {
    pub(super) fn events(&mut self) {
        for (key, config) in &self.config.events {
            let path = &KeyPath::of("events").key(key);
            let name = self.item_name("events.rule", key, config.name.as_ref(), path);
            let address = Address::new("events.rule", key.0.as_str());
            let spec = Rule {
                name: name.clone(),
                description: config.description.clone(),
                schedule: config.schedule.as_ref().map(|schedule| schedule.0.clone()),
                pattern: config.pattern.as_ref().map(|table| Value::Object(table.0.clone())),
                enabled: config.enabled,
                targets: targets(config),
            };
            for function in &config.functions {
                // The permission need not wait for the rule: its ARN follows from its name.
                let source = self.own_arn("events.rule", &name);
                let caller = Caller { sid: sid(key), service: "events.amazonaws.com", source };
                self.may_call(named_callee(function), caller);
            }
            self.add(Item::new(address, name, path), &spec);
        }
    }
}

/// A statement id from a name: letters and digits only.
fn sid(key: &str) -> String {
    let words = key.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + rest
    });
    format!("Event{}", words.collect::<String>())
}

fn targets(config: &EventRule) -> BTreeMap<String, Target> {
    let functions = config.functions.iter();
    let functions = functions.map(|named| (format!("function-{}", named.0), callee_arn(named)));
    let topics = config.topics.iter();
    let topics = topics.map(|name| (format!("topic-{}", name.0), arn_of("sns.topic", name)));
    let queues = config.queues.iter();
    let queues = queues.map(|name| (format!("queue-{}", name.0), arn_of("sqs.queue", name)));
    let queue = config.dead_letter.as_ref();
    let target = |arn: Text| Target {
        arn,
        input: input(config),
        retries: i32::try_from(config.retries).unwrap_or(i32::MAX),
        max_age: i32::try_from(config.max_age).unwrap_or(i32::MAX),
        dead_letter: queue.map(|queue| arn_of("sqs.queue", queue)),
    };
    let all = functions.chain(topics).chain(queues);
    // EventBridge takes no colon in the id of a target.
    all.map(|(id, arn)| (id.replace(':', "-"), target(arn))).collect()
}

fn arn_of(kind: &str, name: &str) -> Text {
    Text::reference(Address::new(kind, name), Output::Arn)
}

fn input(config: &EventRule) -> Input {
    match (&config.input, &config.transform) {
        (Some(table), _) => Input::Text(Value::Object(table.0.clone()).to_string()),
        (None, Some(made)) => {
            Input::Template { paths: made.paths.clone(), text: made.template.clone() }
        }
        (None, None) => Input::Event,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statement_ids_contain_only_letters_and_digits() {
        assert_eq!(sid("daily-cost"), "EventDailyCost");
    }
}
