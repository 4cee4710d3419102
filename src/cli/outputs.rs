//! `payctl outputs`.

use super::error::CliError;
use super::session::{self, Session};
use super::{Context, exit};
use crate::ui::{json, outputs};

/// Show the environment's outputs
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// As NAME=value lines, for docker and dotenv
    #[arg(long, conflicts_with_all = ["shell", "json"])]
    env_file: bool,
    /// As `export NAME='value'` lines, for eval
    #[arg(long, conflicts_with = "json")]
    shell: bool,
}

pub(super) async fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    let session = Session::open(cx, &cx.env()?).await?;
    let live = session::live_outputs(&session.survey().await?);
    let values = outputs::resolved(&session.blueprint.outputs, &live);
    let text = match (args.env_file, args.shell) {
        (true, _) => outputs::env_file(&values)?,
        (false, true) => outputs::shell(&values)?,
        (false, false) => outputs::text(&values, cx.screen.out),
    };
    cx.show("outputs", || json::outputs(&values), || text)?;
    session.explain_calls(cx);
    Ok(exit::SUCCESS)
}
