//! What was paid, beside what was estimated.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::bill::Bill;
use super::list::bare;
use super::meters;

/// What a usage cost, as bills name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// The service: `AWS Lambda`.
    pub service: String,
    /// The usage with the code of its region: `EUC1-NatGateway-Hours`.
    pub usage: String,
    /// The amount.
    pub amount: Decimal,
}

/// Whether a line has both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// An estimate, and what was paid.
    Both,
    /// Nothing was paid for what was estimated.
    Estimated,
    /// No estimate has what was paid.
    Paid,
}

/// A usage with its estimate and what was paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The service and the usage.
    pub what: String,
    /// The resources of the estimate.
    pub addresses: BTreeSet<String>,
    /// The estimate for the time that was paid.
    pub estimated: Decimal,
    /// What was paid.
    pub actual: Decimal,
    /// Which sides it has.
    pub sort: Sort,
}

/// The names of a service of the price list in bills. A service without names has none of its own: its
/// usage stands below the services that cause it.
fn names(service: &str) -> &'static [&'static str] {
    match service {
        "AWSELB" => &["Amazon Elastic Load Balancing"],
        "AWSEvents" => &["CloudWatch Events", "Amazon EventBridge"],
        "AWSLambda" => &["AWS Lambda"],
        "AWSQueueService" => &["Amazon Simple Queue Service"],
        "AWSSecretsManager" => &["AWS Secrets Manager"],
        "AWSXRay" => &["AWS X-Ray"],
        "AmazonApiGateway" => &["Amazon API Gateway"],
        "AmazonCloudWatch" => &["AmazonCloudWatch"],
        "AmazonDynamoDB" => &["Amazon DynamoDB"],
        "AmazonEC2" => &["EC2 - Other", "Amazon Elastic Compute Cloud - Compute"],
        "AmazonECS" => &["Amazon Elastic Container Service"],
        "AmazonGuardDuty" => &["Amazon GuardDuty"],
        "AmazonRDS" => &["Amazon Relational Database Service"],
        "AmazonS3" => &["Amazon Simple Storage Service"],
        "AmazonSNS" => &["Amazon Simple Notification Service"],
        "AmazonVPC" => &["Amazon Virtual Private Cloud"],
        "awskms" => &["AWS Key Management Service"],
        "awswaf" => &["AWS WAF"],
        _ => &[],
    }
}

/// The usages that meters know: by the code of the service and the usage without its region.
type Key = (&'static str, &'static str);

/// The usage of the meters that a bill's row is about.
fn key_of(spent: &Spent, region: &str) -> Option<Key> {
    let usage = bare(&spent.usage, region);
    let mut meters = meters::all().values().filter(|meter| meter.usages().any(|one| one == usage));
    let is_named = |service: &str| {
        let names = names(service);
        names.is_empty() || names.contains(&&*spent.service)
    };
    let meter = meters.find(|meter| is_named(&meter.service))?;
    Some((&meter.service, &meter.usage))
}

/// Puts a monthly bill beside what was paid in a part of a month. What was paid and is not in the bill is
/// a line of its own, and so is what is in the bill and was not paid. The largest amounts come first.
pub fn lines(bill: &Bill, spent: &[Spent], part: Decimal) -> Vec<Line> {
    let mut known: BTreeMap<Key, (Decimal, Decimal, BTreeSet<String>)> = BTreeMap::new();
    for item in &bill.items {
        let Some(meter) = meters::find(&item.meter) else { continue };
        let entry = known.entry((&meter.service, &meter.usage)).or_default();
        entry.0 += item.monthly * part;
        entry.2.insert(item.address.clone());
    }
    let mut others: BTreeMap<String, Decimal> = BTreeMap::new();
    let mut paid: BTreeSet<Key> = BTreeSet::new();
    for one in spent {
        let key = key_of(one, &bill.region).filter(|key| known.contains_key(key));
        match key.and_then(|key| Some((key, known.get_mut(&key)?))) {
            Some((key, entry)) => {
                entry.1 += one.amount;
                paid.insert(key);
            }
            None => {
                *others.entry(format!("{}: {}", one.service, one.usage)).or_default() += one.amount;
            }
        }
    }
    let known = known.into_iter().map(|(key, (estimated, actual, addresses))| {
        let service = names(key.0).first().unwrap_or(&key.0);
        let what = format!("{service}: {}", key.1);
        let sort = if paid.contains(&key) { Sort::Both } else { Sort::Estimated };
        Line { what, addresses, estimated, actual, sort }
    });
    let others = others.into_iter().map(|(what, actual)| Line {
        what,
        addresses: BTreeSet::new(),
        estimated: Decimal::ZERO,
        actual,
        sort: Sort::Paid,
    });
    let has_any = |line: &Line| !line.estimated.is_zero() || !line.actual.is_zero();
    let mut lines: Vec<Line> = known.chain(others).filter(has_any).collect();
    let size = |line: &Line| line.actual.max(line.estimated);
    lines.sort_by(|one, other| size(other).cmp(&size(one)).then(one.what.cmp(&other.what)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bill::{Charge, Charged};
    use crate::load::Assumptions;
    use crate::prices::Prices;

    fn d(text: &str) -> Decimal {
        crate::decimal(text).expect("a number")
    }

    fn spent(service: &str, usage: &str, amount: &str) -> Spent {
        Spent { service: service.into(), usage: usage.into(), amount: d(amount) }
    }

    fn bill() -> Bill {
        let charged = |address: &str, meter: &str, quantity: &str| Charged {
            address: address.into(),
            component: "c".into(),
            charge: Charge::fixed("what", meter, d(quantity)),
        };
        let charges = vec![
            charged("ec2.nat_gateway/a", "nat.hours", "730"),
            charged("elb.load_balancer/app", "alb.hours", "730"),
            charged("elb.load_balancer/net", "nlb.hours", "730"),
            charged("dynamodb.table/t", "dynamodb.storage", "10"),
            charged("s3.bucket/b", "s3.standard", "10"),
            charged("lambda.function/f", "transfer.out", "100"),
            charged("lambda.function/f", "lambda.requests", "1000000"),
        ];
        let prices = Prices::shipped("eu-central-1").expect("a table");
        Bill::of(charges, &prices, &Assumptions::default())
    }

    #[test]
    fn usages_of_one_name_belong_to_their_service_and_the_rest_has_lines_of_its_own() {
        let paid = [
            spent("EC2 - Other", "EUC1-NatGateway-Hours", "30"),
            // 1,460 hours of two load balancers are one usage.
            spent("Amazon Elastic Load Balancing", "EUC1-LoadBalancerUsage", "41"),
            spent("Amazon Simple Storage Service", "EUC1-TimedStorage-ByteHrs", "0.2"),
            spent("AWS Lambda", "EUC1-DataTransfer-Out-Bytes", "4"),
            spent("AWS Lambda", "EUC1-Request-ARM", "6"),
            spent("Amazon S3 Glacier", "EUC1-TimedStorage-ByteHrs", "5"),
            spent("AWS Config", "EUC1-ConfigurationItemRecorded", "7"),
            spent("EC2 - Other", "USW2-NatGateway-Hours", "3"),
        ];
        let lines = lines(&bill(), &paid, d("1"));
        let line = |what: &str| {
            let found = lines.iter().find(|line| line.what == what);
            found.unwrap_or_else(|| panic!("no {what} in {lines:#?}"))
        };
        // 730 x 0.052.
        let nat = line("EC2 - Other: NatGateway-Hours");
        assert_eq!((nat.estimated, nat.actual, nat.sort), (d("37.96"), d("30"), Sort::Both));
        let balancers = line("Amazon Elastic Load Balancing: LoadBalancerUsage");
        assert_eq!((balancers.addresses.len(), balancers.actual), (2, d("41")));
        assert_eq!(line("Amazon Simple Storage Service: TimedStorage-ByteHrs").actual, d("0.2"));
        assert_eq!(line("Amazon DynamoDB: TimedStorage-ByteHrs").sort, Sort::Estimated);
        assert_eq!(line("AWSDataTransfer: DataTransfer-Out-Bytes").actual, d("4"));
        // What functions on arm64 are charged for has a usage of its own, at the same price.
        assert_eq!(line("AWS Lambda: Request").actual, d("6"));
        for (what, amount) in [
            ("Amazon S3 Glacier: EUC1-TimedStorage-ByteHrs", "5"),
            ("AWS Config: EUC1-ConfigurationItemRecorded", "7"),
            ("EC2 - Other: USW2-NatGateway-Hours", "3"),
        ] {
            assert_eq!((line(what).actual, line(what).sort), (d(amount), Sort::Paid));
        }
        // Nothing that was paid is lost.
        let sum: Decimal = paid.iter().map(|one| one.amount).sum();
        assert_eq!(lines.iter().map(|line| line.actual).sum::<Decimal>(), sum);
    }

    #[test]
    fn an_estimate_is_cut_to_the_time_that_was_paid() {
        let half = lines(&bill(), &[], d("0.5"));
        let all: Decimal = half.iter().map(|line| line.estimated).sum();
        assert_eq!(all, bill().total() / d("2"));
    }

    #[test]
    fn each_service_of_the_meters_has_a_name_in_bills() {
        for (name, meter) in meters::all() {
            let has_none = names(&meter.service).is_empty();
            assert!(!has_none || meter.service == "AWSDataTransfer", "{name}: {}", meter.service);
        }
    }
}
