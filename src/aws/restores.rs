//! What tables and databases are made from, and what AWS keeps of those that were deleted: what the
//! services have in common. Their own part is in their folders.

use std::fmt;
use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use futures::future::BoxFuture;

use super::clients::Aws;
use super::preflight::{Obstacle, Origin};
use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::Live;
use payctl_engine::model::meta::LATEST;

/// What a look at a source finds.
pub(super) type Looked = Result<Origin, Obstacle>;

/// What something can be made from: `stands` is its name if it is read at a time.
pub(super) fn origin(what: String, stands: Option<&str>, at: DateTime) -> Origin {
    Origin {
        what,
        stands: stands.map(str::to_owned),
        at: instant(at),
        time: text(instant(at).into()),
    }
}

/// What was found. An emulator that cannot be asked may still be able to restore.
pub(super) fn answered(
    aws: &Aws,
    asked: Result<Looked, OpError>,
) -> Result<Option<Looked>, OpError> {
    match asked {
        Ok(looked) => Ok(Some(looked)),
        Err(error) if aws.is_elsewhere && error.class != ErrorClass::Bug => Ok(None),
        Err(error) => Err(error),
    }
}

/// The time that is meant, if it can be restored.
pub(super) fn within(
    name: &str,
    at: &str,
    (first, last): (DateTime, DateTime),
) -> Result<DateTime, Obstacle> {
    let meant = match at {
        LATEST => Ok(last),
        at => DateTime::from_str(at, Format::DateTime),
    };
    // AWS tells fractions of a second, and takes whole ones.
    match meant {
        Ok(meant) if (first.secs()..=last.secs()).contains(&meant.secs()) => Ok(meant),
        _ => {
            let (first, last) = (text(first), text(last));
            let why =
                format!("{name} can be restored to a time from {first} to {last}, not to {at}");
            let hint = "name a time in between, or `latest`; what is older may be in a backup";
            Err(Obstacle::new(why, hint))
        }
    }
}

pub(super) fn elsewhere(aws: &Aws, word: &str, arn: &str) -> Option<Obstacle> {
    let account = arn.split(':').nth(4).unwrap_or_default();
    if account != aws.scope.account {
        let why = format!("the {word} {arn} is of another account than {}", aws.scope.account);
        return Some(Obstacle::new(why, "AWS Backup copies between accounts"));
    }
    region_of(word, aws, arn)
}

pub(super) fn region_of(word: &str, aws: &Aws, arn: &str) -> Option<Obstacle> {
    let region = arn.split(':').nth(3).unwrap_or_default();
    (region != aws.scope.region).then(|| {
        let why = format!("the {word} {arn} is in {region}, not in {}", aws.scope.region);
        Obstacle::new(why, format!("copy it into {} first, and name the copy", aws.scope.region))
    })
}

pub(super) fn no_time(op: &str) -> OpError {
    OpError::new(op, ErrorClass::Service, "NoAnswer", "AWS tells no time to restore to")
}

pub(super) fn instant(at: DateTime) -> SystemTime {
    SystemTime::try_from(at).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A time as people read it, and as `at` takes it.
pub(super) fn text(at: DateTime) -> String {
    DateTime::from_secs(at.secs()).fmt(Format::DateTime).unwrap_or_default()
}

/// How it is found out what AWS keeps of a deleted resource of a kind.
#[derive(Clone, Copy)]
pub struct Keeper {
    /// The kind.
    pub kind: &'static str,
    /// Asks for the newest that can be restored.
    pub ask: for<'a> fn(&'a Aws, &'a Address, &'a Live) -> Asked<'a>,
}

/// What AWS keeps of one deleted resource.
pub type Asked<'a> = BoxFuture<'a, Result<Option<Kept>, OpError>>;

/// What is left of something that was deleted.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Kept {
    /// What was deleted.
    pub address: Address,
    /// The time of the data.
    pub at: String,
    /// What brings it back, as it stands in a config.
    pub restore_from: String,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, at, restore_from } = self;
        write!(f, "{address} as of {at}: restore_from = {restore_from}")
    }
}

impl Kept {
    /// The newest of what AWS keeps of a deleted resource, each with its time.
    pub(super) fn newest(
        address: &Address,
        word: &str,
        known: Vec<(String, String)>,
    ) -> Option<Self> {
        let (at, name) = known.into_iter().max()?;
        let restore_from = format!("{{ {word} = \"{name}\" }}");
        Some(Self { address: address.clone(), at, restore_from })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_restored_only_within_the_window() {
        let window = (DateTime::from_secs(1_700_000_000), DateTime::from_secs_f64(1_700_003_600.4));
        assert_eq!(within("t", LATEST, window), Ok(window.1));
        for inside in ["2023-11-14T22:13:20Z", "2023-11-14T23:13:20Z"] {
            assert_eq!(text(within("t", inside, window).unwrap()), inside);
        }
        for outside in ["2023-11-14T22:13:19Z", "2023-11-14T23:13:21Z", "2999-01-01T00:00:00Z"] {
            let why = within("t", outside, window).unwrap_err().why;
            let expected = "from 2023-11-14T22:13:20Z to 2023-11-14T23:13:20Z, not to";
            assert!(why.contains(expected), "{why}");
        }
    }
}
