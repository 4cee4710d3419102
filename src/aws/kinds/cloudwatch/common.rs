//! Helpers of the CloudWatch kinds: tags, and conversions of metrics.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types;

use super::alarm::{Metric, Operand, Query};
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::Tags;
use payctl_engine::model::text::Text;

/// The tags of an alarm or dashboard; `None` if it is gone.
pub(super) async fn tags(aws: &Aws, arn: &str) -> Result<Option<Tags>, OpError> {
    let send = aws.cloudwatch.list_tags_for_resource().resource_arn(arn).send();
    let answer = send.await.map_err(op("ListTagsForResource")).or_gone()?;
    let pair = |tag: types::Tag| Some((tag.key?, tag.value.unwrap_or_default()));
    Ok(answer.map(|it| it.tags.unwrap_or_default().into_iter().filter_map(pair).collect()))
}

/// Tags as the calls take them.
pub(super) fn to_tags(tags: &Tags) -> Vec<types::Tag> {
    let tag =
        |(key, value): (&String, &String)| types::Tag::builder().key(key).value(value).build();
    tags.iter().map(tag).collect()
}

/// Sets and removes tags.
pub(super) async fn retag(
    aws: &Aws,
    arn: &str,
    set: &Tags,
    unset: &[String],
) -> Result<(), OpError> {
    if !set.is_empty() {
        let call = aws.cloudwatch.tag_resource().resource_arn(arn);
        call.set_tags(Some(to_tags(set))).send().await.map_err(op("TagResource"))?;
    }
    if !unset.is_empty() {
        let call = aws.cloudwatch.untag_resource().resource_arn(arn);
        call.set_tag_keys(Some(unset.to_vec())).send().await.map_err(op("UntagResource"))?;
    }
    Ok(())
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
