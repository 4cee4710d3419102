//! Ctrl-C and SIGTERM: the first asks for a clean stop, the second ends the wait for it.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::{CliError, ErrorKind};
use crate::engine::stop::Stopper;

/// The signals that ask for a stop. From here on they no longer end the process by themselves.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Takes the signals over.
    pub(super) fn take() -> Result<Self, CliError> {
        let take = |kind| {
            signal(kind).map_err(|error| {
                CliError::new(ErrorKind::Bug, "cannot listen for signals").because(error)
            })
        };
        Ok(Self {
            interrupt: take(SignalKind::interrupt())?,
            terminate: take(SignalKind::terminate())?,
        })
    }

    /// Completes with the next signal.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Asks for a stop at the first signal; completes at the second.
    pub(super) async fn stop_twice(&mut self, stopper: &Stopper) {
        self.next().await;
        stopper.stop();
        self.next().await;
    }
}
