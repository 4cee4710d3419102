//! `payctl secret`: values that people set, such as the key of a payment provider.

use std::io::{self, Read as _};
use std::time::{Duration, SystemTime};

#[cfg(unix)]
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde_json::json;

use super::error::{CliError, ErrorKind};
use super::session::Session;
use super::signals::Signals;
use super::{Context, Stage, exit};
use crate::aws::kinds::secretsmanager::secret::bring;
use crate::aws::kinds::secretsmanager::values::{self, Closed, LONGEST};
use crate::ui::json as lines;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::{Blueprint, Desired};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::survey::Snapshot;

/// Set the value of a secret
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Set the value of a secret, from standard input or a hidden prompt
    ///
    /// The secret must have `generate = false` in the config and exist: `payctl apply` creates it.
    /// payctl reads the value from a pipe or a file, without one line break at its end, or asks for
    /// it in a terminal. It never shows the value, and does not take it as an argument.
    Set {
        /// The secret: NAME of [secrets.NAME]
        name: String,
    },
}

/// How often payctl repeats a call whose answer was lost.
const TRIES: u32 = 5;

pub(super) async fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    let Command::Set { name } = &args.command;
    let session = Session::open(cx, &cx.env()?).await?;
    let desired = brought(&session.blueprint, name)?;
    let value = if cx.screen.answers { asked(cx, name).await? } else { piped().await? };
    let value = checked(value, name)?;
    let (version, arn) = put(cx, &session, desired, &value).await?;
    let Desired { address, name, .. } = desired;
    cx.show(
        "secret",
        || json!({ "address": address, "name": name, "arn": arn, "version": version }),
        || format!("{address} ({name}) has a new value.\n"),
    )?;
    session.explain_calls(cx);
    Ok(exit::SUCCESS)
}

/// A secret whose value people may set.
fn brought<'a>(blueprint: &'a Blueprint, name: &str) -> Result<&'a Desired, CliError> {
    let (desired, other) = match values::find(&blueprint.resources, name) {
        Ok(desired) => return Ok(desired),
        Err(Closed::Unknown(names)) => {
            let error = CliError::new(ErrorKind::User, format!("there is no secret `{name}`"));
            return Err(if names.is_empty() {
                error.hinted(format!("add [secrets.{name}] with `generate = false`"))
            } else {
                error.hinted(format!("secrets of the config: {}", names.join(", ")))
            });
        }
        Err(Closed::Generated(desired)) => {
            let hint = "payctl generates its value: set `generate = false` in the config to bring your own";
            (desired, hint)
        }
        Err(Closed::Used(desired)) => {
            (desired, "a database or a rotation depends on its value: change it there")
        }
    };
    let title = format!("the value of `{name}` cannot be set here");
    Err(CliError::new(ErrorKind::User, title).because(desired.origin.clone()).hinted(other))
}

/// Sends the value. Returns the id of its version, and the ARN of the secret.
async fn put(
    cx: &Context,
    session: &Session,
    desired: &Desired,
    value: &str,
) -> Result<(String, String), CliError> {
    let id = version()?;
    let mut signals = Signals::take()?;
    cx.stage.set(Stage::Changing);
    let sent = tokio::select! {
        sent = send(session, desired, &id, value) => sent,
        () = signals.next() => {
            let title = "stopped; the value may be set already";
            let stopped = CliError::new(ErrorKind::Interrupted, title);
            return Err(stopped.hinted("run the same command again"));
        }
    };
    cx.stage.set(match &sent {
        Err(error) if error.class != ErrorClass::Service => Stage::Looking,
        Ok(_) | Err(_) => Stage::Changed,
    });
    let arn = sent.map_err(|error| {
        let failed = CliError::cloud(format!("set the value of {}", desired.address), &error);
        match error.class {
            ErrorClass::NotFound => failed.instead("run payctl apply to create it"),
            _ => failed,
        }
    })?;
    Ok((id, arn))
}

/// The id of a new version. It is random: with a digest of the value, anyone could check a guess.
fn version() -> Result<String, CliError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        CliError::new(ErrorKind::User, "cannot get random numbers from the system").because(error)
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Calls again with the same id if the answer was lost, which does not create a second version.
async fn send(
    session: &Session,
    desired: &Desired,
    version: &str,
    value: &str,
) -> Result<String, OpError> {
    let Desired { address, name, .. } = desired;
    let mut tries = 1;
    loop {
        match bring(session.provider.aws(), address, name, version, value).await {
            Err(error) if error.passes() && tries < TRIES => tracing::debug!(%error, "again"),
            sent => return sent,
        }
        tokio::time::sleep(Duration::from_millis(100 << tries)).await;
        tries += 1;
    }
}

/// Reads what the user types, with the terminal's echo off.
async fn asked(cx: &Context, name: &str) -> Result<Vec<u8>, CliError> {
    // On a thread of its own, so that a signal ends the command; the echo comes back even then.
    let silence = Silence::begin()?;
    cx.screen.note(&format!("Value of {name} (hidden): "));
    let line = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    });
    let line = line.await.map_err(io::Error::from).and_then(|line| line).map_err(unread)?;
    drop(silence);
    Ok(line.into_bytes())
}

/// Reads a pipe or a file, up to one byte more than is allowed.
async fn piped() -> Result<Vec<u8>, CliError> {
    let read = tokio::task::spawn_blocking(|| {
        let mut bytes = Vec::new();
        let most = LONGEST as u64 + 3;
        io::stdin().lock().take(most).read_to_end(&mut bytes).map(|_| bytes)
    });
    read.await.map_err(io::Error::from).and_then(|read| read).map_err(unread)
}

fn unread(error: io::Error) -> CliError {
    CliError::new(ErrorKind::User, "cannot read the value from standard input").because(error)
}

/// A terminal without its echo, until this is dropped.
#[cfg(unix)]
struct Silence(Termios);

#[cfg(unix)]
impl Silence {
    fn begin() -> Result<Self, CliError> {
        let failed = |error: rustix::io::Errno| unread(error.into());
        let before = tcgetattr(io::stdin()).map_err(failed)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(io::stdin(), OptionalActions::Now, &silent).map_err(failed)?;
        Ok(Self(before))
    }
}

#[cfg(unix)]
impl Drop for Silence {
    fn drop(&mut self) {
        // A terminal that is gone needs no echo.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// A console without its echo: payctl has no way to it on Windows.
#[cfg(windows)]
struct Silence;

#[cfg(windows)]
impl Silence {
    fn begin() -> Result<Self, CliError> {
        let title = "payctl cannot hide what you type on Windows";
        let hint = "put the value into a pipe or a file: payctl secret set NAME < FILE";
        Err(CliError::new(ErrorKind::User, title).hinted(hint))
    }
}

/// The value without the line break that ends it.
fn checked(mut value: Vec<u8>, name: &str) -> Result<String, CliError> {
    if value.ends_with(b"\n") {
        value.pop();
        if value.ends_with(b"\r") {
            value.pop();
        }
    }
    let refuse = |title: &str, hint: String| {
        Err(CliError::new(ErrorKind::User, format!("the value {title}")).hinted(hint))
    };
    if value.is_empty() {
        let hint = format!("type it in a terminal, or run: payctl secret set {name} < FILE");
        return refuse("is empty; nothing was changed", hint);
    }
    if value.len() > LONGEST {
        let hint = "store it in a bucket, and its object key in the secret".to_owned();
        return refuse("is too long: Secrets Manager takes at most 65,536 bytes", hint);
    }
    match String::from_utf8(value) {
        Ok(value) => Ok(value),
        // The error would hold the value.
        Err(_) => refuse("is not UTF-8 text", "encode it, for example as Base64".to_owned()),
    }
}

/// The secrets that wait for their value, and what to do.
pub(super) fn waiting(
    cx: &Context,
    blueprint: &Blueprint,
    snapshot: &Snapshot,
) -> Vec<(Address, String)> {
    let sandbox = if cx.global.sandbox { " --sandbox" } else { "" };
    let text = |desired: &Desired| {
        let (name, env) = (&desired.address.name, &blueprint.scope.env);
        format!("no value yet: run payctl secret set {name} --env {env}{sandbox}")
    };
    let waiting = values::waiting(&blueprint.resources, snapshot).into_iter();
    waiting.map(|desired| (desired.address.clone(), text(desired))).collect()
}

/// Says which secrets wait for a value.
pub(super) fn remind(cx: &Context, waiting: &[(Address, String)]) -> Result<(), CliError> {
    for (address, text) in waiting {
        if cx.screen.json {
            let body = json!({ "address": address, "text": text });
            cx.screen.data(&lines::line(SystemTime::now(), "note", &body))?;
        }
        cx.note(format_args!("{address}: {text}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &[u8]) -> Result<String, String> {
        let value = checked(value.to_vec(), "provider-key");
        value.map_err(|error| error.source.unwrap().title)
    }

    #[test]
    fn a_final_line_break_is_not_part_of_a_secret() {
        assert_eq!(check(b"sk_live").unwrap(), "sk_live");
        assert_eq!(check(b"sk_live\n").unwrap(), "sk_live");
        assert_eq!(check(b"sk_live\r\n").unwrap(), "sk_live");
        assert_eq!(check(b"sk_live\n\n").unwrap(), "sk_live\n");
        assert_eq!(check(b" a\nb ").unwrap(), " a\nb ");
    }

    #[test]
    fn a_secret_value_is_neither_empty_nor_too_long() {
        for empty in [&b""[..], b"\n", b"\r\n"] {
            assert!(check(empty).unwrap_err().contains("is empty"));
        }
        let mut long = vec![b'x'; LONGEST];
        assert_eq!(check(&long).unwrap().len(), LONGEST);
        long.extend(b"\r\n");
        assert_eq!(check(&long).unwrap().len(), LONGEST);
        long.push(b'x');
        assert!(check(&long).unwrap_err().contains("65,536 bytes"));
        assert!(check(b"\xff").unwrap_err().contains("UTF-8"));
    }
}
