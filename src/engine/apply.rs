//! Provisional: the engine's version wins.

use std::sync::Arc;
use std::time::Duration;

use super::event::Event;
use super::plan::Plan;
use super::provider::Provider;
use crate::model::address::Address;
use crate::model::error::OpError;

/// Why a step failed.
#[derive(Clone, Debug)]
pub struct StepError {
    /// The call that failed, if a call did.
    pub error: Option<OpError>,
    /// What happened, in words.
    pub text: String,
}

/// How apply ended.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "provisional")]
pub struct Report {
    pub done: Vec<Address>,
    pub failed: Vec<(Address, StepError)>,
    pub skipped: Vec<(Address, Address)>,
    pub remaining: Vec<Address>,
    pub interrupted: bool,
    pub elapsed: Duration,
}

/// How apply runs.
#[derive(Clone, Copy, Debug)]
pub struct ApplyOptions {
    /// How many steps at once.
    pub parallelism: usize,
}

/// A request to stop.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<std::sync::atomic::AtomicBool>);

impl Stop {
    /// Asks to start nothing new.
    pub fn request(&self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Carries a plan out.
pub async fn apply(
    _: Arc<dyn Provider>,
    _: &Plan,
    _: ApplyOptions,
    _: Stop,
    _: impl Fn(Event),
) -> Report {
    Report::default()
}
