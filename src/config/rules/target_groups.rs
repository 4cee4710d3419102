//! The rules of `[target_groups]`.

use super::Rules;
use super::load_balancers::NAME;
use crate::config::key_path::KeyPath;
use crate::config::schema::target_groups::{Health, TargetGroup};
use crate::config::schema::text::{CalleeRef, ItemName};
use crate::words::target_groups::TargetProtocol;

impl Rules<'_> {
    pub(super) fn target_groups(&mut self) {
        for (name, config) in &self.config.target_groups {
            let path = KeyPath::of("target_groups").key(name);
            if self.config.network.is_none() && config.function.is_none() {
                self.say(&path, "a target group needs a network", "add a [network] section");
            }
            // payctl adds a dash and a digest.
            if let Some(name) = config.name.as_deref().filter(|name| name.len() > NAME - 7) {
                let message = format!("the name is too long: {} characters", name.len());
                self.say(&path.key("name"), message, "use at most 25: payctl adds a digest");
            }
            if (1..30).contains(&config.slow_start) {
                let path = path.key("slow_start");
                self.say(
                    &path,
                    "`slow_start` is out of range",
                    "use 30 to 900 seconds, or 0 to turn it off",
                );
            }
            match &config.function {
                Some(function) => self.function_group(&path, config, function),
                None => self.target_group(&path, config),
            }
            if let Some(health) = config.checks() {
                self.health(&path.key("health"), config, &health);
            }
        }
    }

    /// A function has neither ports nor connections.
    fn function_group(&mut self, path: &KeyPath, config: &TargetGroup, function: &CalleeRef) {
        let health = path.key("health");
        let keys = [
            (path, "port"),
            (path, "protocol"),
            (path, "targets"),
            (path, "deregistration_delay"),
            (path, "sticky_seconds"),
            (path, "slow_start"),
            (&health, "port"),
            (&health, "protocol"),
        ];
        for (path, key) in keys {
            if self.loaded.says(path, key) {
                let message = format!("`{key}` is not for functions");
                self.say(&path.key(key), message, "remove it");
            }
        }
        let (function, _) = function.parts();
        let called = self.config.functions.get(&ItemName(function.to_owned()));
        let (Some(checks), Some(called)) = (config.checks(), called) else { return };
        let (interval, _) = config.pace(&checks);
        if interval <= called.timeout {
            let message = format!(
                "the interval of {interval} s is not more than the timeout of the function \
                 `{function}`, {} s",
                called.timeout
            );
            self.say(&health.key("interval"), message, "increase it");
        }
    }

    fn target_group(&mut self, path: &KeyPath, config: &TargetGroup) {
        if config.multi_value_headers.is_some() {
            let path = path.key("multi_value_headers");
            self.say(&path, "`multi_value_headers` is only for functions", "remove it");
        }
        let is_http = config.protocol != TargetProtocol::Tcp;
        for (key, given) in [
            ("slow_start", config.slow_start > 0),
            ("sticky_seconds", config.sticky_seconds.is_some()),
        ] {
            if given && !is_http {
                let path = path.key(key);
                self.say(&path, format!("`{key}` is not for tcp"), "remove it, or use http");
            }
        }
    }

    fn health(&mut self, path: &KeyPath, config: &TargetGroup, health: &Health) {
        let (interval, timeout) = config.pace(health);
        if timeout >= interval {
            let message =
                format!("the timeout of {timeout} s is not less than the interval of {interval} s");
            self.say(&path.key("timeout"), message, "lower `timeout`, or increase `interval`");
        }
        let check = health.protocol.unwrap_or(config.protocol);
        if check == TargetProtocol::Tcp && config.protocol != TargetProtocol::Tcp {
            let path = path.key("protocol");
            self.say(&path, "a tcp check does not work for http targets", "use http or https");
        }
        for (key, given) in [("path", health.path.is_some()), ("codes", health.codes.is_some())] {
            if given && check == TargetProtocol::Tcp {
                let path = path.key(key);
                self.say(
                    &path,
                    format!("`{key}` is not for tcp checks"),
                    "set `protocol = \"http\"`",
                );
            }
        }
        if health.path.as_ref().is_some_and(|it| !it.starts_with('/')) {
            let message = "a path must begin with a slash";
            self.say(&path.key("path"), message, "write for example /health");
        }
    }
}
