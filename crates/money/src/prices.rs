//! Price tables: one for each region, with date and source of each figure.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::meters;

/// The regions that have a table in the program.
pub const REGIONS: [&str; 4] = ["eu-central-1", "eu-west-1", "us-east-1", "us-west-2"];

/// The most that a unit may cost. No price of AWS comes near it, and no bill below it overflows.
const HIGHEST: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);
/// The highest quantity from which a tier may begin.
const FURTHEST: Decimal = Decimal::from_parts(0xa764_0000, 0x0de0_b6b3, 0, false, 0);

/// Whether a text is a day of the calendar: `2026-11-30`.
fn is_day(text: &str) -> bool {
    let is_shaped = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let part = |range: std::ops::Range<usize>| text.get(range).and_then(|part| part.parse().ok());
    let (true, Some(year), Some(month), Some(day)) =
        (is_shaped, part(0..4), part(5..7), part(8..10))
    else {
        return false;
    };
    let year: u32 = year;
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last: u32 = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=last).contains(&day)
}

/// The prices of a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prices {
    /// The region.
    pub region: String,
    /// The currency.
    pub currency: String,
    /// The files and lists whose prices stand in place of those in payctl, the last counts first.
    pub origins: Vec<Origin>,
    prices: BTreeMap<String, Price>,
}

/// A file or a list of prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its name.
    pub name: String,
    /// The day of its oldest price that has one; else empty.
    pub oldest: String,
    /// The day of its newest price that has one; else empty.
    pub newest: String,
}

/// The price of a meter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// What one unit costs, from each quantity of a month on. The first begins at 0.
    pub tiers: Vec<Tier>,
    /// The day on which the source said so; empty if that is not known.
    pub date: String,
    /// Where it stands: a URL, or the name of a file of negotiated prices.
    pub source: String,
    /// Whether AWS's own price list says so, directly or in a copy with its names.
    pub verified: bool,
    /// The name of the file or list that it is from; none if it is from payctl's own table.
    pub origin: Option<String>,
}

/// A price from a quantity on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// The quantity.
    pub from: Decimal,
    /// What one unit costs.
    pub price: Decimal,
}

impl Price {
    /// What a quantity costs.
    pub fn of(&self, quantity: Decimal) -> Decimal {
        let ends = self.tiers.iter().skip(1).map(|tier| Some(tier.from)).chain([None]);
        let parts = self.tiers.iter().zip(ends).map(|(tier, end)| {
            let upper = end.map_or(quantity, |end| quantity.min(end));
            (upper - tier.from).max(Decimal::ZERO) * tier.price
        });
        parts.sum()
    }

    /// The price of one unit where it does not depend on the quantity.
    pub fn single(&self) -> Option<Decimal> {
        match self.tiers.as_slice() {
            [tier] => Some(tier.price),
            _ => None,
        }
    }
}

/// A file of prices.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    region: String,
    #[serde(default = "dollars")]
    currency: String,
    /// Sources by short name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    sources: BTreeMap<String, String>,
    prices: BTreeMap<String, Row>,
}

fn dollars() -> String {
    "USD".to_owned()
}

fn yes() -> bool {
    true
}

/// A row of a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    price: Option<Decimal>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tiers: Vec<Tier>,
    #[serde(default)]
    date: String,
    #[serde(default)]
    source: String,
    #[serde(default = "yes")]
    verified: bool,
}

impl Prices {
    /// The table of a region in the program, if there is one.
    pub fn shipped(region: &str) -> Option<Self> {
        let text = match region {
            "eu-central-1" => include_str!("../prices/eu-central-1.toml"),
            "eu-west-1" => include_str!("../prices/eu-west-1.toml"),
            "us-east-1" => include_str!("../prices/us-east-1.toml"),
            "us-west-2" => include_str!("../prices/us-west-2.toml"),
            _ => return None,
        };
        Some(Self::read(text, "").expect("a shipped table of prices is well-formed"))
    }

    /// A table without prices.
    pub fn none(region: &str) -> Self {
        let (region, currency) = (region.to_owned(), dollars());
        Self { region, currency, origins: Vec::new(), prices: BTreeMap::new() }
    }

    /// Reads a table. `name` is the source of rows that name none.
    ///
    /// # Errors
    /// A sentence about the first thing that is wrong.
    pub fn read(text: &str, name: &str) -> Result<Self, String> {
        let File { region, currency, sources, prices } =
            toml::from_str(text).map_err(|error| error.to_string())?;
        if currency != "USD" {
            return Err(format!("the currency is {currency}: payctl computes in USD"));
        }
        let mut read = Self { region, currency, origins: Vec::new(), prices: BTreeMap::new() };
        for (meter, row) in prices {
            if !meters::is_known(&meter) {
                return Err(format!("there is no meter `{meter}`"));
            }
            let tiers = match (row.price, row.tiers) {
                (Some(price), tiers) if tiers.is_empty() => {
                    vec![Tier { from: Decimal::ZERO, price }]
                }
                (None, tiers) if !tiers.is_empty() => tiers,
                _ => return Err(format!("{meter} needs `price` or `tiers`")),
            };
            let rises = tiers.windows(2).all(|pair| pair[0].from < pair[1].from);
            if !rises || !tiers[0].from.is_zero() {
                return Err(format!("the tiers of {meter} must rise from 0"));
            }
            if tiers.iter().any(|tier| tier.price.is_sign_negative()) {
                return Err(format!("{meter} has a negative price"));
            }
            if tiers.iter().any(|tier| tier.price > HIGHEST) {
                return Err(format!("{meter} has a price above {HIGHEST} USD"));
            }
            if tiers.iter().any(|tier| tier.from > FURTHEST) {
                return Err(format!("{meter} has a tier from more than {FURTHEST}"));
            }
            if !row.date.is_empty() && !is_day(&row.date) {
                return Err(format!(
                    "{meter} has the date `{}`: write a day as 2026-11-30",
                    row.date
                ));
            }
            let source = sources.get(&row.source).cloned().unwrap_or(row.source);
            let source = if source.is_empty() { name.to_owned() } else { source };
            let Row { date, verified, .. } = row;
            read.prices.insert(meter, Price { tiers, date, source, verified, origin: None });
        }
        Ok(read)
    }

    /// The table as a file that [`Prices::read`] reads.
    pub fn text(&self) -> String {
        let mut text = format!("region = \"{}\"\ncurrency = \"{}\"\n", self.region, self.currency);
        for (meter, price) in &self.prices {
            text.push_str(&format!("\n[prices.\"{meter}\"]\n"));
            match price.single() {
                Some(price) => text.push_str(&format!("price = \"{price}\"\n")),
                None => {
                    let tiers: Vec<String> = price
                        .tiers
                        .iter()
                        .map(|tier| {
                            format!("{{ from = \"{}\", price = \"{}\" }}", tier.from, tier.price)
                        })
                        .collect();
                    text.push_str(&format!("tiers = [{}]\n", tiers.join(", ")));
                }
            }
            text.push_str(&format!("date = \"{}\"\nsource = \"{}\"\n", price.date, price.source));
            if !price.verified {
                text.push_str("verified = false\n");
            }
        }
        text
    }

    /// These prices, and those of another table where it has some.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.prices.extend(other.prices);
        self.origins.extend(other.origins);
        self
    }

    /// The same prices with the name of the file or list that they are from.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        for price in self.prices.values_mut() {
            price.origin = Some(name.to_owned());
        }
        let dates =
            || self.prices.values().map(|price| &price.date).filter(|date| !date.is_empty());
        let oldest = dates().min().cloned().unwrap_or_default();
        let newest = dates().max().cloned().unwrap_or_default();
        self.origins = vec![Origin { name: name.to_owned(), oldest, newest }];
        self
    }

    /// Whether there is no price at all.
    pub fn is_empty(&self) -> bool {
        self.prices.is_empty()
    }

    /// Sets a price.
    pub fn set(&mut self, meter: &str, price: Price) {
        self.prices.insert(meter.to_owned(), price);
    }

    /// The price of a meter.
    pub fn get(&self, meter: &str) -> Option<&Price> {
        self.prices.get(meter)
    }

    /// All prices by meter.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Price)> {
        self.prices.iter().map(|(meter, price)| (meter.as_str(), price))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        crate::decimal(text).expect("a number")
    }

    #[test]
    fn each_shipped_figure_has_a_source_and_each_verified_one_a_date() {
        for region in REGIONS {
            let prices = Prices::shipped(region).expect("a table");
            assert_eq!(prices.region, region);
            assert!(prices.iter().count() > 20, "{region}");
            for (meter, price) in prices.iter() {
                assert!(price.source.starts_with("https://"), "{region} {meter}: {}", price.source);
                let is_dated = price.date.len() == 10 && price.date.starts_with("202");
                let may_lack = !price.verified && price.date.is_empty();
                assert!(is_dated || may_lack, "{region} {meter}: {}", price.date);
            }
        }
    }

    #[test]
    fn us_east_1_has_a_price_for_each_meter() {
        let prices = Prices::shipped("us-east-1").expect("a table");
        let listed = meters::all().iter().filter(|(_, meter)| meter.unlisted.is_none());
        let missing: Vec<&String> =
            listed.map(|(name, _)| name).filter(|meter| prices.get(meter).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn tiers_apply_to_the_part_of_the_quantity_that_lies_in_them() {
        let prices = Prices::shipped("us-east-1").expect("a table");
        let rest = prices.get("apigateway.rest").expect("a price");
        // 333 million at 3.50, 667 million at 2.80, 1 million at 2.38 dollars a million.
        assert_eq!(rest.of(d("333000000")), d("1165.5"));
        assert_eq!(rest.of(d("1001000000")), d("1165.5") + d("1867.6") + d("2.38"));
        assert_eq!(rest.of(d("0")), d("0"));
    }

    #[test]
    fn tables_survive_being_written() {
        for region in REGIONS {
            let prices = Prices::shipped(region).expect("a table");
            assert_eq!(Prices::read(&prices.text(), ""), Ok(prices));
        }
    }

    #[test]
    fn wrong_tables_are_refused() {
        let said = |rows: &str| {
            Prices::read(&format!("region = \"x\"\n[prices]\n{rows}"), "f").expect_err("an error")
        };
        assert_eq!(said("\"no.thing\" = { price = \"1\" }"), "there is no meter `no.thing`");
        assert_eq!(said("\"nat.gb\" = { price = \"-1\" }"), "nat.gb has a negative price");
        assert_eq!(said("\"nat.gb\" = {}"), "nat.gb needs `price` or `tiers`");
        let tiers = "\"nat.gb\" = { tiers = [{ from = \"1\", price = \"1\" }] }";
        assert_eq!(said(tiers), "the tiers of nat.gb must rise from 0");
        assert!(said("\"nat.gb\" = { price = \"1\", more = 1 }").contains("more"));
        for day in ["yesterday", "2026-13-01", "2026-02-29", "2026-04-31", "2026-1-1", "01.12.2026"]
        {
            assert_eq!(
                said(&format!("\"nat.gb\" = {{ price = \"1\", date = \"{day}\" }}")),
                format!("nat.gb has the date `{day}`: write a day as 2026-11-30")
            );
        }
        assert_eq!(
            said("\"nat.gb\" = { price = \"1000001\" }"),
            "nat.gb has a price above 1000000 USD"
        );
        let tiers = "{ from = \"0\", price = \"1\" }, { from = \"1e19\", price = \"1\" }";
        assert!(
            said(&format!(
                "\"nat.gb\" = {{ tiers = [{}] }}",
                tiers.replace("1e19", &"9".repeat(19))
            ))
            .ends_with("has a tier from more than 1000000000000000000")
        );
        let leap =
            "region = \"x\"\n[prices]\n\"nat.gb\" = { price = \"1\", date = \"2028-02-29\" }";
        assert!(Prices::read(leap, "f").is_ok());
    }

    #[test]
    fn negotiated_prices_replace_listed_ones() {
        let own = "region = \"us-east-1\"\n[prices]\n\"nat.gb\" = { price = \"0.01\" }\n";
        let own = Prices::read(own, "ours.toml").expect("a table");
        let prices = Prices::shipped("us-east-1").expect("a table").with(own);
        let price = prices.get("nat.gb").expect("a price");
        assert_eq!((price.single(), price.source.as_str()), (Some(d("0.01")), "ours.toml"));
        assert!(prices.get("nat.hours").is_some());
    }
}
