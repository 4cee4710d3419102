//! Measured load and paid costs, beside what was assumed and estimated.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use payctl_money::actual::{Line, Sort};
use payctl_money::bill::{Bill, number_of};
use payctl_money::{Decimal, percent, round};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime};

use super::money::{amount, counted, number, sectioned, tabled};
use super::style::{Style, count};

/// One driver of a resource, as assumed and as measured.
#[derive(Clone, Debug)]
pub struct Driven {
    /// The resource.
    pub address: String,
    /// The driver, in a word.
    pub driver: String,
    /// What a month was assumed to bring; none if only `[usage]` says so for all.
    pub assumed: Option<Decimal>,
    /// What a month brings as measured; none if CloudWatch has no value.
    pub measured: Option<Decimal>,
    /// Whether CloudWatch has values.
    pub has_values: bool,
}

/// One driver of a resource that is not measured.
#[derive(Clone, Debug)]
pub struct Gap {
    /// The resource.
    pub address: String,
    /// The driver, in a word.
    pub driver: String,
    /// What a month is assumed to bring; none if only `[usage]` says so for all.
    pub assumed: Option<Decimal>,
    /// Why it is not measured.
    pub why: &'static str,
}

/// What was measured, beside the assumptions.
#[derive(Clone, Debug)]
pub struct Measured {
    /// From when.
    pub from: OffsetDateTime,
    /// Until when.
    pub until: OffsetDateTime,
    /// How many metrics CloudWatch was asked for.
    pub metrics: usize,
    /// What was measured.
    pub drivers: Vec<Driven>,
    /// Drivers that are not measured, and keep their assumption.
    pub gaps: Vec<Gap>,
    /// The bill by the assumptions.
    pub assumed: Bill,
}

/// What was paid, beside the estimate.
#[derive(Clone, Debug)]
pub struct Actual {
    /// From which day.
    pub from: Date,
    /// Until which day, which does not count.
    pub until: Date,
    /// The number of paid requests.
    pub requests: usize,
    /// The usages.
    pub lines: Vec<Line>,
    /// Whether the estimate has a price of each item.
    pub is_complete: bool,
    /// What a reader must know before believing it.
    pub notes: Vec<String>,
}

/// How far an assumption was off.
fn off(assumed: Decimal, measured: Decimal) -> String {
    match percent(measured - assumed, assumed) {
        Some(share) if share.is_zero() => "0 %".to_owned(),
        Some(share) if share.is_sign_negative() => format!("{} %", share.normalize()),
        Some(share) => format!("+{} %", share.normalize()),
        None if measured.is_zero() => String::new(),
        None => "new".to_owned(),
    }
}

/// An item of two bills: the resource, what it charges for, before and after.
type Pair<'a> = (&'a str, &'a str, Decimal, Decimal);

/// The items that cost something in one of two bills, the largest difference first.
fn pairs<'a>(before: &'a Bill, after: &'a Bill) -> Vec<Pair<'a>> {
    let mut pairs: BTreeMap<(&str, &str), (Decimal, Decimal)> = BTreeMap::new();
    for item in &before.items {
        pairs.entry((&item.address, &item.what)).or_default().0 += item.monthly;
    }
    for item in &after.items {
        pairs.entry((&item.address, &item.what)).or_default().1 += item.monthly;
    }
    let pairs = pairs.into_iter().map(|((address, what), (one, two))| (address, what, one, two));
    let mut pairs: Vec<Pair<'a>> = pairs.filter(|(_, _, one, two)| one != two).collect();
    pairs.sort_by_key(|(_, _, one, two)| std::cmp::Reverse((*one - *two).abs()));
    pairs
}

/// A table under a title, for a terminal or as Markdown. Numbers stand in some columns.
fn section(
    title: &str,
    head: &[&str],
    rows: Vec<Vec<String>>,
    numbers: &[usize],
    style: Option<Style>,
) -> String {
    let mut text = String::new();
    let Some(style) = style else {
        let _ = writeln!(text, "\n#### {title}");
        tabled(&mut text, head, &rows, numbers);
        return text;
    };
    let head = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    sectioned(&mut text, title, rows, numbers, style);
    text
}

impl Measured {
    /// For people: for a terminal with a style, else as Markdown. `bill` is the one as measured.
    pub fn text(&self, bill: &Bill, style: Option<Style>) -> String {
        let quantity =
            |one: Option<Decimal>| one.map_or_else(|| "-".to_owned(), |one| number(one, 3));
        let driven = |driven: &Driven| {
            let Driven { address, driver, assumed, measured, .. } = driven;
            let off = assumed.zip(*measured).map(|(assumed, measured)| off(assumed, measured));
            let (assumed, measured) = (quantity(*assumed), quantity(*measured));
            vec![address.clone(), driver.clone(), assumed, measured, off.unwrap_or_default()]
        };
        let head = ["resource", "a month", "assumed", "measured", "off"];
        let gap = |gap: &Gap| {
            let Gap { address, driver, assumed, why } = gap;
            let why = format!("{why}: as assumed");
            vec![address.clone(), driver.clone(), quantity(*assumed), "-".to_owned(), why]
        };
        let rows = self.drivers.iter().map(driven).chain(self.gaps.iter().map(gap)).collect();
        let days = counted(round(self.days(), 1), "day");
        let mut text = section(&format!("Load, measured over {days}"), &head, rows, &[2, 3], style);
        let item = |(address, what, one, two): Pair<'_>| {
            vec![address.into(), what.into(), amount(one), amount(two), off(one, two)]
        };
        let (one, two) = (self.assumed.total(), bill.total());
        let is_complete = bill.unpriced.is_empty();
        let share = if is_complete { off(one, two) } else { "incomplete".to_owned() };
        let total = vec!["total".into(), String::new(), amount(one), amount(two), share];
        let rows = pairs(&self.assumed, bill).into_iter().map(item).chain([total]).collect();
        let head = ["resource", "item", "assumed", "measured", "off"];
        let title = "Items that differ, in USD a month";
        if !bill.is_unknown() {
            text.push_str(&section(title, &head, rows, &[2, 3], style));
        }
        for note in self.notes() {
            let _ = writeln!(text, "\n{note}");
        }
        text
    }

    fn days(&self) -> Decimal {
        Decimal::from((self.until - self.from).whole_seconds()) / Decimal::from(86_400)
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = vec![format!(
            "CloudWatch was asked for {}; AWS charges 0.01 USD for a thousand. Everything else is computed \
             as without --measured.",
            count(self.metrics, "metric")
        )];
        let silent = self.drivers.iter().filter(|driven| !driven.has_values);
        let silent: Vec<String> =
            silent.map(|driven| format!("{} {}", driven.address, driven.driver)).collect();
        if !silent.is_empty() {
            notes.push(format!(
                "CloudWatch has no values, and counts are 0: {}.",
                silent.join(", ")
            ));
        }
        let gaps: BTreeSet<&str> = self.gaps.iter().map(|gap| gap.address.as_str()).collect();
        if !gaps.is_empty() {
            notes.push(format!(
                "Not measured, so as assumed: {}.",
                gaps.into_iter().collect::<Vec<_>>().join(", ")
            ));
        }
        notes
    }

    /// For programs.
    pub fn json(&self, bill: &Bill) -> Value {
        let time = |time: OffsetDateTime| time.format(&Rfc3339).ok();
        let share =
            |one: Decimal, two: Decimal| percent(two - one, one).map(|share| number_of(share, 1));
        let driven = |driven: &Driven| {
            let Driven { address, driver, assumed, measured, has_values } = driven;
            let [one, two] = [assumed, measured].map(|one| one.map(|one| number_of(one, 6)));
            let off = assumed.zip(*measured).and_then(|(one, two)| share(one, two));
            json!({ "address": address, "driver": driver, "assumed": one, "measured": two,
                "off_percent": off, "has_values": has_values })
        };
        let gap = |gap: &Gap| {
            let Gap { address, driver, assumed, why } = gap;
            let assumed = assumed.map(|one| number_of(one, 6));
            json!({ "address": address, "driver": driver, "assumed": assumed, "why": why })
        };
        let item = |(address, what, one, two): Pair<'_>| {
            json!({ "address": address, "what": what, "assumed": number_of(one, 6),
                "measured": number_of(two, 6), "off_percent": share(one, two) })
        };
        let (one, two) = (self.assumed.total(), bill.total());
        let sum = |sum: Decimal| (!bill.is_unknown()).then(|| number_of(sum, 2));
        let off = share(one, two).filter(|_| bill.unpriced.is_empty());
        json!({
            "from": time(self.from),
            "until": time(self.until),
            "metrics": self.metrics,
            "load": self.drivers.iter().map(driven).collect::<Vec<_>>(),
            "items": pairs(&self.assumed, bill).into_iter().map(item).collect::<Vec<_>>(),
            "gaps": self.gaps.iter().map(gap).collect::<Vec<_>>(),
            "total": { "assumed": sum(one), "measured": sum(two), "off_percent": off },
        })
    }
}

impl Actual {
    fn sums(&self) -> (Decimal, Decimal) {
        let sum = |of: fn(&Line) -> Decimal| self.lines.iter().map(of).sum::<Decimal>();
        (sum(|line| line.estimated), sum(|line| line.actual))
    }

    /// For people: for a terminal with a style, else as Markdown.
    pub fn text(&self, style: Option<Style>) -> String {
        let line = |line: &Line| {
            let Line { what, estimated, actual, sort, .. } = line;
            let said = match sort {
                Sort::Both => off(*estimated, *actual),
                Sort::Estimated => "nothing paid".to_owned(),
                Sort::Paid => "not in the estimate".to_owned(),
            };
            vec![what.clone(), amount(*estimated), amount(*actual), said]
        };
        let (one, two) = self.sums();
        let share = if self.is_complete { off(one, two) } else { "incomplete".to_owned() };
        let total = vec!["total".into(), amount(one), amount(two), share];
        let rows = self.lines.iter().map(line).chain([total]).collect();
        let title =
            format!("Estimate and actual cost in USD, from {} to before {}", self.from, self.until);
        let head = ["usage", "estimated", "actual", "off"];
        let mut text = section(&title, &head, rows, &[1, 2], style);
        for note in &self.notes {
            let _ = writeln!(text, "\n{note}");
        }
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let line = |line: &Line| {
            let Line { what, addresses, estimated, actual, sort } = line;
            let sort = match sort {
                Sort::Both => "both",
                Sort::Estimated => "estimated",
                Sort::Paid => "actual",
            };
            json!({ "what": what, "addresses": addresses, "estimated": number_of(*estimated, 6),
                "actual": number_of(*actual, 6), "sides": sort })
        };
        let (one, two) = self.sums();
        json!({
            "from": self.from.to_string(),
            "until": self.until.to_string(),
            "requests": self.requests,
            "lines": self.lines.iter().map(line).collect::<Vec<_>>(),
            "estimated": number_of(one, 2),
            "is_complete": self.is_complete,
            "actual": number_of(two, 2),
            "notes": self.notes,
        })
    }
}
