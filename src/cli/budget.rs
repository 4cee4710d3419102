//! The budget of an environment, before an apply.

use std::collections::BTreeSet;

use payctl_money::bill::{Bill, number_of};
use payctl_money::cents;
use serde_json::json;

use super::error::{CliError, ErrorKind};
use super::session::Session;
use super::{Context, cost};
use crate::ui::impact::{self, Impact};
use crate::ui::money::amount;
use payctl_engine::plan::{Plan, Purpose};

/// How many items without a price an error names.
const NAMED: usize = 5;

/// Refuses an apply that goes over the budget, or whose budget cannot be checked at all, unless it lowers the
/// cost or has a reason, which then counts.
pub(super) fn check(
    cx: &Context,
    session: &Session,
    plan: &Plan,
    reason: Option<&str>,
) -> Result<Option<String>, CliError> {
    if session.budget.is_none() || plan.purpose == Purpose::Destroy || plan.changes.is_empty() {
        return Ok(None);
    }
    let impact = cost::impact(session, plan, None);
    let Impact { before, after, .. } = &impact;
    let is_within = impact.over().is_none() && !after.is_unknown();
    if is_within || lowers(before, after) {
        warn_of_unpriced(cx, &impact);
        return Ok(None);
    }
    let what = what(&impact);
    let Some(reason) = reason else { return Err(refused(&impact, what)) };
    cx.note(format_args!("Over budget: {what}. Reason: {reason}"));
    if cx.screen.json {
        let monthly = (!after.is_unknown()).then(|| number_of(after.total(), 2));
        let over = impact.over().map(|over| number_of(over, 2));
        let budget = impact.budget.map(|budget| number_of(budget, 2));
        let body = json!({ "monthly": monthly, "budget": budget, "over": over, "reason": reason });
        let line = crate::ui::json::line(std::time::SystemTime::now(), "over_budget", &body);
        cx.screen.data(&line)?;
    }
    Ok(Some(reason.to_owned()))
}

/// Whether an apply costs no more than before. What has no price may cost more than all that is saved, and its
/// end may save more than all that is added.
fn lowers(before: &Bill, after: &Bill) -> bool {
    let lacks =
        |one: &Bill, other: &Bill| one.unpriced.iter().any(|it| !other.unpriced.contains(it));
    let is_less = cents(after.total()) <= cents(before.total());
    (is_less || lacks(before, after)) && !lacks(after, before)
}

/// What is wrong with the cost, in a sentence.
fn what(impact: &Impact) -> String {
    let budget = amount(cents(impact.budget.unwrap_or_default()));
    match impact.over() {
        Some(over) => format!(
            "the environment would cost {} USD a month, {} USD over its budget of {budget} USD",
            amount(impact.after.total()),
            amount(over),
        ),
        None => {
            let why = impact::unknown(&impact.after);
            format!("the budget of {budget} USD cannot be checked: {why}")
        }
    }
}

fn refused(impact: &Impact, what: String) -> CliError {
    let Impact { before, after, .. } = impact;
    let new = after.unpriced.iter().filter(|one| !before.unpriced.contains(one));
    let unknown: BTreeSet<&str> = new.map(|one| one.address.as_str()).collect();
    let mut named: Vec<String> = unknown.iter().take(NAMED).map(|&one| one.to_owned()).collect();
    if let more @ 1.. = unknown.len().saturating_sub(NAMED) {
        named.push(format!("{more} more"));
    }
    let unknown = Some(named).filter(|named| !named.is_empty());
    let unknown =
        unknown.map(|named| format!("resources without a known price: {}", named.join(", ")));
    let dearest = Some(impact::dearest(before, after)).filter(|dearest| !dearest.is_empty());
    let added: Vec<String> = dearest.into_iter().chain(unknown).collect();
    let error = CliError::new(ErrorKind::Budget, what)
        .because(format!("the plan adds {}", added.join("; ")));
    let error = match impact.over() {
        Some(_) => error.hinted("lower the cost, or raise `monthly` in [budget]"),
        None => error.hinted(impact::how_to_price(after)),
    };
    error.hinted("or go on with --over-budget \"REASON\"")
}

/// Says that a budget does not count what has no price.
fn warn_of_unpriced(cx: &Context, impact: &Impact) {
    let Impact { after, budget, .. } = impact;
    if after.unpriced.is_empty() || impact.over().is_some() {
        return;
    }
    let named = after.unpriced.iter().map(|one| format!("{} ({})", one.address, one.reason));
    cx.screen.note(&format!(
        "warning: the budget of {} USD cannot be checked, since these have no price: {}\n  {}\n",
        amount(cents(budget.unwrap_or_default())),
        named.collect::<Vec<_>>().join(", "),
        impact::how_to_price(after),
    ));
}
