//! Tags: those of the user, the `Name`, and those that name the owner of an object.

use std::time::Duration;

use payctl_engine::model::address::Address;
use payctl_engine::model::live::Tags;
use payctl_engine::model::scope::{
    TAG_BORROWS, TAG_CREATED, TAG_DISPOSABLE, TAG_EXPIRES, TAG_KEYS, TAG_PROTECT, TAG_SET,
};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Builder;
use super::loans::lenders;
use crate::aws::kinds::KINDS;
use crate::config::schema::Config;
use crate::config::template::{Piece, pieces};

/// Whether the deletion of a resource loses data for good.
fn holds_data(address: &Address) -> bool {
    KINDS
        .iter()
        .map(|kind| kind.meta())
        .any(|meta| meta.kind == address.kind && meta.data.is_some())
}

/// The end of a time that begins now.
fn end_of(now: &str, lasting: Duration) -> Option<String> {
    let end = OffsetDateTime::parse(now, &Rfc3339).ok()?.checked_add(lasting.try_into().ok()?)?;
    end.format(&Rfc3339).ok()
}

impl Builder<'_> {
    /// Tags that payctl keeps up to date.
    pub(super) fn tags(&self, address: &Address, name: &str) -> Tags {
        let user = self.config.tags.iter();
        let mut tags: Tags = user.map(|(key, value)| (key.0.clone(), value.0.clone())).collect();
        let keys: Vec<&str> = tags.keys().map(String::as_str).collect();
        let keys = keys.join(" ");
        tags.insert("Name".to_owned(), name.chars().take(256).collect());
        tags.extend(self.scope.ownership(address));
        tags.insert(TAG_KEYS.to_owned(), keys);
        let lenders: Vec<String> = lenders(self.config).into_iter().collect();
        if !lenders.is_empty() {
            tags.insert(TAG_BORROWS.to_owned(), lenders.join(" "));
        }
        // A reader without this config, or with another one, needs these tags.
        if holds_data(address) {
            let Config { protect, disposable, .. } = self.config;
            let marks = [(TAG_PROTECT, *protect), (TAG_DISPOSABLE, *disposable)];
            let marks = marks.into_iter().filter(|(_, is_set)| *is_set);
            tags.extend(marks.map(|(tag, _)| (tag.to_owned(), TAG_SET.to_owned())));
        }
        tags
    }

    /// Tags that payctl sets once.
    pub(super) fn tags_once(&self) -> Tags {
        let value = |text: &str| -> String {
            let parts = pieces(text).unwrap_or_default();
            let parts = parts.into_iter().map(|piece| match piece {
                Piece::Literal(text) => text,
                Piece::Expr("now") => &self.facts.now,
                Piece::Expr(_) => &self.facts.account,
            });
            let value: String = parts.collect();
            let allowed = |c: &char| c.is_alphanumeric() || " _.:/=+-@".contains(*c);
            value.chars().map(|c| if allowed(&c) { c } else { '-' }).take(256).collect()
        };
        let stamps = self.config.tags_at_creation.iter();
        let stamps = stamps.map(|(key, text)| (key.0.clone(), value(text)));
        let expires = self.config.ttl.as_ref().and_then(|ttl| end_of(&self.facts.now, ttl.time()));
        let times = expires.map(|end| [(TAG_EXPIRES, end), (TAG_CREATED, self.facts.now.clone())]);
        let times = times.into_iter().flatten().map(|(tag, time)| (tag.to_owned(), time));
        stamps.chain(times).collect()
    }
}
