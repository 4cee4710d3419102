//! Which live object an identifier belongs to: the order of deletions is taken from the references
//! that stand in live specs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::survey::Snapshot;
use crate::model::address::Address;
use crate::model::live::{Found, Live, Owner};

/// Which live object an identifier belongs to.
pub(super) struct Owners {
    by_id: BTreeMap<String, Address>,
    used: BTreeSet<String>,
}

impl Owners {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let mut owners = Self { by_id: BTreeMap::new(), used: BTreeSet::new() };
        let ours = || snapshot.values().flatten().filter(|found| found.owner == Owner::Ours);
        for found in ours() {
            let ids = found.live.outputs.values().chain([&found.live.id]);
            // Short values are names or numbers that mean other things elsewhere.
            for id in ids.filter(|id| id.len() >= 8) {
                owners.by_id.insert(id.clone(), found.address.clone());
            }
        }
        let mut used = BTreeSet::new();
        for found in ours() {
            owners.each_id(&found.live.spec, &mut |id, owner| {
                if *owner != found.address {
                    used.insert(id.to_owned());
                }
            });
        }
        owners.used = used;
        owners
    }

    pub(super) fn is_used(&self, found: &Found) -> bool {
        self.used.contains(&found.live.id)
            || found.live.outputs.values().any(|id| self.used.contains(id))
    }

    /// The addresses of what a live object refers to.
    pub(super) fn used_by(&self, address: &Address, live: &Live) -> BTreeSet<Address> {
        let mut uses = BTreeSet::new();
        self.each_id(&live.spec, &mut |_, owner| {
            if owner != address {
                uses.insert(owner.clone());
            }
        });
        uses
    }

    fn each_id(&self, tree: &Value, found: &mut dyn FnMut(&str, &Address)) {
        match tree {
            Value::String(text) => {
                // Policies name what is inside a resource: `arn:...:table/x/index/*`.
                let trimmed = text.trim_end_matches('*').trim_end_matches(['/', ':']);
                let hit =
                    self.by_id.get_key_value(text).or_else(|| self.by_id.get_key_value(trimmed));
                if let Some((id, owner)) = hit {
                    found(id, owner);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.each_id(item, found)),
            Value::Object(map) => map.values().for_each(|value| self.each_id(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}
