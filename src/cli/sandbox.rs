//! `payctl sandbox`.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use payctl_sandbox::{Faults, Guard, Pace, Sandbox, SandboxError, serve};
use serde_json::{Value, json};

use super::error::{CliError, ErrorKind};
use super::signals::Signals;
use super::{Context, Global, SandboxPace, exit, variable, wait};
use crate::aws::clients::Connection;

/// Where the sandbox keeps its state, below the working directory.
const SANDBOX: &str = ".payctl/sandbox";

/// Manage the embedded AWS that --sandbox uses
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Serve the sandbox on 127.0.0.1 for the AWS CLI, boto3 and Terraform
    Serve {
        /// The port; 0 chooses a free one
        #[arg(long, default_value_t = 4566)]
        port: u16,
    },
    /// Delete everything in the sandbox
    Reset,
    /// Count the objects in the sandbox
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

/// Opens the sandbox with the settings of the flags and variables.
fn opened(global: &Global) -> Result<Sandbox, CliError> {
    let sandbox = Sandbox::open(Path::new(SANDBOX)).map_err(failed)?;
    let speed = global.sandbox_speed.into();
    sandbox
        .run_at(match global.sandbox_pace {
            SandboxPace::Fast => Pace::Fast,
            SandboxPace::Real => Pace::Real { speed },
        })
        .map_err(failed)?;
    sandbox.guarded_by(guard()?);
    sandbox.flap(milliseconds(
        "PAYCTL_SANDBOX_FLAP_MS",
        "cannot set how long the sandbox's reads flap",
    )?);
    Ok(sandbox)
}

/// Connects payctl to the sandbox.
pub(super) fn embed(connection: &mut Connection, global: &Global) -> Result<(), CliError> {
    let transport = opened(global)?.transport();
    let delay = milliseconds("PAYCTL_SANDBOX_DELAY_MS", "cannot set the delay of the sandbox")?;
    connection.transport = Some(match delay {
        Some(delay) => Faults::new(transport).with_delay(delay).transport(),
        None => transport,
    });
    connection.keys = Some(("sandbox".to_owned(), "sandbox".to_owned()));
    Ok(())
}

/// The policy that the sandbox enforces, to rehearse with the permissions of a role.
fn guard() -> Result<Option<Guard>, CliError> {
    const VARIABLE: &str = "PAYCTL_SANDBOX_POLICY";
    let Some(path) = variable(VARIABLE) else { return Ok(None) };
    let failed = |what: &dyn std::fmt::Display| {
        CliError::new(ErrorKind::User, format!("cannot use the policy {path}")).because(what)
    };
    let text = std::fs::read_to_string(&path).map_err(|error| failed(&error))?;
    let policy: Value = serde_json::from_str(&text).map_err(|error| failed(&error))?;
    Guard::of(&policy).map(Some).map_err(|error| failed(&error))
}

/// The time in a variable.
fn milliseconds(name: &str, title: &str) -> Result<Option<Duration>, CliError> {
    let Some(text) = variable(name) else { return Ok(None) };
    match text.parse() {
        Ok(time) => Ok(Some(Duration::from_millis(time))),
        Err(_) => Err(CliError::new(ErrorKind::User, title)
            .because(format!("{name} is `{text}`, which is not a number of milliseconds"))),
    }
}

async fn serve_on(cx: &Context, port: u16) -> Result<u8, CliError> {
    let sandbox = opened(&cx.global)?;
    let not_served = |error: std::io::Error| {
        CliError::new(ErrorKind::User, format!("cannot serve the sandbox on port {port}"))
            .because(error)
            .hinted("choose another port with --port")
    };
    let mut signals = Signals::take()?;
    let ready = |address: SocketAddr| {
        let url = format!("http://{address}");
        let text = format!(
            "The sandbox answers at {url}; stop it with Ctrl-C.\n\
             export AWS_ENDPOINT_URL={url} AWS_ACCESS_KEY_ID=sandbox \
             AWS_SECRET_ACCESS_KEY=sandbox\n"
        );
        // The caller may have closed the pipe; the sandbox still serves.
        drop(cx.show("serving", || json!({ "url": url }), || text));
    };
    serve(sandbox, port, signals.next(), ready).await.map_err(not_served)?;
    Ok(exit::SUCCESS)
}

fn reset(cx: &Context) -> Result<u8, CliError> {
    let existed = Sandbox::reset(Path::new(SANDBOX)).map_err(failed)?;
    let text = if existed { "The sandbox is empty.\n" } else { "There is no sandbox.\n" };
    cx.show("reset", || json!({ "existed": existed }), || text.to_owned())?;
    Ok(exit::SUCCESS)
}

fn status(cx: &Context) -> Result<u8, CliError> {
    let path = Path::new(SANDBOX);
    let counts = if path.exists() {
        Sandbox::open(path).and_then(|sandbox| sandbox.counts()).map_err(failed)?
    } else {
        std::collections::BTreeMap::new()
    };
    let text = || {
        if counts.is_empty() {
            "The sandbox is empty.\n".to_owned()
        } else {
            counts.iter().map(|(sort, number)| format!("{number:>5}  {sort}\n")).collect()
        }
    };
    cx.show("sandbox", || json!({ "objects": counts }), text)?;
    Ok(exit::SUCCESS)
}
