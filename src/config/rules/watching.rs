//! The rules of `[alarms]`, `[dashboards]` and `[metric_filters]`.

use std::collections::{BTreeMap, BTreeSet};

use super::Rules;
use super::access::is_arn;
use crate::config::metrics::{
    FILTERS, Means, Needs, Source, WATCHABLE, Watchable, balancer_of, cluster_of, is_known,
    is_percentage, needs, parts, storage, watchable,
};
use crate::config::problem::{nearest, suggest};
use crate::config::schema::containers::Insights;
use crate::config::schema::messaging::Service;
use crate::config::schema::text::{ItemName, MetricId, TopicRef};
use crate::config::schema::watching::{Alarm, Line, Metric, Widget};

/// The principal of alarms.
const CLOUDWATCH: &str = "cloudwatch.amazonaws.com";
/// How many actions an alarm takes for each of its states.
const ACTIONS: usize = 5;
/// How many metrics metric math takes in an alarm.
const PARTS: usize = 10;
/// How long an alarm looks back at the most, with short periods and with those of an hour and more.
const DAY: u32 = 86_400;
const WEEK: u32 = 604_800;

impl Rules<'_> {
    pub(super) fn alarms(&mut self) {
        for (name, alarm) in &self.config.alarms {
            let path = ["alarms", &**name];
            self.threshold(&path, alarm);
            self.times(&path, alarm);
            self.measured(&path, alarm.into(), alarm.expression.as_deref(), &alarm.metrics);
            self.pace(&path, alarm);
            if alarm.metrics.len() > PARTS {
                let message = format!("{} metrics are too many for an alarm", alarm.metrics.len());
                self.say(&[&path[..], &["metrics"]].concat(), message, format!("at most {PARTS}"));
            }
            let percentile = alarm.statistic.as_ref().is_some_and(|word| word.starts_with('p'));
            if alarm.few_samples.is_some() && !percentile {
                let path = [&path[..], &["few_samples"]].concat();
                self.say(&path, "only percentiles can have too few samples", "remove it");
            }
            self.percentage(&path, alarm);
            self.actions(&path, alarm);
            let others = alarm.actions.len();
            self.told(&path, "notify", &alarm.notify, others);
            self.told(&path, "notify_ok", &alarm.notify_ok, 0);
            self.told(&path, "notify_missing", &alarm.notify_missing, 0);
        }
    }

    fn threshold(&mut self, path: &[&str], alarm: &Alarm) {
        let Alarm { above, at_least, below, at_most, .. } = alarm;
        let given = [above, at_least, below, at_most].into_iter().flatten().count();
        if given != 1 {
            let message = match given {
                0 => "the alarm has no threshold",
                _ => "the alarm has more than one threshold",
            };
            self.say(path, message, "write one of `above`, `at_least`, `below`, `at_most`");
        }
    }

    /// What is a percentage never passes 100.
    fn percentage(&mut self, path: &[&str], alarm: &Alarm) {
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
                self.say(&[path, &[key]].concat(), message, "0 to 100");
            }
        }
    }

    /// What an alarm calls stands in its own region.
    fn actions(&mut self, path: &[&str], alarm: &Alarm) {
        let path = [path, &["actions"]].concat();
        for action in &alarm.actions {
            let region = action.split(':').nth(3).filter(|_| action.starts_with("arn:"));
            if !is_arn(action) {
                let message = format!("`{}` is no ARN", action.0);
                self.say(&path, message, "the ARN of what is called; topics stand in `notify`");
            } else if region.is_some_and(|region| region != self.config.region.0) {
                let message = format!("`{}` is not in {}", action.0, self.config.region.0);
                self.say(&path, message, "an alarm calls what is in its own region");
            }
        }
    }

    fn times(&mut self, path: &[&str], alarm: &Alarm) {
        let Alarm { period, periods, datapoints, .. } = *alarm;
        if !matches!(period, 10 | 20 | 30) && period % 60 != 0 {
            let path = [path, &["period"]].concat();
            let fix = "10, 20, 30, or a multiple of 60";
            return self.say(&path, format!("{period} seconds are no possible period"), fix);
        }
        let most = if period < 3600 { DAY } else { WEEK };
        if period.saturating_mul(periods) > most {
            let span = if most == DAY {
                "one day; with periods from an hour on, one week"
            } else {
                "one week"
            };
            let message = format!("{periods} periods of {period} seconds reach too far back");
            self.say(&[path, &["periods"]].concat(), message, format!("at most {span}"));
        }
        if let Some(datapoints) = datapoints.filter(|datapoints| *datapoints > periods) {
            let message = format!("{datapoints} data points in {periods} periods");
            let fix = format!("1 to {periods}, or raise `periods`");
            self.say(&[path, &["datapoints"]].concat(), message, fix);
        }
    }

    /// AWS's own metrics come once a minute, and what a bucket holds is counted once a day.
    fn pace(&mut self, path: &[&str], alarm: &Alarm) {
        let parts_of = alarm.metrics.values().map(Source::from);
        let sources: Vec<Source<'_>> = std::iter::once(alarm.into()).chain(parts_of).collect();
        let path = [path, &["period"]].concat();
        if alarm.period < 60 && sources.iter().any(is_of_aws) {
            self.say(&path, "AWS measures this once a minute", "60 or a multiple of it");
        } else if !alarm.period.is_multiple_of(DAY) && sources.iter().any(is_daily) {
            self.say(&path, "S3 counts this once a day", format!("period = {DAY}"));
        }
    }

    fn told(&mut self, path: &[&str], key: &str, topics: &BTreeSet<TopicRef>, others: usize) {
        let path = [path, &[key]].concat();
        if topics.len() + others > ACTIONS {
            let count = topics.len() + others;
            self.say(&path, format!("{count} actions are too many"), format!("at most {ACTIONS}"));
        }
        for topic in topics {
            let Some(config) = self.config.topics.get(&ItemName(topic.0.clone())) else { continue };
            if config.fifo {
                let message = format!("the topic `{}` is FIFO", topic.0);
                self.say(&path, message, "alarms can tell standard topics only");
            } else if !config.publishers.contains(&Service::Cloudwatch) {
                let message = format!("the topic `{}` does not take messages of alarms", topic.0);
                let fix = format!("add \"cloudwatch\" to `publishers` of [topics.{}]", topic.0);
                self.say(&path, message, fix);
            } else if let Some(key) = config.key.as_deref().filter(|key| self.shuts_out(key)) {
                let message =
                    format!("the key `{key}` of the topic `{}` does not admit alarms", topic.0);
                let fix = format!("add \"cloudwatch\" to `services` of [keys.{key}]");
                self.say(&path, message, fix);
            }
        }
    }

    /// Whether alarms may not use a key: their messages would be lost without any error.
    fn shuts_out(&self, key: &str) -> bool {
        let config = self.config.keys.get(&ItemName(key.to_owned()));
        let services = config.and_then(|config| config.services.as_ref());
        let listed = services.is_none_or(|services| services.contains(&Service::Cloudwatch));
        !listed && !self.loaded.mentions(&["keys", key, "statements"], CLOUDWATCH)
    }

    /// A metric, or metric math over several.
    fn measured(
        &mut self,
        path: &[&str],
        source: Source<'_>,
        expression: Option<&str>,
        math: &BTreeMap<MetricId, Metric>,
    ) {
        let Some(expression) = expression else {
            if !math.is_empty() {
                let path = [path, &["metrics"]].concat();
                self.say(&path, "nothing says what becomes of these", "add an `expression`");
                return;
            }
            return self.source(path, source);
        };
        if source.metric.is_some() || source.watch.is_some() || source.namespace.is_some() {
            let fix = "keep `expression` with its `metrics`, or the one metric";
            self.say(path, "an `expression` and a metric of its own", fix);
        }
        let searches = expression.contains("SEARCH(");
        if searches && path.first() == Some(&"alarms") {
            let path = [path, &["expression"]].concat();
            self.say(&path, "an alarm cannot search for metrics", "name them under `metrics`");
        }
        if math.is_empty() && !searches {
            let path = [path, &["expression"]].concat();
            self.say(&path, "the expression has no `metrics`", "name its parts under `metrics`");
        }
        for (id, metric) in math {
            let path = [path, &["metrics", id.0.as_str()]].concat();
            if id.0 == "result" {
                self.say(&path, "`result` is the result's own id", "choose another one");
            } else if !words(expression).any(|word| word == id.0) {
                let message = format!("the expression does not use `{}`", id.0);
                self.say(&path, message, "use it, or remove it");
            }
            self.source(&path, metric.into());
        }
        let is_id = |word: &&str| word.starts_with(|first: char| first.is_ascii_lowercase());
        let known: Vec<&str> = math.keys().map(|id| id.0.as_str()).collect();
        for word in words(expression).filter(is_id).filter(|word| !known.contains(word)) {
            let fix = suggest(word, known.iter().copied(), "parts");
            let path = [path, &["expression"]].concat();
            self.say(&path, format!("the expression uses `{word}`, which is no part"), fix);
        }
    }

    fn source(&mut self, path: &[&str], source: Source<'_>) {
        if let Some(word) = source.statistic
            && let Some(percent) = word.strip_prefix('p').map(str::parse::<f64>)
            && !percent.is_ok_and(|percent| percent <= 100.0)
        {
            let path = [path, &["statistic"]].concat();
            self.say(&path, format!("`{}` is no percentile", word.0), "p0 to p100");
        }
        if source.dimensions.len() > 30 {
            let path = [path, &["dimensions"]].concat();
            self.say(&path, "a metric has at most 30 dimensions", "remove some");
        }
        let section = source.watch.map(|watch| parts(watch).0);
        if source.metric.is_none() && section != Some(FILTERS) {
            self.say(path, "`metric` is missing", "the name of the metric to look at");
        }
        match source.watch {
            None if source.namespace.is_none() => {
                let fix = "say what to `watch`, or the `namespace` and `dimensions` of the metric";
                self.say(path, "it is not said whose metric this is", fix);
            }
            None => {}
            Some(watch) => self.watched(path, &watch.0, source),
        }
    }

    fn watched(&mut self, path: &[&str], watch: &str, source: Source<'_>) {
        let at = [path, &["watch"]].concat();
        let (section, item, dead) = parts(watch);
        let found = watchable(self.loaded, section, item);
        if found.is_none() && section != FILTERS {
            let sections = WATCHABLE.iter().map(|found| found.section).chain([FILTERS]);
            let fix = suggest(section, sections, "these have metrics");
            return self.say(&at, format!("[{section}] has no metrics"), fix);
        }
        let names = self.loaded.names(section);
        if !names.contains(&item) {
            let fix = match names.is_empty() {
                true => format!("this environment has no [{section}]"),
                false => suggest(item, names, &format!("names in [{section}]")),
            };
            return self.say(&at, format!("no `{item}` in [{section}]"), fix);
        }
        if dead && section != "queues" {
            self.say(
                &at,
                "only queues have a dead-letter queue",
                format!("write {section}.{item}"),
            );
        } else if dead && !self.loaded.says(&["queues", item], "dead_letter") {
            let fix = "give it `dead_letter`, or watch the queue itself";
            self.say(&at, format!("the queue `{item}` has no dead-letter queue"), fix);
        }
        let Some(found) = found else {
            if source.metric.is_some() || source.namespace.is_some() {
                let fix = "remove `metric` and `namespace`: the filter says them";
                self.say(path, "a metric filter has one metric", fix);
            }
            return;
        };
        self.dimensions(&at, item, found);
        if source.namespace.is_none() {
            self.known_metric(path, found, source);
        }
        if source.namespace.is_none_or(|namespace| namespace.0 == found.namespace) {
            self.has_data(path, section, item, source);
        }
    }

    /// Whether the metric is measured, and by these dimensions: an alarm without data never goes
    /// off.
    fn has_data(&mut self, path: &[&str], section: &str, item: &str, source: Source<'_>) {
        let Some(metric) = source.metric else { return };
        let name = ItemName(item.to_owned());
        let off = match section {
            "clusters" => self.config.clusters.get(&name).and_then(|cluster| {
                matches!(cluster.insights, Insights::Enabled(false)).then_some("insights")
            }),
            "firewalls" => self
                .config
                .firewalls
                .get(&name)
                .and_then(|firewall| (!firewall.metrics).then_some("metrics")),
            _ => None,
        };
        if let Some(key) = off {
            let path = [path, &["watch"]].concat();
            let message = format!("`{item}` is not measured");
            self.say(&path, message, format!("set `{key} = true` in [{section}.{item}]"));
        }
        match needs(section, metric) {
            Needs::Nothing => {}
            Needs::Dimension(key, _) if source.dimensions.contains_key(key) => {}
            Needs::Dimension(key, what) => {
                let path = [path, &["metric"]].concat();
                let message = format!("`{}` is measured by `{key}`", metric.0);
                self.say(&path, message, format!("add `dimensions.{key}`: {what}"));
            }
            Needs::Account => {
                let path = [path, &["metric"]].concat();
                let message = format!("`{}` is measured for the whole account", metric.0);
                let fix = "write the `namespace` instead of `watch`";
                self.say(&path, message, fix);
            }
        }
    }

    /// Whether what the dimensions need besides the item itself is there.
    fn dimensions(&mut self, at: &[&str], item: &str, found: &Watchable) {
        for (_, means) in found.dimensions {
            match means {
                Means::Cluster if cluster_of(self.loaded, item).is_none() => {
                    let fix = format!("name the `cluster` in [services.{item}]");
                    self.say(at, format!("it is not clear in which cluster `{item}` runs"), fix);
                }
                Means::LoadBalancer if balancer_of(self.loaded, item).is_none() => {
                    let fix = "a target group has metrics only behind a load balancer";
                    self.say(at, format!("no load balancer forwards to `{item}`"), fix);
                }
                _ => {}
            }
        }
    }

    /// A metric that is not known here may be new, but one that looks like a known one is a slip.
    fn known_metric(&mut self, path: &[&str], found: &Watchable, source: Source<'_>) {
        let Some(metric) = source.metric else { return };
        if found.statistic(metric).is_some() {
            return;
        }
        if is_known(found.section, metric) {
            let path = [path, &["metric"]].concat();
            let message = format!("{} has no metric `{}`", found.namespace, metric.0);
            let names: Vec<&str> = found.metrics.iter().map(|(name, _)| *name).collect();
            return self.say(&path, message, format!("one of {}", names.join(", ")));
        }
        if let Some(near) = nearest(metric, found.metrics.iter().map(|(name, _)| *name)) {
            let path = [path, &["metric"]].concat();
            let message = format!("{} has no metric `{}`", found.namespace, metric.0);
            let fix = format!(
                "did you mean `{near}`? If it is new, add `namespace = \"{}\"`",
                found.namespace
            );
            self.say(&path, message, fix);
        }
    }

    pub(super) fn dashboards(&mut self) {
        for (name, dashboard) in &self.config.dashboards {
            let path = ["dashboards", &**name];
            if dashboard.generate.is_none() && dashboard.widgets.is_empty() {
                let fix = "add `widgets`, or `generate = \"operations\"`";
                self.say(&path, "the dashboard is empty", fix);
            }
            for (place, widget) in dashboard.widgets.iter().enumerate() {
                let place = place.to_string();
                self.widget(&[&path[..], &["widgets", place.as_str()]].concat(), widget);
            }
        }
    }

    fn widget(&mut self, path: &[&str], widget: &Widget) {
        let Widget { metrics, text, alarms, period, .. } = widget;
        let given = [!metrics.is_empty(), text.is_some(), !alarms.is_empty()];
        if given.into_iter().filter(|given| *given).count() != 1 {
            self.say(path, "a widget shows one thing", "write one of `metrics`, `text`, `alarms`");
        }
        if !matches!(period, 1 | 5 | 10 | 30) && period % 60 != 0 {
            let path = [path, &["period"]].concat();
            let fix = "1, 5, 10, 30, or a multiple of 60";
            self.say(&path, format!("{period} seconds are no possible period"), fix);
        }
        let mut seen: BTreeSet<&MetricId> = BTreeSet::new();
        for (place, line) in metrics.iter().enumerate() {
            let Line { expression, metrics, .. } = line;
            let place = place.to_string();
            let path = [path, &["metrics", place.as_str()]].concat();
            self.measured(&path, line.into(), expression.as_deref(), metrics);
            for id in metrics.keys().filter(|id| !seen.insert(id)) {
                let path = [&path[..], &["metrics", id.0.as_str()]].concat();
                let message = format!("`{}` stands in this widget twice", id.0);
                self.say(&path, message, "choose another id");
            }
        }
    }

    pub(super) fn metric_filters(&mut self) {
        for (name, filter) in &self.config.metric_filters {
            let path = ["metric_filters", &**name];
            self.log_source(&path, &filter.log_group.0);
            if filter.namespace.starts_with("AWS/") {
                let path = [&path[..], &["namespace"]].concat();
                self.say(&path, "namespaces that begin with AWS/ are AWS's own", "choose another");
            }
            let dimensions = [&path[..], &["dimensions"]].concat();
            if filter.dimensions.len() > 3 {
                self.say(&dimensions, "a metric filter has at most 3 dimensions", "remove some");
            }
            if !filter.dimensions.is_empty() && filter.default.is_some() {
                let path = [&path[..], &["default"]].concat();
                let message = "a metric with dimensions has no default";
                self.say(&path, message, "remove `default` or `dimensions`");
            }
            for value in filter.dimensions.values().filter(|value| !value.starts_with('$')) {
                let message = format!("`{value}` is no field of an event");
                self.say(&dimensions, message, "a field such as $.method or $method");
            }
            if !filter.value.starts_with('$') && filter.value.parse::<f64>().is_err() {
                let path = [&path[..], &["value"]].concat();
                let message = format!("`{}` is not possible here", filter.value);
                self.say(&path, message, "a number, or a field such as $.amount");
            }
        }
    }

    fn log_source(&mut self, path: &[&str], source: &str) {
        const LOGGING: [&str; 4] = ["apis", "functions", "log_groups", "services"];
        let path = [path, &["log_group"]].concat();
        let (section, item) = source.split_once('.').unwrap_or(("log_groups", source));
        if !LOGGING.contains(&section) {
            let fix = suggest(section, LOGGING, "these have log groups");
            return self.say(&path, format!("[{section}] has no log groups"), fix);
        }
        let names = self.loaded.names(section);
        if !names.contains(&item) {
            let fix = match names.is_empty() {
                true => format!("this environment has no [{section}]"),
                false => suggest(item, names, &format!("names in [{section}]")),
            };
            self.say(&path, format!("no `{item}` in [{section}]"), fix);
        }
    }
}

/// Whether it is AWS that measures this.
fn is_of_aws(source: &Source<'_>) -> bool {
    match (source.namespace, source.watch) {
        (Some(namespace), _) => namespace.starts_with("AWS/"),
        (None, Some(watch)) => parts(watch).0 != FILTERS,
        (None, None) => false,
    }
}

/// Whether S3 counts this once a day.
fn is_daily(source: &Source<'_>) -> bool {
    let of_s3 = match (source.namespace, source.watch) {
        (Some(namespace), _) => namespace.0 == "AWS/S3",
        (None, Some(watch)) => parts(watch).0 == "buckets",
        (None, None) => false,
    };
    of_s3 && source.metric.is_some_and(|metric| storage(metric).is_some())
}

/// The names in an expression, also those of functions, without what is quoted.
fn words(expression: &str) -> impl Iterator<Item = &str> {
    let code = expression.split(['\'', '"']).step_by(2);
    code.flat_map(|code| code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
        .filter(|word| word.starts_with(|first: char| first.is_ascii_alphabetic()))
}
