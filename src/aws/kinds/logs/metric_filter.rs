//! Metric filters, which count events of a log group.
//!
//! AWS quirks: a filter cannot have tags, so payctl owns it if it owns the log group and the
//! filter's name contains the environment. PutMetricFilter replaces it. A metric without a unit has
//! the unit `None`; an omitted default is not zero.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudwatchlogs::types::{MetricFilter, MetricTransformation, StandardUnit};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::log_group::{self, LogGroup};
use crate::aws::clients::Aws;
use crate::aws::costs::Costs;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Owner, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};
use payctl_money::Decimal;
use payctl_money::bill::Charge;
use payctl_money::load::Driver;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    /// The name, unique in its log group.
    pub name: String,
    /// The name of the log group.
    pub log_group: Text,
    /// Which events count; all if empty.
    pub pattern: String,
    /// The namespace of the metric.
    pub namespace: String,
    /// The name of the metric.
    pub metric: String,
    /// The value of each event: a number, or a field such as `$.amount`.
    pub value: String,
    /// The value of a period without events, if it has one.
    pub default: Option<f64>,
    /// Dimensions, each with the field that it is read from.
    pub dimensions: BTreeMap<String, String>,
    /// The unit.
    pub unit: String,
}

impl Resource for Filter {
    const META: Meta = Meta {
        drawn: Drawn::badge("filter", "metric filter", &["log_group"]),
        notes: &[
            "It cannot have tags: payctl owns it if it owns the log group and the filter's name \
             contains the environment.",
            "It counts only new events. Each combination of dimensions is a separate metric, \
             which costs money.",
        ],
        immutable: &["name", "log_group"],
        replace: Replace::DeleteFirst,
        tagged: false,
        deadline: Duration::from_secs(120),
        told: true,
        gone_at_once: true,
        permits: &[
            Permit::look(&["logs:DescribeMetricFilters"], &["*"]),
            Permit::look(&["logs:ListTagsForResource"], &["logs:{here}:log-group:{seen}"]),
            Permit::set(&["logs:PutMetricFilter"], &["logs:{here}:log-group:{logs.log_group}:*"]),
            Permit::delete(
                &["logs:DeleteMetricFilter"],
                &["logs:{here}:log-group:{logs.log_group}:*"],
            ),
        ],
        names: Some(NameRule::new(
            "metric-filter",
            512,
            r"^[^:*]{1,512}$",
            "a metric filter's name is 1 to 512 characters without : and *",
        )),
        section: "metric_filters",
        predicted: &[(Output::Name, "{name}")],
        part_of: &["log_group"],
        asked: &["metric"],
        typical: Typical::seconds(1, 1, 1).calls(1, 3, 1),
        pricing: Pricing::Charged("AWS charges for the metric that it writes."),
        ..Meta::new(
            "logs.metric_filter",
            "logs",
            "A metric filter, which counts events of a log group.",
        )
    };

    fn sample() -> Self {
        Self {
            name: "sample-metric-filter".into(),
            log_group: Text::reference(Address::new("logs.log_group", "sample"), Output::Name),
            pattern: "{ $.level = \"ERROR\" }".into(),
            namespace: "Sample".into(),
            metric: "Errors".into(),
            value: "1".into(),
            default: Some(0.0),
            dimensions: BTreeMap::new(),
            unit: "Count".into(),
        }
    }

    fn variants() -> Vec<Self> {
        let by_method = BTreeMap::from([("Method".to_owned(), "$.method".to_owned())]);
        vec![
            Self { pattern: String::new(), unit: "None".into(), ..Self::sample() },
            Self {
                namespace: "Sample/Payments".into(),
                metric: "Amount".into(),
                value: "$.amount".into(),
                default: None,
                dimensions: by_method,
                ..Self::sample()
            },
            Self { default: Some(1.5), ..Self::sample() },
        ]
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        // CloudWatch charges for a metric in the hours in which it is written.
        let is_written = match cx.target::<LogGroup>(&self.log_group) {
            Some(_) => !cx.load(Driver::Gb).is_zero(),
            None => self.log_group.literal().is_some(),
        };
        let metrics = if is_written { cx.share() } else { Decimal::ZERO };
        vec![Charge::usage("metric", "cloudwatch.metric", metrics)]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let filters = list(cx.aws, None).await?;
        let candidates = filters.into_iter().filter(|filter| cx.is_candidate(name_of(filter)));
        let mut by_group: BTreeMap<String, Vec<MetricFilter>> = BTreeMap::new();
        for filter in candidates {
            by_group
                .entry(filter.log_group_name.clone().unwrap_or_default())
                .or_default()
                .push(filter);
        }
        let found = by_group.into_iter().map(|(group, filters)| async move {
            let tags = log_group::tags_by_name(cx, &group).await;
            let tags = cx.if_permitted(&group, tags)?.unwrap_or_default();
            let is_ours = matches!(cx.ours(&group, &tags), Some((_, Owner::Ours)));
            Ok(if is_ours { filters } else { Vec::new() })
        });
        let found = try_join_all(found).await?.into_iter().flatten().map(|filter| {
            let name = name_of(&filter);
            let wanted = cx.wanted.get(name).cloned();
            let address = wanted.unwrap_or_else(|| Address::new(Self::META.kind, name));
            Found { address, owner: Owner::Ours, live: to_live(filter) }
        });
        Ok(found.collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let (group, name) = cx.id().split_once(':').unwrap_or_default();
        let filters = list(cx.aws, Some((group, name))).await?;
        Ok(filters.into_iter().find(|filter| name_of(filter) == name).map(to_live))
    }

    /// It goes with its parent, and its id names it.
    async fn glance(_: &Cx<'_>, planned: Live<Self>) -> Result<Option<Live<Self>>, OpError> {
        Ok(Some(planned))
    }

    async fn holder(cx: &Cx<'_>, _: &Live<Self>) -> Result<Option<Tags>, OpError> {
        let (group, _) = cx.id().split_once(':').unwrap_or_default();
        log_group::tags_of(cx.aws, &log_group::arn_for(cx.aws, group)).await
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        self.put(cx.aws).await?;
        Ok(format!("{}:{}", self.log_group.known(), self.name))
    }

    async fn update(&self, cx: &Cx<'_>, _: &Live<Self>) -> Result<(), OpError> {
        self.put(cx.aws).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let Filter { name, log_group, .. } = &live.spec;
        let call = cx.aws.cloudwatchlogs.delete_metric_filter().log_group_name(log_group.known());
        let send = call.filter_name(name).send();
        send.await.map_err(op("DeleteMetricFilter")).or_gone().map(drop)
    }
}

fn name_of(filter: &MetricFilter) -> &str {
    filter.filter_name.as_deref().unwrap_or_default()
}

/// All filters of the region, or those of one log group whose names begin so.
async fn list(aws: &Aws, of: Option<(&str, &str)>) -> Result<Vec<MetricFilter>, OpError> {
    let mut call = aws.cloudwatchlogs.describe_metric_filters().limit(50);
    if let Some((group, name)) = of {
        call = call.log_group_name(group).filter_name_prefix(name);
    }
    let pages = call.into_paginator().items().send();
    let found = pages.collect::<Result<Vec<_>, _>>().await;
    Ok(found.map_err(op("DescribeMetricFilters")).or_gone()?.unwrap_or_default())
}

impl Filter {
    async fn put(&self, aws: &Aws) -> Result<(), OpError> {
        let dimensions = self.dimensions.clone().into_iter().collect();
        let metric = MetricTransformation::builder()
            .metric_namespace(&self.namespace)
            .metric_name(&self.metric)
            .metric_value(&self.value)
            .set_default_value(self.default)
            .set_dimensions(Some(dimensions).filter(|_| !self.dimensions.is_empty()))
            .unit(StandardUnit::from(self.unit.as_str()))
            .build()
            .expect("a metric with namespace, name and value is complete");
        aws.cloudwatchlogs
            .put_metric_filter()
            .log_group_name(self.log_group.known())
            .filter_name(&self.name)
            .filter_pattern(&self.pattern)
            .metric_transformations(metric)
            .send()
            .await
            .map_err(op("PutMetricFilter"))
            .map(drop)
    }
}

fn to_live(filter: MetricFilter) -> Live<Filter> {
    let metric = filter.metric_transformations.unwrap_or_default().into_iter().next();
    let (name, group) =
        (filter.filter_name.unwrap_or_default(), filter.log_group_name.unwrap_or_default());
    let text = |read: fn(&MetricTransformation) -> &str| {
        metric.as_ref().map(|metric| read(metric).to_owned()).unwrap_or_default()
    };
    let unit = metric.as_ref().and_then(|metric| metric.unit.as_ref());
    let dimensions = metric.as_ref().and_then(|metric| metric.dimensions.clone());
    let spec = Filter {
        name: name.clone(),
        log_group: group.as_str().into(),
        pattern: filter.filter_pattern.unwrap_or_default(),
        namespace: text(|metric| &metric.metric_namespace),
        metric: text(|metric| &metric.metric_name),
        value: text(|metric| &metric.metric_value),
        default: metric.as_ref().and_then(|metric| metric.default_value),
        dimensions: dimensions.unwrap_or_default().into_iter().collect(),
        unit: unit.map_or("None", StandardUnit::as_str).to_owned(),
    };
    Live {
        id: format!("{group}:{name}"),
        spec,
        outputs: Outputs::from([(Output::Name, name)]),
        tags: Tags::new(),
        phase: Phase::Ready,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_omitted_unit_is_none_and_an_omitted_default_is_not_zero() {
        let metric = MetricTransformation::builder()
            .metric_name("m")
            .metric_namespace("n")
            .metric_value("1")
            .build()
            .unwrap();
        let filter = MetricFilter::builder()
            .filter_name("f")
            .log_group_name("/g")
            .metric_transformations(metric)
            .build();
        let live = to_live(filter);
        assert_eq!((live.id.as_str(), live.spec.unit.as_str()), ("/g:f", "None"));
        assert_eq!(live.spec.default, None);
    }
}
