//! One shift after the other: alarms at any moment, faults, deaths at any call, stops, odd weights.

use std::sync::Mutex;
use std::time::Duration;

use payctl_engine::shift::{
    Claim, End, Event, Finding, Limits, OnAlarm, Order, Purpose, Report, SETTLED, STALE,
    ShiftError, Steps, back, outlook, shift,
};
use payctl_engine::stop::stop_pair;
use payctl_engine::traffic::Weights;

use crate::fake::Death;
use crate::shift_cloud::{Faults, Road, STEPS, Script, Spans};
use crate::support::{Seed, block_on, seeds_or};

/// How many random cases a normal run makes of each property: a case is a hundred looks and more.
const CASES: u64 = 300;

pub(crate) fn cases() -> std::ops::Range<u64> {
    seeds_or(CASES)
}

pub(crate) const BAKE: Duration = Duration::from_secs(60);
/// No run takes longer, whatever happens: a claim, four bakes, each with doubts, and the way back.
const BOUND: Duration = Duration::from_secs(300 + 4 * (60 + 120 + 300) + 2 * 300);
const FOREVER: Duration = Duration::from_secs(100_000);

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn order(run: &str) -> Order {
    Order {
        shift: "payment".to_owned(),
        run: run.to_owned(),
        side: "green".to_owned(),
        steps: Steps::new(STEPS.to_vec()).expect("they rise"),
        bake: BAKE,
        on_alarm: OnAlarm::RollBack,
        limits: Limits {
            probes: 3,
            error_rate: Some(1.0),
            p99: Some(1.5),
            requests: 20,
            missing: secs(120),
        },
    }
}

/// A run that nobody stops; `None` if it dies.
pub(crate) async fn run(road: &Road, order: &Order) -> Option<Report> {
    let (_stopper, stop) = stop_pair();
    let report = tokio::select! {
        report = tokio::time::timeout(BOUND, shift(road, order, &stop, &|_| {})) => report,
        () = road.died() => return None,
    };
    Some(report.expect("a run ends in bounded time"))
}

/// Takes all traffic back; `None` if that dies.
pub(crate) async fn take_back(road: &Road, run: &str) -> Option<Report> {
    let (_stopper, stop) = stop_pair();
    let back = back(road, "payment", run, "blue", &stop, &|_| {});
    tokio::select! {
        report = tokio::time::timeout(BOUND, back) => Some(report.expect("it ends in bounded time")),
        () = road.died() => None,
    }
}

pub(crate) fn is_a_rest(weights: Weights) -> bool {
    weights.are_back() || STEPS.iter().any(|step| Weights::at(*step).divide_like(weights))
}

/// What must hold after any number of runs.
pub(crate) fn check(road: &Road) {
    assert_eq!(road.violations(), Vec::<String>::new());
    assert!(road.log().iter().all(|write| is_a_rest(write.after)), "{:?}", road.log());
}

/// Weights that began at 0 and never jump: each write sets the step above what was there, or all traffic
/// back. A call whose reply was lost may set the same once more.
fn check_steps(road: &Road) {
    let log = road.log();
    let mut stands = 0;
    for write in &log {
        let percent = write.after.percent().expect("some traffic");
        let next = STEPS.iter().find(|step| **step > stands);
        assert!(
            [0, stands].contains(&percent) || next == Some(&percent),
            "{stands} {write:?}: {log:?}"
        );
        stands = percent;
    }
}

/// Faults within the bounds.
pub(crate) fn random_faults(random: &mut fastrand::Rng) -> Faults {
    // What comes late and what is seen late share one bound.
    let late = random.u64(0..=4990);
    Faults {
        throttle: random.u64(..60),
        refuse: random.u64(..40),
        lose: random.u64(..60),
        hang: random.u64(..30),
        deaf: random.u64(..60),
        slow: random.u64(1..4900),
        late,
        lag: 4990 - late,
    }
}

/// Now and then something happens at some time, and lasts for a while or for good.
fn random_spans(random: &mut fastrand::Rng, often: f64) -> Spans {
    if random.f64() > often {
        return Spans::new();
    }
    let from = secs(random.u64(..600));
    let to = if random.bool() { FOREVER } else { from + secs(random.u64(1..200)) };
    vec![(from, to)]
}

fn random_script(random: &mut fastrand::Rng) -> Script {
    Script {
        alarm: random_spans(random, 0.3),
        unhealthy: random_spans(random, 0.15),
        unreachable: random_spans(random, 0.15),
        silent: random_spans(random, 0.15),
        broken: random_spans(random, 0.15),
        slow: random_spans(random, 0.15),
    }
}

const OLD: Weights = Weights { from: 1, to: 0 };

#[test]
fn a_shift_moves_traffic_step_by_step() {
    block_on(async {
        let road = Road::new(OLD, 1);
        let events = Mutex::new(Vec::new());
        let (_stopper, stop) = stop_pair();
        let listener = |event: Event| events.lock().expect("unpoisoned").push(event);
        let report = shift(&road, &order("a"), &stop, &listener).await;
        assert_eq!(report.end, End::Done);
        assert_eq!((road.shares(), road.tag()), (STEPS.to_vec(), None));
        assert_eq!(report.weights, Some(Weights::at(100)));
        assert!(!report.leaves_claim && report.findings.is_empty());
        let moved: Vec<u8> = report.moved.iter().map(|(percent, _)| *percent).collect();
        assert_eq!(moved, STEPS);
        check(&road);
        let log = road.log();
        assert!(log[0].at >= SETTLED, "it waits for calls of others: {log:?}");
        assert!(log.windows(2).all(|pair| pair[1].at - pair[0].at >= BAKE), "{log:?}");
        assert!(report.elapsed >= SETTLED + BAKE * 4 && report.elapsed < SETTLED + BAKE * 5);
        let events = events.into_inner().expect("unpoisoned");
        let count = |is: fn(&Event) -> bool| events.iter().filter(|event| is(event)).count();
        assert!(matches!(events[0], Event::Stands { weights: OLD, claim: None }));
        assert_eq!(count(|event| matches!(event, Event::Claimed { cut_off: false })), 1);
        assert_eq!(count(|event| matches!(event, Event::Moved { .. })), 4);
        assert_eq!(count(|event| matches!(event, Event::Retrying { .. })), 0);
        assert!(count(|event| matches!(event, Event::Baking { figures: Some(_), .. })) > 40);
        // Nothing is left to do.
        let tags = road.tags();
        let again = run(&road.seen_by(1), &order("b")).await.expect("it lives");
        assert_eq!((again.end, road.tags(), road.shares()), (End::Nothing, tags, STEPS.to_vec()));
    });
}

#[test]
fn an_alarm_at_any_moment_takes_all_traffic_back_in_one_call() {
    let mut ends = [0, 0, 0];
    for start in 0..=340 {
        let _name = Seed(start);
        block_on(async {
            let road = Road::new(OLD, start);
            let start = secs(start);
            road.set_script(Script { alarm: vec![(start, FOREVER)], ..Script::default() });
            let report = run(&road, &order("a")).await.expect("it lives");
            check(&road);
            assert!(!report.leaves_claim);
            match report.end {
                End::Refused => {
                    assert_eq!(road.log().len(), 0);
                    ends[0] += 1;
                }
                End::RolledBack => {
                    let last = *road.log().last().expect("it moved");
                    assert_eq!(last.after, Weights::BACK);
                    assert!(last.at - start <= secs(6), "{:?} after {start:?}", last.at);
                    let told = road.told().expect("it was told");
                    assert!(last.at - told <= Duration::from_millis(10), "with the next call");
                    let (finding, _) = &report.findings[0];
                    assert!(
                        matches!(finding, Finding::Alarm { name, .. } if name == "payment-errors")
                    );
                    ends[1] += 1;
                }
                End::Done => {
                    assert_eq!(road.weights(), Weights::at(100));
                    ends[2] += 1;
                }
                end => panic!("{end:?}"),
            }
            assert_eq!(road.tag(), None);
        });
    }
    assert!(ends.iter().all(|count| *count > 10), "each happens: {ends:?}");
}

#[test]
fn every_source_takes_traffic_back() {
    let spans = || vec![(secs(100), FOREVER)];
    let none = Script::default;
    type Is = fn(&Finding) -> bool;
    let rows: [(Script, u64, Is); 6] = [
        (Script { alarm: spans(), ..none() }, 6, |f| matches!(f, Finding::Alarm { .. })),
        (Script { unhealthy: spans(), ..none() }, 6, |f| matches!(f, Finding::Unhealthy { .. })),
        (Script { unreachable: spans(), ..none() }, 16, |f| {
            matches!(f, Finding::Probe { failures: 3, .. })
        }),
        (
            Script { broken: spans(), ..none() },
            6,
            |f| matches!(f, Finding::ErrorRate { to, .. } if (*to - 8.0).abs() < 0.01),
        ),
        (Script { slow: spans(), ..none() }, 6, |f| matches!(f, Finding::P99 { .. })),
        (Script { silent: spans(), ..none() }, 131, |f| matches!(f, Finding::Missing { .. })),
    ];
    for (script, within, is) in rows {
        block_on(async {
            let road = Road::new(OLD, 1);
            road.set_script(script.clone());
            let report = run(&road, &order("a")).await.expect("it lives");
            check(&road);
            assert_eq!(report.end, End::RolledBack, "{script:?}");
            assert_eq!(road.weights(), Weights::BACK);
            let (finding, after) = &report.findings[0];
            assert!(is(finding), "{finding}");
            assert!(*after <= secs(100 + within), "{finding} after {after:?}");
            assert_eq!(road.tag(), None);
            // It says so before it moves anything.
            let (writes, tags) = (road.log().len(), road.tags());
            let again = run(&road.seen_by(1), &order("b")).await.expect("it lives");
            let quick = matches!(finding, Finding::Alarm { .. } | Finding::Unhealthy { .. });
            if quick {
                assert_eq!((again.end, road.tags()), (End::Refused, tags));
                assert_eq!(road.log().len(), writes);
            }
        });
    }
}

#[test]
fn an_alarm_stops_a_shift_that_should_only_stop() {
    block_on(async {
        let road = Road::new(OLD, 1);
        let order = |run: &str| Order { on_alarm: OnAlarm::Stop, ..order(run) };
        road.set_script(Script { alarm: vec![(secs(100), secs(300))], ..Script::default() });
        let report = run(&road, &order("a")).await.expect("it lives");
        assert_eq!((report.end, road.weights()), (End::Stopped, Weights::at(25)));
        assert!(report.leaves_claim && !report.findings.is_empty());
        // As long as the alarm lasts it stays so, and nothing is written.
        let tags = road.tags();
        let report = run(&road.seen_by(1), &order("b")).await.expect("it lives");
        assert_eq!((report.end, road.tags(), road.log().len()), (End::Stopped, tags, 2));
        // Then the step is watched again.
        tokio::time::sleep_until(tokio::time::Instant::now() + secs(300)).await;
        let began = road.elapsed();
        let report = run(&road.seen_by(2), &order("c")).await.expect("it lives");
        assert_eq!((report.end, road.shares()), (End::Done, STEPS.to_vec()));
        assert!(road.log()[2].at - began >= STALE + SETTLED + BAKE);
        check(&road);
    });
}

async fn one_case(seed: u64) -> &'static str {
    let mut random = fastrand::Rng::with_seed(seed);
    let road = Road::new(OLD, seed);
    road.set_faults(random_faults(&mut random));
    let script = random_script(&mut random);
    road.set_script(script.clone());
    let report = run(&road, &order("a")).await.expect("it lives");
    check(&road);
    // What it did last may come late, and what it left behind may be there for a while.
    tokio::time::sleep(secs(11)).await;
    check(&road);
    check_steps(&road);
    match report.end {
        End::Done => {
            assert_eq!(road.weights(), Weights::at(100));
            let mut shares = road.shares();
            shares.dedup();
            assert_eq!(shares, STEPS, "no step is left out");
            "done"
        }
        End::RolledBack => {
            assert!(road.weights().are_back() && !report.findings.is_empty());
            // A step whose call was lost may never have come to be.
            if let (Some(told), Some(last)) = (road.told(), road.log().last()) {
                let last = last.at;
                assert!(last.saturating_sub(told) < secs(120), "{last:?} after {told:?}");
            }
            "rolled back"
        }
        End::Refused => {
            assert!(road.log().is_empty() && !report.findings.is_empty());
            "refused"
        }
        end => panic!("{end:?}"),
    }
}

#[test]
fn a_shift_ends_well_under_random_faults() {
    let mut ends = std::collections::BTreeMap::<_, u32>::new();
    for seed in cases() {
        let _name = Seed(seed);
        *ends.entry(block_on(one_case(seed))).or_default() += 1;
    }
    println!("{ends:?}");
}

/// Runs, dies at a call, and runs again.
async fn dies_once(script: &Script, death: Death) -> (Road, End) {
    let road = Road::new(OLD, 1);
    road.set_script(script.clone());
    road.dies(death);
    assert_eq!(run(&road, &order("a")).await, None, "it dies");
    let end = run_to_end(&road.seen_by(1), &order("b")).await;
    check(&road);
    (road, end)
}

#[test]
fn a_run_after_a_death_at_any_call_ends_like_one_without() {
    let alarm = Script { alarm: vec![(secs(170), FOREVER)], ..Script::default() };
    for (script, last) in [(Script::default(), Weights::at(100)), (alarm, Weights::BACK)] {
        let total = block_on(async {
            let road = Road::new(OLD, 1);
            road.set_script(script.clone());
            run(&road, &order("a")).await.expect("it lives");
            assert_eq!(road.weights(), last);
            road.calls()
        });
        for operation in 1..=total {
            for after in [false, true] {
                let (road, end) = block_on(dies_once(&script, Death { operation, after }));
                let place = format!("at call {operation}, after: {after}: {end:?}");
                assert!(road.weights().divide_like(last), "{place}");
                // With an alarm and all traffic back, it has nothing to write.
                assert!(road.tag().is_none() || end == End::Refused, "{place}");
                match last {
                    Weights::BACK => assert!(matches!(end, End::RolledBack | End::Refused)),
                    _ => assert!(matches!(end, End::Done | End::Nothing)),
                }
            }
        }
        println!("{total} calls");
    }
}

#[test]
fn runs_that_die_again_and_again_end_like_one_without() {
    for seed in cases() {
        let _name = Seed(seed);
        block_on(async {
            let mut random = fastrand::Rng::with_seed(seed);
            let road = Road::new(OLD, seed);
            road.set_faults(random_faults(&mut random));
            let mut script = Script { alarm: random_spans(&mut random, 0.3), ..Script::default() };
            for span in &mut script.alarm {
                span.1 = FOREVER;
            }
            road.set_script(script.clone());
            for who in 0..4 {
                let road = road.seen_by(who);
                if who < 3 {
                    let (operation, after) = (random.u64(1..120), random.bool());
                    road.dies(Death { operation, after });
                }
                let ended = run(&road, &order(&format!("run{who}"))).await;
                assert!(who < 3 || ended.is_some());
                tokio::time::sleep(Duration::from_millis(random.u64(..20_000))).await;
            }
            check(&road);
            check_steps(&road);
            let expected = if script.alarm.is_empty() { Weights::at(100) } else { Weights::BACK };
            let now = road.weights();
            // An alarm may begin only when everything is over.
            assert!(now.divide_like(expected) || !script.alarm.is_empty(), "{now}");
            assert!(now.are_back() || now.divide_like(Weights::at(100)), "{now}");
        });
    }
}

#[test]
fn a_stop_leaves_traffic_and_the_next_run_watches_the_step_again() {
    for at in [1, 10, 30, 70, 120, 200, 250] {
        block_on(async {
            let road = Road::new(OLD, 1);
            let (stopper, stop) = stop_pair();
            let stops = async {
                tokio::time::sleep(secs(at)).await;
                stopper.stop();
            };
            let order_a = order("a");
            let shift = shift(&road, &order_a, &stop, &|_| {});
            let (report, ()) = tokio::join!(shift, stops);
            assert_eq!(report.end, End::Interrupted);
            assert!(report.elapsed <= secs(at + 1), "at once");
            assert!(report.leaves_claim);
            let before = road.weights();
            let began = road.elapsed();
            let second = run(&road.seen_by(1), &order("b")).await.expect("it lives");
            assert_eq!((second.end, road.shares()), (End::Done, STEPS.to_vec()));
            check(&road);
            let next = road.log().iter().find(|write| write.who == 1).map(|write| write.at);
            let waits = STALE + SETTLED + if before.to > 0 { BAKE } else { Duration::ZERO };
            let took = next.unwrap_or(began + second.elapsed) - began;
            assert!(took >= waits && took < waits + secs(15), "{took:?}, not {waits:?}");
            assert_eq!(road.tag(), None);
        });
    }
}

#[test]
fn a_step_goes_that_far_and_no_further() {
    block_on(async {
        let road = Road::new(OLD, 1);
        let until = |run: &str, step| {
            let order = order(run);
            Order { steps: order.steps.clone().until(step).expect("a step"), ..order }
        };
        let end =
            async |who, run: &str, step| run_to_end(&road.seen_by(who), &until(run, step)).await;
        assert_eq!(end(0, "a", 25).await, End::Done);
        assert_eq!((road.shares(), road.tag()), (vec![10, 25], None));
        assert_eq!(end(1, "b", 25).await, End::Nothing);
        let above = End::Failed(ShiftError::Above { percent: 25, goal: 10 });
        assert_eq!(end(2, "c", 10).await, above);
        // The last bake was complete: the next step comes as soon as the claim is sure.
        let began = road.elapsed();
        assert_eq!(end(3, "d", 50).await, End::Done);
        assert!(road.log()[2].at - began < SETTLED + secs(6));
        assert_eq!(end(4, "e", 100).await, End::Done);
        assert_eq!(road.shares(), STEPS);
        check(&road);
    });
}

async fn run_to_end(road: &Road, order: &Order) -> End {
    run(road, order).await.expect("it lives").end
}

#[test]
fn odd_weights_count_as_the_step_below_or_say_what_to_do() {
    let rows = [
        (Weights { from: 999, to: 1 }, vec![10, 25, 50, 100]),
        (Weights { from: 83, to: 17 }, vec![25, 50, 100]),
        (Weights { from: 1, to: 3 }, vec![100]),
        (Weights { from: 0, to: 7 }, vec![]),
    ];
    for (weights, expected) in rows {
        block_on(async {
            let road = Road::new(weights, 1);
            let end = run_to_end(&road, &order("a")).await;
            assert_eq!(road.shares(), expected, "{weights}");
            assert_eq!(end, if expected.is_empty() { End::Nothing } else { End::Done });
            check(&road);
        });
    }
    block_on(async {
        let road = Road::new(Weights { from: 0, to: 0 }, 1);
        let End::Failed(error) = run_to_end(&road, &order("a")).await else { panic!() };
        assert_eq!(error, ShiftError::NoTraffic);
        assert_eq!((road.log().len(), road.tags()), (0, 0));
        let report = take_back(&road.seen_by(1), "b").await.expect("it lives");
        assert_eq!((report.end, road.weights()), (End::Done, Weights::BACK));
    });
}

#[test]
fn weights_that_somebody_else_changes_end_the_run() {
    block_on(async {
        let road = Road::new(OLD, 1);
        let other = async {
            tokio::time::sleep(secs(100)).await;
            let tag = road.tag();
            road.put(Weights { from: 60, to: 40 }, tag.as_deref());
        };
        let order = order("a");
        let (report, ()) = tokio::join!(run(&road, &order), other);
        let report = report.expect("it lives");
        let found = Weights { from: 60, to: 40 };
        let expected = Weights::at(25);
        assert_eq!(report.end, End::Failed(ShiftError::Foreign { expected, found }));
        assert_eq!(road.weights(), found);
        assert!(report.leaves_claim);
    });
}

#[test]
fn a_claim_that_somebody_removes_ends_the_run() {
    block_on(async {
        let road = Road::new(OLD, 1);
        let other = async {
            tokio::time::sleep(secs(100)).await;
            road.put(Weights::at(25), None);
        };
        let order = order("a");
        let (report, ()) = tokio::join!(run(&road, &order), other);
        let report = report.expect("it lives");
        assert_eq!(report.end, End::Failed(ShiftError::Lost(None)));
        assert_eq!((road.weights(), report.leaves_claim), (Weights::at(25), false));
    });
}

#[test]
fn a_tag_that_payctl_did_not_write_is_taken_over_like_a_dead_claim() {
    block_on(async {
        let road = Road::new(OLD, 1);
        road.put(OLD, Some("by hand"));
        let report = run(&road, &order("a")).await.expect("it lives");
        assert_eq!((report.end, road.shares()), (End::Done, STEPS.to_vec()));
        assert!(road.log()[0].at >= STALE + SETTLED);
    });
}

#[test]
fn a_lost_reply_is_looked_at_and_not_repeated() {
    let mut writes = 0;
    for seed in 0..300 {
        let _name = Seed(seed);
        block_on(async {
            let road = Road::new(OLD, seed);
            road.set_faults(Faults { lose: 300, slow: 50, ..Faults::default() });
            let report = run(&road, &order("a")).await.expect("it lives");
            assert_eq!(report.end, End::Done);
            assert_eq!(road.shares(), STEPS, "each step is set once");
            writes += road.log().len();
            check(&road);
        });
    }
    assert_eq!(writes, 300 * 4);
}

#[test]
fn an_outlook_tells_what_a_run_would_do_and_writes_nothing() {
    block_on(async {
        let road = Road::new(Weights { from: 83, to: 17 }, 1);
        let claim = Claim {
            shift: "payment".into(),
            purpose: Purpose::Shift,
            run: "x".into(),
            beat: 3,
            side: Some("green".into()),
        };
        road.put(Weights { from: 83, to: 17 }, Some(&claim.to_string()));
        let seen = outlook(&road, &order("a")).await.expect("it can be read");
        assert_eq!((seen.percent, seen.end, seen.left), (Some(17), None, vec![25, 50, 100]));
        assert_eq!(seen.claim.as_deref().and_then(Claim::parse), Some(claim));
        assert_eq!(seen.least, SETTLED + BAKE * 3);
        assert!(seen.figures.is_some());

        // A finding takes traffic back, or keeps it where it is, or from moving at all.
        road.set_script(Script { alarm: vec![(secs(0), FOREVER)], ..Script::default() });
        let stops = Order { on_alarm: OnAlarm::Stop, ..order("a") };
        let all_blue = Weights { from: 100, to: 0 };
        for (weights, order, end) in [
            (Weights { from: 83, to: 17 }, order("a"), None),
            (Weights { from: 83, to: 17 }, stops, Some(End::Stopped)),
            (all_blue, order("a"), Some(End::Refused)),
        ] {
            road.put(weights, None);
            let seen = outlook(&road, &order).await.expect("it can be read");
            assert_eq!((seen.end, seen.left, seen.least), (end, vec![], Duration::ZERO));
            assert!(matches!(seen.findings[..], [Finding::Alarm { .. }]));
        }
        assert_eq!((road.log().len(), road.tags()), (0, 0));
    });
}
