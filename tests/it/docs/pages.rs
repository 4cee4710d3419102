//! Pages that people write: the links, commands, keys, codes and tests that they name exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use payctl::aws::kinds::KINDS;
use payctl::cli::exit;
use payctl::config;
use regex_lite::Regex;
use serde_json::Value;

use super::config::{named, resolved};
use super::{read, root};

/// Every Markdown file of the repository, with its text.
fn pages() -> BTreeMap<PathBuf, String> {
    let mut pages = BTreeMap::new();
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "functions/README.md",
    ] {
        pages.insert(root().join(name), read(name));
    }
    for path in files("docs", "md") {
        let text = fs::read_to_string(&path).expect("a page is text");
        pages.insert(path, text);
    }
    pages
}

/// Every file with an extension below a folder of the repository.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut open = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(path).expect("a folder of the repository");
            open.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
    found
}

#[test]
fn links_have_targets() {
    let link = Regex::new(r"\]\(([^)#:]+)(#[^)]*)?\)").expect("a regex");
    for (page, text) in pages() {
        for found in link.captures_iter(&text) {
            let target = page.parent().expect("a folder").join(&found[1]);
            assert!(target.exists(), "{}: {} does not exist", page.display(), &found[1]);
        }
    }
}

/// The lines of a page's shell blocks, continued lines joined.
fn shell_lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let (mut inside, mut continues) = (false, false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside && ["```sh", "```console", "```yaml"].contains(&line.trim());
            continue;
        }
        if inside {
            let body = line.trim().trim_end_matches('\\').trim().to_owned();
            match lines.last_mut() {
                Some(last) if continues => *last = format!("{last} {body}"),
                _ => lines.push(body),
            }
            continues = line.ends_with('\\');
        }
    }
    lines
}

#[test]
fn every_command_in_the_docs_exists() {
    let command =
        Regex::new(r"(?:^|run: |\$ |&& |\| |cargo run -- )(?:payctl|cargo run --) ([^|>#;]*)")
            .expect("a regex");
    let mut helps: BTreeMap<Vec<String>, String> = BTreeMap::new();
    let mut seen = 0;
    for (page, text) in pages() {
        for line in shell_lines(&text) {
            for found in command.captures_iter(&line) {
                let words: Vec<&str> = found[1].split_whitespace().collect();
                let is_name = |word: &&&str| word.chars().all(|c| c.is_ascii_lowercase());
                let depth = match words.first() {
                    Some(&"sandbox" | &"env" | &"prices" | &"secret") => 2,
                    Some(word) if word.starts_with('-') => 0,
                    _ => 1,
                };
                let named: Vec<String> = words
                    .iter()
                    .take(depth)
                    .take_while(is_name)
                    .map(|word| (*word).to_owned())
                    .collect();
                let help = helps.entry(named).or_insert_with_key(|named| help_of(named));
                let flags = words.iter().filter(|word| word.starts_with("--") && word.len() > 2);
                for flag in flags.map(|flag| flag.split('=').next().unwrap_or(flag)) {
                    assert!(
                        help.contains(flag) || flag == "--help",
                        "{}: `{line}`: there is no {flag}",
                        page.display()
                    );
                }
                seen += 1;
            }
        }
    }
    assert!(seen > 12, "only {seen} commands were found in the docs");
}

fn help_of(command: &[String]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_payctl"))
        .args(command)
        .arg("--help")
        .output()
        .expect("payctl runs");
    assert!(output.status.success(), "there is no command `payctl {}`", command.join(" "));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn every_command_is_in_the_readme() {
    let help = help_of(&[]);
    let readme = read("README.md");
    let list = help.split_once("Commands:\n").expect("a list of commands").1;
    let names = list.lines().take_while(|line| !line.is_empty());
    for name in
        names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help")
    {
        assert!(readme.contains(&format!("| `{name}")), "README.md does not list `{name}`");
    }
}

#[test]
fn every_json_type_is_documented() {
    let page = read("docs/json.md");
    let shown = Regex::new(
        r#"(?s)(?:cx\.show\(|SystemTime::now\(\),|=>\s*\{?\s*\(|=> \(\s*)\s*"([a-z]+)",\s*(?:\|\||&|json!)"#,
    )
    .expect("a regex");
    let mut types = BTreeSet::new();
    for folder in ["src/cli", "src/ui"] {
        for entry in fs::read_dir(root().join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let text = fs::read_to_string(path).expect("a source file");
                types.extend(shown.captures_iter(&text).map(|found| found[1].to_owned()));
            }
        }
    }
    for known in ["plan", "started", "report", "verified", "outputs", "error", "serving"] {
        assert!(types.contains(known), "the test no longer finds `{known}`: {types:?}");
    }
    for name in types {
        assert!(page.contains(&format!("`{name}`")), "docs/json.md lacks the type `{name}`");
    }
}

#[test]
fn the_exit_codes_are_documented() {
    let codes = [
        exit::SUCCESS,
        exit::ERROR,
        exit::CHANGES,
        exit::PARTLY,
        exit::STALE,
        exit::FOUND,
        exit::INTERRUPTED,
    ];
    for page in ["README.md", "docs/json.md", "docs/errors.md"] {
        let text = read(page);
        for code in codes {
            assert!(text.contains(&format!("\n| {code} | ")), "{page} lacks the exit code {code}");
        }
    }
}

#[test]
fn every_error_class_is_documented() {
    let page = read("docs/errors.md");
    let source = read("crates/engine/src/model/error.rs");
    let rest = source.split_once("pub enum ErrorClass {").expect("the classes").1;
    let body = rest.split_once('}').expect("the end of the classes").0;
    let classes = body.lines().map(str::trim).filter_map(|line| line.strip_suffix(','));
    let classes: Vec<&str> = classes.filter(|line| !line.starts_with("//")).collect();
    assert!(classes.len() > 8, "{classes:?}");
    for class in classes {
        let snake: String = class
            .chars()
            .enumerate()
            .flat_map(|(at, c)| {
                let gap = (at > 0 && c.is_uppercase()).then_some('_');
                gap.into_iter().chain(c.to_lowercase())
            })
            .collect();
        assert!(page.contains(&format!("\n| `{snake}` | ")), "docs/errors.md lacks `{snake}`");
    }
}

#[test]
fn every_test_named_in_the_docs_exists() {
    let name = Regex::new(r"`([a-z0-9]+(?:_[a-z0-9]+){3,})`").expect("a regex");
    let mut tests = String::new();
    let sources = [("src", "rs"), ("tests", "rs"), ("crates", "rs"), ("tests", "py")];
    for path in sources.into_iter().flat_map(|(folder, extension)| files(folder, extension)) {
        tests.push_str(&fs::read_to_string(path).expect("a source file"));
    }
    let keys = config::schema().to_string();
    // These name functions of the CDK, and a name that a test should have.
    let others = ["docs/coming-from-cdk.md", "docs/voice.md"].map(|page| root().join(page));
    for (page, text) in pages().iter().filter(|(page, _)| !others.contains(page)) {
        for found in name.captures_iter(text) {
            let is_known =
                ["fn", "def"].iter().any(|word| tests.contains(&format!("{word} {}(", &found[1])))
                    || keys.contains(&format!("\"{}\"", &found[1]));
            assert!(is_known, "{}: no test and no key `{}`", page.display(), &found[1]);
        }
    }
}

#[test]
fn the_operations_of_the_sandbox_are_documented() {
    let page = read("docs/sandbox.md");
    let table = page.split_once("## Operations").expect("the table of operations").1;
    let cells = table.lines().filter_map(|row| row.split('|').nth(2));
    let name = Regex::new(r"^[A-Z][a-z]+[A-Za-z]*$").expect("a regex");
    let listed: BTreeSet<&str> = cells
        .flat_map(|cell| cell.split(','))
        .map(str::trim)
        .filter(|word| name.is_match(word))
        .collect();
    assert!(listed.len() > 200, "{listed:?}");
    let verb = |operation: &str| {
        let end = operation[1..].find(char::is_uppercase).map_or(operation.len(), |at| at + 1);
        operation[..end].to_owned()
    };
    let verbs: BTreeSet<String> = listed.iter().map(|operation| verb(operation)).collect();

    let arm = Regex::new(r#"((?:"\w+"\s*\|\s*)*"\w+")\s*=>"#).expect("a regex");
    let (mut sources, mut done) = (String::new(), BTreeSet::new());
    let is_test = |path: &PathBuf| path.iter().any(|step| step == "tests" || step == "tests.rs");
    for path in files("crates/sandbox/src", "rs").into_iter().filter(|path| !is_test(path)) {
        let text = fs::read_to_string(path).expect("a source file");
        sources.push_str(text.split("\nmod tests {").next().unwrap_or_default());
    }
    for names in arm.captures_iter(&sources) {
        let names = names[1].split('|').map(|name| name.trim().trim_matches('"').to_owned());
        done.extend(names.filter(|found| name.is_match(found) && verbs.contains(&verb(found))));
    }
    for operation in &listed {
        let found = sources.contains(&format!("\"{operation}\""));
        assert!(found, "docs/sandbox.md lists {operation}, which the sandbox does not know");
    }
    for operation in &done {
        assert!(listed.contains(&**operation), "docs/sandbox.md lacks {operation}");
    }
}

/// Whether a key stands in the schema at a dotted path, in which `NAME` stands for any name.
fn has_path(schema: &Value, path: &[&str], all: &Value) -> bool {
    let schema = resolved(schema, all);
    let Some((step, rest)) = path.split_first() else { return true };
    let own = match *step {
        "NAME" => named(schema),
        key => schema["properties"].get(key),
    };
    let branches = ["anyOf", "oneOf"].into_iter().filter_map(|key| schema[key].as_array());
    own.is_some_and(|own| has_path(own, rest, all))
        || schema.get("items").is_some_and(|items| has_path(items, path, all))
        || branches.flatten().any(|branch| has_path(branch, path, all))
}

#[test]
fn files_named_in_security_md_exist() {
    let (page, schema) = (read("docs/security.md"), config::schema());
    let code = Regex::new(r"`([^`\n]+)`").expect("a regex");
    let is_name = Regex::new(r"^[a-z_]+(\.[a-zA-Z_]+)*$").expect("a regex");
    // Words of AWS and of other tools.
    let foreign = |word: &str| {
        word.contains(':') || word.contains("amazonaws") || word.starts_with("docker ")
    };
    let mut seen = 0;
    for found in code.captures_iter(&page).map(|found| found[1].to_owned()) {
        if foreign(&found) || ["code", "REPOSITORY@sha256:DIGEST"].contains(&&*found) {
            continue;
        }
        let is_kind = KINDS.iter().any(|kind| kind.meta().kind == found);
        let path: Vec<&str> = found.split('.').collect();
        let is_key = is_name.is_match(&found) && has_path(&schema, &path, &schema);
        let part = ["log_delivery"].contains(&&*found);
        let is_there = is_kind || is_key || part || root().join(&found).is_file();
        assert!(is_there, "docs/security.md names `{found}`: no kind, key or file");
        seen += 1;
    }
    assert!(seen > 80, "only {seen} names were found");
}
