//! `[events]`: rules and their targets.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::aws::kinds::events::rule::{Input, Rule, Target};
use crate::config::KeyPath;
use crate::config::schema::events::EventRule;
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Text};

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
                self.may_call(function, caller);
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
    let sorts = [
        ("lambda.function", "function", config.functions.iter().map(|name| &name.0).collect()),
        ("sns.topic", "topic", config.topics.iter().map(|name| &name.0).collect()),
        ("sqs.queue", "queue", config.queues.iter().map(|name| &name.0).collect::<Vec<_>>()),
    ];
    let all = sorts.into_iter().flat_map(|(kind, word, names)| {
        names.into_iter().map(move |name| (kind, word, name.as_str()))
    });
    let queue = config.dead_letter.as_ref();
    let target = |kind: &str, name: &str| Target {
        arn: Text::reference(Address::new(kind, name), Output::Arn),
        input: input(config),
        retries: i32::try_from(config.retries).unwrap_or(i32::MAX),
        max_age: i32::try_from(config.max_age).unwrap_or(i32::MAX),
        dead_letter: queue
            .map(|queue| Text::reference(Address::new("sqs.queue", queue.0.as_str()), Output::Arn)),
    };
    all.map(|(kind, word, name)| (format!("{word}-{name}"), target(kind, name))).collect()
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
