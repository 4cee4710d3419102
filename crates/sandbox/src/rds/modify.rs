//! Changes of clusters and instances.

use serde_json::{Value, json};

use super::super::toolbox::{at, flag, need, number, text};
use super::super::{Answer, Refusal, World};
use super::clusters::{
    backup_days, busy, exports, full_version, major, missing, password, scaling, security_groups,
    write_logs,
};
use super::instances::{self, insights, monitoring, stand, valid_class};
use super::{AVAILABLE, COMBINATION, STOPPED, Stage, VALUE, parameters};

/// The version that a request upgrades a cluster to.
pub(super) fn upgrade(from: &str, input: &Value) -> Result<Option<String>, Refusal> {
    let Some(asked) = text(input, "EngineVersion") else { return Ok(None) };
    let to = full_version(asked)?;
    let numbers = |version: &str| -> Vec<u32> {
        version.split('.').filter_map(|number| number.parse().ok()).collect()
    };
    if numbers(&to) < numbers(from) {
        let message = format!("Cannot upgrade aurora-postgresql from {from} to {to}");
        return Err(Refusal::new(COMBINATION, message));
    }
    if major(&to) != major(from) && flag(input, "AllowMajorVersionUpgrade") != Some(true) {
        let message = "The AllowMajorVersionUpgrade flag must be present when upgrading to a new \
                       major version.";
        return Err(Refusal::new(COMBINATION, message));
    }
    Ok(Some(to))
}

pub(super) fn cluster(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "DBClusterIdentifier", VALUE)?;
    let place = at(region, name);
    let was = world.rds.clusters.get(&place).ok_or_else(|| missing(name))?;
    if !was.stage.is(AVAILABLE) {
        return Err(busy(name, &was.stage.status));
    }
    let mut cluster = was.clone();
    let at_once = flag(input, "ApplyImmediately").unwrap_or(false);
    // Without ApplyImmediately, AWS waits for the maintenance window. It never comes here.
    if let Some(version) = upgrade(&cluster.version, input)?.filter(|_| at_once) {
        cluster.version = version;
    }
    if let Some(days) = backup_days(input)?.filter(|_| at_once) {
        cluster.backup_days = days;
    }
    if let Some(on) = flag(input, "EnableIAMDatabaseAuthentication").filter(|_| at_once) {
        cluster.iam = on;
    }
    if let Some(group) = text(input, "DBClusterParameterGroupName") {
        cluster.parameter_group = group.to_owned();
    }
    parameters::fits(world, region, &cluster.parameter_group, &cluster.version)?;
    if let Some(port) = number(input, "Port") {
        cluster.port = port;
    }
    if let Some(groups) = security_groups(world, region, input)? {
        cluster.groups = groups;
    }
    if let Some(scaling) = scaling(input)? {
        cluster.scaling = Some(scaling);
    }
    if let Some(window) = text(input, "PreferredBackupWindow") {
        cluster.backup_window = window.to_lowercase();
    }
    if let Some(window) = text(input, "PreferredMaintenanceWindow") {
        cluster.maintenance_window = window.to_lowercase();
    }
    if let Some(on) = flag(input, "DeletionProtection") {
        if cluster.protected && !on {
            cluster.unprotected = world.base.now();
        }
        cluster.protected = on;
    }
    if let Some(on) = flag(input, "CopyTagsToSnapshot") {
        cluster.copies_tags = on;
    }
    if let Some(change) = input.get("CloudwatchLogsExportConfiguration") {
        cluster.exports.extend(exports(change, "EnableLogTypes")?);
        for name in exports(change, "DisableLogTypes")? {
            cluster.exports.remove(&name);
        }
    }
    let reset = text(input, "MasterUserPassword");
    if let Some(asked) = reset {
        cluster.password = password(asked)?;
    }
    let status = if reset.is_some() { "resetting-master-credentials" } else { "modifying" };
    cluster.stage = Stage::begin(&world.base, status, 60.0);
    let World { base, rds, ec2, .. } = &mut *world;
    for member in instances::members_of(&rds.instances, region, &cluster.name) {
        stand(ec2, base, region, member, cluster.groups.clone());
    }
    let answer = json!({ "DBCluster": cluster.render(&world.rds, region) });
    world.rds.clusters.insert(place, cluster);
    write_logs(world, region, name);
    Ok(answer)
}

/// Starts or stops a cluster with its instances.
pub(super) fn run(world: &mut World, region: &str, input: &Value, on: bool) -> Answer {
    let name = need(input, "DBClusterIdentifier", VALUE)?;
    let (from, status) = if on { (STOPPED, "starting") } else { (AVAILABLE, "stopping") };
    let stage = Stage::begin(&world.base, status, 300.0);
    let cluster = world.rds.clusters.get_mut(&at(region, name)).ok_or_else(|| missing(name))?;
    if !cluster.stage.is(from) {
        return Err(busy(name, &cluster.stage.status));
    }
    cluster.stage = stage.clone();
    let cluster = cluster.clone();
    for mut member in world.rds.instances.values_mut().filter(|one| one.cluster == cluster.name) {
        member.stage = stage.clone();
    }
    Ok(json!({ "DBCluster": cluster.render(&world.rds, region) }))
}

pub(super) fn instance(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "DBInstanceIdentifier", VALUE)?;
    let place = at(region, name);
    let was = world.rds.instances.get(&place).ok_or_else(|| instances::missing(name))?;
    if !was.stage.is(AVAILABLE) {
        let message = format!("Database instance is not in available state: {}.", was.stage.status);
        return Err(Refusal::new("InvalidDBInstanceState", message));
    }
    let mut instance = was.clone();
    let at_once = flag(input, "ApplyImmediately").unwrap_or(false);
    if let Some(class) = text(input, "DBInstanceClass").filter(|_| at_once) {
        let parent = world.rds.clusters.get(&at(region, &instance.cluster));
        valid_class(parent.ok_or_else(|| missing(&instance.cluster))?, class)?;
        instance.class = class.to_owned();
    }
    if let Some(tier) = number(input, "PromotionTier") {
        instance.tier = tier;
    }
    if let Some(on) = flag(input, "PubliclyAccessible") {
        instance.public = on;
    }
    if let Some(on) = flag(input, "AutoMinorVersionUpgrade") {
        instance.upgrades = on;
    }
    match flag(input, "EnablePerformanceInsights") {
        Some(true) => instance.insights = insights(input)?,
        Some(false) => instance.insights = None,
        None => {}
    }
    if let Some(monitoring) = monitoring(input)? {
        instance.monitoring = monitoring;
    }
    instance.stage = Stage::begin(&world.base, "modifying", 120.0);
    let answer = json!({ "DBInstance": instance.render(world, region) });
    world.rds.instances.insert(place, instance);
    Ok(answer)
}
