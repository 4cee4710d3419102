//! Two bills side by side.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::bill::Bill;

/// Something that costs before, after, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The resource or component.
    pub name: String,
    /// What it costs before.
    pub before: Decimal,
    /// What it costs after.
    pub after: Decimal,
}

impl Row {
    /// What the change saves; negative if it costs more.
    pub fn saved(&self) -> Decimal {
        self.before - self.after
    }

    /// The saving in per cent of what it cost before, if it cost anything.
    pub fn percent(&self) -> Option<Decimal> {
        super::percent(self.saved(), self.before)
    }
}

/// Two bills side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// By resource, those that differ, the largest difference first.
    pub resources: Vec<Row>,
    /// By component, those that differ, the largest difference first.
    pub components: Vec<Row>,
    /// All of it.
    pub total: Row,
}

impl Comparison {
    /// Compares a bill with an earlier one.
    pub fn of(before: &Bill, after: &Bill) -> Self {
        let by = |name: fn(&super::bill::Item) -> &str| {
            let mut rows: BTreeMap<&str, (Decimal, Decimal)> = BTreeMap::new();
            for item in &before.items {
                rows.entry(name(item)).or_default().0 += item.monthly;
            }
            for item in &after.items {
                rows.entry(name(item)).or_default().1 += item.monthly;
            }
            let rows = rows.into_iter().filter(|(_, (before, after))| before != after);
            let mut rows: Vec<Row> = rows
                .map(|(name, (before, after))| Row { name: name.to_owned(), before, after })
                .collect();
            rows.sort_by_key(|row| std::cmp::Reverse(row.saved().abs()));
            rows
        };
        Self {
            resources: by(|item| &item.address),
            components: by(|item| &item.component),
            total: Row { name: "total".into(), before: before.total(), after: after.total() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bill::{Charge, Charged};
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
            let saved: Decimal = rows.iter().map(Row::saved).sum();
            assert_eq!(saved, compared.total.saved());
        }
        assert_eq!(compared.total.saved(), before.total() - after.total());
    }

    #[test]
    fn the_same_bill_differs_in_nothing() {
        let one = bill(&[("a", "x", 730)]);
        let compared = Comparison::of(&one, &one);
        assert!(compared.resources.is_empty() && compared.components.is_empty());
        assert_eq!(compared.total.percent(), Some(Decimal::ZERO));
    }
}
