//! `[log_groups]`.

use crate::aws::kinds::logs_log_group::LogGroup;
use crate::config::schema::data::Retention;
use crate::model::address::Address;

use super::{Builder, Item};

impl Builder<'_> {
    pub(super) fn log_groups(&mut self) {
        for (key, config) in &self.config.log_groups {
            let path: &[&str] = &["log_groups", key];
            let name = self.item_name("logs.log_group", key, config.name.as_ref(), path);
            let spec = LogGroup {
                name: name.clone(),
                retention_days: match config.retention_days {
                    Retention::Days(days) => Some(days),
                    Retention::Forever(_) => None,
                },
                key: config.key.as_ref().map(|key| self.key(key)),
            };
            self.add(Item::new(Address::new("logs.log_group", key.0.as_str()), name, path), &spec);
        }
    }
}
