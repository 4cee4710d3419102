//! `[alarms]` and `[metric_filters]`, and metrics by what is watched.

use std::collections::{BTreeMap, BTreeSet};

use crate::aws::kinds::cloudwatch::alarm::{
    Alarm as AlarmSpec, Metric as MetricSpec, Operand, Query, Watches,
};
use crate::aws::kinds::logs::metric_filter::Filter;
use crate::config::metrics::{
    FILTERS, Means, Source, Watchable, balancer_of, cluster_of, parts, storage, watchable,
};
use crate::config::schema::text::{ItemName, TopicRef};
use crate::config::schema::watching::{Alarm, Unit};
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Text};

use super::{Builder, Item};

/// The id of the result of metric math.
const RESULT: &str = "result";

/// A metric with everything that is known of it.
pub(super) struct Resolved {
    pub namespace: String,
    pub metric: String,
    pub dimensions: BTreeMap<String, Text>,
    /// As CloudWatch writes it, `Sum` or `p99`.
    pub statistic: String,
}

impl Builder<'_> {
    pub(super) fn alarms(&mut self) {
        for (key, config) in &self.config.alarms {
            let path: &[&str] = &["alarms", key];
            let name = self.item_name("cloudwatch.alarm", key, config.name.as_ref(), path);
            let spec = self.alarm(&name, config);
            self.add(
                Item::new(Address::new("cloudwatch.alarm", key.0.as_str()), name, path),
                &spec,
            );
        }
    }

    fn alarm(&self, name: &str, config: &Alarm) -> AlarmSpec {
        let (comparison, threshold) = [
            ("GreaterThanThreshold", config.above),
            ("GreaterThanOrEqualToThreshold", config.at_least),
            ("LessThanThreshold", config.below),
            ("LessThanOrEqualToThreshold", config.at_most),
        ]
        .into_iter()
        .find_map(|(word, threshold)| Some((word, threshold?)))
        .unwrap_or(("GreaterThanThreshold", 0.0));
        let mut alarm_actions = topics(&config.notify);
        alarm_actions.extend(config.actions.iter().map(|action| self.text(action)));
        let periods = as_count(config.periods);
        AlarmSpec {
            name: name.to_owned(),
            description: config.description.clone(),
            watches: self.watches(config),
            comparison: comparison.to_owned(),
            threshold,
            periods,
            datapoints: config.datapoints.map_or(periods, as_count),
            missing: config.missing.word().to_owned(),
            few_samples: config.few_samples.map(|word| word.word().to_owned()),
            enabled: config.enabled,
            alarm_actions,
            ok_actions: topics(&config.notify_ok),
            missing_actions: topics(&config.notify_missing),
        }
    }

    fn watches(&self, config: &Alarm) -> Watches {
        let Some(expression) = &config.expression else {
            return Watches::Metric(self.metric(config.into(), config.period, config.unit));
        };
        let mut all: BTreeMap<String, Query> = BTreeMap::new();
        for (id, part) in &config.metrics {
            let is = Operand::Metric(self.metric(part.into(), config.period, part.unit));
            all.insert(id.0.clone(), Query { is, label: None, result: false });
        }
        let is = Operand::Expression(expression.clone());
        all.insert(RESULT.to_owned(), Query { is, label: None, result: true });
        Watches::Math(all)
    }

    fn metric(&self, source: Source<'_>, period: u32, unit: Option<Unit>) -> MetricSpec {
        let Resolved { namespace, metric, dimensions, statistic } = self.resolved(source);
        let unit = unit.map(|unit| unit.word().to_owned());
        MetricSpec {
            namespace,
            name: metric,
            dimensions,
            statistic,
            period: as_count(period),
            unit,
        }
    }

    /// Fills in what follows from what is watched.
    pub(super) fn resolved(&self, source: Source<'_>) -> Resolved {
        let mut found = Resolved {
            namespace: source.namespace.map(|it| it.0.clone()).unwrap_or_default(),
            metric: source.metric.map(|it| it.0.clone()).unwrap_or_default(),
            dimensions: BTreeMap::new(),
            statistic: String::new(),
        };
        let mut usual = "average";
        if let Some(watch) = source.watch {
            let (section, item, dead) = parts(watch);
            if let Some(watchable) = watchable(self.loaded, section, item) {
                usual = watchable.statistic(&found.metric).unwrap_or(usual);
                if found.namespace.is_empty() {
                    found.namespace = watchable.namespace.to_owned();
                }
                let item = if dead { format!("{item}-dlq") } else { item.to_owned() };
                found.dimensions = self.dimensions_of(watchable, &item, &found.metric);
            } else if section == FILTERS
                && let Some(filter) = self.config.metric_filters.get(&ItemName(item.to_owned()))
            {
                usual = "sum";
                found.namespace = filter.namespace.0.clone();
                found.metric = filter.metric.0.clone();
            }
        }
        let typed = source.dimensions.iter();
        found.dimensions.extend(typed.map(|(name, value)| (name.clone(), self.text(value))));
        found.statistic = word(source.statistic.map_or(usual, |it| &it.0)).to_owned();
        found
    }

    fn dimensions_of(
        &self,
        watchable: &Watchable,
        item: &str,
        metric: &str,
    ) -> BTreeMap<String, Text> {
        let output =
            |kind: &str, item: &str, output| Text::reference(Address::new(kind, item), output);
        let meant = |means: &Means| match means {
            Means::Of(kind, of) => Some(output(kind, item, *of)),
            Means::Always(value) => Some(Text::from(*value)),
            Means::Region => Some(Text::from(self.facts.region.as_str())),
            Means::Storage => storage(metric).map(Text::from),
            Means::Cluster => {
                cluster_of(self.loaded, item).map(|it| output("ecs.cluster", it, Output::Name))
            }
            Means::LoadBalancer => balancer_of(self.loaded, item)
                .map(|it| output("elb.load_balancer", it, Output::Metric)),
            Means::Measure => {
                let typed = self.config.firewalls.get(&ItemName(item.to_owned()));
                let typed = typed.and_then(|firewall| firewall.metric.as_ref());
                Some(match typed {
                    Some(metric) => Text::from(metric.0.as_str()),
                    None => output("waf.web_acl", item, Output::Name),
                })
            }
        };
        let dimensions = watchable.dimensions.iter();
        dimensions.filter_map(|(name, means)| Some(((*name).to_owned(), meant(means)?))).collect()
    }

    pub(super) fn metric_filters(&mut self) {
        for (key, config) in &self.config.metric_filters {
            let path: &[&str] = &["metric_filters", key];
            let name = self.item_name("logs.metric_filter", key, config.name.as_ref(), path);
            let group = match config.log_group.split_once('.') {
                None | Some(("log_groups", _)) => parts_of_group(&config.log_group).to_owned(),
                Some((section, item)) => format!("{}-{item}", section.trim_end_matches('s')),
            };
            let spec = Filter {
                name: name.clone(),
                log_group: Text::reference(Address::new("logs.log_group", group), Output::Name),
                pattern: config.pattern.clone(),
                namespace: config.namespace.0.clone(),
                metric: config.metric.0.clone(),
                value: config.value.clone(),
                default: config.default,
                dimensions: config.dimensions.clone(),
                unit: config.unit.word().to_owned(),
            };
            let address = Address::new("logs.metric_filter", key.0.as_str());
            self.add(Item::new(address, name, path), &spec);
        }
    }
}

fn parts_of_group(log_group: &str) -> &str {
    log_group.strip_prefix("log_groups.").unwrap_or(log_group)
}

fn topics(topics: &BTreeSet<TopicRef>) -> BTreeSet<Text> {
    let arn = |topic: &TopicRef| {
        Text::reference(Address::new("sns.topic", topic.0.as_str()), Output::Arn)
    };
    topics.iter().map(arn).collect()
}

fn as_count(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// A statistic as CloudWatch writes it.
fn word(statistic: &str) -> &str {
    match statistic {
        "average" => "Average",
        "sum" => "Sum",
        "minimum" => "Minimum",
        "maximum" => "Maximum",
        "sample_count" => "SampleCount",
        percentile => percentile,
    }
}
