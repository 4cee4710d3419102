//! What the sources say about the side that traffic moves to. Pure: signals and the time go in,
//! findings and doubts come out.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::order::{Limits, Order};
use crate::event::short;
use crate::model::error::OpError;
use crate::traffic::{AlarmState, Figure, Figures, Signals, Targets, Weights};

/// A reason to take traffic back.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// An alarm is in `ALARM`.
    Alarm {
        /// Its name.
        name: String,
        /// AWS's reason.
        reason: String,
        /// Since when, as AWS says it.
        since: String,
    },
    /// AWS calls targets unhealthy.
    Unhealthy {
        /// The side that they belong to.
        side: String,
        /// The targets.
        targets: Vec<String>,
    },
    /// No target is healthy.
    NoTarget {
        /// The side without one.
        side: String,
    },
    /// The probe failed too often in a row.
    Probe {
        /// How often.
        failures: u32,
        /// Why, the last time.
        why: String,
    },
    /// More requests fail than on the other side.
    ErrorRate {
        /// Of 100 requests, on the side that traffic moves from.
        from: f64,
        /// On the side that it moves to.
        to: f64,
        /// How many more it may be.
        limit: f64,
    },
    /// It answers more slowly than the other side.
    P99 {
        /// Of the side that traffic moves from.
        from: Duration,
        /// Of the side that it moves to.
        to: Duration,
        /// How many times the first the second may be.
        limit: f64,
    },
    /// A source has said nothing for too long.
    Missing {
        /// What is not known.
        doubt: Doubt,
        /// For how long.
        lasted: Duration,
    },
}

impl Finding {
    /// Something that will not be known.
    pub(super) fn unknown(doubt: Doubt) -> Self {
        Self::Missing { doubt, lasted: Duration::ZERO }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alarm { name, reason, since } => {
                write!(f, "alarm {name} is in ALARM since {since}: {reason}")
            }
            Self::Unhealthy { side, targets } => {
                write!(f, "unhealthy targets of {side}: {}", targets.join(", "))
            }
            Self::NoTarget { side } => write!(f, "no target of {side} is healthy"),
            Self::Probe { failures, why } => {
                write!(f, "the probe failed {failures} times in a row: {why}")
            }
            Self::ErrorRate { from, to, limit } => write!(
                f,
                "{to:.2} % of requests fail, {from:.2} % on the other side, at most {limit} more \
                 are allowed"
            ),
            Self::P99 { from, to, limit } => write!(
                f,
                "p99 is {} ms, {} ms on the other side, at most {limit} times that is allowed",
                to.as_millis(),
                from.as_millis()
            ),
            Self::Missing { doubt, lasted } => write!(f, "{doubt} for {}", short(lasted)),
        }
    }
}

/// Something that is watched and not known at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// What is not known.
    pub about: String,
    /// Why.
    pub why: String,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.about, self.why)
    }
}

/// What one look says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Verdict {
    /// Reasons to take traffic back.
    pub(super) findings: Vec<Finding>,
    /// What is not known yet. No step is taken meanwhile.
    pub(super) doubts: Vec<Doubt>,
    /// Whether a source has failed in a way that does not pass.
    pub(super) is_hopeless: bool,
}

/// Remembers what one look alone does not say.
#[derive(Debug, Default)]
pub(super) struct Watchman {
    /// How many probes in a row have failed.
    failures: u32,
    /// Since when something is not known.
    open: BTreeMap<String, Instant>,
    /// The last figures of the side that traffic moves from while it had enough of it.
    base: Option<Figure>,
}

impl Watchman {
    /// Judges one look. `weights` is `None` if they could not be read; the error says why.
    pub(super) fn judge(
        &mut self,
        order: &Order,
        weights: Result<Weights, &OpError>,
        signals: &Signals,
        now: Instant,
    ) -> Verdict {
        let Order { limits, side, .. } = order;
        let mut verdict = Verdict::default();
        if let Err(error) = weights {
            verdict.doubt("the weights", error.to_string());
        }
        self.alarms(signals, &mut verdict);
        self.targets(side, signals, &mut verdict);
        self.probe(limits, signals, &mut verdict);
        match &signals.figures {
            Some(Ok(figures)) => self.compare(limits, weights.ok(), figures, &mut verdict),
            Some(Err(error)) => verdict.fails("the figures", error),
            None => {}
        }
        self.age(limits, &mut verdict, now);
        verdict
    }

    fn alarms(&self, signals: &Signals, verdict: &mut Verdict) {
        let alarms = match &signals.alarms {
            Some(Ok(alarms)) => alarms,
            Some(Err(error)) => return verdict.fails("the alarms", error),
            None => return,
        };
        for alarm in alarms {
            let about = format!("alarm {}", alarm.name);
            match alarm.state {
                AlarmState::Ok => {}
                AlarmState::Alarm => verdict.findings.push(Finding::Alarm {
                    name: alarm.name.clone(),
                    reason: alarm.reason.clone(),
                    since: alarm.since.clone(),
                }),
                AlarmState::Insufficient => verdict.doubt(about, "INSUFFICIENT_DATA".to_owned()),
                AlarmState::Absent => {
                    verdict.is_hopeless = true;
                    verdict.doubt(about, "it does not exist".to_owned());
                }
            }
        }
    }

    fn targets(&self, side: &str, signals: &Signals, verdict: &mut Verdict) {
        let side = side.to_owned();
        match &signals.targets {
            Some(Ok(Targets { unhealthy, .. })) if !unhealthy.is_empty() => {
                verdict.findings.push(Finding::Unhealthy { side, targets: unhealthy.clone() });
            }
            Some(Ok(Targets { healthy: 0, .. })) => {
                verdict.findings.push(Finding::NoTarget { side });
            }
            Some(Ok(_)) | None => {}
            Some(Err(error)) => verdict.fails("the targets", error),
        }
    }

    fn probe(&mut self, limits: &Limits, signals: &Signals, verdict: &mut Verdict) {
        match &signals.probe {
            Some(Err(why)) => {
                self.failures += 1;
                match self.failures >= limits.probes {
                    true => verdict
                        .findings
                        .push(Finding::Probe { failures: self.failures, why: why.clone() }),
                    false => verdict.doubt("the probe", why.clone()),
                }
            }
            Some(Ok(_)) => self.failures = 0,
            None => {}
        }
    }

    /// Compares the sides as far as the limits ask for it.
    fn compare(
        &mut self,
        limits: &Limits,
        weights: Option<Weights>,
        figures: &Figures,
        verdict: &mut Verdict,
    ) {
        let enough = |figure: Option<Figure>| figure.filter(|one| one.requests >= limits.requests);
        let (from, to) = (enough(figures.from), enough(figures.to));
        self.base = from.or(self.base);
        if weights.is_some_and(|weights| weights.to == 0) {
            return;
        }
        let too_few = || format!("fewer than {} requests", limits.requests);
        // Without traffic it can say nothing any more.
        let from = if weights.is_some_and(|weights| weights.from == 0) { self.base } else { from };
        let is_alone = weights.is_some_and(|weights| weights.from == 0) && from.is_none();
        if to.is_none() {
            verdict.doubt("the figures of the side that traffic moves to", too_few());
        }
        if from.is_none() && !is_alone {
            verdict.doubt("the figures of the side that traffic moves from", too_few());
        }
        let (Some(from), Some(to)) = (from, to) else { return };
        if let Some(limit) = limits.error_rate
            && to.error_rate() > from.error_rate() + limit
        {
            let (from, to) = (from.error_rate(), to.error_rate());
            verdict.findings.push(Finding::ErrorRate { from, to, limit });
        }
        if let Some(limit) = limits.p99 {
            match (from.p99, to.p99) {
                (Some(from), Some(to)) if to > from.mul_f64(limit) => {
                    verdict.findings.push(Finding::P99 { from, to, limit });
                }
                (Some(_), Some(_)) => {}
                (None, _) | (_, None) => verdict.doubt("p99", "no data".to_owned()),
            }
        }
    }

    /// A doubt that lasts becomes a finding.
    fn age(&mut self, limits: &Limits, verdict: &mut Verdict, now: Instant) {
        self.open.retain(|about, _| verdict.doubts.iter().any(|doubt| doubt.about == *about));
        for doubt in std::mem::take(&mut verdict.doubts) {
            let since = *self.open.entry(doubt.about.clone()).or_insert(now);
            let lasted = now - since;
            match lasted > limits.missing {
                true => verdict.findings.push(Finding::Missing { doubt, lasted }),
                false => verdict.doubts.push(doubt),
            }
        }
    }
}

impl Verdict {
    fn doubt(&mut self, about: impl Into<String>, why: String) {
        self.doubts.push(Doubt { about: about.into(), why });
    }

    fn fails(&mut self, about: &str, error: &OpError) {
        self.is_hopeless |= !error.passes();
        self.doubt(about, error.to_string());
    }
}

#[cfg(test)]
mod tests;
