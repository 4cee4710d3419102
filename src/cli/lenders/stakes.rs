//! What others lose by a change in place of something lent.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::blueprint::loans::serving;
use payctl_engine::diff::FieldChange;
use payctl_engine::plan::Change;

/// What is at stake in a change.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stakes<'a> {
    /// Whether it takes an entry away.
    pub(super) removes: bool,
    /// The ids by which the objects of others name what changes.
    pub(super) ids: BTreeSet<&'a str>,
}

impl<'a> Stakes<'a> {
    /// None if the change has no live object.
    pub(super) fn of(change: &'a Change) -> Option<Self> {
        let live = change.live.as_ref()?;
        let (entries, whom) = serving(&change.address.kind);
        let is_entry = |field: &&FieldChange| {
            let root = field.path.split('.').next().unwrap_or_default();
            entries.contains(&root)
        };
        let mut removed = Vec::new();
        for field in change.fields.iter().filter(is_entry) {
            take_away(field, &mut removed);
        }
        let mut ids = BTreeSet::from([live.id.as_str()]);
        ids.extend(live.outputs.values().map(String::as_str));
        // Members of the group of a rule, and of the groups that it admits; what stands in the subnets of a route.
        removed.iter().for_each(|value| texts(value, &mut ids));
        let parts = whom.iter().filter_map(|field| live.spec.get(*field));
        parts.for_each(|value| texts(value, &mut ids));
        ids.retain(|id| is_id(id));
        Some(Self { removes: !removed.is_empty(), ids })
    }
}

/// The entries of a field that are not wanted any more. Another description takes nothing away.
fn take_away<'a>(field: &'a FieldChange, removed: &mut Vec<&'a Value>) {
    let Some(before) = &field.before else { return };
    match (before, &field.after) {
        (Value::Array(before), Some(Value::Array(after))) => {
            let after: Vec<Value> = after.iter().map(bare).collect();
            removed.extend(before.iter().filter(|entry| !after.contains(&bare(entry))));
        }
        (_, None) => removed.push(before),
        (_, Some(_)) => {}
    }
}

fn bare(entry: &Value) -> Value {
    let Value::Object(fields) = entry else { return entry.clone() };
    let fields = fields.iter().filter(|(key, _)| *key != "description");
    Value::Object(fields.map(|(key, value)| (key.clone(), value.clone())).collect::<Map<_, _>>())
}

fn texts<'a>(value: &'a Value, all: &mut BTreeSet<&'a str>) {
    match value {
        Value::String(text) => drop(all.insert(text)),
        Value::Array(items) => items.iter().for_each(|item| texts(item, all)),
        Value::Object(fields) => fields.values().for_each(|value| texts(value, all)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether a text names one object and nothing else: an id, an ARN, or the name of a host.
fn is_id(text: &str) -> bool {
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    text.len() >= 8 && text.contains('-') && has_digit && !text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use payctl_engine::model::address::Address;
    use payctl_engine::model::live::{Live, Phase, Tags};
    use payctl_engine::model::text::Outputs;
    use payctl_engine::plan::Action;
    use serde_json::json;

    use super::*;

    fn change(kind: &str, spec: Value, path: &str, before: Value, after: Option<Value>) -> Change {
        let live = Live {
            id: "listener-1".into(),
            outputs: Outputs::new(),
            spec,
            tags: Tags::new(),
            phase: Phase::Ready,
        };
        let field = FieldChange { path: path.into(), before: Some(before), after, unknown: false };
        let change = Change::new(Address::new(kind, "one"), Action::Update);
        Change { live: Some(live), fields: vec![field], ..change }
    }

    fn rule(description: &str, group: &str) -> Value {
        json!({ "direction": "ingress", "protocol": "tcp", "from_port": 5432, "to_port": 5432,
                "peer": { "group": group }, "description": description })
    }

    #[test]
    fn a_rule_that_goes_puts_its_group_and_the_group_that_it_admits_at_stake() {
        let spec = json!({ "group": "sg-00000001" });
        let (one, two) = (rule("One", "sg-00000002"), rule("Two", "sg-00000003"));
        let both = json!([one, two]);
        let left = Some(json!([two]));
        let removal = change("ec2.security_group_rules", spec.clone(), "rules", both, left);
        let stakes = Stakes::of(&removal).expect("it is live");
        assert!(stakes.removes);
        assert_eq!(stakes.ids, BTreeSet::from(["listener-1", "sg-00000001", "sg-00000002"]));
        let same = json!([rule("Another text", "sg-00000002")]);
        let added = json!([rule("Another text", "sg-00000002"), two]);
        for (before, after) in [(json!([one]), same), (json!([one]), added)] {
            let kept =
                change("ec2.security_group_rules", spec.clone(), "rules", before, Some(after));
            assert!(!Stakes::of(&kept).expect("it is live").removes);
        }
    }

    #[test]
    fn a_route_that_goes_puts_the_subnets_of_its_table_at_stake() {
        let spec = json!({ "subnets": ["subnet-0001"], "vpc": "vpc-00000001" });
        let path = "routes.0.0.0.0/0.nat_gateway";
        let removal = change("ec2.route_table", spec, path, json!("nat-00000001"), None);
        let stakes = Stakes::of(&removal).expect("it is live");
        assert!(stakes.removes && stakes.ids.contains("subnet-0001"), "{stakes:?}");
    }

    #[test]
    fn a_certificate_that_goes_is_taken_away_and_another_port_is_not() {
        let certificate = json!("arn:aws:acm:us-east-1:123456789012:certificate/1");
        let removal = change("elb.listener", json!({}), "certificate", certificate, None);
        assert!(Stakes::of(&removal).expect("it is live").removes);
        let moved = change("elb.listener", json!({}), "port", json!(80), Some(json!(81)));
        let stakes = Stakes::of(&moved).expect("it is live");
        assert_eq!(stakes, Stakes { removes: false, ids: BTreeSet::from(["listener-1"]) });
    }
}
