//! Deleting an object, and waiting until it is gone.

use tokio::time::Instant;

use super::calls::{FIRST_PAUSE, Pace};
use super::{AGAIN, Outcome, Step};
use crate::diff::{FieldChange, diff};
use crate::event::StepError;
use crate::model::error::ErrorClass;
use crate::model::live::{Live, Phase};
use crate::model::scope::{TAG_PROTECT, is_protected};
use crate::provider::Target;

impl Step<'_> {
    /// Deletes the object that the plan saw, and waits until it is gone. It is read first: it may be gone,
    /// or belong to somebody else by now. If nothing takes its place, it is deleted `for_good`.
    pub(crate) async fn delete(
        &self,
        target: &Target,
        planned: &Live,
        for_good: bool,
    ) -> Outcome<()> {
        let mut pace = Pace::new();
        loop {
            let look = async || self.glance(target, planned).await;
            let Some(live) = self.owned(target, look, planned).await? else { return Ok(()) };
            if is_protected(&live.tags) && !is_protected(&planned.tags) {
                return Err(StepError::Moved(vec![format!("tags.{TAG_PROTECT}")]));
            }
            if !matches!(live.phase, Phase::Deleting(_)) {
                // Another run has put a new one in its place, under the same name.
                if self.is_another(planned, &live) {
                    return Ok(());
                }
                match self.change(self.provider.delete(target, planned)).await? {
                    Ok(()) if self.meta.gone_at_once && for_good => return Ok(()),
                    Ok(()) => {}
                    Err(error) if error.class == ErrorClass::NotFound => return Ok(()),
                    // It is in use, or the reply was lost: AWS may be deleting it already.
                    Err(error) if error.passes() => {
                        self.retry(error, pace.next()).await?;
                        continue;
                    }
                    Err(error) => return Err(StepError::Refused(error)),
                }
            }
            if self.meta.listed_after_delete || self.is_gone(target, planned).await? {
                return Ok(());
            }
        }
    }

    /// Whether the object under an id is not the one that the plan saw.
    fn is_another(&self, planned: &Live, live: &Live) -> bool {
        let fixed = |change: &FieldChange| self.meta.is_immutable(&change.path);
        diff(self.meta, &planned.spec, &live.spec).iter().any(fixed)
    }

    /// Waits until a deletion that AWS accepted is over. False if the deletion has to be sent again: the
    /// object is unchanged after a while, or the call was a first move, which is done.
    async fn is_gone(&self, target: &Target, planned: &Live) -> Outcome<bool> {
        let asked = Instant::now();
        let mut pace = Pace::new();
        let mut moving = false;
        let mut missed = 0;
        loop {
            // What carries no tags was perhaps not looked at.
            let left = match self.meta.tagged {
                true => self.glance(target, planned).await?,
                false => self.read(target).await?,
            };
            let Some(left) = left else {
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
}
