//! Everything that an environment has in the cloud, seen in one sweep.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;

use super::provider::{Provider, Sweep};
use crate::model::address::Address;
use crate::model::desired::Desired;
use crate::model::error::{ErrorClass, OpError};
use crate::model::live::Found;

/// What was found, by address. More than one object for an address is possible: after a lost
/// reply, or in the middle of a replacement.
pub type Snapshot = BTreeMap<Address, Vec<Found>>;

/// A kind that could not be surveyed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot look at {kind}: {error}")]
pub struct SurveyError {
    /// The kind.
    pub kind: String,
    /// Why.
    pub error: OpError,
}

/// How often a survey is tried again after an error that passes by itself.
const TRIES: u32 = 6;

/// Surveys every kind at the same time. Reading again is always safe, so whatever may pass is
/// tried again.
pub async fn survey(
    provider: &dyn Provider,
    resources: &BTreeMap<Address, Desired>,
) -> Result<Snapshot, Vec<SurveyError>> {
    let mut wanted: BTreeMap<&str, BTreeMap<String, Address>> = BTreeMap::new();
    let mut sweep = Sweep::default();
    for desired in resources.values() {
        sweep.wanted.insert(desired.address.clone(), desired.tags.clone());
        let names = wanted.entry(&desired.address.kind).or_default();
        names.insert(desired.name.clone(), desired.address.clone());
    }
    let (none, sweep) = (BTreeMap::new(), &sweep);
    let surveys = provider.kinds().into_iter().map(|meta| {
        let names = wanted.get(meta.kind).unwrap_or(&none);
        async move { (meta.kind, patiently(provider, meta.kind, names, sweep).await) }
    });
    let mut snapshot = Snapshot::new();
    let mut errors = Vec::new();
    for (kind, result) in join_all(surveys).await {
        match result {
            Ok(found) => {
                for found in found {
                    snapshot.entry(found.address.clone()).or_default().push(found);
                }
            }
            Err(error) => errors.push(SurveyError { kind: kind.to_owned(), error }),
        }
    }
    match errors.is_empty() {
        true => Ok(snapshot),
        false => Err(errors),
    }
}

async fn patiently(
    provider: &dyn Provider,
    kind: &str,
    names: &BTreeMap<String, Address>,
    sweep: &Sweep,
) -> Result<Vec<Found>, OpError> {
    let mut tries = 0;
    loop {
        match provider.survey(kind, names, Some(sweep)).await {
            // An object may vanish between the list and its details.
            Err(error)
                if (error.passes() || error.class == ErrorClass::NotFound) && tries < TRIES =>
            {
                tokio::time::sleep(Duration::from_millis(200 << tries)).await;
                tries += 1;
            }
            result => return result,
        }
    }
}
