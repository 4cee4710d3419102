//! Environments that use something of another one: what they use stays while they need it.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;

use super::error::CliError;
use super::session::Session;
use crate::aws::census;
use crate::aws::clients::retry_read;
use crate::aws::lent;
use crate::blueprint::loans::{is_lendable, is_spare};
use payctl_engine::model::address::Address;
use payctl_engine::model::live::{Owner, Phase};
use payctl_engine::plan::{Action, Change, Note, Plan, Purpose, Refused};
use payctl_engine::survey;
use stakes::Stakes;

mod stakes;

/// An environment that uses something of this one, with the specs of its objects.
struct Borrower {
    env: String,
    specs: Vec<(Address, String)>,
}

impl Borrower {
    /// The first object that names one of these ids.
    fn user(&self, ids: &BTreeSet<&str>) -> Option<&Address> {
        let names = |spec: &str| ids.iter().any(|id| spec.contains(id));
        self.specs.iter().find(|(_, spec)| names(spec)).map(|(address, _)| address)
    }
}

/// Refuses what a plan deletes or replaces of the parts that others may use, and what it removes from a part
/// that others do use, as long as there are such environments. Beside other changes it names them. An object
/// that failed or that AWS is deleting serves nobody, and one instance of a database is enough.
pub(super) async fn refuse(session: &Session, plan: &mut Plan) -> Result<(), CliError> {
    let matters = |change: &&Change| {
        let serves = change
            .live
            .as_ref()
            .is_some_and(|live| !matches!(live.phase, Phase::Failed(_) | Phase::Deleting(_)));
        let hurts = match change.action {
            Action::Delete | Action::Replace => true,
            Action::Update => change.fields.iter().any(|field| !field.path.starts_with("tags.")),
            Action::Create => false,
        };
        hurts && is_lendable(&change.address.kind) && serves
    };
    let is_kept = |address: &&Address| {
        let mut changes = plan.changes.iter().filter(|change| change.address == **address);
        changes.all(|change| change.action == Action::Update)
    };
    let stays: Vec<&Address> = session.blueprint.resources.keys().filter(is_kept).collect();
    let is_needed = |change: &&Change| !is_spare(&change.address, stays.iter().copied());
    let changes: Vec<&Change> = plan.changes.iter().filter(matters).filter(is_needed).collect();
    if changes.is_empty() {
        return Ok(());
    }
    let borrowers = borrowers(session).await?;
    if borrowers.is_empty() {
        return Ok(());
    }
    let env = &session.blueprint.scope.env;
    let (mut refused, mut notes) = (Vec::new(), Vec::new());
    for change in changes {
        match judged(change, env, &borrowers) {
            Some(Judged::Refused(one)) => refused.push(one),
            Some(Judged::Noted(one)) => notes.push(one),
            None => {}
        }
    }
    plan.refused.extend(refused);
    plan.notes.extend(notes);
    Ok(())
}

/// What becomes of a change of something lent.
enum Judged {
    Refused(Refused),
    Noted(Note),
}

fn judged(change: &Change, env: &str, borrowers: &[Borrower]) -> Option<Judged> {
    let refused = |reason: String, hint: &str| {
        let (address, origin) = (change.address.clone(), change.origin.clone());
        Some(Judged::Refused(Refused { address, origin, reason, hint: hint.to_owned() }))
    };
    let noted = |text: String| {
        let (address, origin) = (change.address.clone(), change.origin.clone());
        let hint = "look at them after the apply".to_owned();
        Some(Judged::Noted(Note { address, origin, text, hint }))
    };
    if change.action != Action::Update {
        let all: Vec<&str> = borrowers.iter().map(|one| &*one.env).collect();
        let reason = format!("other environments use {env}: {}", all.join(", "));
        return refused(reason, "destroy them first, or let them use another environment");
    }
    let stakes = Stakes::of(change)?;
    let users: Vec<(&str, &Address)> =
        borrowers.iter().filter_map(|one| Some((&*one.env, one.user(&stakes.ids)?))).collect();
    let named = |names: Vec<&str>| names.join(", ");
    match (stakes.removes, users.is_empty()) {
        (true, false) => {
            let users = users.iter().map(|(env, user)| format!("{env} ({user})"));
            let users = users.collect::<Vec<_>>().join(", ");
            refused(
                format!("it takes away what other environments use: {users}"),
                "keep it until they are destroyed, or let them use another environment",
            )
        }
        (true, true) => {
            let all = named(borrowers.iter().map(|one| &*one.env).collect());
            noted(format!("other environments use {env} and may need what this takes away: {all}"))
        }
        (false, false) => {
            let users = named(users.into_iter().map(|(env, _)| env).collect());
            noted(format!("other environments use this: {users}"))
        }
        (false, true) => None,
    }
}

/// The environments that use something of this one. The index of tags also lists objects that are gone, so
/// payctl looks at each of those environments itself.
async fn borrowers(session: &Session) -> Result<Vec<Borrower>, CliError> {
    let aws = session.provider.aws();
    let failed = |error| CliError::cloud("look for environments that use this one", &error);
    let claimants = retry_read(|| census::claimants(aws)).await.map_err(failed)?;
    let others = claimants.into_iter().map(|env| async move {
        let provider = lent::of(aws, &env);
        let none = BTreeMap::new();
        let seen =
            survey::look(&provider, &none, Purpose::Destroy, survey::PATIENCE, &|_| {}).await;
        let ours = seen.values().flatten().filter(|found| found.owner == Owner::Ours);
        let specs: Vec<_> =
            ours.map(|found| (found.address.clone(), found.live.spec.to_string())).collect();
        let is_blind = seen.unseen.iter().any(|unseen| !unseen.is_unsupported());
        Ok::<_, CliError>((!specs.is_empty() || is_blind).then_some(Borrower { env, specs }))
    });
    Ok(try_join_all(others).await?.into_iter().flatten().collect())
}
