//! `docs/examples/full/full.toml`: it is valid, and shows every key of the config.

use std::collections::BTreeSet;
use std::fs;

use payctl::aws::kinds::KINDS;
use payctl::blueprint::{Facts, build};
use payctl::config;
use payctl_engine::model::desired::Blueprint;
use toml_edit::{DocumentMut, Item};

use super::config::{DEFAULTS, sections};
use super::{read, root};
use crate::cli_support::copy;

/// The value at a path of a file, as TOML. `*` and `[]` stand for the first name and element that match.
pub(super) fn example(item: &Item, path: &[String]) -> Option<String> {
    let Some((step, rest)) = path.split_first() else {
        return match item {
            Item::Value(value) => Some(value.clone().decorated("", "").to_string()),
            Item::Table(table) => {
                let (key, item) = table.iter().find(|(_, item)| item.is_value())?;
                let key = toml_edit::Key::new(key).to_string();
                Some(format!("{{ {key} = {} }}", example(item, &[])?))
            }
            Item::None | Item::ArrayOfTables(_) => None,
        };
    };
    match (step.as_str(), item) {
        ("[]", Item::ArrayOfTables(tables)) => {
            tables.iter().find_map(|table| example(&Item::Table(table.clone()), rest))
        }
        ("[]", item) => {
            let values = item.as_array()?.iter();
            values.into_iter().find_map(|value| example(&Item::Value(value.clone()), rest))
        }
        ("*", item) => item.as_table_like()?.iter().find_map(|(_, item)| example(item, rest)),
        (key, item) => example(item.as_table_like()?.get(key)?, rest),
    }
}

/// The files that examples come from, the complete one first.
pub(super) fn example_files() -> Vec<Item> {
    [
        "docs/examples/full/full.toml",
        "config/pr.toml",
        "docs/examples/pull-requests/pr.toml",
        "docs/examples/shared/dev.toml",
        "docs/examples/shared/pr.toml",
        "docs/examples/shared/prod.toml",
    ]
    .iter()
    .map(|path| Item::Table(read(path).parse::<DocumentMut>().expect("TOML").as_table().clone()))
    .collect()
}

#[test]
fn every_key_of_the_config_has_an_example() {
    let schema = config::schema();
    let files = example_files();
    let is_there = |path: &[String]| {
        files.iter().any(|file| example(file, path).is_some() || table_at(file, path))
    };
    for section in &sections(&schema) {
        for key in section.schema["properties"].as_object().expect("a section has keys").keys() {
            let paths = section.paths_of(key);
            let found = paths.iter().any(|path| is_there(path));
            assert!(found, "docs/examples/full/full.toml does not show {}", paths[0].join("."));
        }
    }
}

/// Whether a file has anything at a path.
fn table_at(item: &Item, path: &[String]) -> bool {
    let Some((step, rest)) = path.split_first() else { return true };
    match step.as_str() {
        "[]" => match item {
            Item::ArrayOfTables(tables) => {
                tables.iter().any(|table| table_at(&Item::Table(table.clone()), rest))
            }
            item => item.as_array().is_some_and(|values| {
                values.iter().any(|value| table_at(&Item::Value(value.clone()), rest))
            }),
        },
        "*" => item
            .as_table_like()
            .is_some_and(|table| table.iter().any(|(_, item)| table_at(item, rest))),
        key => item
            .as_table_like()
            .and_then(|table| table.get(key))
            .is_some_and(|item| table_at(item, rest)),
    }
}

/// The blueprint of the full example, with another text.
fn blueprint_of(text: &str) -> Blueprint {
    let dir = tempfile::tempdir().expect("a folder");
    fs::create_dir(dir.path().join(".git")).expect("a folder");
    // Functions come from the folder of the example and from those that are shipped.
    for functions in ["functions", "docs/examples/full/functions"] {
        copy(&root().join(functions), &dir.path().join(functions));
    }
    let full = dir.path().join("docs/examples/full");
    fs::write(full.join("full.toml"), text).expect("a file");
    let loaded = config::load(&full, "full", &|_| None)
        .unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
    let mut blueprint = build(&loaded, &Facts::placeholder("us-east-1"))
        .unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
    // The lines move when a key is left out.
    blueprint.resources.values_mut().for_each(|desired| desired.origin.clear());
    blueprint
}

#[test]
fn the_full_example_is_valid() {
    let blueprint = blueprint_of(&read("docs/examples/full/full.toml"));
    let kinds: BTreeSet<&str> =
        blueprint.resources.keys().map(|address| address.kind.as_str()).collect();
    for kind in KINDS.iter().map(|kind| kind.meta().kind) {
        // A NAT instance needs neither of these.
        let managed_nat = ["ec2.elastic_ip", "ec2.nat_gateway"].contains(&kind);
        assert!(managed_nat || kinds.contains(kind), "the example lacks a {kind}");
    }
}

#[test]
fn documented_defaults_match_the_code() {
    let text = read("docs/examples/full/full.toml");
    for (path, default) in DEFAULTS {
        let steps: Vec<&str> = path.split('.').collect();
        // A key that AWS allows only with the value of the example.
        let leave_out: &[&[&str]] = match *path {
            "tables.*.billing" => &[&["tables", "*", "indexes", "*", "capacity"]],
            _ => &[],
        };
        let mut without: DocumentMut = text.parse().expect("TOML");
        for steps in leave_out {
            assert!(edit(without.as_item_mut(), steps, None), "the example lacks {steps:?}");
        }
        let mut with = without.clone();
        let value = default.parse().expect("a TOML value");
        assert!(edit(with.as_item_mut(), &steps, Some(&value)), "the example lacks {path}");
        assert!(edit(without.as_item_mut(), &steps, None), "the example lacks {path}");
        let (with, without) = (blueprint_of(&with.to_string()), blueprint_of(&without.to_string()));
        assert_eq!(with, without, "{path} = {default} is not the default");
    }
}

/// Sets or removes the value at the first place that a path matches.
fn edit(item: &mut Item, path: &[&str], value: Option<&toml_edit::Value>) -> bool {
    let Some((step, rest)) = path.split_first() else { return false };
    if *step == "[]" {
        return match item {
            Item::ArrayOfTables(tables) => tables.iter_mut().any(|table| {
                let mut inner = Item::Table(table.clone());
                let done = edit(&mut inner, rest, value);
                if let (true, Item::Table(inner)) = (done, inner) {
                    *table = inner;
                }
                done
            }),
            _ => false,
        };
    }
    let Some(table) = item.as_table_like_mut() else { return false };
    if *step == "*" {
        return table.iter_mut().any(|(_, item)| edit(item, rest, value));
    }
    if !rest.is_empty() {
        return table.get_mut(step).is_some_and(|item| edit(item, rest, value));
    }
    if !table.contains_key(step) {
        return false;
    }
    match value {
        Some(value) => table.insert(step, Item::Value(value.clone())),
        None => table.remove(step),
    };
    true
}
