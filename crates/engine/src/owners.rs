//! Which live object an identifier belongs to: the order of deletions is taken from the references
//! that stand in live specs, and so is which of two objects for one address stays.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::survey::Snapshot;
use crate::model::address::Address;
use crate::model::live::{Found, Live, Owner, Phase};
use crate::model::meta::Meta;

/// Which live object an identifier belongs to, and what depends on it.
pub(super) struct Owners<'a> {
    /// Objects of several addresses, and several objects of one, may share a name.
    by_id: BTreeMap<&'a str, BTreeMap<&'a Address, Vec<Object<'a>>>>,
    standing: BTreeMap<Object<'a>, Standing>,
}

/// An object: its address and its id.
type Object<'a> = (&'a Address, &'a str);

/// What speaks for an object of which there may be a second one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Standing {
    /// How much it would take to stop using it.
    pub weight: Weight,
    /// Whether anything uses it.
    pub is_used: bool,
    /// Whether something that holds data uses it itself.
    pub holds_data: bool,
}

/// How an object is used, directly or through others, by one of which there is no second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Not at all.
    #[default]
    None,
    /// What uses it can be changed in place.
    Loose,
    /// Its users would have to be replaced.
    Fixed,
    /// Something that holds data uses it, and somewhere on the way a change in place is possible.
    LooseData,
    /// Something that holds data uses it, and would have to be replaced.
    FixedData,
}

impl Weight {
    /// What is left of it behind a reference that can be changed in place.
    fn through(self, fixed: bool) -> Self {
        match self {
            Self::FixedData if !fixed => Self::LooseData,
            Self::Fixed if !fixed => Self::Loose,
            weight => weight,
        }
    }
}

impl<'a> Owners<'a> {
    pub(super) fn of(
        snapshot: &'a Snapshot,
        kinds: &BTreeMap<&'static str, &'static Meta>,
    ) -> Self {
        let mut owners = Self { by_id: BTreeMap::new(), standing: BTreeMap::new() };
        let ours = || snapshot.values().flatten().filter(|found| found.owner == Owner::Ours);
        for found in ours() {
            let ids: BTreeSet<&str> =
                found.live.outputs.values().chain([&found.live.id]).map(String::as_str).collect();
            // Short values are names or numbers that mean other things elsewhere.
            for id in ids.into_iter().filter(|id| id.len() >= 8) {
                let named = owners.by_id.entry(id).or_default();
                named.entry(&found.address).or_default().push(object(found));
            }
        }
        owners.weigh(ours().collect(), kinds);
        owners
    }

    /// Finds out what depends on what.
    fn weigh(&mut self, ours: Vec<&'a Found>, kinds: &BTreeMap<&'static str, &'static Meta>) {
        let mut standing: BTreeMap<Object<'a>, Standing> = BTreeMap::new();
        let mut edges: BTreeMap<Object<'a>, BTreeSet<(Object<'a>, bool)>> = BTreeMap::new();
        let mut open = Vec::new();
        let mut standing_at: BTreeMap<&Address, usize> = BTreeMap::new();
        for found in ours.iter().filter(|found| !matches!(found.live.phase, Phase::Deleting(_))) {
            *standing_at.entry(&found.address).or_default() += 1;
        }
        for found in ours.iter().copied() {
            let meta = kinds.get(found.address.kind.as_str());
            let has_data = meta.is_some_and(|meta| meta.data.is_some());
            let user = object(found);
            for (field, value) in found.live.spec.as_object().into_iter().flatten() {
                let fixed = meta.is_some_and(|meta| meta.is_immutable(field));
                self.each_id(&found.address, value, &mut |used| {
                    edges.entry(user).or_default().insert((used, fixed));
                    let standing = standing.entry(used).or_default();
                    standing.is_used = true;
                    standing.holds_data |= has_data;
                });
            }
            // What has no second is there to stay, and what it uses with it.
            if standing_at.get(&found.address) == Some(&1) {
                open.push((user, if has_data { Weight::FixedData } else { Weight::Fixed }));
            }
        }
        // Each object is passed at most once for each weight that it reaches.
        let mut passed: BTreeMap<Object<'a>, Weight> = BTreeMap::new();
        while let Some((user, weight)) = open.pop() {
            if passed.get(&user).is_some_and(|before| *before >= weight) {
                continue;
            }
            passed.insert(user, weight);
            for (used, fixed) in edges.get(&user).into_iter().flatten() {
                let weight = weight.through(*fixed);
                let standing = standing.entry(*used).or_default();
                standing.weight = standing.weight.max(weight);
                open.push((*used, weight));
            }
        }
        self.standing = standing;
    }

    /// What speaks for an object.
    pub(super) fn standing(&self, found: &Found) -> Standing {
        self.standing.get(&object(found)).copied().unwrap_or_default()
    }

    /// The addresses of what a live object refers to.
    pub(super) fn used_by(&self, address: &Address, live: &Live) -> BTreeSet<Address> {
        let mut uses = BTreeSet::new();
        self.each_id(address, &live.spec, &mut |(owner, _)| {
            uses.insert(owner.clone());
        });
        uses
    }

    /// What a tree of the object at `own` refers to. An object's own name is not a reference to others
    /// with that name; a name of several addresses stands for one of them.
    fn each_id(&self, own: &Address, tree: &Value, found: &mut dyn FnMut(Object<'a>)) {
        match tree {
            Value::String(text) => {
                // Policies name what is inside a resource: `arn:...:table/x/index/*`.
                let trimmed = text.trim_end_matches('*').trim_end_matches(['/', ':']);
                let hit = self.by_id.get(text.as_str()).or_else(|| self.by_id.get(trimmed));
                let others = hit.filter(|hit| !hit.contains_key(own));
                if let Some((_, objects)) = others.and_then(BTreeMap::last_key_value) {
                    objects.iter().copied().for_each(found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.each_id(own, item, found)),
            Value::Object(map) => map.values().for_each(|value| self.each_id(own, value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

fn object(found: &Found) -> Object<'_> {
    (&found.address, &found.live.id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::live::Tags;
    use crate::model::text::{Output, Outputs};

    const CLUSTER: Meta = Meta {
        immutable: &["group", "key"],
        data: Some("the database"),
        ..Meta::new("a.cluster", "a", "")
    };
    const TABLE: Meta = Meta { data: Some("all items"), ..Meta::new("a.table", "a", "") };
    const GROUP: Meta = Meta::new("a.group", "a", "");
    const SUBNET: Meta = Meta { immutable: &["vpc"], ..Meta::new("a.subnet", "a", "") };
    const TARGETS: Meta = Meta { immutable: &["vpc"], ..Meta::new("a.targets", "a", "") };
    const ROLE: Meta = Meta::new("a.role", "a", "");

    fn found(kind: &str, name: &str, id: &str, spec: Value) -> Found {
        let outputs = Outputs::from([(Output::Id, id.to_owned())]);
        let live =
            Live { id: id.to_owned(), spec, outputs, tags: Tags::new(), phase: Phase::Ready };
        Found { address: Address::new(kind, name), owner: Owner::Ours, live }
    }

    fn weights(all: &[Found]) -> BTreeMap<String, Standing> {
        let kinds = [&CLUSTER, &TABLE, &GROUP, &SUBNET, &TARGETS, &ROLE];
        let kinds = kinds.into_iter().map(|meta| (meta.kind, meta)).collect();
        let mut snapshot = Snapshot::new();
        for found in all {
            snapshot.entry(found.address.clone()).or_default().push(found.clone());
        }
        let owners = Owners::of(&snapshot, &kinds);
        all.iter().map(|found| (found.live.id.clone(), owners.standing(found))).collect()
    }

    #[test]
    fn the_network_of_a_database_outweighs_everything_else() {
        let standings = weights(&[
            found("a.cluster", "main", "cluster-1", json!({ "group": "group-000" })),
            found("a.group", "main", "group-000", json!({ "subnets": ["subnet-10"] })),
            found("a.subnet", "a", "subnet-10", json!({ "vpc": "vpc-00001" })),
            found("a.subnet", "a", "subnet-20", json!({ "vpc": "vpc-00002" })),
            found("a.targets", "web", "targets-1", json!({ "vpc": "vpc-00002" })),
            found("a.vpc", "main", "vpc-00001", json!({})),
            found("a.vpc", "main", "vpc-00002", json!({})),
            found("a.vpc", "main", "vpc-00003", json!({})),
        ]);
        assert_eq!(standings["group-000"].weight, Weight::FixedData);
        assert_eq!(standings["subnet-10"].weight, Weight::LooseData);
        assert_eq!(standings["vpc-00001"].weight, Weight::LooseData);
        assert_eq!(standings["vpc-00002"].weight, Weight::Fixed);
        assert_eq!(standings["vpc-00003"], Standing::default());
        assert!(standings["vpc-00001"].weight > standings["vpc-00002"].weight);
    }

    #[test]
    fn a_fixed_key_outweighs_a_replaceable_one() {
        let standings = weights(&[
            found("a.cluster", "main", "cluster-1", json!({ "key": "key-000001" })),
            found("a.table", "one", "table-001", json!({ "key": "key-000002" })),
            found("a.role", "app", "role-0001", json!({ "policy": ["key-000003"] })),
            found("a.key", "main", "key-000001", json!({})),
            found("a.key", "main", "key-000002", json!({})),
            found("a.key", "main", "key-000003", json!({})),
        ]);
        assert_eq!(standings["key-000001"].weight, Weight::FixedData);
        assert_eq!(standings["key-000002"].weight, Weight::LooseData);
        let named = Standing { weight: Weight::Loose, is_used: true, holds_data: false };
        assert_eq!(standings["key-000003"], named, "a policy that names a key holds no data");
        assert!(standings["key-000002"].holds_data);
    }

    #[test]
    fn a_name_shared_by_two_kinds_is_not_a_reference() {
        let group = found("a.group", "web", "web-servers", json!({ "name": "web-servers" }));
        let role = found("a.role", "web", "web-servers", json!({ "name": "web-servers" }));
        let user = found("a.subnet", "a", "subnet-10", json!({ "vpc": "web-servers" }));
        let mut snapshot = Snapshot::new();
        for found in [&group, &role, &user] {
            snapshot.insert(found.address.clone(), vec![found.clone()]);
        }
        let owners = Owners::of(&snapshot, &BTreeMap::new());
        let uses = |found: &Found| owners.used_by(&found.address, &found.live);
        assert_eq!(uses(&group), BTreeSet::new());
        assert_eq!(uses(&role), BTreeSet::new());
        assert_eq!(uses(&user), BTreeSet::from([role.address.clone()]), "one of the two");
    }

    #[test]
    fn objects_that_only_use_each_other_have_no_weight() {
        let standings = weights(&[
            found("a.subnet", "a", "subnet-10", json!({ "vpc": "vpc-00001" })),
            found("a.subnet", "a", "subnet-20", json!({ "vpc": "vpc-00002" })),
            found("a.vpc", "main", "vpc-00001", json!({})),
            found("a.vpc", "main", "vpc-00002", json!({})),
        ]);
        assert_eq!(standings["vpc-00001"].weight, Weight::None);
        assert!(standings["vpc-00002"].is_used);
    }
}
