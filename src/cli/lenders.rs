//! Environments that use something of another one: an environment stays while others need it.

use std::collections::BTreeMap;

use futures::future::try_join_all;

use super::error::{CliError, ErrorKind};
use super::session::Session;
use crate::aws::census;
use crate::aws::clients::retry_read;
use crate::aws::lent;
use crate::blueprint::loans::is_lendable;
use payctl_engine::model::live::Owner;
use payctl_engine::plan::{Action, Change, Plan, Purpose};
use payctl_engine::survey;

/// Refuses to delete what others may use, as long as there are such environments. The index of tags also
/// lists objects that are gone, so payctl looks at each of those environments itself.
pub(super) async fn check_unused(session: &Session, plan: &Plan) -> Result<(), CliError> {
    let goes = |change: &Change| matches!(change.action, Action::Delete | Action::Replace);
    if !plan.changes.iter().any(|change| goes(change) && is_lendable(&change.address.kind)) {
        return Ok(());
    }
    let aws = session.provider.aws();
    let failed = |error| CliError::cloud("look for environments that use this one", &error);
    let claimants = retry_read(|| census::claimants(aws)).await.map_err(failed)?;
    let others = claimants.into_iter().map(|env| async move {
        let provider = lent::of(aws, &env);
        let none = BTreeMap::new();
        let seen =
            survey::look(&provider, &none, Purpose::Destroy, survey::PATIENCE, &|_| {}).await;
        let is_left = seen.values().flatten().any(|found| found.owner == Owner::Ours);
        let is_blind = seen.unseen.iter().any(|unseen| !unseen.is_unsupported());
        Ok::<_, CliError>((is_left || is_blind).then_some(env))
    });
    let borrowers: Vec<String> = try_join_all(others).await?.into_iter().flatten().collect();
    if borrowers.is_empty() {
        return Ok(());
    }
    let env = &aws.scope.env;
    Err(CliError::new(ErrorKind::User, format!("other environments use {env}"))
        .because(borrowers.join(", "))
        .hinted("destroy them first, or let them use another environment"))
}
