//! What to do next with an object that is there. Pure: the phase, what differs, what happened before
//! and the time go in, one move comes out.

use tokio::time::Instant;

use super::owned::not_ours;
use super::{SURE, TAG_LAG};
use crate::diff::FieldChange;
use crate::event::StepError;
use crate::model::live::Phase;
use crate::model::meta::Meta;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The object is as wanted.
    Done,
    /// Wait for AWS, longer each time; the text says for what.
    Wait(String),
    /// Look again soon: one look is not enough to believe it.
    LookAgain,
    /// Send what differs.
    Write,
    /// The step cannot reach its goal.
    Fail(StepError),
}

/// What happened to an object since its step began.
#[derive(Clone, Debug)]
pub(super) struct History {
    /// When the step began.
    began: Instant,
    /// What differed when this step last changed the object, and when that was. A creation counts as
    /// a change from nothing.
    written: Option<(Vec<FieldChange>, Instant)>,
    /// How often the same change was sent again although it had been accepted.
    in_vain: u32,
    /// What the last look told, and how many looks in a row told it.
    told: Option<Vec<FieldChange>>,
    times: u32,
    /// When tags were last seen on it; `None` if never.
    tagged_at: Option<Instant>,
    /// Whether the last look saw no tags.
    is_bare: bool,
}

impl History {
    /// Of an object that stood before the step.
    pub(super) fn of_update(began: Instant) -> Self {
        Self {
            began,
            written: None,
            in_vain: 0,
            told: None,
            times: 0,
            tagged_at: None,
            is_bare: false,
        }
    }

    /// Of an object that the step has made.
    pub(super) fn of_create(began: Instant, now: Instant) -> Self {
        Self { written: Some((Vec::new(), now)), ..Self::of_update(began) }
    }

    /// A look told what differs, and whether the object has no tags.
    pub(super) fn saw(&mut self, changes: &[FieldChange], is_bare: bool, now: Instant) {
        let is_same = self.told.as_deref() == Some(changes);
        self.times = if is_same { self.times + 1 } else { 1 };
        self.told = Some(changes.to_vec());
        self.is_bare = is_bare;
        if !is_bare {
            self.tagged_at = Some(now);
        }
    }

    /// A look did not find the object.
    pub(super) fn saw_nothing(&mut self) {
        self.told = None;
    }

    /// A change was sent, and accepted at that moment if at all.
    pub(super) fn wrote(&mut self, changes: Vec<FieldChange>, accepted: Option<Instant>) {
        self.in_vain += u32::from(self.written_for(&changes).is_some());
        if let Some(now) = accepted {
            self.written = Some((changes, now));
        }
    }

    /// When the step sent just these changes, if that was its last change.
    fn written_for(&self, changes: &[FieldChange]) -> Option<Instant> {
        self.written.as_ref().filter(|(before, _)| before == changes).map(|(_, at)| *at)
    }
}

/// Decides what to do next with an object in this phase, of which this differs.
pub(super) fn next(
    phase: &Phase,
    changes: &[FieldChange],
    history: &History,
    meta: &Meta,
    now: Instant,
) -> Next {
    match phase {
        Phase::Failed(reason) => return Next::Fail(StepError::FailedLater(reason.clone())),
        Phase::Deleting(status) => return Next::Wait(status.clone()),
        Phase::Pending(status) if changes.is_empty() || !meta.updatable_while_pending => {
            return Next::Wait(status.clone());
        }
        Phase::Ready if changes.is_empty() => {
            let is_sure = history.written.is_none() || history.times >= meta.agreeing_reads;
            return if is_sure { Next::Done } else { Next::LookAgain };
        }
        Phase::Ready | Phase::Pending(_) => {}
    }
    // Tags that were seen and are gone were taken off by somebody, if it stays so. An object that
    // never had any was just made, or made by AWS's services.
    if let Some(tagged_at) = history.tagged_at.filter(|_| history.is_bare) {
        return if now - tagged_at > TAG_LAG {
            Next::Fail(not_ours())
        } else {
            Next::Wait("waiting for its tags".to_owned())
        };
    }
    let written_at = history.written_for(changes);
    if written_at.is_some_and(|at| now - at < meta.read_lag) {
        return Next::Wait("waiting for reads to show the change".to_owned());
    }
    if history.written.is_some()
        && let Some(reason) = failure(meta, changes)
    {
        return Next::Fail(StepError::FailedLater(reason));
    }
    let paths = || changes.iter().map(|change| change.path.clone()).collect::<Vec<_>>();
    if written_at.is_some() {
        return match history.in_vain {
            0 => Next::Write,
            _ => Next::Fail(StepError::Unsettled(paths())),
        };
    }
    // It may be from before this step's own change. Nothing was there before a creation.
    let has_changed = history.written.as_ref().is_some_and(|(changes, _)| !changes.is_empty());
    if has_changed && history.times < SURE {
        return Next::LookAgain;
    }
    let waited = now - history.began;
    if waited > meta.deadline {
        let status = format!("changing {}", paths().join(", "));
        return Next::Fail(StepError::NotReady { status, waited });
    }
    Next::Write
}

/// Why AWS failed a change that it had accepted.
fn failure(meta: &Meta, changes: &[FieldChange]) -> Option<String> {
    let field = meta.failure_field?;
    let found = changes.iter().find(|change| change.path == field)?;
    found.before.as_ref()?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests;
