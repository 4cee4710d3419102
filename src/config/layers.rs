//! Finds the files of an environment and merges them into one tree with the inputs filled in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex_lite::Regex;
use sha2::{Digest as _, Sha256};

use super::files::{LARGEST_CONFIG, LARGEST_TOGETHER, MOST_CONFIGS, Refusal, Repository, size};
use super::key_path::KeyPath;
use super::problem::{Place, Problem, Sources, Span, suggest};
use super::template;
use super::tree::{self, Node, Value};
use super::variables::{self, Variables};

/// The longest name of an environment: with a hash of 8 digits it still fits into every name.
pub const LONGEST_ENV: usize = 48;

/// The texts of a config directory by file name; for a file that is not read, the reason.
pub(crate) struct Dir {
    pub(crate) path: PathBuf,
    pub(crate) files: BTreeMap<String, Result<String, Refusal>>,
}

/// An environment, or a template of environments, that a config directory offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// The name; for a template, the name of its file without `.toml`.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// For a template: the names that use it.
    pub pattern: Option<String>,
    /// For a template: names that match.
    pub examples: Vec<String>,
}

impl Dir {
    pub(crate) fn read(path: &Path) -> Result<Self, Problem> {
        let failed = |error: std::io::Error| {
            let message = format!("cannot read the config directory: {error}");
            whole(path, message, "name another one with --config-dir")
        };
        let repository = Repository::around(path).map_err(failed)?;
        let (mut files, mut together) = (BTreeMap::new(), 0);
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let file = entry.map_err(failed)?.path();
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !name.ends_with(".toml") || file.is_dir() {
                continue;
            }
            if files.len() == MOST_CONFIGS {
                let message = format!("there are more than {MOST_CONFIGS} config files");
                return Err(whole(path, message, "split them into several directories"));
            }
            let text = repository.read(&file, LARGEST_CONFIG).and_then(|bytes| {
                String::from_utf8(bytes).map_err(|error| {
                    let message = format!("{} is not UTF-8: {error}", file.display());
                    (message, "save it as UTF-8".to_owned())
                })
            });
            together += text.as_ref().map_or(0, String::len);
            if together > LARGEST_TOGETHER {
                let most = size(LARGEST_TOGETHER);
                let message = format!("the config files are larger than {most} together");
                return Err(whole(path, message, "split them into several directories"));
            }
            files.insert(name.to_owned(), text);
        }
        Ok(Self { path: path.to_owned(), files })
    }

    /// The environments, and the problems of files whose `[template]` cannot be read.
    pub(crate) fn environments(&self) -> Vec<Environment> {
        let stems = self.files.iter().filter_map(|(name, text)| {
            let stem = name.strip_suffix(".toml")?;
            (stem != "base" && is_env_name(stem)).then_some((stem, name, text))
        });
        let found = stems.map(|(stem, name, text)| {
            let tree = text.as_ref().ok().map(|text| tree::parse(text, 0).0);
            let rule = tree.as_ref().and_then(|tree| tree.get("template"));
            let examples = rule.and_then(|rule| match &rule.get("examples")?.value {
                Value::Array(items) => Some(items.iter().filter_map(as_text).collect()),
                _ => None,
            });
            Environment {
                name: stem.to_owned(),
                file: self.path.join(name),
                pattern: rule.and_then(|rule| rule.text("pattern")).map(str::to_owned),
                examples: examples.unwrap_or_default(),
            }
        });
        found.collect()
    }

    /// The file of an environment: its own, or the one template that its name matches.
    pub(crate) fn find(&self, env: &str) -> Result<String, Problem> {
        let fail = |message: String, fix: String| Err(whole(&self.path, message, fix));
        if !is_env_name(env) || env == "base" {
            let fix = format!(
                "a name has 1 to {LONGEST_ENV} lower-case letters, digits and single dashes, and \
                 begins with a letter; `base` is reserved for a base file"
            );
            return fail(format!("`{env}` cannot be the name of an environment"), fix);
        }
        let all = self.environments();
        if let Some(own) = all.iter().find(|known| known.name == env) {
            return match &own.pattern {
                None => Ok(format!("{env}.toml")),
                Some(pattern) => {
                    let message = format!("`{env}` is a template, not an environment");
                    let examples = own.examples.join(", ");
                    fail(message, format!("use a name that matches {pattern}: {examples}"))
                }
            };
        }
        let takes = |known: &&Environment| {
            known.pattern.as_deref().and_then(whole_match).is_some_and(|regex| regex.is_match(env))
        };
        let fitting: Vec<&Environment> = all.iter().filter(takes).collect();
        match fitting.as_slice() {
            [only] => Ok(format!("{}.toml", only.name)),
            [] => {
                let names = || {
                    let one = |known: &'_ Environment| match known.pattern {
                        Some(_) => known.examples.clone(),
                        None => vec![known.name.clone()],
                    };
                    all.iter().flat_map(one).collect::<Vec<_>>()
                };
                let fix = suggest(env, names().iter().map(String::as_str), "environments");
                fail(format!("there is no environment `{env}`"), fix)
            }
            several => {
                let names: Vec<&str> = several.iter().map(|known| known.name.as_str()).collect();
                let fix = "narrow the patterns, so that one matches".to_owned();
                fail(format!("`{env}` matches several templates: {}", names.join(", ")), fix)
            }
        }
    }

    /// The merged tree of a file and all that it extends.
    pub(crate) fn merge(&self, file: &str) -> Merged {
        let mut sources = Sources::default();
        let mut problems = Vec::new();
        let mut layers: Vec<Node> = Vec::new();
        let mut seen = vec![file.to_owned()];
        let mut from: Option<Span> = None;
        loop {
            let name = seen.last().cloned().unwrap_or_default();
            let text = match self.files.get(&name) {
                Some(Ok(text)) => text.clone(),
                Some(Err((message, fix))) => {
                    problems.push(at(&sources, from, &self.path, message.clone(), fix));
                    break;
                }
                None => {
                    let message = format!("there is no file `{name}`");
                    let files = self.files.keys().map(String::as_str);
                    let fix = suggest(&name, files, "files in this directory");
                    problems.push(at(&sources, from, &self.path, message, &fix));
                    break;
                }
            };
            let number = sources.add(self.path.join(&name), text.clone());
            let (layer, errors) = tree::parse(&text, number);
            let errors = errors.into_iter();
            problems.extend(errors.map(|(span, message)| {
                let fix = "correct the TOML syntax";
                sources.problem(span, message, fix)
            }));
            let next = layer.get("extends").map(|node| (as_text(node), node.at));
            layers.push(layer);
            match next {
                Some((Some(next), span)) if seen.contains(&next) => {
                    seen.push(next);
                    let chain = seen.join(" -> ");
                    problems.push(sources.problem(span, "a file extends itself", chain));
                    break;
                }
                Some((Some(next), span)) => {
                    from = Some(span);
                    seen.push(next);
                }
                Some((None, _)) | None => break,
            }
        }
        let mut layers = layers.into_iter().rev();
        let tree = layers.next().map(|mut merged| {
            layers.for_each(|layer| merged.overlay(layer));
            with_zone(&mut merged);
            without_inherited(&mut merged);
            let top = Span::default();
            Node { at: top, key_at: top, ..merged }
        });
        Merged { tree, sources, problems }
    }
}

/// The table with the differences of an environment that names its zone.
pub(crate) const WITH_ZONE: &str = "with_zone";

/// Applies the differences in `[with_zone]` if there is a zone, and forgets them if there is none.
fn with_zone(tree: &mut Node) {
    let has_zone = tree.get("zone").is_some();
    let Value::Table(entries) = &mut tree.value else { return };
    let Some(differences) = entries.remove(WITH_ZONE) else { return };
    if !matches!(differences.value, Value::Table(_)) {
        // The check reports it.
        entries.insert(WITH_ZONE.to_owned(), differences);
    } else if has_zone {
        tree.overlay(differences);
    }
}

/// The keys that name an object of another owner.
const ELSEWHERE: [&str; 3] = ["existing", "from", "vpc"];
/// The sections of what another owner can have.
const LENDABLE: &[&str] = &["network"];
/// The same for sections of named items.
const LENDABLE_ITEMS: &[&str] =
    &["buckets", "databases", "keys", "load_balancers", "roles", "security_groups"];

/// A table that names an object of another owner says all: what it inherits from the files below is the
/// owner's to decide. What stands beside it in the same file or above stays, and is an error.
fn without_inherited(tree: &mut Node) {
    let Value::Table(sections) = &mut tree.value else { return };
    for (name, section) in sections {
        if LENDABLE.contains(&name.as_str()) {
            keep_own(section);
        } else if let (true, Value::Table(items)) =
            (LENDABLE_ITEMS.contains(&name.as_str()), &mut section.value)
        {
            items.values_mut().for_each(keep_own);
        }
    }
}

fn keep_own(node: &mut Node) {
    let named = ELSEWHERE.iter().filter_map(|key| node.get(key));
    let Some(file) = named.map(|found| found.key_at.file).min() else { return };
    if let Value::Table(entries) = &mut node.value {
        entries.retain(|_, entry| entry.key_at.file <= file);
    }
}

/// The merged content of the files of an environment.
pub(crate) struct Merged {
    /// The tree; none if not even the first file could be read.
    pub(crate) tree: Option<Node>,
    pub(crate) sources: Sources,
    /// The files that could not be read. If there are any, the tree may lack parts.
    pub(crate) problems: Vec<Problem>,
}

fn at(sources: &Sources, span: Option<Span>, path: &Path, message: String, fix: &str) -> Problem {
    match span {
        Some(span) => sources.problem(span, message, fix),
        None => whole(path, message, fix),
    }
}

/// A problem without a line in a file.
pub(crate) fn whole(path: &Path, message: impl Into<String>, fix: impl Into<String>) -> Problem {
    Problem {
        place: Place { file: path.to_owned(), line: 0, column: 0 },
        line_text: String::new(),
        width: 0,
        message: message.into(),
        fix: fix.into(),
    }
}

fn as_text(node: &Node) -> Option<String> {
    match &node.value {
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// A pattern that must match a whole name.
pub(crate) fn whole_match(pattern: &str) -> Option<Regex> {
    Regex::new(&format!("^(?:{pattern})$")).ok()
}

/// Whether a name can be an environment's.
pub(crate) fn is_env_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.len() <= LONGEST_ENV
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(allowed)
        && !name.ends_with('-')
        && !name.contains("--")
}

/// The name of an environment from any text, such as the name of a branch: its letters and digits in
/// lower case, with dashes in between. A digest tells texts apart that differ only in the rest.
pub fn env_name(text: &str) -> String {
    if is_env_name(text) {
        return text.to_owned();
    }
    let mut name = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        name.insert_str(0, "env-");
    }
    let digest = digest(text);
    name.truncate(LONGEST_ENV - digest.len() - 1);
    format!("{}-{digest}", name.trim_end_matches('-'))
}

/// Eight hexadecimal digits that stand for a text.
pub(crate) fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// Fills in `${env}`, `${project}`, `${region}`, `${zone}` and `${var.NAME}` everywhere, keys included.
/// Returns the problems, and the places of the keys of values that have one.
pub(crate) fn fill(
    tree: &mut Node,
    env: &str,
    vars: &dyn Fn(&str) -> Option<String>,
    sources: &Sources,
) -> (Vec<Problem>, BTreeSet<Span>) {
    let (variables, said) = variables::declared(tree, vars, sources);
    let (problems, bad) = (Vec::new(), BTreeSet::new());
    let mut fill = Fill { known: BTreeMap::new(), variables, sources, problems, bad };
    fill.known.insert("env".to_owned(), env.to_owned());
    for input in ["project", "region", "zone"] {
        if let Some(text) = tree.text(input) {
            let text = fill.text(text, tree.locate(&KeyPath::of(input)));
            fill.known.insert(input.to_owned(), text);
        }
    }
    // The walk reports problems of these again.
    fill.problems.clear();
    fill.top(tree);
    fill.problems.extend(said);
    (fill.problems, fill.bad)
}

struct Fill<'a> {
    known: BTreeMap<String, String>,
    variables: Variables,
    sources: &'a Sources,
    problems: Vec<Problem>,
    /// The places of the keys of values with problems.
    bad: BTreeSet<Span>,
}

impl Fill<'_> {
    /// Fills in everything except the variables themselves, which stay as they are.
    fn top(&mut self, tree: &mut Node) {
        let kept = match &mut tree.value {
            Value::Table(entries) => entries.remove_entry(variables::SECTION),
            _ => None,
        };
        self.walk(tree);
        if let Value::Table(entries) = &mut tree.value {
            entries.extend(kept);
        }
    }

    fn walk(&mut self, node: &mut Node) {
        let before = self.problems.len();
        match &mut node.value {
            Value::String(text) => *text = self.text(text, node.at),
            Value::Array(items) => items.iter_mut().for_each(|item| self.walk(item)),
            Value::Table(entries) => {
                let mut renamed: BTreeMap<String, Node> = BTreeMap::new();
                for (key, mut entry) in std::mem::take(entries) {
                    let key = self.text(&key, entry.key_at);
                    self.walk(&mut entry);
                    if renamed.contains_key(&key) {
                        let message = format!("`{key}` appears twice");
                        self.problems.push(self.sources.problem(
                            entry.key_at,
                            message,
                            "remove one",
                        ));
                    }
                    renamed.insert(key, entry);
                }
                *entries = renamed;
            }
            Value::Integer(_) | Value::Float(_) | Value::Bool(_) | Value::Datetime(_) => {}
        }
        if self.problems.len() > before && matches!(node.value, Value::String(_)) {
            self.bad.insert(node.key_at);
        }
    }

    fn text(&mut self, text: &str, at: Span) -> String {
        let Self { known, variables, sources, problems, .. } = self;
        let filled = template::replace(text, &mut |expr| {
            let Some(name) = expr.strip_prefix("var.") else { return known.get(expr).cloned() };
            let value = variables.value(name).unwrap_or_else(|(message, fix)| {
                problems.push(sources.problem(at, message, fix));
                String::new()
            });
            Some(value)
        });
        filled.unwrap_or_else(|message| {
            self.problems.push(self.sources.problem(at, message, "a `}` is missing"));
            String::new()
        })
    }
}
