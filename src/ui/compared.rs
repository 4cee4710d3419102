//! Two bills side by side, as text, Markdown and JSON. What has no price is "no price", and never 0.

use std::fmt::Write as _;

use payctl_money::Decimal;
use payctl_money::bill::{Bill, number_of};
use payctl_money::compare::{Comparison, Line, Missing, Row};
use payctl_money::load::{Assumptions, Difference};
use serde_json::{Value, json};

use super::cost::{folded, json as bill_json, unpriced, unverified_only};
use super::money::{amount, number, sectioned, tabled};
use super::style::{Style, count};

/// The other side of a comparison.
#[derive(Clone, Copy, Debug)]
pub struct Sides<'a> {
    /// What a reader calls it.
    pub name: &'a str,
    /// The bill of it.
    pub before: &'a Bill,
    /// What differs.
    pub compared: &'a Comparison,
    /// Whose `[usage]` both sides are computed with.
    pub usage_of: &'a str,
    /// Where the `[usage]` of the other side says something else.
    pub differences: &'a [Difference],
    /// The steps between the two, if they are known.
    pub steps: &'a [Row],
}

/// What stands in place of an amount that is not known.
const NO_PRICE: &str = "no price";
const HEAD: [&str; 5] = ["before", "after", "saved", "%", "items that differ"];

impl Sides<'_> {
    /// What a reader must know about the other side before believing it.
    pub(super) fn doubts(&self, bill: &Bill) -> Vec<String> {
        let Self { name, before, usage_of, differences, .. } = self;
        let mut found = vec![format!("Both sides are computed with the [usage] of {usage_of}.")];
        if !differences.is_empty() {
            let say = |number: Option<Decimal>| {
                number.map_or_else(|| "what is computed".to_owned(), |known| self::number(known, 3))
            };
            let differs = differences
                .iter()
                .map(|one| format!("{} {} instead of {}", one.key, say(one.used), say(one.other)));
            let differs = differs.collect::<Vec<_>>().join(", ");
            found.push(format!("The [usage] of {name} differs. Used: {differs}."));
        }
        let unverified = unverified_only(before, bill);
        if !unverified.is_empty() {
            let unverified = unverified.join(", ");
            found.push(format!("{name}: Not verified in AWS's price list: {unverified}."));
        }
        found
    }

    /// Which sums lack something, and on which side.
    fn gaps(&self) -> Vec<String> {
        let rows = self.steps.iter().chain(&self.compared.components);
        let rows = rows.chain([&self.compared.total]).filter(|row| row.missing.is_any());
        rows.map(|row| format!("{} is incomplete: {}.", row.name, lacks(row.missing))).collect()
    }
}

/// What has no price, by side.
fn lacks(missing: Missing) -> String {
    let Missing { before, after, both } = missing;
    let sides = [(before, "before"), (after, "after"), (both, "before and after")];
    let sides = sides.into_iter().filter(|(number, _)| *number > 0);
    let said =
        sides.map(|(number, side)| format!("{} without a price {side}", count(number, "item")));
    said.collect::<Vec<_>>().join(", ")
}

/// A sum of which items lack a price: what is known of it.
fn known(sum: Decimal, missing: usize) -> Option<Decimal> {
    Some(sum).filter(|sum| missing == 0 || !sum.is_zero())
}

fn said(sum: Option<Decimal>) -> String {
    sum.map_or_else(|| NO_PRICE.to_owned(), amount)
}

/// How much is saved, in per cent.
fn share(percent: Option<Decimal>, saved: Option<Decimal>) -> String {
    match (percent, saved) {
        (Some(share), _) => share.normalize().to_string(),
        (None, Some(saved)) if saved < Decimal::ZERO => "new".to_owned(),
        (None, _) => String::new(),
    }
}

/// The sides of a row, and what is saved.
fn sums(row: &Row) -> [String; 4] {
    let Missing { before, after, both } = row.missing;
    let share =
        if row.missing.is_any() { String::new() } else { share(row.percent(), row.saved()) };
    let saved = row.saved().map_or_else(|| "-".to_owned(), amount);
    let sides = [known(row.before, before + both), known(row.after, after + both)].map(said);
    let [before, after] = sides;
    [before, after, saved, share]
}

fn cells(row: &Row) -> Vec<String> {
    let items = row.items.to_string();
    [row.name.clone()].into_iter().chain(sums(row)).chain([items]).collect()
}

fn step_cells(row: &Row) -> Vec<String> {
    [row.name.clone()].into_iter().chain(sums(row)).collect()
}

fn line_cells(line: &Line) -> Vec<String> {
    let saved = line.saved().map_or_else(|| "-".to_owned(), amount);
    vec![
        line.address.clone(),
        line.what.clone(),
        said(line.before),
        said(line.after),
        saved,
        share(line.percent(), line.saved()),
    ]
}

fn headed(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Vec<Vec<String>> {
    let head = head.iter().map(|cell| (*cell).to_owned()).collect();
    std::iter::once(head).chain(rows).collect()
}

/// The comparison for a terminal. `is_full` shows each item.
pub(super) fn text(sides: &Sides<'_>, bill: &Bill, is_full: bool, style: Style) -> String {
    let Sides { name, before, compared, steps, .. } = sides;
    let mut text = String::new();
    if !steps.is_empty() {
        let rows =
            headed(&["step", HEAD[0], HEAD[1], HEAD[2], HEAD[3]], steps.iter().map(step_cells));
        sectioned(&mut text, "Steps", rows, &[1, 2, 3, 4], style);
    }
    let all = compared.components.iter().chain([&compared.total]).map(cells);
    let head: Vec<&str> = ["component"].into_iter().chain(HEAD).collect();
    let title = format!("Compared with {name}");
    sectioned(&mut text, &title, headed(&head, all), &[1, 2, 3, 4, 5], style);
    if is_full && !compared.items.is_empty() {
        let rows = headed(
            &["resource", "what", HEAD[0], HEAD[1], HEAD[2], HEAD[3]],
            compared.items.iter().map(line_cells),
        );
        sectioned(&mut text, "Items that differ", rows, &[2, 3, 4, 5], style);
    } else if !compared.items.is_empty() {
        let _ = writeln!(text, "  -v shows each item");
    }
    for gap in sides.gaps() {
        let _ = writeln!(text, "  {gap}");
    }
    let missing = unpriced(before, Some(bill));
    if !missing.is_empty() {
        let title = format!("Not in the sums of {name}, without a price");
        sectioned(&mut text, &title, missing, &[], style);
    }
    text
}

/// The comparison as Markdown.
pub(super) fn markdown(sides: &Sides<'_>, bill: &Bill) -> String {
    let Sides { name, before, compared, steps, .. } = sides;
    let mut text = format!("\nCompared with {name}:\n");
    if !steps.is_empty() {
        let rows: Vec<Vec<String>> = steps.iter().map(step_cells).collect();
        tabled(&mut text, &["step", HEAD[0], HEAD[1], HEAD[2], HEAD[3]], &rows, &[1, 2, 3, 4]);
    }
    let head: Vec<&str> = ["component"].into_iter().chain(HEAD).collect();
    let all = compared.components.iter().chain([&compared.total]);
    let all: Vec<Vec<String>> = all.map(cells).collect();
    tabled(&mut text, &head, &all, &[1, 2, 3, 4, 5]);
    for gap in sides.gaps() {
        let _ = writeln!(text, "\n{gap}");
    }
    let items: Vec<Vec<String>> = compared.items.iter().map(line_cells).collect();
    let head = ["resource", "what", HEAD[0], HEAD[1], HEAD[2], HEAD[3]];
    let title = match items.len() {
        1 => "1 item that differs".to_owned(),
        number => format!("{number} items that differ"),
    };
    text.push_str(&folded(&title, &head, &items, &[2, 3, 4, 5]));
    let missing = unpriced(before, Some(bill));
    let title = format!("{} of {name} without a price", count(missing.len(), "item"));
    text.push_str(&folded(&title, &["resource", "why"], &missing, &[]));
    text
}

/// The comparison as JSON.
pub fn json(sides: &Sides<'_>, assume: &Assumptions) -> Value {
    let Sides { name, before, compared, usage_of, differences, steps } = sides;
    let differs = |one: &Difference| {
        let say = |number: Option<Decimal>| number.map(|known| number_of(known, 3));
        json!({ "key": one.key, "used": say(one.used), "other": say(one.other) })
    };
    let places = |sum: Option<Decimal>, places: u32| sum.map(|sum| number_of(sum, places));
    let row = |row: &Row| {
        let Missing { before, after, both } = row.missing;
        json!({
            "name": row.name,
            "before": places(known(row.before, before + both), 2),
            "after": places(known(row.after, after + both), 2),
            "saved": places(row.saved(), 2),
            "percent": places(row.percent(), 1),
            "items": row.items,
            "unpriced": { "before": before + both, "after": after + both },
        })
    };
    let line = |line: &Line| {
        json!({
            "address": line.address,
            "component": line.component,
            "what": line.what,
            "before": places(line.before, 6),
            "after": places(line.after, 6),
            "saved": places(line.saved(), 6),
            "percent": places(line.percent(), 1),
        })
    };
    json!({
        "name": name,
        "total": row(&compared.total),
        "steps": steps.iter().map(row).collect::<Vec<_>>(),
        "components": compared.components.iter().map(row).collect::<Vec<_>>(),
        "resources": compared.resources.iter().map(row).collect::<Vec<_>>(),
        "items": compared.items.iter().map(line).collect::<Vec<_>>(),
        "usage_of": usage_of,
        "usage_differs": differences.iter().map(differs).collect::<Vec<_>>(),
        "bill": bill_json(before, assume),
    })
}
