//! What a plan does to the cost: the block in a plan, and its JSON.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use payctl_money::bill::{Bill, Unpriced, number_of};
use payctl_money::compare::{Comparison, Row};
use payctl_money::{Decimal, cents};
use serde_json::{Value, json};

use super::cost::{Until, price_files_json, sums};
use super::money::{amount, counted, number, signed};
use super::stays;
use super::style::{Paint, Style, count};

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
}

/// How many rows and prices a block in a plan names.
const NAMED: usize = 3;
/// How many lines it has at most.
const MOST: usize = 6;

impl Impact {
    /// What the environment costs above its budget, after the plan. Both are cents, as they are shown.
    pub fn over(&self) -> Option<Decimal> {
        let over = cents(self.after.total()) - cents(self.budget?);
        (over > Decimal::ZERO).then_some(over)
    }

    /// What the plan adds to the cost of a month; none if an item has no price on one side.
    pub fn change(&self) -> Option<Decimal> {
        let total = Comparison::of(&self.before, &self.after).total;
        total.saved().map(|_| total.added()).filter(|_| !self.after.is_unknown())
    }

    /// The prices that are not verified, before or after, or of what stays.
    fn unverified(&self) -> Vec<&str> {
        let both = self.before.unverified().into_iter().chain(self.after.unverified());
        both.chain(self.stays.unverified()).collect::<BTreeSet<&str>>().into_iter().collect()
    }

    /// What has no price, before or after, or of what stays.
    fn unpriced(&self) -> BTreeSet<&Unpriced> {
        let both = self.before.unpriced.iter().chain(&self.after.unpriced);
        both.chain(&self.stays.unpriced).collect()
    }

    /// The bill that has something, for what does not depend on the side.
    fn either(&self) -> &Bill {
        if self.after.items.is_empty() { &self.before } else { &self.after }
    }

    /// What the plan says of the budget after the amount.
    fn judged(&self) -> String {
        let Some(budget) = self.budget else { return String::new() };
        let said = amount(cents(budget));
        match self.over() {
            Some(over) => format!(", {} USD over its budget of {said} USD", amount(over)),
            None if self.after.unpriced.is_empty() => String::new(),
            None => format!(", and its budget of {said} USD cannot be checked"),
        }
    }

    /// The cost after the plan, and what the plan adds.
    fn headline(&self) -> String {
        let Self { after, .. } = self;
        if after.is_unknown() {
            return format!("Cost: {}{}", unknown(after), self.judged());
        }
        let lacks = match after.unpriced.len() {
            0 => String::new(),
            number => format!(" and {} without a price", count(number, "item")),
        };
        let added = signed(after.total() - self.before.total());
        let change = match self.change() {
            Some(_) => format!("{added} by this plan"),
            None if self.before.is_unknown() => "the change by this plan is not known".to_owned(),
            None => format!("{added} by this plan, as far as prices are known"),
        };
        format!("Cost: {} USD a month{lacks} ({change}){}", amount(after.total()), self.judged())
    }

    /// What runs, and what follows the load; or what to do where no price is known.
    fn parts(&self) -> String {
        let Self { after, payments, .. } = self;
        if after.is_unknown() {
            return how_to_price(after);
        }
        format!(
            "fixed {} ({} an hour), usage {} for {}",
            amount(after.fixed()),
            number(after.hourly(), 4),
            amount(after.usage()),
            counted(*payments, "payment"),
        )
    }

    /// The components whose cost changes, the largest change first: `databases +87.60`.
    fn changes(&self) -> Option<String> {
        let compared = Comparison::of(&self.before, &self.after);
        let says = |row: &&Row| row.missing.is_one_sided() || !cents(row.added()).is_zero();
        let rows: Vec<&Row> = compared.components.iter().filter(says).collect();
        let mut named: Vec<String> = rows.iter().take(NAMED).map(|row| added(row)).collect();
        if let more @ 1.. = rows.len().saturating_sub(NAMED) {
            named.push(format!("{more} more"));
        }
        (!named.is_empty()).then(|| named.join(", "))
    }

    /// Which prices are not payctl's own, and from when all are.
    fn prices(&self) -> Option<String> {
        let bill = self.either();
        let files = bill.priced_by().into_iter().map(|file| {
            let mut meters: Vec<String> =
                file.meters.iter().take(NAMED).map(|meter| (*meter).to_owned()).collect();
            match file.meters.len().saturating_sub(NAMED) {
                0 if meters.is_empty() => meters.push("no item has a price of it".to_owned()),
                0 => {}
                more => meters.push(format!("{more} more")),
            }
            let (name, date) = (&file.origin.name, dated(&file.origin.oldest));
            format!("prices of {name} ({date}): {}", meters.join(", "))
        });
        let mut all: Vec<String> = files.collect();
        if all.is_empty() {
            return None;
        }
        if !bill.table_date().is_empty() {
            all.push(format!("the others of payctl ({})", bill.table_date()));
        }
        Some(all.join("; "))
    }

    /// How many prices are doubtful or missing.
    fn doubts(&self) -> Option<String> {
        let (unverified, unpriced) = (self.unverified().len(), self.unpriced().len());
        let unverified =
            (unverified > 0).then(|| format!("{} not verified", count(unverified, "price")));
        let unpriced =
            (unpriced > 0).then(|| format!("{} without a price", count(unpriced, "item")));
        let said: Vec<String> = unverified.into_iter().chain(unpriced).collect();
        (!said.is_empty()).then(|| format!("{}; payctl cost shows each item", said.join(", ")))
    }
}

/// What stands in place of an amount that is not known at all.
pub fn unknown(bill: &Bill) -> String {
    match bill.has_prices {
        true => format!("no price of its {}", count(bill.unpriced.len(), "item")),
        false => format!("no prices for {}", bill.region),
    }
}

/// What to do where prices are missing.
pub fn how_to_price(bill: &Bill) -> String {
    let region = &bill.region;
    match bill.has_prices {
        true => "state the prices with --prices FILE, or take them from AWS with --live-prices"
            .to_owned(),
        false => format!(
            "take them from AWS with --live-prices, or into a file: payctl prices update --region {region} \
             --out {region}.toml, then --prices {region}.toml"
        ),
    }
}

/// A day, if there is one.
pub(super) fn dated(date: &str) -> &str {
    if date.is_empty() { "no date" } else { date }
}

/// What a plan does to a component.
fn added(row: &Row) -> String {
    match row.saved() {
        Some(_) => format!("{} {}", row.name, signed(row.added())),
        None => format!("{} not known", row.name),
    }
}

/// What a plan does to the cost, in at most six lines; none if nothing costs anything.
fn lines(impact: &Impact) -> Vec<String> {
    let Impact { before, after, until, .. } = impact;
    if [before, after].iter().all(|bill| bill.items.is_empty() && bill.unpriced.is_empty()) {
        return Vec::new();
    }
    let until = until.as_ref().filter(|_| !after.is_unknown());
    let until = until.map(|until| until.text(&after.currency));
    let more =
        [until, stays::line(&impact.stays), impact.changes(), impact.prices(), impact.doubts()];
    let first = [impact.headline(), impact.parts()];
    let mut lines: Vec<String> = first.into_iter().chain(more.into_iter().flatten()).collect();
    if lines.len() > MOST {
        let last = lines.split_off(MOST - 1);
        lines.push(last.join("; "));
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

/// What a plan adds, by resource, the dearest first.
pub fn dearest(before: &Bill, after: &Bill) -> String {
    let compared = Comparison::of(before, after);
    let added = compared.resources.iter().filter(|row| cents(row.added()) > Decimal::ZERO);
    let added: Vec<String> =
        added.take(5).map(|row| format!("{} {}", row.name, signed(row.added()))).collect();
    added.join(", ")
}

/// The cost in the JSON of a plan.
pub fn json(impact: &Impact) -> Value {
    let Impact { before, after, until, .. } = impact;
    let mut value = sums(after);
    if let Some(until) = until.as_ref().filter(|_| !after.is_unknown()) {
        value["until"] = until.json();
    }
    if let Some(stays) = stays::json(&impact.stays) {
        value["stays"] = stays;
    }
    let known = (!before.is_unknown()).then(|| number_of(before.total(), 2));
    value["before_monthly"] = json!(known);
    value["change_monthly"] = json!(impact.change().map(|change| number_of(change, 2)));
    value["unverified"] = json!(impact.unverified());
    value["unpriced"] = json!(impact.unpriced());
    value["prices"] = price_files_json(impact.either());
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
            "is_complete": !row.missing.is_any(),
        })
    });
    value["components"] = rows.collect();
    value
}

#[cfg(test)]
mod tests {
    use payctl_money::bill::{Charge, Charged};
    use payctl_money::decimal;
    use payctl_money::load::Assumptions;
    use payctl_money::prices::Prices;
    use time::OffsetDateTime;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-30 12:00:00 UTC);
    const END: OffsetDateTime = datetime!(2026-12-02 19:00:00 +1);

    fn d(text: &str) -> Decimal {
        decimal(text).expect("a number")
    }

    /// A NAT gateway, 73 GB through it, and something without a verified price.
    fn bill_at(prices: &Prices) -> Bill {
        let charged = |component: &str, charge: Charge| Charged {
            address: format!("ec2.nat_gateway/{component}"),
            component: component.to_owned(),
            charge,
        };
        let charges = vec![
            charged("network", Charge::fixed("NAT gateway", "nat.hours", d("730"))),
            charged("network", Charge::usage("data", "nat.gb", d("73"))),
            charged("instances", Charge::fixed("instance", "lambda.provisioned.arm64", d("0"))),
        ];
        Bill::of(charges, prices, &Assumptions::default())
    }

    fn bill() -> Bill {
        bill_at(&Prices::shipped("us-east-1").expect("a table"))
    }

    fn impact(before: Bill, after: Bill, budget: Option<&str>) -> Impact {
        let payments = Decimal::ONE_HUNDRED;
        let stays = nothing();
        Impact { before, after, stays, payments, until: None, budget: budget.map(d) }
    }

    fn nothing() -> Bill {
        Bill { items: Vec::new(), ..bill() }
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

    /// An item without a price.
    fn unpriced(address: &str) -> Unpriced {
        let [address, component, what, reason] =
            [address, "topics", "text messages", "no price"].map(str::to_owned);
        Unpriced { address, component, what, reason }
    }

    fn first(impact: &Impact) -> String {
        lines(impact)[0].clone()
    }

    #[test]
    fn a_block_with_everything_has_six_lines() {
        let own = "region = \"us-east-1\"\n[prices]\n\"nat.gb\" = { price = \"0.045\", date = \"2026-11-01\" }\n";
        let own = Prices::read(own, "own.toml").expect("a table").named("own.toml");
        let after = bill_at(&Prices::shipped("us-east-1").expect("a table").with(own));
        let date = after.table_date().to_owned();
        let until = Until::of(&after, NOW, END);
        let impact = Impact { until, stays: kept(), ..impact(nothing(), after, Some("30")) };
        let text = block(&impact, Style::PLAIN).replace(&date, "TABLE");
        insta::assert_snapshot!(text, @r"
        Cost: 36.14 USD a month (+36.14 by this plan), 6.14 USD over its budget of 30.00 USD
          fixed 32.85 (0.045 an hour), usage 3.29 for 100 payments
          about 2.67 USD until 2026-12-02 18:00Z
          what stays costs about 1.21 USD a month until you delete it: kms.key/pay (key 1.00), rds.cluster/pay (final snapshot 0.21)
          network +36.14
          prices of own.toml (2026-11-01): nat.gb; the others of payctl (TABLE); 1 price not verified; payctl cost shows each item
        ");
        let json = json(&impact);
        assert_eq!(json["stays"]["monthly"].to_string(), "1.21");
        assert_eq!(json["until"]["sum"].to_string(), "2.67");
        let over = json!({ "monthly": 30, "over": 6.14, "is_judged": true });
        assert_eq!(json["budget"].to_string(), over.to_string());
        let file =
            json!([{ "name": "own.toml", "date": "2026-11-01", "items": 1, "meters": ["nat.gb"] }]);
        assert_eq!(json["prices"], file);
    }

    /// The bill is 36.135 dollars, which are 36.14.
    #[test]
    fn a_budget_is_compared_in_cents() {
        for (budget, over) in [
            ("36.13", Some("0.01")),
            ("36.1349", Some("0.01")),
            ("36.135", None),
            ("36.14", None),
            ("37", None),
        ] {
            let impact = impact(nothing(), bill(), Some(budget));
            assert_eq!(impact.over(), over.map(d), "{budget}");
            let said = first(&impact);
            match over {
                Some(over) => {
                    assert!(said.contains(&format!("{over} USD over its budget")), "{said}");
                }
                None => assert_eq!(said, "Cost: 36.14 USD a month (+36.14 by this plan)"),
            }
        }
    }

    #[test]
    fn a_block_says_of_a_budget_only_what_is_known() {
        let after = Bill { unpriced: vec![unpriced("sns.topic/a")], ..bill() };
        let unclear = impact(nothing(), after, Some("37"));
        assert_eq!(
            first(&unclear),
            "Cost: 36.14 USD a month and 1 item without a price (+36.14 by this plan, as far \
             as prices are known), \
             and its budget of 37.00 USD cannot be checked"
        );
        let json = json(&unclear);
        assert_eq!(json["budget"]["is_judged"], false);
        assert_eq!((&json["is_complete"], &json["change_monthly"]), (&json!(false), &Value::Null));
    }

    #[test]
    fn a_region_without_prices_has_no_amount() {
        let none = bill_at(&Prices::none("sa-east-1"));
        let impact = impact(nothing(), none, Some("5"));
        let lines = lines(&impact);
        assert_eq!(
            lines[0],
            "Cost: no prices for sa-east-1, and its budget of 5.00 USD cannot be checked"
        );
        assert!(lines[1].contains("payctl prices update --region sa-east-1 "), "{}", lines[1]);
        assert!(!lines.concat().contains("0.00"), "{lines:?}");
        let json = json(&impact);
        for sum in ["fixed_hourly", "fixed_monthly", "usage_monthly", "total_monthly"] {
            assert_eq!(json[sum], Value::Null, "{sum}");
        }
        assert_eq!(json["unpriced"].as_array().map(Vec::len), Some(3));
    }

    #[test]
    fn what_is_deleted_keeps_the_mark_of_its_prices() {
        let impact = impact(bill(), nothing(), None);
        assert!(block(&impact, Style::PLAIN).contains("1 price not verified"));
        assert_eq!(json(&impact)["unverified"].as_array().map(Vec::len), Some(1));
    }
}
