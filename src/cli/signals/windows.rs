//! Ctrl-C, Ctrl-Break, and the end of the console. It has not been compiled yet: docs/releasing.md.

use std::io;

use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, ctrl_break, ctrl_c, ctrl_close};

use crate::cli::error::{CliError, ErrorKind};

/// The signals that ask for a stop. From here on they no longer end the process by themselves.
pub(in crate::cli) struct Signals {
    interrupt: CtrlC,
    terminate: CtrlBreak,
    close: Option<CtrlClose>,
}

impl Signals {
    /// Takes over the signals.
    pub(in crate::cli) fn take() -> Result<Self, CliError> {
        let failed = |error: io::Error| {
            CliError::new(ErrorKind::Bug, "cannot listen for signals").because(error)
        };
        Ok(Self {
            interrupt: ctrl_c().map_err(failed)?,
            terminate: ctrl_break().map_err(failed)?,
            close: Some(ctrl_close().map_err(failed)?),
        })
    }

    /// Completes with the next signal.
    pub(in crate::cli) async fn next(&mut self) {
        let Self { interrupt, terminate, close } = self;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            Some(_) = async { Some(close.as_mut()?.recv().await) } => {}
        }
    }

    /// From here on the end of the console asks for nothing.
    pub(super) fn outlive_the_terminal(&mut self) {
        self.close = None;
    }
}
