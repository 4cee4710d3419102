//! The rules of `[log_groups]`, and of the logs of other sections.

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::schema::log_groups::{LogTarget, Retention};
use crate::config::schema::text::ItemName;
use crate::words::log_groups::LogClass;

/// The retention periods that CloudWatch Logs supports, in days.
const RETENTIONS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

impl Rules<'_> {
    pub(super) fn log_groups(&mut self) {
        for (name, group) in &self.config.log_groups {
            self.retention(
                &KeyPath::of("log_groups").key(name).key("retention_days"),
                group.retention_days,
            );
        }
    }

    /// A log that AWS delivers into a bucket, or into its own log group.
    pub(super) fn log_target(&mut self, path: &KeyPath, target: &LogTarget) {
        self.retention(&path.key("retention_days"), target.retention_days);
        let Some(name) = &target.bucket else { return };
        if target.key.is_some() {
            let fix = "remove `key`: the bucket has its own encryption";
            self.say(&path.key("key"), "`key` is only for a log group", fix);
        }
        if target.class != LogClass::default() {
            let fix = "remove `class`: a bucket has storage classes of its own";
            self.say(&path.key("class"), "`class` is only for a log group", fix);
        }
        let Some(bucket) = self.config.buckets.get(&ItemName(name.0.clone())) else { return };
        if !bucket.log_delivery && bucket.existing.is_none() {
            let message = format!("AWS may not deliver logs to the bucket `{}`", name.0);
            let fix = format!("set `log_delivery = true` in [buckets.{}]", name.0);
            self.say(&path.key("bucket"), message, fix);
        }
    }

    /// A retention period of CloudWatch Logs.
    pub(super) fn retention(&mut self, path: &KeyPath, retention: Retention) {
        if let Retention::Days(days) = retention
            && !RETENTIONS.contains(&days)
        {
            let all = RETENTIONS.map(|days| days.to_string()).join(", ");
            let message = format!("CloudWatch cannot keep logs for {days} days");
            self.say(path, message, format!("use one of {all}, or \"forever\""));
        }
    }
}
