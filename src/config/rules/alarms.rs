//! The rules of `[alarms]`.

use std::collections::BTreeSet;

use super::Rules;
use super::policies::is_arn;
use crate::config::key_path::KeyPath;
use crate::config::metrics::{FILTERS, Source, is_percentage, parts, storage};
use crate::config::schema::alarms::Alarm;
use crate::config::schema::text::{ItemName, TopicRef};
use crate::words::aws_services::Service;

/// The principal of alarms.
const CLOUDWATCH: &str = "cloudwatch.amazonaws.com";

/// The most actions of an alarm for each of its states.
const ACTIONS: usize = 5;

/// The most metrics of metric math in an alarm.
const PARTS: usize = 10;

/// The longest evaluation range of an alarm: with short periods, and with periods of an hour or more.
const DAY: u32 = 86_400;

const WEEK: u32 = 604_800;

impl Rules<'_> {
    pub(super) fn alarms(&mut self) {
        for (name, alarm) in &self.config.alarms {
            let path = KeyPath::of("alarms").key(name);
            self.threshold(&path, alarm);
            self.times(&path, alarm);
            self.measured(&path, alarm.into(), alarm.expression.as_deref(), &alarm.metrics);
            self.pace(&path, alarm);
            if alarm.metrics.len() > PARTS {
                let message = format!("too many metrics for an alarm: {}", alarm.metrics.len());
                self.say(&path.key("metrics"), message, format!("use at most {PARTS}"));
            }
            let percentile = alarm.statistic.as_ref().is_some_and(|word| word.starts_with('p'));
            if alarm.few_samples.is_some() && !percentile {
                let path = path.key("few_samples");
                self.say(&path, "this setting is only for percentiles", "remove it");
            }
            self.percentage(&path, alarm);
            self.actions(&path, alarm);
            let others = alarm.actions.len();
            self.told(&path, "notify", &alarm.notify, others);
            self.told(&path, "notify_ok", &alarm.notify_ok, 0);
            self.told(&path, "notify_missing", &alarm.notify_missing, 0);
        }
    }

    fn threshold(&mut self, path: &KeyPath, alarm: &Alarm) {
        let Alarm { above, at_least, below, at_most, .. } = alarm;
        let given = [above, at_least, below, at_most].into_iter().flatten().count();
        if given != 1 {
            let message = match given {
                0 => "the alarm has no threshold",
                _ => "the alarm has more than one threshold",
            };
            self.say(path, message, "set one of `above`, `at_least`, `below`, `at_most`");
        }
    }

    /// A percentage is never above 100.
    fn percentage(&mut self, path: &KeyPath, alarm: &Alarm) {
        let Alarm { above, at_least, below, at_most, watch, metric, namespace, .. } = alarm;
        let averaged = alarm
            .statistic
            .as_ref()
            .is_none_or(|word| !["sum", "sample_count"].contains(&word.0.as_str()));
        let metric = metric.as_ref().filter(|metric| is_percentage(metric));
        let Some(metric) = metric.filter(|_| watch.is_some() && namespace.is_none() && averaged)
        else {
            return;
        };
        let thresholds =
            [("above", above), ("at_least", at_least), ("below", below), ("at_most", at_most)];
        for (key, threshold) in thresholds {
            if threshold.is_some_and(|threshold| threshold > 100.0) {
                let message = format!("`{}` is a percentage", metric.0);
                self.say(&path.key(key), message, "use 0 to 100");
            }
        }
    }

    /// The actions of an alarm are in its own region.
    fn actions(&mut self, path: &KeyPath, alarm: &Alarm) {
        let path = path.key("actions");
        for action in &alarm.actions {
            let region = action.split(':').nth(3).filter(|_| action.starts_with("arn:"));
            if !is_arn(action) {
                let message = format!("`{}` is not an ARN", action.0);
                self.say(
                    &path,
                    message,
                    "write the ARN of the action; topics belong into `notify`",
                );
            } else if region.is_some_and(|region| region != self.config.region.0) {
                let message = format!("`{}` is not in {}", action.0, self.config.region.0);
                self.say(&path, message, "use an action in the region of the alarm");
            }
        }
    }

    fn times(&mut self, path: &KeyPath, alarm: &Alarm) {
        let Alarm { period, periods, datapoints, .. } = *alarm;
        if !matches!(period, 10 | 20 | 30) && period % 60 != 0 {
            let path = path.key("period");
            let fix = "use 10, 20, 30, or a multiple of 60";
            return self.say(&path, format!("{period} seconds is not a valid period"), fix);
        }
        let most = if period < 3600 { DAY } else { WEEK };
        if period.saturating_mul(periods) > most {
            let span = if most == DAY {
                "one day; with periods of an hour or more, one week"
            } else {
                "one week"
            };
            let message = format!("{periods} periods of {period} seconds are too long together");
            self.say(&path.key("periods"), message, format!("use at most {span}"));
        }
        if let Some(datapoints) = datapoints.filter(|datapoints| *datapoints > periods) {
            let message = format!("`datapoints` is {datapoints}, but `periods` is {periods}");
            let fix = format!("use 1 to {periods}, or increase `periods`");
            self.say(&path.key("datapoints"), message, fix);
        }
    }

    /// AWS measures its own metrics once a minute, and the content of buckets once a day.
    fn pace(&mut self, path: &KeyPath, alarm: &Alarm) {
        let parts_of = alarm.metrics.values().map(Source::from);
        let sources: Vec<Source<'_>> = std::iter::once(alarm.into()).chain(parts_of).collect();
        let path = path.key("period");
        if alarm.period < 60 && sources.iter().any(is_of_aws) {
            self.say(&path, "AWS measures this once a minute", "use 60 or a multiple of it");
        } else if !alarm.period.is_multiple_of(DAY) && sources.iter().any(is_daily) {
            self.say(&path, "S3 measures this once a day", format!("set `period = {DAY}`"));
        }
    }

    fn told(&mut self, path: &KeyPath, key: &str, topics: &BTreeSet<TopicRef>, others: usize) {
        let path = path.key(key);
        if topics.len() + others > ACTIONS {
            let count = topics.len() + others;
            self.say(&path, format!("too many actions: {count}"), format!("use at most {ACTIONS}"));
        }
        for topic in topics {
            let Some(config) = self.config.topics.get(&ItemName(topic.0.clone())) else { continue };
            if config.fifo {
                let message = format!("the topic `{}` is a FIFO topic", topic.0);
                self.say(
                    &path,
                    message,
                    "use a standard topic: alarms cannot publish to FIFO topics",
                );
            } else if !config.publishers.contains(&Service::Cloudwatch) {
                let message = format!("alarms may not publish to the topic `{}`", topic.0);
                let fix = format!("add \"cloudwatch\" to `publishers` of [topics.{}]", topic.0);
                self.say(&path, message, fix);
            } else if let Some(key) = config.key.as_deref().filter(|key| self.shuts_out(key)) {
                let message =
                    format!("alarms may not use the key `{key}` of the topic `{}`", topic.0);
                let fix = format!("add \"cloudwatch\" to `services` of [keys.{key}]");
                self.say(&path, message, fix);
            }
        }
    }

    /// Whether alarms may not use a key: their messages would then be lost without any error.
    fn shuts_out(&self, key: &str) -> bool {
        let config = self.config.keys.get(&ItemName(key.to_owned()));
        let services = config.and_then(|config| config.services.as_ref());
        let listed = services.is_none_or(|services| services.contains(&Service::Cloudwatch));
        !listed
            && !self.loaded.mentions(&KeyPath::of("keys").key(key).key("statements"), CLOUDWATCH)
    }
}

/// Whether AWS measures this metric.
fn is_of_aws(source: &Source<'_>) -> bool {
    match (source.namespace, source.watch) {
        (Some(namespace), _) => namespace.starts_with("AWS/"),
        (None, Some(watch)) => parts(watch).0 != FILTERS,
        (None, None) => false,
    }
}

/// Whether S3 measures this once a day.
fn is_daily(source: &Source<'_>) -> bool {
    let of_s3 = match (source.namespace, source.watch) {
        (Some(namespace), _) => namespace.0 == "AWS/S3",
        (None, Some(watch)) => parts(watch).0 == "buckets",
        (None, None) => false,
    };
    of_s3 && source.metric.is_some_and(|metric| storage(metric).is_some())
}
