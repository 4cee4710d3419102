//! `[tables.NAME]`, `[buckets.NAME]` and `[log_groups.NAME]`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::access::Statement;
use super::text::{
    BackupArn, BucketRef, IndexName, KeyAttribute, KeyRef, PhysicalName, RestoreTime, RuleId,
    TableName,
};
use super::yes;

/// A DynamoDB table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
    /// The partition key, `"transaction_id:S"`.
    pub partition_key: KeyAttribute,
    /// The sort key, `"timestamp:N"`.
    pub sort_key: Option<KeyAttribute>,
    /// Global secondary indexes by name.
    #[serde(default)]
    pub indexes: BTreeMap<IndexName, Index>,
    /// `"on_demand"`, or reserved capacity `{ read = 5, write = 5 }`.
    #[serde(default)]
    pub billing: Billing,
    /// What the stream carries; no stream unless stated.
    pub stream: Option<Stream>,
    /// The attribute that holds the time at which an item expires.
    #[schemars(length(min = 1, max = 255))]
    pub ttl: Option<String>,
    /// Whether the table can be restored to any second of the last 35 days.
    #[serde(default = "yes")]
    pub point_in_time_recovery: bool,
    /// The key that encrypts it; the account's aws/dynamodb key if unset.
    pub key: Option<KeyRef>,
    /// Whether AWS refuses to delete it; unless stated, the same as `protect`.
    pub deletion_protection: Option<bool>,
    /// What its first items come from, if it is made now: a table that exists stays as it is.
    pub restore_from: Option<TableSource>,
}

/// What the first items of a table come from: `{ table = "...", at = "2026-11-28T12:00:00Z" }` is
/// another table as it was then, `{ backup = "arn:..." }` a backup, such as the one that AWS keeps
/// of a deleted table for 35 days.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableSource {
    /// The physical name of a table that has point-in-time recovery.
    pub table: Option<TableName>,
    /// The time in UTC, to the second, or `"latest"` (about five minutes ago).
    pub at: Option<RestoreTime>,
    /// The ARN of a backup.
    pub backup: Option<BackupArn>,
}

/// A global secondary index.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// The partition key.
    pub partition_key: KeyAttribute,
    /// The sort key.
    pub sort_key: Option<KeyAttribute>,
    /// Which attributes it carries: `"all"`, `"keys_only"`, or a list of attributes.
    #[serde(default)]
    pub projection: Projection,
    /// Its reserved capacity; the table's if unset. Only with reserved capacity.
    pub capacity: Option<Capacity>,
}

/// Which attributes an index carries.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Projection {
    /// All of them, or the keys.
    Plain(PlainProjection),
    /// The keys and these.
    Include(BTreeSet<String>),
}

impl Default for Projection {
    fn default() -> Self {
        Self::Plain(PlainProjection::All)
    }
}

/// All attributes, or the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlainProjection {
    /// Every attribute.
    All,
    /// Only the keys.
    KeysOnly,
}

/// How a table's capacity is paid.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Billing {
    /// By request.
    OnDemand(OnDemand),
    /// By reserved capacity.
    Provisioned(Capacity),
}

impl Default for Billing {
    fn default() -> Self {
        Self::OnDemand(OnDemand::OnDemand)
    }
}

/// The words `on_demand`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDemand {
    /// By request.
    OnDemand,
}

/// Reserved capacity units.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    /// Read units.
    #[schemars(range(min = 1, max = 40000))]
    pub read: u32,
    /// Write units.
    #[schemars(range(min = 1, max = 40000))]
    pub write: u32,
}

/// What a stream record carries.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// The keys.
    KeysOnly,
    /// The item after the change.
    NewImage,
    /// The item before the change.
    OldImage,
    /// Both.
    NewAndOldImages,
}

/// An S3 bucket. Always private, and owned by the account alone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// The physical name, instead of one by the pattern with account and region.
    pub name: Option<PhysicalName>,
    /// Whether overwritten and deleted objects are kept as versions.
    #[serde(default = "yes")]
    pub versioning: bool,
    /// The key that encrypts it; a key that S3 manages if unset.
    pub key: Option<KeyRef>,
    /// Objects move to Glacier after so many days.
    #[schemars(range(min = 1, max = 36500))]
    pub glacier_after_days: Option<u32>,
    /// Objects are deleted after so many days.
    #[schemars(range(min = 1, max = 36500))]
    pub expire_after_days: Option<u32>,
    /// Abandoned uploads are removed after so many days.
    #[serde(default = "week")]
    #[schemars(range(min = 1, max = 36500))]
    pub abort_uploads_after_days: u32,
    /// More lifecycle rules by id.
    #[serde(default)]
    pub lifecycle: BTreeMap<RuleId, Lifecycle>,
    /// For how long no version of an object can be deleted, by nobody or by few. It cannot be turned
    /// off again for what is there, and a destroy stops at the bucket until it is over.
    pub object_lock: Option<ObjectLock>,
    /// The bucket that receives the access log of this one. It admits S3's log delivery by itself.
    pub access_log_to: Option<BucketRef>,
    /// Whether AWS services may deliver logs into it (flow logs, WAF, load balancers).
    #[serde(default)]
    pub log_delivery: bool,
    /// Whether requests without TLS are denied.
    #[serde(default = "yes")]
    pub tls_only: bool,
    /// More statements of the bucket's policy.
    #[serde(default)]
    pub statements: Vec<Statement>,
}

fn week() -> u32 {
    7
}

/// For how long no version of an object can be deleted, from when it was written.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectLock {
    /// Who can lift it.
    #[serde(default)]
    pub mode: LockMode,
    /// So many days.
    #[schemars(range(min = 1, max = 36500))]
    pub days: u32,
}

/// Who can lift a lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LockMode {
    /// Whoever has the permission `s3:BypassGovernanceRetention`.
    #[default]
    Governance,
    /// Nobody, not even the root of the account.
    Compliance,
}

/// What happens to objects with time. Days count from creation.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lifecycle {
    /// Only objects whose key starts with this.
    #[serde(default)]
    pub prefix: String,
    /// Number of days by storage class.
    #[serde(default)]
    pub transitions: BTreeMap<StorageClass, u32>,
    /// Deletion after so many days.
    #[schemars(range(min = 1, max = 36500))]
    pub expire_days: Option<u32>,
    /// Number of days after being superseded, by storage class.
    #[serde(default)]
    pub old_version_transitions: BTreeMap<StorageClass, u32>,
    /// Deletion of superseded versions after so many days.
    #[schemars(range(min = 1, max = 36500))]
    pub old_version_expire_days: Option<u32>,
    /// Abandoned uploads are removed after so many days.
    #[schemars(range(min = 1, max = 36500))]
    pub abort_uploads_days: Option<u32>,
}

/// An S3 storage class, in the order in which objects may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schemars(inline)]
pub enum StorageClass {
    #[allow(missing_docs)]
    StandardIa,
    #[allow(missing_docs)]
    IntelligentTiering,
    #[allow(missing_docs)]
    OnezoneIa,
    #[allow(missing_docs)]
    GlacierIr,
    #[allow(missing_docs)]
    Glacier,
    #[allow(missing_docs)]
    DeepArchive,
}

impl StorageClass {
    /// The class as S3 names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::StandardIa => "STANDARD_IA",
            Self::OnezoneIa => "ONEZONE_IA",
            Self::IntelligentTiering => "INTELLIGENT_TIERING",
            Self::GlacierIr => "GLACIER_IR",
            Self::Glacier => "GLACIER",
            Self::DeepArchive => "DEEP_ARCHIVE",
        }
    }
}

/// A CloudWatch log group.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogGroup {
    /// The physical name, `"/aws/lambda/${env}-..."`, instead of one by the pattern.
    pub name: Option<PhysicalName>,
    /// How many days events are kept, or `"forever"`.
    #[serde(default)]
    pub retention_days: Retention,
    /// The key that encrypts it; CloudWatch's own if unset.
    pub key: Option<KeyRef>,
}

/// Where AWS delivers a log: into a log group of its own, or into a bucket.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogTarget {
    /// The bucket, instead of a log group: cheaper, and without the means to search. It needs
    /// `log_delivery` and must not have a customer key.
    pub bucket: Option<BucketRef>,
    /// How many days the log group keeps events, or `"forever"`.
    #[serde(default)]
    pub retention_days: Retention,
    /// The key that encrypts the log group; CloudWatch's own if unset.
    pub key: Option<KeyRef>,
}

/// How long log events are kept.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Retention {
    /// So many days.
    Days(u32),
    /// For ever.
    Forever(Forever),
}

impl Retention {
    /// So many days, unless for ever.
    pub fn days(self) -> Option<u32> {
        match self {
            Self::Days(days) => Some(days),
            Self::Forever(_) => None,
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self::Days(30)
    }
}

/// The word `forever`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Forever {
    /// For ever.
    Forever,
}
