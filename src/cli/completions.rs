//! `payctl completions`.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::error::CliError;
use super::{Cli, Context, exit};

/// Print the completion script of a shell
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    cx.screen.data(&script(args.shell))?;
    Ok(exit::SUCCESS)
}

pub(super) fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "payctl", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
