//! `[tables.NAME]`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{
    BackupArn, IndexName, KeyAttribute, KeyRef, PhysicalName, RestoreTime, TableName,
};
use super::yes;
use crate::words::tables::Stream;

/// A DynamoDB table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The physical name. Default: built from `naming.pattern`.
    pub name: Option<PhysicalName>,
    /// The partition key, `"transaction_id:S"`.
    pub partition_key: KeyAttribute,
    /// The sort key, `"timestamp:N"`.
    pub sort_key: Option<KeyAttribute>,
    /// Global secondary indexes by name.
    #[serde(default)]
    pub indexes: BTreeMap<IndexName, Index>,
    /// The billing mode: `"on_demand"`, or provisioned capacity `{ read = 5, write = 5 }`.
    #[serde(default)]
    pub billing: Billing,
    /// The content of the stream. Default: no stream.
    pub stream: Option<Stream>,
    /// The time-to-live attribute, which holds the expiry time of an item.
    #[schemars(length(min = 1, max = 255))]
    pub ttl: Option<String>,
    /// Point-in-time recovery: whether the table can be restored to any second of the last 35 days.
    #[serde(default = "yes")]
    pub point_in_time_recovery: bool,
    /// The KMS key that encrypts it. Default: the account's aws/dynamodb key.
    pub key: Option<KeyRef>,
    /// Whether AWS refuses to delete it. Default: as `protect`.
    pub deletion_protection: Option<bool>,
    /// The source of a new table's items. It does not affect a table that exists.
    pub restore_from: Option<TableSource>,
}

/// The source of a new table's items: `{ table = "...", at = "2026-11-28T12:00:00Z" }` is
/// the state of another table at that time; `{ backup = "arn:..." }` is a backup. AWS keeps a backup
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
    /// The attributes in the index: `"all"`, `"keys_only"`, or a list of attributes.
    #[serde(default)]
    pub projection: Projection,
    /// Its provisioned capacity. Default: that of the table. Only with provisioned capacity.
    pub capacity: Option<Capacity>,
}

/// The attributes in an index.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Projection {
    /// All attributes, or only the keys.
    Plain(PlainProjection),
    /// The keys and these attributes.
    Include(BTreeSet<String>),
}

impl Default for Projection {
    fn default() -> Self {
        Self::Plain(PlainProjection::All)
    }
}

/// All attributes, or only the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlainProjection {
    /// Every attribute.
    All,
    /// Only the keys.
    KeysOnly,
}

/// The billing mode of a table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Billing {
    /// Pay for each request.
    OnDemand(OnDemand),
    /// Pay for provisioned capacity.
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
    /// Pay for each request.
    OnDemand,
}

/// Provisioned capacity units.
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
