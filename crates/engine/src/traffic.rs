//! The engine's only view of traffic that can be moved from one side to another: a listener or a
//! rule with two target groups, an alias with two versions, a stage with a canary.

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::Value;

use crate::model::error::OpError;

/// The tag on the object with the weights that says which run moves them. An alias has no tags: its
/// function carries one for each alias, with the alias's name behind this one.
pub const TAG_SHIFT: &str = "payctl:shift";

/// Something that divides traffic between the side that traffic moves from and the side that it moves
/// to. Both sides are fixed before the shift begins.
///
/// A shift and its claim are only as good as these promises:
/// - No operation retries an error that leaves open whether the call took effect. It returns
///   `ErrorClass::Service`, and the engine looks before it acts.
/// - `Throttled`, `Busy` and `NotYet` mean that nothing happened. A refused condition (a revision that
///   has moved) is `Busy`.
/// - No operation waits for AWS to finish something. The engine gives each one a few seconds and then
///   drops it. A dropped operation must not send anything any more.
/// - Nothing else in payctl decides these weights. An apply writes them only while it sees no tag, and
///   only as it has just read them, with no share for a side that is new. It leaves the tag where it is.
pub trait Traffic: Send + Sync {
    /// Reads the weights and the tag, from the service's own answers and never from a cache.
    fn read(&self) -> BoxFuture<'_, Result<Standing, OpError>>;

    /// Sets exactly these weights, in one call, and nothing else. `seen` was read right before: a
    /// service that knows conditions gets its revision.
    fn set<'a>(
        &'a self,
        seen: &'a Standing,
        weights: Weights,
    ) -> BoxFuture<'a, Result<(), OpError>>;

    /// Sets or removes the tag, in one call.
    fn tag<'a>(&'a self, claim: Option<&'a str>) -> BoxFuture<'a, Result<(), OpError>>;

    /// Reads everything that the shift watches, at the same time. `since` says how long the weights
    /// have stood: older figures say nothing about them. A source that fails, or takes longer than
    /// three seconds, is an error of its own and does not hold up the others.
    fn watch(&self, since: Duration) -> BoxFuture<'_, Signals>;
}

/// How traffic stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How it is divided.
    pub weights: Weights,
    /// The tag, if there is one.
    pub claim: Option<String>,
    /// Whatever `set` needs of what was read: the rest of an action, a revision.
    pub rest: Value,
}

/// How traffic is divided. Only the proportion counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    /// Of the side that it moves from.
    pub from: u32,
    /// Of the side that it moves to.
    pub to: u32,
}

impl Weights {
    /// All traffic on the side that it came from.
    pub const BACK: Self = Self { from: 100, to: 0 };

    /// So many percent on the side that it moves to.
    pub fn at(percent: u8) -> Self {
        Self { from: 100_u32.saturating_sub(percent.into()), to: percent.into() }
    }

    /// The share of the side that it moves to, in whole percent, rounded down. `None` if no side gets
    /// any traffic.
    pub fn percent(self) -> Option<u8> {
        let (to, all) = (u64::from(self.to), u64::from(self.from) + u64::from(self.to));
        u8::try_from((to * 100).checked_div(all)?).ok()
    }

    /// Whether they divide traffic in the same way.
    pub fn divide_like(self, other: Self) -> bool {
        let product = |a: u32, b: u32| u64::from(a) * u64::from(b);
        self.percent().is_some() == other.percent().is_some()
            && product(self.from, other.to) == product(other.from, self.to)
    }

    /// Whether all traffic is on the side that it came from.
    pub fn are_back(self) -> bool {
        self.divide_like(Self::BACK)
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.from, self.to)
    }
}

/// What one source says; `None` if the shift does not watch it.
pub type Reading<T> = Option<Result<T, OpError>>;

/// What the sources say at one moment.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    /// The alarms that the shift names, each of them.
    pub alarms: Reading<Vec<Alarm>>,
    /// The targets of the side that traffic moves to.
    pub targets: Reading<Targets>,
    /// How long the probe took, or why it failed.
    pub probe: Option<Result<Duration, String>>,
    /// The figures of both sides.
    pub figures: Reading<Figures>,
}

/// An alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: AlarmState,
    /// AWS's reason for the state.
    pub reason: String,
    /// When it came into the state, as AWS says it.
    pub since: String,
}

/// The state of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmState {
    /// `OK`.
    Ok,
    /// `ALARM`.
    Alarm,
    /// `INSUFFICIENT_DATA`.
    Insufficient,
    /// There is no alarm of this name.
    Absent,
}

/// The targets of one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// How many are healthy.
    pub healthy: u32,
    /// Those that AWS calls unhealthy, each with its reason. Targets that come or go are neither.
    pub unhealthy: Vec<String>,
}

/// The figures of both sides over the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Of the side that traffic moves from; `None` without data.
    pub from: Option<Figure>,
    /// Of the side that it moves to.
    pub to: Option<Figure>,
}

/// The figures of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    /// How many requests it had.
    pub requests: u64,
    /// How many of them failed.
    pub errors: u64,
    /// The time within which it answered 99 of 100.
    pub p99: Option<Duration>,
}

impl Figure {
    /// How many of 100 requests failed.
    #[allow(clippy::cast_precision_loss, reason = "a rate for people, of counts far below 2^52")]
    pub fn error_rate(&self) -> f64 {
        if self.requests == 0 { 0.0 } else { self.errors as f64 * 100.0 / self.requests as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_count_by_their_proportion() {
        let weights = |from, to| Weights { from, to };
        let percent = [(1, 0), (0, 1), (0, 999), (900, 99), (999, 1), (90, 10), (3, 1), (0, 0)]
            .map(|(from, to)| weights(from, to).percent());
        let some = [0, 100, 100, 9, 0, 10, 25].map(Some);
        assert_eq!(percent[..7], some);
        assert_eq!(percent[7], None);
        assert!(weights(1, 0).are_back() && weights(999, 0).are_back());
        assert!(!weights(999, 1).are_back() && !weights(0, 0).are_back());
        assert!(weights(9, 1).divide_like(Weights::at(10)));
        assert!(weights(0, 7).divide_like(Weights::at(100)));
        assert!(!weights(0, 0).divide_like(Weights::at(100)));
        assert!(weights(0, 0).divide_like(weights(0, 0)));
    }
}
