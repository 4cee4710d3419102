//! The rules of `[tags]` and `[tags_at_creation]`.

use super::Rules;
use crate::config::key_path::KeyPath;

use std::collections::BTreeMap;

/// Tags that payctl itself adds: the name, four for ownership, the list of kept keys, and, while one
/// takes the other's place, protection and disposability.
const OWN_TAGS: usize = 8;

impl Rules<'_> {
    pub(super) fn tags(&mut self) {
        let kept = self.config.tags.keys().map(|key| ("tags", &**key));
        let once = self.config.tags_at_creation.keys().map(|key| ("tags_at_creation", &**key));
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for (section, key) in kept.chain(once) {
            let path = KeyPath::of(section).key(key);
            let lower = key.to_lowercase();
            if ["aws:", "payctl:"].iter().any(|prefix| lower.starts_with(prefix)) || lower == "name"
            {
                let fix =
                    "choose another key: payctl and AWS set `Name`, `payctl:...` and `aws:...`";
                self.say(&path, format!("the tag `{key}` is reserved"), fix);
            }
            let value =
                self.config.tags.iter().find(|(other, _)| section == "tags" && &***other == key);
            let value = value.map_or(0, |(_, value)| value.chars().count());
            if key.chars().count() > 128 || value > 256 {
                let fix = "use at most 128 characters for the key and 256 for the value";
                self.say(&path, format!("the tag `{key}` is too long"), fix);
            }
            if let Some(other) = seen.insert(lower, key) {
                let message = format!("the tags `{other}` and `{key}` differ only in case");
                self.say(
                    &path,
                    message,
                    "remove one: IAM does not distinguish upper and lower case",
                );
            }
        }
        let count = self.config.tags.len() + self.config.tags_at_creation.len();
        let borrows = self.lends();
        let own = OWN_TAGS + usize::from(self.config.ttl.is_some()) + usize::from(borrows);
        if count + own > 50 {
            let fix = format!("remove some: AWS allows at most 50, and payctl needs {own} of them");
            self.say(&KeyPath::of("tags"), format!("too many tags: {count}"), fix);
        }
        let keys: usize = self.config.tags.keys().map(|key| key.chars().count() + 1).sum();
        if keys > 257 {
            let fix = "shorten them: payctl lists them in a tag of its own, which has at most 256 characters";
            self.say(&KeyPath::of("tags"), "the keys of all tags are too long together", fix);
        }
    }
}
