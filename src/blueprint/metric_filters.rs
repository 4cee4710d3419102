//! `[metric_filters]`.

use crate::aws::kinds::logs::metric_filter::Filter;
use crate::config::KeyPath;
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Text};

use super::{Builder, Item};

impl Builder<'_> {
    pub(super) fn metric_filters(&mut self) {
        for (key, config) in &self.config.metric_filters {
            let path = &KeyPath::of("metric_filters").key(key);
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
                unit: config.unit.aws().to_owned(),
            };
            let address = Address::new("logs.metric_filter", key.0.as_str());
            self.add(Item::new(address, name, path), &spec);
        }
    }
}

fn parts_of_group(log_group: &str) -> &str {
    log_group.strip_prefix("log_groups.").unwrap_or(log_group)
}
