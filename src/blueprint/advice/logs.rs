//! Logs: how long they are kept, what is in them, and their class.

use super::{DAYS, Tried};
use crate::config::schema::log_groups::Retention;
use crate::words::apis::LogLevel;
use crate::words::log_groups::LogClass;

impl Tried<'_> {
    pub(super) fn logs(&mut self) {
        const RISK: &str = "Older log events are gone. Some rules demand that you keep them.";
        let config = &self.loaded.config;
        let long = |kept: Retention| kept.days().is_none_or(|days| days > DAYS);
        let lines = |section: &str, name: &str, key: &str| {
            (
                format!("keep the log of {section}.{name} for {DAYS} days"),
                format!("[{section}.{name}]\n{key} = {DAYS}"),
            )
        };
        for (key, _) in config.functions.iter().filter(|(_, it)| long(it.log_retention_days)) {
            let (what, lines) = lines("functions", key, "log_retention_days");
            self.add(what, RISK, lines, |config| {
                let function = config.functions.get_mut(key).expect("a function");
                function.log_retention_days = Retention::Days(DAYS);
            });
        }
        for (key, _) in config.services.iter().filter(|(_, it)| long(it.log_retention_days)) {
            let (what, lines) = lines("services", key, "log_retention_days");
            self.add(what, RISK, lines, |config| {
                let service = config.services.get_mut(key).expect("a service");
                service.log_retention_days = Retention::Days(DAYS);
            });
        }
        for (key, api) in &config.apis {
            let name = &key.0;
            if long(api.log.retention_days) {
                let (what, lines) = lines("apis", name, "log.retention_days");
                self.add(what, RISK, lines, |config| {
                    let api = config.apis.get_mut(key).expect("an API");
                    api.log.retention_days = Retention::Days(DAYS);
                });
            }
            if api.log.level == LogLevel::Info {
                self.add(
                    format!("log only the errors of apis.{name}"),
                    "The execution log has nothing about calls that succeed; the access log has.",
                    format!("[apis.{name}]\nlog.level = \"error\""),
                    |config| {
                        config.apis.get_mut(key).expect("an API").log.level = LogLevel::Error;
                    },
                );
            }
        }
    }

    /// The class of log groups that few people read.
    pub(super) fn log_classes(&mut self) {
        const RISK: &str = "Only for a log group that AWS has not created yet: AWS never changes the class \
             of a log group, and payctl does not replace one. The class has no metric filters, no \
             Live Tail and no alarms on its events; only queries of Logs Insights read it, at a price for \
             each GB.";
        const TO: LogClass = LogClass::InfrequentAccess;
        let config = &self.loaded.config;
        let texts = |section: &str, name: &str, key: &str| {
            (
                format!("write the log of {section}.{name} in the class for infrequent access"),
                format!("[{section}.{name}]\n{key} = \"infrequent_access\""),
            )
        };
        for (key, _) in config.functions.iter().filter(|(_, it)| it.log_class != TO) {
            let (what, lines) = texts("functions", key, "log_class");
            self.add(what, RISK, lines, |config| {
                config.functions.get_mut(key).expect("a function").log_class = TO;
            });
        }
        for (key, _) in config.services.iter().filter(|(_, it)| it.log_class != TO) {
            let (what, lines) = texts("services", key, "log_class");
            self.add(what, RISK, lines, |config| {
                config.services.get_mut(key).expect("a service").log_class = TO;
            });
        }
        for (key, _) in config.apis.iter().filter(|(_, it)| it.log.access && it.log.class != TO) {
            let (what, lines) = texts("apis", key, "log.class");
            self.add(what.replace("the log", "the access log"), RISK, lines, |config| {
                config.apis.get_mut(key).expect("an API").log.class = TO;
            });
        }
        for (key, _) in config.log_groups.iter().filter(|(_, it)| it.class != TO) {
            let (what, lines) = texts("log_groups", key, "class");
            self.add(what, RISK, lines, |config| {
                config.log_groups.get_mut(key).expect("a log group").class = TO;
            });
        }
    }
}
