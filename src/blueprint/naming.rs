//! Physical names: one function for every kind, within the limits of each.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex_lite::Regex;

use crate::aws::kinds::KINDS;
pub(super) use crate::config::digest;
use payctl_engine::model::naming::{NameRule, Shared};
use payctl_engine::model::scope::Scope;

/// The rules of all kinds whose objects have a name, or at least a `Name` tag.
pub(crate) fn rules() -> impl Iterator<Item = (&'static str, &'static NameRule)> {
    KINDS.iter().filter_map(|kind| Some((kind.meta().kind, kind.meta().names.as_ref()?)))
}

/// The rule of a kind.
pub(crate) fn rule(kind: &str) -> &'static NameRule {
    let found = rules().find(|(named, _)| *named == kind);
    found.unwrap_or_else(|| panic!("{kind} has a rule for its names")).1
}

/// Whether a name is possible. The patterns are compiled once.
pub(crate) fn is_valid(rule: &NameRule, name: &str) -> bool {
    static PATTERNS: LazyLock<BTreeMap<&'static str, Regex>> = LazyLock::new(|| {
        let compile = |(_, rule): (&str, &'static NameRule)| {
            Regex::new(rule.pattern).ok().map(|regex| (rule.pattern, regex))
        };
        rules().filter_map(compile).collect()
    });
    let is_reserved = rule.is_reserved.is_some_and(|is_reserved| is_reserved(name));
    PATTERNS.get(rule.pattern).is_some_and(|pattern| pattern.is_match(name)) && !is_reserved
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
    if rule.is_unwise.is_some_and(|is_unwise| is_unwise(&full)) {
        format!("{full}-{}", digest(&full))
    } else {
        full
    }
}

/// A name within a limit: what is too long is cut, keeps the environment's name as a whole word
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
    let mark = digest(full);
    let cut = |room: usize| {
        let head: String = full.chars().take(room).collect();
        head.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
    };
    let head = cut(limit - mark.len() - 1);
    let whole = scope.in_name(&head) && {
        let after = full[head.len()..].chars().next();
        !head.ends_with(&scope.env) || !after.is_some_and(char::is_alphanumeric)
    };
    if whole {
        return format!("{head}-{mark}{suffix}");
    }
    if scope.env.len() + mark.len() + 1 > limit {
        // There is no room for both; surveys of such kinds then look at every name.
        return format!("{head}-{mark}{suffix}");
    }
    let room = limit.saturating_sub(mark.len() + scope.env.len() + 2);
    match cut(room) {
        head if head.is_empty() => format!("{}-{mark}{suffix}", scope.env),
        head => format!("{head}-{}-{mark}{suffix}", scope.env),
    }
}

/// A name from the pattern, within the limit of its kind.
pub(crate) fn physical(pattern: &str, scope: &Scope, rule: &NameRule, name: &str) -> String {
    shorten(&render(pattern, scope, rule, name), scope, rule.limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

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
            for (kind, rule) in rules() {
                for item in [item.clone(), format!("{item}-b"), format!("{item}-bc")] {
                    let name = physical(patterns[round % 3], &scope, rule, &item);
                    let fits = is_valid(rule, &name);
                    assert!(fits && name.len() <= rule.limit, "{kind} {name}");
                    let fits = env.len() + 9 <= rule.limit;
                    assert!(scope.in_name(&name) || !fits, "{env} is not in {name}");
                    assert_eq!(seen.insert((kind, name), item), None);
                }
            }
        }
    }

    #[test]
    fn any_branch_gives_an_environment_whose_names_are_all_valid() {
        let mut random = fastrand::Rng::with_seed(13);
        let odd = ['/', '_', '.', '#', '@', '~', ' ', 'Ä', '支', '🦀', '-', '9', 'Q', 'z', '\u{0}'];
        let mut envs: BTreeMap<String, String> = BTreeMap::new();
        for round in 0..400 {
            let length = random.usize(0..if round % 2 == 0 { 12 } else { 200 });
            let mut branch = String::from(if round % 3 == 0 { "pr-" } else { "" });
            branch.extend((0..length).map(|_| match random.bool() {
                true => random.lowercase(),
                false => odd[random.usize(0..odd.len())],
            }));
            let env = config::env_name(&branch);
            assert!(config::layers::is_env_name(&env), "{branch:?} gives {env}");
            assert_eq!(config::env_name(&env), env, "a valid name stays");
            let before = envs.insert(env.clone(), branch.clone());
            assert!(before.is_none_or(|other| other == branch), "{env} stands for two branches");
            let scope = scope(&env);
            for (kind, rule) in rules() {
                let name = physical(PATTERN, &scope, rule, "main");
                assert!(is_valid(rule, &name) && name.len() <= rule.limit, "{kind} {name}");
                let fits = env.len() + 9 <= rule.limit;
                assert!(scope.in_name(&name) || !fits, "{env} is not in {name}");
            }
        }
        assert_eq!(config::env_name("pr-Feature/Pay_Now"), "pr-feature-pay-now-aa706c7c");
    }

    #[test]
    fn names_keep_the_fifo_suffix() {
        let long = format!("dev-{}.fifo", "x".repeat(100));
        let short = shorten(&long, &scope("dev"), 80);
        assert!(short.len() == 80 && short.starts_with("dev-") && short.ends_with(".fifo"));
    }
}
