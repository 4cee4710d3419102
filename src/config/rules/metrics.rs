//! The rules of metrics, in alarms and dashboards.

use std::collections::BTreeMap;

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::metrics::{
    FILTERS, Means, Needs, Source, WATCHABLE, Watchable, balancer_of, cluster_of, is_known, needs,
    parts, watchable,
};
use crate::config::problem::{nearest, suggest};
use crate::config::schema::clusters::Insights;
use crate::config::schema::metrics::Metric;
use crate::config::schema::text::{ItemName, MetricId};

impl Rules<'_> {
    /// A metric, or metric math over several.
    pub(super) fn measured(
        &mut self,
        path: &KeyPath,
        source: Source<'_>,
        expression: Option<&str>,
        math: &BTreeMap<MetricId, Metric>,
    ) {
        let Some(expression) = expression else {
            if !math.is_empty() {
                let path = path.key("metrics");
                self.say(&path, "`metrics` needs an `expression`", "add one, or remove `metrics`");
                return;
            }
            return self.source(path, source);
        };
        if source.metric.is_some() || source.watch.is_some() || source.namespace.is_some() {
            let fix = "keep `expression` with its `metrics`, or keep the metric";
            self.say(path, "`expression` and `metric` cannot be used together", fix);
        }
        let searches = expression.contains("SEARCH(");
        if searches && path.section() == "alarms" {
            let path = path.key("expression");
            self.say(&path, "an alarm cannot search for metrics", "name them under `metrics`");
        }
        if math.is_empty() && !searches {
            let path = path.key("expression");
            self.say(&path, "the expression has no `metrics`", "name its parts under `metrics`");
        }
        for (id, metric) in math {
            let path = path.key("metrics").key(&id.0);
            if id.0 == "result" {
                self.say(&path, "the id `result` is reserved for the result", "choose another one");
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
            let path = path.key("expression");
            self.say(
                &path,
                format!("the expression uses `{word}`, which is not in `metrics`"),
                fix,
            );
        }
    }

    fn source(&mut self, path: &KeyPath, source: Source<'_>) {
        if let Some(word) = source.statistic
            && let Some(percent) = word.strip_prefix('p').map(str::parse::<f64>)
            && !percent.is_ok_and(|percent| percent <= 100.0)
        {
            let path = path.key("statistic");
            self.say(&path, format!("`{}` is not a percentile", word.0), "use p0 to p100");
        }
        if source.dimensions.len() > 30 {
            let path = path.key("dimensions");
            self.say(&path, "a metric has at most 30 dimensions", "remove some");
        }
        let section = source.watch.map(|watch| parts(watch).0);
        if source.metric.is_none() && section != Some(FILTERS) {
            self.say(path, "`metric` is missing", "write the name of the metric");
        }
        match source.watch {
            None if source.namespace.is_none() => {
                let fix = "set `watch`, or the `namespace` and `dimensions` of the metric";
                self.say(path, "the metric has no source", fix);
            }
            None => {}
            Some(watch) => self.watched(path, &watch.0, source),
        }
    }

    fn watched(&mut self, path: &KeyPath, watch: &str, source: Source<'_>) {
        let at = path.key("watch");
        let (section, item, dead) = parts(watch);
        let found = watchable(self.loaded, section, item);
        if found.is_none() && section != FILTERS {
            let sections = WATCHABLE.iter().map(|found| found.section).chain([FILTERS]);
            let fix = suggest(section, sections, "these have metrics");
            return self.say(&at, format!("[{section}] has no metrics"), fix);
        }
        let names = self.loaded.names(section);
        if !names.contains(&item) {
            let fix = if names.is_empty() {
                format!("this environment has no [{section}]")
            } else {
                suggest(item, names, &format!("names in [{section}]"))
            };
            return self.say(&at, format!("[{section}] has no `{item}`"), fix);
        }
        if dead && section != "queues" {
            self.say(&at, "`dead_letter` is only for queues", format!("write {section}.{item}"));
        } else if dead && !self.loaded.says(&KeyPath::of("queues").key(item), "dead_letter") {
            let fix = "set `dead_letter` of the queue, or watch the queue itself";
            self.say(&at, format!("the queue `{item}` has no dead-letter queue"), fix);
        }
        let Some(found) = found else {
            if source.metric.is_some() || source.namespace.is_some() {
                let fix = "remove `metric` and `namespace`: the filter gives them";
                self.say(path, "a metric filter has only one metric", fix);
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

    /// Whether AWS measures the metric, and by these dimensions: an alarm without data never
    /// fires.
    fn has_data(&mut self, path: &KeyPath, section: &str, item: &str, source: Source<'_>) {
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
            let path = path.key("watch");
            let message = format!("`{item}` has no metrics");
            self.say(&path, message, format!("set `{key} = true` in [{section}.{item}]"));
        }
        match needs(section, metric) {
            Needs::Nothing => {}
            Needs::Dimension(key, _) if source.dimensions.contains_key(key) => {}
            Needs::Dimension(key, what) => {
                let path = path.key("metric");
                let message = format!("`{}` needs the dimension `{key}`", metric.0);
                self.say(&path, message, format!("add `dimensions.{key}`: {what}"));
            }
            Needs::Account => {
                let path = path.key("metric");
                let message = format!("AWS measures `{}` only for the whole account", metric.0);
                let fix = "write the `namespace` instead of `watch`";
                self.say(&path, message, fix);
            }
        }
    }

    /// Whether everything exists that the dimensions need besides the item itself.
    fn dimensions(&mut self, at: &KeyPath, item: &str, found: &Watchable) {
        for (_, means) in found.dimensions {
            match means {
                Means::Cluster if cluster_of(self.loaded, item).is_none() => {
                    let fix = format!("name the `cluster` in [services.{item}]");
                    self.say(at, format!("the cluster of `{item}` is not clear"), fix);
                }
                Means::LoadBalancer if balancer_of(self.loaded, item).is_none() => {
                    let fix = "add a listener that forwards to it: a target group has metrics only behind a load balancer";
                    self.say(at, format!("no load balancer forwards to `{item}`"), fix);
                }
                _ => {}
            }
        }
    }

    /// An unknown metric may be new, but one similar to a known name is a typing error.
    fn known_metric(&mut self, path: &KeyPath, found: &Watchable, source: Source<'_>) {
        let Some(metric) = source.metric else { return };
        if found.statistic(metric).is_some() {
            return;
        }
        if is_known(found.section, metric) {
            let path = path.key("metric");
            let message = format!("{} has no metric `{}`", found.namespace, metric.0);
            let names: Vec<&str> = found.metrics.iter().map(|(name, _)| *name).collect();
            return self.say(&path, message, format!("use one of {}", names.join(", ")));
        }
        if let Some(near) = nearest(metric, found.metrics.iter().map(|(name, _)| *name)) {
            let path = path.key("metric");
            let message = format!("{} has no metric `{}`", found.namespace, metric.0);
            let fix = format!(
                "did you mean `{near}`? If it is new, add `namespace = \"{}\"`",
                found.namespace
            );
            self.say(&path, message, fix);
        }
    }
}

/// The names in an expression, including those of functions, without quoted text.
fn words(expression: &str) -> impl Iterator<Item = &str> {
    let code = expression.split(['\'', '"']).step_by(2);
    code.flat_map(|code| code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
        .filter(|word| word.starts_with(|first: char| first.is_ascii_alphabetic()))
}
