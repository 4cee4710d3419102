//! Provisional: the config's version wins.

use std::collections::BTreeMap;
use std::path::Path;

/// A config that was read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The config.
    pub config: Config,
    /// The project.
    pub project: String,
    /// The region, if the config names one.
    pub region: Option<String>,
}

/// A config.
#[derive(Clone, Debug)]
pub struct Config;

/// Something wrong in a config.
#[derive(Clone, Debug)]
pub struct Problem(pub String);

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads a config.
pub fn load(_: &Path, _: &str, _: &BTreeMap<String, String>) -> Result<Loaded, Vec<Problem>> {
    Err(vec![Problem("provisional".into())])
}

/// The JSON Schema.
pub fn schema() -> serde_json::Value {
    serde_json::Value::Null
}
