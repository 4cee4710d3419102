//! The rules of `[keys]`.

use super::Rules;

impl Rules<'_> {
    pub(super) fn keys(&mut self) {
        for (name, key) in &self.config.keys {
            let path = ["keys", &**name];
            if key.rotation_days.is_some() && !key.rotation {
                let path = [&path[..], &["rotation_days"]].concat();
                self.say(&path, "the key is not rotated", "remove it, or set `rotation = true`");
            }
            self.resource_statements(&path, &key.statements);
            for (at, statement) in key.statements.iter().enumerate() {
                if statement.principals.is_empty() {
                    let at = at.to_string();
                    let path = [&path[..], &["statements", at.as_str()]].concat();
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
