//! Objects that cannot become what is wanted in place: replaced, refused, or only noted.

use std::collections::BTreeMap;

use super::Planner;
use crate::diff::FieldChange;
use crate::model::address::Address;
use crate::model::desired::Desired;
use crate::model::live::{Live, Phase};
use crate::model::meta::{Meta, Replace};
use crate::model::scope::TAG_PROTECT;
use crate::plan::{Action, Change, Note, Plan};

/// What has to be replaced, deleting first: what it uses, and why.
pub(super) type Forced = BTreeMap<Address, (Address, String)>;

/// Why the user of something that goes is replaced.
pub(super) fn reason_of_user(plan: &Plan, used: &Address) -> String {
    let is_new = |change: &Change| change.address == *used && change.action == Action::Replace;
    let fate = if plan.changes.iter().any(is_new) { "replaced" } else { "deleted" };
    format!("its {} {} is {fate}", used.thing(), used.name)
}

/// Why a live object cannot become what is wanted, if it cannot; and the replaced object that is the
/// reason, if one is.
pub(super) fn reason_to_replace(
    meta: &Meta,
    live: &Live,
    fields: &[FieldChange],
    forced: Option<&(Address, String)>,
    lost_with: Option<Address>,
) -> Option<(String, Option<Address>)> {
    let paths = fields.iter().map(|field| field.path.as_str());
    let fixed: Vec<&str> = paths.filter(|path| meta.is_immutable(path)).collect();
    match (&live.phase, lost_with) {
        (Phase::Failed(reason), _) => Some((format!("it failed: {reason}"), None)),
        (_, Some(whole)) if !fixed.is_empty() => {
            let why = format!("it is lost with its {} {}", whole.thing(), whole.name);
            Some((format!("{why}, which is replaced"), Some(whole)))
        }
        _ if !fixed.is_empty() => {
            Some((format!("AWS cannot change {} in place", fixed.join(", ")), None))
        }
        _ => forced.map(|(used, why)| (why.clone(), Some(used.clone()))),
    }
}

impl Planner<'_> {
    /// Plans a new object in the place of one that cannot become what is wanted. Returns whether it may be
    /// replaced.
    pub(super) fn replace(
        &mut self,
        want: &Desired,
        meta: &Meta,
        live: &Live,
        fields: Vec<FieldChange>,
        because: String,
        cause: Option<Address>,
    ) -> bool {
        if let (Replace::Forbidden, Some(data)) = (meta.replace, meta.data) {
            self.refuse(
                want,
                format!("{because}, and a replacement would lose {data}"),
                "undo the change, or add a resource with another name, move the data to it and \
                 remove this one"
                    .to_owned(),
            );
            return false;
        }
        let mut change =
            self.change(want, Action::Replace, Some(live.clone()), fields, Some(because));
        let failed = matches!(live.phase, Phase::Failed(_));
        let forced = self.forced.contains_key(&want.address);
        change.create_first = meta.replace == Replace::CreateFirst && !failed && !forced;
        change.follows = cause;
        change.irreversible = meta.data.map(str::to_owned);
        change.regain = meta.regain.and_then(|regain| regain(&live.spec));
        self.plan.changes.push(change);
        true
    }

    /// Plans to take the protection off a live object, and nothing else: whatever else is wanted of it
    /// waits, so that nobody lifts the protection and goes on in one stroke.
    pub(super) fn unprotect(
        &mut self,
        want: &Desired,
        meta: &Meta,
        live: &Live,
        fields: Vec<FieldChange>,
    ) {
        let (mark, later): (Vec<FieldChange>, Vec<FieldChange>) =
            fields.into_iter().partition(|field| field.path == format!("tags.{TAG_PROTECT}"));
        let later: Vec<&str> = later.iter().map(|field| field.path.as_str()).collect();
        let because = (!later.is_empty()).then(|| {
            format!(
                "this apply only removes the protection; the next one changes {}",
                later.join(", ")
            )
        });
        self.keep_outputs(meta, &want.address, live, &mark);
        let mut tags = live.tags.clone();
        tags.remove(TAG_PROTECT);
        let want = Desired { spec: live.spec.clone(), tags, ..want.clone() };
        let change = self.change(&want, Action::Update, Some(live.clone()), mark, because);
        self.plan.changes.push(change);
    }

    /// Notes that an existing object is not made again from another source.
    pub(super) fn note_source(&mut self, want: &Desired, meta: &Meta, live: &Live) {
        let Some(field) = meta.made_from.filter(|_| meta.source(&want.spec).is_some()) else {
            return;
        };
        if meta.is_made_from(&want.spec, &live.spec) {
            return;
        }
        self.plan.notes.push(Note {
            address: want.address.clone(),
            origin: want.origin.clone(),
            text: format!(
                "`{field}` is set, but {} exists already: nothing is restored into it",
                want.name
            ),
            hint: format!(
                "to restore a copy, add a resource with another name and `{field}`; if you do not \
                 need that, remove `{field}` here"
            ),
        });
    }

    /// Notes what somebody else does with an object.
    pub(super) fn note_under_way(&mut self, want: &Desired, meta: &Meta, live: &Live) {
        let Some((text, hint)) = meta.under_way.and_then(|said| said(&want.spec, &live.spec))
        else {
            return;
        };
        let (address, origin) = (want.address.clone(), want.origin.clone());
        self.plan.notes.push(Note { address, origin, text, hint });
    }
}
