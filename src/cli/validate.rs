//! `payctl validate`.

use serde_json::json;

use super::error::CliError;
use super::{Context, environment, exit, session};

/// Check the config, without talking to AWS
///
/// Without an environment, checks all that there are.
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
    let mut wrong = None;
    for env in &envs {
        if let Err(error) = session::load(dir, env)
            && let Some(other) = wrong.replace(error)
        {
            cx.complain(&other);
        }
    }
    match wrong {
        Some(error) => Err(error),
        None => {
            let text = format!("The config is valid: {}.\n", envs.join(", "));
            cx.show("validate", || json!({ "environments": envs }), || text)?;
            Ok(exit::SUCCESS)
        }
    }
}
