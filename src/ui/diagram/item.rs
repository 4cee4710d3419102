//! A resource as the drawing shows it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::plan::{as_fields, visible};
use super::super::style::count;
use super::super::value;
use payctl_drawing as drawing;
use payctl_drawing::{Field, Line, Resource};
use payctl_engine::diff::FieldChange;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Desired;
use payctl_engine::model::drawn::referred;
use payctl_engine::plan::{Action, Change};

/// A resource with what the drawing needs of it.
pub(super) struct Item<'a> {
    pub(super) id: String,
    pub(super) address: &'a Address,
    name: &'a str,
    component: &'a str,
    origin: &'a str,
    pub(super) spec: &'a Value,
    pub(super) needs: BTreeSet<Address>,
    change: Option<&'a Change>,
}

impl<'a> Item<'a> {
    pub(super) fn wanted(desired: &'a Desired, change: Option<&'a Change>) -> Self {
        let mut needs = desired.after.clone();
        needs.extend(referred(Some(&desired.spec)));
        needs.remove(&desired.address);
        Self {
            id: desired.address.to_string(),
            address: &desired.address,
            name: &desired.name,
            component: &desired.component,
            origin: &desired.origin,
            spec: &desired.spec,
            needs,
            change,
        }
    }

    /// A live object that goes. The config may still know it: then its references are known.
    pub(super) fn going(change: &'a Change, known: Option<&'a Desired>) -> Self {
        if let Some(desired) = known {
            return Self::wanted(desired, Some(change));
        }
        let live = change.live.as_ref();
        let id = live.map(|live| format!("{} ({})", change.address, live.id));
        Self {
            id: id.unwrap_or_else(|| change.address.to_string()),
            address: &change.address,
            name: &change.name,
            component: &change.component,
            origin: &change.origin,
            spec: live.map_or(&Value::Null, |live| &live.spec),
            needs: change.uses.clone(),
            change: Some(change),
        }
    }

    pub(super) fn resource(&self) -> Resource {
        let mut remarks = Vec::new();
        let mut fields: Vec<FieldChange> = as_fields(self.spec);
        let differs = self
            .change
            .is_some_and(|change| matches!(change.action, Action::Update | Action::Replace));
        if let Some(change) = self.change {
            remarks.extend(change.because.iter().map(|because| format!("Because {because}.")));
            if change.action == Action::Replace {
                let order = if change.create_first {
                    "The new one is created before the old one is deleted."
                } else {
                    "The old one is deleted before the new one is created."
                };
                remarks.push(order.to_owned());
            }
            let lost = change.irreversible.iter().map(|lost| format!("Lost for good: {lost}."));
            remarks.extend(lost);
            remarks.extend(change.regain.iter().map(|regain| format!("Recoverable: {regain}.")));
            if differs {
                fields = change.fields.iter().filter_map(visible).collect();
            }
        }
        // A resource that stays, comes or goes shows its values; one that changes, what differs.
        let fields = fields.iter().map(|field| Field {
            path: field.path.clone(),
            lines: match differs {
                true => lines(field),
                false => field.after.iter().flat_map(value::lines).map(Line::Same).collect(),
            },
        });
        Resource {
            address: self.id.clone(),
            name: self.name.to_owned(),
            component: match self.component {
                "" => "no longer configured".to_owned(),
                known => known.to_owned(),
            },
            origin: self.origin.to_owned(),
            action: self.change.map(|change| match change.action {
                Action::Create => drawing::Action::Create,
                Action::Update => drawing::Action::Change,
                Action::Replace => drawing::Action::Replace,
                Action::Delete => drawing::Action::Delete,
            }),
            remarks,
            fields: fields.collect(),
        }
    }
}

/// The lines of a difference.
fn lines(field: &FieldChange) -> Vec<Line> {
    let of = |side: &Option<Value>| side.as_ref().map(value::lines).unwrap_or_default();
    let mut lines: Vec<Line> = value::difference(&of(&field.before), &of(&field.after))
        .into_iter()
        .map(|line| match line {
            value::Line::Same(text) => Line::Same(text),
            value::Line::Old(text) => Line::Old(text),
            value::Line::New(text) => Line::New(text),
            value::Line::Gap(gap) => Line::Same(format!("... {} unchanged", count(gap, "line"))),
        })
        .collect();
    if field.unknown && !lines.iter().any(|line| matches!(line, Line::New(_))) {
        lines.push(Line::New("(known after apply)".to_owned()));
    }
    lines
}
