//! CloudWatch metric alarms, on one metric or on metric math.
//!
//! AWS quirks: PutMetricAlarm replaces the whole alarm, and takes tags only for a new one. Names of
//! other alarms may contain the environment's name too (`TargetTracking-...` of scaling policies),
//! so payctl decides ownership by tags. Members that were not sent come back as defaults or not at
//! all, so payctl sends all of them. Percentiles have their own member.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_cloudwatch::types;
use aws_sdk_cloudwatch::types::MetricAlarm;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::common::{add_tags, remove_tags, tags_of, to_tags};
pub(crate) use super::metric::{Metric, Operand, Query};
use super::metric::{metric_of, queries, to_dimensions, to_queries};
use crate::aws::clients::Aws;
use crate::aws::costs::Costs;
use crate::aws::error::{Gone, op, taken};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};
use payctl_engine::model::verdict::{Asked, Verdict};
use payctl_money::Decimal;
use payctl_money::bill::Charge;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alarm {
    /// The name.
    pub name: String,
    /// The text for people; may be empty.
    pub description: String,
    /// The metric or expression.
    pub watches: Watches,
    /// How a value is compared with the threshold: `GreaterThanThreshold` ...
    pub comparison: String,
    /// The threshold.
    pub threshold: f64,
    /// The number of evaluated periods.
    pub periods: i32,
    /// In how many of them the threshold must be broken.
    pub datapoints: i32,
    /// How a period without data counts: `missing`, `ignore`, `breaching`, `notBreaching`.
    pub missing: String,
    /// Whether a percentile of too few samples counts: `evaluate` or `ignore`.
    pub few_samples: Option<String>,
    /// Whether its actions are carried out.
    pub enabled: bool,
    /// The ARNs of the actions for the state ALARM.
    pub alarm_actions: BTreeSet<Text>,
    /// The ARNs of the actions for the state OK.
    pub ok_actions: BTreeSet<Text>,
    /// The ARNs of the actions for missing data.
    pub missing_actions: BTreeSet<Text>,
}

/// The metric or expression of an alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Watches {
    /// One metric.
    Metric(Metric),
    /// The result of metric math, by the ids of its parts.
    Math(BTreeMap<String, Query>),
}

impl Resource for Alarm {
    const META: Meta = Meta {
        drawn: Drawn::badge("alarm", "alarm", &["watches"]),
        notes: &[
            "A change overwrites the whole alarm, which keeps its state.",
            "A topic with a customer key receives messages only if the policies of the topic and \
             of the key allow cloudwatch.amazonaws.com.",
            "The alarms of scaling policies (TargetTracking-...) belong to Auto Scaling; payctl \
             leaves them alone.",
        ],
        immutable: &["name"],
        replace: Replace::DeleteFirst,
        deadline: Duration::from_secs(120),
        check: Some(Asked::of("it is not firing")),
        told: true,
        gone_at_once: true,
        permits: &[
            Permit::look(&["cloudwatch:DescribeAlarms"], &["*"]),
            Permit::look(&["cloudwatch:ListTagsForResource"], &["cloudwatch:{here}:alarm:{seen}"]),
            Permit::set(
                &["cloudwatch:PutMetricAlarm", "cloudwatch:TagResource"],
                &["cloudwatch:{here}:alarm:{name}"],
            ),
            Permit::change(&["cloudwatch:UntagResource"], &["cloudwatch:{here}:alarm:{name}"]),
            Permit::delete(&["cloudwatch:DeleteAlarms"], &["cloudwatch:{here}:alarm:{name}"]),
        ],
        names: Some(NameRule::new(
            "alarm",
            255,
            r"^[^\x00-\x1F\x7F-\x9F]{1,255}$",
            "an alarm's name is 1 to 255 characters without control characters",
        )),
        section: "alarms",
        predicted: &[
            (Output::Arn, "arn:{partition}:cloudwatch:{here}:alarm:{name}"),
            (Output::Name, "{name}"),
        ],
        asked: &["threshold", "periods"],
        typical: Typical::seconds(1, 1, 1).calls(2, 4, 2),
        pricing: Pricing::Charged(
            "AWS charges for each metric that it watches, and three times as much for periods \
             below a minute.",
        ),
        types: &["cloudwatch:alarm"],
        ..Meta::new("cloudwatch.alarm", "monitoring", "A CloudWatch alarm on a metric.")
    };

    fn sample() -> Self {
        let topic = Text::reference(Address::new("sns.topic", "sample"), Output::Arn);
        Self {
            name: "sample-alarm".into(),
            description: "Messages are left lying".into(),
            watches: Watches::Metric(Metric::sample()),
            comparison: "GreaterThanThreshold".into(),
            threshold: 5.0,
            periods: 1,
            datapoints: 1,
            missing: "missing".into(),
            few_samples: None,
            enabled: true,
            alarm_actions: BTreeSet::from([topic]),
            ok_actions: BTreeSet::new(),
            missing_actions: BTreeSet::new(),
        }
    }

    fn variants() -> Vec<Self> {
        let sample = Self::sample();
        let part = |is, result| Query { is, label: None, result };
        let share = Operand::Expression("100 * old / FILL(all, 1)".into());
        let math = BTreeMap::from([
            ("all".to_owned(), part(Operand::Metric(Metric::sample()), false)),
            ("old".to_owned(), part(Operand::Metric(Metric::sample()), false)),
            ("share".to_owned(), Query { label: Some("Share".into()), ..part(share, true) }),
        ]);
        let slow = Metric {
            statistic: "p99.9".into(),
            period: 60,
            unit: Some("Seconds".into()),
            dimensions: BTreeMap::new(),
            ..Metric::sample()
        };
        vec![
            Self {
                threshold: 0.5,
                comparison: "LessThanOrEqualToThreshold".into(),
                periods: 3,
                datapoints: 2,
                missing: "notBreaching".into(),
                ..sample.clone()
            },
            Self {
                description: String::new(),
                watches: Watches::Metric(slow),
                few_samples: Some("ignore".into()),
                enabled: false,
                ok_actions: sample.alarm_actions.clone(),
                missing_actions: sample.alarm_actions.clone(),
                alarm_actions: BTreeSet::new(),
                ..sample.clone()
            },
            Self { watches: Watches::Math(math), ..sample },
        ]
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let metrics: Vec<&Metric> = match &self.watches {
            Watches::Metric(metric) => vec![metric],
            Watches::Math(queries) => queries
                .values()
                .filter_map(|query| match &query.is {
                    Operand::Metric(metric) => Some(metric),
                    Operand::Expression(_) => None,
                })
                .collect(),
        };
        let is_fast = metrics.iter().any(|metric| metric.period < 60);
        let meter = if is_fast { "cloudwatch.alarm_high" } else { "cloudwatch.alarm" };
        vec![Charge::fixed("alarm", meter, Decimal::from(metrics.len()) * cx.share())]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        // A list by prefix would have fewer pages, but explicit names do not share a prefix.
        let mut pages = cx
            .aws
            .cloudwatch
            .describe_alarms()
            .alarm_types(types::AlarmType::MetricAlarm)
            .max_records(100)
            .into_paginator()
            .send();
        let mut candidates = Vec::new();
        while let Some(page) = pages.next().await {
            let alarms = page.map_err(op("DescribeAlarms"))?.metric_alarms.unwrap_or_default();
            candidates.extend(alarms.into_iter().filter(|alarm| is_candidate(cx, alarm)));
        }
        let found = candidates.into_iter().map(|alarm| async move {
            let name = alarm.alarm_name.clone().unwrap_or_default();
            let arn = alarm.alarm_arn.clone().unwrap_or_default();
            let tags = cx.tags(&arn, tags_of(cx.aws, &arn)).await;
            let Some(tags) = cx.if_permitted(&name, tags)? else {
                return Ok(None);
            };
            let Some((address, owner)) = cx.claim(&name, &tags) else { return Ok(None) };
            Ok(Some(Found { address, owner, live: to_live(alarm, tags) }))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let call = cx.aws.cloudwatch.describe_alarms().alarm_names(cx.id());
        let send = call.alarm_types(types::AlarmType::MetricAlarm).send();
        let found = send.await.map_err(op("DescribeAlarms"))?.metric_alarms.unwrap_or_default();
        let mut found = found.into_iter();
        let Some(alarm) = found.find(|alarm| alarm.alarm_name.as_deref() == Some(cx.id())) else {
            return Ok(None);
        };
        let arn = alarm.alarm_arn.clone().unwrap_or_default();
        Ok(tags_of(cx.aws, &arn).await?.map(|tags| to_live(alarm, tags)))
    }

    async fn glance(cx: &Cx<'_>, planned: Live<Self>) -> Result<Option<Live<Self>>, OpError> {
        Ok(tags_of(cx.aws, planned.outputs.get(&Output::Arn).map_or("", String::as_str))
            .await?
            .map(|tags| Live { tags, ..planned }))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        // The call would also overwrite one that others created since the survey.
        let aws = cx.aws.clone();
        let ask = |names| async move { named(&aws, names).await };
        let name = self.name.clone();
        let there = cx.aws.together.ask("cloudwatch:DescribeAlarms", name, ask).await?;
        if there.contains(&self.name) {
            return Err(taken("PutMetricAlarm", "an alarm"));
        }
        self.put(cx, Some(cx.tags)).await?;
        Ok(self.name.clone())
    }

    async fn update(&self, cx: &Cx<'_>, _: &Live<Self>) -> Result<(), OpError> {
        self.put(cx, None).await
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        let arn = live.outputs.get(&Output::Arn).map(String::as_str).unwrap_or_default();
        add_tags(cx.aws, arn, set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        let arn = live.outputs.get(&Output::Arn).map(String::as_str).unwrap_or_default();
        remove_tags(cx.aws, arn, unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.cloudwatch.delete_alarms().alarm_names(&live.id).send();
        send.await.map_err(op("DeleteAlarms")).or_gone().map(drop)
    }

    async fn check(cx: &Cx<'_>, live: &Live<Self>) -> Result<Verdict, OpError> {
        let call = cx.aws.cloudwatch.describe_alarms().alarm_names(&live.id);
        let send = call.alarm_types(types::AlarmType::MetricAlarm).send();
        let found = send.await.map_err(op("DescribeAlarms"))?.metric_alarms.unwrap_or_default();
        Ok(match found.into_iter().find(|alarm| alarm.alarm_name.as_deref() == Some(&live.id)) {
            None => Verdict::Failed("it does not exist any more".into()),
            Some(alarm) => match alarm.state_value {
                Some(types::StateValue::Alarm) => {
                    let why = alarm.state_reason.unwrap_or_default();
                    Verdict::Failed(format!("ALARM: {why}"))
                }
                state => Verdict::Passed(
                    state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
                ),
            },
        })
    }
}

impl Metric {
    fn sample() -> Self {
        let queue = Text::reference(Address::new("sqs.queue", "sample"), Output::Name);
        Self {
            namespace: "AWS/SQS".into(),
            name: "ApproximateAgeOfOldestMessage".into(),
            dimensions: BTreeMap::from([("QueueName".to_owned(), queue)]),
            statistic: "Maximum".into(),
            period: 300,
            unit: None,
        }
    }
}

/// Which of these names alarms of any type have.
async fn named(aws: &Aws, names: Vec<String>) -> Result<BTreeSet<String>, OpError> {
    let types = vec![types::AlarmType::CompositeAlarm, types::AlarmType::MetricAlarm];
    let call = aws.cloudwatch.describe_alarms().set_alarm_names(Some(names)).max_records(100);
    let found = call.set_alarm_types(Some(types)).send().await.map_err(op("DescribeAlarms"))?;
    let metric = found.metric_alarms.unwrap_or_default().into_iter().map(|one| one.alarm_name);
    let composite =
        found.composite_alarms.unwrap_or_default().into_iter().map(|one| one.alarm_name);
    Ok(metric.chain(composite).flatten().collect())
}

fn is_candidate(cx: &Survey<'_>, alarm: &MetricAlarm) -> bool {
    let name = alarm.alarm_name.as_deref().unwrap_or_default();
    let of_scaling = name.starts_with("TargetTracking-");
    cx.wanted.contains_key(name) || (cx.is_candidate(name) && !of_scaling)
}

impl Alarm {
    /// Sends the whole alarm; with tags only when it is new.
    async fn put(&self, cx: &Cx<'_>, tags: Option<&Tags>) -> Result<(), OpError> {
        let actions = |actions: &BTreeSet<Text>| {
            Some(actions.iter().map(|action| action.known().to_owned()).collect())
        };
        let call = cx
            .aws
            .cloudwatch
            .put_metric_alarm()
            .alarm_name(&self.name)
            .alarm_description(&self.description)
            .comparison_operator(self.comparison.as_str().into())
            .threshold(self.threshold)
            .evaluation_periods(self.periods)
            .datapoints_to_alarm(self.datapoints)
            .treat_missing_data(&self.missing)
            .set_evaluate_low_sample_count_percentile(self.few_samples.clone())
            .actions_enabled(self.enabled)
            .set_alarm_actions(actions(&self.alarm_actions))
            .set_ok_actions(actions(&self.ok_actions))
            .set_insufficient_data_actions(actions(&self.missing_actions))
            .set_tags(tags.map(to_tags));
        let call = match &self.watches {
            Watches::Metric(metric) => {
                let call = call
                    .namespace(&metric.namespace)
                    .metric_name(&metric.name)
                    .set_dimensions(Some(to_dimensions(&metric.dimensions)))
                    .period(metric.period)
                    .set_unit(metric.unit.as_deref().map(types::StandardUnit::from));
                match types::Statistic::try_parse(&metric.statistic) {
                    Ok(statistic) => call.statistic(statistic),
                    Err(_) => call.extended_statistic(&metric.statistic),
                }
            }
            Watches::Math(parts) => call.set_metrics(Some(to_queries(parts))),
        };
        call.send().await.map_err(op("PutMetricAlarm")).map(drop)
    }
}

fn to_live(alarm: MetricAlarm, tags: Tags) -> Live<Alarm> {
    let name = alarm.alarm_name.clone().unwrap_or_default();
    let outputs = Outputs::from([
        (Output::Arn, alarm.alarm_arn.clone().unwrap_or_default()),
        (Output::Name, name.clone()),
    ]);
    Live { id: name, spec: Alarm::of(alarm), outputs, tags, phase: Phase::Ready }
}

impl Alarm {
    fn of(alarm: MetricAlarm) -> Self {
        let actions = |actions: Option<Vec<String>>| {
            actions.unwrap_or_default().into_iter().map(Text::from).collect()
        };
        let text = |word: Option<types::ComparisonOperator>| {
            word.map(|word| word.as_str().to_owned()).unwrap_or_default()
        };
        let periods = alarm.evaluation_periods.unwrap_or(1);
        let watches = match alarm.metrics.as_deref() {
            Some(parts) if !parts.is_empty() => Watches::Math(queries(parts)),
            _ => Watches::Metric(metric_of(&alarm)),
        };
        Self {
            name: alarm.alarm_name.unwrap_or_default(),
            description: alarm.alarm_description.unwrap_or_default(),
            watches,
            comparison: text(alarm.comparison_operator),
            threshold: alarm.threshold.unwrap_or_default(),
            periods,
            datapoints: alarm.datapoints_to_alarm.unwrap_or(periods),
            missing: alarm.treat_missing_data.unwrap_or_else(|| "missing".into()),
            few_samples: alarm.evaluate_low_sample_count_percentile.filter(|it| !it.is_empty()),
            enabled: alarm.actions_enabled.unwrap_or(true),
            alarm_actions: actions(alarm.alarm_actions),
            ok_actions: actions(alarm.ok_actions),
            missing_actions: actions(alarm.insufficient_data_actions),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn omitted_settings_are_read_as_defaults() {
        let alarm = MetricAlarm::builder()
            .alarm_name("a")
            .namespace("AWS/SQS")
            .metric_name("m")
            .extended_statistic("p99")
            .period(300)
            .evaluation_periods(3)
            .threshold(1.0)
            .build();
        let alarm = Alarm::of(alarm);
        assert_eq!((alarm.periods, alarm.datapoints), (3, 3));
        assert_eq!((alarm.missing.as_str(), alarm.enabled), ("missing", true));
        let Watches::Metric(metric) = alarm.watches else { panic!("it watches one metric") };
        assert_eq!(metric.statistic, "p99");
        assert!(metric.dimensions.is_empty() && metric.unit.is_none());
    }

    #[test]
    fn metric_math_survives_the_round_trip() {
        let Some(Watches::Math(mut parts)) = Alarm::variants().pop().map(|alarm| alarm.watches)
        else {
            panic!("the last variant has metric math");
        };
        for part in parts.values_mut() {
            if let Operand::Metric(metric) = &mut part.is {
                metric.dimensions.insert("QueueName".into(), "sample-queue".into());
            }
        }
        assert_eq!(queries(&to_queries(&parts)), parts);
    }
}
