//! Refuses a plan that would lose what is protected.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Kinds;
use crate::model::address::Address;
use crate::model::desired::Blueprint;
use crate::model::live::{Found, Owner, Phase};
use crate::model::scope::{TAG_PROTECT, is_protected};
use crate::plan::{Action, Change, Plan, Purpose, Refused};
use crate::survey::Snapshot;

/// How to lift the protection of an object that the config asks for.
const UNPROTECT: &str = "if you want that, set `protect = false` in the environment's config and apply: that only removes the tag \
     `payctl:protect`; then run this again";
/// The same for one that it no longer asks for.
const UNPROTECT_SURPLUS: &str = "if you want that, add it to the config again, set `protect = false` and apply: that only removes the \
     tag `payctl:protect`; then remove it from the config";
const RELEASE: &str = "if you want that, set `deletion_protection = false` on it and apply while it is still in the config; \
     then run this again";

/// Refuses whatever a protected environment would lose: what carries the live tag, whatever the config
/// says; and what the config protects, whatever is live.
pub(super) fn refuse(plan: &mut Plan, blueprint: &Blueprint, snapshot: &Snapshot, kinds: &Kinds) {
    let ours = snapshot.values().flatten().filter(|found| {
        found.owner == Owner::Ours && !matches!(found.live.phase, Phase::Deleting(_))
    });
    let guarded: Vec<&Found> = ours.filter(|found| is_protected(&found.live.tags)).collect();
    let is_guarded = blueprint.protect || !guarded.is_empty();
    let mut losses: Vec<Refused> = Vec::new();
    let goes = |change: &&Change| matches!(change.action, Action::Delete | Action::Replace);
    for change in plan.changes.iter().filter(goes) {
        let Some(live) = &change.live else { continue };
        let meta = kinds.get(change.address.kind.as_str());
        // What AWS is deleting already, and a second object that never held any data.
        let is_empty = change.action == Action::Delete
            && change.irreversible.is_none()
            && meta.is_some_and(|meta| meta.data.is_some());
        let protection =
            meta.and_then(|meta| meta.protection_field).and_then(|field| live.spec.get(field));
        let (reason, hint) = if is_protected(&live.tags) && !is_empty {
            let is_surplus = !blueprint.resources.contains_key(&change.address);
            let hint = if is_surplus { UNPROTECT_SURPLUS } else { UNPROTECT };
            (format!("it is protected: it has the tag {TAG_PROTECT}"), hint)
        } else if let (true, Some(lost)) = (blueprint.protect, &change.irreversible) {
            (format!("this environment is protected, and this would lose {lost}"), UNPROTECT)
        } else if is_guarded && protection == Some(&Value::Bool(true)) {
            let why = "AWS's deletion protection is on, and this environment is protected";
            (why.to_owned(), RELEASE)
        } else {
            continue;
        };
        losses.push(Refused {
            address: change.address.clone(),
            origin: change.origin.clone(),
            reason,
            hint: hint.to_owned(),
        });
    }
    if plan.purpose == Purpose::Destroy {
        let named: BTreeSet<Address> = losses.iter().map(|loss| loss.address.clone()).collect();
        let others = guarded.iter().filter(|found| !named.contains(&found.address));
        losses.extend(others.map(|found| Refused {
            address: found.address.clone(),
            origin: String::new(),
            reason: format!("it is protected: it has the tag {TAG_PROTECT}"),
            hint: UNPROTECT.to_owned(),
        }));
        if blueprint.protect && losses.is_empty() {
            losses.extend(plan.changes.first().map(|change| Refused {
                address: change.address.clone(),
                origin: change.origin.clone(),
                reason: "this environment is protected from destroy".to_owned(),
                hint: UNPROTECT.to_owned(),
            }));
        }
    }
    plan.refused.extend(losses);
}
