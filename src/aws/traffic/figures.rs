//! Figures of both sides from CloudWatch: requests, errors and the time of answers, minute by minute.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat};
use aws_smithy_types::DateTime;

use crate::aws::clients::Aws;
use crate::aws::error::op;
use payctl_engine::model::error::OpError;
use payctl_engine::traffic::{Figure, Figures};

/// What AWS measures once in.
const MINUTE: u64 = 60;
/// How far back figures count: a side that fails now must not hide behind a good hour.
const WINDOW: u64 = 5 * MINUTE;

/// The metrics of one side.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Metrics {
    pub namespace: &'static str,
    pub dimensions: Vec<(&'static str, String)>,
    pub requests: &'static str,
    /// What counts as failed requests, each of which the metrics of the service count once.
    pub errors: &'static [&'static str],
    pub time: &'static str,
    /// The unit of `time` in seconds.
    pub unit: f64,
}

/// Reads the figures of both sides over the whole minutes since the weights stand, up to five. They are
/// empty before the first whole minute.
pub(super) async fn read(
    aws: &Aws,
    since: Duration,
    from: &Metrics,
    to: &Metrics,
) -> Result<Figures, OpError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let Some((start, end)) = span(now, since.as_secs()) else { return Ok(Figures::default()) };
    let queries = [("from", from), ("to", to)].into_iter().flat_map(|(side, it)| it.queries(side));
    let call = aws
        .cloudwatch
        .get_metric_data()
        .set_metric_data_queries(Some(queries.collect()))
        .start_time(DateTime::from_secs(start))
        .end_time(DateTime::from_secs(end));
    let answer = call.send().await.map_err(op("GetMetricData"))?;
    let series: BTreeMap<String, Series> =
        answer.metric_data_results.unwrap_or_default().into_iter().filter_map(series).collect();
    Ok(Figures { from: figure(&series, "from", from.unit), to: figure(&series, "to", to.unit) })
}

/// The time that figures are read of, in seconds.
fn span(now: u64, since: u64) -> Option<(i64, i64)> {
    let start = now.saturating_sub(since.min(WINDOW)).next_multiple_of(MINUTE);
    let is_whole = start + MINUTE <= now;
    is_whole.then(|| Some((i64::try_from(start).ok()?, i64::try_from(now).ok()?)))?
}

/// Values by the start of their minute.
type Series = BTreeMap<i64, f64>;

fn series(one: MetricDataResult) -> Option<(String, Series)> {
    let times = one.timestamps.unwrap_or_default();
    let values = one.values.unwrap_or_default();
    let points = times.iter().map(DateTime::secs).zip(values).collect();
    Some((one.id?, points))
}

/// The figure of one side; `None` if it had no requests. The time of answers is the mean of the minutes
/// by their requests: a percentile of several minutes cannot be had from CloudWatch in one answer.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of requests are whole, positive and far below 2^52"
)]
fn figure(all: &BTreeMap<String, Series>, side: &str, unit: f64) -> Option<Figure> {
    let none = Series::new();
    let of = |what: &str| all.get(&format!("{side}_{what}")).unwrap_or(&none);
    let (requests, time) = (of("requests"), of("time"));
    let is_error = |id: &str| id.strip_prefix(side).is_some_and(|id| id.starts_with(ERRORS));
    let errors = all.iter().filter(|(id, _)| is_error(id)).flat_map(|(_, series)| series.values());
    let sum: f64 = requests.values().sum();
    if sum < 1.0 {
        return None;
    }
    let minutes = || time.iter().filter_map(|(at, time)| Some((*requests.get(at)?, *time)));
    let weight: f64 = minutes().map(|(count, _)| count).sum();
    let total: f64 = minutes().map(|(count, time)| count * time * unit).sum();
    let p99 = (weight > 0.0).then(|| Duration::try_from_secs_f64(total / weight).ok());
    Some(Figure { requests: sum as u64, errors: errors.sum::<f64>() as u64, p99: p99.flatten() })
}

/// The id of a query of errors, between the side and a number.
const ERRORS: &str = "_errors_";

impl Metrics {
    fn queries(&self, side: &str) -> Vec<MetricDataQuery> {
        let query = |what: &str, name: &str, statistic: &str| {
            let dimensions = self
                .dimensions
                .iter()
                .map(|(name, value)| Dimension::builder().name(*name).value(value).build());
            let metric = Metric::builder()
                .namespace(self.namespace)
                .metric_name(name)
                .set_dimensions(Some(dimensions.collect()));
            let stat = MetricStat::builder().metric(metric.build()).period(60).stat(statistic);
            MetricDataQuery::builder()
                .id(format!("{side}{what}"))
                .metric_stat(stat.build())
                .return_data(true)
                .build()
        };
        let errors = self.errors.iter().enumerate();
        let errors = errors.map(|(at, name)| query(&format!("{ERRORS}{at}"), name, "Sum"));
        let others = [query("_requests", self.requests, "Sum"), query("_time", self.time, "p99")];
        errors.chain(others).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_minutes_with_these_weights_count() {
        assert_eq!(span(600, 0), None);
        assert_eq!(span(659, 59), None);
        assert_eq!(span(660, 60), Some((600, 660)));
        assert_eq!(span(661, 60), None);
        assert_eq!(span(720, 61), Some((660, 720)));
        assert_eq!(span(7205, 3600), Some((6960, 7205)));
    }

    #[test]
    fn a_side_without_requests_has_no_figure() {
        let series = |values: &[(i64, f64)]| values.iter().copied().collect::<Series>();
        let all = BTreeMap::from([
            ("to_requests".to_owned(), series(&[(0, 90.0), (60, 10.0)])),
            ("to_errors_0".to_owned(), series(&[(60, 1.0)])),
            ("to_errors_1".to_owned(), series(&[(0, 1.0), (60, 1.0)])),
            ("from_errors_0".to_owned(), series(&[(0, 7.0)])),
            ("to_time".to_owned(), series(&[(0, 100.0), (60, 200.0)])),
            ("from_requests".to_owned(), series(&[])),
        ]);
        let p99 = Some(Duration::from_millis(110));
        assert_eq!(figure(&all, "to", 0.001), Some(Figure { requests: 100, errors: 3, p99 }));
        assert_eq!(figure(&all, "from", 0.001), None);
    }
}
