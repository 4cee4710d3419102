//! What CloudWatch measured of the load of an environment.
//!
//! AWS quirks: a count has no values for a time in which nothing happened. A period of a day begins at
//! midnight in UTC. AWS charges for each metric of a question, 0.01 US dollars for a thousand.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat, StatusCode};
use aws_smithy_types::DateTime;
use time::{Duration, OffsetDateTime};

use super::clients::{Aws, retry_read};
use super::costs::exact;
use super::error::op;
use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::permit::Permit;
use payctl_money::load::{Assumptions, Driver};
use payctl_money::{Decimal, HOURS};

/// What reading measures needs.
pub const PERMITS: &[Permit] = &[Permit::look(&["cloudwatch:GetMetricData"], &["*"])];

/// What CloudWatch measures of one driver of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gauge {
    /// The driver.
    pub driver: Driver,
    /// The namespace of the metrics.
    pub namespace: &'static str,
    /// The metrics, whose values are added up.
    pub metrics: &'static [&'static str],
    /// Their dimensions.
    pub dimensions: Vec<(&'static str, String)>,
    /// How values become a quantity.
    pub how: How,
    /// How many units of the metrics are one of the driver.
    pub units: Decimal,
    /// Drivers that this one includes.
    pub instead: &'static [Driver],
}

/// How values become a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Their sum, for a month.
    Sum,
    /// Their mean, each with its weight.
    Mean,
    /// The last one.
    Latest,
}

impl Gauge {
    /// Metrics that count.
    pub fn sum(
        driver: Driver,
        namespace: &'static str,
        metrics: &'static [&'static str],
        dimensions: Vec<(&'static str, String)>,
    ) -> Self {
        let (how, units, instead) = (How::Sum, Decimal::ONE, &[][..]);
        Self { driver, namespace, metrics, dimensions, how, units, instead }
    }

    /// Metrics in bytes.
    #[must_use]
    pub fn in_gb(self) -> Self {
        Self { units: Decimal::from(1024_u32 * 1024 * 1024), ..self }
    }

    /// The statistics that it needs.
    fn statistics(&self) -> &'static [&'static str] {
        match self.how {
            How::Sum => &["Sum"],
            How::Mean => &["Sum", "SampleCount"],
            How::Latest => &["Average"],
        }
    }
}

/// An object whose load is measured.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its address.
    pub address: Address,
    /// When it was created, if its tags say so.
    pub created: Option<OffsetDateTime>,
    /// What CloudWatch measures of it.
    pub gauges: Vec<Gauge>,
}

/// One driver of a resource, as measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The resource.
    pub address: Address,
    /// The driver.
    pub driver: Driver,
    /// How much in a month; none if CloudWatch has no values and none cannot be told from nothing.
    pub quantity: Option<Decimal>,
    /// Whether CloudWatch has values.
    pub has_values: bool,
    /// Drivers that it includes.
    pub instead: &'static [Driver],
}

/// The time that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// From, at midnight in UTC.
    pub from: OffsetDateTime,
    /// Until.
    pub until: OffsetDateTime,
}

impl Window {
    /// The last days, and what has passed of this one.
    pub fn of(now: OffsetDateTime, days: u16) -> Self {
        let now = now.to_offset(time::UtcOffset::UTC).truncate_to_second();
        let midnight = now.replace_time(time::Time::MIDNIGHT);
        Self { from: midnight - Duration::days(days.into()), until: now }
    }

    /// The hours of it in which something existed.
    fn hours(&self, created: Option<OffsetDateTime>) -> Decimal {
        let from = created.filter(|created| *created > self.from).unwrap_or(self.from);
        // An object that has just been created has a minute, so that its load does not become infinite.
        let seconds = (self.until - from).whole_seconds().max(60);
        Decimal::from(seconds) / Decimal::from(3600)
    }
}

/// The values of one statistic by the start of their day.
type Series = BTreeMap<i64, Decimal>;

/// How many metrics AWS takes in a question.
const MOST: usize = 500;
const DAY: i32 = 86_400;

/// Reads what CloudWatch measured, and how many metrics it was asked for.
pub async fn read(
    aws: &Aws,
    objects: &[Object],
    window: Window,
) -> Result<(Vec<Reading>, usize), OpError> {
    let mut queries = Vec::new();
    for object in objects {
        for gauge in &object.gauges {
            for metric in gauge.metrics {
                for statistic in gauge.statistics() {
                    queries.push(query(queries.len(), gauge, metric, statistic));
                }
            }
        }
    }
    let mut series: BTreeMap<String, Series> = BTreeMap::new();
    for part in queries.chunks(MOST) {
        let part = retry_read(|| values(aws, part, window)).await?;
        series.extend(part);
    }
    let mut next = 0;
    let mut take = || {
        let taken = series.remove(&id(next)).unwrap_or_default();
        next += 1;
        taken
    };
    let mut readings = Vec::new();
    for Object { address, created, gauges } in objects {
        for gauge in gauges {
            let number = gauge.metrics.len() * gauge.statistics().len();
            let all: Vec<Series> = (0..number).map(|_| take()).collect();
            let quantity = quantity(gauge, &all, window.hours(*created));
            readings.push(Reading {
                address: address.clone(),
                driver: gauge.driver,
                quantity,
                has_values: all.iter().any(|series| !series.is_empty()),
                instead: gauge.instead,
            });
        }
    }
    Ok((readings, queries.len()))
}

/// What the values of a gauge mean.
fn quantity(gauge: &Gauge, all: &[Series], hours: Decimal) -> Option<Decimal> {
    let sum = |series: &Series| series.values().copied().sum::<Decimal>();
    let total = match gauge.how {
        How::Sum => all.iter().map(sum).sum::<Decimal>() * HOURS / hours,
        How::Mean => {
            let (sums, counts) = (all.iter().step_by(2), all.iter().skip(1).step_by(2));
            let count = counts.map(sum).sum::<Decimal>();
            sums.map(sum).sum::<Decimal>().checked_div(count)?
        }
        How::Latest => {
            let latest = all.iter().filter_map(|series| series.values().next_back());
            let latest: Vec<Decimal> = latest.copied().collect();
            (!latest.is_empty()).then(|| latest.into_iter().sum::<Decimal>())?
        }
    };
    Some(total / gauge.units)
}

fn id(number: usize) -> String {
    format!("q{number}")
}

fn query(number: usize, gauge: &Gauge, metric: &str, statistic: &str) -> MetricDataQuery {
    let dimensions = gauge.dimensions.iter();
    let dimensions =
        dimensions.map(|(name, value)| Dimension::builder().name(*name).value(value).build());
    let metric = Metric::builder()
        .namespace(gauge.namespace)
        .metric_name(metric)
        .set_dimensions(Some(dimensions.collect()));
    let stat = MetricStat::builder().metric(metric.build()).period(DAY).stat(statistic);
    MetricDataQuery::builder().id(id(number)).metric_stat(stat.build()).return_data(true).build()
}

async fn values(
    aws: &Aws,
    queries: &[MetricDataQuery],
    window: Window,
) -> Result<BTreeMap<String, Series>, OpError> {
    let time = |time: OffsetDateTime| DateTime::from_secs(time.unix_timestamp());
    let call = aws
        .cloudwatch
        .get_metric_data()
        .set_metric_data_queries(Some(queries.to_vec()))
        .start_time(time(window.from))
        .end_time(time(window.until));
    let mut pages = call.into_paginator().send();
    let mut all: BTreeMap<String, Series> = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(op("GetMetricData"))?;
        for one in page.metric_data_results.unwrap_or_default() {
            if let Some(StatusCode::Forbidden | StatusCode::InternalError) = one.status_code {
                let id = one.id.unwrap_or_default();
                let message = format!("CloudWatch did not answer the query {id}");
                return Err(OpError::new(
                    "GetMetricData",
                    ErrorClass::Service,
                    "NoAnswer",
                    message,
                ));
            }
            let times = one.timestamps.unwrap_or_default();
            let values = one.values.unwrap_or_default();
            let points = times.iter().map(DateTime::secs).zip(values.into_iter().map(exact));
            all.entry(one.id.unwrap_or_default()).or_default().extend(points);
        }
    }
    Ok(all)
}

/// The assumptions with what was measured in their place.
pub fn applied(assume: &Assumptions, readings: &[Reading]) -> Assumptions {
    let mut assume = assume.clone();
    for Reading { address, driver, quantity, instead, .. } in readings {
        let Some(quantity) = quantity else { continue };
        let own = assume.resources.entry(address.to_string()).or_default();
        own.insert(*driver, *quantity);
        own.extend(instead.iter().map(|driver| (*driver, Decimal::ZERO)));
    }
    assume
}

#[cfg(test)]
mod tests {
    use payctl_money::decimal;
    use time::macros::datetime;

    use super::*;

    fn d(text: &str) -> Decimal {
        decimal(text).expect("a number")
    }

    fn series(values: &[&str]) -> Series {
        (0..).zip(values.iter().map(|value| d(value))).collect()
    }

    fn gauge(how: How) -> Gauge {
        Gauge { how, ..Gauge::sum(Driver::Gb, "AWS/Logs", &["IncomingBytes"], Vec::new()) }
    }

    #[test]
    fn counts_become_those_of_a_month() {
        // 300 in 73 hours are 3,000 in 730; three bytes are a billionth of a GB.
        let all = [series(&["100", "200"])];
        assert_eq!(quantity(&gauge(How::Sum), &all, d("73")), Some(d("3000")));
        let bytes = gauge(How::Sum).in_gb();
        let two = [series(&["1073741824"]), series(&["1073741824"])];
        assert_eq!(quantity(&bytes, &two, d("730")), Some(d("2")));
        // Nothing was counted, so nothing happened.
        assert_eq!(quantity(&gauge(How::Sum), &[Series::new()], d("73")), Some(d("0")));
    }

    #[test]
    fn means_have_weights_and_the_latest_value_counts() {
        // 100 runs of 50 ms and 300 of 90 ms: 32,000 ms of 400 runs.
        let all = [series(&["5000", "27000"]), series(&["100", "300"])];
        assert_eq!(quantity(&gauge(How::Mean), &all, d("73")), Some(d("80")));
        let none = [Series::new(), Series::new()];
        assert_eq!(quantity(&gauge(How::Mean), &none, d("73")), None);
        assert_eq!(quantity(&gauge(How::Latest), &[series(&["7", "9"])], d("1")), Some(d("9")));
        assert_eq!(quantity(&gauge(How::Latest), &[Series::new()], d("1")), None);
    }

    #[test]
    fn a_window_begins_at_midnight_and_young_objects_have_fewer_hours() {
        let window = Window::of(datetime!(2026-11-30 12:00 UTC), 30);
        assert_eq!(window.from, datetime!(2026-10-31 00:00 UTC));
        assert_eq!(window.hours(None), d("732"));
        assert_eq!(window.hours(Some(datetime!(2026-11-29 12:00 UTC))), d("24"));
        assert_eq!(window.hours(Some(datetime!(2026-01-01 00:00 UTC))), d("732"));
        assert!(window.hours(Some(window.until)) > d("0"));
    }

    #[test]
    fn what_is_measured_takes_the_place_of_what_is_assumed() {
        let reading = |driver, quantity: Option<&str>, instead| Reading {
            address: Address::new("lambda.function", "f"),
            driver,
            quantity: quantity.map(d),
            has_values: true,
            instead,
        };
        let readings = [
            reading(Driver::Calls, Some("7"), &[Driver::Requests]),
            reading(Driver::Milliseconds, None, &[]),
        ];
        let assume = applied(&Assumptions::default(), &readings);
        let own = &assume.resources["lambda.function/f"];
        let expected = [(Driver::Calls, d("7")), (Driver::Requests, d("0"))];
        assert_eq!(*own, BTreeMap::from(expected));
    }
}
