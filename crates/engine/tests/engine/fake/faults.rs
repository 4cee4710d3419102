//! What goes wrong in the fake cloud.

use std::time::Duration;

use payctl_engine::model::error::ErrorClass;

/// What goes wrong.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// In thousandths: a throttled call.
    pub throttle: u64,
    /// In thousandths: a server error without effect.
    pub refuse: u64,
    /// In thousandths: an effect whose reply is lost.
    pub lose: u64,
    /// Reads up to which new and changed objects may lag behind.
    pub lag: u64,
    /// Whether those reads show the old and the new in turn.
    pub flaps: bool,
    /// Whether surveys lag too.
    pub survey_lags: bool,
    /// Reads up to which new objects may stay pending.
    pub pending: u64,
    /// In thousandths: a new object that becomes a corpse.
    pub corpse: u64,
    /// Looks that a deletion takes at least.
    pub dying: u32,
    /// How many creations are refused because something is not visible yet.
    pub not_yet: u32,
    /// A kind that the account can hold no more of.
    pub full: Option<&'static str>,
    /// In milliseconds: how much longer a call may take.
    pub slow: u64,
    /// Looks up to which those elsewhere may miss new objects that can be seen where they were made.
    pub split: u64,
    /// Every update, retagging and deletion takes effect twice.
    pub twice: bool,
    /// At this operation (counted from 1) the process dies.
    pub die_at: Option<Death>,
    /// After this operation (counted from 1) the process sleeps for so long ([`FakeCloud::awake`]).
    ///
    /// [`FakeCloud::awake`]: super::FakeCloud::awake
    pub sleeps: Option<(u64, Duration)>,
    /// Kinds that cannot be surveyed, and what is said instead; nothing is said of those without.
    pub blind: Vec<(&'static str, Option<ErrorClass>)>,
    /// From this operation on (counted from 1) the credentials have expired.
    pub expires_at: Option<u64>,
    /// Between these two moments, from when the faults were set, the network is away.
    pub away: Option<(Duration, Duration)>,
}

/// When the process dies.
#[derive(Clone, Copy, Debug)]
pub struct Death {
    /// At which operation.
    pub operation: u64,
    /// After it took effect, not before.
    pub after: bool,
}
