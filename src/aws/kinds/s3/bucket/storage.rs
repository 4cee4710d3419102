//! What a bucket keeps, by storage class.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Bucket;
use crate::aws::costs::Costs;
use payctl_money::Decimal;
use payctl_money::bill::Charge;
use payctl_money::load::{Driver, gb};

/// S3 moves no smaller objects to another class, unless a rule says so, in KB.
const LEAST_MOVED_KB: u32 = 128;

/// The classes that rules move objects to, each colder than those before it. S3 never moves an object back.
const COLDER: [&str; 6] =
    ["STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"];

fn coldness(class: &str) -> usize {
    COLDER.iter().position(|known| *known == class).map_or(0, |at| at + 1)
}

impl Bucket {
    /// One charge for each class: small objects stay where they are, and large ones move with age.
    pub(super) fn storage(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let small = gb(cx.load(Driver::Puts) * cx.assume.item_kb);
        let large = cx.load(Driver::Gb) + cx.load(Driver::DeliveredGb);
        let moves_small = cx.assume.item_kb >= Decimal::from(LEAST_MOVED_KB);
        let mut kept: BTreeMap<&str, Decimal> = BTreeMap::new();
        for (gb, moves) in [(small, moves_small), (large, true)] {
            for (class, months) in self.months(moves, cx) {
                *kept.entry(class).or_default() += gb * months;
            }
        }
        let charge = |(class, quantity): (&str, Decimal)| {
            let meter = format!("s3.{}", class.to_lowercase());
            Charge::usage(format!("storage, {class}"), meter, quantity)
        };
        kept.into_iter().map(charge).collect()
    }

    /// How many months of what is written each month are in a class.
    fn months(&self, moves: bool, cx: &Costs<'_>) -> Vec<(&str, Decimal)> {
        let rules = || self.lifecycle.values().filter(|rule| rule.prefix.is_empty());
        let end = cx.assume.months_kept(rules().filter_map(|rule| rule.expire_days).min());
        let mut moved: Vec<(u32, Reverse<usize>, &str)> = rules()
            .filter(|_| moves)
            .flat_map(|rule| &rule.transitions)
            .map(|(class, days)| (*days, Reverse(coldness(class)), class.as_str()))
            .collect();
        moved.sort_unstable();
        let mut steps = vec![(Decimal::ZERO, "STANDARD")];
        for (days, _, class) in moved {
            let is_colder = steps.last().is_some_and(|(_, last)| coldness(class) > coldness(last));
            if is_colder {
                steps.push((cx.assume.months_kept(Some(days)).min(end), class));
            }
        }
        let ends = steps.iter().skip(1).map(|(start, _)| *start).chain([end]);
        steps.iter().zip(ends).map(|((start, class), until)| (*class, until - start)).collect()
    }
}
