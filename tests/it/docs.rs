//! The docs that are made from the code, and the docs that must agree with it.
//!
//! `docs/config.md` comes from the JSON Schema of the config and from `docs/examples/full`,
//! `docs/kinds` from the table of kinds. `PAYCTL_UPDATE_DOCS=1 cargo test --test it docs` writes
//! them. Without the variable, the tests compare them.

use std::fs;
use std::path::Path;

mod config;
mod fleet;
mod full_example;
mod kinds;
mod pages;

/// The first line of a page that a test writes.
pub const GENERATED: &str = "<!-- Made by tests/it/docs.rs; do not edit. -->\n\n";

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Compares a generated file with the one in the repository, or writes it.
pub fn expect_file(path: &str, text: &str) {
    let full = root().join(path);
    if std::env::var_os("PAYCTL_UPDATE_DOCS").is_some_and(|value| value == "1") {
        fs::create_dir_all(full.parent().expect("a folder")).expect("the docs can be written");
        return fs::write(&full, text).expect("the docs can be written");
    }
    let found = fs::read_to_string(&full).unwrap_or_default();
    assert!(
        found == text,
        "{path} is out of date: run `PAYCTL_UPDATE_DOCS=1 cargo test --test it docs` and commit it"
    );
}
