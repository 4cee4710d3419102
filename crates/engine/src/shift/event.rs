//! What a shift tells while it works, and what became of it.

use std::time::Duration;

use super::findings::{Doubt, Finding};
use crate::event::short;
use crate::model::error::OpError;
use crate::traffic::{Figures, Weights};

/// Something that happened to a shift.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The first look at the traffic.
    Stands {
        /// How it is divided.
        weights: Weights,
        /// The tag, if there is one.
        claim: Option<String>,
    },
    /// The tag of another run is there. Either it moves soon, and this run ends, or nobody is behind it.
    WaitingForClaim {
        /// The tag.
        claim: String,
        /// How long it has not moved.
        unmoved: Duration,
        /// After this time the run takes it over.
        limit: Duration,
    },
    /// The tag is this run's, and it waits until no call of another run can be under way any more.
    Claiming {
        /// How much longer.
        left: Duration,
    },
    /// Nobody else writes the weights from here on.
    Claimed {
        /// Whether an earlier run left this step before it was watched to the end.
        cut_off: bool,
    },
    /// A call to move traffic was made.
    Moving {
        /// From these weights, read right before.
        from: Weights,
        /// To these.
        to: Weights,
    },
    /// A look shows the new weights.
    Moved {
        /// The share of the side that traffic moves to.
        percent: u8,
    },
    /// One look during a bake.
    Baking {
        /// The share of the side that traffic moves to.
        percent: u8,
        /// How long the bake has lasted.
        baked: Duration,
        /// How long it should last.
        bake: Duration,
        /// The figures of both sides, if they are watched and known.
        figures: Option<Figures>,
        /// What is not known yet. No step is taken meanwhile.
        doubts: Vec<Doubt>,
    },
    /// There are reasons to take traffic back.
    Found {
        /// The reasons.
        findings: Vec<Finding>,
    },
    /// A call failed in a way that passes by itself.
    Retrying {
        /// Why.
        error: OpError,
        /// The pause before the next look.
        after: Duration,
    },
}

/// Who receives the events.
pub type Listener<'a> = &'a (dyn Fn(Event) + Send + Sync);

/// What became of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// How it ended.
    pub end: End,
    /// How traffic stood when it was last read; `None` if it never was.
    pub weights: Option<Weights>,
    /// The shares that a look showed after this run had set them, and when, since the run began. 0 is
    /// the way back.
    pub moved: Vec<(u8, Duration)>,
    /// The first reasons to take traffic back that this run saw, and when, since it began.
    pub findings: Vec<(Finding, Duration)>,
    /// Whether the run's tag may still be there. Then the next run waits before it takes it over, and
    /// watches the step again.
    pub leaves_claim: bool,
    /// How long it took.
    pub elapsed: Duration,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// There was nothing to do.
    Nothing,
    /// The last step was watched to the end, or all traffic was taken back as asked.
    Done,
    /// Nothing was moved, because of the findings: all traffic was and is on the side that it came from.
    Refused,
    /// All traffic is back on the side that it came from, because of the findings.
    RolledBack,
    /// Traffic stays where it is, because of the findings, as the shift's `on_alarm` wants it.
    Stopped,
    /// A stop was asked for. Traffic stays where it is, and nobody watches it.
    Interrupted,
    /// The run could not go on. Traffic stays where it is, and nobody watches it.
    Failed(ShiftError),
}

/// Why a run could not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShiftError {
    /// Both weights are 0.
    #[error("neither side gets traffic: give one of them a weight, or move all traffic back")]
    NoTraffic,
    /// Traffic stands above the last step of this run.
    #[error(
        "traffic stands at {percent} %, above step {goal}: choose a later step, or move it back"
    )]
    Above {
        /// Where it stands.
        percent: u8,
        /// Where this run should end.
        goal: u8,
    },
    /// Another run is at work.
    #[error("another run is moving this traffic (its claim: {0})")]
    Rival(String),
    /// Another run has taken the claim, or somebody has removed it.
    #[error("this run lost its claim{}", by(.0.as_deref()))]
    Lost(Option<String>),
    /// The claim could not be won in time.
    #[error("could not claim the traffic within {}", short(.0))]
    Crowded(Duration),
    /// Somebody else changed the weights.
    #[error("somebody else changed the weights from {expected} to {found}")]
    Foreign {
        /// What this run counted on.
        expected: Weights,
        /// What a look showed.
        found: Weights,
    },
    /// AWS refused, or could not be reached.
    #[error("{0}")]
    Refused(OpError),
    /// An error that should have passed by itself did not.
    #[error("gave up after {}: {error}", short(.waited))]
    TimedOut {
        /// The last error.
        error: OpError,
        /// How long it was tried.
        waited: Duration,
    },
    /// The weights do not become those that were set.
    #[error("AWS did not set the weights {wanted} within {}", short(.waited))]
    NotSet {
        /// What was set.
        wanted: Weights,
        /// How long it was tried.
        waited: Duration,
    },
}

fn by(claim: Option<&str>) -> String {
    match claim {
        Some(claim) => format!(": another run has taken it ({claim})"),
        None => ": somebody has removed it".to_owned(),
    }
}
