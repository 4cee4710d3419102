//! The lease of an environment: one run at a time, as long as its holder is heard of.
//!
//! Nothing depends on the lease: two runs that do race still end with nothing doubled and nothing
//! lost ([`crate::converge`]). It makes such races rare. The protocol excludes by time, without two
//! clocks being compared: a holder writes a new version of the record at each beat and trusts its own
//! lease for `trust` after it sent the last write that took effect; another run takes the lease only after
//! it has seen one version unchanged for the longer `lasts`.
//!
//! `record` is what is stored, `decision` what a candidate does next (no clock, no call), `hold` the
//! loop that does it. `history` is what is kept of each run.

mod decision;
mod history;
mod hold;
mod record;

use std::time::Duration;

pub use decision::{Call, Candidate, Moment, Next, Reply, Terms};
pub use history::{RunRecord, TookFrom};
pub use hold::{Event, Lease, LeaseStore, Listener, Unheld, Watch, Wrote};
pub use record::{Holder, Record, Version, short};

/// The terms of payctl's leases. Two clocks may run at rates that differ by half: `lasts` is one and a
/// half times `trust`.
pub const TERMS: Terms = Terms {
    beat: Duration::from_secs(10),
    trust: Duration::from_secs(40),
    lasts: Duration::from_secs(60),
    poll: Duration::from_secs(3),
};

/// The terms in the sandbox, which is on this machine.
pub const SANDBOX_TERMS: Terms = Terms {
    beat: Duration::from_secs(1),
    trust: Duration::from_secs(4),
    lasts: Duration::from_secs(6),
    poll: Duration::from_millis(300),
};

/// How long one call to the store may take; after that its reply counts as lost.
const CALL: Duration = Duration::from_secs(5);

/// How long a holder that cannot renew its lease waits, without a new step, until it stops.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long a run tries to reach the store at first.
const REACH: Duration = Duration::from_secs(60);

/// How often a release is tried. A lease that is not released expires.
const RELEASES: usize = 4;
