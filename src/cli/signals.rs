//! Ctrl-C, SIGTERM and SIGHUP: the first asks for a clean stop, the second stops at once.

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
    /// Asks for a stop at the first signal; completes at the second. A closed terminal may send
    /// SIGHUP twice, which does not mean to stop at once.
    pub(super) async fn stop_twice(&mut self, stopper: &Stopper) {
        self.next().await;
        stopper.stop();
        self.outlive_the_terminal();
        self.next().await;
    }
}
