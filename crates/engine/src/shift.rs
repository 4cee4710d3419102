//! Moving traffic from one side to the other, step by step, under watch, and back.
//!
//! The live weights are the record: a run reads how traffic stands and goes on from there. Like a step
//! in `converge` it looks, decides and acts, again and again; what to do next is decided in `decision`,
//! without the cloud and without a clock, and done in `run`, the only place here that waits. A call
//! whose reply was lost is never repeated: the run looks first.
//!
//! Services divide traffic without conditions, so two runs at once exclude each other by time, through
//! a tag on the object (`claim`). All of it rests on two bounds, `CALL` and `LAG`
//! ([ADR 26](../../../docs/adr/0026-traffic-moves-under-a-claim.md)).

use std::time::Duration;

mod claim;
mod decision;
mod event;
mod findings;
mod order;
mod outlook;
mod run;

pub use claim::{Claim, Purpose};
pub use event::{End, Event, Listener, Report, ShiftError};
pub use findings::{Doubt, Finding};
pub use order::{BadSteps, Limits, OnAlarm, Order, Steps};
pub use outlook::{Outlook, outlook};
pub use run::{back, shift};

/// How long a call may take. Then it is dropped, and counts as a call whose reply was lost. No call that
/// writes begins later than this after the look that it rests on.
pub const CALL: Duration = Duration::from_secs(5);
/// How long after its end a call may still take effect, or be hidden from reads.
pub const LAG: Duration = Duration::from_secs(5);
/// The wait between a run's claim and its first write. A run that has not seen the claim looked before
/// `LAG` was over. Within `CALL` it began to write, within another `CALL` that call ended, and after
/// another `LAG` every read shows it.
pub const SETTLED: Duration = Duration::from_secs(20);
/// After this time without a beat nobody is behind a claim. A run that lives beats within 35 seconds
/// as anybody sees it, even if every call takes as long as it may.
pub const STALE: Duration = Duration::from_secs(45);

/// The pause between two looks.
const POLL: Duration = Duration::from_secs(5);
/// How often a claim is renewed.
const BEAT: Duration = Duration::from_secs(10);
/// How long something that should pass by itself is tried.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a run that has reached its end tries to remove its claim.
const FAREWELL: Duration = Duration::from_secs(30);

const _: () = assert!(SETTLED.as_secs() >= 2 * (CALL.as_secs() + LAG.as_secs()));
