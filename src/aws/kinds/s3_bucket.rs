//! Buckets, with all their sub-configurations folded in; emptied before deletion.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::document::Document;
use crate::model::text::Text;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bucket {
    /// The name, unique in the world.
    pub name: String,
    /// Whether overwritten and deleted objects are kept as versions.
    pub versioning: bool,
    /// How objects are encrypted.
    pub encryption: Encryption,
    /// Whether everything public is blocked (all four settings).
    pub block_public_access: bool,
    /// Who may use it.
    pub policy: Option<Document>,
    /// Lifecycle rules by id.
    pub lifecycle: BTreeMap<String, LifecycleRule>,
    /// Where access logs go.
    pub access_log: Option<AccessLog>,
}

/// How objects are encrypted at rest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Encryption {
    /// A key that S3 manages (SSE-S3).
    S3,
    /// A KMS key by id, ARN or alias, with an S3 bucket key.
    Kms(Text),
}

/// What happens to objects with time. Days count from creation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LifecycleRule {
    /// Only objects whose key starts with this; all if empty.
    pub prefix: String,
    /// Storage class (`GLACIER`) by number of days.
    pub transitions: BTreeMap<String, u32>,
    /// Deletion after so many days.
    pub expire_days: Option<u32>,
    /// Storage class by number of days after a version was superseded.
    pub old_version_transitions: BTreeMap<String, u32>,
    /// Deletion of superseded versions after so many days.
    pub old_version_expire_days: Option<u32>,
    /// Abandoned multipart uploads are removed after so many days.
    pub abort_uploads_days: Option<u32>,
}

/// Where access logs go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessLog {
    /// The name of the receiving bucket.
    pub bucket: Text,
    /// What the log keys start with.
    pub prefix: String,
}
