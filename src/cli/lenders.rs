//! Environments that use something of another one: what they use stays while they need it.

use std::collections::BTreeMap;

use futures::future::try_join_all;

use super::error::CliError;
use super::session::Session;
use crate::aws::census;
use crate::aws::clients::retry_read;
use crate::aws::lent;
use crate::blueprint::loans::{is_lendable, is_spare};
use payctl_engine::model::address::Address;
use payctl_engine::model::live::{Owner, Phase};
use payctl_engine::plan::{Action, Change, Plan, Purpose, Refused};
use payctl_engine::survey;

/// Refuses what a plan deletes or replaces of the parts that others may use, as long as there are such
/// environments. An object that failed or that AWS is deleting serves nobody, and one instance of a database
/// is enough.
pub(super) async fn refuse(session: &Session, plan: &mut Plan) -> Result<(), CliError> {
    let goes = |change: &&Change| {
        let serves = change
            .live
            .as_ref()
            .is_some_and(|live| !matches!(live.phase, Phase::Failed(_) | Phase::Deleting(_)));
        matches!(change.action, Action::Delete | Action::Replace)
            && is_lendable(&change.address.kind)
            && serves
    };
    let is_kept = |address: &&Address| {
        let mut changes = plan.changes.iter().filter(|change| change.address == **address);
        changes.all(|change| change.action == Action::Update)
    };
    let stays: Vec<&Address> = session.blueprint.resources.keys().filter(is_kept).collect();
    let is_needed = |change: &&Change| !is_spare(&change.address, stays.iter().copied());
    let goes: Vec<&Change> = plan.changes.iter().filter(goes).filter(is_needed).collect();
    if goes.is_empty() {
        return Ok(());
    }
    let borrowers = borrowers(session).await?;
    if borrowers.is_empty() {
        return Ok(());
    }
    let env = &session.blueprint.scope.env;
    let reason = format!("other environments use {env}: {}", borrowers.join(", "));
    let refused = |change: &Change| Refused {
        address: change.address.clone(),
        origin: change.origin.clone(),
        reason: reason.clone(),
        hint: "destroy them first, or let them use another environment".to_owned(),
    };
    let refused: Vec<Refused> = goes.into_iter().map(refused).collect();
    plan.refused.extend(refused);
    Ok(())
}

/// The environments that use something of this one. The index of tags also lists objects that are gone, so
/// payctl looks at each of those environments itself.
async fn borrowers(session: &Session) -> Result<Vec<String>, CliError> {
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
    Ok(try_join_all(others).await?.into_iter().flatten().collect())
}
