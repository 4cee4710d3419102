//! The rules of a scanner, Checkov, on every shipped environment, written as Terraform (`form.rs`).
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
use toml_edit::{DocumentMut, Item};

use crate::moto::python;
use crate::support::shipped_config;

mod form;

/// The environments of `config/`, one of a pull request among them.
const ENVIRONMENTS: [&str; 4] = ["dev", "staging", "prod", "pr-7"];

/// How long the scan may take. It takes some fifteen seconds.
const LONGEST: Duration = Duration::from_secs(240);

/// The result of a rule for a resource.
struct Finding {
    rule: String,
    what: String,
    env: String,
    resource: String,
}

/// Scans all environments. Returns the checks that passed, and those that failed.
fn scan() -> (Vec<Finding>, Vec<Finding>) {
    // Checkov passes over folders whose name begins with a dot, as names of temporary folders do.
    let folder = tempfile::Builder::new().prefix("payctl-scan-").tempdir().expect("a folder");
    let mut written = 0;
    for env in ENVIRONMENTS {
        let loaded = config::load(&shipped_config(), env, &|_| None).expect("a valid config");
        let facts = Facts::placeholder(&loaded.config.region);
        let blueprint = build(&loaded, &facts).expect("a blueprint");
        let own = folder.path().join(env);
        fs::create_dir(&own).expect("a folder");
        let (text, resources) = form::terraform(&blueprint);
        fs::write(own.join("main.tf"), text).expect("a file");
        written += resources;
    }
    let report = run(folder.path());
    let summary = &report["summary"];
    assert_eq!(summary["parsing_errors"], 0, "Checkov cannot read the form: {summary}");
    assert_eq!(summary["resource_count"], written, "Checkov did not see everything: {summary}");
    let findings = |key: &str| -> Vec<Finding> {
        let all = report["results"][key].as_array().unwrap_or_else(|| panic!("no {key}: {report}"));
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

/// Runs Checkov on a folder, without the network.
fn run(folder: &Path) -> Value {
    let checkov = python("checkov").join("bin/checkov");
    let (report, said) = (folder.join("report.json"), folder.join("said.txt"));
    let mut child = Command::new(&checkov)
        .args(["--directory", ".", "--framework", "terraform"])
        .args(["--output", "json", "--compact", "--skip-download"])
        .current_dir(folder)
        // The test does not use the settings of the user.
        .env("HOME", folder)
        .env_remove("BC_API_KEY")
        .env("CHECKOV_RUN_SCA_PACKAGE_SCAN", "false")
        .env("LOG_LEVEL", "ERROR")
        .stdin(Stdio::null())
        .stdout(fs::File::create(&report).expect("a file"))
        .stderr(fs::File::create(&said).expect("a file"))
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {}: {error}", checkov.display()));
    let began = Instant::now();
    // Checkov exits with 1 if it finds something. If it fails itself, its report is not JSON.
    while child.try_wait().expect("a child").is_none() {
        if began.elapsed() > LONGEST {
            let _ended = child.kill().and_then(|()| child.wait());
            panic!("Checkov did not end within {LONGEST:?}");
        }
        thread::sleep(Duration::from_millis(50));
    }
    let text = fs::read_to_string(report).expect("a report");
    serde_json::from_str(&text).unwrap_or_else(|error| {
        let said = fs::read_to_string(said).expect("a file");
        panic!("Checkov made no report: {error}\n{text}\n{said}")
    })
}

/// A rule that is not met by some resources, in some environments.
struct Unmet {
    rule: String,
    /// `TYPE.NAME`, or `TYPE.*` for all of a type.
    resource: String,
    env: String,
}

/// The list of rules that are not met.
fn unmet() -> Vec<Unmet> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkov/unmet.toml");
    let text = fs::read_to_string(file).expect("the list is in the repository");
    let list: DocumentMut = text.parse().expect("TOML");
    let mut all = Vec::new();
    for entry in list["unmet"].as_array_of_tables().expect("a list of rules") {
        let rule = entry["rule"].as_str().expect("a rule");
        let reason = entry["reason"].as_str().unwrap_or_default();
        assert!(reason.len() > 20, "{rule} has no reason");
        for resource in texts(&entry["resources"]) {
            for env in texts(&entry["envs"]) {
                all.push(Unmet { rule: rule.to_owned(), resource: resource.clone(), env });
            }
        }
    }
    all
}

/// The texts of a list in TOML.
fn texts(item: &Item) -> Vec<String> {
    let all = item.as_array().expect("a list").iter();
    all.map(|text| text.as_str().expect("a text").to_owned()).collect()
}

impl Unmet {
    fn covers(&self, found: &Finding) -> bool {
        let is_here = match self.resource.strip_suffix('*') {
            Some(start) => found.resource.starts_with(start),
            None => found.resource == self.resource,
        };
        self.rule == found.rule && is_here && self.env == found.env
    }
}

#[test]
fn every_rule_of_the_scanner_is_met_or_listed_with_the_reason() {
    let (passed, failed) = scan();
    let (unmet, mut wrong) = (unmet(), BTreeMap::<String, BTreeSet<String>>::new());
    for found in &failed {
        if !unmet.iter().any(|entry| entry.covers(found)) {
            let rule = format!("not met and not listed: {} ({})", found.rule, found.what);
            wrong.entry(rule).or_default().insert(format!("{} {}", found.env, found.resource));
        }
    }
    for entry in &unmet {
        let name = format!("{} {} in {}", entry.rule, entry.resource, entry.env);
        if !failed.iter().any(|found| entry.covers(found)) {
            wrong.entry("listed, and nothing fails it".into()).or_default().insert(name.clone());
        }
        for met in passed.iter().filter(|found| entry.covers(found)) {
            let rule = format!("{name}: some meet it, list the others by name");
            wrong.entry(rule).or_default().insert(met.resource.clone());
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let rules = |found: &[Finding]| {
        found.iter().map(|found| found.rule.as_str()).collect::<BTreeSet<_>>().len()
    };
    println!("{} checks of {} rules passed", passed.len(), rules(&passed));
    println!("{} checks of {} rules are listed as not met", failed.len(), rules(&failed));
}
