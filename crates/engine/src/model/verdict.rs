//! What a check of something deployed finds.

use serde::{Deserialize, Serialize};

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is as it should be. The text has what was seen, or nothing.
    Passed(String),
    /// It is not. The text says why.
    Failed(String),
    /// Nothing can be said. The text says why.
    NotRun(String),
}

impl Verdict {
    /// A check that passed, without more to say.
    pub fn passed() -> Self {
        Self::Passed(String::new())
    }

    /// Whether it failed.
    pub fn is_failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

/// What a check asks of an object that exists and is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What must hold: `all its targets are healthy`.
    pub what: &'static str,
    /// What stands behind the answer and only AWS has: `targets`. An endpoint that stands in for AWS
    /// makes the answer up, so that the check is not run there.
    pub behind: Option<&'static str>,
}

impl Asked {
    /// A question that every endpoint can answer.
    pub const fn of(what: &'static str) -> Self {
        Self { what, behind: None }
    }

    /// A question whose answer means something at AWS alone.
    pub const fn at_aws(what: &'static str, behind: &'static str) -> Self {
        Self { what, behind: Some(behind) }
    }
}
