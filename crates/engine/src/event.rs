//! What the engine tells while it works: its only way out.

use std::time::Duration;

use crate::model::address::Address;
use crate::model::error::OpError;

/// Something that happened to one step of an apply.
#[derive(Clone, Debug)]
pub enum Event {
    /// A step began.
    Started {
        /// Which resource.
        address: Address,
        /// What is being done.
        verb: Verb,
    },
    /// AWS is still at work.
    Waiting {
        /// Which resource.
        address: Address,
        /// AWS's own status.
        status: String,
        /// Since the step began.
        elapsed: Duration,
    },
    /// A call failed in a way that passes by itself.
    Retrying {
        /// Which resource.
        address: Address,
        /// Why.
        error: OpError,
        /// When it is tried again.
        after: Duration,
    },
    /// A step is done.
    Finished {
        /// Which resource.
        address: Address,
        /// What was done.
        verb: Verb,
        /// How long it took.
        elapsed: Duration,
    },
    /// A step failed.
    Failed {
        /// Which resource.
        address: Address,
        /// What was tried.
        verb: Verb,
        /// Why it failed.
        error: StepError,
    },
    /// A step was not tried because one that it needs failed.
    Skipped {
        /// Which resource.
        address: Address,
        /// What was not done.
        verb: Verb,
        /// The step that failed.
        because: Address,
    },
    /// A stop was asked for; nothing new is started.
    Stopping {
        /// How many steps are in flight.
        in_flight: usize,
    },
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Makes a new object.
    Create,
    /// Changes an object in place.
    Update,
    /// Deletes an object.
    Delete,
}

/// Why a step did not reach its goal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// AWS refused, or could not be reached.
    #[error("{0}")]
    Refused(OpError),
    /// An error that should have passed by itself did not until the deadline.
    #[error("gave up after {}: {error}", short(.waited))]
    TimedOut {
        /// The last error.
        error: OpError,
        /// How long it was tried.
        waited: Duration,
    },
    /// The object did not become ready until the deadline.
    #[error("still {status} after {}", short(.waited))]
    NotReady {
        /// AWS's status.
        status: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// AWS accepted the request and failed later.
    #[error("AWS accepted the request, and it failed later: {0}")]
    FailedLater(String),
    /// The name is taken by an object that is not ours.
    #[error("the name is taken: it belongs to {0}")]
    NotOurs(String),
    /// The object is not what the plan was made from.
    #[error("it has changed since the plan was made ({})", .0.join(", "))]
    Moved(Vec<String>),
    /// Another run made it with values that this one cannot go on with.
    #[error("another run created it with other values: {}", .0.join(", "))]
    Rival(Vec<String>),
    /// A field does not keep the value that it is given.
    #[error("AWS keeps resetting these fields: {}", .0.join(", "))]
    Unsettled(Vec<String>),
    /// The run was stopped.
    #[error("stopped before it finished")]
    Interrupted,
}

pub(crate) fn short(duration: &Duration) -> String {
    let seconds = duration.as_secs();
    match seconds / 60 {
        0 => format!("{seconds}s"),
        minutes => format!("{minutes}m{}s", seconds % 60),
    }
}

/// Who receives the events.
pub type Listener<'a> = &'a (dyn Fn(Event) + Send + Sync);
