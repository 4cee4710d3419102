//! `[alarms]`.

use std::collections::{BTreeMap, BTreeSet};

use crate::aws::kinds::cloudwatch::alarm::{
    Alarm as AlarmSpec, Metric as MetricSpec, Operand, Query, Watches,
};
use crate::config::KeyPath;
use crate::config::metrics::Source;
use crate::config::schema::alarms::Alarm;
use crate::config::schema::text::TopicRef;
use crate::words::metrics::Unit;
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Text};

use super::metrics::Resolved;
use super::{Builder, Item};

/// The id of the result of metric math.
const RESULT: &str = "result";

impl Builder<'_> {
    pub(super) fn alarms(&mut self) {
        for (key, config) in &self.config.alarms {
            let path = &KeyPath::of("alarms").key(key);
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
            missing: config.missing.aws().to_owned(),
            few_samples: config.few_samples.map(|word| word.aws().to_owned()),
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
        let unit = unit.map(|unit| unit.aws().to_owned());
        MetricSpec {
            namespace,
            name: metric,
            dimensions,
            statistic,
            period: as_count(period),
            unit,
        }
    }
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
