//! Instances of clusters. Each has an interface in a subnet of its cluster's group.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::ec2;
use super::super::ec2::lent::{self, Lent};
use super::super::ec2::zones;
use super::super::toolbox::{
    KEY_VALUE, Tags, add_tags, at, flag, here, need, number, tag_pairs, text,
};
use super::super::{Answer, Base, Refusal, World};
use super::clusters::{self, Cluster};
use super::{
    AVAILABLE, COMBINATION, STOPPED, Stage, TAGS, VALUE, age, arn, is_identifier, items, listed,
    names, tags_of,
};

/// An instance.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Instance {
    pub name: String,
    pub cluster: String,
    pub class: String,
    pub tier: i64,
    /// How long Performance Insights keeps its data, or none if it is off.
    pub insights: Option<i64>,
    /// The interval and the role of Enhanced Monitoring.
    pub monitoring: Option<(i64, String)>,
    pub public: bool,
    pub upgrades: bool,
    /// The subnet of its interface.
    pub subnet: String,
    pub tags: Tags,
    pub stage: Stage,
}

/// The instances of a cluster.
pub(super) fn members_of<'a>(
    instances: &'a BTreeMap<String, Instance>,
    region: &'a str,
    cluster: &'a str,
) -> impl Iterator<Item = &'a Instance> {
    here(instances, region).map(|(_, one)| one).filter(move |one| one.cluster == cluster)
}

/// The members that a call must set on the cluster.
const CLUSTERS_OWN: [&str; 7] = [
    "AllocatedStorage",
    "BackupRetentionPeriod",
    "CopyTagsToSnapshot",
    "DeletionProtection",
    "MasterUserPassword",
    "PreferredBackupWindow",
    "StorageEncrypted",
];

pub(super) fn missing(name: &str) -> Refusal {
    Refusal::new("DBInstanceNotFound", format!("DBInstance {name} not found.")).with_status(404)
}

/// Creates the interface of an instance, with these groups.
pub(super) fn stand(
    network: &mut ec2::State,
    base: &mut Base,
    region: &str,
    instance: &Instance,
    groups: Vec<String>,
) {
    let wanted = Lent {
        subnet: instance.subnet.clone(),
        groups,
        kind: "interface".into(),
        description: "RDSNetworkInterface".into(),
        owner: "amazon-rds".into(),
        ..Lent::default()
    };
    lent::keep(network, base, region, &holder(&instance.name), Some(wanted));
}

/// Removes its interface.
pub(super) fn leave(network: &mut ec2::State, base: &mut Base, region: &str, name: &str) {
    lent::keep(network, base, region, &holder(name), None);
}

/// The holder of an instance's interface.
fn holder(name: &str) -> String {
    format!("rds:{name}")
}

/// Checks that a class exists and that the cluster supports it.
pub(super) fn valid_class(cluster: &Cluster, class: &str) -> Result<(), Refusal> {
    if class == "db.serverless" && cluster.scaling.is_none() {
        let message = "Set the Serverless v2 scaling configuration on the parent DB cluster \
                       before creating a Serverless v2 DB instance.";
        return Err(Refusal::new("InvalidDBClusterStateFault", message));
    }
    if exists(class) {
        Ok(())
    } else {
        Err(Refusal::new(
            COMBINATION,
            format!(
                "RDS does not support creating a DB instance with the following combination: \
                 DBInstanceClass={class}, Engine=aurora-postgresql"
            ),
        ))
    }
}

/// The zones that offer a class.
pub(super) fn orderable(region: &str, input: &Value) -> Answer {
    let engine = need(input, "Engine", VALUE)?;
    let Some(class) = text(input, "DBInstanceClass") else {
        let call = "DescribeOrderableDBInstanceOptions without a class";
        return Err(Refusal::not_covered("rds", call));
    };
    let zones = zones::names(region).into_iter().filter(|zone| !zones::is_full(region, zone));
    let zones: Vec<Value> = zones.map(|zone| json!({ "Name": zone })).collect();
    let view = json!({
        "Engine": engine,
        "EngineVersion": text(input, "EngineVersion").unwrap_or("15.19"),
        "DBInstanceClass": class,
        "AvailabilityZones": { "AvailabilityZone": zones },
        "Vpc": true,
    });
    let views = Some(("1".to_owned(), view)).filter(|_| exists(class));
    let list = ("OrderableDBInstanceOptions", "OrderableDBInstanceOption");
    listed(input, list, views.into_iter().collect())
}

/// Whether Aurora PostgreSQL has a class.
fn exists(class: &str) -> bool {
    let parts: Vec<&str> = class.split('.').collect();
    let small = matches!(parts.last(), Some(&"micro" | &"small"));
    match parts.as_slice() {
        ["db", "serverless"] => true,
        ["db", family, _] => !small && ["r", "t", "x"].iter().any(|f| family.starts_with(f)),
        _ => false,
    }
}

/// The interval and the role of a request, which need each other.
pub(super) fn monitoring(input: &Value) -> Result<Option<Option<(i64, String)>>, Refusal> {
    let Some(interval) = number(input, "MonitoringInterval") else { return Ok(None) };
    match (interval, text(input, "MonitoringRoleArn")) {
        (0, _) => Ok(Some(None)),
        (1 | 5 | 10 | 15 | 30 | 60, Some(role)) => Ok(Some(Some((interval, role.to_owned())))),
        (_, None) => {
            let message = "A MonitoringRoleARN value is required if you specify a \
                           MonitoringInterval value other than 0.";
            Err(Refusal::new(COMBINATION, message))
        }
        _ => Err(Refusal::new(VALUE, format!("Invalid monitoring interval: {interval}"))),
    }
}

/// The retention of Performance Insights, if it is valid.
pub(super) fn insights(input: &Value) -> Result<Option<i64>, Refusal> {
    let days = number(input, "PerformanceInsightsRetentionPeriod").unwrap_or(7);
    let months = days % 31 == 0 && (31..=713).contains(&days);
    if days == 7 || months || days == 731 {
        Ok(Some(days))
    } else {
        let message = format!("Invalid Performance Insights retention period: {days}");
        Err(Refusal::new(VALUE, message))
    }
}

pub(super) fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "DBInstanceIdentifier", VALUE)?.to_lowercase();
    if !is_identifier(&name, 63) {
        return Err(Refusal::new(VALUE, format!("Invalid DB instance identifier: {name}")));
    }
    if world.rds.instances.contains_key(&at(region, &name)) {
        return Err(Refusal::new("DBInstanceAlreadyExists", "DB Instance already exists"));
    }
    let cluster = need(input, "DBClusterIdentifier", COMBINATION)?.to_owned();
    let parent = world.rds.clusters.get(&at(region, &cluster));
    let parent = parent.ok_or_else(|| clusters::missing(&cluster))?;
    if let Some(own) = CLUSTERS_OWN.iter().find(|own| input.get(**own).is_some()) {
        let message = format!(
            "The requested DB Instance will be a member of a DB Cluster. Set {own} for the DB Cluster."
        );
        return Err(Refusal::new(COMBINATION, message));
    }
    if parent.stage.is("deleting") {
        return Err(clusters::busy(&cluster, "deleting"));
    }
    if need(input, "Engine", VALUE)? != "aurora-postgresql" {
        let message = "The engine of the instance must be that of the cluster.";
        return Err(Refusal::new(COMBINATION, message));
    }
    let class = need(input, "DBInstanceClass", VALUE)?.to_owned();
    valid_class(parent, &class)?;
    let members = members_of(&world.rds.instances, region, &cluster).count();
    if members >= 16 {
        let message = "The cluster has 15 readers already.";
        return Err(Refusal::new("InvalidDBClusterStateFault", message));
    }
    let tier = number(input, "PromotionTier").unwrap_or(1);
    if !(0..=15).contains(&tier) {
        return Err(Refusal::new(VALUE, format!("Invalid promotion tier: {tier}")));
    }
    let mut tags = Tags::new();
    add_tags(&mut tags, tags_of(input), TAGS)?;
    let on = flag(input, "EnablePerformanceInsights").unwrap_or(false);
    let mut instance = Instance {
        class,
        tier,
        insights: if on { insights(input)? } else { None },
        monitoring: monitoring(input)?.flatten(),
        public: flag(input, "PubliclyAccessible").unwrap_or(false),
        upgrades: flag(input, "AutoMinorVersionUpgrade").unwrap_or(true),
        tags,
        stage: Stage::begin(&world.base, "creating", 300.0),
        cluster,
        name,
        subnet: String::new(),
    };
    let subnets = world.rds.subnet_groups.get(&at(region, &parent.subnet_group));
    let subnets = subnets.map(|group| group.subnets.clone()).unwrap_or_default();
    let place = members % subnets.len().max(1);
    instance.subnet = subnets.into_iter().nth(place).unwrap_or_default();
    let groups = parent.groups.clone();
    stand(&mut world.ec2, &mut world.base, region, &instance, groups);
    let answer = json!({ "DBInstance": instance.render(world, region) });
    world.rds.instances.insert(at(region, &instance.name), instance);
    Ok(answer)
}

impl Instance {
    pub(super) fn render(&self, world: &World, region: &str) -> Value {
        let cluster = world.rds.clusters.get(&at(region, &self.cluster));
        let endpoint = cluster.filter(|_| !self.stage.is("creating")).map(|cluster| {
            let address = format!("{}.sandbox.{region}.rds.amazonaws.com", self.name);
            json!({ "Address": address, "Port": cluster.port })
        });
        json!({
            "DBInstanceIdentifier": self.name,
            "DBInstanceArn": arn(region, "db", &self.name),
            "DBInstanceStatus": self.stage.status,
            "DBInstanceClass": self.class,
            "DBClusterIdentifier": self.cluster,
            "Engine": "aurora-postgresql",
            "EngineVersion": cluster.map(|cluster| cluster.version.as_str()),
            "Endpoint": endpoint,
            "AllocatedStorage": 1,
            "StorageType": "aurora",
            "StorageEncrypted": true,
            "MultiAZ": false,
            "BackupTarget": "region",
            "CACertificateIdentifier": "rds-ca-rsa2048-g1",
            "CopyTagsToSnapshot": false,
            "DedicatedLogVolume": false,
            "DeletionProtection": false,
            "LicenseModel": "postgresql-license",
            "NetworkType": "IPV4",
            "PromotionTier": self.tier,
            "PubliclyAccessible": self.public,
            "AutoMinorVersionUpgrade": self.upgrades,
            "PerformanceInsightsEnabled": self.insights.is_some(),
            "PerformanceInsightsRetentionPeriod": self.insights,
            "MonitoringInterval": self.monitoring.as_ref().map_or(0, |(interval, _)| *interval),
            "MonitoringRoleArn": self.monitoring.as_ref().map(|(_, role)| role),
            "PreferredMaintenanceWindow": "sat:06:20-sat:06:50",
            "TagList": { "Tag": tag_pairs(&self.tags, KEY_VALUE) },
        })
    }
}

pub(super) fn describe(world: &mut World, region: &str, input: &Value) -> Answer {
    let asked = text(input, "DBInstanceIdentifier");
    if let Some(name) = asked.filter(|name| !world.rds.instances.contains_key(&at(region, name))) {
        return Err(missing(name));
    }
    let instances = here(&world.rds.instances, region);
    let filters = items(input, "Filters").iter();
    let clusters: Option<Vec<String>> = filters
        .filter(|filter| text(filter, "Name") == Some("db-cluster-id"))
        .map(|filter| names(filter, "Values"))
        .next();
    let instances = instances.filter(|(name, instance)| {
        asked.is_none_or(|asked| asked == *name)
            && clusters.as_ref().is_none_or(|clusters| clusters.contains(&instance.cluster))
    });
    let views = instances.map(|(name, instance)| (name.to_owned(), instance.render(world, region)));
    let answer = listed(input, ("DBInstances", "DBInstance"), views.collect());
    age(world, region);
    answer
}

pub(super) fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "DBInstanceIdentifier", VALUE)?;
    let stage = Stage::begin(&world.base, "deleting", 240.0);
    let instance = world.rds.instances.get_mut(&at(region, name)).ok_or_else(|| missing(name))?;
    if text(input, "FinalDBSnapshotIdentifier").is_some() {
        let message = "FinalDBSnapshotIdentifier can not be specified when deleting a cluster \
                       instance";
        return Err(Refusal::new(COMBINATION, message));
    }
    if instance.stage.is("deleting") {
        let message = format!("Instance {name} is already being deleted.");
        return Err(Refusal::new("InvalidDBInstanceState", message));
    }
    if instance.stage.is(STOPPED) || !instance.stage.is(AVAILABLE) && world.base.strict {
        let message = format!("Instance {name} is {}.", instance.stage.status);
        return Err(Refusal::new("InvalidDBInstanceState", message));
    }
    instance.stage = stage;
    let instance = instance.clone();
    Ok(json!({ "DBInstance": instance.render(world, region) }))
}
