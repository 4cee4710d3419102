//! `payctl history`.

use std::time::SystemTime;

use serde_json::json;

use super::error::CliError;
use super::{Context, destroy, exit};
use crate::aws::leases::Leases;
use crate::ui::history;

/// Show who applied and destroyed the environment, when, and what that changed
///
/// An environment that the config does not have is found by its tags, or by what payctl kept of its
/// destroy.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// At most so many runs
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u16,
    /// The project, without a config: only if several have an environment of this name
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
}

pub(super) async fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    let session = destroy::open(cx, args.project.as_deref()).await?;
    let leases = Leases::new(session.provider.aws());
    let runs = leases.runs(usize::from(args.limit), SystemTime::now()).await;
    let runs = runs.map_err(|error| CliError::cloud("read the history", &error))?;
    let body = || json!({ "scope": session.blueprint.scope, "runs": runs });
    cx.show("history", body, || history::text(&runs, cx.global.verbose > 0))?;
    session.explain_calls(cx);
    Ok(exit::SUCCESS)
}
