//! Snapshots of clusters, and restores from them or to a point in time.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::super::shelf::Shelf;
use super::super::toolbox::{
    KEY_VALUE, Tags, add_tags, at, flag, here, iso, need, tag_pairs, text,
};
use super::super::{Answer, Base, Refusal, World};
use super::clusters::{Cluster, busy, make, missing as no_cluster};
use super::{AVAILABLE, COMBINATION, TAGS, VALUE, arn, is_identifier, listed, tags_of};

/// A snapshot of a cluster.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Snapshot {
    created: f64,
    /// Until when the snapshot is in progress, in a strict sandbox.
    until: f64,
    /// The cluster at the time of the snapshot.
    cluster: Cluster,
    pub tags: Tags,
}

/// How long a strict sandbox takes for a snapshot, in seconds.
const TAKES: f64 = 120.0;
/// How far the latest restorable time lies behind the present.
const LAG: f64 = 300.0;
const DAY: f64 = 86_400.0;
/// The type of a snapshot that a user took.
const MANUAL: &str = "manual";

/// Snapshots in the state file. An earlier version kept only their names.
pub(super) fn read<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Shelf<Snapshot>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Kept {
        Names(BTreeSet<String>),
        Whole(BTreeMap<String, Snapshot>),
    }
    let snapshots: BTreeMap<String, Snapshot> = match Kept::deserialize(deserializer)? {
        Kept::Names(names) => names.into_iter().map(|name| (name, Snapshot::default())).collect(),
        Kept::Whole(whole) => whole,
    };
    Ok(snapshots.into())
}

pub(super) fn missing(name: &str) -> Refusal {
    let message = format!("DBClusterSnapshot not found: {name}");
    Refusal::new("DBClusterSnapshotNotFoundFault", message).with_status(404)
}

/// The earliest and the latest restorable time of a cluster.
pub(super) fn window(cluster: &Cluster, base: &Base) -> (f64, f64) {
    let first = cluster.created.max(base.now() - cluster.backup_days as f64 * DAY);
    let lag = if base.strict { LAG } else { 0.0 };
    (first, (base.now() - lag).max(first))
}

/// Takes a snapshot of a cluster.
pub(super) fn keep(
    snapshots: &mut Shelf<Snapshot>,
    base: &Base,
    region: &str,
    name: &str,
    cluster: &Cluster,
) -> Result<(), Refusal> {
    let name = name.to_lowercase();
    if !is_identifier(&name, 255) {
        let message = format!("Invalid DB cluster snapshot identifier: {name}");
        return Err(Refusal::new(VALUE, message));
    }
    if snapshots.contains_key(&at(region, &name)) {
        let message = format!("Cannot create the snapshot {name}: it exists already.");
        return Err(Refusal::new("DBClusterSnapshotAlreadyExistsFault", message));
    }
    let tags = if cluster.copies_tags { cluster.tags.clone() } else { Tags::new() };
    let until = if base.strict { base.now() + TAKES } else { 0.0 };
    let created = base.now().floor();
    let snapshot = Snapshot { created, until, cluster: cluster.clone(), tags };
    snapshots.insert(at(region, &name), snapshot);
    Ok(())
}

impl Snapshot {
    fn status(&self, base: &Base) -> &'static str {
        if base.now() < self.until { "creating" } else { AVAILABLE }
    }

    fn render(&self, base: &Base, region: &str, name: &str) -> Value {
        let cluster = &self.cluster;
        json!({
            "DBClusterSnapshotIdentifier": name,
            "DBClusterSnapshotArn": arn(region, "cluster-snapshot", name),
            "DBClusterIdentifier": cluster.name,
            "SnapshotCreateTime": iso(self.created),
            "SnapshotType": type_of(name),
            "Status": self.status(base),
            "PercentProgress": 100,
            "Engine": "aurora-postgresql",
            "EngineMode": "provisioned",
            "EngineVersion": cluster.version,
            "MasterUsername": cluster.user,
            "Port": cluster.port,
            "StorageEncrypted": true,
            "KmsKeyId": cluster.key,
            "AllocatedStorage": 1,
            "ClusterCreateTime": iso(cluster.created),
            "IAMDatabaseAuthenticationEnabled": cluster.iam,
            "TagList": { "Tag": tag_pairs(&self.tags, KEY_VALUE) },
        })
    }
}

/// The name, given by name or by ARN.
fn name_of(reference: &str) -> String {
    let name = match reference.strip_prefix("arn:") {
        Some(arn) => arn.splitn(6, ':').nth(5).unwrap_or_default(),
        None => reference,
    };
    name.to_lowercase()
}

/// The type of a snapshot. Only AWS can give names of the automated form.
fn type_of(name: &str) -> &'static str {
    if name.starts_with("rds:") { "automated" } else { MANUAL }
}

/// Takes a snapshot.
pub(super) fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "DBClusterSnapshotIdentifier", VALUE)?.to_lowercase();
    let cluster = need(input, "DBClusterIdentifier", VALUE)?;
    let found = world.rds.clusters.get(&at(region, cluster)).cloned();
    let found = found.ok_or_else(|| no_cluster(cluster))?;
    if !found.stage.is(AVAILABLE) {
        return Err(busy(cluster, &found.stage.status));
    }
    keep(&mut world.rds.snapshots, &world.base, region, &name, &found)?;
    if let Some(kept) = world.rds.snapshots.get_mut(&at(region, &name)) {
        add_tags(&mut kept.tags, tags_of(input), TAGS)?;
    }
    let view = world.rds.snapshots[&at(region, &name)].render(&world.base, region, &name);
    Ok(json!({ "DBClusterSnapshot": view }))
}

/// One snapshot, those of a cluster, or all. A call finds an automated one by name only if it asks
/// for that type too.
pub(super) fn describe(world: &World, region: &str, input: &Value) -> Answer {
    let asked = text(input, "DBClusterSnapshotIdentifier").map(name_of);
    let cluster = text(input, "DBClusterIdentifier");
    let kind = text(input, "SnapshotType");
    let state = &world.rds.snapshots;
    let is_found = |name: &str| {
        state.contains_key(&at(region, name)) && type_of(name) == kind.unwrap_or(MANUAL)
    };
    if let Some(name) = asked.as_deref().filter(|name| !is_found(name)) {
        return Err(missing(name));
    }
    let fits = |name: &str, snapshot: &Snapshot| {
        asked.as_deref().is_none_or(|asked| asked == name)
            && kind.is_none_or(|kind| kind == type_of(name))
            && cluster.is_none_or(|cluster| cluster == snapshot.cluster.name)
    };
    let found = here(state, region).filter(|(name, snapshot)| fits(name, snapshot));
    let views =
        found.map(|(name, snapshot)| (name.to_owned(), snapshot.render(&world.base, region, name)));
    listed(input, ("DBClusterSnapshots", "DBClusterSnapshot"), views.collect())
}

/// Deletes a snapshot.
pub(super) fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "DBClusterSnapshotIdentifier", VALUE)?.to_lowercase();
    let gone = world.rds.snapshots.remove(&at(region, &name)).ok_or_else(|| missing(&name))?;
    Ok(json!({ "DBClusterSnapshot": gone.render(&world.base, region, &name) }))
}

/// Creates a cluster from a snapshot.
pub(super) fn restore(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = name_of(need(input, "SnapshotIdentifier", VALUE)?);
    need(input, "Engine", VALUE)?;
    let snapshot = world.rds.snapshots.get(&at(region, &name)).cloned();
    let snapshot = snapshot.ok_or_else(|| missing(&name))?;
    if snapshot.status(&world.base) != AVAILABLE || snapshot.cluster.name.is_empty() {
        let message = format!("The snapshot {name} is not available.");
        return Err(Refusal::new("InvalidDBClusterSnapshotStateFault", message));
    }
    make(world, region, input, Some(&snapshot.cluster))
}

/// Creates a cluster from the past state of another one.
pub(super) fn restore_to_time(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "SourceDBClusterIdentifier", VALUE)?;
    let source = world.rds.clusters.get(&at(region, name)).cloned();
    let source = source.ok_or_else(|| no_cluster(name))?;
    let latest = flag(input, "UseLatestRestorableTime").unwrap_or(false);
    match (text(input, "RestoreToTime"), latest) {
        (None, true) => {}
        (Some(asked), false) => {
            let parsed = OffsetDateTime::parse(asked, &Rfc3339);
            let seconds = parsed.map(|time| time.unix_timestamp() as f64);
            let (first, last) = window(&source, &world.base);
            if !seconds.is_ok_and(|seconds| (first.floor()..=last).contains(&seconds)) {
                let message = format!(
                    "The specified time {asked} is not between {} and {}.",
                    iso(first),
                    iso(last)
                );
                return Err(Refusal::new("InvalidRestoreFault", message));
            }
        }
        _ => {
            let message = "Exactly one of RestoreToTime and UseLatestRestorableTime is required.";
            return Err(Refusal::new(COMBINATION, message));
        }
    }
    make(world, region, input, Some(&source))
}
