//! `payctl validate`.

use std::path::Path;

use serde_json::json;

use super::error::{CliError, ErrorKind};
use super::{Context, environment, exit, session, variable};
use crate::aws::policy::covers;
use crate::config::Problem;

/// Check the config, without calling AWS
///
/// Without an environment, checks all environments; `--env 'pr-*'` checks those that fit.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// The environments of the config that fit a pattern, and the examples of a template that do.
fn fitting(dir: &Path, pattern: &str) -> Result<Vec<String>, CliError> {
    let mut envs = environment::found(dir)?;
    envs.retain(|env| covers(pattern, env));
    if envs.is_empty() {
        let title = format!("no environment fits `{pattern}`");
        let what = format!("neither a file in {} nor an example of a template", dir.display());
        return Err(CliError::new(ErrorKind::User, title)
            .because(what)
            .hinted("payctl env list --configured shows what the config has"));
    }
    Ok(envs)
}

pub(super) fn run(cx: &Context, _: &Args) -> Result<u8, CliError> {
    let dir = &cx.global.config_dir;
    let named = environment::named(cx.global.env.as_deref(), variable);
    let envs = match named.filter(|name| environment::is_pattern(name)) {
        Some(pattern) => fitting(dir, &pattern)?,
        None => match cx.env() {
            Ok(env) => vec![env],
            Err(none) => match environment::found(dir)? {
                envs if envs.is_empty() => return Err(none),
                envs => envs,
            },
        },
    };
    // Environments share files, and therefore problems.
    let mut problems: Vec<Problem> = Vec::new();
    for env in &envs {
        problems.extend(session::problems(&cx.global, env));
    }
    problems.sort();
    problems.dedup();
    if !problems.is_empty() {
        return Err(CliError::config(&problems));
    }
    let text = format!("The config is valid: {}.\n", envs.join(", "));
    cx.show("validate", || json!({ "environments": envs }), || text)?;
    Ok(exit::SUCCESS)
}
