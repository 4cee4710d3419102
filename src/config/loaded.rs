//! A loaded config, and what the rules and the blueprint ask of it: where a value stands, and what was
//! typed, whether it fits or not.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::key_path::KeyPath;
use super::packages;
use super::problem::{Place, Problem, Sources};
use super::schema::Config;
use super::tree::{self, Node};

use payctl_engine::model::package::Packages;

/// A config that passed every check that needs no account.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The name of the environment.
    pub env: String,
    /// The config, merged and with its inputs filled in.
    pub config: Config,
    /// The files of the config, the environment's own first.
    pub files: Vec<PathBuf>,
    /// Whether `config` contains everything: nothing had to be left out.
    pub(crate) intact: bool,
    /// The sources of the functions, by function.
    pub(crate) functions: packages::Sources,
    /// The tree of the files, with what was left out of `config`.
    pub(super) full: Node,
    /// The tree that `config` was made from.
    pub(super) tree: Node,
    /// Where everything stands.
    pub(super) sources: Sources,
}

impl Loaded {
    /// The packages of all functions.
    pub fn packages(&self) -> Packages {
        self.functions.values().map(|source| source.package.clone()).collect()
    }

    /// The ids of hosted zones by name.
    pub fn zone_ids(&self) -> BTreeMap<String, String> {
        let pairs = self.config.zone_ids.iter();
        pairs.map(|(name, id)| (name.0.clone(), id.0.clone())).collect()
    }

    /// The place of a value, or of the nearest table above it.
    pub fn place(&self, path: &KeyPath) -> Place {
        self.sources.place(self.tree.locate(path))
    }

    /// A problem with the value at a path.
    pub fn problem(
        &self,
        path: &KeyPath,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Problem {
        self.sources.problem(self.tree.locate(path), message, fix)
    }

    /// The names of the items of a section, including those that were left out.
    pub(crate) fn names(&self, section: &str) -> Vec<&str> {
        self.full.keys(section)
    }

    /// The keys of the table at a path, left out or not.
    pub(crate) fn keys(&self, path: &KeyPath) -> Vec<&str> {
        match self.full.at(path).map(|node| &node.value) {
            Some(tree::Value::Table(entries)) => entries.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether an item has a key with a value, left out or not.
    pub(crate) fn says(&self, item: &KeyPath, key: &str) -> bool {
        let value = self.full.at(&item.key(key)).map(|node| &node.value);
        value.is_some_and(|value| !matches!(value, tree::Value::Array(items) if items.is_empty()))
    }

    /// The string at a path, left out or not.
    pub(crate) fn string(&self, path: &KeyPath) -> Option<&str> {
        match &self.full.at(path)?.value {
            tree::Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether a word appears anywhere below a path, as a key or as a string.
    pub(crate) fn mentions(&self, path: &KeyPath, word: &str) -> bool {
        self.full.at(path).is_some_and(|node| node.mentions(word))
    }

    /// How many items a list has, left out or not.
    pub(crate) fn length(&self, path: &KeyPath) -> usize {
        match self.full.at(path).map(|node| &node.value) {
            Some(tree::Value::Array(items)) => items.len(),
            _ => 0,
        }
    }

    /// An integer of the config, left out or not.
    pub(crate) fn number(&self, path: &KeyPath) -> Option<i64> {
        match self.full.at(path)?.value {
            tree::Value::Integer(number) => Some(number),
            _ => None,
        }
    }

    /// Whether a section is there, left out or not.
    pub(crate) fn has(&self, section: &str) -> bool {
        self.full.get(section).is_some()
    }

    /// The place where the config asks for an item: its key, `config/base.toml:41`.
    pub(crate) fn origin(&self, path: &KeyPath) -> String {
        let mut node = &self.tree;
        for step in path.keys() {
            match node.get(step) {
                Some(next) => node = next,
                None => break,
            }
        }
        let place = self.sources.place(node.key_at);
        format!("{}:{}", place.file.display(), place.line)
    }
}
