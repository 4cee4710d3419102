//! `[buckets.NAME]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::policies::Statement;
use super::text::{BucketRef, KeyRef, PhysicalName, RuleId};
use super::yes;

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
