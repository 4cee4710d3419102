//! From the files of an environment to a [`Loaded`] config, or to every problem with them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::files::MOST_ENTRIES;
use super::json_schema::SCHEMA;
use super::layers::{self, Dir, Environment, Merged};
use super::loaded::Loaded;
use super::problem::{Problem, Sources, Span};
use super::schema::Config;
use super::tree::{self, Node};
use super::{check, packages, rules};

/// The environments and templates that a directory offers.
pub fn find_environments(dir: &Path) -> Result<Vec<Environment>, Problem> {
    Ok(Dir::read(dir)?.environments())
}

/// Whether a directory has a file or a template for an environment.
pub fn has(dir: &Path, env: &str) -> Result<bool, Problem> {
    Ok(Dir::read(dir)?.find(env).is_ok())
}

/// The region that the files of a directory name, if all name the same one.
pub fn region(dir: &Path) -> Option<String> {
    let dir = Dir::read(dir).ok()?;
    let texts = dir.files.values().filter_map(|text| text.as_ref().ok());
    let named = texts.filter_map(|text| tree::parse(text, 0).0.text("region").map(str::to_owned));
    let mut regions = named.collect::<BTreeSet<_>>().into_iter();
    regions.next().filter(|region| regions.next().is_none() && !region.contains('$'))
}

/// Whether a config that was changed since it was read keeps all rules.
pub fn is_valid(loaded: &Loaded) -> bool {
    rules::check(loaded).is_empty()
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

/// The same from a directory that has been read.
pub(super) fn inspect_from(
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
    let entries = tree.entries();
    if entries > MOST_ENTRIES {
        let message =
            format!("the sections have {entries} entries together, at most {MOST_ENTRIES}");
        let fix = "divide them among several environments";
        problems.push(layers::whole(&dir.path.join(&file), message, fix));
        return (None, problems);
    }
    let elsewhere = region.and_then(|region| elsewhere(&tree, &sources, region));
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
    problems.extend(found.chain(elsewhere));
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

/// An environment that names its account belongs to its region as well: another one is a mistake.
fn elsewhere(tree: &Node, sources: &Sources, region: &str) -> Option<Problem> {
    tree.get("account")?;
    let own = tree.get("region")?;
    let named = tree.text("region").filter(|named| *named != region && !named.contains('$'))?;
    let message = format!("--region is {region}, but this environment belongs to {named}");
    let fix = "remove --region, or choose the environment of that region";
    Some(sources.problem(own.at, message, fix))
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
