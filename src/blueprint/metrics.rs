//! The metrics of watched items, for alarms and dashboards.

use std::collections::BTreeMap;

use crate::config::metrics::{
    FILTERS, Means, Source, Watchable, balancer_of, cluster_of, parts, storage, watchable,
};
use crate::config::schema::text::ItemName;
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Text};

use super::Builder;

/// A metric with everything that is known about it.
pub(super) struct Resolved {
    pub namespace: String,
    pub metric: String,
    pub dimensions: BTreeMap<String, Text>,
    /// The statistic in CloudWatch, `Sum` or `p99`.
    pub statistic: String,
}

impl Builder<'_> {
    /// Fills in the values that follow from the watched item.
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
}

/// The name of a statistic in CloudWatch.
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
