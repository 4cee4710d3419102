//! Ctrl-C, SIGTERM and SIGHUP.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::error::{CliError, ErrorKind};

/// The signals that ask for a stop. From here on they no longer end the process by themselves.
pub(in crate::cli) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` if the process should outlive its terminal, as with `nohup`.
    hangup: Option<Signal>,
}

impl Signals {
    /// Takes over the signals.
    pub(in crate::cli) fn take() -> Result<Self, CliError> {
        let take = |kind| {
            signal(kind).map_err(|error| {
                CliError::new(ErrorKind::Bug, "cannot listen for signals").because(error)
            })
        };
        let hangup = (!hangup_is_ignored()).then(|| take(SignalKind::hangup())).transpose()?;
        Ok(Self {
            interrupt: take(SignalKind::interrupt())?,
            terminate: take(SignalKind::terminate())?,
            hangup,
        })
    }

    /// Completes with the next signal.
    pub(in crate::cli) async fn next(&mut self) {
        let Self { interrupt, terminate, hangup } = self;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            Some(_) = async { Some(hangup.as_mut()?.recv().await) } => {}
        }
    }

    /// From here on the end of the terminal asks for nothing.
    pub(super) fn outlive_the_terminal(&mut self) {
        self.hangup = None;
    }
}

/// Whether this process was started with SIGHUP ignored. If the system does not tell, payctl takes
/// over the signal.
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let bit = 1 << (SignalKind::hangup().as_raw_value() - 1);
    mask.is_some_and(|mask| mask & bit != 0)
}
