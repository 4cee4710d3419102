//! The loop of a run that wants a lease and holds it. Only here is a clock.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::decision::{Call, Candidate, Moment, Next, Reply, Terms};
use super::record::{Holder, Record, Version};
use super::{CALL, PATIENCE, REACH, RELEASES};
use crate::model::error::{ErrorClass, OpError};
use crate::stop::{Stop, Stopper};

/// Where the record of one environment's lease is kept.
pub trait LeaseStore: Send + Sync {
    /// Reads the record, as the last write left it.
    fn read(&self) -> BoxFuture<'_, Result<Option<Record>, OpError>>;

    /// Writes a record if the store still has the version named, or no record.
    fn write<'a>(
        &'a self,
        record: &'a Record,
        over: Option<Version>,
    ) -> BoxFuture<'a, Result<Wrote, OpError>>;
}

/// How a write ended that the store answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrote {
    /// It took effect.
    Done,
    /// The store has another version.
    Conflict,
}

/// What happens to a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Another run holds it.
    Waiting(Holder),
    /// The other run was not heard of for long enough, or this run steals the lease.
    Taken {
        /// The run that held it.
        from: Holder,
        /// Whether it was stolen; then this run waits until the other cannot trust it any more.
        stolen: bool,
    },
    /// It could not be renewed in time: no step begins.
    Late,
    /// It was renewed after all: steps begin again.
    Renewed,
    /// Another run has taken it, or its record is gone: this run stops.
    Lost(Option<Holder>),
    /// It could not be renewed for too long: this run stops.
    GaveUp,
}

/// Who is told.
pub type Listener<'a> = &'a (dyn Fn(Event) + Send + Sync);

/// Why a run does not have the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unheld {
    /// The limit has passed. Another run holds it, if one was seen.
    TimedOut(Option<Holder>),
    /// The store refuses, or cannot be reached.
    Unusable(OpError),
    /// A stop was asked for.
    Stopped,
}

/// Tells whether a lease can be trusted.
#[derive(Clone, Debug)]
pub struct Watch {
    candidate: Arc<Mutex<Candidate>>,
    began: (Instant, SystemTime),
}

impl Watch {
    /// Whether the run holds the lease and may trust it.
    pub fn is_live(&self) -> bool {
        self.candidate().is_live(self.now())
    }

    fn candidate(&self) -> MutexGuard<'_, Candidate> {
        self.candidate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Moment {
        let (steady, wall) = self.began;
        // A clock that was set to before the beginning counts as standing still.
        Moment { steady: steady.elapsed(), wall: wall.elapsed().unwrap_or_default() }
    }
}

/// A lease that one run wants or holds.
pub struct Lease<'a> {
    store: &'a dyn LeaseStore,
    watch: Watch,
    changed: watch::Sender<()>,
}

impl<'a> Lease<'a> {
    /// A lease that nobody has asked for yet.
    pub fn new(store: &'a dyn LeaseStore, me: Holder, terms: Terms, steals: bool) -> Self {
        Self {
            store,
            watch: Watch {
                candidate: Arc::new(Mutex::new(Candidate::new(me, terms, steals))),
                began: (Instant::now(), SystemTime::now()),
            },
            changed: watch::Sender::new(()),
        }
    }

    /// Waits for the lease until the limit has passed. A first look is always made, and a store that
    /// does not answer gets a minute, whatever the limit is.
    pub async fn acquire(
        &self,
        limit: Duration,
        stop: &Stop,
        listener: Listener<'_>,
    ) -> Result<(), Unheld> {
        let began = Instant::now();
        let mut waited_for: Option<Holder> = None;
        let mut failing: Option<Instant> = None;
        let mut is_told = false;
        loop {
            let took_from = self.took_from().filter(|_| !is_told);
            if let Some((from, stolen)) = took_from {
                is_told = true;
                listener(Event::Taken { from, stolen });
            }
            if self.is_live() {
                return Ok(());
            }
            if let Some(to) = self.lost() {
                return Err(Unheld::TimedOut(to));
            }
            let seen = self.candidate().waits_for().and_then(|record| record.holder.clone());
            if let Some(holder) = seen.filter(|holder| waited_for.as_ref() != Some(holder)) {
                listener(Event::Waiting(holder.clone()));
                waited_for = Some(holder);
            }
            let is_late = waited_for.is_some() && began.elapsed() >= limit;
            if is_late && !self.candidate().holds() {
                return Err(Unheld::TimedOut(waited_for));
            }
            let next = self.candidate().next(self.now());
            let long = match next {
                Next::Call(call) => {
                    match self.call(&call).await {
                        None => failing = None,
                        Some(error) => {
                            let since = *failing.get_or_insert_with(Instant::now);
                            if !error.passes() || self.gives_up(since) {
                                return Err(Unheld::Unusable(error));
                            }
                        }
                    }
                    continue;
                }
                // A stolen lease is renewed until it can be trusted.
                Next::Wait(long) => long.min(Duration::from_secs(1)),
                Next::Over => return Err(Unheld::TimedOut(waited_for)),
            };
            tokio::select! {
                () = sleep(long) => {}
                () = stop.requested() => return Err(Unheld::Stopped),
            }
        }
    }

    /// Whether the store has not answered for too long. A lease that it may hold is kept.
    fn gives_up(&self, since: Instant) -> bool {
        !self.candidate().holds() && since.elapsed() >= REACH
    }

    /// Renews the lease until this future is dropped. If the lease is lost, it asks for a stop.
    pub async fn keep(&self, stopper: &Stopper, listener: Listener<'_>) -> Infallible {
        let mut late: Option<Instant> = None;
        // A process that has slept looks first what became of its lease.
        let mut is_failing = false;
        loop {
            if let Some(to) = self.lost() {
                listener(Event::Lost(to));
                break;
            }
            match (self.is_live(), late) {
                (false, None) if is_failing => {
                    late = Some(Instant::now());
                    listener(Event::Late);
                }
                (true, Some(_)) => {
                    late = None;
                    listener(Event::Renewed);
                }
                (false, Some(since)) if since.elapsed() >= PATIENCE => {
                    listener(Event::GaveUp);
                    break;
                }
                _ => {}
            }
            let next = self.candidate().next(self.now());
            match next {
                Next::Call(call) => is_failing = self.call(&call).await.is_some(),
                Next::Wait(long) => sleep(long).await,
                Next::Over => break,
            }
        }
        stopper.stop();
        std::future::pending().await
    }

    /// Gives the lease back, if it is held. If that fails, it expires.
    pub async fn release(&self) {
        let now = self.now();
        self.candidate().release(now);
        self.changed.send_replace(());
        for _ in 0..RELEASES {
            let next = self.candidate().next(self.now());
            match next {
                Next::Call(call) => drop(self.call(&call).await),
                Next::Wait(long) => sleep(long).await,
                Next::Over => break,
            }
        }
    }

    /// Whether this run holds the lease and may trust it.
    pub fn is_live(&self) -> bool {
        self.watch.is_live()
    }

    /// What tells whether the lease can be trusted, for those who do not hold it.
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// Completes when the lease can be trusted.
    pub async fn live(&self) {
        let mut changed = self.changed.subscribe();
        while !self.is_live() {
            // The sender lives as long as this lease.
            drop(changed.changed().await);
        }
    }

    /// The fencing token, while this run holds the lease.
    pub fn token(&self) -> Option<u64> {
        self.candidate().token()
    }

    /// The run from which it took the lease that it holds, and whether it stole it.
    pub fn took_from(&self) -> Option<(Holder, bool)> {
        self.candidate().took_from().map(|(from, is_stolen)| (from.clone(), is_stolen))
    }

    fn lost(&self) -> Option<Option<Holder>> {
        let candidate = self.candidate();
        candidate.lost().map(|to| to.and_then(|record| record.holder.clone()))
    }

    fn candidate(&self) -> MutexGuard<'_, Candidate> {
        self.watch.candidate()
    }

    fn now(&self) -> Moment {
        self.watch.now()
    }

    /// Makes one call and takes in its reply. Returns the error, if there was one.
    async fn call(&self, call: &Call) -> Option<OpError> {
        let sent = self.now();
        let answer = async {
            match call {
                Call::Read => self.store.read().await.map(Reply::Seen),
                Call::Write { record, over } => {
                    self.store.write(record, *over).await.map(|wrote| match wrote {
                        Wrote::Done => Reply::Written,
                        Wrote::Conflict => Reply::Conflict,
                    })
                }
            }
        };
        let (reply, error) = match timeout(CALL, answer).await {
            Ok(Ok(reply)) => (reply, None),
            Ok(Err(error)) => (Reply::Lost, Some(error)),
            Err(_) => (Reply::Lost, Some(unanswered())),
        };
        self.candidate().replied(call, sent, reply, self.now());
        self.changed.send_replace(());
        error
    }
}

fn unanswered() -> OpError {
    let message = format!("no answer in {} s", CALL.as_secs());
    OpError::new("lease", ErrorClass::Service, "NoAnswer", message)
}
