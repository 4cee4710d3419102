//! The recommended platform as a scanner sees it: Checkov, over every shipped environment in the words
//! of Terraform (`form.rs`).
//!
//! Each rule that is not met stands in `tests/checkov/unmet.toml` with the reason. The test fails on a
//! rule that is not met and not listed, and on a listed one that is met.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use payctl::blueprint::{Facts, build};
use payctl::config;
use serde_json::Value;
use toml_edit::DocumentMut;

use crate::moto::python;

mod form;

/// The environments, and what stands for them.
const ENVIRONMENTS: [&str; 4] = ["dev", "staging", "prod", "pr-123"];

/// How long the scan may take. It takes some twenty seconds.
const LONGEST: Duration = Duration::from_secs(300);

/// What a rule says of a resource.
struct Finding {
    rule: String,
    what: String,
    env: String,
    resource: String,
}

/// Scans everything; what passed, and what did not.
fn scan() -> (Vec<Finding>, Vec<Finding>) {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    for env in ENVIRONMENTS {
        let loaded = config::load(&dir, env, &|_| None).expect("a valid config");
        let blueprint = build(&loaded, &Facts::placeholder("us-east-1")).expect("a blueprint");
        let own = folder.path().join(env);
        fs::create_dir(&own).expect("a folder");
        let text = format!("{:#}", form::terraform(&blueprint));
        fs::write(own.join("main.tf.json"), text).expect("a file");
    }
    let report = run(folder.path());
    let results = &report["results"];
    let findings = |key: &str| -> Vec<Finding> {
        let all = results[key].as_array().unwrap_or_else(|| panic!("no {key}: {report}"));
        let text = |found: &Value, key: &str| found[key].as_str().unwrap_or_default().to_owned();
        all.iter()
            .map(|found| Finding {
                rule: text(found, "check_id"),
                what: text(found, "check_name"),
                env: text(found, "file_path").split('/').nth(1).unwrap_or_default().to_owned(),
                resource: text(found, "resource"),
            })
            .collect()
    };
    (findings("passed_checks"), findings("failed_checks"))
}

/// Runs Checkov on a folder, without asking anybody anything.
fn run(folder: &Path) -> Value {
    let checkov = python("checkov").join("bin/checkov");
    let out = fs::File::create(folder.join("report.json")).expect("a file");
    let arguments = ["--framework", "terraform", "--output", "json", "--quiet", "--compact"];
    let mut child = Command::new(&checkov)
        .args(["--directory", "."])
        .args(arguments)
        .args(["--skip-download", "--skip-path", "report.json"])
        .current_dir(folder)
        .env_remove("BC_API_KEY")
        .env("LOG_LEVEL", "ERROR")
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {}: {error}", checkov.display()));
    let began = Instant::now();
    // It ends with 1 when it finds anything.
    while child.try_wait().expect("a child").is_none() {
        if began.elapsed() > LONGEST {
            let _ended = child.kill().and_then(|()| child.wait());
            panic!("Checkov did not end within {LONGEST:?}");
        }
        thread::sleep(Duration::from_millis(50));
    }
    let text = fs::read_to_string(folder.join("report.json")).expect("a report");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("no report: {error}\n{text}"))
}

/// A rule that is not met, and why.
struct Unmet {
    rule: String,
    /// `TYPE.NAME`, or `TYPE.*` for all of a type.
    resource: String,
    envs: Vec<String>,
}

/// The list of what is not met.
fn unmet() -> Vec<Unmet> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkov/unmet.toml");
    let text = fs::read_to_string(file).expect("the list is in the repository");
    let list: DocumentMut = text.parse().expect("TOML");
    let all = list["unmet"].as_array_of_tables().expect("a list of rules");
    all.iter()
        .map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            assert!(text("reason").len() > 20, "{} has no reason", text("rule"));
            let envs = entry["envs"].as_array().expect("environments").iter();
            let envs = envs.filter_map(|env| env.as_str()).map(str::to_owned).collect();
            Unmet { rule: text("rule"), resource: text("resource"), envs }
        })
        .collect()
}

impl Unmet {
    fn covers(&self, found: &Finding) -> bool {
        let is_here = match self.resource.strip_suffix('*') {
            Some(start) => found.resource.starts_with(start),
            None => found.resource == self.resource,
        };
        self.rule == found.rule && is_here && self.envs.contains(&found.env)
    }
}

#[test]
fn every_rule_of_the_scanner_is_met_or_listed_with_the_reason() {
    let (passed, failed) = scan();
    assert!(passed.len() > 1_500, "{} checks passed: is all of it there?", passed.len());
    let (unmet, mut wrong) = (unmet(), BTreeMap::<String, BTreeSet<String>>::new());
    for found in &failed {
        if !unmet.iter().any(|entry| entry.covers(found)) {
            let rule = format!("not met and not listed: {} ({})", found.rule, found.what);
            wrong.entry(rule).or_default().insert(format!("{} {}", found.env, found.resource));
        }
    }
    for entry in &unmet {
        for env in &entry.envs {
            let here = |found: &&Finding| entry.covers(found) && found.env == *env;
            let name = format!("{} {} in {env}", entry.rule, entry.resource);
            if !failed.iter().any(|found| here(&found)) {
                wrong.entry("listed, and met".into()).or_default().insert(name.clone());
            }
            for met in passed.iter().filter(here) {
                let rule = format!("{name}: some meet it, list the others by name");
                wrong.entry(rule).or_default().insert(met.resource.clone());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_kind_has_a_form_or_no_rules() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    for env in ENVIRONMENTS {
        let loaded = config::load(&dir, env, &|_| None).expect("a valid config");
        let blueprint = build(&loaded, &Facts::placeholder("us-east-1")).expect("a blueprint");
        let form = form::terraform(&blueprint).to_string();
        assert!(!form.contains("${."), "{env}: a reference leads nowhere");
    }
}
