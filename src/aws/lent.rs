//! What other environments of the project have here, found live by their ownership tags.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;

use super::clients::{Aws, retry_read};
use super::provider::AwsProvider;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Owner, Phase};
use payctl_engine::provider::Provider as _;

/// The objects of some kinds that some environments own and that AWS is not deleting, by the name of the
/// environment.
pub async fn find(
    aws: &Aws,
    asked: &BTreeSet<(String, String)>,
) -> Result<BTreeMap<String, Vec<Found>>, OpError> {
    let surveys = asked.iter().map(|(lender, kind)| async move {
        let provider = of(aws, lender);
        let none = BTreeMap::new();
        let found = retry_read(|| provider.survey(kind, &none, None)).await?;
        let is_there = |found: &Found| {
            found.owner == Owner::Ours && !matches!(found.live.phase, Phase::Deleting(_))
        };
        Ok((lender.clone(), found.into_iter().filter(is_there).collect::<Vec<_>>()))
    });
    let mut all: BTreeMap<String, Vec<Found>> = BTreeMap::new();
    for (lender, found) in try_join_all(surveys).await? {
        all.entry(lender).or_default().extend(found);
    }
    Ok(all)
}

/// The cloud as another environment of the project sees it.
pub fn of(aws: &Aws, env: &str) -> AwsProvider {
    AwsProvider::new(aws.of(&aws.scope.project, env))
}
