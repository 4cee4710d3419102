//! `payctl schema`.

use super::error::CliError;
use super::{Context, exit};
use crate::config;

/// Print the JSON Schema of the config files, for editors
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(cx: &Context, _: &Args) -> Result<u8, CliError> {
    // The output is the same with --json: a schema is JSON, and editors read it as a whole.
    cx.screen.data(&format!("{:#}\n", config::schema()))?;
    Ok(exit::SUCCESS)
}
