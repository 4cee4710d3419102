//! What every part of a step does: calls within the limits, looks, and pauses that grow.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::sleep;

use super::{Outcome, Step};
use crate::event::{Event, StepError};
use crate::lease::Lease;
use crate::model::address::Address;
use crate::model::error::{ErrorClass, OpError};
use crate::model::live::{Found, Live, Owner, Tags};
use crate::provider::Target;

/// The first pause between two reads.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two reads.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A wait that starts short and grows.
pub(super) struct Pace(Duration);

impl Pace {
    pub(super) fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    pub(super) fn next(&mut self) -> Duration {
        let now = self.0;
        self.0 = (now * 8 / 5).min(LONGEST_PAUSE);
        now
    }
}

impl Step<'_> {
    /// Reads the object.
    pub(super) async fn read(&self, target: &Target) -> Outcome<Option<Live>> {
        self.looked(|| self.provider.read(target)).await
    }

    /// Reads the object as far as a deletion needs it.
    pub(super) async fn glance(&self, target: &Target, planned: &Live) -> Outcome<Option<Live>> {
        self.looked(|| self.provider.glance(target, planned)).await
    }

    /// Reads the tags of what the object is a part of.
    pub(super) async fn holder(&self, target: &Target, live: &Live) -> Outcome<Option<Tags>> {
        self.looked(|| self.provider.holder(target, live)).await
    }

    /// Lists a kind.
    pub(super) async fn surveyed(
        &self,
        kind: &str,
        wanted: &BTreeMap<String, Address>,
    ) -> Outcome<Vec<Found>> {
        self.looked(|| self.provider.survey(kind, wanted, None)).await
    }

    /// Looks, and repeats that while it fails in a way that passes.
    async fn looked<T, F>(&self, look: impl Fn() -> F) -> Outcome<T>
    where
        F: Future<Output = Result<T, OpError>>,
    {
        let mut pace = Pace::new();
        loop {
            match self.call(look()).await? {
                Ok(seen) => return Ok(seen),
                // Of the several calls of a look, one may be answered from before the object was there.
                Err(error) if error.passes() || error.class == ErrorClass::NotFound => {
                    self.retry(error, pace.next()).await?;
                }
                Err(error) => return Err(StepError::Refused(error)),
            }
        }
    }

    /// Everything that is listed under the address, except the object that is being replaced.
    pub(super) async fn listed(&self, target: &Target) -> Outcome<Vec<Found>> {
        let wanted = BTreeMap::from([(target.name.clone(), self.address.clone())]);
        let mut found = self.surveyed(&self.address.kind, &wanted).await?;
        found.retain(|found| {
            found.address == *self.address
                && self.replaces != Some(found.live.id.as_str())
                && !matches!(found.owner, Owner::Disputed(_))
        });
        Ok(found)
    }

    /// Whether an error passes by itself, within the time for that. The objects that a call refers to
    /// exist: if AWS does not find them, its reader lags behind.
    pub(super) fn may_pass(&self, error: &OpError) -> bool {
        match error.class {
            ErrorClass::NotFound | ErrorClass::NotYet | ErrorClass::Exists => {
                self.began.elapsed() < self.meta.propagation
            }
            _ => error.passes(),
        }
    }

    /// Makes one operation, within the limits, unless a stop was asked for.
    pub(super) async fn call<T>(
        &self,
        operation: impl Future<Output = Result<T, OpError>>,
    ) -> Outcome<Result<T, OpError>> {
        let open = "the limits are never closed";
        let _one = self.service.acquire().await.expect(open);
        let _any = self.all.acquire().await.expect(open);
        if self.stop.is_requested() { Err(StepError::Interrupted) } else { Ok(operation.await) }
    }

    /// Makes one operation that changes something. Right before it, the lease is looked at: this process
    /// may have slept, or waited for its turn, since the step began.
    pub(super) async fn change<T>(
        &self,
        operation: impl Future<Output = Result<T, OpError>>,
    ) -> Outcome<Result<T, OpError>> {
        let mut operation = Some(operation);
        loop {
            let turn = async {
                match operation.take_if(|_| self.lease.is_none_or(Lease::is_live)) {
                    Some(operation) => operation.await.map(Some),
                    None => Ok(None),
                }
            };
            match self.call(turn).await? {
                Ok(Some(done)) => return Ok(Ok(done)),
                Ok(None) => self.lease_is_live().await?,
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    /// Waits, without a place among the operations, until the lease can be trusted again.
    async fn lease_is_live(&self) -> Outcome<()> {
        let Some(lease) = self.lease else { return Ok(()) };
        self.say("waiting for the lease".to_owned());
        tokio::select! {
            () = lease.live() => Ok(()),
            () = self.stop.requested() => Err(StepError::Interrupted),
        }
    }

    pub(super) async fn retry(&self, error: OpError, after: Duration) -> Outcome<()> {
        let address = self.address.clone();
        if self.began.elapsed() + after > self.meta.deadline {
            return Err(StepError::TimedOut { error, waited: self.began.elapsed() });
        }
        (self.listener)(Event::Retrying { address, error, after });
        self.pause(after).await
    }

    pub(super) async fn wait(&self, status: String, pause: Duration) -> Outcome<()> {
        let elapsed = self.began.elapsed();
        if elapsed + pause > self.meta.deadline {
            return Err(StepError::NotReady { status, waited: elapsed });
        }
        self.say(status);
        self.pause(pause).await
    }

    /// Reports the status of the step.
    pub(super) fn say(&self, status: String) {
        let (address, elapsed) = (self.address.clone(), self.began.elapsed());
        (self.listener)(Event::Waiting { address, status, elapsed });
    }

    async fn pause(&self, pause: Duration) -> Outcome<()> {
        tokio::select! {
            () = sleep(pause) => Ok(()),
            () = self.stop.requested() => Err(StepError::Interrupted),
        }
    }
}
