//! Provisional: the config's version wins.

use std::path::{Path, PathBuf};

/// A config that was read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The config.
    pub config: Config,
}

/// A config.
#[derive(Clone, Debug)]
pub struct Config {
    /// The project.
    pub project: Name,
    /// The region.
    pub region: Name,
    /// The account.
    pub account: Option<Name>,
}

/// A name.
#[derive(Clone, Debug)]
pub struct Name(pub String);

/// An environment.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The name.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// For a template: which names take it.
    pub pattern: Option<String>,
    /// For a template: names that match.
    pub examples: Vec<String>,
}

/// Something wrong in a config.
#[derive(Clone, Debug)]
pub struct Problem(pub String);

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The environments.
pub fn find_environments(dir: &Path) -> Result<Vec<Environment>, Problem> {
    let failed = |error: std::io::Error| Problem(error.to_string());
    let mut found = Vec::new();
    for file in std::fs::read_dir(dir).map_err(failed)? {
        let file = file.map_err(failed)?.path();
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if file.extension().is_some_and(|end| end == "toml") && name != "base" {
            found.push(Environment { name, file, pattern: None, examples: Vec::new() });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Reads a config.
pub fn load(_: &Path, _: &str, _: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Vec<Problem>> {
    Err(vec![Problem("provisional".into())])
}

/// The JSON Schema.
pub fn schema() -> serde_json::Value {
    serde_json::Value::Null
}
