//! What an update changes in prices, as text and JSON.

use payctl_money::bill::number_of;
use payctl_money::prices::{Price, Prices, Tier};
use payctl_money::{Decimal, percent};
use serde_json::{Value, json};

use super::money::number;

/// How many changes are shown to people.
const SHOWN: usize = 10;

/// A price that is another one now.
#[derive(Clone, Debug)]
struct Moved {
    meter: String,
    before: Vec<Tier>,
    after: Vec<Tier>,
    /// How much more it is, in per cent, where both have the same tiers; of several, the largest.
    percent: Option<Decimal>,
}

/// What differs between two tables of prices.
#[derive(Clone, Debug)]
pub struct Changed {
    /// Prices that were not there.
    new: Vec<(String, Vec<Tier>)>,
    /// The largest change first.
    moved: Vec<Moved>,
    /// Prices that are no longer there.
    pub gone: Vec<(String, Vec<Tier>)>,
    /// How many say the same from another day or another source.
    confirmed: usize,
}

impl Changed {
    /// Compares two tables.
    pub fn of(before: &Prices, after: &Prices) -> Self {
        let tiers = |(meter, price): (&str, &Price)| (meter.to_owned(), price.tiers.clone());
        let new = after.iter().filter(|(meter, _)| before.get(meter).is_none()).map(tiers);
        let gone = before.iter().filter(|(meter, _)| after.get(meter).is_none()).map(tiers);
        let both =
            || after.iter().filter_map(|(meter, now)| Some((meter, before.get(meter)?, now)));
        let moved = both().filter(|(_, old, now)| old.tiers != now.tiers);
        let mut moved: Vec<Moved> = moved
            .map(|(meter, old, now)| Moved {
                meter: meter.to_owned(),
                before: old.tiers.clone(),
                after: now.tiers.clone(),
                percent: change(&old.tiers, &now.tiers),
            })
            .collect();
        // A change without a per cent may be anything.
        moved.sort_by_key(|moved| {
            let percent = moved.percent.map(|percent| percent.abs());
            std::cmp::Reverse((percent.is_none(), percent))
        });
        let confirmed = both().filter(|(_, old, now)| old.tiers == now.tiers && old != now).count();
        Self { new: new.collect(), moved, gone: gone.collect(), confirmed }
    }

    /// How many of each sort.
    pub fn counts(&self) -> String {
        let Self { new, moved, gone, confirmed } = self;
        let mut said = format!("{} new, {} changed, {} gone", new.len(), moved.len(), gone.len());
        if *confirmed > 0 {
            said.push_str(&format!(", {confirmed} the same with another date or source"));
        }
        said
    }

    /// The largest changes, and what is new and gone.
    pub fn lines(&self) -> Vec<String> {
        let moved = self.moved.iter().map(|Moved { meter, before, after, percent }| {
            let share = percent.map(|share| {
                let sign = if share.is_sign_negative() { "" } else { "+" };
                format!(" ({sign}{} %)", share.normalize())
            });
            format!("{meter}: {} -> {} USD{}", said(before), said(after), share.unwrap_or_default())
        });
        let new =
            self.new.iter().map(|(meter, tiers)| format!("{meter}: new, {} USD", said(tiers)));
        let gone = self
            .gone
            .iter()
            .map(|(meter, tiers)| format!("{meter}: gone, was {} USD", said(tiers)));
        let some = |all: Vec<String>| {
            let more = all.len().saturating_sub(SHOWN);
            let rest = (more > 0).then(|| format!("and {more} more"));
            all.into_iter().take(SHOWN).chain(rest).collect::<Vec<_>>()
        };
        let all: [Vec<String>; 3] = [moved.collect(), new.collect(), gone.collect()];
        all.into_iter().flat_map(some).collect()
    }

    /// All of it for programs.
    pub fn json(&self) -> [(&'static str, Value); 3] {
        let new = self.new.iter().map(|(meter, after)| json!({ "meter": meter, "after": after }));
        let gone =
            self.gone.iter().map(|(meter, before)| json!({ "meter": meter, "before": before }));
        let moved = self.moved.iter().map(|Moved { meter, before, after, percent }| {
            let percent = percent.map(|share| number_of(share, 1));
            json!({ "meter": meter, "before": before, "after": after, "percent": percent })
        });
        [("new", new.collect()), ("changed", moved.collect()), ("gone", gone.collect())]
    }
}

/// A price in a few characters: `0.09, from 10,240 0.085`.
fn said(tiers: &[Tier]) -> String {
    let tier = |Tier { from, price }: &Tier| match from.is_zero() {
        true => number(*price, 12),
        false => format!("from {} {}", number(*from, 3), number(*price, 12)),
    };
    tiers.iter().map(tier).collect::<Vec<_>>().join(", ")
}

/// The largest change of a tier, in per cent.
fn change(before: &[Tier], after: &[Tier]) -> Option<Decimal> {
    let same = before.len() == after.len();
    let tiers = before.iter().zip(after).filter(|_| same);
    let changes: Option<Vec<Decimal>> = tiers
        .map(|(old, now)| {
            let moved = percent(now.price - old.price, old.price)?;
            (old.from == now.from).then_some(moved)
        })
        .collect();
    changes?.into_iter().max_by_key(|share| share.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(&str, &str, &str)]) -> Prices {
        let rows: Vec<String> = rows
            .iter()
            .map(|(meter, price, date)| {
                format!("\"{meter}\" = {{ price = \"{price}\", date = \"{date}\" }}\n")
            })
            .collect();
        Prices::read(&format!("region = \"us-east-1\"\n[prices]\n{}", rows.concat()), "f")
            .expect("a table")
    }

    #[test]
    fn an_update_says_what_is_new_changed_and_gone() {
        let before = table(&[
            ("nat.gb", "0.045", "2026-01-01"),
            ("nat.hours", "0.04", "2026-01-01"),
            ("alb.hours", "0.02", "2026-01-01"),
            ("alb.lcu", "0.0080", "2026-01-01"),
        ]);
        let after = table(&[
            ("nat.gb", "0.05", "2026-01-01"),
            ("nat.hours", "0.03", "2026-01-01"),
            ("aurora.acu", "0.12", "2026-01-01"),
            ("alb.lcu", "0.008", "2026-11-01"),
        ]);
        let changed = Changed::of(&before, &after);
        assert_eq!(
            changed.counts(),
            "1 new, 2 changed, 1 gone, 1 the same with another date or source"
        );
        // 0.01 of 0.04; 0.005 of 0.045.
        let lines = [
            "nat.hours: 0.04 -> 0.03 USD (-25 %)",
            "nat.gb: 0.045 -> 0.05 USD (+11.1 %)",
            "aurora.acu: new, 0.12 USD",
            "alb.hours: gone, was 0.02 USD",
        ];
        assert_eq!(changed.lines(), lines);
        let same = Changed::of(&after, &after);
        assert_eq!((same.counts().as_str(), same.lines()), ("0 new, 0 changed, 0 gone", vec![]));
    }

    #[test]
    fn only_the_ten_largest_changes_are_shown() {
        let meters = ["nat.gb", "nat.hours", "alb.hours", "alb.lcu", "aurora.acu", "aurora.io"];
        let more = ["aurora.storage", "aurora.backup", "cloudwatch.alarm", "cloudwatch.metric"];
        let all: Vec<&str> = meters
            .into_iter()
            .chain(more)
            .chain(["dynamodb.pitr", "cloudwatch.dashboard"])
            .collect();
        let of = |price: fn(usize) -> String| {
            let rows: Vec<(&str, String)> =
                all.iter().enumerate().map(|(at, meter)| (*meter, price(at))).collect();
            let rows: Vec<(&str, &str, &str)> =
                rows.iter().map(|(meter, price)| (*meter, price.as_str(), "2026-01-01")).collect();
            table(&rows)
        };
        // The first rises by 1 %, the last by 12 %.
        let changed = Changed::of(&of(|_| "1".into()), &of(|at| format!("1.{:02}", at + 1)));
        let lines = changed.lines();
        assert_eq!(lines.len(), 11);
        assert_eq!(lines[0], "cloudwatch.dashboard: 1 -> 1.12 USD (+12 %)");
        assert_eq!(lines[9], "alb.hours: 1 -> 1.03 USD (+3 %)");
        assert_eq!(lines[10], "and 2 more");
    }
}
