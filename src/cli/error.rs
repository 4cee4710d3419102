//! The one error that a command ends with, its text and its exit code.

use std::fmt;
use std::io;

use super::{Stage, exit};
use crate::ui::looking;
use crate::ui::outputs::NoVariables;
use crate::ui::report::{self, Block};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::planner::PlanError;
use payctl_engine::survey::SurveyError;

/// The area that an error belongs to. It decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorKind {
    /// The user asked for something impossible.
    User,
    /// The config is wrong.
    Config,
    /// AWS refused, or cannot be reached.
    Cloud,
    /// An apply or a destroy did not end as planned.
    Partial,
    /// The saved plan is out of date.
    Stale,
    /// A check found a fault, or a shift of traffic found a reason not to go on.
    Found,
    /// Stopped by a signal.
    Interrupted,
    /// A mistake in payctl.
    Bug,
}

/// An error with hints for the user.
#[derive(Clone, Debug)]
pub(super) struct CliError {
    /// The area that it belongs to.
    pub(super) kind: ErrorKind,
    /// What happened. `None` if the user has read it already, as after an apply that failed in
    /// part.
    pub(super) source: Option<Box<Block>>,
}

impl CliError {
    /// An error in one sentence: a lowercase fragment without a period.
    pub(super) fn new(kind: ErrorKind, title: impl Into<String>) -> Self {
        Self { kind, source: Some(Box::new(Block { title: title.into(), ..Block::default() })) }
    }

    /// An error that was shown already and only sets the exit code.
    pub(super) fn said(kind: ErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// The error with details of what happened.
    #[must_use]
    pub(super) fn because(mut self, what: impl fmt::Display) -> Self {
        if let Some(block) = &mut self.source {
            block.what = Some(what.to_string());
        }
        self
    }

    /// The error with advice.
    #[must_use]
    pub(super) fn hinted(mut self, hint: impl Into<String>) -> Self {
        if let Some(block) = &mut self.source {
            block.hints.push(hint.into());
        }
        self
    }

    /// The error with this advice and no other.
    #[must_use]
    pub(super) fn instead(mut self, hint: impl Into<String>) -> Self {
        if let Some(block) = &mut self.source {
            block.hints.clear();
        }
        self.hinted(hint)
    }

    /// The only place where an error becomes an exit code. Once payctl has begun to change things,
    /// no exit code says that nothing was changed.
    pub(super) fn exit_code(&self, stage: Stage) -> u8 {
        match self.kind {
            ErrorKind::User | ErrorKind::Config | ErrorKind::Cloud | ErrorKind::Bug
                if stage != Stage::Looking =>
            {
                exit::PARTLY
            }
            ErrorKind::User | ErrorKind::Config | ErrorKind::Cloud | ErrorKind::Bug => exit::ERROR,
            ErrorKind::Partial => exit::PARTLY,
            ErrorKind::Stale => exit::STALE,
            ErrorKind::Found => exit::FOUND,
            ErrorKind::Interrupted => exit::INTERRUPTED,
        }
    }

    /// A call to the cloud that failed while doing something.
    pub(super) fn cloud(doing: impl fmt::Display, error: &OpError) -> Self {
        let kind = match error.class {
            ErrorClass::Bug => ErrorKind::Bug,
            ErrorClass::NotFound
            | ErrorClass::NotYet
            | ErrorClass::Throttled
            | ErrorClass::Exists
            | ErrorClass::Busy
            | ErrorClass::Denied
            | ErrorClass::Credentials
            | ErrorClass::Clock
            | ErrorClass::Quota
            | ErrorClass::Invalid
            | ErrorClass::Unsupported
            | ErrorClass::Service => ErrorKind::Cloud,
        };
        let block = Block {
            title: format!("cannot {doing}"),
            what: Some(error.to_string()),
            hints: report::hints(error, ""),
            ..Block::default()
        };
        Self { kind, source: Some(Box::new(block)) }
    }

    /// All problems of a config.
    pub(super) fn config<P: fmt::Display>(problems: &[P]) -> Self {
        let number = problems.len();
        let plural = if number == 1 { "" } else { "s" };
        let block = Block {
            title: format!("the config has {number} problem{plural}"),
            details: problems.iter().map(P::to_string).collect(),
            ..Block::default()
        };
        Self { kind: ErrorKind::Config, source: Some(Box::new(block)) }
    }
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => {
                Self::new(ErrorKind::User, "cannot write the output: its reader has gone")
            }
            _ => Self::new(ErrorKind::User, "cannot write the output").because(error),
        }
    }
}

impl From<NoVariables> for CliError {
    fn from(why: NoVariables) -> Self {
        let hint = match &why {
            NoVariables::Clash { .. } => "rename one of the two",
            NoVariables::Control(_) => "read it with --json, which escapes them",
        };
        Self::new(ErrorKind::Config, why.to_string()).hinted(hint)
    }
}

impl From<PlanError> for CliError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Spec(error) => Self::cloud("make a plan", &error),
            PlanError::Circle(_) => Self::new(ErrorKind::Config, error.to_string())
                .hinted("remove one of the references"),
            PlanError::NoSuchTarget(_) => Self::new(ErrorKind::User, error.to_string())
                .hinted("payctl status lists every address"),
        }
    }
}

impl From<Vec<SurveyError>> for CliError {
    fn from(errors: Vec<SurveyError>) -> Self {
        // The error that stopped the survey is the reason for all others.
        let ends = errors.iter().find(|unseen| unseen.error.ends_everything());
        let Some(first) = ends.or(errors.first()) else {
            return Self::new(ErrorKind::Bug, "a survey failed without an error");
        };
        let error = Self::cloud(format!("read {}", first.kind), &first.error);
        if ends.is_some() || errors.len() == 1 {
            error
        } else {
            error.because(looking::reasons(&errors).join("\n"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::style::Style;

    #[test]
    fn every_error_kind_has_its_documented_exit_code() {
        let code = |kind| CliError::said(kind).exit_code(Stage::Looking);
        assert_eq!(code(ErrorKind::User), 1);
        assert_eq!(code(ErrorKind::Config), 1);
        assert_eq!(code(ErrorKind::Cloud), 1);
        assert_eq!(code(ErrorKind::Bug), 1);
        assert_eq!(code(ErrorKind::Partial), 3);
        assert_eq!(code(ErrorKind::Stale), 4);
        assert_eq!(code(ErrorKind::Found), 5);
        assert_eq!(code(ErrorKind::Interrupted), 130);
    }

    #[test]
    fn errors_after_a_change_do_not_claim_that_nothing_changed() {
        for stage in [Stage::Changing, Stage::Changed] {
            let code = |kind| CliError::said(kind).exit_code(stage);
            assert_eq!(code(ErrorKind::User), 3);
            assert_eq!(code(ErrorKind::Cloud), 3);
            assert_eq!(code(ErrorKind::Bug), 3);
            assert_eq!(code(ErrorKind::Interrupted), 130);
        }
    }

    #[test]
    fn all_problems_of_a_config_are_shown() {
        let error = CliError::config(&["config/a.toml:1:1: x\n    1 | x", "config/a.toml:2:1: y"]);
        insta::assert_snapshot!(error.source.unwrap().text(Style::PLAIN), @"
        error: the config has 2 problems

        config/a.toml:1:1: x
            1 | x

        config/a.toml:2:1: y
        ");
    }

    #[test]
    fn a_closed_pipe_is_an_error_like_any_other() {
        let error = CliError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(error.exit_code(Stage::Looking), 1);
        assert_eq!(error.exit_code(Stage::Changed), 3);
        assert_eq!(error.source.unwrap().title, "cannot write the output: its reader has gone");
    }
}
