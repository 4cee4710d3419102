//! Clusters.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::ec2::lent;
use super::super::toolbox::{
    KEY_VALUE, Tags, add_tags, at, digest, flag, here, iso, need, number, tag_pairs, text,
};
use super::super::{Answer, Refusal, World, kms, logs};
use super::{
    AVAILABLE, COMBINATION, Stage, State, TAGS, VALUE, age, arn, groups, instances, is_identifier,
    listed, modify, names, parameters, snapshots, tags_of,
};

/// A cluster.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cluster {
    pub name: String,
    pub version: String,
    pub database: Option<String>,
    pub user: String,
    /// A digest of the password. It only shows whether another password is the same.
    pub password: String,
    pub port: i64,
    pub subnet_group: String,
    pub groups: Vec<String>,
    pub parameter_group: String,
    pub scaling: Option<Scaling>,
    pub key: String,
    pub backup_days: i64,
    pub backup_window: String,
    pub maintenance_window: String,
    pub protected: bool,
    /// When its deletion protection was turned off.
    pub unprotected: f64,
    pub copies_tags: bool,
    pub exports: BTreeSet<String>,
    pub iam: bool,
    pub data_api: bool,
    pub created: f64,
    pub tags: Tags,
    pub stage: Stage,
}

/// The scaling limits of serverless instances.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Scaling {
    pub min: f64,
    pub max: f64,
    pub pause: Option<i64>,
}

/// How long a strict sandbox refuses to delete a cluster after its protection was turned off, in
/// seconds.
const UNPROTECTING: f64 = 20.0;

const ENGINE: &str = "aurora-postgresql";

/// The versions on offer, oldest first. AWS retires them one by one, and then new clusters cannot
/// have them.
const OFFERED: [&str; 31] = [
    "13.23", "14.17", "14.18", "14.19", "14.20", "14.22", "14.23", "14.24", "15.10", "15.12",
    "15.13", "15.14", "15.15", "15.17", "15.18", "15.19", "16.8", "16.9", "16.10", "16.11",
    "16.13", "16.14", "16.15", "17.4", "17.5", "17.6", "17.7", "17.9", "17.10", "17.11", "18.3",
];

/// The logs that a cluster can export.
const LOGS: [&str; 3] = ["iam-db-auth-error", "instance", "postgresql"];

pub(super) fn missing(name: &str) -> Refusal {
    Refusal::new("DBClusterNotFoundFault", format!("DBCluster {name} not found.")).with_status(404)
}

pub(super) fn busy(name: &str, status: &str) -> Refusal {
    let message = format!("DB cluster {name} is not in available state: it is {status}.");
    Refusal::new("InvalidDBClusterStateFault", message)
}

/// The major part of a version.
pub(super) fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or(version)
}

/// The version that a request names. A major version stands for its newest one.
pub(super) fn full_version(asked: &str) -> Result<String, Refusal> {
    let newest = OFFERED.iter().rfind(|offered| **offered == asked || major(offered) == asked);
    newest.map(|newest| (*newest).to_owned()).ok_or_else(|| {
        Refusal::new(COMBINATION, format!("Cannot find version {asked} for {ENGINE}"))
    })
}

/// The versions on offer.
pub(super) fn versions(input: &Value) -> Answer {
    if text(input, "Engine").is_some_and(|engine| engine != ENGINE) {
        return Err(Refusal::not_covered("rds", "DescribeDBEngineVersions of other engines"));
    }
    let views = OFFERED.iter().enumerate().map(|(at, version)| {
        let view = json!({
            "Engine": ENGINE,
            "EngineVersion": version,
            "DBParameterGroupFamily": format!("{ENGINE}{}", major(version)),
            "Status": "available",
        });
        (format!("{at:04}"), view)
    });
    listed(input, ("DBEngineVersions", "DBEngineVersion"), views.collect())
}

/// The scaling limits of a request, if they are valid.
pub(super) fn scaling(input: &Value) -> Result<Option<Scaling>, Refusal> {
    let Some(sent) = input.get("ServerlessV2ScalingConfiguration") else { return Ok(None) };
    let capacity = |key| text(sent, key).and_then(|text| text.parse::<f64>().ok());
    let (min, max) = (capacity("MinCapacity"), capacity("MaxCapacity"));
    let (Some(min), Some(max)) = (min, max) else {
        let message = "Both MinCapacity and MaxCapacity are required for ServerlessV2.";
        return Err(Refusal::new(COMBINATION, message));
    };
    let pause = number(sent, "SecondsUntilAutoPause");
    let steps = |capacity: f64| (capacity * 2.0).fract() == 0.0;
    let fits =
        steps(min) && steps(max) && (0.0..=max).contains(&min) && (1.0..=256.0).contains(&max);
    if !fits || pause.is_some_and(|pause| min > 0.0 || !(300..=86_400).contains(&pause)) {
        let message = format!("Serverless v2 capacity from {min} to {max} isn't valid.");
        return Err(Refusal::new(VALUE, message));
    }
    // The pause comes after five minutes by default. RDS returns that even if the cluster cannot
    // pause.
    Ok(Some(Scaling { min, max, pause: pause.or(Some(300)) }))
}

/// The logs in a request, if a cluster can export them.
pub(super) fn exports(input: &Value, key: &str) -> Result<BTreeSet<String>, Refusal> {
    let asked: BTreeSet<String> = names(input, key).into_iter().collect();
    match asked.iter().find(|name| !LOGS.contains(&name.as_str())) {
        Some(name) => {
            let message = format!("You cannot use the log types '{name}' with engine {ENGINE}.");
            Err(Refusal::new(COMBINATION, message))
        }
        None => Ok(asked),
    }
}

/// The valid retention of backups, in days.
pub(super) fn backup_days(input: &Value) -> Result<Option<i64>, Refusal> {
    match number(input, "BackupRetentionPeriod") {
        Some(days) if !(1..=35).contains(&days) => {
            let message =
                format!("Invalid backup retention period: {days}. Must be between 1 and 35.");
            Err(Refusal::new(VALUE, message))
        }
        days => Ok(days),
    }
}

/// The security groups of a request. They must exist.
pub(super) fn security_groups(
    world: &World,
    region: &str,
    input: &Value,
) -> Result<Option<Vec<String>>, Refusal> {
    let asked = names(input, "VpcSecurityGroupIds");
    match asked.iter().find(|id| lent::vpc_of_group(world, region, id).is_none()) {
        Some(group) => {
            let message = format!("Invalid security group, groupId= {group}, groupName=.");
            Err(Refusal::new(VALUE, message))
        }
        None => Ok(Some(asked).filter(|asked| !asked.is_empty())),
    }
}

fn credentials(input: &Value) -> Result<(String, String), Refusal> {
    let user = need(input, "MasterUsername", COMBINATION)?;
    if ["admin", "rdsadmin", "postgres_superuser"].contains(&user) {
        let message = format!(
            "MasterUsername {user} cannot be used as it is a reserved word used by the engine"
        );
        return Err(Refusal::new(VALUE, message));
    }
    let user = user.to_owned();
    Ok((user, password(need(input, "MasterUserPassword", COMBINATION)?)?))
}

/// The digest of a valid password.
pub(super) fn password(password: &str) -> Result<String, Refusal> {
    let allowed = |c: char| c.is_ascii_graphic() && !"/\"@".contains(c);
    if !(8..=41).contains(&password.len()) || !password.chars().all(allowed) {
        let message = "The parameter MasterUserPassword is not a valid password.";
        return Err(Refusal::new(VALUE, message));
    }
    Ok(digest(password))
}

pub(super) fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    if need(input, "Engine", VALUE)? != ENGINE {
        return Err(Refusal::not_covered("rds", "CreateDBCluster of other engines"));
    }
    make(world, region, input, None)
}

/// Creates a cluster, or restores one.
pub(super) fn make(
    world: &mut World,
    region: &str,
    input: &Value,
    source: Option<&Cluster>,
) -> Answer {
    let name = need(input, "DBClusterIdentifier", VALUE)?.to_lowercase();
    let place = at(region, &name);
    if !is_identifier(&name, 63) {
        return Err(Refusal::new(VALUE, format!("Invalid DB cluster identifier: {name}")));
    }
    if world.rds.clusters.contains_key(&place) {
        let message = "DB Cluster already exists";
        return Err(Refusal::new("DBClusterAlreadyExistsFault", message));
    }
    let (user, password) = match source {
        Some(source) => (source.user.clone(), source.password.clone()),
        None => credentials(input)?,
    };
    let version = match (source, text(input, "EngineVersion")) {
        (Some(source), None) => source.version.clone(),
        (Some(source), Some(_)) => {
            modify::upgrade(&source.version, input)?.unwrap_or_else(|| source.version.clone())
        }
        (None, asked) => full_version(asked.unwrap_or("16"))?,
    };
    let subnet_group = text(input, "DBSubnetGroupName").unwrap_or("default").to_owned();
    if !world.rds.subnet_groups.contains_key(&at(region, &subnet_group)) {
        return Err(groups::missing(&subnet_group));
    }
    let default = format!("default.{ENGINE}{}", major(&version));
    let parameter_group = text(input, "DBClusterParameterGroupName").unwrap_or(&default);
    parameters::fits(world, region, parameter_group, &version)?;
    let key = text(input, "KmsKeyId").or(source.map(|source| source.key.as_str()));
    let key = key.unwrap_or("alias/aws/rds");
    let Some(key) = kms::usable(&world.kms, region, key) else {
        let message = format!("The specified KMS key [{key}] does not exist or is not enabled.");
        return Err(Refusal::new("KMSKeyNotAccessibleFault", message));
    };
    let port = number(input, "Port").or(source.map(|source| source.port)).unwrap_or(5432);
    if !(1150..=65535).contains(&port) {
        return Err(Refusal::new(VALUE, format!("Invalid port: {port}")));
    }
    let mut tags = Tags::new();
    add_tags(&mut tags, tags_of(input), TAGS)?;
    let window = |key, default: &str| text(input, key).unwrap_or(default).to_lowercase();
    let days = source.map_or(1, |source| source.backup_days);
    let seconds = if source.is_some() { 900.0 } else { 90.0 };
    let begins = source.map(|source| source.database.clone());
    let (backup_window, maintenance_window) = match source {
        Some(source) => (source.backup_window.as_str(), source.maintenance_window.as_str()),
        None => ("07:12-07:42", "sun:04:10-sun:04:40"),
    };
    let cluster = Cluster {
        version,
        database: begins.unwrap_or_else(|| text(input, "DatabaseName").map(str::to_owned)),
        user,
        password,
        port,
        subnet_group,
        groups: security_groups(world, region, input)?.unwrap_or_default(),
        parameter_group: parameter_group.to_owned(),
        scaling: scaling(input)?,
        key,
        backup_days: backup_days(input)?.unwrap_or(days),
        backup_window: window("PreferredBackupWindow", backup_window),
        maintenance_window: window("PreferredMaintenanceWindow", maintenance_window),
        protected: flag(input, "DeletionProtection").unwrap_or(false),
        unprotected: 0.0,
        copies_tags: flag(input, "CopyTagsToSnapshot").unwrap_or(false),
        exports: exports(input, "EnableCloudwatchLogsExports")?,
        iam: flag(input, "EnableIAMDatabaseAuthentication").unwrap_or(false),
        data_api: flag(input, "EnableHttpEndpoint").unwrap_or(false),
        created: world.base.now().floor(),
        tags,
        stage: Stage::begin(&world.base, "creating", seconds),
        name,
    };
    let answer = json!({ "DBCluster": cluster.render(&world.rds, region) });
    let name = cluster.name.clone();
    world.rds.clusters.insert(place, cluster);
    write_logs(world, region, &name);
    Ok(answer)
}

impl Cluster {
    pub(super) fn render(&self, state: &State, region: &str) -> Value {
        let hash = &digest(&at(region, &self.name))[..12];
        let host = |kind: &str| format!("{}.{kind}{hash}.{region}.rds.amazonaws.com", self.name);
        let members = here(&state.instances, region)
            .filter(|(_, instance)| instance.cluster == self.name)
            .enumerate()
            .map(|(at, (name, instance))| {
                json!({
                    "DBInstanceIdentifier": name,
                    "IsClusterWriter": at == 0,
                    "DBClusterParameterGroupStatus": "in-sync",
                    "PromotionTier": instance.tier,
                })
            });
        let groups = self
            .groups
            .iter()
            .map(|group| json!({ "VpcSecurityGroupId": group, "Status": "active" }));
        let scaling = self.scaling.as_ref().map(|scaling| {
            json!({
                "MinCapacity": scaling.min,
                "MaxCapacity": scaling.max,
                "SecondsUntilAutoPause": scaling.pause,
            })
        });
        let zones = ["a", "b", "c"].map(|zone| format!("{region}{zone}"));
        let mut view = json!({
            "DBClusterIdentifier": self.name,
            "DBClusterArn": arn(region, "cluster", &self.name),
            "DbClusterResourceId": format!("cluster-{}", hash.to_uppercase()),
            "Status": self.stage.status,
            "Engine": ENGINE,
            "EngineVersion": self.version,
            "EngineMode": "provisioned",
            "DatabaseName": self.database,
            "MasterUsername": self.user,
            "Endpoint": host("cluster-"),
            "ReaderEndpoint": host("cluster-ro-"),
            "Port": self.port,
            "MultiAZ": false,
            "AllocatedStorage": 1,
            "AvailabilityZones": { "AvailabilityZone": zones },
            "DBSubnetGroup": self.subnet_group,
            "DBClusterParameterGroup": self.parameter_group,
            "DBClusterMembers": { "DBClusterMember": members.collect::<Vec<_>>() },
            "VpcSecurityGroups": { "VpcSecurityGroupMembership": groups.collect::<Vec<_>>() },
        });
        let rest = json!({
            "AutoMinorVersionUpgrade": true,
            "DatabaseInsightsMode": "standard",
            "EngineLifecycleSupport": "open-source-rds-extended-support",
            "NetworkType": "IPV4",
            "StorageEncrypted": true,
            "KmsKeyId": self.key,
            "BackupRetentionPeriod": self.backup_days,
            "PreferredBackupWindow": self.backup_window,
            "PreferredMaintenanceWindow": self.maintenance_window,
            "DeletionProtection": self.protected,
            "CopyTagsToSnapshot": self.copies_tags,
            "IAMDatabaseAuthenticationEnabled": self.iam,
            "HttpEndpointEnabled": self.data_api,
            "ServerlessV2ScalingConfiguration": scaling,
            "ClusterCreateTime": iso(self.created),
            "TagList": { "Tag": tag_pairs(&self.tags, KEY_VALUE) },
        });
        if let (Some(view), Value::Object(rest)) = (view.as_object_mut(), rest) {
            view.extend(rest);
            if !self.exports.is_empty() {
                let exports = json!({ "member": self.exports });
                view.insert("EnabledCloudwatchLogsExports".into(), exports);
            }
        }
        view
    }
}

pub(super) fn describe(world: &mut World, region: &str, input: &Value) -> Answer {
    let asked = text(input, "DBClusterIdentifier");
    if let Some(name) = asked.filter(|name| !world.rds.clusters.contains_key(&at(region, name))) {
        return Err(missing(name));
    }
    let clusters = here(&world.rds.clusters, region);
    let clusters = clusters.filter(|(name, _)| asked.is_none_or(|asked| asked == *name));
    let views = clusters.map(|(name, cluster)| {
        let mut view = cluster.render(&world.rds, region);
        let (first, last) = snapshots::window(cluster, &world.base);
        view["EarliestRestorableTime"] = iso(first).into();
        view["LatestRestorableTime"] = iso(last).into();
        (name.to_owned(), view)
    });
    let answer = listed(input, ("DBClusters", "DBCluster"), views.collect());
    age(world, region);
    answer
}

pub(super) fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "DBClusterIdentifier", VALUE)?;
    // The cluster writes its last log events.
    write_logs(world, region, name);
    let State { clusters, instances, snapshots, .. } = &mut world.rds;
    let cluster = clusters.get_mut(&at(region, name)).ok_or_else(|| missing(name))?;
    let since = world.base.now() - cluster.unprotected;
    if cluster.protected || world.base.strict && since < UNPROTECTING {
        let message = "Cannot delete protected Cluster, please disable deletion protection and \
                       try again.";
        return Err(Refusal::new(COMBINATION, message));
    }
    let snapshot = text(input, "FinalDBSnapshotIdentifier");
    if flag(input, "SkipFinalSnapshot").unwrap_or(false) == snapshot.is_some() {
        let message = "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is \
                       specified.";
        return Err(Refusal::new(COMBINATION, message));
    }
    if !cluster.stage.is(AVAILABLE) {
        return Err(busy(name, &cluster.stage.status));
    }
    let stays = |instance: &instances::Instance| !instance.stage.is("deleting");
    if instances::members_of(instances, region, name).any(stays) {
        let message = "Cluster cannot be deleted, it still contains DB instances in non-deleting \
                       state.";
        return Err(Refusal::new("InvalidDBClusterStateFault", message));
    }
    if let Some(snapshot) = snapshot {
        snapshots::keep(snapshots, &world.base, region, snapshot, cluster)?;
    }
    cluster.stage = Stage::begin(&world.base, "deleting", 120.0);
    let cluster = cluster.clone();
    Ok(json!({ "DBCluster": cluster.render(&world.rds, region) }))
}

/// Creates the log groups of the exported logs, because the cluster writes to them.
pub(super) fn write_logs(world: &mut World, region: &str, name: &str) {
    let cluster = world.rds.clusters.get(&at(region, name));
    for log in cluster.map(|cluster| cluster.exports.clone()).unwrap_or_default() {
        logs::ensure(world, region, &format!("/aws/rds/cluster/{name}/{log}"));
    }
}

/// Turns the Data API on or off.
pub(super) fn data_api(world: &mut World, input: &Value, on: bool) -> Answer {
    let arn = need(input, "ResourceArn", VALUE)?;
    let parts: Vec<&str> = arn.split(':').collect();
    let found = match parts.as_slice() {
        [_, _, _, region, _, "cluster", name] => world.rds.clusters.get_mut(&at(region, name)),
        _ => None,
    };
    let not_found = || Refusal::new("ResourceNotFoundFault", format!("no cluster {arn}"));
    found.ok_or_else(not_found)?.data_api = on;
    Ok(json!({ "ResourceArn": arn, "HttpEndpointEnabled": on }))
}
