//! One step: bring one object to its goal, whatever happened before and whatever fails meanwhile.
//!
//! Here is the only loop that waits for the cloud to become as wanted, and the only place where a
//! change that failed is tried again. It never repeats a call whose reply was lost: it looks first.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use rivals::{Refs, Verdict};

use super::diff::{FieldChange, diff, diff_tags};
use super::event::{Event, Listener, StepError};
use super::provider::{Provider, Target};
use super::stop::Stop;
use crate::model::address::Address;
use crate::model::error::{ErrorClass, OpError};
use crate::model::live::{Found, Live, Owner, Phase, Tags};
use crate::model::meta::Meta;
use crate::model::scope::{Scope, TAG_PROTECT, is_protected};

pub(crate) mod rivals;

/// How soon the first look is taken while AWS is at work.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// How far apart looks become.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// What is said while a look is repeated.
const AGAIN: &str = "reading it once more";
/// How many looks in a row must tell of what nobody expects: reads may answer from before and from
/// after a change in turn for a while.
const SURE: u32 = 2;
/// How many looks it takes to believe that a create with a lost reply did not happen.
const LOOKS_AFTER_LOST_REPLY: u32 = 6;
/// How long a fresh object may lack the tags that it was made with.
const TAG_LAG: Duration = Duration::from_secs(15);

/// What one step works with.
pub(crate) struct Step<'a> {
    /// The cloud.
    pub provider: &'a dyn Provider,
    /// Whose step it is.
    pub address: &'a Address,
    /// The id of the object that it replaces, if that still stands beside it.
    pub replaces: Option<&'a str>,
    /// Whose environment it is.
    pub scope: &'a Scope,
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
    /// What it refers to that another run may have made as well.
    pub refs: Refs,
}

type Outcome<T> = Result<T, StepError>;

/// Who made what a step goes on with.
enum Origin {
    /// This step.
    Here,
    /// Another run, or this step, its reply lost.
    Elsewhere,
}

/// What stands under an address.
enum Look {
    /// An object.
    There(Found),
    /// Only what AWS is about to delete, with its status.
    Dying(String),
    Nothing,
}

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
        let (Found { owner, live, .. }, origin) = self.bring_into_being(&mut target, want).await?;
        // Somebody was faster, and it serves everybody as it is.
        if owner == Owner::Shared {
            return Ok(live);
        }
        let live = match origin {
            Origin::Here => live,
            Origin::Elsewhere => self.reconcile(&mut target, want, live).await?,
        };
        let made = (Vec::new(), Instant::now());
        self.settle(target, want, live, Some(made)).await
    }

    /// Changes an object to what the plan shows. `planned` is what the plan saw, and `paths` are those
    /// that may differ.
    pub(crate) async fn update(
        &self,
        target: Target,
        want: &Want,
        planned: &Live,
        paths: &BTreeSet<String>,
    ) -> Outcome<Live> {
        let mut looks = 0;
        loop {
            let Some(live) = self.read_owned(&target, planned).await? else {
                return Err(StepError::Moved(vec!["it is gone".to_owned()]));
            };
            let moved: Vec<String> = self
                .differences(want, &live)
                .into_iter()
                .map(|change| change.path)
                .filter(|path| !paths.contains(path) && !is_within(path, paths))
                .filter(|path| !self.meta.status_fields.contains(&path.as_str()))
                .collect();
            looks += 1;
            if moved.is_empty() {
                return self.settle(target, want, live, None).await;
            }
            if looks == SURE {
                return Err(StepError::Moved(moved));
            }
            self.wait(AGAIN.to_owned(), FIRST_PAUSE).await?;
        }
    }

    /// Deletes what the plan saw, and waits until it is gone. It is looked at first: it may have gone,
    /// or belong to somebody else by now.
    pub(crate) async fn delete(&self, target: &Target, planned: &Live) -> Outcome<()> {
        let mut pace = Pace::new();
        loop {
            let Some(live) = self.read_owned(target, planned).await? else { return Ok(()) };
            if is_protected(&live.tags) && !is_protected(&planned.tags) {
                return Err(StepError::Moved(vec![format!("tags.{TAG_PROTECT}")]));
            }
            if !matches!(live.phase, Phase::Deleting(_)) {
                // Another run has put a new one in its place, under the same name.
                if self.is_another(planned, &live) {
                    return Ok(());
                }
                match self.call(self.provider.delete(target, planned)).await? {
                    Ok(()) => {}
                    Err(error) if error.class == ErrorClass::NotFound => return Ok(()),
                    // In use, or the reply was lost: it may be on its way out already.
                    Err(error) if error.passes() => {
                        self.retry(error, pace.next()).await?;
                        continue;
                    }
                    Err(error) => return Err(StepError::Refused(error)),
                }
            }
            if self.meta.listed_after_delete || self.is_gone(target).await? {
                return Ok(());
            }
        }
    }

    /// Reads what the plan saw, and stops if it is not ours. What AWS is deleting may have lost its
    /// tags already, and is only waited for.
    async fn read_owned(&self, target: &Target, planned: &Live) -> Outcome<Option<Live>> {
        let mut pace = Pace::new();
        let since = Instant::now();
        let mut missed = 0;
        loop {
            let Some(live) = self.read(target).await? else {
                missed += 1;
                if missed == SURE {
                    return Ok(None);
                }
                self.wait(AGAIN.to_owned(), FIRST_PAUSE).await?;
                continue;
            };
            missed = 0;
            // What AWS's services made by themselves has no tags before it is taken over. What was
            // being deleted had lost its own: one without any that can be used is somebody else's.
            let was_dying = matches!(planned.phase, Phase::Deleting(_));
            let is_bare = live.tags.is_empty() && planned.tags.is_empty() && !was_dying;
            if matches!(live.phase, Phase::Deleting(_)) || is_bare || self.owns(&live) {
                return Ok(Some(live));
            }
            if !live.tags.is_empty() {
                return Err(not_ours());
            }
            self.wait_for_tags(since, pace.next()).await?;
        }
    }

    /// Waits for tags that cannot be seen; what has none after a while is somebody else's.
    async fn wait_for_tags(&self, since: Instant, pause: Duration) -> Outcome<()> {
        match since.elapsed() > TAG_LAG {
            true => Err(not_ours()),
            false => self.wait("its tags are not visible".to_owned(), pause).await,
        }
    }

    /// Whether the tags of an object make it this environment's, under this address. What carries no
    /// tags is owned through its parent.
    fn owns(&self, live: &Live) -> bool {
        !self.meta.tagged || self.scope.owned(&live.tags).as_ref() == Some(self.address)
    }

    /// Whether what is read under an id is not what the plan saw there.
    fn is_another(&self, planned: &Live, live: &Live) -> bool {
        let fixed = |change: &FieldChange| self.meta.is_immutable(&change.path);
        diff(self.meta, &planned.spec, &live.spec).iter().any(fixed)
    }

    /// Waits until a deletion that AWS accepted is over. False if it has to be asked again: the
    /// object is still there untouched after a while, or that was a first move, which is over.
    async fn is_gone(&self, target: &Target) -> Outcome<bool> {
        let asked = Instant::now();
        let mut pace = Pace::new();
        let mut moving = false;
        let mut missed = 0;
        loop {
            let Some(left) = self.read(target).await? else {
                missed += 1;
                if missed >= self.meta.agreeing_reads {
                    return Ok(true);
                }
                self.wait(AGAIN.to_owned(), FIRST_PAUSE).await?;
                continue;
            };
            missed = 0;
            let status = match left.phase {
                Phase::Deleting(status) => status,
                Phase::Pending(status) => {
                    moving = true;
                    status
                }
                Phase::Ready | Phase::Failed(_) => {
                    if moving || asked.elapsed() > self.meta.read_lag {
                        return Ok(false);
                    }
                    "deleting".to_owned()
                }
            };
            self.wait(status, pace.next()).await?;
        }
    }

    /// Creates once, and finds out what became of it.
    async fn bring_into_being(&self, target: &mut Target, want: &Want) -> Outcome<(Found, Origin)> {
        let mut pace = Pace::new();
        let mut untagged_since: Option<Instant> = None;
        let mut was_dying = false;
        loop {
            if self.meta.can_duplicate
                && let Some(found) = self.made_meanwhile(target).await?
            {
                return Ok((found, Origin::Elsewhere));
            }
            match self.call(self.provider.create(target, &want.spec)).await? {
                Ok(id) => {
                    target.id = Some(id);
                    let (live, verdict) = match self.meta.can_duplicate {
                        true => self.appear_among_rivals(target).await?,
                        false => (self.appear(target).await?, Verdict::Stays),
                    };
                    let address = self.address.clone();
                    match verdict {
                        Verdict::Stays => {
                            return Ok((Found { address, owner: Owner::Ours, live }, Origin::Here));
                        }
                        Verdict::Yields(found) => return Ok((*found, Origin::Elsewhere)),
                        Verdict::Again => target.id = None,
                    }
                }
                // Taken: by ourselves (a lost reply, an earlier run), by a dying predecessor, or
                // by somebody else.
                Err(error) if error.class == ErrorClass::Exists => {
                    match self.look(target, want).await? {
                        Look::There(Found { owner: Owner::Foreign(owner), live, .. }) => {
                            let since = *untagged_since.get_or_insert_with(Instant::now);
                            if since.elapsed() > TAG_LAG || !live.tags.is_empty() {
                                return Err(StepError::NotOurs(owner));
                            }
                            self.retry(error, pace.next()).await?;
                        }
                        Look::There(found) => return Ok((found, Origin::Elsewhere)),
                        Look::Dying(status) => {
                            was_dying = true;
                            self.wait(status, pace.next()).await?;
                        }
                        Look::Nothing if was_dying || self.may_pass(&error) => {
                            was_dying = false;
                            self.retry(error, pace.next()).await?;
                        }
                        // What has the name cannot be seen, and does not go away.
                        Look::Nothing => return Err(StepError::Refused(error)),
                    }
                }
                // It may have happened. Look, more than once: a new object is not visible
                // everywhere at once.
                Err(error) if error.class == ErrorClass::Service => {
                    let mut looks = Pace::new();
                    for _ in 0..LOOKS_AFTER_LOST_REPLY {
                        self.retry(error.clone(), looks.next() * 3).await?;
                        match self.look(target, want).await? {
                            Look::There(found) if !matches!(found.owner, Owner::Foreign(_)) => {
                                return Ok((found, Origin::Elsewhere));
                            }
                            Look::There(_) | Look::Dying(_) | Look::Nothing => {}
                        }
                    }
                }
                Err(error) if self.may_pass(&error) => self.retry(error, pace.next()).await?,
                Err(error) => return Err(StepError::Refused(error)),
            }
        }
    }

    /// Looks for an object by name and tags, as a survey does: with the reply, its id was lost.
    async fn look(&self, target: &Target, want: &Want) -> Outcome<Look> {
        let (mut there, mut dying) = (None, None);
        for mut found in self.listed(target).await? {
            if found.owner == Owner::Nobody && !self.meta.takes_over(&want.spec, &found.live.spec) {
                found.owner = Owner::Foreign(Scope::describe_owner(&found.live.tags));
            }
            match &found.live.phase {
                Phase::Deleting(status) => dying = Some(status.clone()),
                _ => there = there.or(Some(found)),
            }
        }
        Ok(match (there, dying) {
            // Of several, one may be another run's that is being taken back.
            (Some(found), _) if self.meta.can_duplicate && found.owner == Owner::Ours => {
                Look::There(self.made_meanwhile(target).await?.unwrap_or(found))
            }
            (Some(found), _) => Look::There(found),
            (None, Some(status)) => Look::Dying(status),
            (None, None) => Look::Nothing,
        })
    }

    /// Everything that is listed under the address, but for what is being replaced.
    async fn listed(&self, target: &Target) -> Outcome<Vec<Found>> {
        let wanted = BTreeMap::from([(target.name.clone(), self.address.clone())]);
        let mut found = self.surveyed(&self.address.kind, &wanted).await?;
        found.retain(|found| {
            found.address == *self.address
                && self.replaces != Some(found.live.id.as_str())
                && !matches!(found.owner, Owner::Disputed(_))
        });
        Ok(found)
    }

    /// Everything of a kind, again and again while looking fails in a way that passes.
    async fn surveyed(
        &self,
        kind: &str,
        wanted: &BTreeMap<String, Address>,
    ) -> Outcome<Vec<Found>> {
        let mut pace = Pace::new();
        loop {
            match self.call(self.provider.survey(kind, wanted, None)).await? {
                Ok(found) => return Ok(found),
                Err(error) if error.passes() || error.class == ErrorClass::NotFound => {
                    self.retry(error, pace.next()).await?;
                }
                Err(error) => return Err(StepError::Refused(error)),
            }
        }
    }

    /// Waits until what somebody made differs only in what can be changed in place. It may belong to
    /// another network, if two runs that began at the same time do not see each other: then the step
    /// fails, and the next run brings the two together.
    async fn reconcile(&self, target: &mut Target, want: &Want, mut live: Live) -> Outcome<Live> {
        let since = Instant::now();
        let mut pace = Pace::new();
        target.id = Some(live.id.clone());
        loop {
            let changes = self.differences(want, &live);
            let paths = changes.iter().map(|change| change.path.as_str());
            let fixed: Vec<&str> = paths.filter(|path| self.meta.is_immutable(path)).collect();
            if fixed.is_empty() || matches!(live.phase, Phase::Deleting(_) | Phase::Failed(_)) {
                let quarrels = self.quarrel(want, &live, &changes).await?;
                return match quarrels.is_empty() {
                    true => Ok(live),
                    false => Err(StepError::Rival(quarrels)),
                };
            }
            if since.elapsed() > self.meta.read_lag {
                return Err(StepError::Rival(fixed.into_iter().map(str::to_owned).collect()));
            }
            self.wait("made by another run".to_owned(), pace.next()).await?;
            if let Some(now) = self.read(target).await? {
                live = now;
            }
        }
    }

    /// Whether an error passes by itself, and its time for that is not over. What a call refers
    /// to exists; if AWS does not find it, that is a reader lagging behind.
    fn may_pass(&self, error: &OpError) -> bool {
        match error.class {
            ErrorClass::NotFound | ErrorClass::NotYet | ErrorClass::Exists => {
                self.began.elapsed() < self.meta.propagation
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

    /// Updates until nothing differs and the object is ready. `last` is what differed when this
    /// step last changed it, and when that was.
    async fn settle(
        &self,
        mut target: Target,
        want: &Want,
        mut live: Live,
        mut last: Option<(Vec<FieldChange>, Instant)>,
    ) -> Outcome<Live> {
        let mut pace = Pace::new();
        // How often the same update was accepted and had no effect.
        let mut in_vain = 0;
        let (mut was_tagged, mut tagged_at) = (false, Instant::now());
        // What the last look told, and how many in a row told it.
        let (mut told, mut times) = (None, 0);
        loop {
            target.id = Some(live.id.clone());
            let changes = self.differences(want, &live);
            times = if told.as_ref() == Some(&changes) { times + 1 } else { 1 };
            told = Some(changes.clone());
            // What carried tags a moment ago and has none now is somebody's who took them off, if it
            // stays so. What never had any was just made, or made by AWS's services.
            let is_bare = live.tags.is_empty();
            was_tagged |= !is_bare;
            if !is_bare {
                tagged_at = Instant::now();
            }
            match &live.phase {
                Phase::Failed(reason) => return Err(StepError::FailedLater(reason.clone())),
                Phase::Deleting(status) => self.wait(status.clone(), pace.next()).await?,
                Phase::Pending(status)
                    if changes.is_empty() || !self.meta.updatable_while_pending =>
                {
                    self.wait(status.clone(), pace.next()).await?;
                }
                Phase::Ready if changes.is_empty() => {
                    if last.is_none() || times >= self.meta.agreeing_reads {
                        return Ok(live);
                    }
                    self.wait(AGAIN.to_owned(), FIRST_PAUSE).await?;
                }
                _ if was_tagged && is_bare => self.wait_for_tags(tagged_at, pace.next()).await?,
                Phase::Ready | Phase::Pending(_) => {
                    let fields = || -> Vec<String> {
                        changes.iter().map(|change| change.path.clone()).collect()
                    };
                    let stale = last.as_ref().filter(|(before, _)| *before == changes);
                    let may_lag = stale.is_some_and(|(_, at)| at.elapsed() < self.meta.read_lag);
                    if !may_lag
                        && last.is_some()
                        && let Some(reason) = self.complaint(&changes)
                    {
                        return Err(StepError::FailedLater(reason));
                    }
                    match stale {
                        Some(_) if may_lag => {
                            self.wait("waiting to read the change back".to_owned(), pace.next())
                                .await?;
                        }
                        Some(_) if in_vain > 0 => return Err(StepError::Unsettled(fields())),
                        // From before this step's own change, perhaps.
                        None if last.is_some() && times < SURE => {
                            self.wait(AGAIN.to_owned(), FIRST_PAUSE).await?;
                        }
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
                    told = None;
                    self.wait("not visible".to_owned(), pace.next()).await?;
                    continue;
                }
            };
        }
    }

    /// One update of what is still ours; false if it was not accepted this time.
    async fn write(
        &self,
        target: &Target,
        want: &Want,
        live: &Live,
        changes: &[FieldChange],
        pace: &mut Pace,
    ) -> Outcome<bool> {
        // The tags of what was just made, or made by AWS's services, may not be there yet.
        if !live.tags.is_empty() && !self.owns(live) {
            return Err(not_ours());
        }
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

    /// Why AWS failed a change that it had accepted.
    fn complaint(&self, changes: &[FieldChange]) -> Option<String> {
        let field = self.meta.failure_field?;
        let found = changes.iter().find(|change| change.path == field)?;
        found.before.as_ref()?.as_str().map(str::to_owned)
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
                // Of the several calls of a read, one may be answered from before the object was there.
                Err(error) if error.passes() || error.class == ErrorClass::NotFound => {
                    self.retry(error, pace.next()).await?;
                }
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
        self.say(status);
        self.pause(pause).await
    }

    /// Tells what the step is at.
    fn say(&self, status: String) {
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

fn not_ours() -> StepError {
    StepError::Moved(vec!["its owner".to_owned()])
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
