//! The rules of `[buckets]`.

use std::collections::{BTreeMap, BTreeSet};

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::schema::OneOrMany;
use crate::config::schema::buckets::Bucket;
use crate::words::buckets::StorageClass;
use crate::words::policies::Effect;

impl Rules<'_> {
    pub(super) fn buckets(&mut self) {
        let targets: BTreeSet<&str> = self
            .config
            .buckets
            .values()
            .filter_map(|bucket| bucket.access_log_to.as_deref())
            .collect();
        for (name, bucket) in &self.config.buckets {
            let path = KeyPath::of("buckets").key(name);
            if bucket.access_log_to.as_deref() == Some(&**name) {
                let path = path.key("access_log_to");
                self.say(
                    &path,
                    "a bucket cannot log to itself",
                    "name another bucket: every log would cause another one",
                );
            }
            if bucket.key.is_some() && (targets.contains(&**name) || bucket.log_delivery) {
                let path = path.key("key");
                let fix = "remove `key`: log delivery writes only with a key that S3 manages";
                self.say(&path, "a bucket that receives logs cannot have a customer key", fix);
            }
            if bucket.bucket_key.is_some() && bucket.key.is_none() {
                let path = path.key("bucket_key");
                let fix = "name a `key`, or remove `bucket_key`";
                self.say(&path, "only a bucket with a customer key has a bucket key", fix);
            }
            if bucket.object_lock.is_some() {
                let path = path.key("object_lock");
                if !bucket.versioning {
                    let fix = "remove `versioning = false`";
                    self.say(&path, "Object Lock needs versions", fix);
                }
                if targets.contains(&**name) || bucket.log_delivery {
                    let message = "AWS services cannot deliver logs into a bucket with Object Lock";
                    self.say(&path, message, "remove `log_delivery`, or the lock");
                }
            }
            self.resource_statements(&path, &bucket.statements);
            for (at, statement) in bucket.statements.iter().enumerate() {
                let anyone = statement.principals.values().flat_map(OneOrMany::iter);
                let anyone = anyone.into_iter().any(|who| &**who == "*");
                let open = statement.effect == Effect::Allow && statement.conditions.is_empty();
                if anyone && open {
                    let path = path.key("statements").item(at);
                    let fix = "name principals, or add a condition: S3 blocks public access";
                    self.say(&path, "this would make the bucket public", fix);
                }
            }
            self.lifecycle(&path, bucket);
        }
    }

    fn lifecycle(&mut self, path: &KeyPath, bucket: &Bucket) {
        if let (Some(glacier), Some(expire)) = (bucket.glacier_after_days, bucket.expire_after_days)
            && expire <= glacier
        {
            let path = path.key("expire_after_days");
            let message = format!("objects expire before they move to Glacier ({glacier} days)");
            self.say(&path, message, "increase the days until they expire");
        }
        for (id, rule) in &bucket.lifecycle {
            let path = path.key("lifecycle").key(id);
            if &**id == "all-objects" {
                self.say(
                    &path,
                    "the rule id `all-objects` is reserved for payctl",
                    "choose another id",
                );
            }
            let nothing = rule.transitions.is_empty()
                && rule.old_version_transitions.is_empty()
                && rule.expire_days.is_none()
                && rule.old_version_expire_days.is_none()
                && rule.abort_uploads_days.is_none();
            if nothing {
                self.say(&path, "the rule does nothing", "add a transition or an expiry");
            }
            let current = ("transitions", &rule.transitions, rule.expire_days);
            let old = (
                "old_version_transitions",
                &rule.old_version_transitions,
                rule.old_version_expire_days,
            );
            for (key, transitions, expire) in [current, old] {
                self.waterfall(&path.key(key), transitions);
                for (class, days) in transitions {
                    let path = path.key(key).key(class.aws());
                    let infrequent =
                        matches!(class, StorageClass::StandardIa | StorageClass::OnezoneIa);
                    if infrequent && *days < 30 {
                        let fix = "use at least 30 days: S3 needs them before infrequent access";
                        self.say(&path, format!("{days} days is too short"), fix);
                    }
                    if expire.is_some_and(|expire| expire <= *days) {
                        let message = "objects expire before they move";
                        self.say(&path, message, "increase the days until they expire");
                    }
                }
            }
        }
    }

    /// Objects only move down, and stay at least 30 days in classes of infrequent access.
    fn waterfall(&mut self, path: &KeyPath, transitions: &BTreeMap<StorageClass, u32>) {
        let mut before: Option<(StorageClass, u32)> = None;
        for (class, days) in transitions {
            if let Some((upper, since)) = before {
                let infrequent =
                    matches!(upper, StorageClass::StandardIa | StorageClass::OnezoneIa);
                let least = since + if infrequent { 30 } else { 1 };
                if *days < least {
                    let path = path.key(class.aws());
                    let message = format!("{days} days is too short after {}", upper.aws());
                    self.say(&path, message, format!("use at least {least} days"));
                }
            }
            before = Some((*class, *days));
        }
    }
}
