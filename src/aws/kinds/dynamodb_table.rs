//! DynamoDB tables, with indexes, stream, TTL, backups and encryption folded in.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::text::Text;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    /// The name.
    pub name: String,
    /// The partition key.
    pub partition_key: Attribute,
    /// The sort key.
    pub sort_key: Option<Attribute>,
    /// Global secondary indexes by name.
    pub indexes: BTreeMap<String, Index>,
    /// How capacity is paid.
    pub billing: Billing,
    /// What the stream carries; none when there is no stream.
    pub stream: Option<StreamView>,
    /// The attribute that holds the expiry time; none when items do not expire.
    pub ttl: Option<String>,
    /// Whether the table can be restored to any second of the last 35 days.
    pub point_in_time_recovery: bool,
    /// How it is encrypted.
    pub encryption: Encryption,
    /// Whether AWS refuses to delete it.
    pub deletion_protection: bool,
}

/// A key attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attribute {
    /// Its name.
    pub name: String,
    /// Its type: `S`, `N` or `B`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// A global secondary index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Index {
    /// The partition key.
    pub partition_key: Attribute,
    /// The sort key.
    pub sort_key: Option<Attribute>,
    /// Which attributes it carries.
    pub projection: Projection,
    /// Its own capacity; only with provisioned billing.
    pub capacity: Option<Capacity>,
}

/// Which attributes an index carries.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Projection {
    /// All.
    All,
    /// Only keys.
    KeysOnly,
    /// Keys and these.
    Include(BTreeSet<String>),
}

/// How capacity is paid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Billing {
    /// By request.
    OnDemand,
    /// By reserved capacity.
    Provisioned(Capacity),
}

/// Reserved capacity units.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Capacity {
    /// Read units.
    pub read: u32,
    /// Write units.
    pub write: u32,
}

/// What a stream record carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StreamView {
    /// The keys.
    KeysOnly,
    /// The item after the change.
    NewImage,
    /// The item before the change.
    OldImage,
    /// Both.
    NewAndOldImages,
}

/// How a table is encrypted at rest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Encryption {
    /// A key that DynamoDB owns.
    Owned,
    /// The account's aws/dynamodb key.
    Managed,
    /// A customer key, by ARN.
    Kms(Text),
}
