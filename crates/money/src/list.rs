//! AWS's price list: which questions find a meter in it, and what its answers say.
//!
//! The list names a usage with a code of the region before it: `EUC1-NatGateway-Hours`. In us-east-1 some
//! services leave the code out, and some have the region itself. So a meter has a question for each form.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::Value;

use super::meters::Meter;
use super::prices::{Price, Tier};

/// The codes of regions in bills and price lists, as AWS documents them ("Region billing codes").
const CODES: [(&str, &str); 32] = [
    ("af-south-1", "AFS1"),
    ("ap-east-1", "APE1"),
    ("ap-northeast-1", "APN1"),
    ("ap-northeast-2", "APN2"),
    ("ap-northeast-3", "APN3"),
    ("ap-south-1", "APS3"),
    ("ap-south-2", "APS5"),
    ("ap-southeast-1", "APS1"),
    ("ap-southeast-2", "APS2"),
    ("ap-southeast-3", "APS4"),
    ("ap-southeast-4", "APS6"),
    ("ap-southeast-5", "APS7"),
    ("ca-central-1", "CAN1"),
    ("ca-west-1", "CAN2"),
    ("eu-central-1", "EUC1"),
    ("eu-central-2", "EUC2"),
    ("eu-north-1", "EUN1"),
    ("eu-south-1", "EUS1"),
    ("eu-south-2", "EUS2"),
    ("eu-west-1", "EU"),
    ("eu-west-1", "EUW1"),
    ("eu-west-2", "EUW2"),
    ("eu-west-3", "EUW3"),
    ("il-central-1", "ILC1"),
    ("me-central-1", "MEC1"),
    ("me-south-1", "MES1"),
    ("mx-central-1", "MXC1"),
    ("sa-east-1", "SAE1"),
    ("us-east-1", "USE1"),
    ("us-east-2", "USE2"),
    ("us-west-1", "USW1"),
    ("us-west-2", "USW2"),
];

/// What may stand before a usage in a region; nothing if the codes of the region are not known.
pub fn prefixes(region: &str) -> Vec<String> {
    let codes = CODES.iter().filter(|(known, _)| *known == region);
    let codes: Vec<String> = codes.map(|(_, code)| format!("{code}-")).collect();
    if codes.is_empty() {
        return codes;
    }
    let bare = (region == "us-east-1").then(String::new);
    bare.into_iter().chain(codes).chain([format!("{region}-")]).collect()
}

/// A usage without what stands before it for the region.
pub fn bare<'a>(usage: &'a str, region: &str) -> &'a str {
    let prefixes = prefixes(region);
    let prefixes = prefixes.iter().filter(|prefix| !prefix.is_empty());
    prefixes.filter_map(|prefix| usage.strip_prefix(prefix)).next().unwrap_or(usage)
}

/// A question to the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The code of the service.
    pub service: String,
    /// The fields that a product must have, with their values.
    pub fields: BTreeMap<String, String>,
}

impl Meter {
    /// The questions that may find it. The first that has an answer is enough.
    pub fn questions(&self, region: &str) -> Vec<Question> {
        if self.unlisted.is_some() {
            return Vec::new();
        }
        let prefixes = if self.anywhere { vec![String::new()] } else { prefixes(region) };
        let question = |usage: String| {
            let mut fields = self.filter.clone();
            fields.insert("usagetype".to_owned(), usage);
            Question { service: self.service.clone(), fields }
        };
        let usages = self.usages().flat_map(|usage| {
            prefixes.iter().map(move |prefix| format!("{prefix}{usage}")).collect::<Vec<_>>()
        });
        usages.map(question).collect()
    }
}

/// A product of the list with its price on demand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// AWS's id of it.
    pub sku: String,
    /// Its usage, with the region.
    pub usage: String,
    /// Its region, if the list names one.
    pub region: Option<String>,
    /// The day on which the list says so.
    pub date: String,
    /// Its price in US dollars.
    pub tiers: Vec<Tier>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    product: Described,
    #[serde(default)]
    terms: Terms,
    #[serde(default)]
    publication_date: String,
}

#[derive(Deserialize)]
struct Described {
    sku: String,
    #[serde(default)]
    attributes: BTreeMap<String, Value>,
}

#[derive(Default, Deserialize)]
struct Terms {
    #[serde(default, rename = "OnDemand")]
    on_demand: BTreeMap<String, Offer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Offer {
    #[serde(default)]
    effective_date: String,
    price_dimensions: BTreeMap<String, Dimension>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dimension {
    #[serde(default)]
    begin_range: Option<String>,
    price_per_unit: BTreeMap<String, String>,
}

/// Reads a product as the list writes it; `None` if it has no price on demand in US dollars.
///
/// # Errors
/// A sentence about what cannot be read.
pub fn product(text: &str) -> Result<Option<Product>, String> {
    let document: Document = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Document { product: Described { sku, attributes }, terms, publication_date } = document;
    // An offer that is no longer in effect may stand beside the current one.
    let offers = terms.on_demand.into_values();
    let Some(offer) = offers.max_by(|one, other| one.effective_date.cmp(&other.effective_date))
    else {
        return Ok(None);
    };
    let mut tiers = Vec::new();
    for dimension in offer.price_dimensions.into_values() {
        let Some(price) = dimension.price_per_unit.get("USD") else { return Ok(None) };
        let number = |text: &str| {
            super::decimal(text)
                .map(|number| number.normalize())
                .ok_or_else(|| format!("{sku} has `{text}` where a number belongs"))
        };
        let from = number(dimension.begin_range.as_deref().unwrap_or("0"))?;
        tiers.push(Tier { from, price: number(price)? });
    }
    tiers.sort_by_key(|tier| (tier.from, tier.price));
    tiers.dedup();
    if tiers.windows(2).any(|pair| pair[0].from == pair[1].from) {
        return Err(format!("{sku} has several prices for one quantity: {}", said(&tiers)));
    }
    let tiers = without_free(tiers);
    if !tiers.first().is_some_and(|tier| tier.from.is_zero()) {
        return Err(format!("the prices of {sku} do not begin at 0"));
    }
    let attribute = |name: &str| {
        let text = attributes.get(name).and_then(Value::as_str).unwrap_or_default();
        Some(text.to_owned()).filter(|text| !text.is_empty())
    };
    let usage = attribute("usagetype").unwrap_or_default();
    let date = if publication_date.is_empty() { offer.effective_date } else { publication_date };
    let date = date.chars().take(10).collect();
    Ok(Some(Product { sku, usage, region: attribute("regionCode"), date, tiers }))
}

/// The list has a free quantity as a first price of 0. Here the meters know it, since a bill leaves it
/// out unless it is asked for. Neighbours with one price are one.
fn without_free(tiers: Vec<Tier>) -> Vec<Tier> {
    let mut kept: Vec<Tier> = Vec::new();
    let is_paid = tiers.iter().any(|tier| !tier.price.is_zero());
    for tier in tiers {
        let is_free = kept.is_empty() && tier.price.is_zero() && is_paid;
        if is_free || kept.last().is_some_and(|last| last.price == tier.price) {
            continue;
        }
        let from = if kept.is_empty() && is_paid { Decimal::ZERO } else { tier.from };
        kept.push(Tier { from, ..tier });
    }
    kept
}

/// The price of a meter among the products that a question found; `None` if there is none.
///
/// # Errors
/// The products, if they have different prices.
pub fn chosen(
    meter: &Meter,
    region: &str,
    products: Vec<Product>,
) -> Result<Option<Price>, String> {
    let is_here = |product: &Product| {
        meter.anywhere || product.region.as_deref().is_none_or(|known| known == region)
    };
    let products: Vec<Product> = products.into_iter().filter(is_here).collect();
    let different: BTreeSet<String> = products.iter().map(|product| said(&product.tiers)).collect();
    if different.len() > 1 {
        let named = products.iter().map(|product| {
            let Product { sku, usage, tiers, .. } = product;
            format!("{usage} ({sku}) {}", said(tiers))
        });
        let named: BTreeSet<String> = named.collect();
        return Err(named.into_iter().collect::<Vec<_>>().join(", "));
    }
    let price = |product: Product| {
        let Product { sku, usage, date, tiers, .. } = product;
        let source = format!("AWS Price List: {} {usage}, SKU {sku}", meter.service);
        Price { tiers, date, source, verified: true, origin: None }
    };
    Ok(products.into_iter().next().map(price))
}

/// A price in a few characters: `0.09, from 10240 0.085`.
pub fn said(tiers: &[Tier]) -> String {
    let tier = |tier: &Tier| match tier.from.is_zero() {
        true => tier.price.normalize().to_string(),
        false => format!("from {} {}", tier.from.normalize(), tier.price.normalize()),
    };
    tiers.iter().map(tier).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::meters;

    fn listed(usage: &str, region: &str, prices: &[(&str, &str)]) -> String {
        let dimensions = prices.iter().enumerate().map(|(at, (from, price))| {
            let dimension = json!({
                "unit": "GB", "beginRange": from, "endRange": "Inf", "appliesTo": [],
                "rateCode": format!("SKU{usage}.JRTCKXETXF.{at}"), "description": "",
                "pricePerUnit": { "USD": price },
            });
            (format!("SKU{usage}.JRTCKXETXF.{at}"), dimension)
        });
        let dimensions: serde_json::Map<String, Value> = dimensions.collect();
        json!({
            "product": {
                "productFamily": "NAT Gateway", "sku": format!("SKU{usage}"),
                "attributes": {
                    "servicecode": "AmazonEC2", "location": "somewhere", "regionCode": region,
                    "usagetype": usage, "operation": "NatGateway",
                },
            },
            "serviceCode": "AmazonEC2",
            "terms": { "OnDemand": { "SKU.JRTCKXETXF": {
                "priceDimensions": dimensions, "sku": "SKU", "offerTermCode": "JRTCKXETXF",
                "effectiveDate": "2026-10-01T00:00:00Z", "termAttributes": {},
            } } },
            "version": "20261005120000", "publicationDate": "2026-10-05T12:00:00Z",
        })
        .to_string()
    }

    fn one(usage: &str, region: &str, prices: &[(&str, &str)]) -> Product {
        product(&listed(usage, region, prices)).expect("a product").expect("a price")
    }

    fn meter(name: &str) -> &'static Meter {
        meters::find(name).expect("a meter")
    }

    #[test]
    fn a_product_has_its_price_its_day_and_its_place() {
        let nat = one("EUC1-NatGateway-Bytes", "eu-central-1", &[("0", "0.0520000000")]);
        assert_eq!((said(&nat.tiers), &*nat.date), ("0.052".to_owned(), "2026-10-05"));
        let price = chosen(meter("nat.gb"), "eu-central-1", vec![nat.clone(), nat]).expect("one");
        let price = price.expect("a price");
        assert_eq!(
            price.source,
            "AWS Price List: AmazonEC2 EUC1-NatGateway-Bytes, SKU SKUEUC1-NatGateway-Bytes"
        );
        assert!(price.verified);
    }

    #[test]
    fn tiers_are_sorted_and_a_free_quantity_is_not_a_price() {
        let tiers = [("10240", "0.0850000000"), ("100", "0.09"), ("0", "0"), ("51200", "0.0850")];
        assert_eq!(said(&one("x", "", &tiers).tiers), "0.09, from 10240 0.085");
        let twice = product(&listed("x", "", &[("0", "1"), ("0", "2")])).expect_err("two prices");
        assert_eq!(twice, "SKUx has several prices for one quantity: 1, 2");
        // What costs nothing at all is free.
        assert_eq!(said(&one("x", "", &[("0", "0.0000000000")]).tiers), "0");
    }

    #[test]
    fn different_prices_are_named_and_other_regions_are_left_out() {
        let nat = meter("nat.gb");
        let cheap = one("NatGateway-Bytes", "us-east-1", &[("0", "0.045")]);
        let dear = one("NatGateway-Bytes", "us-east-1", &[("0", "0.05")]);
        let other = one("NatGateway-Bytes", "us-east-2", &[("0", "0.06")]);
        let said = chosen(nat, "us-east-1", vec![cheap.clone(), dear]).expect_err("two prices");
        assert_eq!(
            said,
            "NatGateway-Bytes (SKUNatGateway-Bytes) 0.045, NatGateway-Bytes (SKUNatGateway-Bytes) 0.05"
        );
        assert!(chosen(nat, "us-east-1", vec![cheap, other.clone()]).expect("one").is_some());
        assert_eq!(chosen(nat, "us-east-1", vec![other]), Ok(None));
    }

    #[test]
    fn products_without_a_price_in_dollars_are_none() {
        let yuan = listed("x", "", &[("0", "1")]).replace("USD", "CNY");
        assert_eq!(product(&yuan), Ok(None));
        let reserved = listed("x", "", &[("0", "1")]).replace("OnDemand", "Reserved");
        assert_eq!(product(&reserved), Ok(None));
        assert!(product("{}").is_err());
        assert!(product(&listed("x", "", &[("0", "much")])).is_err());
        assert!(
            product(&listed("x", "", &[("5", "1")])).is_ok(),
            "only a free quantity comes first"
        );
    }

    #[test]
    fn each_meter_has_a_question_for_each_form_of_its_usage() {
        let usages = |name: &str, region: &str| -> Vec<String> {
            let questions = meter(name).questions(region);
            questions.iter().map(|question| question.fields["usagetype"].clone()).collect()
        };
        let prefixed = |prefixes: &[&str]| -> Vec<String> {
            prefixes.iter().map(|prefix| format!("{prefix}NatGateway-Hours")).collect()
        };
        assert_eq!(usages("nat.hours", "us-east-1"), prefixed(&["", "USE1-", "us-east-1-"]));
        assert_eq!(usages("nat.hours", "eu-west-1"), prefixed(&["EU-", "EUW1-", "eu-west-1-"]));
        assert_eq!(usages("nat.hours", "eu-central-1"), prefixed(&["EUC1-", "eu-central-1-"]));
        assert_eq!(usages("nat.hours", "xx-west-9"), Vec::<String>::new());
        assert_eq!(
            usages("cloudwatch.dashboard", "eu-central-1"),
            ["DashboardsUsageHour", "DashboardsUsageHour-Basic"]
        );
        assert_eq!(usages("sns.sms", "eu-central-1"), Vec::<String>::new());
        let fields = &meter("nlb.hours").questions("us-west-2")[0].fields;
        assert_eq!(fields["productFamily"], "Load Balancer-Network");
    }

    #[test]
    fn no_two_meters_ask_the_same() {
        let mut asked = BTreeSet::new();
        for (name, meter) in meters::all() {
            for question in meter.questions("us-east-1") {
                assert!(asked.insert(format!("{question:?}")), "{name} asks what another asks");
            }
        }
    }

    #[test]
    fn a_usage_is_bare_without_its_region() {
        assert_eq!(bare("EUC1-NatGateway-Hours", "eu-central-1"), "NatGateway-Hours");
        assert_eq!(bare("us-east-1-KMS-Keys", "us-east-1"), "KMS-Keys");
        assert_eq!(bare("NatGateway-Hours", "us-east-1"), "NatGateway-Hours");
        assert_eq!(bare("IA-TimedStorage-ByteHrs", "us-east-1"), "IA-TimedStorage-ByteHrs");
    }
}
