//! `payctl validate`.

use serde_json::json;

use super::error::CliError;
use super::{Context, environment, exit, session};
use crate::config::Problem;

/// Check the config, without calling AWS
///
/// Without an environment, checks all environments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(cx: &Context, _: &Args) -> Result<u8, CliError> {
    let dir = &cx.global.config_dir;
    let envs = match cx.env() {
        Ok(env) => vec![env],
        Err(none) => match environment::found(dir)? {
            envs if envs.is_empty() => return Err(none),
            envs => envs,
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
