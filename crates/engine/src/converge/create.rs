//! Creating an object once, whatever becomes of the reply.

use tokio::time::Instant;

use super::calls::Pace;
use super::rivals::Verdict;
use super::{Outcome, Step, TAG_LAG, Want};
use crate::event::StepError;
use crate::model::error::{ErrorClass, OpError};
use crate::model::live::{Found, Live, Owner, Phase};
use crate::model::scope::Scope;
use crate::model::text::Output;
use crate::provider::Target;

/// How many surveys without a result show that a create with a lost reply did not happen.
const LOOKS_AFTER_LOST_REPLY: u32 = 6;

/// The object that a step continues with, and who created it.
type Made = (Found, Origin);

/// Who created the object.
enum Origin {
    /// This step, and AWS's answer says everything.
    Told,
    /// This step.
    Here,
    /// Another run, or this step with a lost reply.
    Elsewhere,
}

/// What stands under an address.
enum Look {
    /// An object.
    There(Found),
    /// Only an object that AWS is deleting, with its status.
    Dying(String),
    Nothing,
}

/// What the attempts to create an object have seen so far.
struct Attempts {
    pace: Pace,
    /// When an object without tags was first seen under the name.
    untagged_since: Option<Instant>,
    /// Whether the last look saw a predecessor that AWS is deleting.
    was_dying: bool,
}

impl Step<'_> {
    /// Creates an object that did not exist when the plan was made.
    pub(crate) async fn create(&self, mut target: Target, want: &Want) -> Outcome<Live> {
        target.id = None;
        let (Found { owner, live, .. }, origin) = self.create_once(&mut target, want).await?;
        // Another run was faster, and the object serves the whole account as it is.
        if owner == Owner::Shared {
            return Ok(live);
        }
        let live = match origin {
            Origin::Told => return Ok(live),
            Origin::Here => live,
            Origin::Elsewhere => self.reconcile(&mut target, want, live).await?,
        };
        self.settle_created(target, want, live).await
    }

    /// Creates the object once, and finds out what became of the call.
    async fn create_once(&self, target: &mut Target, want: &Want) -> Outcome<Made> {
        let mut attempts = Attempts { pace: Pace::new(), untagged_since: None, was_dying: false };
        loop {
            if self.meta.can_duplicate
                && let Some(found) = self.made_meanwhile(target).await?
            {
                return Ok((found, Origin::Elsewhere));
            }
            let made = match self.change(self.provider.create(target, &want.spec)).await? {
                Ok(id) => self.accepted(target, want, id).await?,
                Err(error) if error.class == ErrorClass::Exists => {
                    self.taken(target, want, error, &mut attempts).await?
                }
                Err(error) if error.class == ErrorClass::Service => {
                    self.reply_lost(target, want, &error).await?
                }
                Err(error) if error.class == ErrorClass::Quota => {
                    Some(self.quota_full(target, want, error).await?)
                }
                Err(error) if self.may_pass(&error) => {
                    self.retry(error, attempts.pace.next()).await?;
                    None
                }
                Err(error) => return Err(StepError::Refused(error)),
            };
            if let Some(made) = made {
                return Ok(made);
            }
        }
    }

    /// AWS created it. `None` if two runs deleted theirs again, so that nothing is left.
    async fn accepted(
        &self,
        target: &mut Target,
        want: &Want,
        id: String,
    ) -> Outcome<Option<Made>> {
        let address = self.address.clone();
        if self.meta.told {
            let mut outputs = self.meta.predict(self.scope, &target.name, &want.spec);
            // An endpoint with hosts of its own gives other URLs than AWS, and such a URL is the id.
            if let Some(guess) = outputs.get(&Output::Id).cloned() {
                let named = outputs.values_mut().filter(|output| **output == guess);
                named.for_each(|output| output.clone_from(&id));
            }
            let live = Live {
                id,
                outputs,
                spec: want.spec.clone(),
                tags: target.tags.clone(),
                phase: Phase::Ready,
            };
            return Ok(Some((Found { address, owner: Owner::Ours, live }, Origin::Told)));
        }
        target.id = Some(id);
        let (live, verdict) = if self.meta.can_duplicate {
            self.appear_among_rivals(target).await?
        } else {
            (self.appear(target).await?, Verdict::Stays)
        };
        Ok(match verdict {
            Verdict::Stays => Some((Found { address, owner: Owner::Ours, live }, Origin::Here)),
            Verdict::Yields(found) => Some((*found, Origin::Elsewhere)),
            Verdict::Again => {
                target.id = None;
                None
            }
        })
    }

    /// The name is taken: by ourselves (a lost reply, an earlier run), by a dying predecessor, or by
    /// somebody else. `None` if that may pass, after a pause.
    async fn taken(
        &self,
        target: &Target,
        want: &Want,
        error: OpError,
        attempts: &mut Attempts,
    ) -> Outcome<Option<Made>> {
        match self.look(target, want).await? {
            Look::There(Found { owner: Owner::Foreign(owner), live, .. }) => {
                let since = *attempts.untagged_since.get_or_insert_with(Instant::now);
                if since.elapsed() > TAG_LAG || !live.tags.is_empty() {
                    return Err(StepError::NotOurs(owner));
                }
                self.retry(error, attempts.pace.next()).await?;
            }
            Look::There(found) => return Ok(Some((found, Origin::Elsewhere))),
            Look::Dying(status) => {
                attempts.was_dying = true;
                self.wait(status, attempts.pace.next()).await?;
            }
            Look::Nothing if attempts.was_dying || self.may_pass(&error) => {
                attempts.was_dying = false;
                self.retry(error, attempts.pace.next()).await?;
            }
            // The object with that name cannot be seen, and it does not go away.
            Look::Nothing => return Err(StepError::Refused(error)),
        }
        Ok(None)
    }

    /// The call may have taken effect. Looks several times, since a new object is not visible everywhere
    /// at once. `None` if nothing is found.
    async fn reply_lost(
        &self,
        target: &Target,
        want: &Want,
        error: &OpError,
    ) -> Outcome<Option<Made>> {
        let mut pace = Pace::new();
        for _ in 0..LOOKS_AFTER_LOST_REPLY {
            self.retry(error.clone(), pace.next() * 3).await?;
            match self.look(target, want).await? {
                Look::There(found) if !matches!(found.owner, Owner::Foreign(_)) => {
                    return Ok(Some((found, Origin::Elsewhere)));
                }
                Look::There(_) | Look::Dying(_) | Look::Nothing => {}
            }
        }
        Ok(None)
    }

    /// The quota may be full of the very object that is wanted, which another run was faster to create:
    /// some kinds exist once in an account.
    async fn quota_full(&self, target: &Target, want: &Want, error: OpError) -> Outcome<Made> {
        match self.look(target, want).await? {
            Look::There(found) if !matches!(found.owner, Owner::Foreign(_)) => {
                Ok((found, Origin::Elsewhere))
            }
            Look::There(_) | Look::Dying(_) | Look::Nothing => Err(StepError::Refused(error)),
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

    /// Waits until a new object can be seen.
    pub(super) async fn appear(&self, target: &Target) -> Outcome<Live> {
        let mut pace = Pace::new();
        loop {
            match self.read(target).await? {
                Some(live) => return Ok(live),
                None => self.wait("waiting for it to appear".to_owned(), pace.next()).await?,
            }
        }
    }

    /// Waits until the object of another run differs only in fields that can be changed in place. It may
    /// belong to another network, if two concurrent runs do not see each other: then the step fails, and
    /// the next run merges the two.
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
                return if quarrels.is_empty() {
                    Ok(live)
                } else {
                    Err(StepError::Rival(quarrels))
                };
            }
            if since.elapsed() > self.meta.read_lag {
                return Err(StepError::Rival(fixed.into_iter().map(str::to_owned).collect()));
            }
            self.wait("waiting for another run to finish it".to_owned(), pace.next()).await?;
            if let Some(now) = self.read(target).await? {
                live = now;
            }
        }
    }
}
