//! The rules of the project: names and protection.

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::layers::whole_match;

impl Rules<'_> {
    pub(super) fn project(&mut self) {
        let pattern = &self.config.naming.pattern;
        for part in ["{env}", "{name}"] {
            if !pattern.contains(part) {
                let message = format!("the pattern of names does not contain {part}");
                let fix = "add it: without {env} and {name}, names are not unique";
                self.say(&KeyPath::of("naming").key("pattern"), message, fix);
            }
        }
        if let Some(template) = &self.config.template
            && whole_match(&template.pattern).is_none()
        {
            let path = KeyPath::of("template").key("pattern");
            self.say(&path, "this is not a regular expression", "write for example pr-?[0-9]+");
        }
        if self.config.protect && self.config.disposable {
            let message = "`protect` and `disposable` cannot be used together";
            self.say(&KeyPath::of("disposable"), message, "remove `protect` or `disposable`");
        }
        if let (Some(account), Some(role)) = (&self.config.account, &self.config.assume_role)
            && role.split(':').nth(4) != Some(&**account)
        {
            let message = format!("the role is not in account {}", account.0);
            let fix = "name a role of that account, or another account";
            self.say(&KeyPath::of("assume_role"), message, fix);
        }
        if self.config.ttl.is_some() && !self.config.disposable {
            let message = "`ttl` destroys the environment with its data";
            self.say(&KeyPath::of("ttl"), message, "add `disposable = true`, or remove `ttl`");
        }
        self.tags();
        self.parameters();
    }
}
