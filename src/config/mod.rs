//! From TOML files to a checked [`schema::Config`].
//!
//! `layers` finds the files of an environment, merges them and fills in its inputs; `check` walks
//! the merged tree along the JSON Schema of the typed structs and finds every value that does not
//! fit; `rules` checks the meaning of the values. Every problem has its place, and payctl reports all at
//! once. `blueprint::build` checks everything that needs the account (names with its id).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::Value as Json;

mod check;
mod files;
mod layers;
pub(crate) mod metrics;
pub(crate) mod packages;
pub(crate) mod problem;
pub(crate) mod ranges;
pub(crate) mod references;
pub(crate) mod rules;
pub mod schema;
pub(crate) mod template;
#[cfg(test)]
mod tests;
mod tree;
mod variables;

pub use layers::{Environment, LONGEST_ENV};
pub use problem::{Place, Problem};

use layers::{Dir, Merged};
use problem::{Sources, Span};
use schema::Config;
use tree::Node;

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
    full: Node,
    tree: Node,
    sources: Sources,
}

impl Loaded {
    /// The packages of all functions.
    pub fn packages(&self) -> Packages {
        self.functions.values().map(|source| source.package.clone()).collect()
    }

    /// The place of a value, or of the nearest table above it.
    pub fn place(&self, path: &[&str]) -> Place {
        self.sources.place(self.tree.locate(path))
    }

    /// A problem with the value at a path.
    pub fn problem(
        &self,
        path: &[&str],
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Problem {
        self.sources.problem(self.tree.locate(path), message, fix)
    }

    /// The names of the items of a section, including those that were left out.
    pub(crate) fn names(&self, section: &str) -> Vec<&str> {
        self.full.keys(section)
    }

    /// Whether an item has a key with a value, left out or not.
    pub(crate) fn says(&self, item: &[&str], key: &str) -> bool {
        let item = item.iter().try_fold(&self.full, |node, step| node.get(step));
        let value = item.and_then(|item| item.get(key)).map(|node| &node.value);
        value.is_some_and(|value| !matches!(value, tree::Value::Array(items) if items.is_empty()))
    }

    /// The string at a path, left out or not.
    pub(crate) fn string(&self, path: &[&str]) -> Option<&str> {
        let (key, path) = path.split_last()?;
        path.iter().try_fold(&self.full, |node, step| node.get(step))?.text(key)
    }

    /// Whether a word appears anywhere below a path, as a key or as a string.
    pub(crate) fn mentions(&self, path: &[&str], word: &str) -> bool {
        let node = path.iter().try_fold(&self.full, |node, step| node.get(step));
        node.is_some_and(|node| node.mentions(word))
    }

    /// How many items a list has, left out or not.
    pub(crate) fn length(&self, path: &[&str]) -> usize {
        let found = path.iter().try_fold(&self.full, |node, step| node.get(step));
        match found.map(|node| &node.value) {
            Some(tree::Value::Array(items)) => items.len(),
            _ => 0,
        }
    }

    /// An integer of the config, left out or not.
    pub(crate) fn number(&self, path: &[&str]) -> Option<i64> {
        let found = path.iter().try_fold(&self.full, |node, step| node.get(step))?;
        match found.value {
            tree::Value::Integer(number) => Some(number),
            _ => None,
        }
    }

    /// Whether a section is there, left out or not.
    pub(crate) fn has(&self, section: &str) -> bool {
        self.full.get(section).is_some()
    }

    /// The place where the config asks for an item: its key, `config/base.toml:41`.
    pub(crate) fn origin(&self, path: &[&str]) -> String {
        let mut node = &self.tree;
        for step in path {
            match node.get(step) {
                Some(next) => node = next,
                None => break,
            }
        }
        let place = self.sources.place(node.key_at);
        format!("{}:{}", place.file.display(), place.line)
    }
}

/// The environments and templates that a directory offers.
pub fn find_environments(dir: &Path) -> Result<Vec<Environment>, Problem> {
    Ok(Dir::read(dir)?.environments())
}

/// Loads one environment. `vars` looks up process environment variables for `${var.NAME}`; it is
/// asked only for those that the config declares.
pub fn load(
    dir: &Path,
    env: &str,
    vars: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, Vec<Problem>> {
    load_in(dir, env, vars, None)
}

/// Loads one environment, in a region that replaces the one in its files.
pub fn load_in(
    dir: &Path,
    env: &str,
    vars: &dyn Fn(&str) -> Option<String>,
    region: Option<&str>,
) -> Result<Loaded, Vec<Problem>> {
    match inspect(dir, env, vars, region) {
        (Some(loaded), problems) if problems.is_empty() => Ok(loaded),
        (_, problems) => Err(sorted(problems)),
    }
}

/// Loads as much of an environment as possible, to find every problem at once.
pub(crate) fn inspect(
    dir: &Path,
    env: &str,
    vars: &dyn Fn(&str) -> Option<String>,
    region: Option<&str>,
) -> (Option<Loaded>, Vec<Problem>) {
    match Dir::read(dir) {
        Ok(dir) => inspect_from(&dir, env, vars, region),
        Err(problem) => (None, vec![problem]),
    }
}

fn inspect_from(
    dir: &Dir,
    env: &str,
    vars: &dyn Fn(&str) -> Option<String>,
    region: Option<&str>,
) -> (Option<Loaded>, Vec<Problem>) {
    let file = match dir.find(env) {
        Ok(file) => file,
        Err(problem) => return (None, vec![problem]),
    };
    let Merged { tree, sources, mut problems } = dir.merge(&file);
    let Some(mut tree) = tree else { return (None, problems) };
    if let Some(region) = region {
        tree.put("region", region);
    }
    let (unset, bad) = layers::fill(&mut tree, env, vars, &sources);
    let complete = problems.is_empty();
    let checked = check::check(&SCHEMA, &tree, &sources, bad, complete);
    let found = unset.into_iter().chain(checked.problems);
    if !complete {
        // The values in a file with syntax errors may be wrong.
        let damaged: BTreeSet<PathBuf> = problems.iter().map(|p| p.place.file.clone()).collect();
        problems.extend(found.filter(|problem| !damaged.contains(&problem.place.file)));
        return (None, problems);
    }
    problems.extend(found);
    let intact = problems.is_empty();
    let full = tree.clone();
    let Some(config) = what_fits(&mut tree, &sources, checked.bad) else {
        if intact {
            let fix = "this is a bug in payctl";
            problems.push(sources.problem(Span::default(), "the config cannot be read", fix));
        }
        return (None, problems);
    };
    let files = sources.files();
    let (env, functions) = (env.to_owned(), packages::Sources::new());
    let mut loaded = Loaded { env, config, files, intact, functions, full, tree, sources };
    let (functions, unread) = packages::read(&loaded, &dir.path);
    loaded.functions = functions;
    problems.extend(unread);
    problems.extend(rules::check(&loaded));
    (Some(loaded), problems)
}

/// Removes wrong values until the rest is a config.
fn what_fits(tree: &mut Node, sources: &Sources, mut bad: BTreeSet<Span>) -> Option<Config> {
    while !bad.is_empty() {
        tree.prune(&bad);
        for (key, assumed) in [("project", "project"), ("region", "us-east-1")] {
            tree.assume(key, assumed);
        }
        bad = check::check(&SCHEMA, tree, sources, BTreeSet::new(), true).bad;
        bad.remove(&tree.key_at);
    }
    serde_json::from_value(tree.to_json()).ok()
}

/// Problems in the order of files and lines.
pub(crate) fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort();
    problems.dedup();
    problems
}

static SCHEMA: LazyLock<Json> = LazyLock::new(|| {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Config>().to_value();
    without_null(&mut schema);
    schema
});

/// The JSON Schema of one file, for editors. A file may be a layer of an environment: nothing is
/// required, and every string may contain `${...}`.
pub fn schema() -> Json {
    let mut schema = SCHEMA.clone();
    loosen(&mut schema);
    schema
}

fn loosen(schema: &mut Json) {
    let with_inputs = |pattern: &str| format!("({pattern})|[$][{{]");
    match schema {
        Json::Object(map) => {
            for keyword in ["required", schema::text::HOLDS, schema::text::ITEM_OF] {
                // Below `properties` it would be a key of the config.
                if map.get(keyword).is_some_and(|value| !value.is_object()) {
                    map.remove(keyword);
                }
            }
            if let Some(Json::String(pattern)) = map.get_mut("pattern") {
                *pattern = with_inputs(pattern);
            }
            if let Some(Json::Object(patterns)) = map.get_mut("patternProperties") {
                let keys = std::mem::take(patterns).into_iter();
                *patterns = keys.map(|(pattern, inner)| (with_inputs(&pattern), inner)).collect();
            }
            map.values_mut().for_each(loosen);
        }
        Json::Array(items) => items.iter_mut().for_each(loosen),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// TOML has no null: an optional value is left out.
fn without_null(schema: &mut Json) {
    match schema {
        Json::Object(map) => {
            if map.get("default").is_some_and(Json::is_null) {
                map.remove("default");
            }
            for keyword in ["type", "enum"] {
                if let Some(Json::Array(values)) = map.get_mut(keyword) {
                    values.retain(|value| value != "null" && !value.is_null());
                    if keyword == "type" && values.len() == 1 {
                        let only = values.remove(0);
                        map.insert(keyword.to_owned(), only);
                    }
                }
            }
            if let Some(Json::Array(branches)) = map.get_mut("anyOf") {
                branches.retain(|branch| branch.get("type").is_none_or(|name| name != "null"));
                if branches.len() == 1
                    && let Json::Object(only) = branches.remove(0)
                {
                    map.remove("anyOf");
                    for (key, value) in only {
                        map.entry(key).or_insert(value);
                    }
                }
            }
            map.values_mut().for_each(without_null);
        }
        Json::Array(items) => items.iter_mut().for_each(without_null),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}
