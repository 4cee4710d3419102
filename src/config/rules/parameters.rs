//! The rules of `[parameters]`.

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::schema::parameters::{Parameter, ParameterValue};

impl Rules<'_> {
    pub(super) fn parameters(&mut self) {
        for (name, parameter) in &self.config.parameters {
            let path = KeyPath::of("parameters").key(name);
            let first = name.split('/').nth(1).unwrap_or_default().to_lowercase();
            if first.starts_with("aws") || first.starts_with("ssm") {
                let message = format!("`{}` is reserved", name.0);
                self.say(&path, message, "use a path that does not begin with aws or ssm");
            }
            if name.len() > 230 {
                self.say(&path, "the name is too long", "use at most 230 characters");
            }
            let texts = match parameter {
                Parameter::Text(text) => vec![text],
                Parameter::List(items) => items.iter().collect(),
                Parameter::Described(described) => match &described.value {
                    ParameterValue::Text(text) => vec![text],
                    ParameterValue::List(items) => items.iter().collect(),
                },
            };
            if texts.is_empty() || texts.iter().any(|text| text.is_empty()) {
                self.say(&path, "a parameter cannot be empty", "write a value");
            }
            if texts.iter().any(|text| text.contains("{{")) {
                self.say(&path, "a parameter cannot contain `{{`", "remove it: SSM reserves it");
            }
        }
    }
}
