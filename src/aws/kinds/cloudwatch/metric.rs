//! Metrics and their math, and how they go to and come from the SDK.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types;
use serde::{Deserialize, Serialize};

use payctl_engine::model::text::Text;

/// A statistic of a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metric {
    /// The namespace, `AWS/Lambda`.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its dimensions.
    pub dimensions: BTreeMap<String, Text>,
    /// `Sum`, `Average`, `p99` ...
    pub statistic: String,
    /// The period in seconds.
    pub period: i32,
    /// Only data with this unit.
    pub unit: Option<String>,
}

/// A part of metric math.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    /// A metric, or an expression over the others.
    pub is: Operand,
    /// The name that graphs show.
    pub label: Option<String>,
    /// Whether the alarm compares this one with the threshold.
    pub result: bool,
}

/// A metric, or an expression over metrics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Operand {
    /// A metric.
    Metric(Metric),
    /// An expression.
    Expression(String),
}

/// Dimensions as the calls take them.
pub(super) fn to_dimensions(dimensions: &BTreeMap<String, Text>) -> Vec<types::Dimension> {
    let dimensions = dimensions.iter();
    let dimensions = dimensions
        .map(|(name, value)| types::Dimension::builder().name(name).value(value.known()).build());
    dimensions.collect()
}

fn dimensions(found: Option<&[types::Dimension]>) -> BTreeMap<String, Text> {
    let found = found.unwrap_or_default().iter();
    let pair = |it: &types::Dimension| Some((it.name.clone()?, it.value.as_deref()?.into()));
    found.filter_map(pair).collect()
}

/// The one metric of an alarm.
pub(super) fn metric_of(alarm: &types::MetricAlarm) -> Metric {
    let statistic = alarm.statistic.as_ref().map(|statistic| statistic.as_str().to_owned());
    Metric {
        namespace: alarm.namespace.clone().unwrap_or_default(),
        name: alarm.metric_name.clone().unwrap_or_default(),
        dimensions: dimensions(alarm.dimensions.as_deref()),
        statistic: statistic.or_else(|| alarm.extended_statistic.clone()).unwrap_or_default(),
        period: alarm.period.unwrap_or_default(),
        unit: alarm.unit.as_ref().map(|unit| unit.as_str().to_owned()),
    }
}

/// Metric math as the calls take it.
pub(super) fn to_queries(parts: &BTreeMap<String, Query>) -> Vec<types::MetricDataQuery> {
    let query = |(id, part): (&String, &Query)| {
        let query = types::MetricDataQuery::builder()
            .id(id)
            .set_label(part.label.clone())
            .return_data(part.result);
        match &part.is {
            Operand::Expression(expression) => query.expression(expression),
            Operand::Metric(metric) => query.metric_stat(to_stat(metric)),
        }
        .build()
    };
    parts.iter().map(query).collect()
}

fn to_stat(metric: &Metric) -> types::MetricStat {
    let named = types::Metric::builder()
        .namespace(&metric.namespace)
        .metric_name(&metric.name)
        .set_dimensions(Some(to_dimensions(&metric.dimensions)))
        .build();
    types::MetricStat::builder()
        .metric(named)
        .period(metric.period)
        .stat(&metric.statistic)
        .set_unit(metric.unit.as_deref().map(types::StandardUnit::from))
        .build()
}

/// Metric math as it was found.
pub(super) fn queries(found: &[types::MetricDataQuery]) -> BTreeMap<String, Query> {
    let part = |query: &types::MetricDataQuery| {
        let is = match &query.metric_stat {
            Some(stat) => Operand::Metric(of_stat(stat)),
            None => Operand::Expression(query.expression.clone().unwrap_or_default()),
        };
        let label = query.label.clone().filter(|label| !label.is_empty());
        let part = Query { is, label, result: query.return_data.unwrap_or(true) };
        (query.id.clone().unwrap_or_default(), part)
    };
    found.iter().map(part).collect()
}

fn of_stat(stat: &types::MetricStat) -> Metric {
    let metric = stat.metric.as_ref();
    Metric {
        namespace: metric.and_then(|it| it.namespace.clone()).unwrap_or_default(),
        name: metric.and_then(|it| it.metric_name.clone()).unwrap_or_default(),
        dimensions: dimensions(metric.and_then(|it| it.dimensions.as_deref())),
        statistic: stat.stat.clone().unwrap_or_default(),
        period: stat.period.unwrap_or_default(),
        unit: stat.unit.as_ref().map(|unit| unit.as_str().to_owned()),
    }
}
