//! What a store keeps of a lease.

use std::fmt;
use std::time::Duration;

/// The record of an environment's lease. It is never deleted, so that its version only grows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// The number of times that the lease was taken: the fencing token of its holder.
    pub token: u64,
    /// The number of writes since then.
    pub beat: u64,
    /// The run that holds the lease; `None` if it was released.
    pub holder: Option<Holder>,
    /// How long other runs must see this version unchanged before they may take the lease.
    pub lasts: Duration,
}

/// The run that holds a lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Holder {
    /// The run: an id that no other run has.
    pub run: String,
    /// The identity with which it calls AWS.
    pub who: String,
    /// The person who started it, if a CI system says so.
    pub person: Option<String>,
    /// Its command, `apply`.
    pub task: String,
    /// The commit of its config, and `with changes` if the work tree had some.
    pub commit: Option<String>,
    /// When it asked for the lease, for people: nothing compares it.
    pub since: String,
}

/// A version of a record. Every write that takes effect makes a greater one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// [`Record::token`].
    pub token: u64,
    /// [`Record::beat`].
    pub beat: u64,
}

impl Record {
    /// Its version.
    pub fn version(&self) -> Version {
        Version { token: self.token, beat: self.beat }
    }

    /// Whether this run holds it.
    pub fn is_held_by(&self, run: &str) -> bool {
        self.holder.as_ref().is_some_and(|holder| holder.run == run)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.task, self.who)?;
        if let Some(person) = &self.person {
            write!(f, " for {person}")?;
        }
        if let Some(commit) = &self.commit {
            write!(f, " from {}", short(commit))?;
        }
        write!(f, " since {} (run {})", self.since, self.run)
    }
}

/// A commit as people read it: the beginning of its number, and what is said of the work tree.
pub fn short(commit: &str) -> String {
    let (number, more) = commit.split_once(' ').unwrap_or((commit, ""));
    let number: String = number.chars().take(10).collect();
    format!("{number} {more}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_named_with_its_commit_and_its_person() {
        let plain = Holder {
            run: "9f3a".into(),
            who: "arn:aws:iam::123456789012:user/ci".into(),
            person: None,
            task: "apply".into(),
            commit: None,
            since: "2026-03-01T10:00:00Z".into(),
        };
        assert_eq!(
            plain.to_string(),
            "apply of arn:aws:iam::123456789012:user/ci since 2026-03-01T10:00:00Z (run 9f3a)"
        );
        let commit = Some("0123456789abcdef with changes".into());
        let told = Holder { person: Some("octocat".into()), commit, ..plain };
        assert_eq!(
            told.to_string(),
            "apply of arn:aws:iam::123456789012:user/ci for octocat from 0123456789 with changes \
             since 2026-03-01T10:00:00Z (run 9f3a)"
        );
    }
}
