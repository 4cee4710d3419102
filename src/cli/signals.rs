//! The signals that ask for a stop: the first asks for a clean one, the second ends the wait for it.

use payctl_engine::stop::Stopper;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(super) use unix::Signals;
#[cfg(windows)]
pub(super) use windows::Signals;

impl Signals {
    /// Asks for a stop at the first signal; completes at the second. A terminal that is closed may
    /// say so twice, and nobody asks for haste with that.
    pub(super) async fn stop_twice(&mut self, stopper: &Stopper) {
        self.next().await;
        stopper.stop();
        self.outlive_the_terminal();
        self.next().await;
    }
}
