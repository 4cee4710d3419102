//! `[log_groups]`, and the groups of everything that writes a log.

use crate::aws::kinds::logs_log_group::LogGroup;
use crate::config::schema::data::Retention;
use crate::config::schema::text::KeyRef;
use crate::model::address::Address;

use super::{Builder, Item};

impl Builder<'_> {
    pub(super) fn log_groups(&mut self) {
        for (key, config) in &self.config.log_groups {
            let path: &[&str] = &["log_groups", key];
            let name = self.item_name("logs.log_group", key, config.name.as_ref(), path);
            self.log_group(key, name, config.retention_days, config.key.as_ref(), path);
        }
    }

    /// A log group under a logical name.
    pub(super) fn log_group(
        &mut self,
        logical: &str,
        name: String,
        retention: Retention,
        key: Option<&KeyRef>,
        path: &[&str],
    ) -> Address {
        let address = Address::new("logs.log_group", logical);
        let spec = LogGroup {
            name: name.clone(),
            retention_days: retention.days(),
            key: key.map(|key| self.key(key)),
        };
        self.add(Item::new(address.clone(), name, path), &spec);
        address
    }
}
