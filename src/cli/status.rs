//! `payctl status`.

use super::error::CliError;
use super::session::Session;
use super::{Context, exit};
use crate::ui::status;

/// Show what exists and whether it is healthy
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) async fn run(cx: &Context, _: &Args) -> Result<u8, CliError> {
    let session = Session::open(cx, &cx.env()?).await?;
    let snapshot = session.survey().await?;
    let rows = status::rows(session.blueprint.resources.values(), &snapshot);
    cx.show("status", || status::json(&rows), || status::text(&rows, cx.screen.out))?;
    session.explain_calls(cx);
    Ok(exit::SUCCESS)
}
