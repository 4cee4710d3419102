//! `[buckets.NAME]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::existing::ExistingBucket;
use super::policies::Statement;
use super::text::{BucketRef, KeyRef, PhysicalName, RuleId};
use super::yes;
use crate::words::buckets::{LockMode, StorageClass};

/// An S3 bucket. It is always private, and the account owns every object in it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// A bucket that payctl did not create, as its only key: `{ name = "company-logs" }`. payctl neither
    /// changes nor deletes it.
    pub existing: Option<ExistingBucket>,
    /// The physical name. Default: built from `naming.pattern`, with account and region.
    pub name: Option<PhysicalName>,
    /// Whether S3 keeps overwritten and deleted objects as versions.
    #[serde(default = "yes")]
    pub versioning: bool,
    /// The KMS key that encrypts it. Default: a key that S3 manages.
    pub key: Option<KeyRef>,
    /// Whether S3 uses a bucket key, so that it calls KMS once in a while and not for each object. Only
    /// with `key`. Default: true.
    pub bucket_key: Option<bool>,
    /// After how many days objects move to Glacier.
    #[schemars(range(min = 1, max = 36500))]
    pub glacier_after_days: Option<u32>,
    /// After how many days S3 deletes objects.
    #[schemars(range(min = 1, max = 36500))]
    pub expire_after_days: Option<u32>,
    /// After how many days S3 removes incomplete multipart uploads; 0 keeps them.
    #[serde(default = "week")]
    #[schemars(range(min = 0, max = 36500))]
    pub abort_uploads_after_days: u32,
    /// Additional lifecycle rules by id.
    #[serde(default)]
    pub lifecycle: BTreeMap<RuleId, Lifecycle>,
    /// Object Lock: how long nobody, or few, can delete a version of an object. It cannot be turned off
    /// for existing objects, and a destroy stops at the bucket until the lock has expired.
    pub object_lock: Option<ObjectLock>,
    /// The bucket that receives the access log of this one. payctl lets S3 deliver logs into it.
    pub access_log_to: Option<BucketRef>,
    /// Whether AWS services (flow logs, WAF, load balancers) may deliver logs into it.
    #[serde(default)]
    pub log_delivery: bool,
    /// Whether the bucket denies requests without TLS.
    #[serde(default = "yes")]
    pub tls_only: bool,
    /// Additional statements of the bucket policy.
    #[serde(default)]
    pub statements: Vec<Statement>,
}

fn week() -> u32 {
    7
}

/// Object Lock: how long after its creation a version of an object cannot be deleted.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectLock {
    /// The mode, which decides who can lift the lock.
    #[serde(default)]
    pub mode: LockMode,
    /// The number of days.
    #[schemars(range(min = 1, max = 36500))]
    pub days: u32,
}

/// A lifecycle rule. Days count from the creation of an object.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lifecycle {
    /// Applies only to objects whose key starts with this.
    #[serde(default)]
    pub prefix: String,
    /// After how many days objects move, by storage class.
    #[serde(default)]
    pub transitions: BTreeMap<StorageClass, u32>,
    /// After how many days S3 deletes objects.
    #[schemars(range(min = 1, max = 36500))]
    pub expire_days: Option<u32>,
    /// After how many days noncurrent versions move, by storage class.
    #[serde(default)]
    pub old_version_transitions: BTreeMap<StorageClass, u32>,
    /// After how many days S3 deletes noncurrent versions.
    #[schemars(range(min = 1, max = 36500))]
    pub old_version_expire_days: Option<u32>,
    /// After how many days S3 removes incomplete multipart uploads.
    #[schemars(range(min = 1, max = 36500))]
    pub abort_uploads_days: Option<u32>,
}
