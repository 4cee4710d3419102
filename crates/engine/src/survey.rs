//! Everything that an environment has in the cloud, seen in one sweep.
//!
//! A survey is never all or nothing: a kind that cannot be read is reported, and the others are seen
//! all the same. There is one deadline over everything.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt as _};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use super::plan::Purpose;
use super::provider::{Provider, Sweep};
use crate::model::address::Address;
use crate::model::desired::Desired;
use crate::model::error::{ErrorClass, OpError};
use crate::model::live::Found;

/// What was found, by address, and which kinds could not be read. More than one object for an
/// address is possible: after a lost reply, or in the middle of a replacement.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    found: BTreeMap<Address, Vec<Found>>,
    /// The kinds that could not be read: what exists of them is not known.
    pub unseen: Vec<SurveyError>,
}

impl Snapshot {
    /// A snapshot of a cloud in which there is nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Why a kind could not be read, if so.
    pub fn unseen(&self, kind: &str) -> Option<&OpError> {
        self.unseen.iter().find(|unseen| unseen.kind == kind).map(|unseen| &unseen.error)
    }
}

impl<const N: usize> From<[(Address, Vec<Found>); N]> for Snapshot {
    fn from(found: [(Address, Vec<Found>); N]) -> Self {
        Self { found: found.into(), unseen: Vec::new() }
    }
}

impl<'a> IntoIterator for &'a Snapshot {
    type Item = (&'a Address, &'a Vec<Found>);
    type IntoIter = btree_map::Iter<'a, Address, Vec<Found>>;

    fn into_iter(self) -> Self::IntoIter {
        self.found.iter()
    }
}

impl Deref for Snapshot {
    type Target = BTreeMap<Address, Vec<Found>>;

    fn deref(&self) -> &Self::Target {
        &self.found
    }
}

impl DerefMut for Snapshot {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.found
    }
}

/// A kind that could not be surveyed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("cannot read {kind}: {error}")]
pub struct SurveyError {
    /// The kind.
    pub kind: String,
    /// Why.
    pub error: OpError,
}

impl SurveyError {
    /// Whether the endpoint does not know the service or the operation at all: then it holds nothing
    /// of the kind.
    pub fn is_unsupported(&self) -> bool {
        self.error.class == ErrorClass::Unsupported
    }
}

/// How far looking has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looking {
    /// How many kinds were read.
    pub done: usize,
    /// How many kinds there are.
    pub all: usize,
    /// The services of the kinds that are still open.
    pub waiting: BTreeSet<&'static str>,
}

/// How often a survey is tried again after an error that passes by itself.
const TRIES: u32 = 6;

/// How long looking at everything may take. It is some seconds on most days; a large account that
/// throttles takes a minute or two.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Surveys every kind, and fails if one of them cannot be read.
pub async fn survey(
    provider: &dyn Provider,
    resources: &BTreeMap<Address, Desired>,
) -> Result<Snapshot, Vec<SurveyError>> {
    let mut snapshot = look(provider, resources, Purpose::Apply, PATIENCE, &|_| {}).await;
    match std::mem::take(&mut snapshot.unseen) {
        none if none.is_empty() => Ok(snapshot),
        unseen => Err(unseen),
    }
}

/// Surveys every kind at the same time, as far as that is possible before `patience` is over.
/// Reading again is always safe, so whatever may pass is tried again.
///
/// A destroy believes no tags but those that each service tells of its own objects: the one question
/// for all tags lags behind, and a protection that was put on a minute ago must be seen.
pub async fn look(
    provider: &dyn Provider,
    resources: &BTreeMap<Address, Desired>,
    purpose: Purpose,
    patience: Duration,
    listener: &(dyn Fn(Looking) + Send + Sync),
) -> Snapshot {
    let deadline = Instant::now() + patience;
    let mut wanted: BTreeMap<&str, BTreeMap<String, Address>> = BTreeMap::new();
    let mut sweep = Sweep::default();
    for desired in resources.values() {
        if purpose == Purpose::Apply {
            sweep.wanted.insert(desired.address.clone(), desired.tags.clone());
        }
        let names = wanted.entry(&desired.address.kind).or_default();
        names.insert(desired.name.clone(), desired.address.clone());
    }
    let (none, sweep) = (BTreeMap::new(), &sweep);
    let kinds = provider.kinds();
    let surveys = kinds.iter().map(|meta| {
        let names = wanted.get(meta.kind).unwrap_or(&none);
        async move {
            let mut last = None;
            let found = patiently(provider, meta.kind, names, sweep, &mut last);
            let in_time = timeout_at(deadline, found).await;
            (*meta, in_time.unwrap_or_else(|_| Err(late(meta.kind, last, patience))))
        }
    });
    let mut surveys: FuturesUnordered<_> = surveys.collect();
    let mut open: BTreeMap<&'static str, &'static str> =
        kinds.iter().map(|meta| (meta.kind, meta.service)).collect();
    let looking = |open: &BTreeMap<&str, &'static str>| Looking {
        done: kinds.len() - open.len(),
        all: kinds.len(),
        waiting: open.values().copied().collect(),
    };
    listener(looking(&open));
    let mut snapshot = Snapshot::new();
    while let Some((meta, result)) = surveys.next().await {
        open.remove(meta.kind);
        listener(looking(&open));
        match result {
            Ok(found) => {
                for found in found {
                    snapshot.entry(found.address.clone()).or_default().push(found);
                }
            }
            Err(error) => {
                snapshot.unseen.push(SurveyError { kind: meta.kind.to_owned(), error });
            }
        }
    }
    snapshot.unseen.sort_by(|one, other| one.kind.cmp(&other.kind));
    snapshot
}

/// The error of a kind whose survey did not end in time.
fn late(kind: &str, last: Option<OpError>, patience: Duration) -> OpError {
    let time = format!("no answer in {} s", patience.as_secs());
    match last {
        Some(error) => OpError { message: format!("{} ({time})", error.message), ..error },
        None => OpError::new(kind, ErrorClass::Service, "NoAnswer", time),
    }
}

async fn patiently(
    provider: &dyn Provider,
    kind: &str,
    names: &BTreeMap<String, Address>,
    sweep: &Sweep,
    last: &mut Option<OpError>,
) -> Result<Vec<Found>, OpError> {
    let mut tries = 0;
    loop {
        match provider.survey(kind, names, Some(sweep)).await {
            // An object may vanish between the list and its details.
            Err(error)
                if (error.passes() || error.class == ErrorClass::NotFound) && tries < TRIES =>
            {
                *last = Some(error);
                tokio::time::sleep(Duration::from_millis(200 << tries)).await;
                tries += 1;
            }
            result => return result,
        }
    }
}
