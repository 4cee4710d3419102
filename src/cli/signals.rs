//! Ctrl-C and SIGTERM: the first asks for a clean stop, the second ends the wait for it.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::engine::stop::Stopper;

/// The signals that ask for a stop. From here on they no longer end the process by themselves.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Takes the signals over.
    pub(super) fn take() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
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
