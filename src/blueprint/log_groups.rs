//! `[log_groups]`, and the log groups of other sections.

use crate::aws::kinds::logs::log_group::LogGroup;
use crate::config::KeyPath;
use crate::config::schema::log_groups::{LogTarget, Retention};
use crate::config::schema::text::{KeyRef, PhysicalName};
use payctl_engine::model::address::Address;

use super::{Builder, Item};

impl Builder<'_> {
    pub(super) fn log_groups(&mut self) {
        for (key, config) in &self.config.log_groups {
            let path = &KeyPath::of("log_groups").key(key);
            let name = self.item_name("logs.log_group", key, config.name.as_ref(), path);
            self.log_group(key, name, config.retention_days, config.key.as_ref(), path);
        }
    }

    /// The destination of a log: a bucket of the config, or its own log group, named by the pattern
    /// if it has no name.
    pub(super) fn log_target(
        &mut self,
        logical: &str,
        name: Option<&PhysicalName>,
        target: &LogTarget,
        path: &KeyPath,
    ) -> Address {
        if let Some(bucket) = &target.bucket {
            return Address::new("s3.bucket", bucket.0.as_str());
        }
        let name = self.item_name("logs.log_group", logical, name, path);
        self.log_group(logical, name, target.retention_days, target.key.as_ref(), path)
    }

    /// A log group under a logical name.
    pub(super) fn log_group(
        &mut self,
        logical: &str,
        name: String,
        retention: Retention,
        key: Option<&KeyRef>,
        path: &KeyPath,
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
