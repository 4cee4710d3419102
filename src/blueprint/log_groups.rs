//! `[log_groups]`, and the log groups of other sections.

use crate::aws::kinds::logs::log_group::LogGroup;
use crate::config::KeyPath;
use crate::config::schema::log_groups::{LogTarget, Retention};
use crate::config::schema::text::{KeyRef, PhysicalName};
use crate::words::log_groups::LogClass;
use payctl_engine::model::address::Address;

use super::{Builder, Item};

/// How a log group keeps its events.
#[derive(Clone, Copy)]
pub(super) struct Kept<'a> {
    /// For how long.
    pub retention: Retention,
    /// In which class.
    pub class: LogClass,
    /// Under which key.
    pub key: Option<&'a KeyRef>,
}

impl Builder<'_> {
    pub(super) fn log_groups(&mut self) {
        for (key, config) in &self.config.log_groups {
            let path = &KeyPath::of("log_groups").key(key);
            let name = self.item_name("logs.log_group", key, config.name.as_ref(), path);
            let kept = Kept {
                retention: config.retention_days,
                class: config.class,
                key: config.key.as_ref(),
            };
            self.log_group(key, name, kept, path);
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
        let LogTarget { retention_days: retention, class, ref key, .. } = *target;
        self.log_group(logical, name, Kept { retention, class, key: key.as_ref() }, path)
    }

    /// A log group under a logical name.
    pub(super) fn log_group(
        &mut self,
        logical: &str,
        name: String,
        kept: Kept<'_>,
        path: &KeyPath,
    ) -> Address {
        let address = Address::new("logs.log_group", logical);
        let spec = LogGroup {
            name: name.clone(),
            retention_days: kept.retention.days(),
            class: kept.class.aws().to_owned(),
            key: kept.key.map(|key| self.key(key)),
        };
        self.add(Item::new(address.clone(), name, path), &spec);
        address
    }
}
