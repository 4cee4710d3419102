//! Two bills side by side. What has no price on a side is not known there, and never 0.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::bill::Bill;

/// An item of two bills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The resource.
    pub address: String,
    /// The section of the config that it belongs to.
    pub component: String,
    /// What it charges for.
    pub what: String,
    /// What it costs before: 0 if it is not there, none if it has no price.
    pub before: Option<Decimal>,
    /// What it costs after.
    pub after: Option<Decimal>,
}

impl Line {
    /// What the change saves; none if a side has no price.
    pub fn saved(&self) -> Option<Decimal> {
        Some(self.before? - self.after?)
    }

    /// The saving in per cent of what it cost before, if it cost anything.
    pub fn percent(&self) -> Option<Decimal> {
        super::percent(self.saved()?, self.before?)
    }

    /// Whether it is another amount, or not known on a side. A share of a tier that does not end differs in its
    /// last digit.
    fn differs(&self) -> bool {
        self.saved().is_none_or(|saved| !super::round(saved, 6).is_zero())
    }
}

/// How many items have no price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Only before.
    pub before: usize,
    /// Only after.
    pub after: usize,
    /// On both sides.
    pub both: usize,
}

impl Missing {
    /// Whether a difference of the two sides says something else than it seems to.
    pub fn is_one_sided(self) -> bool {
        self.before + self.after > 0
    }

    /// Whether an item has no price.
    pub fn is_any(self) -> bool {
        self.is_one_sided() || self.both > 0
    }
}

/// Something that costs before, after, or both: a sum of items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The resource or component.
    pub name: String,
    /// What it costs before, as far as prices are known.
    pub before: Decimal,
    /// What it costs after, as far as prices are known.
    pub after: Decimal,
    /// How many of its items have no price.
    pub missing: Missing,
    /// How many of its items differ.
    pub items: usize,
}

impl Row {
    /// What it costs more, as far as prices are known.
    pub fn added(&self) -> Decimal {
        self.after - self.before
    }

    /// What the change saves, negative if it costs more; none if an item has a price on one side only.
    pub fn saved(&self) -> Option<Decimal> {
        (!self.missing.is_one_sided()).then(|| self.before - self.after)
    }

    /// The saving in per cent of what it cost before, if that is known and not 0.
    pub fn percent(&self) -> Option<Decimal> {
        self.saved()
            .filter(|_| !self.missing.is_any())
            .and_then(|saved| super::percent(saved, self.before))
    }

    /// Adds an item.
    fn add(&mut self, line: &Line) {
        self.before += line.before.unwrap_or_default();
        self.after += line.after.unwrap_or_default();
        self.items += usize::from(line.differs());
        match (line.before, line.after) {
            (None, None) => self.missing.both += 1,
            (None, _) => self.missing.before += 1,
            (_, None) => self.missing.after += 1,
            (Some(_), Some(_)) => {}
        }
    }
}

/// Two bills side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The items that differ or have no price, the largest difference first.
    pub items: Vec<Line>,
    /// By resource, those with such items, the largest difference first.
    pub resources: Vec<Row>,
    /// By component, those with such items, the largest difference first.
    pub components: Vec<Row>,
    /// All of it.
    pub total: Row,
}

/// The items of both bills, by address.
fn lines(before: &Bill, after: &Bill) -> Vec<Line> {
    let mut lines: BTreeMap<(&str, &str), Line> = BTreeMap::new();
    for (bill, is_after) in [(before, false), (after, true)] {
        let priced = bill.items.iter();
        let priced = priced.map(|one| (&one.address, &one.component, &one.what, Some(one.monthly)));
        let unpriced = bill.unpriced.iter();
        let unpriced = unpriced.map(|one| (&one.address, &one.component, &one.what, None));
        for (address, component, what, monthly) in priced.chain(unpriced) {
            let line = lines.entry((address, what)).or_insert_with(|| Line {
                address: address.clone(),
                component: component.clone(),
                what: what.clone(),
                before: Some(Decimal::ZERO),
                after: Some(Decimal::ZERO),
            });
            let side = if is_after { &mut line.after } else { &mut line.before };
            *side = side.zip(monthly).map(|(sum, monthly)| sum + monthly);
        }
    }
    lines.into_values().collect()
}

impl Comparison {
    /// Compares a bill with an earlier one.
    pub fn of(before: &Bill, after: &Bill) -> Self {
        let mut items = lines(before, after);
        let by = |name: fn(&Line) -> &str| {
            let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
            for line in &items {
                rows.entry(name(line)).or_default().add(line);
            }
            let rows = rows.into_iter().filter(|(_, row)| row.items > 0);
            let mut rows: Vec<Row> =
                rows.map(|(name, row)| Row { name: name.to_owned(), ..row }).collect();
            rows.sort_by_key(|row| std::cmp::Reverse(row.added().abs()));
            rows
        };
        let (resources, components) = (by(|line| &line.address), by(|line| &line.component));
        let mut total = Row { name: "total".to_owned(), ..Row::default() };
        items.iter().for_each(|line| total.add(line));
        items.retain(Line::differs);
        // What is not known comes first: it may be anything.
        items.sort_by_key(|line| {
            let saved = line.saved();
            std::cmp::Reverse((saved.is_none(), saved.unwrap_or_default().abs()))
        });
        Self { items, resources, components, total }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bill::{Charge, Charged, Item, Unpriced};
    use crate::load::Assumptions;
    use crate::prices::Prices;

    fn bill(rows: &[(&str, &str, u32)]) -> Bill {
        let charges = rows.iter().map(|(address, component, hours)| Charged {
            address: (*address).into(),
            component: (*component).into(),
            charge: Charge::fixed("NAT gateway", "nat.hours", Decimal::from(*hours)),
        });
        let prices = Prices::shipped("us-east-1").expect("a table");
        Bill::of(charges.collect(), &prices, &Assumptions::default())
    }

    #[test]
    fn rows_hold_what_differs_and_add_up() {
        let before = bill(&[("a", "x", 730), ("b", "x", 730), ("c", "y", 100)]);
        let after = bill(&[("a", "x", 730), ("c", "y", 200)]);
        let compared = Comparison::of(&before, &after);
        let names: Vec<&str> = compared.resources.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["b", "c"]);
        for rows in [&compared.resources, &compared.components] {
            let saved: Option<Decimal> = rows.iter().map(Row::saved).sum();
            assert_eq!(saved, compared.total.saved());
        }
        assert_eq!(compared.total.saved(), Some(before.total() - after.total()));
        assert_eq!(compared.total.added(), after.total() - before.total());
        let items: Vec<_> =
            compared.items.iter().map(|line| (&*line.address, line.saved())).collect();
        // 730 x 0.045 less; 100 x 0.045 more.
        let d = |text: &str| crate::decimal(text);
        assert_eq!(items, [("b", d("32.85")), ("c", d("-4.5"))]);
        assert_eq!((compared.components[0].items, compared.total.items), (1, 2));
    }

    /// The same bill, in which an item has no price.
    fn without_price(bill: &Bill, address: &str) -> Bill {
        let mut bill = bill.clone();
        let at = bill.items.iter().position(|item| item.address == address).expect("an item");
        let Item { address, component, what, .. } = bill.items.remove(at);
        bill.unpriced.push(Unpriced { address, component, what, reason: String::new() });
        bill
    }

    #[test]
    fn what_has_no_price_on_a_side_is_never_0() {
        let whole = bill(&[("a", "x", 730), ("b", "y", 730)]);
        let lacking = without_price(&whole, "a");
        let d = |text: &str| crate::decimal(text);
        let missing = |before, after, both| Missing { before, after, both };
        for (before, after, lacks) in
            [(&whole, &lacking, missing(0, 1, 0)), (&lacking, &whole, missing(1, 0, 0))]
        {
            let compared = Comparison::of(before, after);
            assert_eq!(compared.items.len(), 1, "only `a` is not the same");
            let line = &compared.items[0];
            assert_eq!((line.saved(), line.percent()), (None, None));
            assert_eq!(compared.total.missing, lacks);
            assert_eq!((compared.total.saved(), compared.total.percent()), (None, None));
            assert_eq!(compared.components.len(), 1);
            assert_eq!(compared.components[0].missing, lacks);
        }
        // Without a price on both sides, the rest can be compared, but is no part of the whole.
        let less = without_price(&bill(&[("a", "x", 730), ("b", "y", 365)]), "a");
        let total = Comparison::of(&lacking, &less).total;
        assert_eq!(total.missing, missing(0, 0, 1));
        assert_eq!((total.saved(), total.percent()), (d("16.425"), None));
        // What is not there costs nothing.
        let gone = Comparison::of(&whole, &bill(&[("b", "y", 730)]));
        assert_eq!(gone.items[0].after, Some(Decimal::ZERO));
        assert_eq!(gone.total.percent(), d("50.0"));
    }

    #[test]
    fn the_same_bill_differs_in_nothing() {
        let one = bill(&[("a", "x", 730)]);
        let compared = Comparison::of(&one, &one);
        assert!(compared.resources.is_empty() && compared.components.is_empty());
        assert_eq!(compared.total.percent(), Some(Decimal::ZERO));
    }
}
