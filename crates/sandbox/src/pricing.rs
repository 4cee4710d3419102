//! The sandbox's Price List API: the list prices that payctl has, in AWS's shape. The tables are read as
//! files, so nothing of payctl's own reading or asking is shared with the answers.
//!
//! Quirks kept: The API exists in three regions and answers for all. Each product is a JSON text. A usage
//! has the code of its region before it; in us-east-1 each service has its own habit. Numbers are texts
//! with ten places. A free quantity is a first price of 0.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::toolbox::{digest, list, need, page, put, text, within};
use super::{Answer, Call, Refusal};

/// The regions with an endpoint.
const ENDPOINTS: [&str; 3] = ["ap-south-1", "eu-central-1", "us-east-1"];
const INVALID: &str = "InvalidParameterException";

#[derive(Clone, Deserialize)]
struct Meter {
    unit: String,
    #[serde(default)]
    free: Option<String>,
    service: String,
    usage: String,
    #[serde(default)]
    filter: BTreeMap<String, String>,
    #[serde(default)]
    anywhere: bool,
    #[serde(default)]
    unlisted: Option<String>,
}

#[derive(Deserialize)]
struct Table {
    region: String,
    prices: BTreeMap<String, Row>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    price: Option<String>,
    #[serde(default)]
    tiers: Vec<Tier>,
    #[serde(default)]
    date: String,
}

#[derive(Clone, Deserialize)]
struct Tier {
    from: String,
    price: String,
}

/// A product, with the fields that filters compare.
struct Product {
    service: String,
    fields: BTreeMap<String, String>,
    document: String,
}

/// The products by SKU.
static PRODUCTS: LazyLock<BTreeMap<String, Product>> = LazyLock::new(|| {
    let meters: BTreeMap<String, Meter> =
        toml::from_str(include_str!("../../money/meters.toml")).expect("the table of meters");
    let tables = [
        include_str!("../../money/prices/eu-central-1.toml"),
        include_str!("../../money/prices/eu-west-1.toml"),
        include_str!("../../money/prices/us-east-1.toml"),
        include_str!("../../money/prices/us-west-2.toml"),
    ];
    let mut products = BTreeMap::new();
    for table in tables {
        let Table { region, prices } = toml::from_str(table).expect("a table of prices");
        for (name, row) in prices {
            let listed = meter_of(&meters, &name).filter(|meter| meter.unlisted.is_none());
            let Some(meter) = listed else { continue };
            let sku = digest(&format!("{region} {name}"))[..16].to_uppercase();
            products.insert(sku.clone(), product(&sku, &region, &meter, row));
        }
    }
    products
});

/// The meter of this name, or the one that stands for all types of such instances. Usages of databases have
/// short names of sizes: `db.r6g.2xl`.
fn meter_of(meters: &BTreeMap<String, Meter>, name: &str) -> Option<Meter> {
    if let Some(meter) = meters.get(name) {
        return Some(meter.clone());
    }
    let starts = |start: &str| name.strip_prefix(start).map(str::to_owned);
    let one = |(pattern, meter): (&String, &Meter)| {
        let kind = starts(pattern.strip_suffix('*')?)?;
        let kind = match meter.service.as_str() {
            "AmazonRDS" => kind.replace("xlarge", "xl"),
            _ => kind,
        };
        Some(Meter { usage: meter.usage.replace('*', &kind), ..meter.clone() })
    };
    meters.iter().find_map(one)
}

/// What stands before a usage in bills of a region.
fn prefix(region: &str, meter: &Meter) -> &'static str {
    // A usage of CloudWatch with a colon is older than the codes.
    let is_coded = ["AmazonApiGateway", "AmazonECS", "AWSEvents", "AmazonGuardDuty", "AmazonVPC"]
        .contains(&&*meter.service)
        || ["AWSSecretsManager", "awswaf", "AWSXRay"].contains(&&*meter.service)
        || (meter.service == "AmazonCloudWatch" && !meter.usage.contains(':'));
    match region {
        _ if meter.anywhere => "",
        "eu-central-1" => "EUC1-",
        "eu-west-1" => "EU-",
        "us-west-2" => "USW2-",
        _ if meter.service == "awskms" => "us-east-1-",
        _ if is_coded => "USE1-",
        _ => "",
    }
}

/// A number as the list writes it.
fn tenths(number: &str) -> String {
    let (whole, rest) = number.split_once('.').unwrap_or((number, ""));
    format!("{whole}.{rest:0<10}")
}

fn product(sku: &str, region: &str, meter: &Meter, row: Row) -> Product {
    let usage = format!("{}{}", prefix(region, meter), meter.usage);
    // Queues have another word in one region.
    let is_other = region == "us-east-1" && meter.service == "AWSQueueService";
    let usage = if is_other { usage.replace("Tier1", "RBP") } else { usage };
    let single = row.price.map(|price| Tier { from: "0".into(), price });
    let mut tiers: Vec<Tier> = single.into_iter().chain(row.tiers).collect();
    // These services list what is free each month.
    let lists_free = ["AmazonDynamoDB", "AmazonSNS", "awswaf"].contains(&&*meter.service);
    if let Some(free) = meter.free.as_ref().filter(|_| lists_free) {
        tiers[0].from.clone_from(free);
        tiers.insert(0, Tier { from: "0".into(), price: "0".into() });
    }
    let ends: Vec<String> = tiers.iter().skip(1).map(|tier| tier.from.clone()).collect();
    let offer = format!("{sku}.JRTCKXETXF");
    let dimension = |(at, tier): (usize, &Tier)| {
        let code = format!("{offer}.{}", digest(&format!("{offer} {at}"))[..10].to_uppercase());
        let end = ends.get(at).map_or("Inf", String::as_str);
        let Tier { from, price } = tier;
        let dimension = json!({
            "unit": meter.unit,
            "beginRange": from,
            "endRange": end,
            "description": format!("${price} per {} of {usage}", meter.unit),
            "appliesTo": [],
            "rateCode": code,
            "pricePerUnit": { "USD": tenths(price) },
        });
        (code, dimension)
    };
    let dimensions: Map<String, Value> = tiers.iter().enumerate().map(dimension).collect();
    let mut attributes = json!({
        "servicecode": meter.service,
        "location": if meter.anywhere { "Any" } else { region },
        "locationType": if meter.anywhere { "Other" } else { "AWS Region" },
        "regionCode": if meter.anywhere { "" } else { region },
        "usagetype": usage,
        "operation": "",
    });
    let family = meter.filter.get("productFamily").cloned().unwrap_or_default();
    for (name, value) in meter.filter.iter().filter(|(name, _)| *name != "productFamily") {
        attributes[name] = value.as_str().into();
    }
    let day = if row.date.is_empty() { "2024-07-01" } else { &row.date };
    let document = json!({
        "product": { "productFamily": family, "attributes": attributes, "sku": sku },
        "serviceCode": meter.service,
        "terms": { "OnDemand": { &offer: {
            "priceDimensions": dimensions,
            "sku": sku,
            "effectiveDate": format!("{day}T00:00:00Z"),
            "offerTermCode": "JRTCKXETXF",
            "termAttributes": {},
        } } },
        "version": format!("{}000000", day.replace('-', "")),
        "publicationDate": format!("{day}T00:00:00Z"),
    });
    let named = attributes.as_object().into_iter().flatten();
    let mut fields: BTreeMap<String, String> = named
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    fields.insert("productFamily".into(), family);
    fields.insert("ServiceCode".into(), meter.service.clone());
    Product { service: meter.service.clone(), fields, document: document.to_string() }
}

/// Answers a call.
pub(crate) fn call(call: &Call) -> Answer {
    let Call { service, operation, input, region } = call;
    if operation != "GetProducts" {
        return Err(Refusal::not_covered(service, operation));
    }
    if !ENDPOINTS.contains(&region.as_str()) {
        let message = format!("api.pricing.{region}.amazonaws.com does not exist on AWS");
        return Err(Refusal::new("UnknownEndpoint", message));
    }
    let service = need(input, "ServiceCode", INVALID)?;
    if !PRODUCTS.values().any(|product| product.service == service) {
        return Err(Refusal::new(INVALID, format!("ServiceCode {service} is not valid")));
    }
    if text(input, "FormatVersion").is_some_and(|version| version != "aws_v1") {
        return Err(Refusal::new(INVALID, "FormatVersion must be aws_v1"));
    }
    let mut filters = Vec::new();
    for filter in list(input, "Filters") {
        let [kind, field, value] = ["Type", "Field", "Value"].map(|key| need(filter, key, INVALID));
        let (kind, field, value) = (kind?, field?, value?);
        if !["TERM_MATCH", "EQUALS"].contains(&kind) {
            return Err(Refusal::not_covered("pricing", &format!("the filter {kind}")));
        }
        filters.push((field, value));
    }
    let fits = |product: &Product| {
        let has = |(field, value): &(&str, &str)| {
            product.fields.get(*field).is_some_and(|own| own == value)
        };
        product.service == service && filters.iter().all(has)
    };
    let found = PRODUCTS.iter().filter(|(_, product)| fits(product));
    let found = found.map(|(sku, product)| (sku.clone(), product.document.as_str()));
    let token = text(input, "NextToken").filter(|token| !token.is_empty());
    if token.is_some_and(|token| !PRODUCTS.contains_key(token)) {
        return Err(Refusal::new("InvalidNextTokenException", "The NextToken is not valid"));
    }
    let limit = within(input, "MaxResults", 1..=100, INVALID)?.unwrap_or(100);
    let limit = usize::try_from(limit).unwrap_or(1);
    let (documents, next) = page(found.collect(), token, limit);
    let mut answer = json!({ "FormatVersion": "aws_v1", "PriceList": documents });
    put(&mut answer, "NextToken", next);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::World;
    use crate::toolbox::testing::{ask_in, code};

    fn products(region: &str, input: Value) -> Answer {
        ask_in(&mut World::default(), region, "pricing", "GetProducts", input)
    }

    fn filter(field: &str, value: &str) -> Value {
        json!({ "Type": "TERM_MATCH", "Field": field, "Value": value })
    }

    fn documents(answer: &Value) -> Vec<Value> {
        let texts = answer["PriceList"].as_array().unwrap().iter();
        texts.map(|text| serde_json::from_str(text.as_str().unwrap()).unwrap()).collect()
    }

    #[test]
    fn a_product_is_a_text_in_the_shape_of_the_list() {
        let filters = [filter("usagetype", "EUC1-NatGateway-Hours")];
        let input = json!({ "ServiceCode": "AmazonEC2", "Filters": filters });
        let found = products("us-east-1", input).unwrap();
        let [nat] = documents(&found).try_into().unwrap();
        assert_eq!(nat["product"]["attributes"]["regionCode"], "eu-central-1");
        let sku = nat["product"]["sku"].as_str().unwrap();
        let offer = &nat["terms"]["OnDemand"][format!("{sku}.JRTCKXETXF")];
        let dimensions = offer["priceDimensions"].as_object().unwrap();
        let (code, dimension) = dimensions.iter().next().unwrap();
        assert_eq!((&dimension["rateCode"], dimensions.len()), (&json!(code), 1));
        assert_eq!(dimension["pricePerUnit"]["USD"], "0.0520000000");
        assert_eq!(
            (&dimension["beginRange"], &dimension["endRange"]),
            (&json!("0"), &json!("Inf"))
        );
    }

    #[test]
    fn usages_have_the_form_of_their_service_and_free_quantities_are_listed() {
        let usage = |service: &str, usage: &str| {
            let filters = [filter("usagetype", usage), filter("regionCode", "us-east-1")];
            let input = json!({ "ServiceCode": service, "Filters": filters });
            documents(&products("eu-central-1", input).unwrap())
        };
        for (service, name) in [
            ("AmazonEC2", "NatGateway-Hours"),
            ("awskms", "us-east-1-KMS-Keys"),
            ("AWSQueueService", "Requests-FIFO-RBP"),
            ("AmazonApiGateway", "USE1-ApiGatewayRequest"),
            ("AmazonCloudWatch", "CW:AlarmMonitorUsage"),
            ("AmazonCloudWatch", "USE1-DataProcessing-Bytes"),
        ] {
            assert_eq!(usage(service, name).len(), 1, "{service} {name}");
        }
        assert_eq!(usage("AmazonEC2", "USE1-NatGateway-Hours").len(), 0);
        // Two sorts of load balancers share a usage.
        assert_eq!(usage("AWSELB", "LoadBalancerUsage").len(), 2);
        let [messages] = usage("AmazonSNS", "Requests-Tier1").try_into().unwrap();
        let offers = messages["terms"]["OnDemand"].as_object().unwrap();
        let dimensions = offers.values().next().unwrap()["priceDimensions"].as_object().unwrap();
        let of = |begin: &str| {
            let found = dimensions.values().find(|one| one["beginRange"] == begin).unwrap();
            (found["endRange"].clone(), found["pricePerUnit"]["USD"].clone())
        };
        assert_eq!(of("0"), (json!("1000000"), json!("0.0000000000")));
        assert_eq!(of("1000000"), (json!("Inf"), json!("0.0000005000")));
    }

    #[test]
    fn pages_cover_each_product_once() {
        let mut seen = 0;
        let mut token = Value::Null;
        loop {
            let input = json!({
                "ServiceCode": "AmazonS3", "FormatVersion": "aws_v1", "MaxResults": 5,
                "NextToken": token,
            });
            let answer = products("ap-south-1", input).unwrap();
            seen += documents(&answer).len();
            token = answer.get("NextToken").cloned().unwrap_or_default();
            if token.is_null() {
                break;
            }
        }
        let all = json!({ "ServiceCode": "AmazonS3" });
        assert_eq!(documents(&products("us-east-1", all).unwrap()).len(), seen);
        assert!(seen > 5);
    }

    #[test]
    fn wrong_questions_are_refused() {
        let code = |region: &str, input: Value| code(products(region, input));
        assert_eq!(code("eu-west-1", json!({ "ServiceCode": "AmazonS3" })), "UnknownEndpoint");
        assert_eq!(code("us-east-1", json!({})), INVALID);
        assert_eq!(code("us-east-1", json!({ "ServiceCode": "Nothing" })), INVALID);
        let of_s3 = |more: Value| {
            let mut input = json!({ "ServiceCode": "AmazonS3" });
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            code("us-east-1", input)
        };
        assert_eq!(of_s3(json!({ "MaxResults": 101 })), INVALID);
        assert_eq!(of_s3(json!({ "FormatVersion": "aws_v2" })), INVALID);
        assert_eq!(of_s3(json!({ "NextToken": "x" })), "InvalidNextTokenException");
        assert_eq!(of_s3(json!({ "Filters": [{ "Type": "TERM_MATCH", "Field": "x" }] })), INVALID);
    }
}
