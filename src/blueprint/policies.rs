//! Policy statements, and the sizes that AWS allows for policies.

use serde_json::{Map, Value, json};

use crate::aws::kinds::find_meta;
use crate::config::KeyPath;
use crate::config::schema::OneOrMany;
use crate::config::schema::policies::Statement;
use payctl_engine::model::address::Address;
use payctl_engine::model::size::SizeLimit;
use payctl_engine::model::text::{self, Text};

use super::Builder;

impl Builder<'_> {
    /// A statement of the policy of `own`, which is the default resource.
    pub(super) fn statement(
        &self,
        statement: &Statement,
        own: &Address,
        resources: Value,
    ) -> Value {
        let texts = |values: &OneOrMany<_>| self.texts(values, own);
        let mut tree = Map::new();
        if let Some(sid) = &statement.sid {
            tree.insert("Sid".into(), json!(sid.0));
        }
        tree.insert("Effect".into(), json!(statement.effect.aws()));
        let actions: Vec<&str> = statement.actions.iter().map(|action| &**action).collect();
        tree.insert("Action".into(), json!(actions));
        let resources = match statement.resources.iter().next() {
            Some(_) => texts(&statement.resources),
            None => resources,
        };
        if !resources.is_null() {
            tree.insert("Resource".into(), resources);
        }
        if !statement.principals.is_empty() {
            let principals = statement.principals.iter();
            let principals = principals.map(|(kind, who)| (kind.aws().to_owned(), texts(who)));
            tree.insert("Principal".into(), Value::Object(principals.collect()));
        }
        if !statement.conditions.is_empty() {
            let conditions = statement.conditions.iter().map(|(operator, keys)| {
                let keys = keys.iter().map(|(key, values)| (key.clone(), texts(values)));
                (operator.clone(), Value::Object(keys.collect()))
            });
            tree.insert("Condition".into(), Value::Object(conditions.collect()));
        }
        Value::Object(tree)
    }

    fn texts(
        &self,
        values: &OneOrMany<crate::config::schema::text::Template>,
        own: &Address,
    ) -> Value {
        values.iter().map(|value| json!(self.text_within(value, own))).collect()
    }

    /// Denies requests without TLS.
    pub(super) fn tls_only(actions: &str, resources: &Value) -> Value {
        json!({
            "Sid": "DenyWithoutTls", "Effect": "Deny", "Principal": { "AWS": "*" },
            "Action": actions, "Resource": resources,
            "Condition": { "Bool": { "aws:SecureTransport": "false" } },
        })
    }

    /// Checks that policies are within AWS's limits. An unknown value counts with its likely length.
    pub(super) fn sizes(&mut self) {
        let mut problems = Vec::new();
        for (address, desired) in &self.resources {
            let spec = text::resolve(&desired.spec, &|reference| {
                Some(self.predict(reference).unwrap_or_else(|| "x".repeat(40)))
            });
            let limits = find_meta(&address.kind).map_or(&[][..], |meta| meta.sizes);
            for SizeLimit { what, field, measure, most, unit, fix } in limits {
                let size = measure(&spec[*field]);
                if size > *most {
                    let path = KeyPath::of(self.asker(address)).key(&address.name);
                    let message = format!("the {what} of {address} has {size} {unit}");
                    let fix = fix.replace("{most}", &most.to_string());
                    problems.push(self.loaded.problem(&path, message, fix));
                }
            }
        }
        self.problems.extend(problems);
    }

    /// The ARN of a resource of this environment whose name is known.
    pub(super) fn own_arn(&self, kind: &str, name: &str) -> Text {
        Text::from(self.arn(kind, name).expect("the caller's kind has ARNs by name"))
    }
}
