//! A run that lost its lease, and the one text that says so.

use time::OffsetDateTime;

use super::error::{CliError, ErrorKind};
use crate::aws::leases::stamp;
use payctl_engine::lease::{Event, Holder};
use payctl_engine::model::scope::Scope;

/// How a run lost its lease.
#[derive(Clone, Debug)]
pub(super) struct Loss {
    how: How,
    /// When this run noticed.
    noticed: String,
}

#[derive(Clone, Debug)]
enum How {
    /// Another run took it.
    Taken(Holder),
    /// Its record is gone, or nobody holds it.
    Gone,
    /// It could not be renewed.
    NotRenewed,
}

impl Loss {
    /// What an event says of a loss, if it is one.
    pub(super) fn of(event: &Event, now: OffsetDateTime) -> Option<Self> {
        let how = match event {
            Event::Lost(Some(by)) => How::Taken(by.clone()),
            Event::Lost(None) => How::Gone,
            Event::GaveUp => How::NotRenewed,
            Event::Waiting(_) | Event::Taken { .. } | Event::Late | Event::Renewed => return None,
        };
        Some(Self { how, noticed: stamp(now) })
    }

    fn title(&self, scope: &Scope) -> String {
        match self.how {
            How::Taken(_) => format!("another run took the lease of {scope}"),
            How::Gone => format!("the lease of {scope} is gone from its table"),
            How::NotRenewed => format!("the lease of {scope} could not be renewed for 5 minutes"),
        }
    }

    fn details(&self) -> String {
        match &self.how {
            How::Taken(by) => format!("{by}; this run noticed it at {}", self.noticed),
            How::Gone | How::NotRenewed => format!("this run noticed it at {}", self.noticed),
        }
    }

    /// The error of a run that stopped because of it. `done` is what it has changed.
    pub(super) fn error(&self, scope: &Scope, done: &str) -> CliError {
        let next = match self.how {
            How::Taken(_) => {
                "run the same command again: it waits for the other run, and then does what is left"
            }
            How::Gone => {
                "see what happened to the table payctl-leases, then run the same command again: it does what is left"
            }
            How::NotRenewed => {
                "once DynamoDB can be reached, run the same command again: it does what is left"
            }
        };
        CliError::new(ErrorKind::Partial, format!("{}, so this one stopped", self.title(scope)))
            .because(format!("{}\ndone so far: {done}", self.details()))
            .hinted(next)
    }

    /// What is said if the run ended for another reason, or had done everything.
    pub(super) fn note(&self, scope: &Scope) -> String {
        format!("{}: {}\n", self.title(scope), self.details())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::style::Style;

    fn said(event: &Event, done: &str) -> String {
        let scope = Scope {
            project: "shop".into(),
            env: "dev".into(),
            account: "123456789012".into(),
            region: "eu-west-1".into(),
            partition: "aws".into(),
        };
        let now = OffsetDateTime::from_unix_timestamp(1_772_359_500).unwrap();
        let loss = Loss::of(event, now).expect("a loss");
        let error = loss.error(&scope, done);
        assert_eq!(error.exit_code(super::super::Stage::Looking), 3);
        error.source.expect("a text").text(Style::PLAIN)
    }

    #[test]
    fn a_stolen_lease_is_said_with_who_when_what_was_done_and_what_to_do() {
        let by = Holder {
            run: "9f3a".into(),
            who: "arn:aws:iam::123456789012:user/ci".into(),
            person: Some("octocat".into()),
            task: "apply".into(),
            commit: Some("0123456789abcdef".into()),
            since: "2026-03-01T10:04:00Z".into(),
        };
        insta::assert_snapshot!(said(&Event::Lost(Some(by)), "3 steps; the list is above"), @"
        error: another run took the lease of shop dev (account 123456789012, eu-west-1), so this one stopped
          what:  apply of arn:aws:iam::123456789012:user/ci for octocat from 0123456789 since 2026-03-01T10:04:00Z (run 9f3a); this run noticed it at 2026-03-01T10:05:00Z
                 done so far: 3 steps; the list is above
          hint:  run the same command again: it waits for the other run, and then does what is left
        ");
        insta::assert_snapshot!(said(&Event::Lost(None), "nothing"), @"
        error: the lease of shop dev (account 123456789012, eu-west-1) is gone from its table, so this one stopped
          what:  this run noticed it at 2026-03-01T10:05:00Z
                 done so far: nothing
          hint:  see what happened to the table payctl-leases, then run the same command again: it does what is left
        ");
        insta::assert_snapshot!(said(&Event::GaveUp, "1 step; the list is above"), @"
        error: the lease of shop dev (account 123456789012, eu-west-1) could not be renewed for 5 minutes, so this one stopped
          what:  this run noticed it at 2026-03-01T10:05:00Z
                 done so far: 1 step; the list is above
          hint:  once DynamoDB can be reached, run the same command again: it does what is left
        ");
        assert!(Loss::of(&Event::Late, OffsetDateTime::UNIX_EPOCH).is_none());
    }
}
