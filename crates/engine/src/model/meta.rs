//! What the engine and the docs know about a kind without knowing the kind.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::drawn::Drawn;
use super::naming::NameRule;
use super::permit::Permit;
use super::scope::Scope;
use super::size::SizeLimit;
use super::text::{Output, Outputs};
use super::verdict::Asked;

/// The time that stands for "as late as possible".
pub const LATEST: &str = "latest";

/// A sentence without a period, and what to do about it.
pub type Remark = (String, String);

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
    /// How a drawing of the architecture shows it.
    pub drawn: Drawn,
    /// What AWS demands of its names, if it has names of its own.
    pub names: Option<NameRule>,
    /// Whether several may have the same name, because it is named after what it joins.
    pub may_share_name: bool,
    /// Its ARN after the partition, where that follows from the name: `sqs:{here}:{name}`, with what
    /// [`Scope::filled`] fills in.
    pub arn: Option<&'static str>,
    /// The outputs that follow from its name, the account and the region: (output, text), so that a plan
    /// knows them before the object exists. [`Scope::filled`] fills the text in; `{name}` is the
    /// physical name, `{arn}` the ARN of `arn`, `{.field}` a text of the spec, and `{.field/}` what stands
    /// there after the last slash.
    pub predicted: &'static [(Output, &'static str)],
    /// Whether AWS takes a new object with the name of a deleted one for another one: policies that
    /// name the deleted one do not mean the new one. Then a replacement changes all that name it.
    pub new_identity: bool,
    /// The top-level fields that name what it is a part of. If AWS deletes that, this is lost with it.
    pub part_of: &'static [&'static str],
    /// The top-level fields that a reviewer asks about first, for a plan in short. None: the plainest.
    pub asked: &'static [&'static str],
    /// How long AWS typically takes to create, change and delete one.
    pub typical: Typical,
    /// Whether traffic of the environment passes through it or needs it: without it there is an outage.
    pub serves: bool,
    /// The top-level fields whose change in place traffic notices.
    pub felt: &'static [(&'static str, Traffic)],
    /// The types of its objects in ARNs, as the index of tags lists them: `ec2:vpc`. Empty if the index
    /// does not know them.
    pub types: &'static [&'static str],
    /// The types of what stays on purpose after a deletion and carries the same tags, such as a final
    /// snapshot: a receipt does not count it as left.
    pub kept_types: &'static [&'static str],
    /// How large parts of its spec may be.
    pub sizes: &'static [SizeLimit],
    /// Dotted paths in the spec that AWS cannot change in place.
    pub immutable: &'static [&'static str],
    /// Top-level fields that matter only at creation and cannot be read back: they are never compared.
    pub create_only: &'static [&'static str],
    /// The top-level field that names the source of an object, such as a backup. An object without tags
    /// is taken over only if its source is the wanted one. An object that existed before is not made
    /// again from another source, and a plan says so.
    pub made_from: Option<&'static str>,
    /// What can still be recovered of a deleted object, from its live spec; a sentence without a period.
    pub regain: Option<fn(&Value) -> Option<String>>,
    /// Top-level version fields that AWS raises by itself. A live version counts as wanted if it is the
    /// wanted one or a later one, since no version can be lowered.
    pub floating_versions: &'static [&'static str],
    /// Top-level maps whose entries AWS does not tell from its own defaults once the values are equal.
    /// Each comes with the field of a live spec that lists the defaults: a wanted entry with the value of
    /// its default counts as set.
    pub aws_defaults: &'static [(&'static str, &'static str)],
    /// The top-level field that holds AWS's reason if a change failed after AWS had accepted it. The wanted
    /// value is always null, so that a later run sends the change again. A reason that appears after an
    /// update ends the step.
    pub failure_field: Option<&'static str>,
    /// What to do if AWS accepts a change of a top-level field and does not carry it out, where that
    /// is not a mistake of the kind: (field, hint).
    pub unsettled: &'static [(&'static str, &'static str)],
    /// Top-level fields that only report a status. A difference between plan and apply there does not stop
    /// a step.
    pub status_fields: &'static [&'static str],
    /// What somebody else does with an object that payctl leaves to them, from its wanted and its live
    /// spec. A plan says so.
    pub under_way: Option<fn(&Value, &Value) -> Option<Remark>>,
    /// The spec that counts as wanted for a live object of which an apply leaves a part to others, such as
    /// weights, from its wanted and its live spec. `None` if it leaves nothing.
    pub moved: Option<fn(&Value, &Value) -> Option<Value>>,
    /// Outputs that get a new value when a field changes: (top-level field, output).
    pub changed_outputs: &'static [(&'static str, Output)],
    /// How a change of an immutable field is carried out.
    pub replace: Replace,
    /// Whether a second create makes a second object although one of ours exists: nothing in the call is
    /// unique, or only within a parent of which there may be two.
    pub can_duplicate: bool,
    /// Whether AWS refuses to delete it while others use it. Its users must then stop using it or be
    /// deleted first, if need be by being replaced as well.
    pub use_blocks_delete: bool,
    /// The kinds with `use_blocks_delete` that AWS deletes although objects of this kind use them.
    pub does_not_block: &'static [&'static str],
    /// Kinds whose deleted objects should be gone before it is deleted, although none refers to it.
    pub delete_after: &'static [&'static str],
    /// What is lost for good when the object is deleted, if anything.
    pub data: Option<&'static str>,
    /// The top-level field that switches AWS's deletion protection on. In a protected environment payctl
    /// does not switch it off to delete the object.
    pub protection_field: Option<&'static str>,
    /// Whether AWS keeps tags on it. Untagged kinds are owned through a parent or by name.
    pub tagged: bool,
    /// Whether it can be updated while AWS is still working on it: the update may repair what keeps it
    /// pending.
    pub updatable_while_pending: bool,
    /// Whether AWS's answer to its creation says everything: it is there and ready, as it was sent, with the
    /// outputs of `predicted` and no others. Then no read follows a creation of which the answer came.
    pub told: bool,
    /// Whether AWS has deleted it once it answers a deletion. Then no read follows, unless another one is to
    /// take its place.
    pub gone_at_once: bool,
    /// Whether AWS may list a deleted object for days: the deletion counts as done once AWS accepted it.
    pub listed_after_delete: bool,
    /// How long AWS may take until the object is ready, changed or gone.
    pub deadline: Duration,
    /// How long a new object that it refers to may stay invisible to its service.
    pub propagation: Duration,
    /// How long reads may still show the old value after a change.
    pub read_lag: Duration,
    /// How many reads in a row must show the wanted state, or nothing after a deletion, before payctl
    /// believes them: some services give old and new answers in turn for a while.
    pub agreeing_reads: u32,
    /// Error codes, with a fragment of the message or "", that pass by themselves while other objects
    /// become visible to this service.
    pub transient: &'static [(&'static str, &'static str)],
    /// What a check asks beyond that it exists and is ready.
    pub check: Option<Asked>,
    /// Whether AWS charges for it, for `explain` and the docs.
    pub pricing: Pricing,
    /// The permissions that its calls need, for policies, `explain` and the docs.
    pub permits: &'static [Permit],
}

/// How long AWS typically takes, in seconds, and how many calls payctl makes. These are rough: AWS promises
/// nothing, and calls that are made at the same moment travel together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Typical {
    /// Until a new object is ready.
    pub create: u32,
    /// Until a change is in force.
    pub change: u32,
    /// Until an object is gone.
    pub delete: u32,
    /// How much longer something of it stays that keeps others from being deleted: network interfaces.
    pub lingers: u32,
    /// Fields, and how long a step takes at least that sets them. One of `META.status_fields` counts
    /// whenever it is wanted, because payctl waits for it.
    pub slow: &'static [(&'static str, u32)],
    /// How many calls a step makes, as a rule: one that creates, changes, deletes.
    pub calls: [u32; 3],
}

impl Typical {
    /// To create, to change, to delete.
    pub const fn seconds(create: u32, change: u32, delete: u32) -> Self {
        Self { create, change, delete, lingers: 0, slow: &[], calls: [3, 5, 2] }
    }

    /// The same with the calls that are made to create, to change, to delete.
    pub const fn calls(self, create: u32, change: u32, delete: u32) -> Self {
        Self { calls: [create, change, delete], ..self }
    }

    /// The same of an object of which something stays after its deletion.
    pub const fn lingering(self, lingers: u32) -> Self {
        Self { lingers, ..self }
    }

    /// The same of an object with fields that take longer.
    pub const fn slow(self, slow: &'static [(&'static str, u32)]) -> Self {
        Self { slow, ..self }
    }
}

/// What traffic notices of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Traffic {
    /// Nothing.
    Nothing,
    /// New connections are treated differently, or have to be made anew.
    NewConnections,
    /// Calls fail while the change lasts.
    Outage,
}

/// Whether AWS charges for a kind; sentences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pricing {
    /// Nobody has said it yet: a test refuses such a kind.
    Unsaid,
    /// AWS charges nothing for it, or another kind bears the charge.
    Free(&'static str),
    /// What AWS charges for.
    Charged(&'static str),
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
            drawn: Drawn::USED,
            names: None,
            may_share_name: false,
            arn: None,
            predicted: &[],
            new_identity: false,
            part_of: &[],
            asked: &[],
            typical: Typical::seconds(1, 1, 1),
            serves: false,
            felt: &[],
            types: &[],
            kept_types: &[],
            sizes: &[],
            immutable: &[],
            create_only: &[],
            made_from: None,
            regain: None,
            floating_versions: &[],
            aws_defaults: &[],
            failure_field: None,
            unsettled: &[],
            status_fields: &[],
            under_way: None,
            moved: None,
            changed_outputs: &[],
            replace: Replace::DeleteFirst,
            can_duplicate: false,
            use_blocks_delete: false,
            does_not_block: &[],
            delete_after: &[],
            data: None,
            protection_field: None,
            tagged: true,
            updatable_while_pending: false,
            told: false,
            gone_at_once: false,
            listed_after_delete: false,
            deadline: Duration::from_secs(600),
            propagation: Duration::from_secs(180),
            read_lag: Duration::from_secs(20),
            agreeing_reads: 1,
            transient: &[],
            check: None,
            pricing: Pricing::Unsaid,
            permits: &[],
        }
    }

    /// The IAM actions that its calls need, each once, in order.
    pub fn actions(&self) -> BTreeSet<&'static str> {
        self.permits.iter().flat_map(|permit| permit.actions).copied().collect()
    }

    /// The ARN that follows from a name.
    pub fn arn_of(&self, scope: &Scope, name: &str) -> Option<String> {
        let tail = scope.filled(self.arn?).replace("{name}", name);
        Some(format!("arn:{}:{tail}", scope.partition))
    }

    /// The outputs that follow from a name and a resolved spec.
    pub fn predict(&self, scope: &Scope, name: &str, spec: &Value) -> Outputs {
        let known = |(output, form): &(Output, &str)| {
            let mut text = scope.filled(form).replace("{name}", name);
            if text.contains("{arn}") {
                text = text.replace("{arn}", &self.arn_of(scope, name)?);
            }
            Some((*output, with_fields(&text, spec)?))
        };
        self.predicted.iter().filter_map(known).collect()
    }

    /// Whether those that name a replaced object still mean the new one, under its old name.
    pub fn keeps_identity(&self) -> bool {
        !self.new_identity && !self.use_blocks_delete
    }

    /// Whether an error passes by itself for this kind, although its code alone does not say so. What a
    /// policy denies outright does not.
    pub fn is_transient(&self, code: &str, message: &str) -> bool {
        let listed = |(known, fragment): &(&str, &str)| {
            code.eq_ignore_ascii_case(known) && message.contains(fragment)
        };
        self.transient.iter().any(listed) && !message.contains("explicit deny")
    }

    /// Whether the physical name tells which object it is, whatever the config calls it.
    pub fn goes_by_name(&self) -> bool {
        self.immutable.contains(&"name") && self.tagged
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

/// A text with the fields of a spec in the place of `{.field}` and `{.field/}`, if all are known.
fn with_fields(text: &str, spec: &Value) -> Option<String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{.") {
        let (field, after) = after.split_once('}')?;
        filled += before;
        filled += match field.strip_suffix('/') {
            Some(field) => spec.get(field)?.as_str()?.rsplit('/').next()?,
            None => spec.get(field)?.as_str()?,
        };
        rest = after;
    }
    Some(filled + rest)
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
    fn outputs_are_predicted_as_far_as_they_are_known() {
        let meta = Meta {
            arn: Some("a:{here}:thing/{name}"),
            predicted: &[
                (Output::Arn, "{arn}"),
                (Output::Url, "https://a.{region}.{dns}/{account}/{name}"),
                (Output::Id, "{.group/}/{name}"),
            ],
            ..Meta::new("a.b", "a", "")
        };
        let scope = Scope {
            project: "p".into(),
            env: "dev".into(),
            account: "1".into(),
            region: "r".into(),
            partition: "aws-cn".into(),
        };
        let known = meta.predict(&scope, "n", &json!({ "group": "x/g" }));
        assert_eq!(known[&Output::Arn], "arn:aws-cn:a:r:1:thing/n");
        assert_eq!(known[&Output::Url], "https://a.r.amazonaws.com.cn/1/n");
        assert_eq!(known[&Output::Id], "g/n");
        let unknown = meta.predict(&scope, "n", &json!({ "group": { "$text": [] } }));
        assert_eq!(unknown.keys().copied().collect::<Vec<_>>(), [Output::Arn, Output::Url]);
    }

    #[test]
    fn untagged_objects_are_taken_over_only_with_the_wanted_source() {
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
