//! The rules of `[roles]`.

use super::Rules;
use super::policies::is_arn;
use crate::config::key_path::KeyPath;
use crate::config::schema::policies::Statement;
use crate::config::schema::roles::Role;
use crate::config::schema::text::{ItemName, RoleRef, Template};
use crate::words::policies::{Effect, PrincipalType};

/// Whether a service may assume a role.
fn lets(role: &Role, service: &str) -> bool {
    let named = |statement: &Statement| {
        let who = statement.principals.get(&PrincipalType::Service);
        who.is_some_and(|who| who.iter().any(|one| one.0 == service || one.0 == "*"))
    };
    let listed = role.services.iter().any(|one| one.0 == service);
    listed || role.trust.iter().any(|one| one.effect == Effect::Allow && named(one))
}

impl Rules<'_> {
    pub(super) fn roles(&mut self) {
        for (name, role) in &self.config.roles {
            let path = KeyPath::of("roles").key(name);
            if role.existing.is_some() {
                // Its owner decides who may assume it.
                continue;
            }
            let nobody = role.services.iter().next().is_none() && role.trust.is_empty();
            if nobody && !self.is_left_out(name) {
                let fix = "set `services`, such as \"lambda.amazonaws.com\", or `trust` statements";
                self.say(&path, "nobody may assume the role", fix);
            }
            if role.instance_profile {
                let path = path.key("instance_profile");
                let role = RoleRef(name.0.clone());
                self.trusted(&path, &role, "ec2.amazonaws.com", "instances");
            }
            if role.managed.len() > 10 {
                let message = format!("too many managed policies: {}", role.managed.len());
                self.say(&path.key("managed"), message, "use at most 10");
            }
            for service in role.services.iter() {
                self.principal(&path.key("services"), service);
            }
            self.managed(&path, &role.managed);
            if let Some(boundary) = &role.boundary
                && !(is_arn(boundary) && boundary.contains(":policy/"))
            {
                let path = path.key("boundary");
                let fix = "write the ARN of a managed policy, arn:aws:iam::${account}:policy/NAME";
                self.say(&path, format!("`{}` is not the ARN of a policy", boundary.0), fix);
            }
            self.sids(&path.key("statements"), &role.statements);
            for (at, statement) in role.statements.iter().enumerate() {
                let path = path.key("statements").item(at);
                if !statement.principals.is_empty() {
                    let path = path.key("principals");
                    self.say(
                        &path,
                        "a statement of a role must not have `principals`",
                        "remove it",
                    );
                }
                if statement.resources.iter().next().is_none() {
                    self.say(&path, "`resources` is missing", "name the resources of the actions");
                }
                self.statement(&path, statement);
            }
            self.sids(&path.key("trust"), &role.trust);
            for (at, statement) in role.trust.iter().enumerate() {
                let path = path.key("trust").item(at);
                if statement.principals.is_empty() {
                    self.say(
                        &path,
                        "`principals` is missing",
                        "name the principals that may assume the role",
                    );
                }
                if statement.resources.iter().next().is_some() {
                    let path = path.key("resources");
                    self.say(&path, "a trust policy must not have `resources`", "remove it");
                }
                self.own_service(&path, statement, "sts");
                self.statement(&path, statement);
            }
        }
    }

    /// A service can use a role only if the role trusts it.
    pub(super) fn trusted(&mut self, path: &KeyPath, role: &RoleRef, service: &str, who: &str) {
        let Some(found) = self.config.roles.get(&ItemName(role.0.clone())) else { return };
        if found.existing.is_none() && !lets(found, service) && !self.is_left_out(role) {
            let message = format!("{who} cannot assume the role `{}`", role.0);
            let fix = format!("add \"{service}\" to `services` of [roles.{}]", role.0);
            self.say(path, message, fix);
        }
    }

    /// Whether the trust of a role has a problem already.
    fn is_left_out(&self, role: &str) -> bool {
        let Some(found) = self.config.roles.get(&ItemName(role.to_owned())) else { return false };
        let says = |key: &str| self.loaded.says(&KeyPath::of("roles").key(role), key);
        (found.services.iter().next().is_none() && says("services"))
            || (found.trust.is_empty() && says("trust"))
    }

    fn managed(&mut self, path: &KeyPath, policies: &[Template]) {
        for (at, policy) in policies.iter().enumerate() {
            let path = path.key("managed").item(at);
            let named = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-/".contains(c);
            let fine = if policy.starts_with("arn:") || policy.starts_with("${") {
                is_arn(policy) && policy.contains(":policy/")
            } else {
                !policy.is_empty() && policy.chars().all(named)
            };
            if !fine {
                let fix = "write the name of an AWS policy, or arn:aws:iam::${account}:policy/NAME";
                self.say(&path, format!("`{}` is not a managed policy", policy.0), fix);
            }
            if policies[..at].contains(policy) {
                self.say(&path, "this policy appears twice", "remove one");
            }
        }
    }
}
