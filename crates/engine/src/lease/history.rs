//! What is kept of each run beside the lease.

use serde::{Deserialize, Serialize};

/// How many steps a record names: stores limit how large it may be.
const NAMED: usize = 500;

/// How long a reason may be, in characters.
const REASON: usize = 1000;

/// What is kept of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// When it began, RFC 3339 in UTC.
    pub began: String,
    /// The run's id, as in its lease.
    pub run: String,
    /// The identity with which it called AWS.
    pub who: String,
    /// The person who started it, if a CI system says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// `apply` or `destroy`.
    pub task: String,
    /// The commit of the config, if it is in a repository, and `with changes` if the work tree had some.
    pub commit: Option<String>,
    /// The fencing token of its lease; none if it ran without.
    pub token: Option<u64>,
    /// [`RunRecord::RUNNING`] from when it has the lease until it ends. Then `complete`, `failed`,
    /// `interrupted`, `no_change` (it ended before its first step), or `incomplete`: of a destroy whose steps
    /// are all done, and that could not show that nothing is left. [`RunRecord::NO_END`] is never stored.
    pub result: String,
    /// The steps that ended well: `create sqs.queue/jobs`.
    pub changed: Vec<String>,
    /// The steps that failed.
    pub failed: Vec<String>,
    /// The run from which it took the lease.
    #[serde(default)]
    pub took_from: Option<TookFrom>,
    /// When a run without an end was heard of last, as far as anybody knows. Never stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<String>,
    /// Why it went over the budget of the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_budget: Option<String>,
    /// How many more steps there were than are named.
    #[serde(default)]
    pub unnamed: u64,
    /// How long it took.
    pub seconds: u64,
}

/// A run from which another one took the lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TookFrom {
    /// Its id.
    pub run: String,
    /// The identity with which it called AWS.
    pub who: String,
    /// Its command.
    pub task: String,
    /// When it asked for the lease.
    pub since: String,
    /// When it was heard of last.
    pub heard: Option<String>,
    /// Whether the lease was stolen. Otherwise it had expired.
    pub stolen: bool,
}

impl RunRecord {
    /// The result of a run that has not ended yet.
    pub const RUNNING: &'static str = "running";
    /// The result of a run that was killed or lost, for readers.
    pub const NO_END: &'static str = "no_end";

    /// Whether no end of it is recorded.
    pub fn has_no_end(&self) -> bool {
        self.result == Self::RUNNING
    }

    /// Leaves out the names that one item should not hold.
    #[must_use]
    pub fn shortened(mut self) -> Self {
        for named in [&mut self.changed, &mut self.failed] {
            self.unnamed += named.len().saturating_sub(NAMED) as u64;
            named.truncate(NAMED);
        }
        self.over_budget = self.over_budget.map(|reason| reason.chars().take(REASON).collect());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_thousands_of_steps_stays_small() {
        let steps = |number| (0..number).map(|at| format!("create sqs.queue/q{at}")).collect();
        let run = RunRecord {
            began: String::new(),
            run: String::new(),
            who: String::new(),
            person: None,
            task: "apply".into(),
            commit: None,
            token: Some(1),
            result: "failed".into(),
            changed: steps(5000),
            failed: steps(2),
            took_from: None,
            heard: None,
            over_budget: Some("x".repeat(5000)),
            unnamed: 0,
            seconds: 1,
        };
        let run = run.shortened();
        assert_eq!((run.changed.len(), run.failed.len(), run.unnamed), (500, 2, 4500));
        assert_eq!(run.over_budget.map(|reason| reason.len()), Some(1000));
    }
}
