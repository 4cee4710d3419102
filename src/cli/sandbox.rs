//! `payctl sandbox`.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;

use super::error::{CliError, ErrorKind};
use super::session::SANDBOX;
use super::signals::Signals;
use super::{Context, exit, wait};
use payctl_sandbox::Sandbox;
use payctl_sandbox::SandboxError;
use payctl_sandbox::serve;

/// The embedded AWS that --sandbox uses
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Serve it on 127.0.0.1, for the AWS CLI, boto3 and Terraform
    Serve {
        /// The port; 0 takes a free one
        #[arg(long, default_value_t = 4566)]
        port: u16,
    },
    /// Empty it
    Reset,
    /// Show what is in it
    Status,
}

pub(super) fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    match args.command {
        Command::Serve { port } => wait(serve_on(cx, port)),
        Command::Reset => reset(cx),
        Command::Status => status(cx),
    }
}

fn failed(error: SandboxError) -> CliError {
    CliError::new(ErrorKind::User, "cannot use the sandbox").because(error)
}

async fn serve_on(cx: &Context, port: u16) -> Result<u8, CliError> {
    let sandbox = Sandbox::open(Path::new(SANDBOX)).map_err(failed)?;
    let not_served = |error: std::io::Error| {
        CliError::new(ErrorKind::User, format!("cannot serve the sandbox on port {port}"))
            .because(error)
            .hinted("choose another port with --port")
    };
    let mut signals = Signals::take()?;
    let ready = |address: SocketAddr| {
        let url = format!("http://{address}");
        let text = format!(
            "The sandbox answers at {url}; Ctrl-C ends it.\n\
             export AWS_ENDPOINT_URL={url} AWS_ACCESS_KEY_ID=sandbox \
             AWS_SECRET_ACCESS_KEY=sandbox\n"
        );
        // Whoever started it may have closed the pipe; it serves all the same.
        drop(cx.show("serving", || json!({ "url": url }), || text));
    };
    serve(sandbox, port, signals.next(), ready).await.map_err(not_served)?;
    Ok(exit::SUCCESS)
}

fn reset(cx: &Context) -> Result<u8, CliError> {
    let existed = Sandbox::reset(Path::new(SANDBOX)).map_err(failed)?;
    let text = match existed {
        true => "The sandbox is empty.\n",
        false => "There was no sandbox.\n",
    };
    cx.show("reset", || json!({ "existed": existed }), || text.to_owned())?;
    Ok(exit::SUCCESS)
}

fn status(cx: &Context) -> Result<u8, CliError> {
    let path = Path::new(SANDBOX);
    let counts = match path.exists() {
        true => Sandbox::open(path).and_then(|sandbox| sandbox.counts()).map_err(failed)?,
        false => std::collections::BTreeMap::new(),
    };
    let text = || match counts.is_empty() {
        true => "The sandbox is empty.\n".to_owned(),
        false => counts.iter().map(|(sort, number)| format!("{number:>5}  {sort}\n")).collect(),
    };
    cx.show("sandbox", || json!({ "objects": counts }), text)?;
    Ok(exit::SUCCESS)
}
