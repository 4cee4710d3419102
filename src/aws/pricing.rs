//! Prices from AWS's Price List API.
//!
//! AWS quirks: the API has endpoints in three regions, each of which knows the prices of all. A question
//! compares whole values, so it is asked once for each form of a usage until a product answers. Each
//! product is a JSON text.

use aws_sdk_pricing::types::{Filter, FilterType};
use futures::{StreamExt as _, TryStreamExt as _};

use super::clients::{Aws, retry_read};
use super::error::op;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::permit::Permit;
use payctl_money::list::{self, Product, Question};
use payctl_money::meters::{self, Meter};
use payctl_money::prices::{Price, Prices};

/// What reading the price list needs.
pub const PERMITS: &[Permit] = &[Permit::look(&["pricing:GetProducts"], &["*"])];

/// How many questions payctl asks at a time.
const AT_ONCE: usize = 4;

/// The prices of a region, as AWS lists them now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The prices that the list has.
    pub prices: Prices,
    /// The meters that payctl did not find in it.
    pub missing: Vec<String>,
}

/// The endpoint nearest to a region.
pub(super) fn endpoint(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("ap") => "ap-south-1",
        Some("eu" | "il" | "me" | "af") => "eu-central-1",
        _ => "us-east-1",
    }
}

fn unusable(code: &str, message: String) -> OpError {
    OpError::new("GetProducts", ErrorClass::Invalid, code, message)
}

/// Reads the prices of all meters in a region. A meter whose products have different prices is an error.
pub async fn listed(aws: &Aws, region: &str) -> Result<Listed, OpError> {
    if list::prefixes(region).is_empty() {
        let message = format!("payctl does not know how the price list names usage in {region}");
        return Err(unusable("UnknownRegion", message));
    }
    let asked = meters::all().iter().filter(|(_, meter)| meter.unlisted.is_none());
    let found: Vec<(&String, Result<Option<Price>, String>)> = futures::stream::iter(asked)
        .map(|(name, meter)| async move {
            Ok::<_, OpError>((name, price_of(aws, meter, region).await?))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let (mut prices, mut missing, mut unclear) = (Prices::none(region), Vec::new(), Vec::new());
    for (name, found) in found {
        match found {
            Ok(Some(price)) => prices.set(name, price),
            Ok(None) => missing.push(name.clone()),
            Err(products) => unclear.push(format!("{name}: {products}")),
        }
    }
    missing.sort();
    unclear.sort();
    if !unclear.is_empty() {
        let message = format!("the price list has no clear price for {}", unclear.join("; "));
        return Err(unusable("UnclearPrices", message));
    }
    if prices.iter().next().is_none() {
        let message =
            format!("the price list has none of the prices that payctl needs in {region}");
        return Err(unusable("NoPrices", message));
    }
    Ok(Listed { prices, missing })
}

/// The price of a meter; a sentence as an error if the products have no price that is clear.
async fn price_of(
    aws: &Aws,
    meter: &Meter,
    region: &str,
) -> Result<Result<Option<Price>, String>, OpError> {
    for question in meter.questions(region) {
        let texts = retry_read(|| products(aws, &question)).await?;
        let read: Result<Vec<Option<Product>>, String> =
            texts.iter().map(|text| list::product(text)).collect();
        let products = read.map(|products| products.into_iter().flatten().collect());
        match products.and_then(|products| list::chosen(meter, region, products)) {
            Ok(None) => {}
            found => return Ok(found),
        }
    }
    Ok(Ok(None))
}

/// The products that a question finds, as JSON texts.
async fn products(aws: &Aws, question: &Question) -> Result<Vec<String>, OpError> {
    let filter = |(field, value): (&String, &String)| {
        let kind = FilterType::TermMatch;
        let filter = Filter::builder().r#type(kind).field(field).value(value).build();
        filter.expect("a filter has its three members")
    };
    let call = aws
        .pricing
        .get_products()
        .service_code(&question.service)
        .set_filters(Some(question.fields.iter().map(filter).collect()))
        .format_version("aws_v1");
    let texts = call.into_paginator().items().send();
    texts.collect::<Result<Vec<_>, _>>().await.map_err(op("GetProducts"))
}

#[cfg(test)]
mod tests {
    use super::super::clients::tests::{Does, connected};
    use super::*;

    /// A list that has a NAT gateway, once or twice, and nothing else.
    async fn asked(prices: &[&str]) -> Result<Listed, OpError> {
        let product = |(at, price): (usize, &&str)| {
            let product = serde_json::json!({
                "product": { "sku": format!("S{at}"), "attributes": {
                    "usagetype": "EUC1-NatGateway-Hours", "regionCode": "eu-central-1" } },
                "terms": { "OnDemand": { "o": { "effectiveDate": "2026-10-01T00:00:00Z",
                    "priceDimensions": { "d": {
                        "beginRange": "0", "endRange": "Inf", "unit": "Hrs",
                        "pricePerUnit": { "USD": price } } } } } },
                "publicationDate": "2026-10-02T00:00:00Z",
            });
            product.to_string()
        };
        let products: Vec<String> = prices.iter().enumerate().map(product).collect();
        let answer = serde_json::json!({ "FormatVersion": "aws_v1", "PriceList": products });
        let answer: &'static str = answer.to_string().leak();
        let aws = connected(move |request| {
            let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default());
            assert!(request.uri().contains("us-east-1"), "the client is in us-east-1");
            match body.contains("\"EUC1-NatGateway-Hours\"") {
                true => Does::Answer(200, answer),
                false => Does::Answer(200, r#"{"FormatVersion":"aws_v1","PriceList":[]}"#),
            }
        });
        listed(&aws.await, "eu-central-1").await
    }

    #[tokio::test(start_paused = true)]
    async fn a_missing_price_is_named_and_a_found_one_has_its_source() {
        let listed = asked(&["0.0520000000"]).await.expect("a price");
        let nat = listed.prices.get("nat.hours").expect("a price");
        assert_eq!(list::said(&nat.tiers), "0.052");
        assert_eq!(nat.source, "AWS Price List: AmazonEC2 EUC1-NatGateway-Hours, SKU S0");
        assert_eq!(nat.date, "2026-10-02");
        let missing = &listed.missing;
        assert!(missing.contains(&"nat.gb".to_owned()) && !missing.contains(&"nat.hours".into()));
        assert!(!missing.contains(&"sns.sms".to_owned()), "no list has it");
        let asked = meters::all().values().filter(|meter| meter.unlisted.is_none());
        assert_eq!(missing.len() + 1, asked.count());
    }

    #[tokio::test(start_paused = true)]
    async fn different_prices_of_one_usage_are_an_error_that_names_them() {
        let error = asked(&["0.052", "0.06"]).await.expect_err("two prices");
        assert!(
            error.message.contains(
                "nat.hours: EUC1-NatGateway-Hours (S0) 0.052, EUC1-NatGateway-Hours (S1) 0.06"
            ),
            "{}",
            error.message
        );
        assert!(asked(&["0.052", "0.0520"]).await.is_ok());
        let error = asked(&[]).await.expect_err("no price");
        assert_eq!(error.code, "NoPrices");
    }

    #[test]
    fn regions_ask_the_nearest_endpoint() {
        assert_eq!(endpoint("eu-west-1"), "eu-central-1");
        assert_eq!(endpoint("ap-southeast-2"), "ap-south-1");
        assert_eq!(endpoint("sa-east-1"), "us-east-1");
    }
}
