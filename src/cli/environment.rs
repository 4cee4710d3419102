//! How payctl finds the environment's name: `--env`, `PAYCTL_ENV`, or the pull request of a CI job.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::error::{CliError, ErrorKind};
use crate::config;

/// Variables that CI systems set in pull-request jobs, each with the text before the number.
const PULL_REQUESTS: &[(&str, &str)] = &[
    ("GITHUB_REF", "refs/pull/"),
    ("CI_MERGE_REQUEST_IID", ""),
    ("BITBUCKET_PR_ID", ""),
    ("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER", ""),
    ("SYSTEM_PULLREQUEST_PULLREQUESTID", ""),
    ("BUILDKITE_PULL_REQUEST", ""),
    ("TRAVIS_PULL_REQUEST", ""),
    ("DRONE_PULL_REQUEST", ""),
    ("CODEBUILD_WEBHOOK_TRIGGER", "pr/"),
    ("CHANGE_ID", ""),
];

/// The environment's name. `flag` is `--env`, `variable` reads an environment variable.
pub(super) fn choose(
    flag: Option<&str>,
    variable: impl Fn(&str) -> Option<String>,
    config_dir: &Path,
) -> Result<String, CliError> {
    match named(flag, &variable) {
        Some(pattern) if is_pattern(&pattern) => {
            let title = format!("`{pattern}` names several environments");
            return Err(CliError::new(ErrorKind::User, title).hinted(
                "name one environment: only payctl plan and payctl validate take a pattern",
            ));
        }
        Some(named) => return Ok(fitting(named, config_dir)),
        None => {}
    }
    if let Some(number) = pull_request(variable) {
        return Ok(format!("pr-{number}"));
    }
    let error = CliError::new(ErrorKind::User, "no environment was chosen");
    let names = found(config_dir)?;
    Err(match names.as_slice() {
        [] => error.hinted(format!("there is no *.toml file in {}", config_dir.display())),
        [first, ..] => error
            .hinted(format!("choose one with --env or PAYCTL_ENV, for example --env {first}"))
            .hinted(format!("found in {}: {}", config_dir.display(), names.join(", "))),
    })
}

/// What the caller wrote: `--env`, else `PAYCTL_ENV`.
pub(super) fn named(
    flag: Option<&str>,
    variable: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let named = flag.map(str::to_owned).or_else(|| variable("PAYCTL_ENV"));
    named.filter(|name| !name.is_empty())
}

/// Whether a name stands for every environment that fits: `pr-*`.
pub(super) fn is_pattern(name: &str) -> bool {
    name.contains('*')
}

/// The name as it is, or a valid one made of it: a pipeline may pass the name of a branch. A name that
/// the config would not take either way stays, so that the error quotes what was typed.
fn fitting(named: String, config_dir: &Path) -> String {
    let name = config::env_name(&named);
    match config::has(config_dir, &name) {
        Ok(false) => named,
        Ok(true) | Err(_) => name,
    }
}

/// The number of the pull request that this CI job runs for.
fn pull_request(variable: impl Fn(&str) -> Option<String>) -> Option<u64> {
    let of_ref = PULL_REQUESTS.iter().find_map(|(name, before)| {
        let value = variable(name)?;
        let number = value.strip_prefix(before)?;
        let number = number.split('/').next()?;
        // Some systems say `false` when a job does not run for a pull request.
        number.parse().ok()
    });
    of_ref.or_else(|| github_number(&variable))
}

/// The number of the pull request of a job of GitHub Actions. The job that runs when one was merged has the ref
/// of a branch, and so has one of `pull_request_target`: their event names it.
pub(super) fn github_number(variable: &dyn Fn(&str) -> Option<String>) -> Option<u64> {
    if variable("GITHUB_ACTIONS").as_deref() != Some("true") {
        return None;
    }
    let event = variable("GITHUB_EVENT_PATH").and_then(|path| fs::read_to_string(path).ok());
    let event: Value = serde_json::from_str(&event.unwrap_or_default()).unwrap_or_default();
    event["pull_request"]["number"].as_u64()
}

/// The words to type after `--env` for each environment in the config directory: its name, or an
/// example that matches its template.
pub(super) fn found(config_dir: &Path) -> Result<Vec<String>, CliError> {
    let found = config::find_environments(config_dir);
    let found = found.map_err(|problem| CliError::config(&[problem]))?;
    let names = found.into_iter().flat_map(|environment| match environment.pattern {
        None => vec![environment.name],
        Some(_) => environment.examples,
    });
    Ok(names.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(flag: Option<&str>, variables: &[(&str, &str)]) -> Result<String, CliError> {
        let dir = tempfile::tempdir().unwrap();
        for name in ["prod", "dev"] {
            let text = "project = \"payment\"\nregion = \"us-east-1\"\n";
            std::fs::write(dir.path().join(format!("{name}.toml")), text).unwrap();
        }
        std::fs::write(dir.path().join("notes.md"), "").unwrap();
        let read = |name: &str| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        choose(flag, read, dir.path())
    }

    #[test]
    fn the_flag_wins_over_variables_and_ci() {
        let ci = ("GITHUB_REF", "refs/pull/12/merge");
        assert_eq!(chosen(Some("dev"), &[("PAYCTL_ENV", "prod"), ci]).unwrap(), "dev");
        assert_eq!(chosen(None, &[("PAYCTL_ENV", "prod"), ci]).unwrap(), "prod");
        assert_eq!(chosen(None, &[("PAYCTL_ENV", ""), ci]).unwrap(), "pr-12");
    }

    #[test]
    fn the_name_of_a_branch_becomes_a_valid_name_where_a_template_takes_it() {
        let dir = tempfile::tempdir().unwrap();
        let text = "[template]\npattern = \"pr-[a-z0-9-]+\"\n";
        std::fs::write(dir.path().join("pr.toml"), text).unwrap();
        let chosen = |flag| choose(Some(flag), |_| None, dir.path()).unwrap();
        let name = chosen("pr-Feature/Pay_Now");
        assert!(name.starts_with("pr-feature-pay-now-"), "{name}");
        assert_ne!(name, chosen("pr-feature/pay_now"));
        assert_eq!(chosen("pr-feature"), "pr-feature");
        assert_eq!(chosen("Prod"), "Prod", "no template takes it");
    }

    #[test]
    fn a_pattern_is_never_made_a_name() {
        let error = chosen(Some("pr-*"), &[]).unwrap_err();
        assert_eq!(error.source.unwrap().title, "`pr-*` names several environments");
    }

    #[test]
    fn pull_requests_are_recognised_in_every_ci_system() {
        let check = |name, value| assert_eq!(chosen(None, &[(name, value)]).unwrap(), "pr-7");
        check("GITHUB_REF", "refs/pull/7/merge");
        check("CI_MERGE_REQUEST_IID", "7");
        check("BITBUCKET_PR_ID", "7");
        check("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER", "7");
        check("BUILDKITE_PULL_REQUEST", "7");
        check("CODEBUILD_WEBHOOK_TRIGGER", "pr/7");
    }

    #[test]
    fn the_event_names_a_merged_pull_request() {
        let dir = tempfile::tempdir().unwrap();
        let event = dir.path().join("event.json");
        std::fs::write(&event, r#"{ "action": "closed", "pull_request": { "number": 7 } }"#)
            .unwrap();
        let path = event.display().to_string();
        let merged = [("GITHUB_REF", "refs/heads/main"), ("GITHUB_EVENT_PATH", &path)];
        assert_eq!(
            chosen(None, &[&merged[..], &[("GITHUB_ACTIONS", "true")]].concat()).unwrap(),
            "pr-7"
        );
        assert!(chosen(None, &merged).is_err(), "not in GitHub Actions");
    }

    #[test]
    fn a_branch_build_is_not_a_pull_request() {
        for variable in [("GITHUB_REF", "refs/heads/7"), ("BUILDKITE_PULL_REQUEST", "false")] {
            let error = chosen(None, &[variable]).unwrap_err();
            let hints = error.source.unwrap().hints.join("\n");
            assert!(hints.contains("--env dev") && hints.contains(": dev, prod"), "{hints}");
        }
    }
}
