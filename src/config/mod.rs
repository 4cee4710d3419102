//! From TOML files to a checked [`schema::Config`].
//!
//! `layers` finds the files of an environment, merges them and fills in its inputs; `check` walks
//! the merged tree along the JSON Schema of the typed structs and finds everything that does not
//! fit; `rules` checks what the values mean. Every problem has its place, and all are reported at
//! once. What needs the account (names with its id) is checked by `blueprint::build`.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::Value as Json;

mod check;
mod layers;
pub(crate) mod problem;
pub(crate) mod ranges;
mod references;
mod rules;
pub mod schema;
pub(crate) mod template;
#[cfg(test)]
mod tests;
mod tree;

pub use layers::{Environment, LONGEST_ENV};
pub use problem::{Place, Problem};

use layers::Dir;
use problem::{Sources, Span};
use schema::Config;
use tree::Node;

/// A config that passed every check that needs no account.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The name of the environment.
    pub env: String,
    /// What was typed, merged and with its inputs filled in.
    pub config: Config,
    /// The files that it was made from, the environment's own first.
    pub files: Vec<PathBuf>,
    tree: Node,
    sources: Sources,
}

impl Loaded {
    /// Where a value stands, or the nearest table above it.
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

    /// Where the config asks for an item: its key, `config/base.toml:41`.
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

/// Loads one environment. `vars` looks up process environment variables for `${var.NAME}`.
pub fn load(
    dir: &Path,
    env: &str,
    vars: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, Vec<Problem>> {
    let dir = Dir::read(dir).map_err(|problem| vec![problem])?;
    load_from(&dir, env, vars)
}

fn load_from(
    dir: &Dir,
    env: &str,
    vars: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, Vec<Problem>> {
    let file = dir.find(env).map_err(|problem| vec![problem])?;
    let (mut tree, sources) = dir.merge(&file)?;
    let mut problems = layers::fill(&mut tree, env, vars, &sources);
    problems.extend(check::check(&SCHEMA, &tree, &sources));
    let config = match (problems.is_empty(), serde_json::from_value(tree.to_json())) {
        (true, Ok(config)) => config,
        (true, Err(error)) => {
            let message = format!("the config cannot be read: {error}");
            return Err(vec![sources.problem(Span::default(), message, "this is a bug in payctl")]);
        }
        (false, _) => return Err(sorted(problems)),
    };
    let files = sources.files();
    let loaded = Loaded { env: env.to_owned(), config, files, tree, sources };
    match rules::check(&loaded) {
        problems if problems.is_empty() => Ok(loaded),
        problems => Err(sorted(problems)),
    }
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

/// The JSON Schema of an environment's file.
pub fn schema() -> Json {
    SCHEMA.clone()
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
