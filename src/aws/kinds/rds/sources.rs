//! The sources of restored clusters, and the snapshots that AWS keeps of deleted clusters.

use aws_sdk_rds::types::DbClusterSnapshot;
use futures::future::try_join_all;

use super::cluster::{Cluster, Source};
use crate::aws::clients::{Aws, retry_read};
use crate::aws::error::{Gone, op};
use crate::aws::preflight::{Check, Fate, Finding, Obstacle, Planned, Preflight, Subject, decode};
use crate::aws::resource::Resource as _;
use crate::aws::restores::{
    Keeper, Kept, Looked, answered, no_time, origin, region_of, text, within,
};
use payctl_engine::model::address::Address;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::Live;
use payctl_engine::model::meta::is_reached;
use payctl_engine::model::text::each_ref;

/// Checks the sources of new clusters.
pub(super) const CHECK: Check = Check {
    subject: Subject::Sources,
    doing: "read the source of the restore",
    run: |cx| Box::pin(check(cx)),
};

async fn check(cx: &Preflight<'_>) -> Result<Vec<Finding>, OpError> {
    let made = cx.of(Cluster::META.kind).filter(|planned| planned.fate == Fate::Created);
    let made = made.filter_map(|planned| Some((planned, planned.want?)));
    let looks = made.map(|(planned, want)| async move {
        let looked = look(cx.aws, &decode(&want.spec)?, user_of(cx, planned)).await?;
        Ok::<_, OpError>(looked.map(|looked| cx.source(planned, looked)))
    });
    Ok(try_join_all(looks).await?.into_iter().flatten().collect())
}

/// The user that the secret of a cluster holds.
fn user_of<'a>(cx: &'a Preflight<'_>, planned: &Planned<'_>) -> Option<&'a str> {
    let credentials = planned.want?.spec.get("credentials")?;
    let mut secret = None;
    each_ref(credentials, &mut |reference| secret = Some(reference.to.clone()));
    let secret = cx.resources.get(&secret?)?;
    secret.spec.pointer("/generate/template/username")?.as_str()
}

/// `None` if the cluster does not have a source, or the endpoint cannot tell.
async fn look(aws: &Aws, want: &Cluster, user: Option<&str>) -> Result<Option<Looked>, OpError> {
    let asked = match &want.restore_from {
        Some(Source::Snapshot { snapshot }) => of_snapshot(aws, want, snapshot, user).await,
        Some(Source::Time { cluster, at }) => of_cluster_at(aws, want, cluster, at, user).await,
        None => return Ok(None),
    };
    answered(aws, asked)
}

/// Looks for the snapshots that AWS keeps of a deleted cluster.
pub(super) const KEEPER: Keeper = Keeper {
    kind: Cluster::META.kind,
    ask: |aws, address, live| Box::pin(kept(aws, address, live)),
};

async fn kept(aws: &Aws, address: &Address, live: &Live) -> Result<Option<Kept>, OpError> {
    if live.spec["final_snapshot"] != true {
        return Ok(None);
    }
    Ok(Kept::newest(address, "snapshot", snapshots(aws, &live.id).await?))
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
        aws.rds
            .describe_db_cluster_snapshots()
            .db_cluster_snapshot_identifier(snapshot)
            .include_shared(shared)
            .set_snapshot_type(type_of(snapshot).map(str::to_owned))
            .send()
            .await
            .map_err(op("DescribeDBClusterSnapshots"))
            .or_gone()
    };
    let found = retry_read(ask).await?.and_then(|answer| answer.db_cluster_snapshots);
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
        Some(at) => Ok(Ok(origin(what, None, at))),
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
    let found = retry_read(ask).await?.and_then(|answer| answer.db_clusters);
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
    Ok(looked.map(|at| origin(what, Some(cluster), at)))
}

/// The type that a request for a snapshot must name: AWS finds automated snapshots only by their
/// type.
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

/// Whether a restore of one version can have another version: one of the same major version that is
/// not older.
fn can_become(version: &str, wanted: &str) -> bool {
    let major = |version: &str| version.split('.').next().map(str::to_owned);
    major(version) == major(wanted) && (!wanted.contains('.') || is_reached(version, wanted))
}

/// The hint that names the snapshots of a cluster.
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
    let found = retry_read(ask).await?.unwrap_or_default().into_iter().filter(ready);
    let told = found.filter_map(|one| {
        Some((text(one.snapshot_create_time?), one.db_cluster_snapshot_identifier?))
    });
    Ok(told.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_automated_snapshot_is_requested_by_its_type() {
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
    fn a_restore_does_not_lower_a_version() {
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
