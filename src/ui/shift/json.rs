//! A shift for programs: the bodies of its lines. `docs/json.md` is the contract.

use serde_json::{Value, json};

use super::{Sides, Standing, end_word, finding_word};
use crate::ui::json::millis;
use payctl_engine::shift::{Doubt, End, Event, Finding, Outlook, Report};
use payctl_engine::traffic::{Figure, Figures, Weights};

/// The type and the body of the line for an event.
pub fn event(event: &Event, sides: &Sides) -> (&'static str, Value) {
    match event {
        Event::Stands { weights, claim } => {
            ("shift_stands", json!({ "weights": shares(sides, *weights), "claim": claim }))
        }
        Event::WaitingForClaim { claim, unmoved, limit } => (
            "shift_waits",
            json!({
                "claim": claim,
                "unmoved_ms": millis(*unmoved),
                "limit_ms": millis(*limit),
            }),
        ),
        Event::Claiming { left } => ("shift_claiming", json!({ "left_ms": millis(*left) })),
        Event::Claimed { cut_off } => ("shift_claimed", json!({ "cut_off": cut_off })),
        Event::Moving { from, to } => (
            "shift_moving",
            json!({ "before": shares(sides, *from), "weights": shares(sides, *to) }),
        ),
        Event::Moved { percent } => ("shift_moved", json!({ "percent": percent })),
        Event::Baking { percent, baked, bake, figures, doubts } => (
            "shift_baking",
            json!({
                "percent": percent,
                "baked_ms": millis(*baked),
                "bake_ms": millis(*bake),
                "figures": figures.as_ref().map(|figures| both(sides, figures)),
                "doubts": doubts.iter().map(doubted).collect::<Vec<_>>(),
            }),
        ),
        Event::Found { findings } => {
            ("shift_found", json!({ "findings": findings.iter().map(found).collect::<Vec<_>>() }))
        }
        Event::Retrying { error, after } => {
            ("shift_retrying", json!({ "error": error, "after_ms": millis(*after) }))
        }
    }
}

/// The body of a `shift` line: the report.
pub fn report_body(name: &str, sides: &Sides, report: &Report) -> Value {
    let findings = report.findings.iter().map(|(finding, after)| {
        let mut body = found(finding);
        body["after_ms"] = json!(millis(*after));
        body
    });
    let moved = report
        .moved
        .iter()
        .map(|(percent, after)| json!({ "percent": percent, "after_ms": millis(*after) }));
    let error = match &report.end {
        End::Failed(error) => Some(error.to_string()),
        _ => None,
    };
    json!({
        "shift": name,
        "from": sides.from,
        "to": sides.to,
        "end": end_word(&report.end),
        "error": error,
        "weights": report.weights.map(|weights| shares(sides, weights)),
        "percent": report.weights.and_then(Weights::percent),
        "moved": moved.collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
        "leaves_claim": report.leaves_claim,
        "elapsed_ms": millis(report.elapsed),
    })
}

/// The body of a `shift_plan` line.
pub fn plan_body(name: &str, sides: &Sides, seen: &Outlook) -> Value {
    let mut body = standing(name, sides, seen);
    body["end"] = json!(seen.end.as_ref().map(end_word));
    body["left"] = json!(seen.left);
    body["least_ms"] = json!(millis(seen.least));
    body
}

/// The body of a `shift_status` line.
pub fn status_body(rows: &[Standing]) -> Value {
    let row = |row: &Standing| match &row.seen {
        Ok((sides, seen)) => standing(&row.name, sides, seen),
        Err(why) => json!({ "shift": row.name, "error": why }),
    };
    json!({ "shifts": rows.iter().map(row).collect::<Vec<_>>() })
}

fn standing(name: &str, sides: &Sides, seen: &Outlook) -> Value {
    json!({
        "shift": name,
        "from": sides.from,
        "to": sides.to,
        "weights": shares(sides, seen.weights),
        "percent": seen.percent,
        "claim": seen.claim,
        "findings": seen.findings.iter().map(found).collect::<Vec<_>>(),
        "doubts": seen.doubts.iter().map(doubted).collect::<Vec<_>>(),
        "figures": seen.figures.as_ref().map(|figures| both(sides, figures)),
        "error": null,
    })
}

fn shares(sides: &Sides, weights: Weights) -> Value {
    json!({ sides.from.as_str(): weights.from, sides.to.as_str(): weights.to })
}

fn both(sides: &Sides, figures: &Figures) -> Value {
    let one = |figure: Option<Figure>| {
        figure.map(|figure| {
            json!({
                "requests": figure.requests,
                "errors": figure.errors,
                "p99_ms": figure.p99.map(millis),
            })
        })
    };
    json!({ sides.from.as_str(): one(figures.from), sides.to.as_str(): one(figures.to) })
}

fn found(finding: &Finding) -> Value {
    json!({ "kind": finding_word(finding), "text": finding.to_string() })
}

fn doubted(doubt: &Doubt) -> Value {
    json!({ "about": doubt.about, "why": doubt.why })
}
