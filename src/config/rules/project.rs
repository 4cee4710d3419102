//! Naming, tags and parameters.

use std::collections::BTreeMap;

use super::Rules;
use crate::config::layers::whole_match;
use crate::config::schema::{Parameter, ParameterValue};

/// Tags that payctl itself adds: the name, four for ownership, the list of kept keys, and, while one
/// takes the other's place, protection and disposability.
const OWN_TAGS: usize = 8;

impl Rules<'_> {
    pub(super) fn project(&mut self) {
        let pattern = &self.config.naming.pattern;
        for part in ["{env}", "{name}"] {
            if !pattern.contains(part) {
                let message = format!("the pattern of names lacks {part}");
                let fix = "without {env} and {name} names are not unique";
                self.say(&["naming", "pattern"], message, fix);
            }
        }
        if let Some(template) = &self.config.template
            && whole_match(&template.pattern).is_none()
        {
            let path = ["template", "pattern"];
            self.say(&path, "this is not a regular expression", "for example pr-?[0-9]+");
        }
        if self.config.protect && self.config.disposable {
            let message = "an environment cannot be protected and disposable";
            self.say(&["disposable"], message, "take `protect` or `disposable` out");
        }
        self.tags();
        self.parameters();
    }

    fn tags(&mut self) {
        let kept = self.config.tags.keys().map(|key| ("tags", &**key));
        let once = self.config.tags_at_creation.keys().map(|key| ("tags_at_creation", &**key));
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for (section, key) in kept.chain(once) {
            let lower = key.to_lowercase();
            if ["aws:", "payctl:"].iter().any(|prefix| lower.starts_with(prefix)) || lower == "name"
            {
                let fix = "`Name`, `payctl:...` and `aws:...` are given by payctl and AWS";
                self.say(&[section, key], format!("the tag `{key}` is reserved"), fix);
            }
            let value =
                self.config.tags.iter().find(|(other, _)| section == "tags" && &***other == key);
            let value = value.map_or(0, |(_, value)| value.chars().count());
            if key.chars().count() > 128 || value > 256 {
                let fix = "AWS takes 128 characters for the key and 256 for the value";
                self.say(&[section, key], format!("the tag `{key}` is too long"), fix);
            }
            if let Some(other) = seen.insert(lower, key) {
                let message = format!("the tags `{other}` and `{key}` are the same");
                self.say(&[section, key], message, "IAM takes no notice of upper and lower case");
            }
        }
        let count = self.config.tags.len() + self.config.tags_at_creation.len();
        if count + OWN_TAGS > 50 {
            let fix = format!("AWS takes 50, of which payctl needs {OWN_TAGS}");
            self.say(&["tags"], format!("{count} tags are too many"), fix);
        }
        let keys: usize = self.config.tags.keys().map(|key| key.chars().count() + 1).sum();
        if keys > 257 {
            let fix = "payctl notes them in a tag of its own, which takes 256 characters";
            self.say(&["tags"], "the keys of the tags are too long together", fix);
        }
    }

    fn parameters(&mut self) {
        for (name, parameter) in &self.config.parameters {
            let path = ["parameters", &**name];
            let first = name.split('/').nth(1).unwrap_or_default().to_lowercase();
            if first.starts_with("aws") || first.starts_with("ssm") {
                let message = format!("`{}` is reserved", name.0);
                self.say(&path, message, "a parameter's path must not begin with aws or ssm");
            }
            if name.len() > 230 {
                self.say(&path, "the name is too long", "payctl takes up to 230 characters");
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
                self.say(&path, "a parameter cannot be empty", "give it a value");
            }
            if texts.iter().any(|text| text.contains("{{")) {
                self.say(&path, "`{{` is not possible in a parameter", "SSM keeps it for itself");
            }
        }
    }
}
