//! Policy statements, and the sizes that AWS allows for policies.

use serde_json::{Map, Value, json};

use crate::config::schema::OneOrMany;
use crate::config::schema::policies::{Effect, Statement};
use payctl_engine::model::address::Address;
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
        let effect = match statement.effect {
            Effect::Allow => "Allow",
            Effect::Deny => "Deny",
        };
        tree.insert("Effect".into(), json!(effect));
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
            let principals = principals.map(|(kind, who)| (kind.name().to_owned(), texts(who)));
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
            let size = |policy: &Value| match policy {
                Value::Null => 0,
                policy => policy.to_string().len(),
            };
            let all = |policies: &Value| {
                policies.as_object().into_iter().flatten().map(|(_, policy)| size(policy)).sum()
            };
            let found: &[(&str, usize, usize)] = match address.kind.as_str() {
                "iam.role" => &[
                    ("trust policy", size(&spec["trust"]), 2048),
                    ("inline policies", all(&spec["inline"]), 10_240),
                ],
                "apigateway.rest_api" => &[("policy", size(&spec["policy"]), 8192)],
                "kms.key" => &[("policy", size(&spec["policy"]), 32_768)],
                "s3.bucket" => &[("policy", size(&spec["policy"]), 20_480)],
                "sns.topic" => &[("policy", size(&spec["policy"]), 30_720)],
                "sqs.queue" => &[("policy", size(&spec["policy"]), 8192)],
                "ssm.parameter" => &[("value", spec["value"].as_str().map_or(0, str::len), 4096)],
                _ => &[],
            };
            for (what, size, most) in found {
                if size > most {
                    let path = [desired.component.as_str(), &address.name];
                    let message = format!("too long: the {what} of {address} ({size} characters)");
                    let fix = format!("use at most {most}, for example with fewer statements");
                    problems.push(self.loaded.problem(&path, message, fix));
                }
            }
            let statements = spec["policy"]["Statement"].as_array().map_or(0, Vec::len);
            if address.kind == "sqs.queue" && statements > 20 {
                let path = [desired.component.as_str(), &address.name];
                let message =
                    format!("the policy of {address} has too many statements: {statements}");
                problems.push(self.loaded.problem(&path, message, "use at most 20"));
            }
        }
        self.problems.extend(problems);
    }

    /// The ARN of a resource of this environment whose name is known.
    pub(super) fn own_arn(&self, kind: &str, name: &str) -> Text {
        Text::from(self.arn(kind, name).expect("the caller's kind has ARNs by name"))
    }
}
