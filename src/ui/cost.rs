//! A bill as text, Markdown and JSON.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use payctl_money::Decimal;
use payctl_money::bill::{Basis, Bill, Item, PricedBy, number_of};
use payctl_money::load::Assumptions;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use super::compared::{self, Sides};
use super::impact::{dated, how_to_price, unknown};
use super::money::{amount, counted, number, sectioned, tabled};
use super::style::{Paint, Style, count};

/// What an environment costs until its time has passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Until {
    /// The end.
    pub end: OffsetDateTime,
    /// How many hours that are from now on.
    pub hours: Decimal,
    /// What they cost.
    pub sum: Decimal,
}

impl Until {
    /// Computes the sum from now to the end; none if the end has passed.
    pub fn of(bill: &Bill, now: OffsetDateTime, end: OffsetDateTime) -> Option<Self> {
        let seconds = (end - now).whole_seconds();
        let hours = Decimal::from(seconds) / Decimal::from(3600);
        (seconds > 0).then(|| Self { end, hours, sum: bill.of_hours(hours) })
    }

    /// `about 4.62 USD until 2026-12-02 18:00Z`.
    pub(super) fn text(&self, currency: &str) -> String {
        let minute = format_description!("[year]-[month]-[day] [hour]:[minute]Z");
        let end = self.end.to_offset(UtcOffset::UTC).format(minute).unwrap_or_default();
        format!("about {} {currency} until {end}", amount(self.sum))
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        json!({
            "end": self.end.truncate_to_second().to_offset(UtcOffset::UTC).format(&Rfc3339).ok(),
            "hours": number_of(self.hours, 2),
            "sum": number_of(self.sum, 2),
        })
    }
}

/// What a reader of a bill is shown.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// Of what: project, environment and region.
    pub scope: &'a str,
    /// The bill.
    pub bill: &'a Bill,
    /// What it is computed from.
    pub assume: &'a Assumptions,
    /// What the environment costs until it goes, if it goes by itself.
    pub until: Option<&'a Until>,
    /// The other side, if there is one.
    pub compared: Option<&'a Sides<'a>>,
    /// Whether a comparison shows each item on a terminal.
    pub is_full: bool,
}

impl Statement<'_> {
    /// The first line.
    fn title(&self) -> String {
        let Self { scope, bill, .. } = self;
        match bill.is_unknown() {
            true => format!("Cost of {scope}: {}", unknown(bill)),
            false => format!("Cost of {scope}, in {} a month", bill.currency),
        }
    }

    /// Where the prices are from.
    fn prices(&self) -> Vec<String> {
        let bill = self.bill;
        let own = Some(bill.table_date()).filter(|date| !date.is_empty());
        let own = own.map(|date| {
            format!("List prices on demand in payctl; the oldest date of one is {date}.")
        });
        let file = |PricedBy { origin, items, .. }: PricedBy<'_>| {
            let (name, date) = (&origin.name, dated(&origin.oldest));
            format!("Prices of {name} ({date}): {}.", count(items, "item"))
        };
        own.into_iter().chain(bill.priced_by().into_iter().map(file)).collect()
    }

    /// The sums, with what is not in them.
    fn sums(&self) -> Vec<[String; 3]> {
        let bill = self.bill;
        let hourly = format!("{} an hour, used or not", number(bill.hourly(), 4));
        let lacks = match bill.unpriced.len() {
            0 => String::new(),
            number => format!("incomplete: {} without a price", count(number, "item")),
        };
        vec![
            ["fixed".into(), amount(bill.fixed()), hourly],
            ["usage".into(), amount(bill.usage()), String::new()],
            ["total".into(), amount(bill.total()), lacks],
        ]
    }

    /// The sum until the environment goes.
    fn until(&self) -> Option<String> {
        let until = self.until.filter(|_| !self.bill.is_unknown())?;
        Some(format!("{}, if it is applied now", until.text(&self.bill.currency)))
    }

    /// What a reader must know before believing it.
    fn doubts(&self) -> Vec<String> {
        let unverified = self.bill.unverified();
        let mut doubts = Vec::new();
        if !unverified.is_empty() {
            doubts.push(format!("Not verified in AWS's price list: {}.", unverified.join(", ")));
        }
        doubts.extend(self.compared.into_iter().flat_map(|sides| sides.doubts(self.bill)));
        doubts
    }
}

/// The assumptions in a sentence.
fn assumed(assume: &Assumptions) -> String {
    let Assumptions { payments_per_month, function_ms, peak_factor, .. } = assume;
    let mut text = format!(
        "Assumed: {} a month, functions of {} ms, a peak of {} the average, {} a month, data of {}",
        counted(*payments_per_month, "payment"),
        number(*function_ms, 0),
        counted(*peak_factor, "time"),
        counted(assume.hours_per_month, "hour"),
        counted(assume.age_months, "month"),
    );
    if assume.free_quantities {
        text.push_str(", free quantities subtracted");
    }
    text.push('.');
    text
}

/// What has no price, by address. What is in another list already is left out.
pub(super) fn unpriced(bill: &Bill, known: Option<&Bill>) -> Vec<Vec<String>> {
    let known = known.map(|known| known.unpriced.as_slice()).unwrap_or_default();
    let new = bill.unpriced.iter().filter(|one| !known.contains(one));
    new.map(|one| vec![one.address.clone(), one.reason.clone()]).collect()
}

/// A whole bill for a terminal.
pub fn text(statement: Statement<'_>, style: Style) -> String {
    let Statement { bill, assume, compared, is_full, .. } = statement;
    let mut text = String::new();
    let _ = writeln!(text, "{}", style.paint(Paint::Bold, &statement.title()));
    if bill.is_unknown() {
        let _ = writeln!(text, "What to do: {}.", how_to_price(bill));
    }
    let _ = writeln!(text, "{}", assumed(assume));
    for line in statement.prices() {
        let _ = writeln!(text, "{line}");
    }
    if !bill.is_unknown() {
        let sums = statement.sums().into_iter().map(Vec::from).collect();
        sectioned(&mut text, "Sums", sums, &[1], style);
        if let Some(until) = statement.until() {
            let _ = writeln!(text, "  {until}");
        }
        let components = bill.components().into_iter();
        let components = components.map(|(name, sum)| vec![name.to_owned(), amount(sum)]).collect();
        sectioned(&mut text, "Components", components, &[1], style);
        if compared.is_none() || is_full {
            let items = bill.items.iter().map(|item| row(item).to_vec()).collect();
            sectioned(&mut text, "Items", items, &[3], style);
        }
    }
    let missing = unpriced(bill, None);
    if !missing.is_empty() {
        sectioned(&mut text, "Not in the sums, without a price", missing, &[], style);
        if !bill.is_unknown() {
            let _ = writeln!(text, "  What to do: {}.", how_to_price(bill));
        }
    }
    if let Some(sides) = compared {
        text.push_str(&compared::text(sides, bill, is_full, style));
    }
    let doubts = statement.doubts();
    if !doubts.is_empty() {
        text.push('\n');
        for doubt in doubts {
            let _ = writeln!(text, "{doubt}");
        }
    }
    text
}

/// A line of a bill as cells.
fn row(item: &Item) -> [String; 5] {
    let basis = match item.basis {
        Basis::Fixed => "fixed",
        Basis::Usage => "usage",
    };
    let mark = if item.verified { "" } else { ", not verified" };
    let origin = item.priced_by.as_ref().map(|name| format!(", price of {name}"));
    [
        item.address.clone(),
        item.what.clone(),
        format!("{} x {}", counted(item.quantity, &item.unit), number(item.unit_price, 12)),
        amount(item.monthly),
        format!("{basis}{mark}{}", origin.unwrap_or_default()),
    ]
}

/// A whole bill as Markdown.
pub fn markdown(statement: Statement<'_>) -> String {
    let Statement { bill, assume, compared, .. } = statement;
    let mut text = format!("### {}\n", statement.title());
    if bill.is_unknown() {
        let _ = writeln!(text, "\nWhat to do: {}.", how_to_price(bill));
    } else {
        let bold = |text: String, is_bold: bool| if is_bold { format!("**{text}**") } else { text };
        let sum = |[name, sum, note]: [String; 3]| {
            let is_total = name == "total";
            vec![bold(name, is_total), bold(sum, is_total), note]
        };
        let sums: Vec<Vec<String>> = statement.sums().into_iter().map(sum).collect();
        tabled(&mut text, &["", "amount", ""], &sums, &[1]);
        if let Some(until) = statement.until() {
            let _ = writeln!(text, "\n{until}");
        }
    }
    match compared {
        Some(sides) => text.push_str(&compared::markdown(sides, bill)),
        None if bill.is_unknown() => {}
        None => {
            let components = bill.components().into_iter();
            let components: Vec<Vec<String>> =
                components.map(|(name, sum)| vec![name.to_owned(), amount(sum)]).collect();
            tabled(&mut text, &["component", "amount"], &components, &[1]);
        }
    }
    let items: Vec<Vec<String>> = bill.items.iter().map(|item| row(item).to_vec()).collect();
    let head = ["resource", "what", "quantity and price", "amount", "basis"];
    text.push_str(&folded(&count(items.len(), "item"), &head, &items, &[3]));
    let missing = unpriced(bill, None);
    let title = format!("{} without a price, not in the sums", count(missing.len(), "item"));
    text.push_str(&folded(&title, &["resource", "why"], &missing, &[]));
    let lines = [assumed(assume)].into_iter().chain(statement.prices()).chain(statement.doubts());
    for line in lines {
        let _ = writeln!(text, "\n{line}");
    }
    text
}

/// A table of Markdown below a title on which a reader clicks; nothing without rows.
pub(super) fn folded(
    title: &str,
    head: &[&str],
    rows: &[Vec<String>],
    numbers: &[usize],
) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut text = format!("\n<details><summary>{title}</summary>\n");
    tabled(&mut text, head, rows, numbers);
    text.push_str("\n</details>\n");
    text
}

/// A bill as JSON.
pub fn json(bill: &Bill, assume: &Assumptions) -> Value {
    let mut value = sums(bill);
    value["prices"] = price_files_json(bill);
    value["items"] = json!(bill.items);
    value["unpriced"] = json!(bill.unpriced);
    value["unverified"] = json!(bill.unverified());
    value["assumptions"] = assumptions(assume);
    value
}

/// The sums of a bill; null if no price is known.
pub(super) fn sums(bill: &Bill) -> Value {
    let sum = |sum: Decimal, places: u32| (!bill.is_unknown()).then(|| number_of(sum, places));
    json!({
        "currency": bill.currency,
        "region": bill.region,
        "prices_of": bill.prices_of,
        "is_complete": bill.unpriced.is_empty(),
        "fixed_hourly": sum(bill.hourly(), 6),
        "fixed_monthly": sum(bill.fixed(), 2),
        "usage_monthly": sum(bill.usage(), 2),
        "total_monthly": sum(bill.total(), 2),
    })
}

/// The files and lists whose prices count in place of those in payctl.
pub(super) fn price_files_json(bill: &Bill) -> Value {
    let file = |PricedBy { origin, meters, items }: PricedBy<'_>| {
        let date = Some(&origin.oldest).filter(|date| !date.is_empty());
        json!({ "name": origin.name, "date": date, "items": items, "meters": meters })
    };
    bill.priced_by().into_iter().map(file).collect()
}

fn assumptions(assume: &Assumptions) -> Value {
    let mut value = json!({ "free_quantities": assume.free_quantities });
    for (name, number) in assume.named() {
        value[name] = json!(number_of(number, 3));
    }
    value
}

/// The doubts about a bill that another one does not have.
pub(super) fn unverified_only(bill: &Bill, known: &Bill) -> Vec<String> {
    let known: BTreeSet<&str> = known.unverified().into_iter().collect();
    let all = bill.unverified().into_iter().filter(|meter| !known.contains(meter));
    all.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use payctl_money::bill::{Charge, Charged};
    use payctl_money::decimal;
    use payctl_money::prices::Prices;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_sum_until_the_end_is_that_of_the_hours_that_are_left() {
        let charged = |charge| {
            let [address, component] = ["ec2.nat_gateway/main", "network"].map(str::to_owned);
            Charged { address, component, charge }
        };
        let d = |text: &str| decimal(text).expect("a number");
        let charges = vec![
            charged(Charge::fixed("NAT gateway", "nat.hours", d("730"))),
            charged(Charge::usage("data", "nat.gb", d("73"))),
        ];
        let prices = Prices::shipped("us-east-1").expect("a table");
        let bill = Bill::of(charges, &prices, &Assumptions::default());
        let now = datetime!(2026-11-30 12:00:00 UTC);
        let end = datetime!(2026-12-02 19:00:00 +1);
        // 54 h x 0.045 = 2.43, and 73 GB x 0.045 x 54 / 730 = 0.243.
        let until = Until::of(&bill, now, end).expect("a sum");
        assert_eq!(until.text("USD"), "about 2.67 USD until 2026-12-02 18:00Z");
        let json = json!({ "end": "2026-12-02T18:00:00Z", "hours": 54, "sum": 2.67 });
        assert_eq!(until.json().to_string(), json.to_string());
        assert_eq!(Until::of(&bill, end, now), None);
    }
}
