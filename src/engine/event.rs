//! Provisional: the engine's version wins.

use std::time::Duration;

use super::apply::StepError;
use super::plan::Action;
use crate::model::address::Address;
use crate::model::error::OpError;

/// What apply tells while it runs.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "provisional")]
pub enum Event {
    Started { address: Address, action: Action, name: String },
    Waiting { address: Address, status: String, elapsed: Duration },
    Retrying { address: Address, error: OpError, after: Duration },
    Finished { address: Address, action: Action, elapsed: Duration },
    Failed { address: Address, action: Action, error: StepError },
    Skipped { address: Address, because: Address },
    Stopping { in_flight: usize },
}
