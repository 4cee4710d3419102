//! The sources of restores: whether they exist, whether they fit, and how old they are. payctl
//! checks them before it changes anything, and only for resources with `restore_from`. Also the
//! backups that AWS keeps of deleted tables and clusters.

use std::fmt;
use std::time::SystemTime;

use aws_sdk_dynamodb::types::{
    BackupStatus, BackupTypeFilter, KeySchemaElement, PointInTimeRecoveryStatus,
};
use aws_sdk_rds::types::DbClusterSnapshot;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use futures::future::try_join_all;
use serde_json::Value;

use super::clients::{Aws, patiently};
use super::error::{Gone, op};
use super::kinds::dynamodb::table::{Source as TableSource, Table};
use super::kinds::rds::cluster::{Cluster, Source as ClusterSource};
use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::Live;
use payctl_engine::model::meta::{LATEST, is_reached};

const TABLE: &str = "dynamodb.table";
const CLUSTER: &str = "rds.cluster";

/// The source of a restore.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// Its description, `the backup nightly of the table orders`.
    pub what: String,
    /// The name of the live table or cluster, if it is restored to a point in time.
    pub stands: Option<String>,
    /// The time of its data.
    pub at: SystemTime,
}

impl Origin {
    /// The time of its data, as `at` takes it.
    pub fn time(&self) -> String {
        text(DateTime::from(self.at))
    }
}

/// Why a source cannot be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The reason.
    pub why: String,
    /// The hint.
    pub hint: String,
}

impl Obstacle {
    fn new(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { why: why.into(), hint: hint.into() }
    }
}

type Looked = Result<Origin, Obstacle>;

/// Reads the source of a restore. `user` is the name in the secret. `None` if it is made from
/// nothing, or the endpoint cannot tell.
pub async fn look(
    aws: &Aws,
    address: &Address,
    spec: &Value,
    user: Option<&str>,
) -> Result<Option<Looked>, OpError> {
    let asked = match address.kind.as_str() {
        TABLE => {
            let table = decode::<Table>(spec)?;
            match &table.restore_from {
                Some(TableSource::Backup { backup }) => of_backup(aws, &table, backup).await,
                Some(TableSource::Time { table: source, at }) => {
                    of_table_at(aws, &table, source, at).await
                }
                None => return Ok(None),
            }
        }
        CLUSTER => {
            let cluster = decode::<Cluster>(spec)?;
            match &cluster.restore_from {
                Some(ClusterSource::Snapshot { snapshot }) => {
                    of_snapshot(aws, &cluster, snapshot, user).await
                }
                Some(ClusterSource::Time { cluster: source, at }) => {
                    of_cluster_at(aws, &cluster, source, at, user).await
                }
                None => return Ok(None),
            }
        }
        _ => return Ok(None),
    };
    match asked {
        Ok(looked) => Ok(Some(looked)),
        // An emulator that cannot be asked may still be able to restore.
        Err(error) if aws.is_elsewhere && error.class != ErrorClass::Bug => Ok(None),
        Err(error) => Err(error),
    }
}

fn decode<T: serde::de::DeserializeOwned>(spec: &Value) -> Result<T, OpError> {
    serde_json::from_value(spec.clone()).map_err(|error| {
        OpError::new("look", ErrorClass::Bug, "PayctlBug", format!("no such spec: {error}"))
    })
}

async fn of_table_at(aws: &Aws, want: &Table, table: &str, at: &str) -> Result<Looked, OpError> {
    let ask = || async {
        let send = aws.dynamodb.describe_continuous_backups().table_name(table).send();
        send.await.map_err(op("DescribeContinuousBackups")).or_gone()
    };
    let Some(answer) = patiently(ask).await? else {
        let why = format!("the table {table} does not exist in {}", aws.scope.region);
        return Ok(Err(Obstacle::new(why, backups_hint(aws, table).await?)));
    };
    let recovery = answer
        .continuous_backups_description
        .and_then(|found| found.point_in_time_recovery_description)
        .filter(|found| {
            found.point_in_time_recovery_status == Some(PointInTimeRecoveryStatus::Enabled)
        });
    let window = recovery.and_then(|found| {
        found.earliest_restorable_date_time.zip(found.latest_restorable_date_time)
    });
    let Some(window) = window else {
        let why = format!("{table} does not have point-in-time recovery");
        return Ok(Err(Obstacle::new(why, backups_hint(aws, table).await?)));
    };
    let at = match within(table, at, window) {
        Ok(at) => at,
        Err(obstacle) => return Ok(Err(obstacle)),
    };
    let ask = || async {
        let send = aws.dynamodb.describe_table().table_name(table).send();
        send.await.map_err(op("DescribeTable"))
    };
    let found = patiently(ask).await?.table;
    let keys = found.and_then(|found| found.key_schema).unwrap_or_default();
    if let Some(obstacle) = other_keys(want, table, &keys) {
        return Ok(Err(obstacle));
    }
    Ok(Ok(Origin {
        what: format!("the table {table}"),
        stands: Some(table.to_owned()),
        at: instant(at),
    }))
}

async fn of_backup(aws: &Aws, want: &Table, backup: &str) -> Result<Looked, OpError> {
    if let Some(obstacle) = elsewhere(aws, "backup", backup) {
        return Ok(Err(obstacle));
    }
    let table = backup.split('/').nth(1).unwrap_or_default();
    let ask = || async {
        let send = aws.dynamodb.describe_backup().backup_arn(backup).send();
        send.await.map_err(op("DescribeBackup")).or_gone()
    };
    let found = patiently(ask).await?.and_then(|answer| answer.backup_description);
    let Some(found) = found else {
        let why = format!("the backup {backup} does not exist");
        return Ok(Err(Obstacle::new(why, backups_hint(aws, table).await?)));
    };
    let Some(details) = found.backup_details else {
        return Err(OpError::new("DescribeBackup", ErrorClass::Service, "NoAnswer", "no details"));
    };
    if details.backup_status != BackupStatus::Available {
        let why = format!("the backup {backup} is {}", details.backup_status);
        let hint = "wait until it is AVAILABLE, or choose another one";
        return Ok(Err(Obstacle::new(why, hint)));
    }
    let keys = found.source_table_details.map(|source| source.key_schema).unwrap_or_default();
    if let Some(obstacle) = other_keys(want, table, &keys) {
        return Ok(Err(obstacle));
    }
    let what = format!("the backup {} of the table {table}", details.backup_name);
    Ok(Ok(Origin { what, stands: None, at: instant(details.backup_creation_date_time) }))
}

/// A restored table keeps the key of its source.
fn other_keys(want: &Table, table: &str, keys: &[KeySchemaElement]) -> Option<Obstacle> {
    let wanted: Vec<&str> = [Some(&want.partition_key), want.sort_key.as_ref()]
        .into_iter()
        .flatten()
        .map(|key| key.name.as_str())
        .collect();
    let found: Vec<&str> = keys.iter().map(KeySchemaElement::attribute_name).collect();
    (wanted != found).then(|| {
        let (found, wanted) = (found.join(", "), wanted.join(", "));
        let why = format!("the key of {table} is {found}, but the key of this table is {wanted}");
        Obstacle::new(why, "a restored table keeps its key: set the same one")
    })
}

/// Which backups there are of a table, as advice.
async fn backups_hint(aws: &Aws, table: &str) -> Result<String, OpError> {
    let mut known = backups(aws, table, BackupTypeFilter::All).await?;
    known.sort();
    let Some((at, arn)) = known.pop() else {
        return Ok(format!("there is no backup of {table} either; check the region"));
    };
    Ok(format!("its newest backup is from {at}: restore_from = {{ backup = \"{arn}\" }}"))
}

/// Time and ARN of the backups of a table that can be restored.
async fn backups(
    aws: &Aws,
    table: &str,
    filter: BackupTypeFilter,
) -> Result<Vec<(String, String)>, OpError> {
    let (mut known, mut next) = (Vec::new(), None);
    loop {
        let ask = || async {
            let call = aws.dynamodb.list_backups().table_name(table).backup_type(filter.clone());
            let call = call.set_exclusive_start_backup_arn(next.clone());
            call.send().await.map_err(op("ListBackups"))
        };
        let answer = patiently(ask).await?;
        for found in answer.backup_summaries.unwrap_or_default() {
            let ready = found.backup_status == Some(BackupStatus::Available);
            let told = found.backup_creation_date_time.zip(found.backup_arn).filter(|_| ready);
            known.extend(told.map(|(at, arn)| (text(at), arn)));
        }
        next = answer.last_evaluated_backup_arn;
        if next.is_none() {
            return Ok(known);
        }
    }
}

async fn of_snapshot(
    aws: &Aws,
    want: &Cluster,
    snapshot: &str,
    user: Option<&str>,
) -> Result<Looked, OpError> {
    let is_arn = snapshot.starts_with("arn:");
    let account = snapshot.split(':').nth(4).filter(|_| is_arn);
    let shared = account.is_some_and(|account| account != aws.scope.account);
    if is_arn && let Some(obstacle) = region_of("snapshot", aws, snapshot) {
        return Ok(Err(obstacle));
    }
    let ask = || async {
        let call = aws.rds.describe_db_cluster_snapshots();
        let call = call.db_cluster_snapshot_identifier(snapshot).include_shared(shared);
        let call = call.set_snapshot_type(type_of(snapshot).map(str::to_owned));
        call.send().await.map_err(op("DescribeDBClusterSnapshots")).or_gone()
    };
    let found = patiently(ask).await?.and_then(|answer| answer.db_cluster_snapshots);
    let Some(found) = found.and_then(|found| found.into_iter().next()) else {
        let why = format!("the snapshot {snapshot} does not exist in {}", aws.scope.region);
        return Ok(Err(Obstacle::new(why, snapshots_hint(aws, &want.name).await?)));
    };
    let status = found.status().unwrap_or_default();
    if status != "available" {
        let why = format!("the snapshot {snapshot} is {status}");
        return Ok(Err(Obstacle::new(why, "wait until it is available, or choose another one")));
    }
    let what = format!("the snapshot {snapshot}");
    let traits = Traits {
        what: &what,
        engine: found.engine(),
        version: found.engine_version(),
        user: found.master_username(),
        database: None,
    };
    if let Some(obstacle) = traits.misfit(want, user) {
        return Ok(Err(obstacle));
    }
    if found.storage_encrypted() == Some(false) && want.key.is_none() {
        let hint = "set `key` to encrypt the new cluster";
        return Ok(Err(Obstacle::new(format!("{what} is not encrypted"), hint)));
    }
    match found.snapshot_create_time {
        Some(at) => Ok(Ok(Origin { what, stands: None, at: instant(at) })),
        None => Err(no_time("DescribeDBClusterSnapshots")),
    }
}

async fn of_cluster_at(
    aws: &Aws,
    want: &Cluster,
    cluster: &str,
    at: &str,
    user: Option<&str>,
) -> Result<Looked, OpError> {
    let ask = || async {
        let send = aws.rds.describe_db_clusters().db_cluster_identifier(cluster).send();
        send.await.map_err(op("DescribeDBClusters")).or_gone()
    };
    let found = patiently(ask).await?.and_then(|answer| answer.db_clusters);
    let Some(found) = found.and_then(|found| found.into_iter().next()) else {
        let why = format!("the cluster {cluster} does not exist in {}", aws.scope.region);
        return Ok(Err(Obstacle::new(why, snapshots_hint(aws, cluster).await?)));
    };
    let what = format!("the cluster {cluster}");
    let traits = Traits {
        what: &what,
        engine: found.engine(),
        version: found.engine_version(),
        user: found.master_username(),
        database: Some(found.database_name()),
    };
    if let Some(obstacle) = traits.misfit(want, user) {
        return Ok(Err(obstacle));
    }
    if found.storage_encrypted() == Some(false) {
        let hint = "take a snapshot of it, and restore the snapshot with a `key`";
        return Ok(Err(Obstacle::new(format!("{what} is not encrypted"), hint)));
    }
    let Some(window) = found.earliest_restorable_time.zip(found.latest_restorable_time) else {
        return Err(no_time("DescribeDBClusters"));
    };
    let looked = within(cluster, at, window);
    Ok(looked.map(|at| Origin { what, stands: Some(cluster.to_owned()), at: instant(at) }))
}

/// The type by which AWS must be asked for a snapshot: it finds one that it took by itself only so.
fn type_of(snapshot: &str) -> Option<&'static str> {
    let name = snapshot.split_once(":cluster-snapshot:").map_or(snapshot, |(_, name)| name);
    name.starts_with("rds:").then_some("automated")
}

/// The settings that a restored cluster keeps from its source.
struct Traits<'a> {
    what: &'a str,
    engine: Option<&'a str>,
    version: Option<&'a str>,
    user: Option<&'a str>,
    database: Option<Option<&'a str>>,
}

impl Traits<'_> {
    /// The setting that does not fit.
    fn misfit(&self, want: &Cluster, user: Option<&str>) -> Option<Obstacle> {
        let what = self.what;
        if let Some(engine) = self.engine.filter(|engine| *engine != "aurora-postgresql") {
            let why = format!("{what} has the engine {engine}");
            return Some(Obstacle::new(why, "payctl restores only Aurora PostgreSQL"));
        }
        let wanted = want.engine_version.as_str();
        if let Some(version) = self.version.filter(|version| !can_become(version, wanted)) {
            let why = format!("{what} has version {version}, but this cluster has {wanted}");
            let hint = format!(
                "set engine_version = \"{version}\" to restore it; upgrade it in a separate change"
            );
            return Some(Obstacle::new(why, hint));
        }
        if let (Some(found), Some(user)) = (self.user, user)
            && found != user
        {
            let why =
                format!("the user of {what} is {found}, but the user in the secret is {user}");
            let hint = format!(
                "a restored cluster keeps its users: set username = \"{found}\" in the secret"
            );
            return Some(Obstacle::new(why, hint));
        }
        if let (Some(found), Some(wanted)) = (self.database, want.database.as_deref())
            && found != Some(wanted)
        {
            let found = found.unwrap_or("(none)");
            let why =
                format!("the first database of {what} is {found}, but the config has {wanted}");
            return Some(Obstacle::new(why, format!("set database = \"{found}\"")));
        }
        None
    }
}

/// Whether a restore of one version can be of another one: the same major, and nothing is taken back.
fn can_become(version: &str, wanted: &str) -> bool {
    let major = |version: &str| version.split('.').next().map(str::to_owned);
    major(version) == major(wanted) && (!wanted.contains('.') || is_reached(version, wanted))
}

/// Which snapshots there are of a cluster, as advice.
async fn snapshots_hint(aws: &Aws, cluster: &str) -> Result<String, OpError> {
    let mut known = snapshots(aws, cluster).await?;
    known.sort();
    let Some((at, name)) = known.pop() else {
        return Ok(format!("there is no snapshot of {cluster}; check the region"));
    };
    Ok(format!(
        "the newest snapshot of {cluster} is from {at}: restore_from = {{ snapshot = \"{name}\" }}"
    ))
}

/// Time and name of the snapshots of a cluster that can be restored.
async fn snapshots(aws: &Aws, cluster: &str) -> Result<Vec<(String, String)>, OpError> {
    let ask = || async {
        let call = aws.rds.describe_db_cluster_snapshots().db_cluster_identifier(cluster);
        let pages = call.into_paginator().items().send();
        pages.try_collect().await.map_err(op("DescribeDBClusterSnapshots")).or_gone()
    };
    let ready = |found: &DbClusterSnapshot| found.status() == Some("available");
    let found = patiently(ask).await?.unwrap_or_default().into_iter().filter(ready);
    let told = found.filter_map(|one| {
        Some((text(one.snapshot_create_time?), one.db_cluster_snapshot_identifier?))
    });
    Ok(told.collect())
}

/// The time that is meant, if it can be restored.
fn within(name: &str, at: &str, (first, last): (DateTime, DateTime)) -> Result<DateTime, Obstacle> {
    let meant = match at {
        LATEST => Ok(last),
        at => DateTime::from_str(at, Format::DateTime),
    };
    // AWS tells fractions of a second, and takes whole ones.
    match meant {
        Ok(meant) if (first.secs()..=last.secs()).contains(&meant.secs()) => Ok(meant),
        _ => {
            let (first, last) = (text(first), text(last));
            let why =
                format!("{name} can be restored to a time from {first} to {last}, not to {at}");
            let hint = "choose a time in between, or `latest`; a backup may have older data";
            Err(Obstacle::new(why, hint))
        }
    }
}

fn elsewhere(aws: &Aws, word: &str, arn: &str) -> Option<Obstacle> {
    let account = arn.split(':').nth(4).unwrap_or_default();
    if account != aws.scope.account {
        let why = format!("the {word} {arn} belongs to another account than {}", aws.scope.account);
        return Some(Obstacle::new(why, "copy it into this account with AWS Backup"));
    }
    region_of(word, aws, arn)
}

fn region_of(word: &str, aws: &Aws, arn: &str) -> Option<Obstacle> {
    let region = arn.split(':').nth(3).unwrap_or_default();
    (region != aws.scope.region).then(|| {
        let why = format!("the {word} {arn} is in {region}, not in {}", aws.scope.region);
        Obstacle::new(why, format!("copy it to {} first, and use the copy", aws.scope.region))
    })
}

fn no_time(op: &str) -> OpError {
    OpError::new(
        op,
        ErrorClass::Service,
        "NoAnswer",
        "AWS did not return the times that it can restore to",
    )
}

fn instant(at: DateTime) -> SystemTime {
    SystemTime::try_from(at).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A time as people read it, and as `at` takes it.
fn text(at: DateTime) -> String {
    DateTime::from_secs(at.secs()).fmt(Format::DateTime).unwrap_or_default()
}

/// The backup of a deleted object.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Kept {
    /// The address of the deleted object.
    pub address: Address,
    /// The time of the data.
    pub at: String,
    /// The value of `restore_from` that restores it.
    pub restore_from: String,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, at, restore_from } = self;
        write!(f, "{address} as of {at}: restore_from = {restore_from}")
    }
}

/// Finds the backups that AWS keeps of deleted tables and clusters.
pub async fn kept(aws: &Aws, deleted: &[(&Address, &Live)]) -> Result<Vec<Kept>, OpError> {
    let looks = deleted.iter().map(|(address, live)| async move {
        let (newest, word) = match address.kind.as_str() {
            TABLE if live.spec["point_in_time_recovery"] == true => (
                backups(aws, &live.id, BackupTypeFilter::System).await?.into_iter().max(),
                "backup",
            ),
            CLUSTER if live.spec["final_snapshot"] == true => {
                (snapshots(aws, &live.id).await?.into_iter().max(), "snapshot")
            }
            _ => (None, ""),
        };
        Ok::<_, OpError>(newest.map(|(at, name)| Kept {
            address: (*address).clone(),
            at,
            restore_from: format!("{{ {word} = \"{name}\" }}"),
        }))
    });
    Ok(try_join_all(looks).await?.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_restored_only_within_the_window() {
        let window = (DateTime::from_secs(1_700_000_000), DateTime::from_secs_f64(1_700_003_600.4));
        assert_eq!(within("t", LATEST, window), Ok(window.1));
        for inside in ["2023-11-14T22:13:20Z", "2023-11-14T23:13:20Z"] {
            assert_eq!(text(within("t", inside, window).unwrap()), inside);
        }
        for outside in ["2023-11-14T22:13:19Z", "2023-11-14T23:13:21Z", "2999-01-01T00:00:00Z"] {
            let why = within("t", outside, window).unwrap_err().why;
            let expected = "from 2023-11-14T22:13:20Z to 2023-11-14T23:13:20Z, not to";
            assert!(why.contains(expected), "{why}");
        }
    }

    #[test]
    fn an_automated_snapshot_is_asked_for_as_one() {
        let arn =
            |name: &str| format!("arn:aws:rds:eu-west-1:123456789012:cluster-snapshot:{name}");
        for name in ["rds:main-2026-01-31-03-14", &arn("rds:main-2026-01-31-03-14")] {
            assert_eq!(type_of(name), Some("automated"), "{name}");
        }
        for name in ["main-final-1764331200", &arn("main-final-1764331200"), "rds-main"] {
            assert_eq!(type_of(name), None, "{name}");
        }
    }

    #[test]
    fn a_version_is_not_taken_back_by_a_restore() {
        for (version, wanted, can) in [
            ("15.17", "15.17", true),
            ("15.17", "15.19", true),
            ("15.17", "15", true),
            ("15.19", "15.17", false),
            ("15.19", "16.8", false),
            ("16.8", "15", false),
        ] {
            assert_eq!(can_become(version, wanted), can, "{version} {wanted}");
        }
    }
}
