//! What one look says, and what several say together.

use super::*;
use crate::model::error::ErrorClass;
use crate::shift::order::{OnAlarm, Steps};
use crate::traffic::Alarm;

const LIMITS: Limits = Limits {
    probes: 2,
    error_rate: Some(1.0),
    p99: Some(2.0),
    requests: 100,
    missing: Duration::from_secs(60),
};

fn order() -> Order {
    Order {
        shift: "payment".to_owned(),
        run: "me".to_owned(),
        side: "green".to_owned(),
        steps: Steps::new(vec![100]).expect("a step"),
        bake: Duration::ZERO,
        on_alarm: OnAlarm::RollBack,
        limits: LIMITS,
    }
}

fn figure(requests: u64, errors: u64, p99: u64) -> Option<Figure> {
    Some(Figure { requests, errors, p99: Some(Duration::from_millis(p99)) })
}

fn figures(from: Option<Figure>, to: Option<Figure>) -> Signals {
    Signals { figures: Some(Ok(Figures { from, to })), ..Signals::default() }
}

fn judge(watchman: &mut Watchman, percent: u8, signals: &Signals) -> Verdict {
    watchman.judge(&order(), Ok(Weights::at(percent)), signals, Instant::now())
}

/// What the first look says, by name.
fn says(percent: u8, signals: &Signals) -> Vec<String> {
    let verdict = judge(&mut Watchman::default(), percent, signals);
    let findings = verdict.findings.iter().map(|one| format!("finding: {one}"));
    findings.chain(verdict.doubts.iter().map(|one| format!("doubt: {one}"))).collect()
}

#[test]
fn the_sides_are_compared_as_far_as_they_have_data() {
    let good = figure(1000, 2, 100);
    let none: [&str; 0] = [];
    let to = "doubt: the figures of the side that traffic moves to: fewer than 100 requests";
    let from = "doubt: the figures of the side that traffic moves from: fewer than 100 requests";
    let slow = "finding: p99 is 201 ms, 100 ms on the other side, at most 2 times that is allowed";
    let fails = "finding: 1.21 % of requests fail, 0.20 % on the other side, at most 1 more are \
                 allowed";
    let no_p99 = Some(Figure { p99: None, ..good.expect("a figure") });
    assert_eq!(says(10, &figures(good, good)), none);
    assert_eq!(says(10, &figures(good, figure(10_000, 120, 200))), none, "at the limits");
    assert_eq!(says(10, &figures(good, figure(10_000, 121, 100))), [fails]);
    assert_eq!(says(10, &figures(good, figure(1000, 0, 201))), [slow]);
    assert_eq!(says(10, &figures(good, figure(99, 99, 9000))), [to]);
    assert_eq!(says(10, &figures(good, None)), [to]);
    assert_eq!(says(10, &figures(None, good)), [from]);
    assert_eq!(says(10, &figures(None, None)), [to, from]);
    assert_eq!(says(10, &figures(good, no_p99)), ["doubt: p99: no data"]);
    assert_eq!(says(0, &figures(good, None)), none, "it has no traffic yet");
    assert_eq!(says(100, &figures(None, figure(1000, 999, 9))), none, "nothing to compare with");
    assert_eq!(says(100, &figures(None, None)), [to]);
}

#[test]
fn the_last_figures_of_the_other_side_count_once_it_has_no_traffic() {
    let mut watchman = Watchman::default();
    judge(&mut watchman, 50, &figures(figure(1000, 2, 100), figure(1000, 2, 100)));
    let verdict = judge(&mut watchman, 100, &figures(None, figure(1000, 50, 100)));
    assert!(matches!(verdict.findings[..], [Finding::ErrorRate { .. }]), "{verdict:?}");
    let verdict = judge(&mut watchman, 50, &figures(None, figure(1000, 50, 100)));
    assert!(verdict.findings.is_empty(), "old figures say nothing while it has traffic");
}

#[test]
fn alarms_targets_and_probes_speak_for_themselves() {
    let alarms = |state| {
        let (name, reason, since) = ("errors".into(), "5 > 1".into(), "12:00".into());
        let alarms = Some(Ok(vec![Alarm { name, state, reason, since }]));
        Signals { alarms, ..Signals::default() }
    };
    let targets = |healthy, unhealthy: &[&str]| {
        let unhealthy = unhealthy.iter().map(|target| (*target).to_owned()).collect();
        Signals { targets: Some(Ok(Targets { healthy, unhealthy })), ..Signals::default() }
    };
    let none: [&str; 0] = [];
    assert_eq!(says(0, &alarms(AlarmState::Ok)), none);
    let alarm = "finding: alarm errors is in ALARM since 12:00: 5 > 1";
    assert_eq!(says(0, &alarms(AlarmState::Alarm)), [alarm]);
    assert_eq!(
        says(0, &alarms(AlarmState::Insufficient)),
        ["doubt: alarm errors: INSUFFICIENT_DATA"]
    );
    assert_eq!(says(0, &alarms(AlarmState::Absent)), ["doubt: alarm errors: it does not exist"]);
    assert!(judge(&mut Watchman::default(), 0, &alarms(AlarmState::Absent)).is_hopeless);
    assert_eq!(says(0, &targets(2, &[])), none);
    assert_eq!(says(0, &targets(2, &["a", "b"])), ["finding: unhealthy targets of green: a, b"]);
    assert_eq!(says(0, &targets(0, &[])), ["finding: no target of green is healthy"]);

    let probe = |fails: bool| {
        let probe = if fails { Err("refused".to_owned()) } else { Ok(Duration::ZERO) };
        Signals { probe: Some(probe), ..Signals::default() }
    };
    let mut watchman = Watchman::default();
    let mut looks = |fails: bool| {
        let verdict = judge(&mut watchman, 10, &probe(fails));
        (verdict.findings.len(), verdict.doubts.len())
    };
    let seen = [true, false, true, true, true].map(&mut looks);
    assert_eq!(seen, [(0, 1), (0, 0), (0, 1), (1, 0), (1, 0)], "in a row");
    let (failures, why) = (3, "refused".to_owned());
    let again = judge(&mut watchman, 10, &Signals::default());
    assert!(again.findings.is_empty(), "nothing was asked");
    assert_eq!(
        Finding::Probe { failures, why }.to_string(),
        "the probe failed 3 times in a row: refused"
    );
}

#[test]
fn a_doubt_that_lasts_becomes_a_finding() {
    let start = Instant::now();
    let error = |class| OpError::new("DescribeAlarms", class, "Code", "text");
    let deaf = |class| Signals { alarms: Some(Err(error(class))), ..Signals::default() };
    let mut watchman = Watchman::default();
    let mut look = |after: u64, signals: &Signals, weights: Result<Weights, &OpError>| {
        let now = start + Duration::from_secs(after);
        let verdict = watchman.judge(&order(), weights, signals, now);
        (verdict.findings.len(), verdict.doubts.len(), verdict.is_hopeless)
    };
    let lost = deaf(ErrorClass::Service);
    let at = Ok(Weights::at(10));
    assert_eq!(look(0, &lost, at), (0, 1, false));
    assert_eq!(look(60, &lost, at), (0, 1, false));
    assert_eq!(look(61, &lost, at), (1, 0, false));
    assert_eq!(look(62, &Signals::default(), at), (0, 0, false));
    assert_eq!(look(63, &lost, at), (0, 1, false), "it begins again");
    assert_eq!(look(64, &deaf(ErrorClass::Denied), at), (0, 1, true));
    let unread = error(ErrorClass::Throttled);
    assert_eq!(look(100, &Signals::default(), Err(&unread)), (0, 1, false));
    assert_eq!(look(161, &Signals::default(), Err(&unread)), (1, 0, false));
}
