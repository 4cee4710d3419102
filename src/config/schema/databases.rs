//! `[databases.NAME]`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::log_groups::Retention;
use super::network::InnerTier;
use super::text::{
    ClusterName, DatabaseClass, DatabaseName, DatabaseParameter, DayWindow, EngineVersion,
    GroupRef, KeyRef, PhysicalName, RestoreTime, RoleRef, SecretRef, SnapshotName, WeekWindow,
};
use super::yes;

/// An Aurora PostgreSQL cluster with its instances. Always encrypted, and never public.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// The physical name (the cluster's identifier), instead of one by the pattern.
    pub name: Option<PhysicalName>,
    /// The version of PostgreSQL, `"15.19"`, or a major one for the newest of it. AWS may move it ahead;
    /// payctl never takes it back. AWS retires versions: plan and apply check that it is offered.
    pub engine_version: EngineVersion,
    /// The database that the cluster begins with; only PostgreSQL's own ones if unset.
    pub database: Option<DatabaseName>,
    /// The port.
    #[serde(default = "port")]
    #[schemars(range(min = 1150, max = 65535))]
    pub port: u16,
    /// The secret whose user and password the cluster begins with. It is told endpoint, port,
    /// database and cluster.
    pub secret: SecretRef,
    /// The tier of subnets that it stands in.
    #[serde(default)]
    pub subnets: InnerTier,
    /// Its security groups.
    #[schemars(length(min = 1, max = 5))]
    pub security_groups: BTreeSet<GroupRef>,
    /// The key that encrypts it; the account's aws/rds key if unset. It cannot be changed later.
    pub key: Option<KeyRef>,
    /// Settings of PostgreSQL. With this, even empty, it gets a parameter group of its own; without
    /// it, AWS's default one.
    pub parameters: Option<BTreeMap<DatabaseParameter, String>>,
    /// How far instances of the class `db.serverless` scale.
    pub serverless: Option<Serverless>,
    /// The instances. The first one begins as the writer, the others are readers.
    #[schemars(length(min = 1, max = 16))]
    pub instances: Vec<Instance>,
    /// For how many days Performance Insights keeps its data: 7, a multiple of 31, or 731; 0
    /// switches it off.
    #[serde(default = "week")]
    #[schemars(range(min = 0, max = 731))]
    pub insights_days: u32,
    /// Enhanced monitoring; off if unset.
    pub monitoring: Option<Monitoring>,
    /// How many days backups are kept.
    #[serde(default = "week")]
    #[schemars(range(min = 1, max = 35))]
    pub backup_days: u32,
    /// When backups are taken, `"03:00-04:00"` in UTC; AWS decides if unset.
    pub backup_window: Option<DayWindow>,
    /// When AWS may work on it, `"sun:05:00-sun:06:00"` in UTC; AWS decides if unset.
    pub maintenance_window: Option<WeekWindow>,
    /// Whether AWS moves the minor version ahead by itself.
    #[serde(default = "yes")]
    pub auto_minor_upgrades: bool,
    /// Whether AWS refuses to delete it; like `protect` if unset. payctl lifts this when it deletes.
    pub deletion_protection: Option<bool>,
    /// Whether a snapshot is taken before it is deleted; like `protect` if unset. The snapshot needs
    /// the database's key for ever: with this, that key is never deleted but left to you.
    pub final_snapshot: Option<bool>,
    /// Whether snapshots carry its tags.
    #[serde(default = "yes")]
    pub copy_tags_to_snapshots: bool,
    /// The logs that go to CloudWatch.
    #[serde(default)]
    pub log_exports: BTreeSet<DatabaseLog>,
    /// How many days these logs are kept, or `"forever"`.
    #[serde(default)]
    pub log_retention_days: Retention,
    /// The key that encrypts these logs; CloudWatch's own if unset.
    pub log_key: Option<KeyRef>,
    /// Whether IAM can hand out passwords.
    #[serde(default)]
    pub iam_authentication: bool,
    /// Whether the Data API is on.
    #[serde(default)]
    pub data_api: bool,
    /// What it begins with, if it is made now: a cluster that exists stays as it is.
    pub restore_from: Option<DatabaseSource>,
}

/// What a cluster begins with: `{ snapshot = "..." }`, or `{ cluster = "...", at =
/// "2026-11-28T12:00:00Z" }` for another cluster as it was then.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSource {
    /// A snapshot of a cluster, by name or ARN.
    pub snapshot: Option<SnapshotName>,
    /// The identifier of a cluster that exists.
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

/// How far serverless instances scale, in Aurora capacity units.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Serverless {
    /// The least, in steps of a half; with 0 it pauses when nobody uses it.
    pub min: f64,
    /// The most, in steps of a half.
    pub max: f64,
    /// After how many idle seconds it pauses; only with `min = 0`.
    #[schemars(range(min = 300, max = 86400))]
    pub pause_after: Option<u32>,
}

/// An instance.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// The class, `"db.serverless"` or `"db.r6g.large"`.
    pub class: DatabaseClass,
    /// Who takes over from a failed writer: the lowest number first.
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
    /// How many seconds lie between two samples: 1, 5, 10, 15, 30 or 60.
    pub interval: u32,
    /// The role that writes them, with the managed policy
    /// `service-role/AmazonRDSEnhancedMonitoringRole`.
    pub role: RoleRef,
}

/// A log of Aurora PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum DatabaseLog {
    /// What PostgreSQL writes.
    Postgresql,
    /// What the instance writes.
    Instance,
    /// Refused passwords of IAM.
    IamDbAuthError,
}

impl DatabaseLog {
    /// The log as RDS names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgresql => "postgresql",
            Self::Instance => "instance",
            Self::IamDbAuthError => "iam-db-auth-error",
        }
    }
}
