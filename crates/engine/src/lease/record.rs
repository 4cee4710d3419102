//! What a store keeps of a lease.

use std::fmt;
use std::time::Duration;

/// The record of an environment's lease. It is never deleted, so that its version only grows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// The number of times that the lease was taken: the fencing token of its holder.
    pub token: u64,
    /// The number of writes since then.
    pub beat: u64,
    /// The run that holds the lease; `None` if it was released.
    pub holder: Option<Holder>,
    /// How long other runs must see this version unchanged before they may take the lease.
    pub lasts: Duration,
}

/// The run that holds a lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Holder {
    /// The run: an id that no other run has.
    pub run: String,
    /// The identity with which it calls AWS.
    pub who: String,
    /// Its command, `apply`.
    pub task: String,
    /// When it asked for the lease, for people: nothing compares it.
    pub since: String,
}

/// A version of a record. Every write that takes effect makes a greater one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// [`Record::token`].
    pub token: u64,
    /// [`Record::beat`].
    pub beat: u64,
}

impl Record {
    /// Its version.
    pub fn version(&self) -> Version {
        Version { token: self.token, beat: self.beat }
    }

    /// Whether this run holds it.
    pub fn is_held_by(&self, run: &str) -> bool {
        self.holder.as_ref().is_some_and(|holder| holder.run == run)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} since {} (run {})", self.task, self.who, self.since, self.run)
    }
}
