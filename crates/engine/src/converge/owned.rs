//! Whose an object is: checked right before each update and each deletion.

use std::time::Duration;

use tokio::time::Instant;

use super::calls::{FIRST_PAUSE, Pace};
use super::{AGAIN, Outcome, SURE, Step, TAG_LAG};
use crate::event::StepError;
use crate::model::address::Address;
use crate::model::live::{Live, Phase};
use crate::provider::Target;

impl Step<'_> {
    /// Looks at the object that the plan saw, and fails if it is not ours. An object that AWS is deleting may
    /// have lost its tags already; the step only waits for it. What has no tags of its own is ours while the
    /// object is that it is a part of.
    pub(super) async fn owned(
        &self,
        target: &Target,
        look: impl AsyncFn() -> Outcome<Option<Live>>,
        planned: &Live,
    ) -> Outcome<Option<Live>> {
        let mut pace = Pace::new();
        let since = Instant::now();
        let mut missed = 0;
        loop {
            let Some(live) = look().await? else {
                missed += 1;
                if missed == SURE {
                    return Ok(None);
                }
                self.wait(AGAIN.to_owned(), FIRST_PAUSE).await?;
                continue;
            };
            missed = 0;
            // An object that a service of AWS made has no tags before it is taken over. An object that was
            // being deleted had lost its own: a usable one without tags is not ours.
            let was_dying = matches!(planned.phase, Phase::Deleting(_));
            let is_bare = live.tags.is_empty() && planned.tags.is_empty() && !was_dying;
            let mut tags = live.tags.clone();
            if matches!(live.phase, Phase::Deleting(_)) || is_bare || self.owns(&live) {
                let holder = match self.meta.tagged {
                    true => None,
                    false => self.holder(target, &live).await?,
                };
                match holder {
                    Some(holder) if self.scope.owned(&holder).is_none() => tags = holder,
                    _ => return Ok(Some(live)),
                }
            }
            if !tags.is_empty() {
                return Err(not_ours());
            }
            self.wait_for_tags(since, pace.next()).await?;
        }
    }

    /// Waits for tags that reads do not show yet; an object without tags after a while is not ours.
    async fn wait_for_tags(&self, since: Instant, pause: Duration) -> Outcome<()> {
        if since.elapsed() > TAG_LAG {
            Err(not_ours())
        } else {
            self.wait("waiting for its tags".to_owned(), pause).await
        }
    }

    /// Whether the tags of an object say that it belongs to this environment and address. An object of
    /// an untagged kind is owned through its parent.
    pub(super) fn owns(&self, live: &Live) -> bool {
        let owner = self.scope.owned(&live.tags);
        let is_ours = |owner: &Address| owner == self.address || Some(owner) == self.was.as_ref();
        !self.meta.tagged || owner.as_ref().is_some_and(is_ours)
    }
}

pub(super) fn not_ours() -> StepError {
    StepError::Moved(vec!["its owner".to_owned()])
}
