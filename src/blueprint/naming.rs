//! Physical names: one function for every kind, within the limits of each.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex_lite::Regex;
use sha2::{Digest, Sha256};

use payctl_engine::model::scope::Scope;

/// The requirements of AWS for the names of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameRule {
    /// The kind.
    pub(crate) kind: &'static str,
    /// The word for `{type}` in the pattern.
    pub(crate) word: &'static str,
    /// The longest possible name.
    pub(crate) limit: usize,
    /// The regular expression that a whole name must match.
    pub(crate) pattern: &'static str,
    /// The same in words.
    pub(crate) rule: &'static str,
    /// The scope of the namespace, which decides the suffix of a generated name.
    pub(crate) shared: Shared,
}

/// The scope of the namespace of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shared {
    /// One region of one account.
    No,
    /// All regions of the account.
    Account,
    /// All accounts of AWS.
    World,
}

const fn named(
    kind: &'static str,
    word: &'static str,
    limit: usize,
    pattern: &'static str,
    rule: &'static str,
) -> NameRule {
    NameRule { kind, word, limit, pattern, rule, shared: Shared::No }
}

/// AWS allows the letters of every script: every character beyond ASCII counts as one.
const TAG: &str = r"^([a-zA-Z0-9 _.:/=+@-]|[^\x00-\x7F])+$";
const GATEWAY_RULE: &str = "letters, digits and . _ -";
const TAG_RULE: &str = "letters, digits, spaces and _ . : / = + - @";

const ECS: &str = r"^[a-zA-Z0-9_-]{1,255}$";
const ECS_RULE: &str = "1 to 255 letters, digits, _ and -";
const BALANCER: &str = r"^[a-zA-Z0-9]([a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?$";
const BALANCER_RULE: &str = "1 to 32 letters, digits and dashes, and no dash at either end";
const RDS: &str = "^[a-z](-?[a-z0-9])*$";
const RDS_RULE: &str = "a database's name is up to 63 lower-case letters, digits and single dashes, and begins with a \
     letter";

/// One row for each kind whose objects have a name, or at least a `Name` tag.
pub(crate) const RULES: &[NameRule] = &[
    NameRule {
        shared: Shared::Account,
        ..named(
            "costs.anomaly_monitor",
            "cost-monitor",
            128,
            r"^[A-Za-z0-9 ._-]{1,128}$",
            "a monitor's name is 1 to 128 letters, digits, spaces and . _ -",
        )
    },
    NameRule {
        shared: Shared::Account,
        ..named(
            "costs.anomaly_subscription",
            "cost-alert",
            128,
            r"^[A-Za-z0-9 ._-]{1,128}$",
            "a subscription's name is 1 to 128 letters, digits, spaces and . _ -",
        )
    },
    named(
        "cloudwatch.alarm",
        "alarm",
        255,
        r"^[^\x00-\x1F\x7F-\x9F]{1,255}$",
        "an alarm's name is 1 to 255 characters without control characters",
    ),
    NameRule {
        shared: Shared::Account,
        ..named(
            "cloudwatch.dashboard",
            "dashboard",
            255,
            r"^[A-Za-z0-9_-]{1,255}$",
            "a dashboard's name is 1 to 255 letters, digits, _ and -",
        )
    },
    named(
        "autoscaling.group",
        "fleet",
        255,
        r"^[\x20-\x39\x3b-\x7e]{1,255}$",
        "a group's name is 1 to 255 characters without a colon",
    ),
    named("apigateway.api_key", "api-key", 255, r"^[A-Za-z0-9._-]{1,255}$", GATEWAY_RULE),
    named("apigateway.rest_api", "api", 255, r"^[A-Za-z0-9._-]{1,255}$", GATEWAY_RULE),
    named("apigateway.usage_plan", "usage-plan", 255, r"^[A-Za-z0-9._-]{1,255}$", GATEWAY_RULE),
    named("apigateway.vpc_link", "vpc-link", 128, r"^[A-Za-z0-9._-]{1,128}$", GATEWAY_RULE),
    named(
        "dynamodb.table",
        "table",
        255,
        r"^[a-zA-Z0-9_.-]{3,255}$",
        "a table's name is 3 to 255 letters, digits and _ . -",
    ),
    named("ec2.elastic_ip", "address", 255, TAG, TAG_RULE),
    named("ec2.flow_log", "flow-log", 255, TAG, TAG_RULE),
    named("ec2.gateway_endpoint", "endpoint", 255, TAG, TAG_RULE),
    named("ec2.instance", "instance", 255, TAG, TAG_RULE),
    named("ec2.internet_gateway", "internet-gateway", 255, TAG, TAG_RULE),
    named(
        "ec2.launch_template",
        "template",
        128,
        r"^[a-zA-Z0-9().\-/_]{3,128}$",
        "a launch template's name is 3 to 128 letters, digits and ( ) . - / _",
    ),
    named("ec2.nat_gateway", "nat-gateway", 255, TAG, TAG_RULE),
    named("ec2.route_table", "route-table", 255, TAG, TAG_RULE),
    named(
        "ec2.security_group",
        "security-group",
        255,
        r"^[a-zA-Z0-9 ._:/()#,@\[\]+=&;{}!$*-]{1,255}$",
        "1 to 255 letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*; not `default`, not `sg-...`",
    ),
    named("ec2.security_group_rules", "security-group-rules", 255, TAG, TAG_RULE),
    named("ec2.subnet", "subnet", 255, TAG, TAG_RULE),
    named("ec2.vpc", "vpc", 255, TAG, TAG_RULE),
    named("ecs.cluster", "cluster", 255, ECS, ECS_RULE),
    named("ecs.service", "service", 255, ECS, ECS_RULE),
    named("ecs.task_definition", "task", 255, ECS, ECS_RULE),
    named(
        "events.rule",
        "rule",
        64,
        r"^[._A-Za-z0-9-]{1,64}$",
        "a rule's name is 1 to 64 letters, digits and . _ -",
    ),
    named("guardduty.detector", "detector", 255, TAG, TAG_RULE),
    named("elb.listener", "listener", 255, TAG, TAG_RULE),
    named("elb.load_balancer", "lb", 32, BALANCER, BALANCER_RULE),
    named("elb.target_group", "tg", 32, BALANCER, BALANCER_RULE),
    NameRule {
        shared: Shared::Account,
        ..named(
            "iam.instance_profile",
            "profile",
            128,
            r"^[\w+=,.@-]{1,128}$",
            "a profile's name is 1 to 128 letters, digits and _+=,.@-",
        )
    },
    NameRule {
        shared: Shared::Account,
        ..named(
            "iam.role",
            "role",
            64,
            r"^[\w+=,.@-]{1,64}$",
            "a role's name is 1 to 64 letters, digits and _+=,.@-",
        )
    },
    named(
        "kms.key",
        "key",
        250,
        r"^[a-zA-Z0-9/_-]{1,250}$",
        "an alias is 1 to 250 letters, digits and / _ -, and does not begin with aws/",
    ),
    named(
        "lambda.function",
        "lambda",
        64,
        r"^[a-zA-Z0-9_-]{1,64}$",
        "a function's name is 1 to 64 letters, digits, _ and -",
    ),
    named(
        "logs.log_group",
        "log-group",
        512,
        r"^[._/#A-Za-z0-9-]{1,512}$",
        "a log group's name is 1 to 512 letters, digits and . - _ / #, and does not begin with aws/",
    ),
    named(
        "logs.metric_filter",
        "metric-filter",
        512,
        r"^[^:*]{1,512}$",
        "a metric filter's name is 1 to 512 characters without : and *",
    ),
    named("rds.cluster", "database", 63, RDS, RDS_RULE),
    named("rds.cluster_parameter_group", "parameters", 255, RDS, RDS_RULE),
    named("rds.instance", "database-instance", 63, RDS, RDS_RULE),
    named("rds.subnet_group", "subnet-group", 255, RDS, RDS_RULE),
    NameRule {
        shared: Shared::World,
        ..named(
            "s3.bucket",
            "bucket",
            63,
            r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$",
            "a bucket's name is 3 to 63 lower-case letters, digits and dashes (dots break TLS)",
        )
    },
    named(
        "secretsmanager.secret",
        "secret",
        512,
        r"^[A-Za-z0-9/_+=.@-]{1,512}$",
        "a secret's name is 1 to 512 letters, digits and / _ + = . @ -",
    ),
    named(
        "sns.topic",
        "topic",
        256,
        r"^[A-Za-z0-9_-]{1,251}(\.fifo)?$",
        "a topic's name is 1 to 256 letters, digits, _ and -",
    ),
    named(
        "sqs.queue",
        "queue",
        80,
        r"^[A-Za-z0-9_-]{1,75}(\.fifo)?$|^[A-Za-z0-9_-]{1,80}$",
        "a queue's name is 1 to 80 letters, digits, _ and -",
    ),
    named(
        "waf.web_acl",
        "firewall",
        128,
        r"^[A-Za-z0-9_-]{1,128}$",
        "a web ACL's name is 1 to 128 letters, digits, _ and -",
    ),
];

/// The row of a kind.
pub(crate) fn rule(kind: &str) -> &'static NameRule {
    RULES.iter().find(|rule| rule.kind == kind).expect("every named kind has a row")
}

/// Whether a name has the right form. The patterns are compiled once.
pub(crate) fn is_valid(rule: &NameRule, name: &str) -> bool {
    static PATTERNS: LazyLock<BTreeMap<&'static str, Regex>> = LazyLock::new(|| {
        let compile =
            |rule: &NameRule| Regex::new(rule.pattern).ok().map(|regex| (rule.kind, regex));
        RULES.iter().filter_map(compile).collect()
    });
    PATTERNS.get(rule.kind).is_some_and(|pattern| pattern.is_match(name))
}

/// A name from the pattern, not yet shortened.
pub(crate) fn render(pattern: &str, scope: &Scope, rule: &NameRule, name: &str) -> String {
    let full = pattern
        .replace("{env}", &scope.env)
        .replace("{project}", &scope.project)
        .replace("{type}", rule.word)
        .replace("{name}", name);
    let full = match rule.shared {
        Shared::No => full,
        Shared::Account => format!("{full}-{}", scope.region),
        Shared::World => format!("{full}-{}-{}", scope.account, scope.region).to_lowercase(),
    };
    // Secrets Manager may confuse such an ending with the suffix of its ARNs, and advises
    // against it. An explicit name of that form stays as it is.
    match rule.kind == "secretsmanager.secret" && looks_like_arn_suffix(&full) {
        true => format!("{full}-{}", digest(&full)),
        false => full,
    }
}

/// Whether a secret's name ends with a dash and 6 characters.
fn looks_like_arn_suffix(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(_, tail)| {
        tail.len() == 6 && tail.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Shortens a name to a limit: a name that is too long is cut, keeps the environment's name as a whole word
/// (surveys look for it) if there is room, and gets a digest of the full name.
pub(crate) fn shorten(full: &str, scope: &Scope, limit: usize) -> String {
    let (full, suffix) = match full.strip_suffix(".fifo") {
        Some(stem) => (stem, ".fifo"),
        None => (full, ""),
    };
    let limit = limit - suffix.len();
    if full.chars().count() <= limit {
        return format!("{full}{suffix}");
    }
    let digest = digest(full);
    let cut = |room: usize| {
        let head: String = full.chars().take(room).collect();
        head.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
    };
    let head = cut(limit - digest.len() - 1);
    let whole = scope.in_name(&head) && {
        let after = full[head.len()..].chars().next();
        !head.ends_with(&scope.env) || !after.is_some_and(char::is_alphanumeric)
    };
    if whole {
        return format!("{head}-{digest}{suffix}");
    }
    if scope.env.len() + digest.len() + 1 > limit {
        // There is no room for both; surveys of such kinds then look at every name.
        return format!("{head}-{digest}{suffix}");
    }
    let room = limit.saturating_sub(digest.len() + scope.env.len() + 2);
    match cut(room) {
        head if head.is_empty() => format!("{}-{digest}{suffix}", scope.env),
        head => format!("{head}-{}-{digest}{suffix}", scope.env),
    }
}

/// A name from the pattern, within the limit of its kind.
pub(crate) fn physical(pattern: &str, scope: &Scope, rule: &NameRule, name: &str) -> String {
    shorten(&render(pattern, scope, rule, name), scope, rule.limit)
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(env: &str) -> Scope {
        Scope {
            project: "payment".into(),
            env: env.into(),
            account: "123456789012".into(),
            region: "ap-northeast-1".into(),
            partition: "aws".into(),
        }
    }

    const PATTERN: &str = "{env}-{project}-{type}-{name}";

    #[test]
    fn names_follow_the_pattern() {
        let name = |kind, env, name| physical(PATTERN, &scope(env), rule(kind), name);
        assert_eq!(name("dynamodb.table", "dev", "transactions"), "dev-payment-table-transactions");
        assert_eq!(
            name("s3.bucket", "dev", "audit"),
            "dev-payment-bucket-audit-123456789012-ap-northeast-1"
        );
        assert_eq!(name("iam.role", "dev", "lambda"), "dev-payment-role-lambda-ap-northeast-1");
        let orders = name("secretsmanager.secret", "dev", "orders");
        assert!(orders.starts_with("dev-payment-secret-orders-") && orders.len() == 34);
    }

    #[test]
    fn any_name_is_valid_distinct_and_carries_the_environment() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut word = |most: usize| {
            let length = random.usize(1..=most);
            let mut text: String = (0..length).map(|_| random.lowercase()).collect();
            if length > 4 {
                text.replace_range(2..3, "-");
            }
            text
        };
        let patterns = [PATTERN, "{project}-{name}-{env}", "{type}{name}-{env}-x"];
        for round in 0..300 {
            let (env, item) = (word(48), word(40));
            let scope = Scope { project: word(24), ..scope(&env) };
            let mut seen: BTreeMap<(&str, String), String> = BTreeMap::new();
            for rule in RULES {
                for item in [item.clone(), format!("{item}-b"), format!("{item}-bc")] {
                    let name = physical(patterns[round % 3], &scope, rule, &item);
                    let fits = is_valid(rule, &name);
                    assert!(fits && name.len() <= rule.limit, "{} {name}", rule.kind);
                    let fits = env.len() + 9 <= rule.limit;
                    assert!(scope.in_name(&name) || !fits, "{env} is not in {name}");
                    assert_eq!(seen.insert((rule.kind, name), item), None);
                }
            }
        }
    }

    #[test]
    fn the_fifo_ending_survives() {
        let long = format!("dev-{}.fifo", "x".repeat(100));
        let short = shorten(&long, &scope("dev"), 80);
        assert!(short.len() == 80 && short.starts_with("dev-") && short.ends_with(".fifo"));
    }
}
