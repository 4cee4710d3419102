//! What people and programs see of a shift.

use std::time::Duration;

use payctl_engine::shift::ShiftError;

use super::*;

fn sides() -> Sides {
    Sides { from: "blue".into(), to: "green".into() }
}

fn figure(requests: u64, errors: u64, p99: u64) -> Option<Figure> {
    Some(Figure { requests, errors, p99: Some(Duration::from_millis(p99)) })
}

fn alarm() -> Finding {
    let (reason, since) = ("3 errors".into(), "2026-11-30T10:00:00Z".into());
    Finding::Alarm { name: "errors".into(), reason, since }
}

fn reported(end: End, moved: &[u8]) -> Report {
    let findings = match end {
        End::RolledBack => vec![(alarm(), Duration::from_secs(70))],
        _ => Vec::new(),
    };
    Report {
        weights: Some(Weights::at(*moved.last().unwrap_or(&0))),
        moved: moved.iter().map(|percent| (*percent, Duration::from_secs(20))).collect(),
        findings,
        leaves_claim: matches!(end, End::Interrupted | End::Failed(_)),
        elapsed: Duration::from_secs(75),
        end,
    }
}

#[test]
fn events_are_lines() {
    let figures = Figures { from: figure(900, 9, 120), to: figure(100, 2, 180) };
    let doubt = Doubt { about: "alarm errors".into(), why: "INSUFFICIENT_DATA".into() };
    let bake = Duration::from_secs(300);
    let events = [
        Event::Stands { weights: Weights::at(0), claim: None },
        Event::Claiming { left: Duration::from_secs(15) },
        Event::Claimed { cut_off: false },
        Event::Moving { from: Weights::at(0), to: Weights::at(10) },
        Event::Moved { percent: 10 },
        Event::Baking {
            percent: 10,
            baked: Duration::from_secs(65),
            bake,
            figures: Some(figures),
            doubts: vec![doubt],
        },
        Event::Found { findings: vec![alarm()] },
        Event::Moved { percent: 0 },
    ];
    let lines: Vec<String> =
        events.iter().filter_map(|event| text(event, &sides(), Style::PLAIN)).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    Traffic stands at blue 100 %, green 0 %.
      claiming the traffic: 15 s left
      the traffic is claimed
      moving traffic to blue 90 %, green 10 %
    > green 10 %, blue 90 %
      green 10 % for 1 m 05 s of 5 m 00 s; blue: 900 requests, 1.00 % errors, p99 120 ms; green: 100 requests, 2.00 % errors, p99 180 ms; waiting for alarm errors: INSUFFICIENT_DATA
    ! alarm errors is in ALARM since 2026-11-30T10:00:00Z: 3 errors
    < green 0 %, blue 100 %
    ");
}

#[test]
fn a_chart_shows_both_sides() {
    let now = Figures { from: figure(900, 0, 100), to: figure(300, 3, 200) };
    let past = [Figures { from: figure(900, 0, 100), to: None }, now];
    let lines = chart::chart(&sides(), Weights::at(25), Some(&now), &past);
    insta::assert_snapshot!(lines.join("\n"), @"
    blue   75 % ######################........  900 requests, 0.00 % errors, p99 100 ms  ▄▄
    green  25 % #######.......................  300 requests, 1.00 % errors, p99 200 ms   █
    ");
}

#[test]
fn a_report_says_how_it_ended_and_what_to_do() {
    let text = |end, moved: &[u8]| report("pay", &sides(), &reported(end, moved), Style::PLAIN);
    insta::assert_snapshot!(text(End::RolledBack, &[10, 0]), @"

    Shift pay, after 1 m 15 s: rolled back: all traffic is on blue.
      now     blue 100 %, green 0 %
      moved   after 20 s: green 10 %
      moved   after 20 s: green 0 %
      found   after 1 m 10 s: alarm errors is in ALARM since 2026-11-30T10:00:00Z: 3 errors
      hint    correct the cause, and run payctl shift pay --to green again
    ");
    insta::assert_snapshot!(text(End::Failed(ShiftError::Lost(None)), &[10]), @"

    Shift pay, after 1 m 15 s: failed: this run lost its claim: somebody has removed it; traffic stays as it is.
      now     blue 90 %, green 10 %
      moved   after 20 s: green 10 %
      hint    payctl shift pay --to green goes on from where traffic stands
      hint    payctl shift back pay --to blue takes all traffic back
      hint    the claim of this run stays: the next run waits for 45 s before it takes over
    ");
    let done = text(End::Done, &[100]);
    assert!(!done.contains("hint"), "{done}");
}

#[test]
fn programs_read_the_same() {
    let body = report_body("pay", &sides(), &reported(End::RolledBack, &[10, 0]));
    assert_eq!(body["end"], "rolled_back");
    assert_eq!(body["weights"]["blue"], 100);
    assert_eq!(body["moved"][0]["percent"], 10);
    assert_eq!(body["findings"][0]["kind"], "alarm");
    let (kind, body) = event(&Event::Moved { percent: 25 }, &sides());
    assert_eq!((kind, &body["percent"]), ("shift_moved", &25.into()));
}

#[test]
fn a_shift_without_traffic_says_why() {
    let row =
        Standing { name: "pay".into(), seen: Err("elb.listener/public-443 does not exist".into()) };
    let text = status(&[row], Style::PLAIN);
    assert_eq!(text, "pay\n  elb.listener/public-443 does not exist\n");
    assert_eq!(status(&[], Style::PLAIN), "The config has no shifts.\n");
}
