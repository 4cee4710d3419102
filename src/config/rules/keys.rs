//! The rules of `[keys]`.

use super::Rules;
use crate::config::key_path::KeyPath;

impl Rules<'_> {
    pub(super) fn keys(&mut self) {
        for (name, key) in &self.config.keys {
            let path = KeyPath::of("keys").key(name);
            if key.rotation_days.is_some() && !key.rotation {
                let path = path.key("rotation_days");
                self.say(&path, "the key is not rotated", "remove it, or set `rotation = true`");
            }
            self.resource_statements(&path, &key.statements);
            for (at, statement) in key.statements.iter().enumerate() {
                if statement.principals.is_empty() {
                    let path = path.key("statements").item(at);
                    self.say(
                        &path,
                        "`principals` is missing",
                        "name the principals that may use the key",
                    );
                }
            }
        }
    }
}
