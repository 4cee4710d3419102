//! Bringing an object that is there to what is wanted. What to do next is decided in `decision`,
//! without the cloud and without a clock; here it is done.

use std::collections::BTreeSet;

use serde_json::Value;
use tokio::time::Instant;

use super::calls::{FIRST_PAUSE, Pace};
use super::decision::{History, Next, next};
use super::owned::not_ours;
use super::{AGAIN, Outcome, SURE, Step, Want};
use crate::diff::{FieldChange, diff, diff_tags};
use crate::event::StepError;
use crate::model::live::{Live, Tags};
use crate::provider::Target;

impl Step<'_> {
    /// Changes an object to the planned state. `planned` is the object that the plan saw, and `paths` are
    /// the fields that may differ.
    pub(crate) async fn update(
        &self,
        target: Target,
        want: &Want,
        planned: &Live,
        paths: &BTreeSet<String>,
    ) -> Outcome<Live> {
        let mut looks = 0;
        loop {
            let look = async || self.read(&target).await;
            let Some(live) = self.owned(&target, look, planned).await? else {
                return Err(StepError::Moved(vec!["it no longer exists".to_owned()]));
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
                return self.settle(target, want, live, History::of_update(self.began)).await;
            }
            if looks == SURE {
                return Err(StepError::Moved(moved));
            }
            self.wait(AGAIN.to_owned(), FIRST_PAUSE).await?;
        }
    }

    /// Brings an object that was just made to what is wanted.
    pub(super) async fn settle_created(
        &self,
        target: Target,
        want: &Want,
        live: Live,
    ) -> Outcome<Live> {
        let history = History::of_create(self.began, Instant::now());
        self.settle(target, want, live, history).await
    }

    /// Waits and writes until nothing differs and the object is ready.
    async fn settle(
        &self,
        mut target: Target,
        want: &Want,
        mut live: Live,
        mut history: History,
    ) -> Outcome<Live> {
        let mut pace = Pace::new();
        loop {
            target.id = Some(live.id.clone());
            let changes = self.differences(want, &live);
            history.saw(&changes, live.tags.is_empty(), Instant::now());
            match next(&live.phase, &changes, &history, self.meta, Instant::now()) {
                Next::Done => return Ok(live),
                Next::Fail(error) => return Err(error),
                Next::Wait(status) => self.wait(status, pace.next()).await?,
                Next::LookAgain => self.wait(AGAIN.to_owned(), FIRST_PAUSE).await?,
                Next::Write => {
                    let is_accepted = self.write(&target, want, &live, &changes, &mut pace).await?;
                    history.wrote(changes, is_accepted.then(Instant::now));
                    if is_accepted {
                        pace = Pace::new();
                    }
                }
            }
            match self.read(&target).await? {
                Some(now) => live = now,
                // A reader that lags behind, or the object is gone: the deadline decides.
                None => {
                    history.saw_nothing();
                    self.wait("waiting for reads to show it".to_owned(), pace.next()).await?;
                }
            }
        }
    }

    /// Sends one update if the object is still ours; false if AWS did not accept it this time.
    async fn write(
        &self,
        target: &Target,
        want: &Want,
        live: &Live,
        changes: &[FieldChange],
        pace: &mut Pace,
    ) -> Outcome<bool> {
        // A new object, or one that a service of AWS made, may not have its tags yet.
        if !live.tags.is_empty() && !self.owns(live) {
            return Err(not_ours());
        }
        let (set, unset) = tag_moves(changes);
        let mut result = Ok(());
        if !set.is_empty() || !unset.is_empty() {
            result = self.change(self.provider.retag(target, live, &set, &unset)).await?;
        }
        if result.is_ok() && changes.iter().any(|change| !change.path.starts_with("tags.")) {
            result = self.change(self.provider.update(target, &want.spec, live)).await?;
        }
        match result {
            Ok(()) => Ok(true),
            // A reference may not be visible yet, or the update may have taken effect already.
            Err(error) if self.may_pass(&error) => {
                self.retry(error, pace.next()).await?;
                Ok(false)
            }
            Err(error) => Err(StepError::Refused(error)),
        }
    }

    pub(super) fn differences(&self, want: &Want, live: &Live) -> Vec<FieldChange> {
        let mut changes = diff(self.meta, &want.spec, &live.spec);
        if self.meta.tagged {
            changes.extend(diff_tags(&want.tags, &live.tags));
        }
        changes
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
