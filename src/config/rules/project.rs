//! The rules of the project, of names and of what protects it.

use super::Rules;
use crate::config::layers::whole_match;

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
}
