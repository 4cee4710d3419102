//! The machine's view: one JSON object per line, each with `"v": 1` and a `type`.
//!
//! `docs/json.md` is the contract. A version may get new members. Only a new version may rename or
//! remove a member, or change its meaning.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use super::outputs::Outputs;
use super::plan::{Counts, View, noticed, undone, visible};
use super::report::{Block, cause, failure};
use super::text::json_escaped;
use super::{impact, looking};
use payctl_engine::apply::Report;
use payctl_engine::event::{Event, Verb};
use payctl_engine::model::address::Address;
use payctl_engine::model::meta::Meta;
use payctl_engine::outlook::{self, Estimate};
use payctl_engine::plan::{Change, Plan};

/// The version of the format.
const VERSION: u32 = 1;

/// One line: the version, the type, the time, and the body's members.
pub fn line(at: SystemTime, kind: &str, body: &Value) -> String {
    let time = OffsetDateTime::from(at).format(format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
    ));
    let head = format!("{{\"v\":{VERSION},\"type\":{},\"time\":{}", json!(kind), json!(time.ok()));
    let body = json_escaped(&body.to_string());
    // The three members of every line come first, for people who read along.
    match body.strip_prefix('{').filter(|rest| *rest != "}") {
        Some(rest) => format!("{head},{rest}\n"),
        None => format!("{head}}}\n"),
    }
}

/// The body of a `plan` line.
pub fn plan(plan: &Plan, view: View<'_>) -> Value {
    let effort = view.effort;
    let Counts { create, update, replace, delete, irreversible } = Counts::of(plan);
    let changes = plan.changes.iter().map(|change| {
        let fields = change.fields.iter().filter_map(visible).map(|field| {
            json!({
                "path": field.path,
                "before": field.before,
                "after": field.after,
                "known": !field.unknown,
            })
        });
        let outlook = outlook::of(change, view.meta(change));
        json!({
            "address": change.address,
            "action": change.action,
            "follows": change.follows,
            "undo": undone(outlook.undo),
            "traffic": noticed(outlook.traffic, outlook.outage),
            "name": change.name,
            "component": change.component,
            "origin": change.origin,
            "because": change.because,
            "irreversible": change.irreversible,
            "regain": change.regain,
            "create_first": change.create_first,
            "fields": fields.collect::<Vec<_>>(),
        })
    });
    json!({
        "scope": plan.scope,
        "purpose": plan.purpose,
        "changes": changes.collect::<Vec<_>>(),
        "unchanged": plan.unchanged,
        "refused": plan.refused,
        "notes": plan.notes,
        "uses": view.uses,
        "unseen": looking::json(&plan.unseen),
        "left_alone": plan.left_alone,
        "summary": {
            "create": create,
            "update": update,
            "replace": replace,
            "delete": delete,
            "unchanged": plan.unchanged.len(),
            "refused": plan.refused.len(),
            "irreversible": irreversible,
        },
        "estimate": view.estimate.map(|estimate| self::estimate(plan, estimate)),
        "cost": view.cost.map(impact::json),
        "api_calls": effort.map(|effort| effort.calls),
        "elapsed_ms": effort.map(|effort| millis(effort.elapsed)),
    })
}

/// How long a plan will take, and the steps that decide about it.
fn estimate(plan: &Plan, estimate: &Estimate) -> Value {
    let steps = estimate.path.iter().map(|at| {
        let of = estimate.graph.steps[*at];
        let lasts = millis(estimate.lasts[*at]);
        json!({ "address": plan.changes[of.change].address, "step": step(of.verb), "ms": lasts })
    });
    let calls = estimate.total_calls();
    let path: Vec<_> = steps.collect();
    json!({ "ms": millis(estimate.total()), "calls": calls, "critical_path": path })
}

/// The type and the body of the line for an event.
pub fn event(event: &Event) -> (&'static str, Value) {
    match event {
        Event::Started { address, verb } => {
            ("started", json!({ "address": address, "step": step(*verb) }))
        }
        Event::Waiting { address, status, elapsed } => {
            let elapsed = millis(*elapsed);
            ("waiting", json!({ "address": address, "status": status, "elapsed_ms": elapsed }))
        }
        Event::Retrying { address, error, after } => {
            let after = millis(*after);
            ("retrying", json!({ "address": address, "error": error, "after_ms": after }))
        }
        Event::Finished { address, verb, elapsed } => {
            let (step, elapsed) = (step(*verb), millis(*elapsed));
            ("finished", json!({ "address": address, "step": step, "elapsed_ms": elapsed }))
        }
        Event::Failed { address, verb, error } => (
            "failed",
            json!({
                "address": address,
                "step": step(*verb),
                "text": error.to_string(),
                "error": cause(error),
            }),
        ),
        Event::Skipped { address, verb, because } => {
            ("skipped", json!({ "address": address, "step": step(*verb), "because": because }))
        }
        Event::Stopping { in_flight } => ("stopping", json!({ "in_flight": in_flight })),
    }
}

/// The body of a `report` line.
pub fn report(plan: &Plan, report: &Report, kinds: &[&'static Meta]) -> Value {
    let changes: BTreeMap<&Address, &Change> =
        plan.changes.iter().rev().map(|change| (&change.address, change)).collect();
    let failed = report.failed.iter().map(|(address, verb, error)| {
        let change = changes.get(address).copied();
        let mut body = block(&failure(address, *verb, change, error, kinds));
        body["address"] = json!(address);
        body["step"] = json!(step(*verb));
        body["error"] = json!(cause(error));
        body
    });
    let skipped = report.skipped.iter().map(|(address, verb, because)| {
        json!({ "address": address, "step": step(*verb), "because": because })
    });
    let steps = |steps: &[(Address, Verb)]| {
        let step =
            |(address, verb): &(Address, Verb)| json!({ "address": address, "step": step(*verb) });
        steps.iter().map(step).collect::<Vec<_>>()
    };
    json!({
        "purpose": plan.purpose,
        "complete": report.is_complete(),
        "interrupted": report.interrupted,
        "done": steps(&report.done),
        "failed": failed.collect::<Vec<_>>(),
        "skipped": skipped.collect::<Vec<_>>(),
        "remaining": steps(&report.remaining),
        "elapsed_ms": millis(report.elapsed),
    })
}

/// An error block as a body.
pub fn block(block: &Block) -> Value {
    json!({
        "message": block.title,
        "what": block.what,
        "where": block.place,
        "hints": block.hints,
        "details": block.details,
    })
}

/// The body of an `outputs` line, with the descriptions of the outputs that have one; a value that is
/// not known yet is null.
pub fn outputs(outputs: &Outputs, described: &BTreeMap<String, String>) -> Value {
    let values = outputs.iter().map(|(name, text)| (name.clone(), json!(text.literal())));
    json!({ "outputs": Value::Object(values.collect()), "descriptions": described })
}

/// The word for a step.
pub fn step(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "create",
        Verb::Update => "update",
        Verb::Delete => "delete",
    }
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
