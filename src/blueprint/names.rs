//! The possible names of an environment's objects, for policies that outlive one config.

use std::collections::{BTreeMap, BTreeSet};

use super::naming;
use crate::config::Loaded;
use payctl_engine::model::desired::Blueprint;

/// The names of a blueprint's resources by kind. If a name comes from the config's pattern, `*`
/// replaces the parts that the pattern fills in, so that a new item does not need a new policy.
pub fn names(loaded: &Loaded, blueprint: &Blueprint) -> BTreeMap<String, BTreeSet<String>> {
    let pattern = &loaded.config.naming.pattern;
    let render = |rule| naming::render(pattern, &blueprint.scope, rule, "*");
    let patterns = naming::rules().map(|(kind, rule)| (kind, render(rule)));
    let patterns: BTreeMap<&str, String> = patterns.collect();
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for desired in blueprint.resources.values() {
        let kind = desired.address.kind.as_str();
        // `/aws/lambda/dev-payment-lambda-orders` holds the name of a function.
        let part = |part: &str| {
            let own = patterns.get(kind).into_iter();
            let found = own.chain(patterns.values()).find(|pattern| fits(pattern, part));
            found.cloned().unwrap_or_else(|| part.to_owned())
        };
        let name = desired.name.split('/').map(part).collect::<Vec<_>>().join("/");
        names.entry(kind.to_owned()).or_default().insert(name);
    }
    names
}

/// Whether a name comes from the pattern.
fn fits(pattern: &str, name: &str) -> bool {
    pattern.split_once('*').is_some_and(|(before, after)| {
        let middle = name.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        // A pattern that is only a name would match everything.
        !(before.is_empty() && after.is_empty()) && middle.is_some_and(|middle| !middle.is_empty())
    })
}
