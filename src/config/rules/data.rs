//! Tables, buckets and log groups.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Rules;
use crate::config::schema::OneOrMany;
use crate::config::schema::access::Effect;
use crate::config::schema::data::{
    Billing, Bucket, LogTarget, Projection, Retention, StorageClass, Table,
};
use crate::config::schema::text::{ItemName, KeyAttribute};
use payctl_engine::model::meta::LATEST;

/// The retention times that CloudWatch Logs takes, in days.
const RETENTIONS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

fn split(attribute: &KeyAttribute) -> (&str, &str) {
    attribute.split_once(':').unwrap_or((attribute, "S"))
}

impl Rules<'_> {
    pub(super) fn tables(&mut self) {
        for (name, table) in &self.config.tables {
            let path = ["tables", &**name];
            self.key_attributes(&path, table);
            if let Some(source) = &table.restore_from {
                let given = (source.backup.is_some(), source.table.is_some(), source.at.is_some());
                self.restored_from(&path, given, ("backup", "table"));
                self.restored_time(&path, source.at.as_deref());
                let own = table.name.as_deref().map(str::to_owned);
                if own.is_some() && own.as_deref() == source.table.as_deref() {
                    let path = [&path[..], &["restore_from", "table"]].concat();
                    let fix = "name another table, or restore a deleted one from its backup";
                    self.say(&path, "a table cannot be restored into itself", fix);
                }
            }
            if table.indexes.len() > 20 {
                let message = format!("{} indexes are too many", table.indexes.len());
                self.say(&[&path[..], &["indexes"]].concat(), message, "DynamoDB takes 20");
            }
            let mut projected = 0;
            for (name, index) in &table.indexes {
                let path = [&path[..], &["indexes", &**name]].concat();
                if index.capacity.is_some() && matches!(table.billing, Billing::OnDemand(_)) {
                    let path = [&path[..], &["capacity"]].concat();
                    let fix = "remove it, or give the table a capacity under `billing`";
                    self.say(&path, "a table paid by request has no capacity", fix);
                }
                if let Projection::Include(names) = &index.projection {
                    projected += names.len();
                    let path = [&path[..], &["projection"]].concat();
                    if names.is_empty() {
                        self.say(&path, "no attributes are named", "name some, or say keys_only");
                    } else if names.len() > 20 {
                        let message = format!("{} attributes are too many", names.len());
                        self.say(&path, message, "DynamoDB takes 20 in an index; or say \"all\"");
                    }
                }
            }
            if projected > 100 {
                let message = format!("the indexes name {projected} attributes");
                self.say(&[&path[..], &["indexes"]].concat(), message, "DynamoDB takes 100");
            }
        }
    }

    /// A source is one thing by itself, or another thing at a time.
    pub(super) fn restored_from(
        &mut self,
        path: &[&str],
        given: (bool, bool, bool),
        (whole, other): (&str, &str),
    ) {
        if !matches!(given, (true, false, false) | (false, true, true)) {
            let message = "it does not say what to restore";
            let fix = format!(
                "write {{ {whole} = \"...\" }}, or {{ {other} = \"...\", at = \"2026-11-28T12:00:00Z\" }}"
            );
            self.say(&[path, &["restore_from"]].concat(), message, fix);
        }
    }

    /// A time that there is in the calendar.
    pub(super) fn restored_time(&mut self, path: &[&str], at: Option<&str>) {
        let Some(at) = at.filter(|at| *at != LATEST) else { return };
        if OffsetDateTime::parse(at, &Rfc3339).is_err() {
            let path = [path, &["restore_from", "at"]].concat();
            self.say(&path, format!("there is no time {at}"), "write it like 2026-11-28T12:00:00Z");
        }
    }

    fn key_attributes(&mut self, path: &[&str], table: &Table) {
        let own = (None, &table.partition_key, &table.sort_key);
        let indexes = table.indexes.iter();
        let indexes =
            indexes.map(|(name, index)| (Some(&**name), &index.partition_key, &index.sort_key));
        let mut types: BTreeMap<&str, &str> = BTreeMap::new();
        for (index, partition, sort) in std::iter::once(own).chain(indexes) {
            let path = match index {
                Some(name) => [path, &["indexes", name]].concat(),
                None => path.to_vec(),
            };
            let keys = [("partition_key", Some(partition)), ("sort_key", sort.as_ref())];
            for (key, attribute) in keys {
                let Some((name, kind)) = attribute.map(split) else { continue };
                let path = [&path[..], &[key]].concat();
                let known = *types.entry(name).or_insert(kind);
                if known != kind {
                    let message = format!("`{name}` is {kind} here and {known} elsewhere");
                    self.say(&path, message, "an attribute has one type in a table");
                }
                if key == "sort_key" && name == split(partition).0 {
                    let message = "the sort key is the partition key";
                    self.say(&path, message, "name another attribute, or remove it");
                }
            }
        }
        if let Some(ttl) = table.ttl.as_deref().filter(|ttl| types.contains_key(ttl)) {
            let message = format!("`{ttl}` is a key and cannot be the time to live");
            self.say(&[path, &["ttl"]].concat(), message, "use an attribute of its own");
        }
    }

    pub(super) fn buckets(&mut self) {
        let targets: BTreeSet<&str> = self
            .config
            .buckets
            .values()
            .filter_map(|bucket| bucket.access_log_to.as_deref())
            .collect();
        for (name, bucket) in &self.config.buckets {
            let path = ["buckets", &**name];
            if bucket.access_log_to.as_deref() == Some(&**name) {
                let path = [&path[..], &["access_log_to"]].concat();
                self.say(&path, "a bucket cannot log to itself", "every log would be logged");
            }
            if bucket.key.is_some() && (targets.contains(&**name) || bucket.log_delivery) {
                let path = [&path[..], &["key"]].concat();
                let fix = "remove `key`: log delivery writes only with a key that S3 manages";
                self.say(&path, "a bucket that receives logs cannot have a customer key", fix);
            }
            if bucket.object_lock.is_some() {
                let path = [&path[..], &["object_lock"]].concat();
                if !bucket.versioning {
                    let fix = "remove `versioning = false`";
                    self.say(&path, "Object Lock holds versions, and there are none", fix);
                }
                if targets.contains(&**name) || bucket.log_delivery {
                    let message = "no service delivers logs into a bucket with such a lock";
                    self.say(&path, message, "lock another bucket");
                }
            }
            self.resource_statements(&path, &bucket.statements);
            for (at, statement) in bucket.statements.iter().enumerate() {
                let anyone = statement.principals.values().flat_map(OneOrMany::iter);
                let anyone = anyone.into_iter().any(|who| &**who == "*");
                let open = statement.effect == Effect::Allow && statement.conditions.is_empty();
                if anyone && open {
                    let at = at.to_string();
                    let path = [&path[..], &["statements", at.as_str()]].concat();
                    let fix = "name principals, or a condition: public access is blocked";
                    self.say(&path, "this would make the bucket public", fix);
                }
            }
            self.lifecycle(&path, bucket);
        }
    }

    fn lifecycle(&mut self, path: &[&str], bucket: &Bucket) {
        if let (Some(glacier), Some(expire)) = (bucket.glacier_after_days, bucket.expire_after_days)
            && expire <= glacier
        {
            let path = [path, &["expire_after_days"]].concat();
            let message = format!("objects are gone before they move to Glacier ({glacier} days)");
            self.say(&path, message, "let them expire later");
        }
        for (id, rule) in &bucket.lifecycle {
            let path = [path, &["lifecycle", &**id]].concat();
            if &**id == "all-objects" {
                self.say(&path, "the rule id `all-objects` is taken", "payctl uses it itself");
            }
            let nothing = rule.transitions.is_empty()
                && rule.old_version_transitions.is_empty()
                && rule.expire_days.is_none()
                && rule.old_version_expire_days.is_none()
                && rule.abort_uploads_days.is_none();
            if nothing {
                self.say(&path, "the rule does nothing", "name a transition or an expiry");
            }
            let current = ("transitions", &rule.transitions, rule.expire_days);
            let old = (
                "old_version_transitions",
                &rule.old_version_transitions,
                rule.old_version_expire_days,
            );
            for (key, transitions, expire) in [current, old] {
                self.waterfall(&[&path[..], &[key]].concat(), transitions);
                for (class, days) in transitions {
                    let path = [&path[..], &[key, class.name()]].concat();
                    let infrequent =
                        matches!(class, StorageClass::StandardIa | StorageClass::OnezoneIa);
                    if infrequent && *days < 30 {
                        let fix = "S3 takes 30 days and more for infrequent access";
                        self.say(&path, format!("{days} days are too few"), fix);
                    }
                    if expire.is_some_and(|expire| expire <= *days) {
                        let message = "objects are gone before they move";
                        self.say(&path, message, "let them expire later");
                    }
                }
            }
        }
    }

    /// Objects only move down, and stay 30 days where access is infrequent.
    fn waterfall(&mut self, path: &[&str], transitions: &BTreeMap<StorageClass, u32>) {
        let mut before: Option<(StorageClass, u32)> = None;
        for (class, days) in transitions {
            if let Some((upper, since)) = before {
                let infrequent =
                    matches!(upper, StorageClass::StandardIa | StorageClass::OnezoneIa);
                let least = since + if infrequent { 30 } else { 1 };
                if *days < least {
                    let path = [path, &[class.name()]].concat();
                    let message = format!("{days} days are too few after {}", upper.name());
                    self.say(&path, message, format!("S3 takes {least} days and more here"));
                }
            }
            before = Some((*class, *days));
        }
    }

    pub(super) fn log_groups(&mut self) {
        for (name, group) in &self.config.log_groups {
            self.retention(&["log_groups", name, "retention_days"], group.retention_days);
        }
    }

    /// A log that AWS delivers into a bucket, or else into a log group of its own.
    pub(super) fn log_target(&mut self, path: &[&str], target: &LogTarget) {
        self.retention(&[path, &["retention_days"]].concat(), target.retention_days);
        let Some(name) = &target.bucket else { return };
        if target.key.is_some() {
            let fix = "remove `key`: the bucket has its own encryption";
            self.say(&[path, &["key"]].concat(), "`key` is for a log group", fix);
        }
        let Some(bucket) = self.config.buckets.get(&ItemName(name.0.clone())) else { return };
        if !bucket.log_delivery {
            let message = format!("the bucket `{}` does not admit log delivery", name.0);
            let fix = format!("say `log_delivery = true` in [buckets.{}]", name.0);
            self.say(&[path, &["bucket"]].concat(), message, fix);
        }
    }

    /// A time for which CloudWatch keeps logs.
    pub(super) fn retention(&mut self, path: &[&str], retention: Retention) {
        if let Retention::Days(days) = retention
            && !RETENTIONS.contains(&days)
        {
            let all = RETENTIONS.map(|days| days.to_string()).join(", ");
            let message = format!("logs cannot be kept for {days} days");
            self.say(path, message, format!("one of {all}, or \"forever\""));
        }
    }
}
