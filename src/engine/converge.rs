//! One step: bring one object to its goal, whatever happened before and whatever fails meanwhile.
//!
//! Here is the only loop that waits, and the only place where a failed call is tried again. It
//! never repeats a call whose reply was lost: it looks first.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use super::diff::{FieldChange, diff, diff_tags};
use super::event::{Event, Listener, StepError};
use super::provider::{Provider, Target};
use super::stop::Stop;
use crate::model::address::Address;
use crate::model::error::{ErrorClass, OpError};
use crate::model::live::{Found, Live, Owner, Phase, Tags};
use crate::model::meta::Meta;

/// How soon the first look is taken while AWS is at work.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// How far apart looks become.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How many looks it takes to believe that a create with a lost reply did not happen.
const LOOKS_AFTER_LOST_REPLY: u32 = 6;
/// How long a fresh object may lack the tags that it was made with.
const TAG_LAG: Duration = Duration::from_secs(15);

/// How long what was just made may stay invisible to another service.
const PROPAGATION: Duration = Duration::from_secs(180);

/// What one step works with.
pub(crate) struct Step<'a> {
    /// The cloud.
    pub provider: &'a dyn Provider,
    /// Whose step it is.
    pub address: &'a Address,
    /// The id of the object that it replaces, if that still stands beside it.
    pub replaces: Option<&'a str>,
    /// The facts of the kind.
    pub meta: &'static Meta,
    /// Limits operations over all services.
    pub all: &'a Semaphore,
    /// Limits operations on this service.
    pub service: &'a Semaphore,
    /// The wish to stop.
    pub stop: &'a Stop,
    /// Who listens.
    pub listener: Listener<'a>,
    /// When the step began.
    pub began: Instant,
}

/// What an object should become.
pub(crate) struct Want {
    /// The resolved spec in canonical form.
    pub spec: Value,
    /// The tags that are kept up to date.
    pub tags: Tags,
}

type Outcome<T> = Result<T, StepError>;

/// A wait that starts short and grows.
struct Pace(Duration);

impl Pace {
    fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    fn next(&mut self) -> Duration {
        let now = self.0;
        self.0 = (now * 8 / 5).min(LONGEST_PAUSE);
        now
    }
}

impl Step<'_> {
    /// Makes an object that was absent when the plan was made.
    pub(crate) async fn create(&self, mut target: Target, want: &Want) -> Outcome<Live> {
        target.id = None;
        let live = self.bring_into_being(&mut target, want).await?;
        self.settle(target, want, live).await
    }

    /// Changes an object to what the plan shows. `planned` are the paths that may differ.
    pub(crate) async fn update(
        &self,
        target: Target,
        want: &Want,
        planned: &BTreeSet<String>,
    ) -> Outcome<Live> {
        let Some(live) = self.read(&target).await? else {
            return Err(StepError::Moved(vec!["it is gone".to_owned()]));
        };
        let moved: Vec<String> = self
            .differences(want, &live)
            .into_iter()
            .map(|change| change.path)
            .filter(|path| !planned.contains(path) && !is_within(path, planned))
            .collect();
        if !moved.is_empty() {
            return Err(StepError::Moved(moved));
        }
        self.settle(target, want, live).await
    }

    /// Deletes an object and waits until it is gone.
    pub(crate) async fn delete(&self, target: &Target, live: &Live) -> Outcome<()> {
        let mut pace = Pace::new();
        loop {
            match self.call(self.provider.delete(target, live)).await? {
                Ok(()) if self.meta.lingers => return Ok(()),
                Ok(()) => {}
                Err(error) if error.class == ErrorClass::NotFound => return Ok(()),
                // In use, or the reply was lost: it may be on its way out already.
                Err(error) if error.passes() => {
                    self.retry(error, pace.next()).await?;
                    match self.read(target).await? {
                        None => return Ok(()),
                        Some(left) if matches!(left.phase, Phase::Deleting(_)) => {}
                        Some(_) => continue,
                    }
                }
                Err(error) => return Err(StepError::Refused(error)),
            }
            // Accepted. If it is still there untouched after a while, it is asked again; at once
            // if that was a first move, which is over.
            let asked = Instant::now();
            let mut pace = Pace::new();
            let mut moving = false;
            loop {
                match self.read(target).await? {
                    None => return Ok(()),
                    Some(left) => match left.phase {
                        Phase::Deleting(status) => self.wait(status, pace.next()).await?,
                        Phase::Pending(status) => {
                            moving = true;
                            self.wait(status, pace.next()).await?;
                        }
                        Phase::Ready | Phase::Failed(_) => {
                            if moving || asked.elapsed() > self.meta.settle {
                                break;
                            }
                            self.wait("deleting".to_owned(), pace.next()).await?;
                        }
                    },
                }
            }
        }
    }

    /// Creates once, and finds out what became of it.
    async fn bring_into_being(&self, target: &mut Target, want: &Want) -> Outcome<Live> {
        let mut pace = Pace::new();
        let mut untagged_since: Option<Instant> = None;
        loop {
            match self.call(self.provider.create(target, &want.spec)).await? {
                Ok(id) => {
                    target.id = Some(id);
                    return self.appear(target).await;
                }
                // Taken: by ourselves (a lost reply, an earlier run), by a dying predecessor, or
                // by somebody else.
                Err(error) if error.class == ErrorClass::Exists => match self.find(target).await? {
                    Some(Found {
                        owner: Owner::Ours | Owner::Shared | Owner::Nobody,
                        live,
                        ..
                    }) => return Ok(live),
                    Some(Found { owner: Owner::Foreign(owner), live, .. }) => {
                        let since = *untagged_since.get_or_insert_with(Instant::now);
                        if since.elapsed() > TAG_LAG || !live.tags.is_empty() {
                            return Err(StepError::NotOurs(owner));
                        }
                        self.retry(error, pace.next()).await?;
                    }
                    None if self.may_pass(&error) => self.retry(error, pace.next()).await?,
                    // What has the name cannot be seen, and does not go away.
                    None => return Err(StepError::Refused(error)),
                },
                // It may have happened. Look, more than once: a new object is not visible
                // everywhere at once.
                Err(error) if error.class == ErrorClass::Service => {
                    let mut looks = Pace::new();
                    for _ in 0..LOOKS_AFTER_LOST_REPLY {
                        self.retry(error.clone(), looks.next() * 3).await?;
                        match self.find(target).await? {
                            Some(Found { owner: Owner::Foreign(_), .. }) | None => {}
                            Some(found) => return Ok(found.live),
                        }
                    }
                }
                Err(error) if self.may_pass(&error) => self.retry(error, pace.next()).await?,
                Err(error) => return Err(StepError::Refused(error)),
            }
        }
    }

    /// Looks for an object by name and tags, as a survey does: with the reply, its id was lost.
    async fn find(&self, target: &Target) -> Outcome<Option<Found>> {
        let wanted = BTreeMap::from([(target.name.clone(), self.address.clone())]);
        let mut pace = Pace::new();
        let found = loop {
            match self.call(self.provider.survey(&self.address.kind, &wanted, None)).await? {
                Ok(found) => break found,
                Err(error) if error.passes() || error.class == ErrorClass::NotFound => {
                    self.retry(error, pace.next()).await?;
                }
                Err(error) => return Err(StepError::Refused(error)),
            }
        };
        Ok(found.into_iter().find(|found| {
            found.address == *self.address
                && self.replaces != Some(found.live.id.as_str())
                && !matches!(found.live.phase, Phase::Deleting(_))
        }))
    }

    /// Whether an error passes by itself, and its time for that is not over. What a call refers
    /// to exists; if AWS does not find it, that is a reader lagging behind.
    fn may_pass(&self, error: &OpError) -> bool {
        match error.class {
            ErrorClass::NotFound | ErrorClass::NotYet | ErrorClass::Exists => {
                self.began.elapsed() < PROPAGATION
            }
            _ => error.passes(),
        }
    }

    /// Waits until a new object can be seen.
    async fn appear(&self, target: &Target) -> Outcome<Live> {
        let mut pace = Pace::new();
        loop {
            match self.read(target).await? {
                Some(live) => return Ok(live),
                None => self.wait("not visible yet".to_owned(), pace.next()).await?,
            }
        }
    }

    /// Updates until nothing differs and the object is ready.
    async fn settle(&self, mut target: Target, want: &Want, mut live: Live) -> Outcome<Live> {
        let mut pace = Pace::new();
        // What differed when the last update was accepted, and when that was; how often the same
        // update was accepted and had no effect.
        let mut last: Option<(Vec<FieldChange>, Instant)> = None;
        let mut in_vain = 0;
        loop {
            target.id = Some(live.id.clone());
            match &live.phase {
                Phase::Failed(reason) => return Err(StepError::FailedLater(reason.clone())),
                Phase::Deleting(status) | Phase::Pending(status) => {
                    self.wait(status.clone(), pace.next()).await?;
                }
                Phase::Ready => {
                    let changes = self.differences(want, &live);
                    if changes.is_empty() {
                        return Ok(live);
                    }
                    let fields = || -> Vec<String> {
                        changes.iter().map(|change| change.path.clone()).collect()
                    };
                    let stale = last.as_ref().filter(|(before, _)| *before == changes);
                    match stale {
                        Some((_, at)) if at.elapsed() < self.meta.settle => {
                            self.wait("waiting to read the change back".to_owned(), pace.next())
                                .await?;
                        }
                        Some(_) if in_vain > 0 => return Err(StepError::Unsettled(fields())),
                        None if self.began.elapsed() > self.meta.deadline => {
                            let status = format!("changing {}", fields().join(", "));
                            let waited = self.began.elapsed();
                            return Err(StepError::NotReady { status, waited });
                        }
                        Some(_) | None => {
                            in_vain += u32::from(stale.is_some());
                            if self.write(&target, want, &live, &changes, &mut pace).await? {
                                last = Some((changes, Instant::now()));
                                pace = Pace::new();
                            }
                        }
                    }
                }
            }
            live = match self.read(&target).await? {
                Some(now) => now,
                // A reader that lags behind, or gone: the deadline decides.
                None => {
                    self.wait("not visible".to_owned(), pace.next()).await?;
                    continue;
                }
            };
        }
    }

    /// One update; false if it was not accepted this time.
    async fn write(
        &self,
        target: &Target,
        want: &Want,
        live: &Live,
        changes: &[FieldChange],
        pace: &mut Pace,
    ) -> Outcome<bool> {
        let (set, unset) = tag_moves(changes);
        let mut result = Ok(());
        if !set.is_empty() || !unset.is_empty() {
            result = self.call(self.provider.retag(target, live, &set, &unset)).await?;
        }
        if result.is_ok() && changes.iter().any(|change| !change.path.starts_with("tags.")) {
            result = self.call(self.provider.update(target, &want.spec, live)).await?;
        }
        match result {
            Ok(()) => Ok(true),
            // What it refers to may lag behind; what it asks for may have taken effect already.
            Err(error) if self.may_pass(&error) => {
                self.retry(error, pace.next()).await?;
                Ok(false)
            }
            Err(error) => Err(StepError::Refused(error)),
        }
    }

    fn differences(&self, want: &Want, live: &Live) -> Vec<FieldChange> {
        let mut changes = diff(self.meta, &want.spec, &live.spec);
        if self.meta.tagged {
            changes.extend(diff_tags(&want.tags, &live.tags));
        }
        changes
    }

    /// Reads, again and again while reading fails in a way that passes.
    async fn read(&self, target: &Target) -> Outcome<Option<Live>> {
        let mut pace = Pace::new();
        loop {
            match self.call(self.provider.read(target)).await? {
                Ok(live) => return Ok(live),
                Err(error) if error.passes() => self.retry(error, pace.next()).await?,
                Err(error) => return Err(StepError::Refused(error)),
            }
        }
    }

    /// Makes one operation, within the limits, unless a stop was asked for.
    async fn call<T>(
        &self,
        operation: impl Future<Output = Result<T, OpError>>,
    ) -> Outcome<Result<T, OpError>> {
        let open = "the limits are never closed";
        let _one = self.service.acquire().await.expect(open);
        let _any = self.all.acquire().await.expect(open);
        match self.stop.is_requested() {
            true => Err(StepError::Interrupted),
            false => Ok(operation.await),
        }
    }

    async fn retry(&self, error: OpError, after: Duration) -> Outcome<()> {
        let address = self.address.clone();
        if self.began.elapsed() + after > self.meta.deadline {
            return Err(StepError::TimedOut { error, waited: self.began.elapsed() });
        }
        (self.listener)(Event::Retrying { address, error, after });
        self.pause(after).await
    }

    async fn wait(&self, status: String, pause: Duration) -> Outcome<()> {
        let elapsed = self.began.elapsed();
        if elapsed + pause > self.meta.deadline {
            return Err(StepError::NotReady { status, waited: elapsed });
        }
        (self.listener)(Event::Waiting { address: self.address.clone(), status, elapsed });
        self.pause(pause).await
    }

    async fn pause(&self, pause: Duration) -> Outcome<()> {
        tokio::select! {
            () = sleep(pause) => Ok(()),
            () = self.stop.requested() => Err(StepError::Interrupted),
        }
    }
}

fn is_within(path: &str, planned: &BTreeSet<String>) -> bool {
    planned.iter().any(|wide| {
        let inside = |path: &str, wide: &str| {
            path.strip_prefix(wide).is_some_and(|rest| rest.starts_with('.'))
        };
        inside(path, wide) || inside(wide, path)
    })
}

fn tag_moves(changes: &[FieldChange]) -> (Tags, Vec<String>) {
    let mut set = Tags::new();
    let mut unset = Vec::new();
    for change in changes {
        let Some(key) = change.path.strip_prefix("tags.") else { continue };
        match change.after.as_ref().and_then(Value::as_str) {
            Some(value) => {
                set.insert(key.to_owned(), value.to_owned());
            }
            None => unset.push(key.to_owned()),
        }
    }
    (set, unset)
}
