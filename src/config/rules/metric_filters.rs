//! The rules of `[metric_filters]`.

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::problem::suggest;
use crate::config::schema::text::ItemName;
use crate::words::log_groups::LogClass;

impl Rules<'_> {
    pub(super) fn metric_filters(&mut self) {
        for (name, filter) in &self.config.metric_filters {
            let path = KeyPath::of("metric_filters").key(name);
            self.log_source(&path, &filter.log_group.0);
            if filter.namespace.starts_with("AWS/") {
                let path = path.key("namespace");
                self.say(
                    &path,
                    "AWS reserves namespaces that begin with AWS/",
                    "choose another one",
                );
            }
            let dimensions = path.key("dimensions");
            if filter.dimensions.len() > 3 {
                self.say(&dimensions, "a metric filter has at most 3 dimensions", "remove some");
            }
            if !filter.dimensions.is_empty() && filter.default.is_some() {
                let path = path.key("default");
                let message = "a metric with dimensions has no default";
                self.say(&path, message, "remove `default` or `dimensions`");
            }
            for value in filter.dimensions.values().filter(|value| !value.starts_with('$')) {
                let message = format!("`{value}` is not a field of an event");
                self.say(&dimensions, message, "write a field such as $.method or $method");
            }
            if !filter.value.starts_with('$') && filter.value.parse::<f64>().is_err() {
                let path = path.key("value");
                let message = format!("`{}` is not valid here", filter.value);
                self.say(&path, message, "write a number, or a field such as $.amount");
            }
        }
    }

    fn log_source(&mut self, path: &KeyPath, source: &str) {
        const LOGGING: [&str; 4] = ["apis", "functions", "log_groups", "services"];
        let path = path.key("log_group");
        let (section, item) = source.split_once('.').unwrap_or(("log_groups", source));
        if !LOGGING.contains(&section) {
            let fix = suggest(section, LOGGING, "these have log groups");
            return self.say(&path, format!("[{section}] has no log groups"), fix);
        }
        let names = self.loaded.names(section);
        if !names.contains(&item) {
            let fix = if names.is_empty() {
                format!("this environment has no [{section}]")
            } else {
                suggest(item, names, &format!("names in [{section}]"))
            };
            return self.say(&path, format!("[{section}] has no `{item}`"), fix);
        }
        if self.class_of_log(section, item) == Some(LogClass::InfrequentAccess) {
            let message = format!("AWS takes no metric filter for the log of {section}.{item}");
            let fix =
                "its class is `infrequent_access`: use the standard class, or remove the filter";
            self.say(&path, message, fix);
        }
    }

    /// The class of a log group of the config.
    fn class_of_log(&self, section: &str, item: &str) -> Option<LogClass> {
        let (config, item) = (self.config, ItemName(item.to_owned()));
        match section {
            "apis" => config.apis.get(&item).map(|api| api.log.class),
            "functions" => config.functions.get(&item).map(|function| function.log_class),
            "services" => config.services.get(&item).map(|service| service.log_class),
            _ => config.log_groups.get(&item).map(|group| group.class),
        }
    }
}
