//! Keys, secrets, roles and policy statements.

use std::collections::BTreeSet;

use super::Rules;
use crate::config::schema::access::Statement;

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
                    self.say(&path, "`principals` is missing", "say who may use the key");
                }
            }
        }
    }

    pub(super) fn secrets(&mut self) {
        for (name, secret) in &self.config.secrets {
            let path = ["secrets", &**name];
            if (1..7).contains(&secret.recovery_days) {
                let path = [&path[..], &["recovery_days"]].concat();
                let message = format!("{} days are not possible", secret.recovery_days);
                self.say(&path, message, "0 (deleted at once), or 7 to 30");
            }
            if secret.template.contains_key(&secret.field) {
                let path = [&path[..], &["template", &secret.field]].concat();
                let message = format!("`{}` receives the generated password", secret.field);
                self.say(&path, message, "remove it from the template, or name another `field`");
            }
        }
    }

    pub(super) fn roles(&mut self) {
        for (name, role) in &self.config.roles {
            let path = ["roles", &**name];
            if role.services.iter().next().is_none() && role.trust.is_empty() {
                let fix =
                    "name `services`, such as \"lambda.amazonaws.com\", or `trust` statements";
                self.say(&path, "nobody may assume the role", fix);
            }
            let ec2 = role.services.iter().any(|service| &**service == "ec2.amazonaws.com");
            if role.instance_profile && !ec2 {
                let path = [&path[..], &["instance_profile"]].concat();
                self.say(
                    &path,
                    "instances may not assume the role",
                    "add ec2.amazonaws.com to `services`",
                );
            }
            if role.managed.len() > 10 {
                let message = format!("{} managed policies are too many", role.managed.len());
                self.say(&[&path[..], &["managed"]].concat(), message, "AWS takes 10");
            }
            self.sids(&[&path[..], &["statements"]].concat(), &role.statements);
            for (at, statement) in role.statements.iter().enumerate() {
                let at = at.to_string();
                let path = [&path[..], &["statements", at.as_str()]].concat();
                if !statement.principals.is_empty() {
                    let path = [&path[..], &["principals"]].concat();
                    self.say(&path, "what a role may do names no principals", "remove it");
                }
                if statement.resources.iter().next().is_none() {
                    self.say(&path, "`resources` is missing", "say what the actions are about");
                }
                self.actions(&path, statement);
            }
            for (at, statement) in role.trust.iter().enumerate() {
                let at = at.to_string();
                let path = [&path[..], &["trust", at.as_str()]].concat();
                if statement.principals.is_empty() {
                    self.say(&path, "`principals` is missing", "say who may assume the role");
                }
                if statement.resources.iter().next().is_some() {
                    let path = [&path[..], &["resources"]].concat();
                    self.say(&path, "a trust policy names no resources", "remove it");
                }
            }
        }
    }

    /// Statements of the policy of a key, topic, queue or bucket.
    pub(super) fn resource_statements(&mut self, path: &[&str], statements: &[Statement]) {
        let path = [path, &["statements"]].concat();
        self.sids(&path, statements);
        for (at, statement) in statements.iter().enumerate() {
            let at = at.to_string();
            let path = [&path[..], &[at.as_str()]].concat();
            if statement.principals.is_empty() && path[0] != "keys" {
                self.say(&path, "`principals` is missing", "say who the statement is about");
            }
            self.actions(&path, statement);
        }
    }

    fn actions(&mut self, path: &[&str], statement: &Statement) {
        if statement.actions.iter().next().is_none() {
            let path = [path, &["actions"]].concat();
            self.say(&path, "no actions are named", "for example dynamodb:GetItem");
        }
    }

    fn sids(&mut self, path: &[&str], statements: &[Statement]) {
        let mut seen = BTreeSet::new();
        for (at, sid) in statements.iter().enumerate() {
            let Some(sid) = &sid.sid else { continue };
            if !seen.insert(sid) {
                let at = at.to_string();
                let path = [path, &[at.as_str(), "sid"]].concat();
                self.say(&path, format!("the sid `{}` stands here twice", sid.0), "rename one");
            }
        }
    }
}
