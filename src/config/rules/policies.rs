//! The rules of policy statements, and of principals.

use std::collections::BTreeSet;

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::problem::did_you_mean;
use crate::config::schema::OneOrMany;
use crate::config::schema::policies::Statement;
use crate::config::schema::text::Template;
use crate::config::template;
use crate::words::policies::PrincipalType;

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

/// Services that assume roles or send messages, as principals without `.amazonaws.com`. Short names
/// are left out, since too many of them differ by one letter.
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

/// Whether a text is an ARN, or a reference to one.
pub(super) fn is_arn(text: &str) -> bool {
    let reference = text.starts_with("${")
        && template::expressions(text).first().is_some_and(|expr| expr.ends_with("arn"));
    text.starts_with("arn:") || reference
}

impl Rules<'_> {
    /// Statements of the policy of a key, topic, queue or bucket.
    pub(super) fn resource_statements(&mut self, path: &KeyPath, statements: &[Statement]) {
        let path = path.key("statements");
        self.sids(&path, statements);
        for (at, statement) in statements.iter().enumerate() {
            let path = path.item(at);
            if statement.principals.is_empty() && path.section() != "keys" {
                self.say(&path, "`principals` is missing", "name the principals");
            }
            let service = match path.section() {
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

    /// The policy of a bucket, queue or topic must not refer to another one.
    fn own_resource(&mut self, path: &KeyPath, statement: &Statement) {
        let mut keys = path.keys();
        let (Some(section @ ("buckets" | "queues" | "topics")), Some(name)) =
            (keys.next(), keys.next())
        else {
            return;
        };
        let own = format!("{section}.{name}.arn");
        let mut named = statement.resources.iter().flat_map(|text| template::expressions(text));
        if let Some(other) = named.find(|to| to.contains('.') && *to != own) {
            let path = path.key("resources");
            let message = format!("this policy does not belong to `${{{other}}}`");
            self.say(&path, message, format!("remove it, or write ${{{own}}}"));
        }
    }

    /// The policy of an API can refer only to that API, whose id is unknown before it exists.
    fn own_api(&mut self, path: &KeyPath, statement: &Statement) {
        let by_id = |text: &&str| {
            let mut parts = text.splitn(6, ':');
            let is_api = parts.next() == Some("arn") && parts.nth(1) == Some("execute-api");
            let id = parts.nth(2).and_then(|rest| rest.split('/').next()).unwrap_or_default();
            is_api && !id.contains(['*', '?'])
        };
        let named = statement.resources.iter().map(|text| &**text).find(by_id).map(str::to_owned);
        if let Some(named) = named.filter(|_| path.section() == "apis") {
            let path = path.key("resources");
            let message = format!("`{named}` names an API by its id");
            self.say(&path, message, "write execute-api:/STAGE/METHOD/PATH, which means this API");
        }
    }

    /// The policy of a resource, or a trust policy, contains only actions of one service.
    pub(super) fn own_service(&mut self, path: &KeyPath, statement: &Statement, service: &str) {
        let own = |action: &str| action == "*" || action.split(':').next() == Some(service);
        let other = statement.actions.iter().find(|action| !own(action));
        if let Some(other) = other {
            let path = path.key("actions");
            let message = format!("`{}` is not valid in this policy", other.0);
            self.say(&path, message, format!("use actions of {service}, such as {service}:*"));
        }
    }

    /// The requirements of AWS for every statement.
    pub(super) fn statement(&mut self, path: &KeyPath, statement: &Statement) {
        if statement.actions.iter().next().is_none() {
            let path = path.key("actions");
            self.say(&path, "no actions are named", "add for example dynamodb:GetItem");
        }
        let wrong = statement.resources.iter().find(|text| !is_arn(text) && &***text != "*");
        if let Some(wrong) = wrong {
            let path = path.key("resources");
            let fix = "write an ARN, a reference such as ${tables.NAME.arn}, or \"*\"";
            self.say(&path, format!("`{}` is not an ARN", wrong.0), fix);
        }
        for (kind, who) in &statement.principals {
            self.principals(&path.key("principals").key(kind.aws()), *kind, who);
        }
        for operator in statement.conditions.keys() {
            let bare = operator.strip_prefix("ForAllValues:").unwrap_or(operator);
            let bare = bare.strip_prefix("ForAnyValue:").unwrap_or(bare);
            let bare = bare.strip_suffix("IfExists").unwrap_or(bare);
            if !OPERATORS.contains(&bare) {
                let path = path.key("conditions").key(operator);
                let fix = did_you_mean(bare, OPERATORS);
                let fix = fix.unwrap_or_else(|| "use for example StringEquals or ArnLike".into());
                self.say(&path, format!("`{operator}` is not an IAM condition operator"), fix);
            }
        }
    }

    fn principals(&mut self, path: &KeyPath, kind: PrincipalType, who: &OneOrMany<Template>) {
        let account = |text: &str| {
            text == "${account}" || (text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()))
        };
        let fits = |text: &str| match kind {
            PrincipalType::AWS => text == "*" || account(text) || is_arn(text),
            PrincipalType::Service => text.contains(".amazonaws.com") || text == "*",
            PrincipalType::Federated => is_arn(text) || text.contains('.'),
        };
        let fix = match kind {
            PrincipalType::AWS => "write an ARN, an account id, or \"*\"",
            PrincipalType::Service => "write a service principal such as lambda.amazonaws.com",
            PrincipalType::Federated => "write the ARN of an identity provider",
        };
        if who.iter().next().is_none() {
            self.say(path, "no principal is named", fix);
        }
        if let Some(wrong) = who.iter().find(|text| !fits(text)) {
            self.say(path, format!("`{}` is not a principal of this type", wrong.0), fix);
        }
        if kind == PrincipalType::Service {
            who.iter().for_each(|service| self.principal(path, service));
        }
    }

    /// An unknown service may be new, but a difference of one letter to a known one is a typing error.
    pub(super) fn principal(&mut self, path: &KeyPath, service: &str) {
        let Some(stem) = service.strip_suffix(".amazonaws.com") else { return };
        let near = |known: &&&str| strsim::damerau_levenshtein(known, stem) == 1;
        let near = SERVICES.iter().find(near).filter(|_| !SERVICES.contains(&stem));
        if let Some(near) = near {
            let message = format!("AWS has no service `{service}`");
            self.say(path, message, format!("did you mean `{near}.amazonaws.com`?"));
        }
    }

    pub(super) fn sids(&mut self, path: &KeyPath, statements: &[Statement]) {
        let mut seen = BTreeSet::new();
        for (at, sid) in statements.iter().enumerate() {
            let Some(sid) = &sid.sid else { continue };
            if !seen.insert(sid) {
                let path = path.item(at).key("sid");
                self.say(&path, format!("the sid `{}` appears twice", sid.0), "rename one");
            }
        }
    }
}
