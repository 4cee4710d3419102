//! A plan for some resources only.

use std::collections::BTreeSet;

use super::PlanError;
use crate::model::address::Address;
use crate::model::desired::Blueprint;
use crate::plan::{Action, Change, Plan};

/// Leaves only the targets, and of what they need the changes without which they cannot be made.
pub(super) fn narrow(
    plan: &mut Plan,
    blueprint: &Blueprint,
    targets: &[String],
) -> Result<(), PlanError> {
    let matches =
        |address: &Address, target: &str| address.to_string() == target || address.kind == target;
    let all = plan.changes.iter().map(|change| &change.address).chain(&plan.unchanged);
    let all: BTreeSet<&Address> = all.chain(blueprint.resources.keys()).collect();
    let mut wanted: BTreeSet<Address> = BTreeSet::new();
    for target in targets {
        let hits: Vec<&&Address> = all.iter().filter(|address| matches(address, target)).collect();
        if hits.is_empty() {
            return Err(PlanError::NoSuchTarget(target.clone()));
        }
        wanted.extend(hits.into_iter().map(|address| (*address).clone()));
    }
    // What a target needs comes with it, and so does what has to let go of one that is deleted.
    loop {
        let before = wanted.len();
        // Changes come in order: what is needed stands before what needs it.
        for change in plan.changes.iter().rev() {
            if wanted.contains(&change.address) && change.action != Action::Delete {
                wanted.extend(change.needs.iter().cloned());
            }
        }
        let deletes = |change: &&Change| matches!(change.action, Action::Delete | Action::Replace);
        let deleted = plan.changes.iter().filter(deletes).map(|change| &change.address);
        let deleted: BTreeSet<Address> =
            deleted.filter(|address| wanted.contains(*address)).cloned().collect();
        let users = plan.changes.iter().filter(|change| !change.uses.is_disjoint(&deleted));
        wanted.extend(users.map(|change| change.address.clone()));
        if wanted.len() == before {
            break;
        }
    }
    let (changes, beyond) = std::mem::take(&mut plan.changes)
        .into_iter()
        .partition(|change| wanted.contains(&change.address));
    (plan.changes, plan.beyond) = (changes, beyond);
    plan.refused.retain(|refused| wanted.contains(&refused.address));
    Ok(())
}
