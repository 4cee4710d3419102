//! What the engine and the docs know about a kind without knowing the kind.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::permit::Permit;
use super::text::Output;

/// The time that stands for "as late as possible".
pub const LATEST: &str = "latest";

/// The constant facts of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Meta {
    /// The kind, `service.thing`.
    pub kind: &'static str,
    /// The section of the config that makes such objects: a plan shows all of them under it.
    pub section: &'static str,
    /// The service whose limits its calls share, as AWS signs it (`ec2`, `iam`, ...).
    pub service: &'static str,
    /// One sentence for `explain` and the docs.
    pub summary: &'static str,
    /// What AWS does that a user should know; sentences for `explain` and the docs.
    pub notes: &'static [&'static str],
    /// Dotted paths in the spec that AWS cannot change in place.
    pub immutable: &'static [&'static str],
    /// Top-level fields that matter only when the object is made and cannot be read back: never
    /// compared.
    pub create_only: &'static [&'static str],
    /// The top-level field that says what an object was made from, if from anything. One without
    /// tags is taken over only if it was made from what is wanted; that of one that stands since
    /// before means nothing any more, and a plan says so.
    pub made_from: Option<&'static str>,
    /// What can still be got back of a deleted object, from its live spec; a sentence without a period.
    pub regain: Option<fn(&Value) -> Option<String>>,
    /// Top-level version fields that AWS moves ahead by itself: a live version that is the wanted
    /// one or a later one is as wanted, since no version can be taken back.
    pub rises: &'static [&'static str],
    /// Top-level maps whose entries AWS does not tell apart from its own values once they equal those,
    /// each with the field of a live spec that lists AWS's values: a wanted entry that stands there is as
    /// wanted.
    pub given: &'static [(&'static str, &'static str)],
    /// The top-level field in which AWS tells why a change failed that it had accepted: nobody wants
    /// one, so that the change is sent again, and one that follows an update ends the step.
    pub complaint: Option<&'static str>,
    /// Top-level fields that tell what AWS is at: that one differs since the plan means nothing.
    pub observed: &'static [&'static str],
    /// Outputs that get a new value when a field changes: (top-level field, output).
    pub moves: &'static [(&'static str, Output)],
    /// How a change of an immutable field is carried out.
    pub replace: Replace,
    /// Whether a second create can make a second object although one of ours is there, since nothing
    /// in the call is unique, or only within a parent of which there may be two.
    pub doubles: bool,
    /// Whether AWS refuses to delete it while others use it: what uses it then has to let go or go
    /// first, if need be by being replaced as well.
    pub held: bool,
    /// The held kinds that AWS deletes all the same while only objects of this kind use them.
    pub lets_go: &'static [&'static str],
    /// Kinds whose deleted objects should be gone before it goes, although none refers to it.
    pub outlives: &'static [&'static str],
    /// What is lost for good when the object is deleted, if anything.
    pub data: Option<&'static str>,
    /// The top-level field that says whether AWS refuses to delete it. In a protected environment it is
    /// not lifted on the way.
    pub guard: Option<&'static str>,
    /// Whether AWS keeps tags on it. Untagged kinds are owned through a parent or by name.
    pub tagged: bool,
    /// Whether it can be changed while AWS is still at work on it: what keeps AWS from getting ready
    /// may be what the change repairs.
    pub open: bool,
    /// Whether AWS may list a deleted object for days: its deletion counts as done once accepted.
    pub lingers: bool,
    /// How long AWS may take until the object is ready, changed or gone.
    pub deadline: Duration,
    /// How long what was just made may stay invisible to its service.
    pub propagation: Duration,
    /// How long reads may still show the old value after a change.
    pub settle: Duration,
    /// How many reads in a row must show it as wanted, or gone, before that is believed: where old and
    /// new answers come in turn for a while.
    pub steady: u32,
    /// Error codes, with a fragment of the message or "", that pass by themselves while other
    /// objects become visible to this service.
    pub transient: &'static [(&'static str, &'static str)],
    /// The permissions that its calls need, for policies, `explain` and the docs.
    pub permits: &'static [Permit],
}

/// How a change of an immutable field is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replace {
    /// The new object can stand beside the old one.
    CreateFirst,
    /// A name or a slot is taken until the old object is gone.
    DeleteFirst,
    /// It holds data: never replaced by payctl.
    Forbidden,
}

impl Meta {
    /// A kind with the usual values; a kind's own `META` overrides what differs.
    pub const fn new(kind: &'static str, service: &'static str, summary: &'static str) -> Self {
        Self {
            kind,
            section: "",
            service,
            summary,
            notes: &[],
            immutable: &[],
            create_only: &[],
            made_from: None,
            regain: None,
            rises: &[],
            given: &[],
            complaint: None,
            observed: &[],
            moves: &[],
            replace: Replace::DeleteFirst,
            doubles: false,
            held: false,
            lets_go: &[],
            outlives: &[],
            data: None,
            guard: None,
            tagged: true,
            open: false,
            lingers: false,
            deadline: Duration::from_secs(600),
            propagation: Duration::from_secs(180),
            settle: Duration::from_secs(20),
            steady: 1,
            transient: &[],
            permits: &[],
        }
    }

    /// The IAM actions that its calls need, each once, in order.
    pub fn actions(&self) -> BTreeSet<&'static str> {
        self.permits.iter().flat_map(|permit| permit.actions).copied().collect()
    }

    /// Whether an error passes by itself for this kind, although its code alone does not say so. What a
    /// policy denies outright does not.
    pub fn is_transient(&self, code: &str, message: &str) -> bool {
        let listed = |(known, fragment): &(&str, &str)| {
            code.eq_ignore_ascii_case(known) && message.contains(fragment)
        };
        self.transient.iter().any(listed) && !message.contains("explicit deny")
    }

    /// Whether a change at `path` (dotted) forces a replacement.
    pub fn is_immutable(&self, path: &str) -> bool {
        self.immutable.iter().any(|fixed| {
            path == *fixed || path.strip_prefix(fixed).is_some_and(|rest| rest.starts_with('.'))
        })
    }

    /// What an object is to be made from, if from anything.
    pub fn source<'a>(&self, spec: &'a Value) -> Option<&'a Value> {
        self.made_from.and_then(|field| spec.get(field)).filter(|source| !source.is_null())
    }

    /// Whether a live object was made from what is wanted: it tells every part of that, and `latest`
    /// may have been any time.
    pub fn is_made_from(&self, want: &Value, live: &Value) -> bool {
        let sources = (self.source(want), self.source(live));
        let (Some(Value::Object(want)), Some(Value::Object(live))) = sources else { return false };
        let same = |(key, value): (&String, &Value)| {
            live.get(key).is_some_and(|live| live == value || value == LATEST)
        };
        want.len() == live.len() && want.iter().all(same)
    }

    /// Whether an object without tags, under a name that is wanted, may be taken over.
    pub fn takes_over(&self, want: &Value, live: &Value) -> bool {
        self.made_from.is_none() || self.is_made_from(want, live)
    }
}

/// Whether a live version is the wanted one, as precisely as that is given, or a later one.
pub fn is_reached(want: &str, live: &str) -> bool {
    let numbers = |version: &str| -> Option<Vec<u32>> {
        version.split('.').map(|number| number.parse().ok()).collect()
    };
    numbers(want).zip(numbers(live)).is_some_and(|(want, live)| live >= want)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_no_tags_is_taken_over_only_if_it_was_made_from_what_is_wanted() {
        let from = |source: Value| json!({ "name": "t", "restore_from": source });
        let meta = Meta { made_from: Some("restore_from"), ..Meta::new("a.b", "a", "") };
        let at = |at: &str| from(json!({ "table": "orders", "at": at }));
        let (early, late) = (at("2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z"));
        assert!(meta.takes_over(&early, &early) && meta.takes_over(&at(LATEST), &early));
        for (want, live) in [
            (&early, &late),
            (&early, &from(json!({ "backup": "b" }))),
            (&early, &from(Value::Null)),
            (&from(Value::Null), &early),
            (&from(Value::Null), &from(Value::Null)),
        ] {
            assert!(!meta.takes_over(want, live), "{want} {live}");
        }
        // Where nothing is made from anything, having no tags is enough.
        assert!(Meta::new("a.b", "a", "").takes_over(&early, &late));
    }
}
