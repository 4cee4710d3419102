//! Which outputs of which sections a string may refer to.

use super::problem::suggest;
use super::tree::{Node, Value};

/// Sections of named items, with what each item offers.
pub(crate) const ITEMS: &[(&str, &[&str])] = &[
    ("buckets", &["arn", "name"]),
    ("keys", &["alias", "arn", "id"]),
    ("log_groups", &["arn", "name"]),
    ("queues", &["arn", "dead_letter_arn", "dead_letter_name", "dead_letter_url", "name", "url"]),
    ("roles", &["arn", "instance_profile_arn", "instance_profile_name", "name"]),
    ("secrets", &["arn", "name"]),
    ("security_groups", &["id", "name"]),
    ("tables", &["arn", "name", "stream_arn"]),
    ("topics", &["arn", "name"]),
];

/// What the network offers.
pub(crate) const NETWORK: &[&str] =
    &["cidr", "isolated_subnets", "private_subnets", "public_subnets", "vpc_id"];

/// Checks `tables.transactions.name` against the config. The error is message and fix.
pub(crate) fn check(expr: &str, tree: &Node) -> Result<(), (String, String)> {
    let unknown = |fix: String| Err((format!("unknown reference `${{{expr}}}`"), fix));
    let steps: Vec<&str> = expr.split('.').collect();
    if let ["network", output] = steps.as_slice() {
        return match (NETWORK.contains(output), tree.get("network")) {
            (false, _) => unknown(suggest(output, NETWORK.iter().copied(), "outputs of network")),
            (true, None) => unknown("this environment has no [network]".into()),
            (true, Some(_)) => Ok(()),
        };
    }
    let sections = || ITEMS.iter().map(|(section, _)| *section).chain(["network"]);
    let Some(section) = steps.first().filter(|name| sections().any(|known| known == **name)) else {
        let first = steps.first().copied().unwrap_or_default();
        let inputs = ["env", "project", "region", "account", "var.NAME"];
        let known: Vec<&str> = sections().chain(inputs).collect();
        return unknown(suggest(first, known.iter().copied(), "a string may refer to"));
    };
    let outputs = ITEMS.iter().find(|(name, _)| name == section).map(|(_, outputs)| *outputs);
    let (Some(outputs), [_, item, output]) = (outputs, steps.as_slice()) else {
        return unknown(match *section {
            "network" => "write `${network.vpc_id}`".to_owned(),
            section => format!("write `${{{section}.NAME.OUTPUT}}`"),
        });
    };
    let names = tree.keys(section);
    if names.is_empty() {
        return unknown(format!("this environment has no [{section}]"));
    }
    if !names.contains(item) {
        return unknown(suggest(item, names.iter().copied(), &format!("names in [{section}]")));
    }
    if !outputs.contains(output) {
        let what = format!("outputs of {section}");
        return unknown(suggest(output, outputs.iter().copied(), &what));
    }
    let node = tree.get(section).and_then(|items| items.get(item));
    let has = |key: &str| {
        let value = node.and_then(|node| node.get(key)).map(|node| &node.value);
        value.is_some_and(|value| !matches!(value, Value::Bool(false)))
    };
    let needs = match *output {
        "stream_arn" => "stream",
        "dead_letter_arn" | "dead_letter_name" | "dead_letter_url" => "dead_letter",
        "instance_profile_arn" | "instance_profile_name" => "instance_profile",
        _ => return Ok(()),
    };
    match has(needs) {
        true => Ok(()),
        false => unknown(format!("[{section}.{item}] has no `{needs}`")),
    }
}
