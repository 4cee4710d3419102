//! One row for each move, in the order of the questions that `next` asks.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::model::live::Phase::{Deleting, Failed, Pending, Ready};

const META: Meta = Meta {
    failure_field: Some("failed_update"),
    read_lag: Duration::from_secs(20),
    deadline: Duration::from_secs(600),
    ..Meta::new("a.b", "a", "")
};
/// It can be changed while it is pending.
const OPEN: Meta = Meta { updatable_while_pending: true, ..META };
/// Its reads show the old and the new in turn for a while.
const FLAPS: Meta = Meta { agreeing_reads: 3, ..META };

/// What differs: a field, or the reason of a failed update.
fn differs(path: &str) -> Vec<FieldChange> {
    let before = Some(json!("no room"));
    vec![FieldChange { path: path.to_owned(), before, after: None, unknown: false }]
}

/// The history of an object: which change was accepted how many seconds ago, how often in vain, how
/// many looks agree, and when it had tags, if it has none now.
#[derive(Clone, Copy)]
struct Past {
    wrote: Option<(&'static str, u64)>,
    in_vain: u32,
    times: u32,
    bare_for: Option<u64>,
    began: u64,
}

const NOTHING: Past = Past { wrote: None, in_vain: 0, times: 1, bare_for: None, began: 30 };

/// A change of this field (none if it is empty) was accepted so many seconds ago.
const fn wrote(path: &'static str, ago: u64) -> Past {
    Past { wrote: Some((path, ago)), ..NOTHING }
}

fn history(past: Past, now: Instant) -> History {
    let ago = |seconds| now - Duration::from_secs(seconds);
    let changes = |path: &str| if path.is_empty() { Vec::new() } else { differs(path) };
    History {
        written: past.wrote.map(|(path, seconds)| (changes(path), ago(seconds))),
        in_vain: past.in_vain,
        times: past.times,
        tagged_at: Some(ago(past.bare_for.unwrap_or_default())),
        is_bare: past.bare_for.is_some(),
        ..History::of_update(ago(past.began))
    }
}

fn wait(status: &str) -> Next {
    Next::Wait(status.to_owned())
}

fn failed(reason: &str) -> Next {
    Next::Fail(StepError::FailedLater(reason.to_owned()))
}

#[test]
fn next_decides_from_phase_changes_history_and_time() {
    let now = Instant::now() + Duration::from_secs(10_000);
    let pending = || Pending("updating".to_owned());
    let late = |began| {
        let waited = Duration::from_secs(began);
        Next::Fail(StepError::NotReady { status: "changing size".to_owned(), waited })
    };
    let unsettled = || Next::Fail(StepError::Unsettled(vec!["size".to_owned()]));
    let tags = || wait("waiting for its tags");
    let lag = || wait("waiting for reads to show the change");
    let times = |times, past: Past| Past { times, ..past };
    let bare = |bare_for| Past { bare_for: Some(bare_for), ..NOTHING };
    let vain = |past: Past| Past { in_vain: 1, ..past };
    let rows: Vec<(&str, Phase, &str, &Meta, Past, Next)> = vec![
        // What AWS says of the object comes first.
        ("failed", Failed("no room".into()), "", &META, NOTHING, failed("no room")),
        ("failed and different", Failed("x".into()), "size", &OPEN, NOTHING, failed("x")),
        ("being deleted", Deleting("deleting".into()), "size", &META, NOTHING, wait("deleting")),
        ("pending", pending(), "", &META, NOTHING, wait("updating")),
        ("pending and different", pending(), "size", &META, NOTHING, wait("updating")),
        ("pending as wanted", pending(), "", &OPEN, NOTHING, wait("updating")),
        ("pending, may be changed", pending(), "size", &OPEN, NOTHING, Next::Write),
        ("pending, changed just now", pending(), "size", &OPEN, wrote("size", 1), lag()),
        // Nothing differs.
        ("as wanted before", Ready, "", &FLAPS, NOTHING, Next::Done),
        ("as wanted after a change", Ready, "", &META, wrote("size", 1), Next::Done),
        ("one look of three", Ready, "", &FLAPS, wrote("size", 1), Next::LookAgain),
        ("two looks of three", Ready, "", &FLAPS, times(2, wrote("size", 1)), Next::LookAgain),
        ("three looks of three", Ready, "", &FLAPS, times(3, wrote("size", 1)), Next::Done),
        ("as wanted after creation", Ready, "", &META, wrote("", 0), Next::Done),
        ("as wanted, tags lost", Ready, "", &META, bare(60), Next::Done),
        // Tags that were there are gone.
        ("tags lost just now", Ready, "size", &META, bare(1), tags()),
        ("tags lost, the last moment", Ready, "size", &META, bare(15), tags()),
        ("tags lost for good", Ready, "size", &META, bare(16), Next::Fail(not_ours())),
        ("tags lost while pending", pending(), "size", &OPEN, bare(16), Next::Fail(not_ours())),
        ("pending comes before tags", pending(), "size", &META, bare(16), wait("updating")),
        // The first change.
        ("first change", Ready, "size", &META, NOTHING, Next::Write),
        ("first change, old failure", Ready, "failed_update", &META, NOTHING, Next::Write),
        ("too late", Ready, "size", &META, Past { began: 601, ..NOTHING }, late(601)),
        ("in time", Ready, "size", &META, Past { began: 600, ..NOTHING }, Next::Write),
        // The same difference after its change.
        ("reads lag", Ready, "size", &META, wrote("size", 19), lag()),
        ("reads no longer lag", Ready, "size", &META, wrote("size", 20), Next::Write),
        ("in vain, reads lag", Ready, "size", &META, vain(wrote("size", 19)), lag()),
        ("in vain", Ready, "size", &META, vain(wrote("size", 20)), unsettled()),
        ("in vain and too late", Ready, "size", &META, vain(wrote("size", 700)), unsettled()),
        // Another difference after a change.
        ("seen once", Ready, "size", &META, wrote("zone", 1), Next::LookAgain),
        ("seen twice", Ready, "size", &META, times(2, wrote("zone", 1)), Next::Write),
        ("after creation", Ready, "size", &META, wrote("", 0), Next::Write),
        ("another, too late", Ready, "size", &META, late_past(wrote("zone", 1)), late(601)),
        // AWS says that the change failed.
        ("failure", Ready, "failed_update", &META, wrote("size", 1), failed("no room")),
        ("same failure, lag", Ready, "failed_update", &META, wrote("failed_update", 1), lag()),
        (
            "same failure",
            Ready,
            "failed_update",
            &META,
            wrote("failed_update", 20),
            failed("no room"),
        ),
    ];
    for (name, phase, differing, meta, past, expected) in rows {
        let changes = if differing.is_empty() { Vec::new() } else { differs(differing) };
        let found = next(&phase, &changes, &history(past, now), meta, now);
        assert_eq!(found, expected, "{name}");
    }
}

/// Sure of what it sees, and beyond the deadline.
fn late_past(past: Past) -> Past {
    Past { times: 2, began: 601, ..past }
}

#[test]
fn an_object_without_tags_from_the_start_is_written() {
    let now = Instant::now() + Duration::from_secs(10_000);
    let mut history = History::of_create(now, now);
    history.saw(&differs("size"), true, now);
    history.saw(&differs("size"), true, now);
    assert_eq!(next(&Ready, &differs("size"), &history, &META, now), Next::Write);
}

#[test]
fn history_counts_looks_that_agree_and_writes_in_vain() {
    let now = Instant::now() + Duration::from_secs(10_000);
    let mut history = History::of_update(now);
    history.saw(&differs("size"), false, now);
    history.saw(&differs("size"), false, now);
    assert_eq!(history.times, 2);
    history.saw(&differs("zone"), false, now);
    assert_eq!(history.times, 1);
    history.saw_nothing();
    history.saw(&differs("zone"), false, now);
    assert_eq!(history.times, 1, "a look that finds nothing starts the count again");

    history.wrote(differs("size"), None);
    assert_eq!((history.in_vain, history.written.is_some()), (0, false), "it was not accepted");
    history.wrote(differs("size"), Some(now));
    history.wrote(differs("zone"), Some(now));
    assert_eq!(history.in_vain, 0, "another change");
    history.wrote(differs("zone"), Some(now));
    assert_eq!(history.in_vain, 1);
}
