//! Bills: what resources charge, at the prices of a region.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};

use super::load::Assumptions;
use super::meters;
use super::prices::{Origin, Prices};

/// Whether something costs although nobody uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// It runs or stands there.
    Fixed,
    /// It follows the load.
    Usage,
}

/// What a resource charges for, without the price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// In a few words, for people.
    pub what: String,
    /// The meter.
    pub meter: String,
    /// How much in a month.
    pub quantity: Decimal,
    /// Whether it costs although nobody uses it.
    pub basis: Basis,
}

impl Charge {
    /// A charge that does not depend on the load.
    pub fn fixed(what: impl Into<String>, meter: impl Into<String>, quantity: Decimal) -> Self {
        Self { what: what.into(), meter: meter.into(), quantity, basis: Basis::Fixed }
    }

    /// A charge that follows the load.
    pub fn usage(what: impl Into<String>, meter: impl Into<String>, quantity: Decimal) -> Self {
        Self { what: what.into(), meter: meter.into(), quantity, basis: Basis::Usage }
    }
}

/// A resource that charges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charged {
    /// Its address.
    pub address: String,
    /// The section of the config that it belongs to.
    pub component: String,
    /// What it charges for.
    pub charge: Charge,
}

/// A line of a bill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The resource.
    pub address: String,
    /// The section of the config that it belongs to.
    pub component: String,
    /// What it charges for.
    pub what: String,
    /// How much in a month.
    #[serde(serialize_with = "six")]
    pub quantity: Decimal,
    /// In which unit.
    pub unit: String,
    /// What one unit costs; the average over the tiers.
    #[serde(serialize_with = "twelve")]
    pub unit_price: Decimal,
    /// What it costs in a month.
    #[serde(serialize_with = "six")]
    pub monthly: Decimal,
    /// Whether it costs although nobody uses it.
    pub basis: Basis,
    /// Where the price stands.
    pub source: String,
    /// The day of the price; empty if that is not known.
    pub date: String,
    /// Whether AWS's own price list says so.
    pub verified: bool,
    /// The meter.
    pub meter: String,
    /// The name of the file or list that the price is from; none if it is from payctl's own table.
    pub priced_by: Option<String>,
}

/// Something that cannot be priced.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unpriced {
    /// The resource.
    pub address: String,
    /// The section of the config that it belongs to.
    pub component: String,
    /// What it charges for.
    pub what: String,
    /// Why.
    pub reason: String,
}

/// What a file or a list of prices says in a bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PricedBy<'a> {
    /// The file or the list.
    pub origin: &'a Origin,
    /// The meters whose price it states.
    pub meters: BTreeSet<&'a str>,
    /// How many items have a price of it.
    pub items: usize,
}

/// What resources cost in a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// The currency.
    pub currency: String,
    /// The region.
    pub region: String,
    /// The day of the oldest price that has one; else empty.
    pub prices_of: String,
    /// How many hours of a month the environment exists.
    pub hours: Decimal,
    /// The lines, by address.
    pub items: Vec<Item>,
    /// What is missing.
    pub unpriced: Vec<Unpriced>,
    /// The files and lists whose prices stand in place of those in payctl.
    pub origins: Vec<Origin>,
    /// Whether any price of the region is known.
    pub has_prices: bool,
}

/// A JSON number with at most six places.
fn six<S: Serializer>(number: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    number_of(*number, 6).serialize(serializer)
}

/// A JSON number with at most twelve places.
fn twelve<S: Serializer>(number: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    number_of(*number, 12).serialize(serializer)
}

/// A decimal as a JSON number with at most so many places. JSON knows only the digits; the number is
/// computed before.
pub fn number_of(number: Decimal, places: u32) -> serde_json::Number {
    let text = super::round(number, places).normalize().to_string();
    serde_json::from_str(&text).expect("digits are a JSON number")
}

impl Bill {
    /// The bill of some charges. Tiers and free quantities belong to an account, so they apply to the
    /// sum of a meter, and each line bears its share.
    pub fn of(charges: Vec<Charged>, prices: &Prices, assume: &Assumptions) -> Self {
        let mut sums: BTreeMap<String, Decimal> = BTreeMap::new();
        for Charged { charge, .. } in &charges {
            *sums.entry(charge.meter.clone()).or_default() += charge.quantity;
        }
        let mut pools: BTreeMap<String, Decimal> = BTreeMap::new();
        let mut totals: BTreeMap<String, Decimal> = BTreeMap::new();
        for (meter, sum) in &sums {
            let Some(price) = prices.get(meter) else { continue };
            let mut charged = *sum;
            if assume.free_quantities
                && let Some((known, free)) =
                    meters::find(meter).and_then(|known| Some((known, known.free?)))
            {
                let pool = known.pool.clone().unwrap_or_else(|| meter.clone());
                let left = pools.entry(pool).or_insert(free);
                let taken = charged.min(*left);
                *left -= taken;
                charged -= taken;
            }
            totals.insert(meter.clone(), price.of(charged));
        }
        let (mut items, mut unpriced) = (Vec::new(), Vec::new());
        for Charged { address, component, charge } in charges {
            let Charge { what, meter, quantity, basis } = charge;
            let Some(price) = prices.get(&meter) else {
                let region = &prices.region;
                let why = meters::find(&meter).and_then(|meter| meter.unlisted.clone());
                let why =
                    why.unwrap_or_else(|| format!("no price of {meter} in {region} is known"));
                let reason = format!("{what}: {why}");
                unpriced.push(Unpriced { address, component, what, reason });
                continue;
            };
            let (sum, total) = (sums[&meter], totals[&meter]);
            let simple = price.single().filter(|_| !assume.free_quantities);
            let unit_price = match simple {
                Some(price) => price,
                None if sum.is_zero() => price.tiers[0].price,
                None => total / sum,
            };
            items.push(Item {
                address,
                component,
                what,
                quantity,
                unit: meters::unit(&meter).to_owned(),
                unit_price,
                monthly: quantity * unit_price,
                basis,
                source: price.source.clone(),
                date: price.date.clone(),
                verified: price.verified,
                meter,
                priced_by: price.origin.clone(),
            });
        }
        items.sort_by(|one, other| (&one.address, &one.what).cmp(&(&other.address, &other.what)));
        unpriced.sort();
        unpriced.dedup();
        let oldest = items.iter().map(|item| item.date.as_str()).filter(|date| !date.is_empty());
        let prices_of = oldest.min().unwrap_or_default().to_owned();
        let (currency, region) = (prices.currency.clone(), prices.region.clone());
        let hours = assume.hours_per_month;
        let (origins, has_prices) = (prices.origins.clone(), !prices.is_empty());
        Self { currency, region, prices_of, hours, items, unpriced, origins, has_prices }
    }

    /// The part of some resources. Each line keeps its share of the tiers.
    #[must_use]
    pub fn part(mut self, is_in: impl Fn(&str) -> bool) -> Self {
        self.items.retain(|item| is_in(&item.address));
        self.unpriced.retain(|unpriced| is_in(&unpriced.address));
        let dates = self.items.iter().map(|item| item.date.as_str());
        self.prices_of = dates.filter(|date| !date.is_empty()).min().unwrap_or_default().to_owned();
        self
    }

    /// Whether it has costs and no price of any: then its sums say nothing.
    pub fn is_unknown(&self) -> bool {
        self.items.is_empty() && !self.unpriced.is_empty()
    }

    /// The day of the oldest price of payctl's own table; empty if there is none.
    pub fn table_date(&self) -> &str {
        let own = self.items.iter().filter(|item| item.priced_by.is_none());
        let dates = own.map(|item| item.date.as_str()).filter(|date| !date.is_empty());
        dates.min().unwrap_or_default()
    }

    /// What each file and list of prices says in it.
    pub fn priced_by(&self) -> Vec<PricedBy<'_>> {
        let mut all: Vec<PricedBy<'_>> = Vec::new();
        for origin in &self.origins {
            let is_of = |item: &&Item| item.priced_by.as_ref() == Some(&origin.name);
            let meters = self.items.iter().filter(is_of).map(|item| item.meter.as_str()).collect();
            all.push(PricedBy { origin, meters, items: self.items.iter().filter(is_of).count() });
        }
        all
    }

    fn sum(&self, wanted: Option<Basis>) -> Decimal {
        let items = self.items.iter();
        let items = items.filter(|item| wanted.is_none_or(|wanted| item.basis == wanted));
        items.map(|item| item.monthly).sum()
    }

    /// What runs in a month whether it is used or not.
    pub fn fixed(&self) -> Decimal {
        self.sum(Some(Basis::Fixed))
    }

    /// What follows the load.
    pub fn usage(&self) -> Decimal {
        self.sum(Some(Basis::Usage))
    }

    /// Everything.
    pub fn total(&self) -> Decimal {
        self.sum(None)
    }

    /// What an hour in which the environment exists costs whether it is used or not.
    pub fn hourly(&self) -> Decimal {
        self.fixed() / self.hours
    }

    /// What some hours cost in which the environment exists: the fixed cost of each, and the usage in
    /// proportion.
    pub fn of_hours(&self, hours: Decimal) -> Decimal {
        self.total() / self.hours * hours
    }

    /// What each component costs, the dearest first.
    pub fn components(&self) -> Vec<(&str, Decimal)> {
        let mut sums: BTreeMap<&str, Decimal> = BTreeMap::new();
        for item in &self.items {
            *sums.entry(&item.component).or_default() += item.monthly;
        }
        let mut sums: Vec<(&str, Decimal)> = sums.into_iter().collect();
        sums.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(other.0)));
        sums
    }

    /// The meters whose price is not verified.
    pub fn unverified(&self) -> Vec<&str> {
        let mut meters: Vec<&str> = self
            .items
            .iter()
            .filter(|item| !item.verified)
            .map(|item| item.meter.as_str())
            .collect();
        meters.sort_unstable();
        meters.dedup();
        meters
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    fn d(text: &str) -> Decimal {
        crate::decimal(text).expect("a number")
    }

    fn charged(address: &str, charge: Charge) -> Charged {
        Charged { address: address.into(), component: "c".into(), charge }
    }

    static PRICES: LazyLock<Prices> =
        LazyLock::new(|| Prices::shipped("us-east-1").expect("a table"));

    fn bill(charges: Vec<Charged>, free_quantities: bool) -> Bill {
        let assume = Assumptions { free_quantities, ..Assumptions::default() };
        Bill::of(charges, &PRICES, &assume)
    }

    #[test]
    fn a_line_is_quantity_times_price() {
        let nat = charged("n", Charge::fixed("NAT gateway", "nat.hours", d("730")));
        let gb = charged("n", Charge::usage("NAT data", "nat.gb", d("2.5")));
        let bill = bill(vec![gb, nat], false);
        // 730 h x 0.045 = 32.85; 2.5 GB x 0.045 = 0.1125.
        assert_eq!(bill.fixed(), d("32.85"));
        assert_eq!(bill.usage(), d("0.1125"));
        assert_eq!(bill.total(), d("32.9625"));
        assert_eq!(bill.hourly(), d("0.045"));
        // 10 h x (0.045 + 0.1125 / 730).
        assert_eq!(crate::round(bill.of_hours(d("10")), 9), d("0.451541096"));
        assert_eq!(bill.items[0].what, "NAT data");
    }

    #[test]
    fn an_hour_costs_the_same_in_an_environment_of_some_hours() {
        let of = |hours_per_month: Decimal| {
            let nat = charged("n", Charge::fixed("NAT gateway", "nat.hours", hours_per_month));
            let assume = Assumptions { hours_per_month, ..Assumptions::default() };
            Bill::of(vec![nat], &PRICES, &assume)
        };
        for bill in [of(d("730")), of(d("160"))] {
            assert_eq!(bill.hourly(), d("0.045"));
            // 8 h x 0.045.
            assert_eq!(bill.of_hours(d("8")), d("0.36"));
        }
    }

    #[test]
    fn free_quantities_are_taken_off_once_for_all_lines() {
        let alarms = |n: u32| {
            (0..n).map(|at| {
                charged(&format!("a{at}"), Charge::fixed("alarm", "cloudwatch.alarm", d("1")))
            })
        };
        assert_eq!(bill(alarms(12).collect(), false).total(), d("1.20"));
        assert_eq!(super::super::cents(bill(alarms(12).collect(), true).total()), d("0.20"));
        assert_eq!(bill(alarms(10).collect(), true).total(), d("0"));
    }

    #[test]
    fn meters_of_a_pool_share_its_free_quantity() {
        let run = |meter: &str| charged(meter, Charge::usage("run", meter, d("300000")));
        let both = vec![run("lambda.gb_seconds.arm64"), run("lambda.gb_seconds.x86_64")];
        // 300,000 and 100,000 of 400,000 are free: 200,000 x 0.0000166667 remain.
        assert_eq!(super::super::cents(bill(both, true).total()), d("3.33"));
    }

    #[test]
    fn a_missing_price_is_named_and_not_invented() {
        let none = Prices::none("xx-west-9");
        let nat = charged("n", Charge::fixed("NAT gateway", "nat.hours", d("730")));
        let bill = Bill::of(vec![nat], &none, &Assumptions::default());
        assert_eq!(bill.total(), d("0"));
        assert_eq!(
            bill.unpriced[0].reason,
            "NAT gateway: no price of nat.hours in xx-west-9 is known"
        );
    }

    #[test]
    fn adding_never_lowers_the_total() {
        // A small generator, so that no seed hides.
        let mut state = 7_u64;
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        };
        let meters: Vec<&String> = meters::all().keys().collect();
        for round in 0..200_u32 {
            let free = round % 2 == 0;
            let mut charges = Vec::new();
            let mut before = Decimal::ZERO;
            for at in 0..12_u32 {
                let meter = meters[next(meters.len() as u64) as usize];
                let quantity = Decimal::new(next(9_000_000_000) as i64, (next(6)) as u32);
                charges
                    .push(charged(&format!("a{at}"), Charge::usage("x", meter.as_str(), quantity)));
                let after = bill(charges.clone(), free).total();
                // A share that does not end loses its 28th digit.
                assert!(after + d("0.000000001") >= before, "{meter} {quantity}: {before} {after}");
                before = after;
            }
        }
    }

    #[test]
    fn numbers_are_shown_without_binary_noise() {
        assert_eq!(number_of(d("32.85"), 6).to_string(), "32.85");
        assert_eq!(number_of(d("0.0000166667"), 12).to_string(), "0.0000166667");
        assert_eq!(number_of(d("730"), 6).to_string(), "730");
    }
}
