//! The sources of restores, and the backups that AWS keeps of deleted tables and clusters: what the
//! services have in common. Their own parts are in their folders.

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

/// A source: `stands` is the name of the live object if it is restored to a point in time.
pub(super) fn origin(what: String, stands: Option<&str>, at: DateTime) -> Origin {
    Origin {
        what,
        stands: stands.map(str::to_owned),
        at: instant(at),
        time: text(instant(at).into()),
    }
}

/// The answer. An emulator that does not know the question may still be able to restore.
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
            let hint = "choose a time in between, or `latest`; a backup may have older data";
            Err(Obstacle::new(why, hint))
        }
    }
}

pub(super) fn elsewhere(aws: &Aws, word: &str, arn: &str) -> Option<Obstacle> {
    let account = arn.split(':').nth(4).unwrap_or_default();
    if account != aws.scope.account {
        let why = format!("the {word} {arn} belongs to another account than {}", aws.scope.account);
        return Some(Obstacle::new(why, "copy it into this account with AWS Backup"));
    }
    region_of(word, aws, arn)
}

pub(super) fn region_of(word: &str, aws: &Aws, arn: &str) -> Option<Obstacle> {
    let region = arn.split(':').nth(3).unwrap_or_default();
    (region != aws.scope.region).then(|| {
        let why = format!("the {word} {arn} is in {region}, not in {}", aws.scope.region);
        Obstacle::new(why, format!("copy it to {} first, and use the copy", aws.scope.region))
    })
}

pub(super) fn no_time(op: &str) -> OpError {
    OpError::new(
        op,
        ErrorClass::Service,
        "NoAnswer",
        "AWS did not return the times that it can restore to",
    )
}

pub(super) fn instant(at: DateTime) -> SystemTime {
    SystemTime::try_from(at).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A time as people read it, and as `at` takes it.
pub(super) fn text(at: DateTime) -> String {
    DateTime::from_secs(at.secs()).fmt(Format::DateTime).unwrap_or_default()
}

/// How payctl finds the backups that AWS keeps of the deleted objects of a kind.
#[derive(Clone, Copy)]
pub struct Keeper {
    /// The kind.
    pub kind: &'static str,
    /// Asks for the newest backup.
    pub ask: for<'a> fn(&'a Aws, &'a Address, &'a Live) -> Asked<'a>,
}

/// The backup that AWS keeps of one deleted object.
pub type Asked<'a> = BoxFuture<'a, Result<Option<Kept>, OpError>>;

/// The backup of a deleted object.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Kept {
    /// The address of the deleted object.
    pub address: Address,
    /// The time of the data.
    pub at: String,
    /// The value of `restore_from` that restores it.
    pub restore_from: String,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, at, restore_from } = self;
        write!(f, "{address} as of {at}: restore_from = {restore_from}")
    }
}

impl Kept {
    /// The newest backup of a deleted object, of all with their times.
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
