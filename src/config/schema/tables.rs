//! `[tables.NAME]`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{
    BackupArn, IndexName, KeyAttribute, KeyRef, PhysicalName, RestoreTime, TableName,
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
