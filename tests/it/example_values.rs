//! The example configs, value by value, against what the applications say that they come from: the
//! tables under `tests/examples`, one for each.
//!
//! A line is an address, a JSON pointer into its spec and the value, as JSON; `{env}` is the
//! environment and `null` what is not there. References read `${kind/name.output}`. `@name`, `@tags` and `@tags_once` stand for
//! what is beside the spec, `count KIND` for how many there are, `outputs` for the outputs, and
//! `descriptions` for theirs.
//! `[dev staging]` says for which environments the lines below it hold; before the first, for all.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use payctl::aws::kinds::find_kind;
use payctl::blueprint::{Facts, build};
use payctl::config::{Loaded, load, schema};
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::scope::TAG_KEYS;
use payctl_engine::model::text::Text;
use serde_json::{Map, Value, json};

use crate::examples::dir_of;

/// A value whose references are readable.
fn plain(value: &Value) -> Value {
    match (value, Text::from_value(value)) {
        (Value::Object(_), Some(text)) => json!(text.to_string()),
        (Value::Object(fields), None) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), plain(value)));
            Value::Object(fields.collect())
        }
        (Value::Array(items), _) => items.iter().map(plain).collect(),
        _ => value.clone(),
    }
}

/// The value at an address and a pointer.
fn value_at(loaded: &Loaded, blueprint: &Blueprint, address: &str, pointer: &str) -> Option<Value> {
    match address {
        "descriptions" => {
            let outputs = loaded.config.outputs.iter();
            let texts = outputs.map(|(name, output)| (name.0.clone(), json!(output.description())));
            return Value::Object(texts.collect()).pointer(pointer).cloned();
        }
        "count" => {
            find_kind(pointer)?;
            let kinds = blueprint.resources.keys().map(|address| address.kind.as_str());
            return Some(json!(kinds.filter(|kind| *kind == pointer).count()));
        }
        "outputs" => {
            let outputs = blueprint.outputs.iter();
            let outputs = outputs.map(|(name, text)| (name.clone(), json!(text.to_string())));
            return Value::Object(outputs.collect()).pointer(pointer).cloned();
        }
        _ => {}
    }
    let desired = blueprint.resources.get(&address.parse::<Address>().ok()?)?;
    let tags = |tags: &payctl_engine::model::live::Tags| {
        let own = tags.get(TAG_KEYS).map(String::as_str).unwrap_or_default();
        let own: Vec<&str> = own.split(' ').collect();
        let once = std::ptr::eq(tags, &raw const desired.tags_once);
        let shown = tags.iter().filter(|(key, _)| once || own.contains(&key.as_str()));
        Value::Object(shown.map(|(key, value)| (key.clone(), json!(value))).collect::<Map<_, _>>())
    };
    match pointer {
        "@name" => Some(json!(desired.name)),
        "@tags" => Some(tags(&desired.tags)),
        "@tags_once" => Some(tags(&desired.tags_once)),
        _ => {
            let spec = plain(&desired.spec);
            let lacking = || {
                let (above, field) = pointer.rsplit_once('/')?;
                let kind = find_kind(&desired.address.kind)?;
                let samples = [kind.sample()].into_iter().chain(kind.variants());
                let others = blueprint.resources.values();
                let others = others.filter(|other| other.address.kind == desired.address.kind);
                let mut known = samples.chain(others.map(|other| other.spec.clone()));
                let is_known = match above {
                    "" => known.any(|spec| spec.get(field).is_some()),
                    above => spec.pointer(above).is_some(),
                };
                is_known.then_some(Value::Null)
            };
            spec.pointer(pointer).cloned().or_else(lacking)
        }
    }
}

/// Checks every line of an example's table in these environments.
fn check(example: &str, envs: &[&str]) {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/examples");
    let table = fs::read_to_string(table.join(format!("{example}.txt"))).expect("a table");
    let mut wrong = Vec::new();
    for env in envs {
        let loaded = load(&dir_of(example), env, &|_| None).expect("a valid config");
        let facts = Facts { account: "000000000000".into(), ..Facts::placeholder("us-east-1") };
        let blueprint = build(&loaded, &facts).expect("a blueprint");
        let mut holds = true;
        for line in table.lines().map(str::trim) {
            if let Some(names) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                holds = names.split(' ').any(|name| name == *env);
            } else if holds && !line.is_empty() && !line.starts_with('#') {
                let line = line.replace("{env}", env);
                let (place, value) = line.split_once(" = ").expect("a value");
                let (address, pointer) = place.trim().split_once(' ').expect("a pointer");
                let value: Value = serde_json::from_str(value.trim()).expect("a JSON value");
                let found = value_at(&loaded, &blueprint, address, pointer.trim());
                if found.as_ref() != Some(&value) {
                    wrong.push(format!("{env}: {line}\n    is {}", json!(found)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{example}:\n{}", wrong.join("\n"));
}

#[test]
fn cost_optimised_matches_its_original() {
    check("cost-optimised", &["dev", "prod", "pr7255", "pr-7255", "qa", "feature-x"]);
}

#[test]
fn serverless_secured_matches_its_original() {
    check(
        "serverless-secured",
        &["dev", "staging", "prod", "pr7255", "pr-7255", "qa", "feature-x"],
    );
}

#[test]
fn migration_matches_its_original() {
    check("migration", &["dev", "prod", "pr7255", "pr-7255", "qa", "feature-x"]);
    check("migration-blue-green", &["dev", "prod"]);
}

#[test]
fn container_api_matches_its_original() {
    check("container-api", &["dev", "prod", "pr7255", "pr-7255", "qa", "feature-x"]);
}

#[test]
fn the_region_of_the_shell_is_ignored() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let examples = ["cost-optimised", "serverless-secured", "migration", "container-api"];
    let dirs = examples.into_iter().map(dir_of).chain([root.join("config")]);
    let shell = |name: &str| name.starts_with("AWS_").then(|| "eu-west-1".to_owned());
    for dir in dirs {
        let loaded = load(&dir, "prod", &shell).expect("a valid config");
        assert_eq!(loaded.config.region.0, "us-east-1", "{}", dir.display());
    }
}

#[test]
fn names_fit_with_a_suffix_of_any_length() {
    let longest = "a-suffix-that-is-exactly-as-long-as-payctl-takes";
    for example in ["cost-optimised", "serverless-secured", "container-api", "migration"] {
        let loaded = load(&dir_of(example), longest, &|_| None).expect("a valid config");
        let blueprint = build(&loaded, &Facts::placeholder("us-east-1")).expect("a blueprint");
        for (address, desired) in &blueprint.resources {
            let limit = match address.kind.as_str() {
                "elb.load_balancer" | "elb.target_group" => 32,
                "s3.bucket" | "rds.cluster" | "rds.instance" => 63,
                "events.rule" | "iam.role" | "lambda.function" => 64,
                "sqs.queue" => 80,
                _ => 255,
            };
            assert!(desired.name.len() <= limit, "{example}: {address}: {}", desired.name);
        }
    }
}

/// Every name of a property in a JSON Schema.
fn properties(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Object(own)) = fields.get("properties") {
                found.extend(own.keys().cloned());
            }
            fields.values().for_each(|value| properties(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| properties(value, found)),
        _ => {}
    }
}

/// Whether a config has `functions.processor` or `apis.payments.routes."POST /validate"`; `NAME`
/// stands for any item.
fn has(table: &toml_edit::Item, path: &str) -> bool {
    let (key, rest) = match path.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').expect("a closing quote"),
        None => path.split_at(path.find('.').unwrap_or(path.len())),
    };
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    let Some(table) = table.as_table_like() else { return false };
    let mut items = table.iter().filter(|(name, _)| key == "NAME" || key == *name);
    items.any(|(_, item)| rest.is_empty() || has(item, rest))
}

#[test]
fn the_cdk_guide_names_existing_sections_and_keys() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut keys = BTreeSet::new();
    properties(&schema(), &mut keys);
    let page = fs::read_to_string(root.join("docs/coming-from-cdk.md")).expect("the page");
    let mut wrong = Vec::new();
    let mut configs: Vec<toml_edit::DocumentMut> = Vec::new();
    for line in page.lines().skip_while(|line| !line.starts_with("## ")) {
        if let Some(title) = line.strip_prefix("## ") {
            let files = fs::read_dir(dir_of(title)).into_iter().flatten();
            configs = files
                .map(|file| file.expect("a file").path())
                .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
                .map(|path| fs::read_to_string(path).expect("a file").parse().expect("TOML"))
                .collect();
        }
        // The right column, without the pipe that ends it.
        let Some((_, right)) = line.trim_end_matches('|').rsplit_once(" | ") else { continue };
        for word in right.split('`').skip(1).step_by(2) {
            let section =
                word.trim_start_matches('[').split(']').next().filter(|_| word.starts_with('['));
            let key = word.split(" = ").next().unwrap_or(word);
            let is_key =
                !key.is_empty() && key.bytes().all(|c| c.is_ascii_lowercase() || c == b'_');
            let known = match section {
                Some(section) if configs.is_empty() => {
                    keys.contains(section.split('.').next().unwrap_or_default())
                }
                Some(section) => configs.iter().any(|config| has(config.as_item(), section)),
                None => !is_key || keys.contains(key),
            };
            if !known {
                wrong.push(format!("{word}: {line}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
