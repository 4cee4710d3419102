//! The time until which an environment lives. An apply moves it on; no plan shows that, since the time
//! changes with every run.

use std::time::Duration;

use futures::StreamExt as _;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Context;
use super::session::{self, Session};
use crate::aws::clients::retry_read;
use crate::ui::environments;
use crate::ui::style::count;
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::scope::TAG_EXPIRES;
use payctl_engine::provider::{Provider as _, Target};
use payctl_engine::survey::Snapshot;

/// What an apply does with the time of the objects that exist.
#[derive(Debug, Default)]
pub(super) struct Renewal {
    /// Until when the environment lives after the apply.
    pub(super) end: Option<OffsetDateTime>,
    /// The new time; none takes the tag away.
    until: Option<String>,
    objects: Vec<(Target, Live)>,
}

/// Until when an environment lives that is applied now and has no time yet.
pub(super) fn end(ttl: Duration, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let ttl = time::Duration::try_from(ttl).unwrap_or(time::Duration::MAX);
    now.truncate_to_second().checked_add(ttl)
}

/// The new time of an environment, if it gets one: it has none, it asks for less, or less than half of
/// it is left.
fn renewed(
    ttl: Duration,
    expires: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Option<OffsetDateTime> {
    let end = end(ttl, now)?;
    expires.is_none_or(|expires| expires > end || expires - now < (end - now) / 2).then_some(end)
}

/// What an apply has to do so that the environment lives as long as its config says.
pub(super) fn due(session: &Session, snapshot: &Snapshot, now: OffsetDateTime) -> Renewal {
    let kinds = session.provider.kinds();
    let is_tagged = |found: &&Found| {
        let meta = kinds.iter().find(|meta| meta.kind == found.address.kind);
        let is_dying = matches!(found.live.phase, Phase::Deleting(_));
        meta.is_some_and(|meta| meta.tagged) && !is_dying
    };
    let all: Vec<&Found> = session::ours(snapshot).filter(is_tagged).collect();
    let expires = environments::expiry(all.iter().map(|found| &found.live.tags));
    let until = session.ttl.and_then(|ttl| renewed(ttl, expires, now));
    let end = until.or(expires.filter(|_| session.ttl.is_some()));
    if end.is_some() && until.is_none() {
        return Renewal { end, ..Renewal::default() };
    }
    let until = until.and_then(|time| time.format(&Rfc3339).ok());
    let differs = |found: &&&Found| found.live.tags.get(TAG_EXPIRES) != until.as_ref();
    let objects = all.iter().filter(differs).map(|found| {
        let Found { address, live, .. } = found;
        let wanted = session.blueprint.resources.get(address);
        let name = wanted.map(|wanted| wanted.name.clone()).unwrap_or_default();
        let (id, tags) = (Some(live.id.clone()), live.tags.clone());
        (Target { address: address.clone(), name, id, tags }, live.clone())
    });
    Renewal { end, objects: objects.collect(), until: until.clone() }
}

/// Writes the new time on every object. The next apply repeats what fails here.
pub(super) async fn renew(cx: &Context, session: &Session, renewal: &Renewal) {
    let Renewal { until, objects, .. } = renewal;
    if objects.is_empty() {
        return;
    }
    let set: Tags = until.iter().map(|time| (TAG_EXPIRES.to_owned(), time.clone())).collect();
    let unset: Vec<String> = match until {
        Some(_) => Vec::new(),
        None => vec![TAG_EXPIRES.to_owned()],
    };
    let (set, unset, provider) = (&set, unset.as_slice(), &session.provider);
    let written = futures::stream::iter(objects)
        .map(|(target, live)| retry_read(move || provider.retag(target, live, set, unset)));
    let written = written.buffer_unordered(usize::from(cx.global.parallelism));
    let written: Vec<_> = written.collect().await;
    let failed: Vec<_> = written.into_iter().filter_map(Result::err).collect();
    match (failed.first(), until) {
        (Some(error), _) => cx.note(format_args!(
            "Could not write the time until which {} of {} live: {error}",
            failed.len(),
            count(objects.len(), "resource")
        )),
        (None, Some(time)) => {
            cx.note(format_args!("{} lives until {time}.", session.blueprint.scope.env));
        }
        (None, None) => {
            cx.note(format_args!("{} lives without a limit.", session.blueprint.scope.env));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn the_time_moves_on_once_less_than_half_is_left() {
        let now = datetime!(2026-11-30 12:00 UTC);
        let hours = |hours: i64| time::Duration::hours(hours);
        let ttl = Duration::from_secs(72 * 3600);
        let end = Some(now + hours(72));
        let check = |left: Option<i64>, expected| {
            assert_eq!(renewed(ttl, left.map(|left| now + hours(left)), now), expected, "{left:?}");
        };
        check(None, end);
        check(Some(-5), end);
        check(Some(35), end);
        check(Some(36), None);
        check(Some(72), None);
        check(Some(73), end);
        let odd = now + time::Duration::nanoseconds(123_456_789);
        assert_eq!(renewed(ttl, None, odd), end, "whole seconds");
    }
}
