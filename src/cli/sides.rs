//! An environment before and after a plan, as resources that have a bill.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::aws::costs::{Known, Resources, known, with_references};
use payctl_engine::model::address::Address;
use payctl_engine::plan::{Action, Change, Plan, Purpose};

/// Both sides of a plan.
#[derive(Clone, Debug, Default)]
pub struct Sides {
    /// What the plan found.
    pub before: Resources,
    /// What it leaves.
    pub after: Resources,
    /// What it deletes.
    pub gone: BTreeSet<Address>,
}

impl Sides {
    /// The sides of a plan for a config with these specs.
    pub fn of(plan: &Plan, wanted: &Resources) -> Self {
        // A live object names others by their ids. Load follows references.
        let lives = plan.changes.iter().chain(&plan.beyond);
        let lives = lives.filter_map(|one| Some((&one.address, &one.live.as_ref()?.outputs)));
        let known = known(plan.outputs.iter().chain(lives));
        let mut sides = Self::default();
        for address in &plan.unchanged {
            let Some(spec) = wanted.get(address) else { continue };
            let live = plan.staying.get(address);
            let live = live.map(|live| with_references(&address.kind, live, &known));
            let spec = with_unmanaged(spec, live.as_ref());
            sides.before.insert(address.clone(), spec.clone());
            sides.after.insert(address.clone(), spec);
        }
        for change in &plan.changes {
            sides.add(change, wanted, &known);
        }
        // A destroy leaves nothing, whatever the config describes.
        if plan.purpose == Purpose::Destroy {
            sides.after.clear();
        }
        // What the targets leave out stays as it is live.
        for change in &plan.beyond {
            let Some(spec) = live_of(change, wanted, &known) else { continue };
            sides.before.insert(change.address.clone(), spec.clone());
            sides.after.insert(change.address.clone(), spec);
        }
        sides
    }

    fn add(&mut self, change: &Change, wanted: &Resources, known: &Known) {
        let Change { address, action, live, .. } = change;
        if let (Some(spec), true) = (wanted.get(address), *action != Action::Delete) {
            let kept = live.as_ref().filter(|_| *action == Action::Update);
            let kept = kept.map(|live| with_references(&address.kind, &live.spec, known));
            self.after.insert(address.clone(), with_unmanaged(spec, kept.as_ref()));
        }
        if *action == Action::Delete {
            self.gone.insert(address.clone());
        }
        if let Some(spec) = live_of(change, wanted, known) {
            self.before.insert(address.clone(), spec);
        }
    }
}

/// A wanted spec with the fields of the live object that the config does not manage: they stay.
fn with_unmanaged(wanted: &Value, live: Option<&Value>) -> Value {
    let mut spec = wanted.clone();
    let fields = live.and_then(Value::as_object).into_iter().flatten();
    if let Some(spec) = spec.as_object_mut() {
        for (field, value) in fields {
            spec.entry(field).or_insert_with(|| value.clone());
        }
    }
    spec
}

/// The spec of the live object of a change: its own, and for what does not differ that of the config, because a
/// read does not tell everything. What goes is compared with nothing.
fn live_of(change: &Change, wanted: &Resources, known: &Known) -> Option<Value> {
    let live = &change.live.as_ref()?.spec;
    let mut spec = with_references(&change.address.kind, live, known);
    if change.action == Action::Delete {
        return Some(spec);
    }
    let top = |path: &'_ str| path.split('.').next().unwrap_or_default().to_owned();
    let differ: BTreeSet<String> = change.fields.iter().map(|field| top(&field.path)).collect();
    let fields = wanted.get(&change.address).and_then(Value::as_object).into_iter().flatten();
    if let Some(spec) = spec.as_object_mut() {
        for (field, value) in fields.filter(|(field, _)| !differ.contains(*field)) {
            spec.insert(field.clone(), value.clone());
        }
    }
    Some(spec)
}

#[cfg(test)]
mod tests {
    use payctl_engine::diff::FieldChange;
    use payctl_engine::model::live::{Live, Phase, Tags};
    use payctl_engine::model::text::Outputs;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_goes_is_as_it_is_live() {
        let wanted =
            Resources::from([(Address::new("a.b", "c"), json!({ "class": 2, "units": 8 }))]);
        let gone = Change { action: Action::Delete, ..change(json!({ "class": 1 }), &[]) };
        assert_eq!(live_of(&gone, &wanted, &Known::new()), Some(json!({ "class": 1 })));
    }

    fn change(live: Value, differ: &[&str]) -> Change {
        let field = |path: &&str| FieldChange {
            path: (*path).to_owned(),
            before: None,
            after: None,
            unknown: false,
        };
        Change {
            address: Address::new("a.b", "c"),
            action: Action::Update,
            name: String::new(),
            component: String::new(),
            origin: String::new(),
            fields: differ.iter().map(field).collect(),
            because: None,
            follows: None,
            irreversible: None,
            regain: None,
            create_first: false,
            want: None,
            live: Some(Live {
                id: "id".into(),
                spec: live,
                outputs: Outputs::new(),
                tags: Tags::new(),
                phase: Phase::Ready,
            }),
            needs: BTreeSet::new(),
            uses: BTreeSet::new(),
            delete_after: BTreeSet::new(),
        }
    }

    fn live_beside(wanted: Value, live: Value, differ: &[&str]) -> Value {
        let wanted = Resources::from([(Address::new("a.b", "c"), wanted)]);
        live_of(&change(live, differ), &wanted, &Known::new()).expect("a spec")
    }

    #[test]
    fn the_live_side_keeps_what_the_config_no_longer_has() {
        let side =
            live_beside(json!({ "class": 2 }), json!({ "class": 1, "units": 8 }), &["class"]);
        assert_eq!(side, json!({ "class": 1, "units": 8 }));
    }

    #[test]
    fn the_live_side_lacks_what_the_config_adds() {
        let side =
            live_beside(json!({ "class": 2, "units": 8 }), json!({ "class": 2 }), &["units"]);
        assert_eq!(side, json!({ "class": 2 }));
    }

    #[test]
    fn what_no_read_tells_is_that_of_the_config() {
        let side = live_beside(json!({ "seed": 7, "tags": {} }), json!({}), &["tags.Team"]);
        assert_eq!(side, json!({ "seed": 7 }));
    }

    #[test]
    fn what_the_config_does_not_manage_stays() {
        let after =
            with_unmanaged(&json!({ "class": 2 }), Some(&json!({ "class": 1, "units": 8 })));
        assert_eq!(after, json!({ "class": 2, "units": 8 }));
    }
}
