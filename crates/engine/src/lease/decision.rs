//! What a candidate for a lease does next. Time is a parameter, and so is every reply.

use std::time::Duration;

use super::record::{Holder, Record, Version};

/// A moment on the clocks of one process. Moments of two processes are never compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Moment {
    /// A clock that nobody sets. It may stand still while the machine sleeps.
    pub steady: Duration,
    /// A clock that runs while the machine sleeps. Somebody may set it.
    pub wall: Duration,
}

impl Moment {
    /// At least the time that has passed, unless the steady clock stood still **and** the other was set
    /// back: a holder counts with it.
    fn at_most_since(self, past: Self) -> Duration {
        let steady = self.steady.saturating_sub(past.steady);
        steady.max(self.wall.saturating_sub(past.wall))
    }

    /// At most the time that has passed: a run that waits for another counts with it.
    fn at_least_since(self, past: Self) -> Duration {
        self.steady.saturating_sub(past.steady)
    }
}

/// The times of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Terms {
    /// The time between two writes of a holder.
    pub beat: Duration,
    /// How long a holder trusts its lease after it sent a write that took effect.
    pub trust: Duration,
    /// How long others must see one version unchanged. The clocks of two processes may run at rates
    /// whose ratio is at most `lasts / trust`.
    pub lasts: Duration,
    /// The pause between two looks, and after a lost reply.
    pub poll: Duration,
}

/// A call to the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Reads the record, never an old version of it.
    Read,
    /// Writes a record if the store still has the version named, or no record.
    Write {
        /// What to write.
        record: Record,
        /// What must be there.
        over: Option<Version>,
    },
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// What a read saw.
    Seen(Option<Record>),
    /// The write took effect.
    Written,
    /// The store has another version: the write did not take effect.
    Conflict,
    /// No reply: it may have taken effect, and may still do so later.
    Lost,
}

/// What a candidate wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Next {
    /// This call, now.
    Call(Call),
    /// Nothing for so long.
    Wait(Duration),
    /// Nothing any more: the lease is released, or another run has it.
    Over,
}

/// A run that wants a lease, has it, or has lost it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Candidate {
    me: Holder,
    terms: Terms,
    steals: Steals,
    phase: Phase,
    /// When it paused, and for how long.
    pause: Option<(Moment, Duration)>,
    /// A write whose reply was lost.
    unsure: Option<Unsure>,
    /// The run that held the lease before, if it did not release it.
    took_from: Option<Holder>,
}

/// Whose lease it takes without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Steals {
    Never,
    /// Of the first holder that it sees, and of no later one: two stealers do not steal in turn.
    First,
    /// Of the holder with this token.
    From(u64),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Waiting {
        /// The record of another run, and since when its version has been the same.
        seen: Option<(Record, Moment)>,
        /// The write that the last look allows.
        write: Option<Box<(Record, Option<Version>)>>,
    },
    Holding {
        version: Version,
        /// When the last write was sent that took effect.
        sent: Moment,
        /// From when on another run cannot trust its stolen lease any more.
        settles: Option<(Moment, Duration)>,
        /// Whether to look before anything else.
        looks: bool,
    },
    Releasing {
        version: Version,
        looks: bool,
    },
    Released,
    Lost {
        to: Option<Record>,
    },
}

/// A write that may have taken effect, or may still do so.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Unsure {
    version: Version,
    /// When it was sent first: trust counts from there.
    sent: Moment,
}

impl Candidate {
    /// A run that wants the lease, and takes it from the first holder that it sees if it steals.
    pub fn new(me: Holder, terms: Terms, steals: bool) -> Self {
        let steals = if steals { Steals::First } else { Steals::Never };
        let phase = Phase::Waiting { seen: None, write: None };
        Self { me, terms, steals, phase, pause: None, unsure: None, took_from: None }
    }

    /// Whether it holds the lease and may trust that no other run does. A pause of the process between
    /// this answer and what it does with it is not covered.
    pub fn is_live(&self, now: Moment) -> bool {
        let Phase::Holding { sent, .. } = &self.phase else { return false };
        self.is_settled(now) && now.at_most_since(*sent) < self.terms.trust
    }

    /// Whether the run from which it stole the lease cannot trust it any more.
    fn is_settled(&self, now: Moment) -> bool {
        let Phase::Holding { settles: Some((since, long)), .. } = self.phase else { return true };
        now.at_least_since(since) >= long
    }

    /// Whether its record is the one in the store, as far as it knows.
    pub fn holds(&self) -> bool {
        matches!(self.phase, Phase::Holding { .. })
    }

    /// The fencing token of the lease that it holds.
    pub fn token(&self) -> Option<u64> {
        match self.phase {
            Phase::Holding { version, .. } => Some(version.token),
            Phase::Waiting { .. }
            | Phase::Releasing { .. }
            | Phase::Released
            | Phase::Lost { .. } => None,
        }
    }

    /// The record of the run that it waits for.
    pub fn waits_for(&self) -> Option<&Record> {
        match &self.phase {
            Phase::Waiting { seen: Some((record, _)), write: None } => Some(record),
            _ => None,
        }
    }

    /// The run from which it took the lease that it holds, and whether it stole it.
    pub fn took_from(&self) -> Option<(&Holder, bool)> {
        let Phase::Holding { settles, .. } = &self.phase else { return None };
        Some((self.took_from.as_ref()?, settles.is_some()))
    }

    /// Whether another run has taken the lease or removed the record, and what was seen then.
    pub fn lost(&self) -> Option<Option<&Record>> {
        match &self.phase {
            Phase::Lost { to } => Some(to.as_ref()),
            _ => None,
        }
    }

    /// Gives the lease back. From now on it is not live, whatever becomes of the release. A lease that
    /// was stolen a moment ago is left to expire: the next holder must not begin while the run from
    /// which it was stolen may still trust it.
    pub fn release(&mut self, now: Moment) {
        let is_settled = self.is_settled(now);
        self.pause = None;
        self.phase = match self.phase {
            Phase::Holding { version, looks, .. } if is_settled => {
                Phase::Releasing { version, looks }
            }
            _ => Phase::Released,
        };
    }

    /// What it wants now.
    pub fn next(&mut self, now: Moment) -> Next {
        if let Some((since, long)) = self.pause {
            let passed = now.at_most_since(since);
            if passed < long {
                return Next::Wait(long - passed);
            }
            self.pause = None;
        }
        match &self.phase {
            Phase::Waiting { write: Some(write), .. } => {
                let (record, over) = &**write;
                Next::Call(Call::Write { record: record.clone(), over: *over })
            }
            Phase::Waiting { write: None, .. }
            | Phase::Holding { looks: true, .. }
            | Phase::Releasing { looks: true, .. } => Next::Call(Call::Read),
            Phase::Holding { version, sent, .. } => {
                let passed = now.at_most_since(*sent);
                if passed < self.terms.beat {
                    return Next::Wait(self.terms.beat - passed);
                }
                self.write_over(*version, Some(self.me.clone()))
            }
            Phase::Releasing { version, .. } => self.write_over(*version, None),
            Phase::Released | Phase::Lost { .. } => Next::Over,
        }
    }

    /// The next version of its own record.
    fn write_over(&self, version: Version, holder: Option<Holder>) -> Next {
        let Version { token, beat } = version;
        let record = Record { token, beat: beat + 1, holder, lasts: self.terms.lasts };
        Next::Call(Call::Write { record, over: Some(version) })
    }

    /// Takes in how a call ended that was sent at a moment.
    pub fn replied(&mut self, call: &Call, sent: Moment, reply: Reply, now: Moment) {
        self.pause = None;
        match (call, reply) {
            (_, Reply::Seen(record)) => self.saw(record, now),
            (Call::Write { record, .. }, Reply::Written) => {
                self.unsure = None;
                self.wrote(record.version(), sent, now);
            }
            (Call::Write { .. }, Reply::Conflict) => self.look_first(),
            (Call::Write { record, .. }, Reply::Lost) => {
                let version = record.version();
                let first = self.unsure.take().filter(|unsure| unsure.version == version);
                self.unsure = Some(first.unwrap_or(Unsure { version, sent }));
                self.look_first();
                self.pause = Some((now, self.terms.poll));
            }
            (Call::Read, _) => self.pause = Some((now, self.terms.poll)),
        }
    }

    fn look_first(&mut self) {
        match &mut self.phase {
            Phase::Waiting { write, .. } => *write = None,
            Phase::Holding { looks, .. } | Phase::Releasing { looks, .. } => *looks = true,
            Phase::Released | Phase::Lost { .. } => {}
        }
    }

    /// A write of its own is in the store.
    fn wrote(&mut self, version: Version, sent: Moment, now: Moment) {
        match &mut self.phase {
            Phase::Waiting { seen, .. } => {
                // A record that it has not seen unchanged for long enough was stolen: until the other
                // run cannot trust it any more, this one does not.
                let stolen = seen.as_ref().filter(|(record, since)| {
                    record.holder.is_some() && now_is_early(record, *since, sent)
                });
                let settles = stolen.map(|(record, _)| (now, record.lasts));
                self.took_from = seen.as_ref().and_then(|(record, _)| record.holder.clone());
                self.phase = Phase::Holding { version, sent, settles, looks: false };
            }
            Phase::Holding { version: held, sent: last, looks, .. } => {
                (*held, *last, *looks) = (version, sent, false);
            }
            Phase::Releasing { .. } => self.phase = Phase::Released,
            Phase::Released | Phase::Lost { .. } => {}
        }
    }

    fn saw(&mut self, record: Option<Record>, now: Moment) {
        if let Some(record) = record.as_ref().filter(|record| record.is_held_by(&self.me.run)) {
            return self.saw_own(record.version(), now);
        }
        match &mut self.phase {
            Phase::Waiting { seen, write } => {
                let Some(record) = record else {
                    *seen = None;
                    *write = Some(Box::new((taken(&self.me, self.terms, None), None)));
                    return;
                };
                let since = match seen {
                    Some((old, since)) if old.version() == record.version() => *since,
                    _ => now,
                };
                let is_over = record.holder.is_none() || !now_is_early(&record, since, now);
                if self.steals == Steals::First {
                    self.steals = Steals::From(record.token);
                }
                if is_over || self.steals == Steals::From(record.token) {
                    let taken = taken(&self.me, self.terms, Some(&record));
                    *write = Some(Box::new((taken, Some(record.version()))));
                } else {
                    self.pause = Some((now, self.terms.poll));
                }
                *seen = Some((record, since));
            }
            Phase::Holding { .. } => self.phase = Phase::Lost { to: record },
            // Another run has it, or nobody: there is nothing to give back.
            Phase::Releasing { .. } => self.phase = Phase::Released,
            Phase::Released | Phase::Lost { .. } => {}
        }
    }

    /// Its own record is in the store.
    fn saw_own(&mut self, version: Version, now: Moment) {
        let unsure = self.unsure.take();
        match (&mut self.phase, unsure) {
            // The write whose reply was lost took effect. Trust counts from when it was sent first.
            (Phase::Waiting { .. } | Phase::Holding { .. }, Some(unsure))
                if unsure.version == version =>
            {
                self.wrote(version, unsure.sent, now);
            }
            // It did not, so far: the same write again, and the first sending is remembered.
            (Phase::Holding { looks, .. }, unsure) => {
                *looks = false;
                self.unsure = unsure;
            }
            (Phase::Releasing { version: held, looks }, _) => (*held, *looks) = (version, false),
            (Phase::Waiting { .. } | Phase::Released | Phase::Lost { .. }, _) => {}
        }
    }
}

/// Whether the holder of a record may still trust it, as far as a run can tell that has seen this version
/// since a moment.
fn now_is_early(record: &Record, since: Moment, now: Moment) -> bool {
    now.at_least_since(since) < record.lasts
}

/// The record of a new holder.
fn taken(me: &Holder, terms: Terms, over: Option<&Record>) -> Record {
    let token = over.map_or(0, |record| record.token) + 1;
    Record { token, beat: 0, holder: Some(me.clone()), lasts: terms.lasts }
}
