//! Money as text, Markdown and JSON. Amounts are rounded here, half away from zero.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use payctl_money::bill::{Basis, Bill, Item, Unpriced, number_of};
use payctl_money::compare::{Comparison, Row};
use payctl_money::load::{Assumptions, Difference};
use payctl_money::{Decimal, cents, round};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use super::stays;
use super::style::{Paint, Style, table};

/// What a plan does to the cost.
#[derive(Clone, Debug)]
pub struct Impact {
    /// What the environment costs as it is.
    pub before: Bill,
    /// What it costs once the plan is carried out.
    pub after: Bill,
    /// What stays of the deleted objects and still costs.
    pub stays: Bill,
    /// The payments in a month that the usage is computed for.
    pub payments: Decimal,
    /// What it costs until it goes, if it goes by itself.
    pub until: Option<Until>,
    /// The most that it may cost in a month, in US dollars.
    pub budget: Option<Decimal>,
    /// Whose prices stand in place of those in payctl: a file, or AWS's list.
    pub priced_by: Vec<String>,
}

impl Impact {
    /// What the environment costs above its budget, after the plan.
    pub fn over(&self) -> Option<Decimal> {
        let over = self.after.total() - self.budget?;
        (over > Decimal::ZERO).then_some(over)
    }

    /// The prices that are not verified, before or after.
    fn unverified(&self) -> Vec<&str> {
        let both = self.before.unverified().into_iter().chain(self.after.unverified());
        both.chain(self.stays.unverified()).collect::<BTreeSet<&str>>().into_iter().collect()
    }

    /// What has no price, before or after, or of what stays.
    fn unpriced(&self) -> BTreeSet<&Unpriced> {
        let both = self.before.unpriced.iter().chain(&self.after.unpriced);
        both.chain(&self.stays.unpriced).collect()
    }

    /// What the plan says of the budget after the amount.
    fn judged(&self) -> String {
        let Some(budget) = self.budget.map(amount) else { return String::new() };
        if self.over().is_some() {
            format!(", over its budget of {budget} USD")
        } else if !self.after.unpriced.is_empty() {
            format!(", a budget of {budget} USD cannot be judged: not all prices are known")
        } else {
            String::new()
        }
    }
}

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
    fn text(&self, currency: &str) -> String {
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
}

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

/// How many rows a block in a plan names.
const NAMED: usize = 3;

/// An amount with two places: `1,234.50`.
pub fn amount(amount: Decimal) -> String {
    let text = format!("{:.2}", cents(amount));
    let (whole, rest) = text.split_once('.').unwrap_or((&text, "00"));
    format!("{}.{rest}", grouped(whole))
}

/// An amount in a column.
pub(super) fn aligned(sum: Decimal) -> String {
    format!("{:>9}", amount(sum))
}

/// A whole number with commas.
fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{sign}{text}")
}

/// A quantity or a unit price without needless zeros.
pub(super) fn number(number: Decimal, places: u32) -> String {
    let text = round(number, places).normalize().to_string();
    match text.split_once('.') {
        Some((whole, rest)) => format!("{}.{rest}", grouped(whole)),
        None => grouped(&text),
    }
}

/// `+1.00` or `-1.00`.
pub(super) fn signed(change: Decimal) -> String {
    if cents(change).is_sign_negative() { amount(change) } else { format!("+{}", amount(change)) }
}

/// What a reader must know about a bill before believing it.
fn doubts(bill: &Bill) -> Vec<String> {
    let mut doubts = Vec::new();
    let unverified = bill.unverified();
    if !unverified.is_empty() {
        doubts.push(format!("Not verified in AWS's price list: {}.", unverified.join(", ")));
    }
    for unpriced in &bill.unpriced {
        doubts.push(format!("Not in the sum: {}: {}.", unpriced.address, unpriced.reason));
    }
    doubts
}

/// What a reader must know about the other side of a comparison before believing it.
fn doubts_of_sides(bill: &Bill, sides: &Sides<'_>) -> Vec<String> {
    let Sides { name, before, usage_of, differences, .. } = sides;
    let own: BTreeSet<String> = doubts(bill).into_iter().collect();
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
    let others = doubts(before).into_iter().filter(|doubt| !own.contains(doubt));
    found.extend(others.map(|doubt| format!("{name}: {doubt}")));
    found
}

/// The assumptions in a sentence.
fn assumed(assume: &Assumptions) -> String {
    let Assumptions { payments_per_month, function_ms, peak_factor, .. } = assume;
    let mut text = format!(
        "Assumed: {} payments a month, functions of {} ms, a peak of {} times the average, {} hours a \
         month, data of {} months",
        number(*payments_per_month, 0),
        number(*function_ms, 0),
        number(*peak_factor, 0),
        number(assume.hours_per_month, 0),
        number(assume.age_months, 0),
    );
    if assume.free_quantities {
        text.push_str(", free quantities subtracted");
    }
    text.push('.');
    text
}

/// A whole bill for a terminal.
pub fn text(statement: Statement<'_>, style: Style) -> String {
    let Statement { scope, bill, assume, until, compared } = statement;
    let mut text = String::new();
    let title = format!("Cost of {scope}, in {} a month", bill.currency);
    let _ = writeln!(text, "{}", style.paint(Paint::Bold, &title));
    let _ = writeln!(text, "{}", assumed(assume));
    if !bill.prices_of.is_empty() {
        let _ =
            writeln!(text, "List prices on demand; the oldest date of one is {}.", bill.prices_of);
    }
    let hourly = format!("{} an hour, used or not", number(bill.hourly(), 4));
    let sums = vec![
        vec!["fixed".into(), aligned(bill.fixed()), hourly],
        vec!["usage".into(), aligned(bill.usage()), String::new()],
        vec!["total".into(), aligned(bill.total()), String::new()],
    ];
    sectioned(&mut text, "Sums", &sums, style);
    if let Some(until) = until {
        let _ = writeln!(text, "  {}, if it is applied now", until.text(&bill.currency));
    }
    let mut section =
        |title: &str, rows: Vec<Vec<String>>| sectioned(&mut text, title, &rows, style);
    let components = bill.components().into_iter();
    section("Components", components.map(|(name, sum)| vec![name.into(), aligned(sum)]).collect());
    section("Items", bill.items.iter().map(|item| row(item).to_vec()).collect());
    if let Some(Sides { name, compared, steps, .. }) = compared {
        if !steps.is_empty() {
            section("Steps", steps.iter().map(compared_row).collect());
        }
        let all = compared.components.iter().chain([&compared.total]);
        section(&format!("Compared with {name}"), all.map(compared_row).collect());
        let differ = compared.resources.iter().filter(|row| !cents(row.saved()).is_zero());
        section("Resources that differ", differ.map(compared_row).collect());
    }
    let mut doubts = doubts(bill);
    doubts.extend(compared.into_iter().flat_map(|sides| doubts_of_sides(bill, sides)));
    if !doubts.is_empty() {
        text.push('\n');
        for doubt in doubts {
            let _ = writeln!(text, "{doubt}");
        }
    }
    text
}

/// A title with rows below it.
pub(super) fn sectioned(text: &mut String, title: &str, rows: &[Vec<String>], style: Style) {
    let _ = writeln!(text, "\n{}", style.paint(Paint::Bold, title));
    for line in table(rows) {
        let _ = writeln!(text, "  {line}");
    }
}

/// A line of a bill as cells.
fn row(item: &Item) -> [String; 5] {
    let basis = match item.basis {
        Basis::Fixed => "fixed",
        Basis::Usage => "usage",
    };
    let mark = if item.verified { "" } else { ", not verified" };
    [
        item.address.clone(),
        item.what.clone(),
        format!("{} {} x {}", number(item.quantity, 3), item.unit, number(item.unit_price, 12)),
        aligned(item.monthly),
        format!("{basis}{mark}"),
    ]
}

/// How much of a row is saved, with its unit.
fn share(row: &Row, unit: &str) -> String {
    match row.percent() {
        Some(share) => format!("{}{unit}", share.normalize()),
        None if row.saved().is_zero() => String::new(),
        None => "new".to_owned(),
    }
}

/// A row of a comparison as cells.
fn compared_row(row: &Row) -> Vec<String> {
    vec![
        row.name.clone(),
        format!("before {}", aligned(row.before)),
        format!("after {}", aligned(row.after)),
        format!("saved {}", aligned(row.saved())),
        share(row, " %"),
    ]
}

/// A whole bill as Markdown.
pub fn markdown(statement: Statement<'_>) -> String {
    let Statement { scope, bill, assume, until, compared } = statement;
    let mut text = format!("### Cost of {scope}, in {} a month\n\n", bill.currency);
    let _ = writeln!(text, "| | amount |\n|---|--:|");
    let _ = writeln!(text, "| fixed | {} |", amount(bill.fixed()));
    let _ = writeln!(text, "| usage | {} |", amount(bill.usage()));
    let _ = writeln!(text, "| **total** | **{}** |", amount(bill.total()));
    if let Some(until) = until {
        let _ = writeln!(text, "\n{}, if it is applied now", until.text(&bill.currency));
    }
    if let Some(Sides { name, compared, steps, .. }) = compared {
        let _ = writeln!(text, "\nCompared with {name}:\n");
        let _ = writeln!(
            text,
            "| step or component | before | after | saved | % |\n|---|--:|--:|--:|--:|"
        );
        for row in steps.iter().chain(&compared.components).chain([&compared.total]) {
            let Row { name, before, after } = row;
            let (before, after, saved) = (amount(*before), amount(*after), amount(row.saved()));
            let _ =
                writeln!(text, "| {name} | {before} | {after} | {saved} | {} |", share(row, ""));
        }
    } else {
        let _ = writeln!(text, "\n| component | amount |\n|---|--:|");
        for (name, sum) in bill.components() {
            let _ = writeln!(text, "| {name} | {} |", amount(sum));
        }
    }
    if !bill.items.is_empty() {
        let _ = writeln!(
            text,
            "\n<details><summary>{} items</summary>\n\n| resource | what | quantity and price | amount \
             | basis |\n|---|---|---|--:|---|",
            bill.items.len()
        );
        for item in &bill.items {
            let cells = row(item).map(|cell| cell.trim().replace('|', "\\|"));
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        let _ = writeln!(text, "\n</details>");
    }
    let _ = writeln!(text, "\n{}", assumed(assume));
    let of_sides = compared.into_iter().flat_map(|sides| doubts_of_sides(bill, sides));
    for doubt in doubts(bill).into_iter().chain(of_sides) {
        let _ = writeln!(text, "\n{doubt}");
    }
    text
}

/// A bill as JSON.
pub fn json(bill: &Bill, assume: &Assumptions) -> Value {
    let mut value = sums(bill);
    value["items"] = json!(bill.items);
    value["unpriced"] = json!(bill.unpriced);
    value["unverified"] = json!(bill.unverified());
    value["assumptions"] = assumptions(assume);
    value
}

fn sums(bill: &Bill) -> Value {
    json!({
        "currency": bill.currency,
        "region": bill.region,
        "prices_of": bill.prices_of,
        "fixed_hourly": number_of(bill.hourly(), 6),
        "fixed_monthly": number_of(bill.fixed(), 2),
        "usage_monthly": number_of(bill.usage(), 2),
        "total_monthly": number_of(bill.total(), 2),
    })
}

fn assumptions(assume: &Assumptions) -> Value {
    let mut value = json!({ "free_quantities": assume.free_quantities });
    for (name, number) in assume.named() {
        value[name] = json!(number_of(number, 3));
    }
    value
}

/// A comparison as JSON.
pub fn comparison_json(sides: &Sides<'_>, assume: &Assumptions) -> Value {
    let Sides { name, before, compared, usage_of, differences, steps } = sides;
    let differs = |one: &Difference| {
        let say = |number: Option<Decimal>| number.map(|known| number_of(known, 3));
        json!({ "key": one.key, "used": say(one.used), "other": say(one.other) })
    };
    let row = |row: &Row| {
        json!({
            "name": row.name,
            "before": number_of(row.before, 2),
            "after": number_of(row.after, 2),
            "saved": number_of(row.saved(), 2),
            "percent": row.percent().map(|share| number_of(share, 1)),
        })
    };
    json!({
        "name": name,
        "total": row(&compared.total),
        "steps": steps.iter().map(row).collect::<Vec<_>>(),
        "components": compared.components.iter().map(row).collect::<Vec<_>>(),
        "resources": compared.resources.iter().map(row).collect::<Vec<_>>(),
        "usage_of": usage_of,
        "usage_differs": differences.iter().map(differs).collect::<Vec<_>>(),
        "bill": json(before, assume),
    })
}

/// What a plan does to the cost, in at most seven lines; none if nothing costs anything.
fn lines(impact: &Impact) -> Vec<String> {
    let Impact { before, after, payments, until, .. } = impact;
    if [before, after].iter().all(|bill| bill.items.is_empty() && bill.unpriced.is_empty()) {
        return Vec::new();
    }
    let change = after.total() - before.total();
    let mut lines = vec![
        format!(
            "Cost: {} USD a month ({} by this plan){}",
            amount(after.total()),
            signed(change),
            impact.judged()
        ),
        format!(
            "fixed {} ({} an hour), usage {} for {} payments",
            amount(after.fixed()),
            number(after.hourly(), 4),
            amount(after.usage()),
            number(*payments, 0),
        ),
    ];
    lines.extend(until.as_ref().map(|until| until.text(&after.currency)));
    lines.extend(stays::line(&impact.stays));
    let changes = changes(before, after);
    if !changes.is_empty() {
        let more = changes.len().saturating_sub(NAMED);
        let mut named: Vec<String> = changes.into_iter().take(NAMED).collect();
        if more > 0 {
            named.push(format!("{more} more"));
        }
        lines.push(named.join(", "));
    }
    if !impact.priced_by.is_empty() {
        lines.push(format!("prices of {}", impact.priced_by.join(" and ")));
    }
    let (unverified, unpriced) = (impact.unverified().len(), impact.unpriced().len());
    if unverified > 0 || unpriced > 0 {
        lines.push(format!(
            "{unverified} prices not verified, {unpriced} not known; payctl cost shows each item"
        ));
    }
    lines
}

/// The block of a plan.
pub fn block(impact: &Impact, style: Style) -> String {
    let mut text = String::new();
    for (at, line) in lines(impact).iter().enumerate() {
        let _ = match at {
            0 => writeln!(text, "{}", style.paint(Paint::Bold, line)),
            _ => writeln!(text, "  {line}"),
        };
    }
    text
}

/// The same in one line, for the page of a plan.
pub fn in_one_line(impact: &Impact) -> Option<String> {
    let lines = lines(impact);
    (!lines.is_empty()).then(|| format!("{}.", lines.join("; ")))
}

/// The components whose cost changes, the largest change first: `databases +87.60`.
fn changes(before: &Bill, after: &Bill) -> Vec<String> {
    let compared = Comparison::of(before, after);
    let rows = compared.components.iter().filter(|row| !cents(row.saved()).is_zero());
    rows.map(|row| format!("{} {}", row.name, signed(-row.saved()))).collect()
}

/// What a plan adds, by resource, the dearest first.
pub fn dearest(before: &Bill, after: &Bill) -> String {
    let compared = Comparison::of(before, after);
    let added = compared.resources.iter().filter(|row| row.saved().is_sign_negative());
    let added: Vec<String> =
        added.take(5).map(|row| format!("{} {}", row.name, signed(-row.saved()))).collect();
    added.join(", ")
}

/// The cost in the JSON of a plan.
pub fn impact_json(impact: &Impact) -> Value {
    let Impact { before, after, until, .. } = impact;
    let mut value = sums(after);
    if let Some(until) = until {
        value["until"] = until.json();
    }
    if let Some(stays) = stays::json(&impact.stays) {
        value["stays"] = stays;
    }
    value["before_monthly"] = json!(number_of(before.total(), 2));
    value["change_monthly"] = json!(number_of(after.total() - before.total(), 2));
    value["unverified"] = json!(impact.unverified());
    value["unpriced"] = json!(impact.unpriced());
    value["prices"] = json!(impact.priced_by);
    if let Some(budget) = impact.budget {
        value["budget"] = json!({
            "monthly": number_of(budget, 2),
            "over": impact.over().map(|over| number_of(over, 2)),
            "is_judged": impact.over().is_some() || after.unpriced.is_empty(),
        });
    }
    let rows = Comparison::of(before, after).components;
    let rows = rows.iter().map(|row| {
        json!({
            "component": row.name,
            "before": number_of(row.before, 2),
            "after": number_of(row.after, 2),
        })
    });
    value["components"] = rows.collect();
    value
}

#[cfg(test)]
mod tests {
    use payctl_money::bill::{Charge, Charged};
    use payctl_money::decimal;
    use payctl_money::prices::Prices;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-30 12:00:00 UTC);
    const END: OffsetDateTime = datetime!(2026-12-02 19:00:00 +1);

    /// A NAT gateway, 73 GB through it, and something without a verified price.
    fn bill() -> Bill {
        let charged = |component: &str, charge: Charge| Charged {
            address: format!("ec2.nat_gateway/{component}"),
            component: component.to_owned(),
            charge,
        };
        let d = |text: &str| decimal(text).expect("a number");
        let charges = vec![
            charged("network", Charge::fixed("NAT gateway", "nat.hours", d("730"))),
            charged("network", Charge::usage("data", "nat.gb", d("73"))),
            charged("instances", Charge::fixed("instance", "lambda.provisioned.arm64", d("0"))),
        ];
        let prices = Prices::shipped("us-east-1").expect("a table");
        Bill::of(charges, &prices, &Assumptions::default())
    }

    /// A snapshot of 10 GB, and its key.
    fn kept() -> Bill {
        let charged = |kind: &str, charge: Charge| Charged {
            address: format!("{kind}/pay"),
            component: "databases".to_owned(),
            charge,
        };
        let charges = vec![
            charged("rds.cluster", Charge::usage("final snapshot", "aurora.backup", Decimal::TEN)),
            charged("kms.key", Charge::fixed("key", "kms.key", Decimal::ONE)),
        ];
        let prices = Prices::shipped("us-east-1").expect("a table");
        Bill::of(charges, &prices, &Assumptions::default())
    }

    #[test]
    fn the_sum_until_the_end_is_that_of_the_hours_that_are_left() {
        // 54 h x 0.045 = 2.43, and 73 GB x 0.045 x 54 / 730 = 0.243.
        let until = Until::of(&bill(), NOW, END).expect("a sum");
        assert_eq!(until.text("USD"), "about 2.67 USD until 2026-12-02 18:00Z");
        let json = json!({ "end": "2026-12-02T18:00:00Z", "hours": 54, "sum": 2.67 });
        assert_eq!(until.json().to_string(), json.to_string());
        assert_eq!(Until::of(&bill(), END, NOW), None);
    }

    #[test]
    fn a_block_with_everything_has_seven_lines() {
        let after = bill();
        let before = Bill { items: Vec::new(), ..after.clone() };
        let stays = kept();
        let until = Until::of(&after, NOW, END);
        let payments = Decimal::ONE_HUNDRED;
        let budget = Some(Decimal::from(30));
        let priced_by = vec!["negotiated.toml".to_owned()];
        let impact = Impact { before, after, stays, payments, until, budget, priced_by };
        insta::assert_snapshot!(block(&impact, Style::PLAIN), @r"
        Cost: 36.14 USD a month (+36.14 by this plan), over its budget of 30.00 USD
          fixed 32.85 (0.045 an hour), usage 3.29 for 100 payments
          about 2.67 USD until 2026-12-02 18:00Z
          what stays costs about 1.21 USD a month until you delete it: kms.key/pay (key 1.00), rds.cluster/pay (final snapshot 0.21)
          network +36.14
          prices of negotiated.toml
          1 prices not verified, 0 not known; payctl cost shows each item
        ");
        let json = impact_json(&impact);
        assert_eq!(json["stays"]["monthly"].to_string(), "1.21");
        assert_eq!(json["until"]["sum"].to_string(), "2.67");
        let over = json!({ "monthly": 30, "over": 6.14, "is_judged": true });
        assert_eq!(json["budget"].to_string(), over.to_string());
    }

    #[test]
    fn a_block_says_of_a_budget_only_what_is_known() {
        let after = bill();
        let of = |after: Bill, budget: u32| {
            let (before, payments) = (Bill { items: Vec::new(), ..bill() }, Decimal::ONE_HUNDRED);
            let budget = Some(Decimal::from(budget));
            let stays = Bill { items: Vec::new(), ..bill() };
            let priced_by = Vec::new();
            Impact { before, after, stays, payments, until: None, budget, priced_by }
        };
        let first = |impact: &Impact| lines(impact)[0].clone();
        let within = of(after.clone(), 37);
        assert_eq!(first(&within), "Cost: 36.14 USD a month (+36.14 by this plan)");
        let nothing = Unpriced { address: "sns.topic/a".into(), reason: "no price".into() };
        let unclear = of(Bill { unpriced: vec![nothing], ..after }, 37);
        assert!(
            first(&unclear)
                .ends_with(", a budget of 37.00 USD cannot be judged: not all prices are known")
        );
        assert_eq!(impact_json(&unclear)["budget"]["is_judged"], false);
    }

    #[test]
    fn what_is_deleted_keeps_the_mark_of_its_prices() {
        let before = bill();
        let after = Bill { items: Vec::new(), ..before.clone() };
        let payments = Decimal::ONE_HUNDRED;
        let (stays, priced_by) = (after.clone(), Vec::new());
        let impact =
            Impact { before, after, stays, payments, until: None, budget: None, priced_by };
        assert!(block(&impact, Style::PLAIN).contains("1 prices not verified"));
        assert_eq!(impact_json(&impact)["unverified"].as_array().map(Vec::len), Some(1));
    }
}
