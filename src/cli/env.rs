//! `payctl env`.

use serde_json::json;

use super::error::CliError;
use super::{Context, exit};
use crate::config::{self, Environment};
use crate::ui::text::one_line;

/// Show the configured environments
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List them; a template is shown with the names that it matches
    List,
}

pub(super) fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    match args.command {
        Command::List => list(cx),
    }
}

fn list(cx: &Context) -> Result<u8, CliError> {
    let found = config::find_environments(&cx.global.config_dir);
    let found = found.map_err(|problem| CliError::config(&[problem]))?;
    let row = |environment: &Environment| match &environment.pattern {
        None => environment.name.clone(),
        Some(pattern) => format!(
            "{} (a template for names like {pattern}, for example {})",
            environment.name,
            environment.examples.join(", ")
        ),
    };
    let row = |environment: &Environment| one_line(&row(environment)) + "\n";
    let body = |environment: &Environment| {
        json!({
            "name": environment.name,
            "file": environment.file,
            "pattern": environment.pattern,
            "examples": environment.examples,
        })
    };
    cx.show(
        "environments",
        || json!({ "environments": found.iter().map(body).collect::<Vec<_>>() }),
        || found.iter().map(row).collect(),
    )?;
    Ok(exit::SUCCESS)
}
