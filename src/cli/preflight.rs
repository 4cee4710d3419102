//! What the kinds say of a plan before it is carried out: asked before anything is changed, and told in
//! the plan or as the reason why nothing is done.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use futures::future::join_all;

use super::error::{CliError, ErrorKind};
use crate::aws::clients::Aws;
use crate::aws::kinds::checks;
use crate::aws::preflight::{Fate, Finding, Obstacle, Origin, Planned, Preflight};
use crate::ui::style::{count, span};
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::plan::{Action, Change, Note, Plan};

/// What follows once a plan is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// payctl shows the plan, and writes nothing.
    Show,
    /// payctl carries it out.
    Apply,
}

/// Refuses a plan that AWS would refuse in the middle, or that would leave something behind, and says
/// in the plan what is restored. A full quota is a note in a plan that is only shown.
pub(super) async fn check(
    aws: &Aws,
    blueprint: &Blueprint,
    plan: &mut Plan,
    next: Next,
) -> Result<(), CliError> {
    let planned = plan.changes.iter().map(planned).collect();
    let cx = Preflight::new(aws, planned, &blueprint.resources, &plan.outputs);
    let (mut restored, mut notes) = (Vec::new(), Vec::new());
    let all = checks();
    for group in all.chunk_by(|one, other| one.subject == other.subject) {
        let asked = join_all(group.iter().map(|check| (check.run)(&cx))).await;
        let mut found = Vec::new();
        for (check, asked) in group.iter().zip(asked) {
            found.extend(asked.map_err(|error| CliError::cloud(check.doing, &error))?);
        }
        for finding in &found {
            let (address, text, hint) = match finding {
                Finding::Note { address, text, hint } => (address, text.clone(), hint),
                Finding::Full { address, title, because, hint } if next == Next::Show => {
                    (address, format!("{title}: {because}"), hint)
                }
                Finding::Full { .. }
                | Finding::Problem { .. }
                | Finding::Restored { .. }
                | Finding::Unavailable { .. }
                | Finding::Unrestorable { .. } => continue,
            };
            let change = plan.changes.iter().find(|change| change.address == *address);
            let origin = change.map(|change| change.origin.clone()).unwrap_or_default();
            notes.push(Note { address: address.clone(), origin, text, hint: hint.clone() });
        }
        if next == Next::Show {
            found.retain(|finding| !matches!(finding, Finding::Full { .. }));
        }
        restored.extend(judged(&plan.changes, found)?);
    }
    plan.notes.extend(notes);
    for (address, origin) in restored {
        if let Some(change) = plan.changes.iter_mut().find(|change| change.address == address) {
            change.because = Some(told(&origin, SystemTime::now()));
        }
    }
    Ok(())
}

fn planned(change: &Change) -> Planned<'_> {
    Planned {
        address: &change.address,
        origin: &change.origin,
        fate: match change.action {
            Action::Create => Fate::Created,
            Action::Update => Fate::Updated,
            Action::Replace => Fate::Replaced,
            Action::Delete => Fate::Deleted,
        },
        changed: change.fields.iter().map(|field| field.path.as_str()).collect(),
        want: change.want.as_ref(),
        live: change.live.as_ref(),
    }
}

/// What is restored, unless something speaks against the plan.
fn judged(changes: &[Change], found: Vec<Finding>) -> Result<Vec<(Address, Origin)>, CliError> {
    let (mut restored, mut unavailable, mut unrestorable) = (Vec::new(), Vec::new(), Vec::new());
    for finding in found {
        match finding {
            Finding::Note { .. } => {}
            Finding::Restored { address, origin } => restored.push((address, origin)),
            Finding::Unavailable { address, origin, what, zones, offered } => {
                unavailable.push(Unavailable { address, origin, what, zones, offered });
            }
            Finding::Unrestorable { address, obstacle } => unrestorable.push((address, obstacle)),
            Finding::Full { title, because, hint, .. }
            | Finding::Problem { title, because, hint } => {
                return Err(CliError::new(ErrorKind::User, title).because(because).hinted(hint));
            }
        }
    }
    // As they stand in the plan, whichever kind told of them first.
    let place = |address: &Address| changes.iter().position(|change| change.address == *address);
    unavailable.sort_by_key(|one| place(&one.address));
    unrestorable.sort_by_key(|(address, _)| place(address));
    if !unavailable.is_empty() {
        return Err(not_in_zones(&unavailable));
    }
    if !unrestorable.is_empty() {
        return Err(not_restored(changes, unrestorable));
    }
    Ok(restored)
}

/// What AWS does not have where the plan makes it.
struct Unavailable {
    address: Address,
    origin: String,
    what: String,
    zones: BTreeSet<String>,
    offered: BTreeSet<String>,
}

fn not_in_zones(refused: &[Unavailable]) -> CliError {
    let joined =
        |all: &BTreeSet<String>| all.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let first = &refused[0];
    let classes = joined(&refused.iter().map(|one| one.what.clone()).collect());
    let who = refused.iter().map(|Unavailable { address, origin, what, zones, .. }| {
        format!("{address} {what} in {} ({origin})\n", joined(zones))
    });
    let has = if first.offered.is_empty() {
        format!("no zone of this region has {}", first.what)
    } else {
        format!("{} is available in {}", first.what, joined(&first.offered))
    };
    CliError::new(ErrorKind::User, format!("AWS does not offer {classes} in these zones"))
        .because(format!("{}{has}", who.collect::<String>()))
        .hinted("choose another class, or set other zones in `zone_names` of [network]")
}

fn not_restored(changes: &[Change], refused: Vec<(Address, Obstacle)>) -> CliError {
    let origin = |address: &Address| {
        let change = changes.iter().find(|change| change.address == *address);
        change.map(|change| change.origin.as_str()).unwrap_or_default()
    };
    let whys: Vec<String> = refused
        .iter()
        .map(|(address, obstacle)| format!("{address} ({}): {}", origin(address), obstacle.why))
        .collect();
    let title =
        format!("{} cannot be restored; nothing was changed", count(whys.len(), "resource"));
    let error = CliError::new(ErrorKind::User, title).because(whys.join("\n"));
    refused.into_iter().map(|(_, obstacle)| obstacle.hint).fold(error, CliError::hinted)
}

/// The text in a plan for a restored resource.
fn told(origin: &Origin, now: SystemTime) -> String {
    let age = now.duration_since(origin.at).unwrap_or_default();
    let (what, at, age) = (&origin.what, &origin.time, old(age));
    format!("restored from {what}: the data of {at}, {age} ago; it does not have later writes")
}

fn old(age: Duration) -> String {
    const DAY: u64 = 24 * 3600;
    match usize::try_from(age.as_secs() / DAY) {
        Ok(days) if days >= 2 => count(days, "day"),
        _ => span(age),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_names_the_restored_source_and_its_age() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let time = "2023-11-14T22:13:20Z".to_owned();
        let origin = Origin { what: "the table orders".into(), stands: None, at, time };
        let after = |seconds| told(&origin, at + Duration::from_secs(seconds));
        assert_eq!(
            after(3 * 3600),
            "restored from the table orders: the data of 2023-11-14T22:13:20Z, 3 h 00 m ago; it \
             does not have later writes"
        );
        assert!(after(3 * 24 * 3600).contains("22:13:20Z, 3 days ago"));
    }
}
