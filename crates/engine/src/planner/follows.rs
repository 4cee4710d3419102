//! Which changes are nothing but consequences of another one.
//!
//! A change follows another one if every difference in its fields comes from there: each new value
//! holds an output of a new or changed object, and each old value one of an object that goes or changes.
//! A plan then shows it under its cause. A difference that anything else explains stays a change of its own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::diff::FieldChange;
use crate::model::address::Address;
use crate::model::text::{Output, Outputs, Part, Text, each_ref};
use crate::plan::{Action, Change, Plan};

/// An output that is no longer than this may stand anywhere: it tells nothing.
const TELLING: usize = 6;

/// Fills in `follows` of every change that has another one as its only reason.
pub(super) fn find(plan: &mut Plan, predicted: &BTreeMap<Address, Outputs>) {
    let traces = Traces::of(plan, predicted);
    let mut causes: BTreeMap<Address, Address> = BTreeMap::new();
    for change in &plan.changes {
        let cause = match change.action {
            Action::Update => traces.cause(change),
            Action::Replace if change.follows.is_none() => {
                traces.cause(change).filter(|cause| traces.replaced.contains(cause))
            }
            Action::Create | Action::Replace | Action::Delete => change.follows.clone(),
        };
        causes.extend(cause.map(|cause| (change.address.clone(), cause)));
    }
    for change in &mut plan.changes {
        // Two objects of one address are two changes: the surplus one has its own reason.
        if !matches!(change.action, Action::Update | Action::Replace) {
            continue;
        }
        let cause = causes.get(&change.address).cloned();
        if let (Action::Replace, None, Some(cause)) = (change.action, &change.follows, &cause) {
            change.because = Some(format!("its {} {} is replaced", cause.thing(), cause.name));
        }
        change.follows = cause;
    }
    // Two may name each other; then one of them is the cause.
    let addresses: Vec<Address> = causes.keys().cloned().collect();
    for address in addresses {
        let mut seen = BTreeSet::from([address.clone()]);
        let mut at = &address;
        while let Some(next) = causes.get(at) {
            if !seen.insert(next.clone()) {
                causes.remove(&address);
                let circle = plan.changes.iter_mut().filter(|change| change.address == address);
                circle.for_each(|change| change.follows = None);
                break;
            }
            at = next;
        }
    }
}

/// What tells in a value that it comes from a change.
struct Traces {
    /// The resources whose outputs become known or change.
    new: BTreeSet<Address>,
    /// The outputs of new objects that a plan knows.
    known: Vec<(String, Address)>,
    /// The outputs of objects that go or change.
    old: Vec<(String, Address)>,
    /// All outputs of live objects.
    was: BTreeMap<Address, Outputs>,
    /// The resources that are replaced.
    replaced: BTreeSet<Address>,
}

impl Traces {
    fn of(plan: &Plan, predicted: &BTreeMap<Address, Outputs>) -> Self {
        let of = |actions: &[Action]| -> BTreeSet<Address> {
            let changes = plan.changes.iter().filter(|change| actions.contains(&change.action));
            changes.map(|change| change.address.clone()).collect()
        };
        let telling = |address: &Address, outputs: &Outputs| {
            let telling = outputs
                .iter()
                .filter(|(output, value)| **output != Output::Version && value.len() > TELLING);
            telling.map(|(_, value)| (value.clone(), address.clone())).collect::<Vec<_>>()
        };
        let made = of(&[Action::Create, Action::Replace]);
        let known = predicted.iter().filter(|(address, _)| made.contains(*address));
        let was = plan.changes.iter().filter_map(|change| {
            Some((change.address.clone(), change.live.as_ref()?.outputs.clone()))
        });
        let old = plan.changes.iter().flat_map(|change| {
            let mut gone =
                change.live.as_ref().map(|live| live.outputs.clone()).unwrap_or_default();
            if change.action == Action::Update {
                // What an update does not move stays known.
                let stays = plan.outputs.get(&change.address);
                gone.retain(|output, _| stays.is_none_or(|stays| !stays.contains_key(output)));
            }
            telling(&change.address, &gone)
        });
        Self {
            new: of(&[Action::Create, Action::Replace, Action::Update]),
            known: known.flat_map(|(address, outputs)| telling(address, outputs)).collect(),
            old: old.collect(),
            was: was.collect(),
            replaced: of(&[Action::Replace]),
        }
    }

    /// The one change that explains all differences of another one: the first that it meets, one that
    /// replaces something before the others.
    fn cause(&self, change: &Change) -> Option<Address> {
        let mut met = BTreeSet::new();
        let explained = |field: &FieldChange| {
            let (before, after) = (field.before.as_ref(), field.after.as_ref());
            self.explains(before, after, &mut met)
        };
        let is_tag = |field: &FieldChange| field.path.starts_with("tags");
        if change.fields.is_empty()
            || change.fields.iter().any(is_tag)
            || !change.fields.iter().all(explained)
        {
            return None;
        }
        met.remove(&change.address);
        let replaced = met.iter().find(|address| self.replaced.contains(*address));
        replaced.or(met.iter().next()).cloned()
    }

    fn explains(
        &self,
        before: Option<&Value>,
        after: Option<&Value>,
        met: &mut BTreeSet<Address>,
    ) -> bool {
        let present = |value: Option<&Value>| value.filter(|value| !value.is_null()).cloned();
        match (present(before), present(after)) {
            (before, after) if before == after => true,
            (Some(Value::Array(before)), Some(Value::Array(after))) => {
                let mut pairs = before.iter().zip(&after);
                if before.len() == after.len()
                    && pairs.clone().all(|(before, after)| {
                        self.explains(Some(before), Some(after), &mut BTreeSet::new())
                    })
                {
                    return pairs
                        .all(|(before, after)| self.explains(Some(before), Some(after), met));
                }
                // Of two lists, what only one of them has.
                let lacks = |list: &[Value], item: &&Value| !list.contains(item);
                let gone: Vec<&Value> = before.iter().filter(|it| lacks(&after, it)).collect();
                let come: Vec<&Value> = after.iter().filter(|it| lacks(&before, it)).collect();
                come.iter().all(|value| self.is_new(value, met))
                    && gone.iter().all(|value| self.is_old(value, met))
            }
            (Some(Value::Object(before)), Some(Value::Object(after)))
                if !after.contains_key("$text") =>
            {
                let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
                keys.into_iter().all(|key| self.explains(before.get(key), after.get(key), met))
            }
            (before, after) => {
                before.is_none_or(|value| {
                    self.is_old(&value, met) || self.was_the_same(&value, after.as_ref())
                }) && after.is_none_or(|value| self.is_new(&value, met))
            }
        }
    }

    /// Whether a value comes from something that is new or changes.
    fn is_new(&self, value: &Value, met: &mut BTreeSet<Address>) -> bool {
        let mut found = None;
        each_ref(value, &mut |reference| {
            if self.new.contains(&reference.to) {
                found = Some(reference.to.clone());
            }
        });
        self.note(found.or_else(|| from(&self.known, value)), met)
    }

    /// Whether a value comes from something that goes or changes.
    fn is_old(&self, value: &Value, met: &mut BTreeSet<Address>) -> bool {
        self.note(from(&self.old, value), met)
    }

    /// Whether a new value is nothing but a reference, and the old one is what that led to before.
    fn was_the_same(&self, before: &Value, after: Option<&Value>) -> bool {
        let text = after.and_then(Text::from_value);
        let Some([Part::Ref(reference)]) = text.as_ref().map(Text::parts) else { return false };
        let was = self.was.get(&reference.to).and_then(|was| was.get(&reference.output));
        was.is_some_and(|was| Some(was.as_str()) == before.as_str())
    }

    fn note(&self, found: Option<Address>, met: &mut BTreeSet<Address>) -> bool {
        let is_found = found.is_some();
        met.extend(found);
        is_found
    }
}

/// Whether a text holds an output, and not as the beginning or the end of a longer name.
fn holds(text: &str, output: &str) -> bool {
    let goes_on = |letter: char| letter.is_alphanumeric() || letter == '-' || letter == '_';
    text.match_indices(output).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + output.len()..].chars().next();
        !before.is_some_and(goes_on) && !after.is_some_and(goes_on)
    })
}

/// The resource one of whose outputs stands in a value.
fn from(outputs: &[(String, Address)], value: &Value) -> Option<Address> {
    match value {
        Value::String(text) => {
            let found = outputs.iter().find(|(output, _)| holds(text, output));
            found.map(|(_, address)| address.clone())
        }
        Value::Array(items) => items.iter().find_map(|item| from(outputs, item)),
        Value::Object(map) => map.values().find_map(|value| from(outputs, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::live::{Live, Phase, Tags};

    fn update(address: Address, outputs: Outputs, field: FieldChange) -> Change {
        let live = Live {
            id: address.name.clone(),
            spec: Value::Null,
            outputs,
            tags: Tags::new(),
            phase: Phase::Ready,
        };
        Change { fields: vec![field], live: Some(live), ..Change::new(address, Action::Update) }
    }

    fn field(path: &str, before: Value, after: Value) -> FieldChange {
        FieldChange { path: path.into(), before: Some(before), after: Some(after), unknown: true }
    }

    /// A version is short and may stand anywhere; a reference to it tells where it comes from.
    #[test]
    fn a_change_of_a_version_is_followed_by_what_refers_to_it() {
        let template = Address::new("a.template", "main");
        let version = Outputs::from([(Output::Version, "3".to_owned())]);
        let newest = Text::reference(template.clone(), Output::Version);
        let newest = serde_json::to_value(newest).expect("a text");
        let follows = |before: &str| {
            let image = field("image", json!("old"), json!("new"));
            let user = field("version", json!(before), newest.clone());
            let mut plan = Plan {
                changes: vec![
                    update(template.clone(), version.clone(), image),
                    update(Address::new("a.group", "main"), Outputs::new(), user),
                ],
                ..crate::plan::tests::empty()
            };
            find(&mut plan, &BTreeMap::new());
            plan.changes.into_iter().map(|change| change.follows).collect::<Vec<_>>()
        };
        assert_eq!(follows("3"), [None, Some(template.clone())]);
        // Somebody else chose another version: that is a difference of its own.
        assert_eq!(follows("2"), [None, None]);
    }
}
