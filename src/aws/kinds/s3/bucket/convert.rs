//! Between the spec and S3's types.
//!
//! AWS returns a lifecycle rule's prefix in the filter, in an `And`, or (old rules) beside both.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, DefaultRetention, ExpirationStatus, LifecycleExpiration,
    LifecycleRule as Rule, LifecycleRuleFilter, LoggingEnabled, NoncurrentVersionExpiration,
    NoncurrentVersionTransition, ObjectLockConfiguration, ObjectLockEnabled,
    ObjectLockRetentionMode, ObjectLockRule, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    Transition, TransitionStorageClass,
};

use super::{AccessLog, Encryption, LifecycleRule, ObjectLock};

/// The key that `aws:kms` means when no key is named.
const DEFAULT_KEY: &str = "alias/aws/s3";

/// How objects are encrypted, and whether with a bucket key.
pub(super) fn encryption(live: Option<&ServerSideEncryptionConfiguration>) -> (Encryption, bool) {
    let rule = live.and_then(|live| live.rules().first());
    let encryption = match rule.and_then(|rule| rule.apply_server_side_encryption_by_default()) {
        Some(default) if *default.sse_algorithm() != ServerSideEncryption::Aes256 => {
            Encryption::Kms(default.kms_master_key_id().unwrap_or(DEFAULT_KEY).into())
        }
        Some(_) | None => Encryption::S3,
    };
    (encryption, rule.and_then(|rule| rule.bucket_key_enabled()).unwrap_or_default())
}

pub(super) fn to_encryption(
    want: &Encryption,
    bucket_key: bool,
) -> ServerSideEncryptionConfiguration {
    let default = ServerSideEncryptionByDefault::builder();
    let default = match want {
        Encryption::S3 => default.sse_algorithm(ServerSideEncryption::Aes256),
        Encryption::Kms(key) => {
            let kms = default.sse_algorithm(ServerSideEncryption::AwsKms);
            kms.kms_master_key_id(key.known())
        }
    };
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(default.build().expect("an algorithm was given"))
        .bucket_key_enabled(bucket_key)
        .build();
    ServerSideEncryptionConfiguration::builder().rules(rule).build().expect("a rule was given")
}

pub(super) fn blocks_everything(live: &PublicAccessBlockConfiguration) -> bool {
    [
        live.block_public_acls(),
        live.ignore_public_acls(),
        live.block_public_policy(),
        live.restrict_public_buckets(),
    ]
    .into_iter()
    .all(|setting| setting == Some(true))
}

pub(super) fn to_logging(want: &AccessLog) -> LoggingEnabled {
    LoggingEnabled::builder()
        .target_bucket(want.bucket.known())
        .target_prefix(&want.prefix)
        .build()
        .expect("bucket and prefix were given")
}

pub(super) fn from_logging(live: LoggingEnabled) -> AccessLog {
    AccessLog { bucket: live.target_bucket.into(), prefix: live.target_prefix }
}

/// A lock cannot be removed; without a rule it does not hold new objects.
pub(super) fn to_lock(want: Option<&ObjectLock>) -> ObjectLockConfiguration {
    let rule = want.map(|want| {
        let mode = ObjectLockRetentionMode::from(want.mode.as_str());
        let retention = DefaultRetention::builder().mode(mode).days(want.days).build();
        ObjectLockRule::builder().default_retention(retention).build()
    });
    let enabled = ObjectLockEnabled::Enabled;
    ObjectLockConfiguration::builder().object_lock_enabled(enabled).set_rule(rule).build()
}

pub(super) fn from_lock(live: ObjectLockConfiguration) -> Option<ObjectLock> {
    let retention = live.rule?.default_retention?;
    let years = retention.years.map(|years| years.saturating_mul(365));
    let mode = retention.mode?.as_str().to_owned();
    Some(ObjectLock { mode, days: retention.days.or(years)? })
}

pub(super) fn to_rule((id, want): (&String, &LifecycleRule)) -> Rule {
    let transitions = want.transitions.iter().map(|(class, days)| {
        let class = TransitionStorageClass::from(class.as_str());
        Transition::builder().storage_class(class).days(signed(*days)).build()
    });
    let old_transitions = want.old_version_transitions.iter().map(|(class, days)| {
        let class = TransitionStorageClass::from(class.as_str());
        let transition = NoncurrentVersionTransition::builder().storage_class(class);
        transition.noncurrent_days(signed(*days)).build()
    });
    let expire = |days| LifecycleExpiration::builder().days(signed(days)).build();
    let expire_old =
        |days| NoncurrentVersionExpiration::builder().noncurrent_days(signed(days)).build();
    let abort = |days| {
        AbortIncompleteMultipartUpload::builder().days_after_initiation(signed(days)).build()
    };
    Rule::builder()
        .id(id)
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix(&want.prefix).build())
        .set_transitions(some(transitions.collect()))
        .set_noncurrent_version_transitions(some(old_transitions.collect()))
        .set_expiration(want.expire_days.map(expire))
        .set_noncurrent_version_expiration(want.old_version_expire_days.map(expire_old))
        .set_abort_incomplete_multipart_upload(want.abort_uploads_days.map(abort))
        .build()
        .expect("a status was given")
}

/// A disabled rule counts as one without effect, and so does a rule with conditions or actions that
/// the spec cannot express: payctl corrects both.
pub(super) fn from_rule(live: &Rule) -> (String, LifecycleRule) {
    let id = live.id().unwrap_or_default().to_owned();
    let prefix = prefix_of(live).unwrap_or_default().to_owned();
    if *live.status() != ExpirationStatus::Enabled || !can_be_said(live) {
        return (id, LifecycleRule { prefix, ..LifecycleRule::default() });
    }
    let transitions = live.transitions().iter().map(|move_to| {
        (class(move_to.storage_class()), unsigned(move_to.days()).unwrap_or_default())
    });
    let old_transitions = live.noncurrent_version_transitions().iter().map(|move_to| {
        (class(move_to.storage_class()), unsigned(move_to.noncurrent_days()).unwrap_or_default())
    });
    let expiration = live.expiration().and_then(LifecycleExpiration::days);
    let old_expiration = live.noncurrent_version_expiration();
    let old_expiration = old_expiration.and_then(NoncurrentVersionExpiration::noncurrent_days);
    let abort = live.abort_incomplete_multipart_upload();
    let abort = abort.and_then(AbortIncompleteMultipartUpload::days_after_initiation);
    let rule = LifecycleRule {
        prefix,
        transitions: transitions.collect::<BTreeMap<_, _>>(),
        expire_days: unsigned(expiration),
        old_version_transitions: old_transitions.collect::<BTreeMap<_, _>>(),
        old_version_expire_days: unsigned(old_expiration),
        abort_uploads_days: unsigned(abort),
    };
    (id, rule)
}

/// Whether a rule depends only on a prefix and days.
fn can_be_said(live: &Rule) -> bool {
    let by_prefix = live.filter().is_none_or(|filter| {
        let sizes = filter.object_size_greater_than().or(filter.object_size_less_than());
        let both = filter.and().is_some_and(|and| {
            let sizes = and.object_size_greater_than().or(and.object_size_less_than());
            !and.tags().is_empty() || sizes.is_some()
        });
        filter.tag().is_none() && sizes.is_none() && !both
    });
    let by_days = live.expiration().is_none_or(|expiration| {
        expiration.date().is_none() && expiration.expired_object_delete_marker() != Some(true)
    });
    let old = live.noncurrent_version_expiration();
    let keeps = old.and_then(NoncurrentVersionExpiration::newer_noncurrent_versions);
    by_prefix && by_days && keeps.is_none() && live.transitions().iter().all(|t| t.date().is_none())
}

#[expect(deprecated, reason = "AWS still returns old rules with the prefix outside of the filter")]
fn prefix_of(live: &Rule) -> Option<&str> {
    let filter = live.filter();
    filter
        .and_then(LifecycleRuleFilter::prefix)
        .or_else(|| filter.and_then(LifecycleRuleFilter::and).and_then(|and| and.prefix()))
        .or_else(|| live.prefix())
}

fn class(live: Option<&TransitionStorageClass>) -> String {
    live.map(|class| class.as_str().to_owned()).unwrap_or_default()
}

fn signed(days: u32) -> i32 {
    i32::try_from(days).unwrap_or(i32::MAX)
}

fn unsigned(days: Option<i32>) -> Option<u32> {
    days.and_then(|days| u32::try_from(days).ok())
}

fn some<T>(items: Vec<T>) -> Option<Vec<T>> {
    Some(items).filter(|items| !items.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::kinds::s3::bucket::Bucket;
    use crate::aws::resource::Resource;

    #[test]
    fn lifecycle_rules_survive_the_round_trip() {
        for bucket in Bucket::variants() {
            let rules: Vec<Rule> = bucket.lifecycle.iter().map(to_rule).collect();
            let back: BTreeMap<_, _> = rules.iter().map(from_rule).collect();
            assert_eq!(back, bucket.lifecycle);
        }
    }

    #[test]
    #[expect(deprecated, reason = "this is how AWS returns old rules")]
    fn a_prefix_is_read_from_every_place() {
        let rule = || Rule::builder().id("r").status(ExpirationStatus::Enabled);
        let check = |rule: Rule, prefix: &str| assert_eq!(from_rule(&rule).1.prefix, prefix);
        check(rule().prefix("a/").build().unwrap(), "a/");
        check(rule().build().unwrap(), "");
        let filter = LifecycleRuleFilter::builder();
        check(rule().filter(filter.clone().build()).build().unwrap(), "");
        check(rule().filter(filter.prefix("b/").build()).build().unwrap(), "b/");
    }

    #[test]
    fn a_disabled_rule_does_nothing() {
        let (id, mut want) = Bucket::sample().lifecycle.pop_first().unwrap();
        let mut rule = to_rule((&id, &want));
        rule.status = ExpirationStatus::Disabled;
        assert_ne!(from_rule(&rule).1, want);
        want = LifecycleRule { prefix: want.prefix, ..LifecycleRule::default() };
        assert_eq!(from_rule(&rule), (id, want));
    }

    #[test]
    fn an_unsupported_condition_is_a_difference() {
        let (id, want) = Bucket::sample().lifecycle.pop_first().unwrap();
        let mut rule = to_rule((&id, &want));
        rule.filter = Some(LifecycleRuleFilter::builder().object_size_greater_than(1).build());
        assert_ne!(from_rule(&rule).1, want);
    }

    #[test]
    fn encryption_survives_the_round_trip_and_defaults_to_s3() {
        let kms = || Encryption::Kms("arn:aws:kms:r:1:key/k".into());
        for (want, bucket_key) in [(Encryption::S3, false), (kms(), true), (kms(), false)] {
            let live = to_encryption(&want, bucket_key);
            assert_eq!(encryption(Some(&live)), (want, bucket_key));
        }
        assert_eq!(encryption(None), (Encryption::S3, false));
    }

    #[test]
    fn a_lock_survives_the_round_trip_and_may_be_in_years() {
        for want in Bucket::variants().into_iter().map(|bucket| bucket.object_lock) {
            assert_eq!(from_lock(to_lock(want.as_ref())), want);
        }
        let retention = DefaultRetention::builder().mode(ObjectLockRetentionMode::Compliance);
        let rule = ObjectLockRule::builder().default_retention(retention.years(2).build());
        let lock = from_lock(ObjectLockConfiguration::builder().rule(rule.build()).build());
        assert_eq!(lock, Some(ObjectLock { mode: "COMPLIANCE".into(), days: 730 }));
    }

    #[test]
    fn one_open_setting_is_not_a_block() {
        let all = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(true);
        assert!(!blocks_everything(&all.clone().build()));
        assert!(blocks_everything(&all.restrict_public_buckets(true).build()));
    }
}
