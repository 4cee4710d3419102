//! One row for each move, in the order of the questions that the decision asks.

use serde_json::Value;

use super::*;
use crate::model::error::ErrorClass;
use crate::shift::findings::Doubt;
use crate::shift::order::{Limits, Steps};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn order(on_alarm: OnAlarm) -> Order {
    Order {
        shift: "payment".to_owned(),
        run: "me".to_owned(),
        side: "green".to_owned(),
        steps: Steps::new(vec![10, 50, 100]).expect("they rise"),
        bake: secs(60),
        on_alarm,
        limits: Limits { probes: 3, error_rate: None, p99: None, requests: 1, missing: secs(120) },
    }
}

/// A run that began at this moment; looks of the tests come after it.
fn began() -> Instant {
    Instant::now()
}

const MINE: &str = "payment shift me 4";
const THEIRS: &str = "payment shift you 7";
const BACKS: &str = "payment back you 1";

fn standing(weights: (u32, u32), claim: &str) -> Standing {
    let weights = Weights { from: weights.0, to: weights.1 };
    let claim = (!claim.is_empty()).then(|| claim.to_owned());
    Standing { weights, claim, rest: Value::Null }
}

/// A look so many seconds after the run began, that took no time.
fn look(start: Instant, after: u64, weights: (u32, u32), claim: &str) -> Look {
    let now = start + secs(after);
    let standing = Ok(standing(weights, claim));
    Look { began: now, ended: now, standing, verdict: Verdict::default() }
}

fn failed(class: ErrorClass, mut look: Look) -> Look {
    look.standing = Err(OpError::new("Read", class, "Code", "text"));
    look
}

fn alarmed(mut look: Look) -> Look {
    look.verdict.findings.push(Finding::NoTarget { side: "green".into() });
    look
}

fn doubtful(mut look: Look) -> Look {
    look.verdict.doubts.push(Doubt { about: "p99".to_owned(), why: "no data".to_owned() });
    look
}

fn hopeless(mut look: Look) -> Look {
    look.verdict.is_hopeless = true;
    doubtful(look)
}

/// Shows the looks to a new run, and asks what to do after the last one.
fn asked(order: &Order, start: Instant, looks: &[Look]) -> Next {
    let mut history = History::new("me".to_owned(), start);
    saw(&mut history, order, looks);
    forward(order, &history, looks.last().expect("one look at least"))
}

fn saw(history: &mut History, order: &Order, looks: &[Look]) {
    for look in looks {
        history.saw(Some(order), look);
    }
}

fn error(error: ShiftError) -> Next {
    Next::End(End::Failed(error))
}

#[test]
fn without_a_claim_it_writes_nothing_but_a_claim() {
    let t = began();
    let rolls = order(OnAlarm::RollBack);
    let stops = order(OnAlarm::Stop);
    let short = Order { steps: rolls.steps.clone().until(50).expect("a step"), ..rolls.clone() };
    let at = |after, weights, claim| look(t, after, weights, claim);
    let waits = |claim: &str, unmoved| Next::Wait(Wait::Claim(claim.to_owned(), secs(unmoved)));
    let lives = |claim: &str| error(ShiftError::Rival(claim.to_owned()));
    let late = OpError::new("Read", ErrorClass::Service, "Code", "text");
    let denied = OpError::new("Read", ErrorClass::Denied, "Code", "text");
    let timed_out = ShiftError::TimedOut { error: late, waited: secs(301) };
    let rows: Vec<(&str, &Order, Vec<Look>, Next)> = vec![
        // Whether there is anything to do.
        ("nobody's", &rolls, vec![at(0, (100, 0), "")], Next::Claim),
        ("between steps", &rolls, vec![at(0, (70, 30), "")], Next::Claim),
        ("all moved", &rolls, vec![at(0, (0, 1), "")], Next::End(End::Nothing)),
        ("as far as asked", &short, vec![at(0, (45, 55), "")], Next::End(End::Nothing)),
        (
            "further than asked",
            &short,
            vec![at(0, (0, 100), "")],
            error(ShiftError::Above { percent: 100, goal: 50 }),
        ),
        ("all moved, bake cut off", &rolls, vec![at(0, (0, 1), THEIRS)], waits(THEIRS, 0)),
        ("no traffic", &rolls, vec![at(0, (0, 0), "")], error(ShiftError::NoTraffic)),
        // What the sources say before it begins.
        ("alarm", &rolls, vec![alarmed(at(0, (1, 0), ""))], Next::End(End::Refused)),
        ("alarm, stops", &stops, vec![alarmed(at(0, (1, 0), ""))], Next::End(End::Refused)),
        ("hopeless", &rolls, vec![hopeless(at(0, (1, 0), ""))], Next::End(End::Refused)),
        ("doubt", &rolls, vec![doubtful(at(0, (1, 0), ""))], Next::Claim),
        ("alarm on the way", &rolls, vec![alarmed(at(0, (90, 10), ""))], Next::Claim),
        (
            "alarm on the way, stops",
            &stops,
            vec![alarmed(at(0, (90, 10), ""))],
            Next::End(End::Stopped),
        ),
        // Another's claim.
        ("theirs", &rolls, vec![at(3, (1, 0), THEIRS)], waits(THEIRS, 0)),
        (
            "theirs, unmoved",
            &rolls,
            vec![at(0, (1, 0), THEIRS), at(44, (1, 0), THEIRS)],
            waits(THEIRS, 44),
        ),
        ("dead", &rolls, vec![at(0, (1, 0), THEIRS), at(45, (1, 0), THEIRS)], Next::Claim),
        (
            "moves late, as a dead one's may",
            &rolls,
            vec![at(0, (1, 0), THEIRS), at(10, (1, 0), "payment shift you 8")],
            waits("payment shift you 8", 0),
        ),
        (
            "moves",
            &rolls,
            vec![at(0, (1, 0), THEIRS), at(11, (1, 0), "payment shift you 8")],
            lives("payment shift you 8"),
        ),
        ("goes at once", &rolls, vec![at(0, (1, 0), THEIRS), at(10, (1, 0), "")], Next::Claim),
        ("goes", &rolls, vec![at(0, (1, 0), THEIRS), at(11, (1, 0), "")], lives(THEIRS)),
        ("not payctl's", &rolls, vec![at(0, (1, 0), "x"), at(46, (1, 0), "x")], Next::Claim),
        // Looks that fail.
        (
            "unreadable",
            &rolls,
            vec![failed(ErrorClass::Throttled, at(300, (1, 0), ""))],
            Next::Wait(Wait::Reads),
        ),
        (
            "unreadable for too long",
            &rolls,
            vec![failed(ErrorClass::Service, at(301, (1, 0), ""))],
            error(timed_out),
        ),
        (
            "denied",
            &rolls,
            vec![failed(ErrorClass::Denied, at(0, (1, 0), ""))],
            error(ShiftError::Refused(denied)),
        ),
        ("too late", &rolls, vec![at(301, (1, 0), "")], error(ShiftError::Crowded(secs(301)))),
    ];
    for (name, order, looks, expected) in rows {
        assert_eq!(asked(order, t, &looks), expected, "{name}");
    }
}

#[test]
fn a_claim_counts_once_no_other_call_can_be_under_way() {
    let t = began();
    let order = order(OnAlarm::RollBack);
    let at = |after, claim| look(t, after, (100, 0), claim);
    let calls = |left| Next::Wait(Wait::Calls(secs(left)));
    let lost = |by: Option<&str>| error(ShiftError::Lost(by.map(str::to_owned)));
    // The tag that it wrote over, whether that call was answered, what it sees, and what is next.
    type Row<'a> = (&'a str, Option<&'a str>, bool, Look, Next);
    let rows: Vec<Row<'_>> = vec![
        ("too early", None, true, at(1, MINE), calls(19)),
        ("too early, theirs", None, true, at(1, THEIRS), calls(19)),
        ("the last moment", None, true, at(19, MINE), calls(1)),
        ("mine", None, true, at(20, MINE), Next::Move(10)),
        ("theirs", None, true, at(20, THEIRS), lost(Some(THEIRS))),
        ("taken back", None, true, at(20, BACKS), lost(Some(BACKS))),
        ("gone", None, true, at(20, ""), lost(None)),
        ("never came", None, false, at(20, ""), Next::Claim),
        (
            "never came, dead one's",
            Some(THEIRS),
            false,
            at(20, THEIRS),
            Next::Wait(Wait::Claim(THEIRS.to_owned(), secs(0))),
        ),
        ("came late", None, false, at(20, MINE), Next::Move(10)),
        ("theirs after mine", None, false, at(20, THEIRS), lost(Some(THEIRS))),
        ("unreadable", None, true, failed(ErrorClass::Service, at(19, MINE)), calls(1)),
        (
            "unreadable then",
            None,
            true,
            failed(ErrorClass::Service, at(20, MINE)),
            Next::Wait(Wait::Reads),
        ),
    ];
    for (name, over, is_sure, look, expected) in rows {
        let mut history = History::new("me".to_owned(), t);
        history.claimed(over.map(str::to_owned), is_sure, t);
        history.saw(Some(&order), &look);
        assert_eq!(forward(&order, &history, &look), expected, "{name}");
    }
}

/// A run that holds the claim since 20 seconds after it began, where traffic stood like this.
fn holder(order: &Order, t: Instant, weights: (u32, u32), over: Option<&str>) -> History {
    let mut history = History::new("me".to_owned(), t);
    history.claimed(over.map(str::to_owned), true, t);
    history.saw(Some(order), &look(t, 20, weights, MINE));
    assert_eq!(history.stage, Stage::Holds);
    history
}

#[test]
fn a_holder_steps_bakes_and_ends() {
    let t = began();
    let order = order(OnAlarm::RollBack);
    let bake = |baked| Next::Wait(Wait::Bake(secs(baked)));
    let reads = || Next::Wait(Wait::Reads);
    let foreign = |expected: u8, found: (u32, u32)| {
        let found = Weights { from: found.0, to: found.1 };
        error(ShiftError::Foreign { expected: Weights::at(expected), found })
    };
    // Where it began, whether over a dead claim; what it set and when; its looks; what is next.
    type Row<'a> = (&'a str, (u32, u32), bool, Option<(u8, u64)>, Vec<Look>, Next);
    let rows: Vec<Row<'_>> = vec![
        ("first", (1, 0), false, None, vec![look(t, 20, (1, 0), MINE)], Next::Move(10)),
        ("first, over a dead one", (1, 0), true, None, vec![look(t, 20, (1, 0), MINE)], {
            Next::Move(10)
        }),
        ("doubt", (1, 0), false, None, vec![doubtful(look(t, 20, (1, 0), MINE))], bake(0)),
        ("goes on", (90, 10), false, None, vec![look(t, 20, (90, 10), MINE)], Next::Move(50)),
        ("cut off", (90, 10), true, None, vec![look(t, 79, (90, 10), MINE)], bake(59)),
        ("cut off, baked", (90, 10), true, None, vec![look(t, 80, (90, 10), MINE)], {
            Next::Move(50)
        }),
        ("cut off at the end", (0, 100), true, None, vec![look(t, 80, (0, 100), MINE)], {
            Next::Release(End::Done)
        }),
        ("shown", (90, 10), false, Some((50, 25)), vec![look(t, 26, (50, 50), MINE)], bake(0)),
        (
            "baked, in doubt",
            (90, 10),
            false,
            Some((50, 25)),
            vec![look(t, 26, (50, 50), MINE), doubtful(look(t, 90, (50, 50), MINE))],
            bake(64),
        ),
        (
            "baked",
            (90, 10),
            false,
            Some((50, 25)),
            vec![look(t, 26, (50, 50), MINE), look(t, 86, (50, 50), MINE)],
            Next::Move(100),
        ),
        // Reads that lag, and calls that came to nothing.
        ("not shown yet", (90, 10), false, Some((50, 25)), vec![look(t, 29, (90, 10), MINE)], {
            reads()
        }),
        ("did not happen", (90, 10), false, Some((50, 25)), vec![look(t, 30, (90, 10), MINE)], {
            Next::Move(50)
        }),
        (
            "unknown, may lag",
            (90, 10),
            false,
            Some((50, 25)),
            vec![look(t, 29, (1, 1000), MINE)],
            { reads() },
        ),
        ("unknown", (90, 10), false, Some((50, 25)), vec![look(t, 30, (60, 40), MINE)], {
            foreign(50, (60, 40))
        }),
        ("moved by hand", (90, 10), false, None, vec![look(t, 30, (80, 20), MINE)], {
            foreign(10, (80, 20))
        }),
        ("no traffic", (90, 10), false, None, vec![look(t, 30, (0, 0), MINE)], {
            error(ShiftError::NoTraffic)
        }),
        // The claim.
        ("lost", (90, 10), false, None, vec![look(t, 30, (90, 10), THEIRS)], {
            error(ShiftError::Lost(Some(THEIRS.to_owned())))
        }),
        ("removed", (90, 10), false, None, vec![look(t, 30, (90, 10), "")], {
            error(ShiftError::Lost(None))
        }),
        (
            "blind",
            (90, 10),
            false,
            None,
            vec![failed(ErrorClass::Service, look(t, 30, (90, 10), MINE))],
            reads(),
        ),
    ];
    for (name, weights, cut_off, wrote, looks, expected) in rows {
        let mut history = holder(&order, t, weights, cut_off.then_some(THEIRS));
        if let Some((percent, at)) = wrote {
            history.tries(percent, t + secs(at));
            let before = Weights { from: weights.0, to: weights.1 };
            history.wrote(percent, before, t + secs(at));
        }
        saw(&mut history, &order, &looks);
        assert_eq!(forward(&order, &history, looks.last().expect("a look")), expected, "{name}");
    }
}

#[test]
fn findings_take_traffic_back_for_good() {
    let t = began();
    let order = order(OnAlarm::RollBack);
    let reads = || Next::Wait(Wait::Reads);
    let mut history = holder(&order, t, (90, 10), None);
    history.tries(50, t + secs(21));
    history.wrote(50, Weights::at(10), t + secs(21));
    // It does not wait for the step that is under way.
    let seen = alarmed(look(t, 22, (90, 10), MINE));
    history.saw(Some(&order), &seen);
    assert_eq!(forward(&order, &history, &seen), Next::Move(0));
    history.tries(0, t + secs(22));
    history.wrote(0, Weights::at(10), t + secs(22));
    let asked = |history: &mut History, look: Look| {
        history.saw(Some(&order), &look);
        forward(&order, history, &look)
    };
    assert_eq!(asked(&mut history, look(t, 23, (90, 10), MINE)), reads(), "not shown yet");
    assert_eq!(asked(&mut history, look(t, 24, (100, 0), MINE)), reads(), "the step may come");
    // The step came late; the alarm has gone, which changes nothing.
    assert_eq!(asked(&mut history, look(t, 27, (50, 50), MINE)), Next::Move(0));
    history.tries(0, t + secs(27));
    history.wrote(0, Weights::at(50), t + secs(27));
    let end = Next::Release(End::RolledBack);
    assert_eq!(asked(&mut history, look(t, 32, (100, 0), MINE)), end);
    // Nobody can take it back for ever.
    let waited = secs(301);
    let not_set = error(ShiftError::NotSet { wanted: Weights::BACK, waited });
    assert_eq!(asked(&mut history, look(t, 22 + 301, (50, 50), MINE)), not_set);
    // Not without the claim.
    let lost = error(ShiftError::Lost(Some(THEIRS.to_owned())));
    assert_eq!(asked(&mut history, look(t, 40, (50, 50), THEIRS)), lost);
}

#[test]
fn findings_before_the_first_step_move_nothing() {
    let t = began();
    for on_alarm in [OnAlarm::RollBack, OnAlarm::Stop] {
        let order = order(on_alarm);
        let mut history = holder(&order, t, (1, 0), None);
        let seen = alarmed(look(t, 25, (1, 0), MINE));
        history.saw(Some(&order), &seen);
        assert_eq!(forward(&order, &history, &seen), Next::Release(End::Refused));
    }
    let order = order(OnAlarm::Stop);
    let mut history = holder(&order, t, (90, 10), None);
    let seen = alarmed(failed(ErrorClass::Service, look(t, 25, (1, 0), MINE)));
    history.saw(Some(&order), &seen);
    assert_eq!(forward(&order, &history, &seen), Next::End(End::Stopped));
}

#[test]
fn doubts_that_come_and_go_do_not_hold_up_a_step_for_ever() {
    let t = began();
    let order = order(OnAlarm::RollBack);
    let mut history = holder(&order, t, (90, 10), Some(THEIRS));
    for after in [80 + 60, 80 + 120] {
        let seen = doubtful(look(t, after, (90, 10), MINE));
        history.saw(Some(&order), &seen);
        assert!(matches!(forward(&order, &history, &seen), Next::Wait(Wait::Bake(_))), "{after}");
    }
    let seen = doubtful(look(t, 80 + 121, (90, 10), MINE));
    history.saw(Some(&order), &seen);
    assert_eq!(forward(&order, &history, &seen), Next::Move(0));
    let (findings, _) = history.back().expect("it goes back");
    assert!(matches!(&findings[..], [Finding::Missing { lasted, .. }] if *lasted == secs(121)));
}

#[test]
fn a_step_that_is_refused_again_and_again_ends_the_run() {
    let t = began();
    let order = order(OnAlarm::RollBack);
    let mut history = holder(&order, t, (90, 10), None);
    history.tries(50, t + secs(21));
    for (after, is_over) in [(22, false), (321, false), (322, true)] {
        history.tries(50, t + secs(after));
        let seen = look(t, after, (90, 10), MINE);
        history.saw(Some(&order), &seen);
        let over = ShiftError::NotSet { wanted: Weights::at(50), waited: secs(301) };
        let expected = if is_over { error(over) } else { Next::Move(50) };
        assert_eq!(forward(&order, &history, &seen), expected, "{after}");
    }
}

#[test]
fn a_run_at_its_end_removes_its_claim_and_does_not_insist() {
    let t = began();
    let order = order(OnAlarm::RollBack);
    let mut history = holder(&order, t, (0, 100), None);
    assert!(!history.must_finish());
    history.leaves(End::Done, t + secs(30), Some(t + secs(30)));
    assert!(history.must_finish());
    let rows = [
        (31, MINE, Next::Wait(Wait::Reads)),
        (35, MINE, Next::Release(End::Done)),
        (31, "", Next::End(End::Done)),
        (31, THEIRS, Next::End(End::Done)),
        (60, MINE, Next::Release(End::Done)),
        (61, MINE, Next::End(End::Done)),
    ];
    for (after, claim, expected) in rows {
        assert_eq!(
            forward(&order, &history, &look(t, after, (0, 100), claim)),
            expected,
            "{after}"
        );
    }
    let seen = failed(ErrorClass::Service, look(t, 40, (0, 100), MINE));
    assert_eq!(forward(&order, &history, &seen), Next::Wait(Wait::Reads));
}

#[test]
fn back_sets_the_weights_first_and_then_keeps_others_out() {
    let t = began();
    let reads = || Next::Wait(Wait::Reads);
    let new = || History::new("me".to_owned(), t);
    let asked = |history: &mut History, look: Look| {
        history.saw(None, &look);
        back(history, &look)
    };
    // At once, whoever holds the claim.
    for claim in ["", THEIRS, BACKS, "x"] {
        assert_eq!(asked(&mut new(), look(t, 0, (90, 10), claim)), Next::Move(0), "{claim}");
        assert_eq!(asked(&mut new(), look(t, 0, (0, 0), claim)), Next::Move(0), "{claim}");
    }
    assert_eq!(asked(&mut new(), look(t, 0, (5, 0), "")), Next::End(End::Nothing));
    assert_eq!(asked(&mut new(), look(t, 0, (5, 0), THEIRS)), Next::Claim);
    let wait = Next::Wait(Wait::Claim(BACKS.to_owned(), secs(0)));
    assert_eq!(asked(&mut new(), look(t, 0, (5, 0), BACKS)), wait, "another run does it");

    let mut history = new();
    history.saw(None, &look(t, 0, (90, 10), THEIRS));
    history.tries(0, t + secs(1));
    history.wrote(0, Weights::at(10), t + secs(1));
    assert_eq!(asked(&mut history, look(t, 2, (90, 10), THEIRS)), reads());
    assert_eq!(asked(&mut history, look(t, 3, (100, 0), THEIRS)), Next::Claim);
    history.claimed(Some(THEIRS.to_owned()), true, t + secs(4));
    let calls = |left| Next::Wait(Wait::Calls(secs(left)));
    assert_eq!(asked(&mut history, look(t, 5, (100, 0), "payment back me 1")), calls(19));
    // A step of the other run comes late.
    assert_eq!(asked(&mut history, look(t, 8, (50, 50), "payment back me 1")), Next::Move(0));
    history.tries(0, t + secs(8));
    history.wrote(0, Weights::at(50), t + secs(8));
    let mut beaten = history.clone();
    let end = Next::Release(End::Done);
    assert_eq!(asked(&mut history, look(t, 24, (100, 0), "payment back me 1")), end);
    // A claim that was under way came after its own.
    assert_eq!(asked(&mut beaten, look(t, 24, (100, 0), THEIRS)), Next::Claim);
    let mut late = new();
    let not_set = ShiftError::NotSet { wanted: Weights::BACK, waited: secs(301) };
    assert_eq!(asked(&mut late, look(t, 301, (9, 1), THEIRS)), error(not_set));
}
