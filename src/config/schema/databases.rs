//! `[databases.NAME]`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::log_groups::Retention;
use super::network::InnerTier;
use super::text::{
    ClusterName, DatabaseClass, DatabaseName, DatabaseParameter, DayWindow, EngineVersion, EnvName,
    GroupRef, KeyRef, PhysicalName, RestoreTime, RoleRef, SecretRef, SnapshotName, WeekWindow,
};
use super::yes;
use crate::words::databases::DatabaseLog;
use crate::words::log_groups::LogClass;

/// An Aurora PostgreSQL cluster with its instances. It is always encrypted and never public.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Another environment of the project whose cluster of this name is used, as its only key: `"dev"`.
    /// payctl finds it by its ownership tags, and neither changes nor deletes it.
    pub from: Option<EnvName>,
    /// The physical name (the cluster's identifier). Default: built from `naming.pattern`.
    pub name: Option<PhysicalName>,
    /// The version of PostgreSQL, `"15.19"`, or a major version for its newest minor one. AWS may upgrade it;
    /// payctl never downgrades it. AWS retires versions: plan and apply check that AWS offers this one.
    /// Needed unless `from` is set.
    #[serde(default)]
    pub engine_version: EngineVersion,
    /// The database that AWS creates with the cluster. Default: only PostgreSQL's own databases.
    pub database: Option<DatabaseName>,
    /// The port.
    #[serde(default = "port")]
    #[schemars(range(min = 1150, max = 65535))]
    pub port: u16,
    /// The secret with the initial user and password of the cluster. payctl adds the endpoint, port,
    /// database and cluster to it. Needed unless `from` is set.
    #[serde(default)]
    pub secret: SecretRef,
    /// The tier of subnets that it runs in.
    #[serde(default)]
    pub subnets: InnerTier,
    /// Its security groups. Needed unless `from` is set.
    #[serde(default)]
    #[schemars(length(min = 1, max = 5))]
    pub security_groups: BTreeSet<GroupRef>,
    /// The KMS key that encrypts it. Default: the account's aws/rds key. It cannot be changed later.
    pub key: Option<KeyRef>,
    /// Settings of PostgreSQL. With this key, even empty, it gets its own parameter group; without
    /// it, the cluster uses AWS's default group.
    pub parameters: Option<BTreeMap<DatabaseParameter, String>>,
    /// The description of its own parameter group. Another text makes a new group, to which the
    /// cluster moves. Default: payctl writes one.
    #[schemars(length(min = 1, max = 255))]
    pub parameter_group_description: Option<String>,
    /// The description of its subnet group. Default: payctl writes one.
    #[schemars(length(min = 1, max = 255))]
    pub subnet_group_description: Option<String>,
    /// The capacity limits of instances of the class `db.serverless`.
    pub serverless: Option<Serverless>,
    /// The instances. The first one starts as the writer, the others are readers. Needed unless `from` is
    /// set.
    #[serde(default)]
    #[schemars(length(min = 1, max = 16))]
    pub instances: Vec<Instance>,
    /// How many days Performance Insights keeps its data: 7, a multiple of 31, or 731; 0
    /// turns it off.
    #[serde(default = "week")]
    #[schemars(range(min = 0, max = 731))]
    pub insights_days: u32,
    /// Enhanced monitoring. Default: off.
    pub monitoring: Option<Monitoring>,
    /// How many days AWS keeps backups.
    #[serde(default = "week")]
    #[schemars(range(min = 1, max = 35))]
    pub backup_days: u32,
    /// The time of backups, `"03:00-04:00"` in UTC. Default: AWS decides.
    pub backup_window: Option<DayWindow>,
    /// The time of maintenance, `"sun:05:00-sun:06:00"` in UTC. Default: AWS decides.
    pub maintenance_window: Option<WeekWindow>,
    /// Whether AWS upgrades the minor version automatically.
    #[serde(default = "yes")]
    pub auto_minor_upgrades: bool,
    /// Whether AWS refuses to delete it. Default: as `protect`. payctl turns this off before it deletes.
    pub deletion_protection: Option<bool>,
    /// Whether AWS takes a final snapshot before a deletion. Default: as `protect`. The snapshot needs
    /// the database's key for ever, so payctl never deletes that key: it leaves it to you.
    pub final_snapshot: Option<bool>,
    /// Whether AWS copies its tags to snapshots.
    #[serde(default = "yes")]
    pub copy_tags_to_snapshots: bool,
    /// The logs to export to CloudWatch.
    #[serde(default)]
    pub log_exports: BTreeSet<DatabaseLog>,
    /// How many days CloudWatch keeps these logs, or `"forever"`.
    #[serde(default)]
    pub log_retention_days: Retention,
    /// The class of these log groups. AWS never changes the class of a log group, and payctl does not replace one: set
    /// it before the first apply.
    #[serde(default)]
    pub log_class: LogClass,
    /// The KMS key that encrypts these logs. Default: CloudWatch's own key.
    pub log_key: Option<KeyRef>,
    /// Whether IAM database authentication is on.
    #[serde(default)]
    pub iam_authentication: bool,
    /// Whether the Data API is on.
    #[serde(default)]
    pub data_api: bool,
    /// The source of a new cluster. It does not affect a cluster that exists.
    pub restore_from: Option<DatabaseSource>,
}

/// The source of a new cluster: `{ snapshot = "..." }`, or `{ cluster = "...", at =
/// "2026-11-28T12:00:00Z" }` for the state of another cluster at that time.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSource {
    /// A snapshot of a cluster, by name or ARN.
    pub snapshot: Option<SnapshotName>,
    /// The identifier of an existing cluster.
    pub cluster: Option<ClusterName>,
    /// The time in UTC, to the second, or `"latest"` (about five minutes ago).
    pub at: Option<RestoreTime>,
}

fn port() -> u16 {
    5432
}

fn week() -> u32 {
    7
}

/// The limits of serverless instances, in Aurora capacity units (ACU).
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Serverless {
    /// The least capacity, in steps of 0.5. With 0 an idle instance pauses.
    pub min: f64,
    /// The most capacity, in steps of 0.5.
    pub max: f64,
    /// After how many idle seconds an instance pauses. Only with `min = 0`.
    #[schemars(range(min = 300, max = 86400))]
    pub pause_after: Option<u32>,
}

/// A database instance.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// The class, `"db.serverless"` or `"db.r6g.large"`.
    pub class: DatabaseClass,
    /// The failover priority: the instance with the lowest number takes over from a failed writer.
    #[serde(default = "tier")]
    #[schemars(range(min = 0, max = 15))]
    pub tier: u32,
}

fn tier() -> u32 {
    1
}

/// Enhanced monitoring.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Monitoring {
    /// The seconds between two samples: 1, 5, 10, 15, 30 or 60.
    pub interval: u32,
    /// The role that writes the metrics, with the managed policy
    /// `service-role/AmazonRDSEnhancedMonitoringRole`.
    pub role: RoleRef,
}
