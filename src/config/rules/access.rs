//! Keys, secrets, roles and policy statements.

use std::collections::BTreeSet;

use super::Rules;
use crate::config::problem::did_you_mean;
use crate::config::schema::OneOrMany;
use crate::config::schema::access::{Effect, PrincipalType, Role, Statement};
use crate::config::schema::text::{ItemName, RoleRef, Template};
use crate::config::template;

/// The condition operators of IAM, without their prefixes and `IfExists`.
const OPERATORS: [&str; 27] = [
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
    "BinaryEquals",
    "Bool",
    "DateEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateNotEquals",
    "IpAddress",
    "NotIpAddress",
    "Null",
    "NumericEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericNotEquals",
    "StringEquals",
    "StringEqualsIgnoreCase",
    "StringLike",
    "StringNotEquals",
    "StringNotEqualsIgnoreCase",
    "StringNotLike",
];

/// Services that assume roles or send messages, as principals without `.amazonaws.com`; short ones
/// are left out, since theirs are too many that differ by one letter.
const SERVICES: [&str; 24] = [
    "apigateway",
    "application-autoscaling",
    "autoscaling",
    "backup",
    "budgets",
    "cloudformation",
    "cloudtrail",
    "cloudwatch",
    "codebuild",
    "codedeploy",
    "codepipeline",
    "costalerts",
    "ecs-tasks",
    "elasticloadbalancing",
    "events",
    "firehose",
    "guardduty",
    "lambda",
    "monitoring.rds",
    "pipes",
    "scheduler",
    "secretsmanager",
    "states",
    "vpc-flow-logs",
];

/// What Secrets Manager takes as a value.
const SECRET: usize = 65_536;

/// Whether a text is an ARN, or a reference to one.
pub(super) fn is_arn(text: &str) -> bool {
    let reference = text.starts_with("${")
        && template::expressions(text).first().is_some_and(|expr| expr.ends_with("arn"));
    text.starts_with("arn:") || reference
}

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
            let keys = self.config.keys.iter();
            let mut keys = keys.filter(|(key, _)| secret.key.as_deref() == Some(key.0.as_str()));
            if let Some((name, key)) =
                keys.find(|(_, key)| secret.recovery_days > key.recovery_days)
            {
                let path = [&path[..], &["recovery_days"]].concat();
                let message = format!(
                    "it could be brought back for {} days, its key `{}` for {} only",
                    secret.recovery_days, name.0, key.recovery_days
                );
                self.say(&path, message, "without the key nobody can read it: lower this one");
            }
            if !secret.generate && !secret.template.is_empty() {
                let path = [&path[..], &["template"]].concat();
                self.say(&path, "no value is generated", "remove it, or `generate = false`");
            }
            let fields = secret.template.iter().map(|(field, value)| field.len() + value.len());
            if fields.sum::<usize>() + secret.length as usize > SECRET {
                let path = [&path[..], &["template"]].concat();
                self.say(&path, "the secret is too long", "Secrets Manager takes 64 KB");
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
            let nobody = role.services.iter().next().is_none() && role.trust.is_empty();
            if nobody && !self.is_left_out(name) {
                let fix =
                    "name `services`, such as \"lambda.amazonaws.com\", or `trust` statements";
                self.say(&path, "nobody may assume the role", fix);
            }
            if role.instance_profile {
                let path = [&path[..], &["instance_profile"]].concat();
                let role = RoleRef(name.0.clone());
                self.trusted(&path, &role, "ec2.amazonaws.com", "instances");
            }
            if role.managed.len() > 10 {
                let message = format!("{} managed policies are too many", role.managed.len());
                self.say(&[&path[..], &["managed"]].concat(), message, "AWS takes 10");
            }
            for service in role.services.iter() {
                self.principal(&[&path[..], &["services"]].concat(), service);
            }
            self.managed(&path, &role.managed);
            if let Some(boundary) = &role.boundary
                && !(is_arn(boundary) && boundary.contains(":policy/"))
            {
                let path = [&path[..], &["boundary"]].concat();
                let fix = "the ARN of a managed policy, arn:aws:iam::${account}:policy/NAME";
                self.say(&path, format!("`{}` is no ARN of a policy", boundary.0), fix);
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
                self.statement(&path, statement);
            }
            self.sids(&[&path[..], &["trust"]].concat(), &role.trust);
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
                self.own_service(&path, statement, "sts");
                self.statement(&path, statement);
            }
        }
    }

    /// A service works with a role only if the role lets it.
    pub(super) fn trusted(&mut self, path: &[&str], role: &RoleRef, service: &str, who: &str) {
        let Some(found) = self.config.roles.get(&ItemName(role.0.clone())) else { return };
        if !lets(found, service) && !self.is_left_out(role) {
            let message = format!("{who} cannot assume the role `{}`", role.0);
            let fix = format!("add \"{service}\" to `services` of [roles.{}]", role.0);
            self.say(path, message, fix);
        }
    }

    /// Whether a role says who may assume it in a way that was refused already.
    fn is_left_out(&self, role: &str) -> bool {
        let Some(found) = self.config.roles.get(&ItemName(role.to_owned())) else { return false };
        let says = |key: &str| self.loaded.says(&["roles", role], key);
        (found.services.iter().next().is_none() && says("services"))
            || (found.trust.is_empty() && says("trust"))
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
            let service = match path[0] {
                "apis" => "execute-api",
                "keys" => "kms",
                "buckets" => "s3",
                "topics" => "sns",
                _ => "sqs",
            };
            self.own_service(&path, statement, service);
            self.own_resource(&path, statement);
            self.own_api(&path, statement);
            self.statement(&path, statement);
        }
    }

    /// The policy of a bucket, queue or topic is about that one, as far as references tell.
    fn own_resource(&mut self, path: &[&str], statement: &Statement) {
        let [section @ ("buckets" | "queues" | "topics"), name, ..] = path else { return };
        let own = format!("{section}.{name}.arn");
        let mut named = statement.resources.iter().flat_map(|text| template::expressions(text));
        if let Some(other) = named.find(|to| to.contains('.') && *to != own) {
            let path = [path, &["resources"]].concat();
            let message = format!("`${{{other}}}` is not what this policy belongs to");
            self.say(&path, message, format!("remove it, or write ${{{own}}}"));
        }
    }

    /// The policy of an API is about that one, whose id nobody knows before it is made.
    fn own_api(&mut self, path: &[&str], statement: &Statement) {
        let by_id = |text: &&str| {
            let mut parts = text.splitn(6, ':');
            let is_api = parts.next() == Some("arn") && parts.nth(1) == Some("execute-api");
            let id = parts.nth(2).and_then(|rest| rest.split('/').next()).unwrap_or_default();
            is_api && !id.contains(['*', '?'])
        };
        let named = statement.resources.iter().map(|text| &**text).find(by_id).map(str::to_owned);
        if let Some(named) = named.filter(|_| path[0] == "apis") {
            let path = [path, &["resources"]].concat();
            let message = format!("`{named}` names an API by its id");
            self.say(&path, message, "write execute-api:/STAGE/METHOD/PATH, which is this API");
        }
    }

    /// The policy of a resource, or of trust, is about the actions of one service.
    fn own_service(&mut self, path: &[&str], statement: &Statement, service: &str) {
        let own = |action: &str| action == "*" || action.split(':').next() == Some(service);
        let other = statement.actions.iter().find(|action| !own(action));
        if let Some(other) = other {
            let path = [path, &["actions"]].concat();
            let message = format!("`{}` is not possible in this policy", other.0);
            self.say(&path, message, format!("actions of {service}, such as {service}:*"));
        }
    }

    /// What AWS demands of every statement.
    fn statement(&mut self, path: &[&str], statement: &Statement) {
        if statement.actions.iter().next().is_none() {
            let path = [path, &["actions"]].concat();
            self.say(&path, "no actions are named", "for example dynamodb:GetItem");
        }
        let wrong = statement.resources.iter().find(|text| !is_arn(text) && &***text != "*");
        if let Some(wrong) = wrong {
            let path = [path, &["resources"]].concat();
            let fix = "an ARN, a reference such as ${tables.NAME.arn}, or \"*\"";
            self.say(&path, format!("`{}` is no ARN", wrong.0), fix);
        }
        for (kind, who) in &statement.principals {
            self.principals(&[path, &["principals", kind.name()]].concat(), *kind, who);
        }
        for operator in statement.conditions.keys() {
            let bare = operator.strip_prefix("ForAllValues:").unwrap_or(operator);
            let bare = bare.strip_prefix("ForAnyValue:").unwrap_or(bare);
            let bare = bare.strip_suffix("IfExists").unwrap_or(bare);
            if !OPERATORS.contains(&bare) {
                let path = [path, &["conditions", operator]].concat();
                let fix = did_you_mean(bare, OPERATORS);
                let fix = fix.unwrap_or_else(|| "for example StringEquals or ArnLike".into());
                self.say(&path, format!("`{operator}` is no condition of IAM"), fix);
            }
        }
    }

    fn principals(&mut self, path: &[&str], kind: PrincipalType, who: &OneOrMany<Template>) {
        let account = |text: &str| {
            text == "${account}" || (text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()))
        };
        let fits = |text: &str| match kind {
            PrincipalType::AWS => text == "*" || account(text) || is_arn(text),
            PrincipalType::Service => text.contains(".amazonaws.com") || text == "*",
            PrincipalType::Federated => is_arn(text) || text.contains('.'),
        };
        let fix = match kind {
            PrincipalType::AWS => "an ARN, an account id, or \"*\"",
            PrincipalType::Service => "a service principal such as lambda.amazonaws.com",
            PrincipalType::Federated => "the ARN of an identity provider",
        };
        if who.iter().next().is_none() {
            self.say(path, "nobody is named", fix);
        }
        if let Some(wrong) = who.iter().find(|text| !fits(text)) {
            self.say(path, format!("`{}` is no principal of this type", wrong.0), fix);
        }
        if kind == PrincipalType::Service {
            who.iter().for_each(|service| self.principal(path, service));
        }
    }

    /// A service that is not known here may be new, but one letter beside a known one is a slip.
    fn principal(&mut self, path: &[&str], service: &str) {
        let Some(stem) = service.strip_suffix(".amazonaws.com") else { return };
        let near = |known: &&&str| strsim::damerau_levenshtein(known, stem) == 1;
        let near = SERVICES.iter().find(near).filter(|_| !SERVICES.contains(&stem));
        if let Some(near) = near {
            let message = format!("AWS has no service `{service}`");
            self.say(path, message, format!("did you mean `{near}.amazonaws.com`?"));
        }
    }

    fn managed(&mut self, path: &[&str], policies: &[Template]) {
        for (at, policy) in policies.iter().enumerate() {
            let number = at.to_string();
            let path = [path, &["managed", number.as_str()]].concat();
            let named = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-/".contains(c);
            let fine = match policy.starts_with("arn:") || policy.starts_with("${") {
                true => is_arn(policy) && policy.contains(":policy/"),
                false => !policy.is_empty() && policy.chars().all(named),
            };
            if !fine {
                let fix = "the name of an AWS policy, or arn:aws:iam::${account}:policy/NAME";
                self.say(&path, format!("`{}` is no managed policy", policy.0), fix);
            }
            if policies[..at].contains(policy) {
                self.say(&path, "this policy stands here twice", "remove one");
            }
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
