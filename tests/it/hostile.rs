//! Input that nobody would write on purpose: bytes that are not TOML, TOML of the wrong types, thousands
//! of resources, a home that cannot be written.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use payctl::config;

use crate::cli_support::{Folder, ended};

/// Pieces of which a config might consist.
const WORDS: [&str; 30] = [
    "[queues.",
    "jobs",
    "]",
    "[[",
    "]]",
    "=",
    "\n",
    "\"",
    "'''",
    "${",
    "}",
    "{",
    ",",
    ".",
    "#",
    "project",
    "region",
    "extends",
    "\"a.toml\"",
    "true",
    "-1",
    "1e999",
    "0x",
    "1979-05-27",
    "é",
    "\u{202e}",
    "\u{0}",
    "tables",
    "partition_key",
    "nan",
];

fn loads(folder: &Path, bytes: &[u8]) {
    fs::write(folder.join("a.toml"), bytes).expect("a writable folder");
    for problem in config::load(folder, "a", &|_| None).err().unwrap_or_default() {
        assert!(!problem.to_string().is_empty());
    }
}

#[test]
fn no_bytes_make_the_config_panic() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for seed in 0..400 {
        let mut random = fastrand::Rng::with_seed(seed);
        let bytes: Vec<u8> = (0..random.usize(..300)).map(|_| random.u8(..)).collect();
        loads(folder.path(), &bytes);
        let words: String =
            (0..random.usize(..60)).map(|_| WORDS[random.usize(..WORDS.len())]).collect();
        loads(folder.path(), words.as_bytes());
    }
    // As deep and as long as nothing should be.
    loads(folder.path(), format!("a = {}", "[".repeat(20_000)).as_bytes());
    loads(folder.path(), format!("a = {}", "{b=".repeat(20_000)).as_bytes());
    loads(folder.path(), format!("[{}a]", "a.".repeat(20_000)).as_bytes());
    loads(folder.path(), "${".repeat(100_000).as_bytes());
}

#[test]
fn thousands_of_resources_are_planned() {
    let folder = Folder::empty();
    let mut text = "project = \"shop\"\nregion = \"us-east-1\"\n".to_owned();
    for number in 0..2000 {
        writeln!(text, "[queues.q{number}]").expect("a string takes all");
    }
    folder.write("config/dev.toml", &text);
    let ran = folder.expect(0, "plan --env dev --sandbox");
    assert!(ran.err.is_empty() || !ran.err.contains("panicked"), "{}", ran.err);
    assert!(ran.out.contains("2000 to create") || ran.err.contains("2000 to create"));
}

#[test]
fn payctl_needs_no_home() {
    let folder = Folder::empty();
    let text = "project = \"shop\"\nregion = \"us-east-1\"\ndisposable = true\n[queues.jobs]\n";
    folder.write("config/dev.toml", text);
    for home in ["/proc", "/nowhere/at/all"] {
        let mut command = folder.payctl("apply --env dev --sandbox --auto-approve");
        let ran = ended(command.env("HOME", home));
        ran.expect(0, home);
    }
    let mut command = folder.payctl("destroy --env dev --sandbox --auto-approve");
    ended(command.env_remove("HOME")).expect(0, "without a home");
}
