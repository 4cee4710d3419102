//! The one comparison between what is wanted and what is live.
//!
//! It walks the wanted value. A top-level field that is missing there is unmanaged, one that is
//! `null` must be absent; below the top level the comparison is exact in both directions. Equality
//! lives in types: both sides are in the kind's canonical form.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::live::Tags;
use crate::model::meta::{Meta, is_reached};
use crate::model::scope::{TAG_BORROWS, TAG_DISPOSABLE, TAG_KEYS, TAG_PROTECT};
use crate::model::text::each_ref;

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Dotted path; tags are `tags.<key>`.
    pub path: String,
    /// The live value.
    pub before: Option<Value>,
    /// The wanted value.
    pub after: Option<Value>,
    /// Whether the wanted value holds references that are known only after apply.
    pub unknown: bool,
}

/// What differs between a wanted and a live spec.
pub fn diff(meta: &Meta, want: &Value, live: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    let empty = Map::new();
    let moved = meta.moved.and_then(|moved| moved(want, live));
    let want = moved.as_ref().unwrap_or(want);
    let (want, live) = (want.as_object().unwrap_or(&empty), live.as_object().unwrap_or(&empty));
    for (field, value) in want {
        let version = |value: Option<&'_ Value>| value.and_then(Value::as_str).map(str::to_owned);
        let versions = version(Some(value)).zip(version(live.get(field)));
        let is_raised = meta.floating_versions.contains(&field.as_str())
            && versions.is_some_and(|(want, live)| is_reached(&want, &live));
        if !is_raised && !meta.create_only.contains(&field.as_str()) {
            let whole = with_aws_defaults(meta, field, value, live);
            compare(field, Some(value), whole.as_ref().or(live.get(field)), &mut changes);
        }
    }
    changes
}

/// A live map with the entries that AWS gave it, as far as these are wanted.
fn with_aws_defaults(
    meta: &Meta,
    field: &str,
    want: &Value,
    live: &Map<String, Value>,
) -> Option<Value> {
    let (_, from) = meta.aws_defaults.iter().find(|(to, _)| *to == field)?;
    let given = live.get(*from)?.as_object()?;
    let mut whole = live.get(field)?.as_object()?.clone();
    for (key, value) in given {
        if want.get(key) == Some(value) {
            whole.entry(key).or_insert_with(|| value.clone());
        }
    }
    Some(Value::Object(whole))
}

/// What differs between wanted and live tags. Tags that others put there are left alone; a key
/// that payctl kept before (`payctl:tags` says which) and that is no longer wanted goes, and so do
/// protection and disposability.
pub fn diff_tags(want: &Tags, live: &Tags) -> Vec<FieldChange> {
    let change = |key: &str, before: Option<&String>, after: Option<&String>| FieldChange {
        path: format!("tags.{key}"),
        before: before.map(|text| Value::from(text.as_str())),
        after: after.map(|text| Value::from(text.as_str())),
        unknown: false,
    };
    let wanted = want
        .iter()
        .filter(|(key, value)| live.get(*key) != Some(value))
        .map(|(key, value)| change(key, live.get(key), Some(value)));
    let kept = live.get(TAG_KEYS).map(String::as_str).unwrap_or_default();
    let dropped = kept
        .split(' ')
        .chain([TAG_PROTECT, TAG_DISPOSABLE, TAG_BORROWS])
        .filter(|key| !want.contains_key(*key))
        .filter_map(|key| live.get(key).map(|value| change(key, Some(value), None)));
    wanted.chain(dropped).collect()
}

fn present(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| !value.is_null())
}

fn is_unknown(value: &Value) -> bool {
    let mut unknown = false;
    each_ref(value, &mut |_| unknown = true);
    unknown
}

fn is_text(map: &Map<String, Value>) -> bool {
    map.contains_key("$text")
}

fn compare(path: &str, want: Option<&Value>, live: Option<&Value>, out: &mut Vec<FieldChange>) {
    match (present(want), present(live)) {
        (None, None) => {}
        (Some(want), Some(live)) if want == live => {}
        (Some(Value::Object(want)), Some(Value::Object(live)))
            if !is_text(want) && !is_text(live) =>
        {
            let more = live.keys().filter(|key| !want.contains_key(*key));
            for key in want.keys().chain(more) {
                compare(&format!("{path}.{key}"), want.get(key), live.get(key), out);
            }
        }
        (want, live) => out.push(FieldChange {
            path: path.to_owned(),
            before: live.cloned(),
            after: want.cloned(),
            unknown: want.is_some_and(is_unknown),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const META: Meta = Meta { create_only: &["seed"], ..Meta::new("a.b", "a", "") };

    fn paths(want: Value, live: Value) -> Vec<String> {
        diff(&META, &want, &live).into_iter().map(|change| change.path).collect()
    }

    #[test]
    fn a_missing_field_is_unmanaged_and_null_means_absent() {
        assert!(paths(json!({}), json!({ "size": 1 })).is_empty());
        assert_eq!(paths(json!({ "size": null }), json!({ "size": 1 })), ["size"]);
        assert!(paths(json!({ "size": null }), json!({})).is_empty());
        assert!(paths(json!({ "seed": 1 }), json!({ "seed": 2 })).is_empty());
    }

    #[test]
    fn a_version_raised_by_aws_is_not_a_difference() {
        let meta = Meta { floating_versions: &["version"], ..META };
        let differs = |want: &str, live: &str| {
            !diff(&meta, &json!({ "version": want }), &json!({ "version": live })).is_empty()
        };
        for live in ["15.8", "15.10", "16.1", "15.8.1"] {
            assert!(!differs("15.8", live), "{live}");
        }
        assert!(!differs("15", "15.8"));
        for live in ["15.7", "14.22", "unknown"] {
            assert!(differs("15.8", live), "{live}");
        }
    }

    #[test]
    fn what_another_command_moves_is_not_a_difference() {
        let moved = |want: &Value, live: &Value| {
            want.get("shift")?;
            Some(json!({ "weights": live["weights"], "groups": want["groups"] }))
        };
        let meta = Meta { moved: Some(moved), ..META };
        let live = json!({ "weights": [75, 25], "groups": 2 });
        let paths = |want: Value| {
            let changes = diff(&meta, &want, &live);
            changes.into_iter().map(|change| change.path).collect::<Vec<_>>()
        };
        let want = json!({ "weights": [100, 0], "groups": 3 });
        assert_eq!(paths(want.clone()), ["groups", "weights"]);
        let mut shifted = want;
        shifted["shift"] = json!("payment");
        assert_eq!(paths(shifted), ["groups"]);
    }

    #[test]
    fn an_entry_at_its_aws_default_is_not_a_difference() {
        let meta = Meta { aws_defaults: &[("set", "defaults")], ..META };
        let paths = |want: Value| {
            let live = json!({ "set": { "a": "1" }, "defaults": { "b": "2", "c": "3" } });
            let changes = diff(&meta, &json!({ "set": want }), &live);
            changes.into_iter().map(|change| change.path).collect::<Vec<_>>()
        };
        assert!(paths(json!({ "a": "1", "b": "2" })).is_empty());
        assert_eq!(paths(json!({ "b": "5" })), ["set.b", "set.a"]);
    }

    #[test]
    fn nested_fields_are_compared_in_both_directions() {
        let live = json!({ "rules": { "a": { "days": 1 }, "b": {} } });
        assert_eq!(
            paths(json!({ "rules": { "a": { "days": 2 } } }), live),
            ["rules.a.days", "rules.b"]
        );
    }

    #[test]
    fn an_unresolved_reference_is_a_change() {
        let text = json!({ "$text": [{ "to": "a.b/c", "output": "id" }] });
        let changes = diff(&META, &json!({ "vpc": text }), &json!({ "vpc": "vpc-1" }));
        assert!(changes[0].unknown);
    }

    #[test]
    fn foreign_tags_stay_and_dropped_own_tags_go() {
        let tags = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Tags>()
        };
        let live = tags(&[("Team", "a"), ("Cost", "1"), ("theirs", "x"), (TAG_KEYS, "Cost Team")]);
        let want = tags(&[("Team", "b"), (TAG_KEYS, "Team")]);
        let paths: Vec<_> = diff_tags(&want, &live).into_iter().map(|c| c.path).collect();
        assert_eq!(paths, ["tags.Team", "tags.payctl:tags", "tags.Cost"]);
        let live = tags(&[(TAG_PROTECT, "true")]);
        assert_eq!(diff_tags(&live, &live), []);
        assert_eq!(diff_tags(&tags(&[]), &live)[0].path, "tags.payctl:protect");
    }
}
