//! Resources that may be others under a new logical name.

use serde_json::Value;

use super::Kinds;
use crate::diff::diff;
use crate::model::desired::Desired;
use crate::model::live::Live;
use crate::model::meta::Meta;
use crate::plan::{Action, Change, Note, Plan};

/// Notes every new resource that is like exactly one of those whose data goes: if the config only calls it by
/// another logical name, its physical name keeps the object.
pub(super) fn note(plan: &mut Plan, kinds: &Kinds) {
    let notes = plan.changes.iter().filter_map(|made| {
        let want = made.want.as_ref().filter(|_| made.action == Action::Create)?;
        let meta = kinds.get(made.address.kind.as_str()).filter(|meta| meta.goes_by_name())?;
        let mut alike = plan.changes.iter().filter(|gone| {
            gone.action == Action::Delete
                && gone.irreversible.is_some()
                && gone.address.kind == made.address.kind
                && gone.live.as_ref().is_some_and(|live| is_like(meta, want, live))
        });
        let (Some(Change { address, live: Some(live), .. }), None) = (alike.next(), alike.next())
        else {
            return None;
        };
        let name = live.spec.get("name").and_then(Value::as_str)?;
        Some(Note {
            address: made.address.clone(),
            origin: made.origin.clone(),
            text: format!("it is like {address}, which this plan deletes with its data"),
            hint: format!("if it is the same by another name, keep it: write `name = \"{name}\"`"),
        })
    });
    let notes: Vec<Note> = notes.collect();
    plan.notes.extend(notes);
}

/// Whether a live object is what is wanted, but for its name and for what refers to others.
fn is_like(meta: &Meta, want: &Desired, live: &Live) -> bool {
    let fields = diff(meta, &want.spec, &live.spec);
    fields.iter().all(|field| field.path == "name" || field.unknown)
}
