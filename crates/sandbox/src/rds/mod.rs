//! The sandbox's RDS: Aurora PostgreSQL clusters with their instances and groups.
//!
//! Quirks kept: States take time. A cluster can be deleted only without protection and when all its
//! instances are being deleted, and the call decides about a final snapshot. Groups in use cannot
//! be deleted. Windows and keys come back even if the call did not set them. The interfaces of the
//! instances block subnets and security groups. Exported logs create their own log groups. The
//! sandbox checks passwords and does not store them, but can tell whether one differs. A restored
//! cluster has the users and the password of its source, but not its instances.

mod clusters;
mod groups;
mod instances;
mod modify;
mod parameters;
mod snapshots;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::passing::Passing;
use super::shelf::{Shelf, kept};
use super::toolbox::{
    KEY_VALUE, Tags, add_tags, at, here, need, number, page, put, remove_tags, tag_pairs, text,
};
use super::{ACCOUNT, Answer, Base, Call, Refusal, World};

/// The state of RDS, by region and name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    clusters: Shelf<clusters::Cluster>,
    instances: Shelf<instances::Instance>,
    parameter_groups: Shelf<parameters::Group>,
    #[serde(deserialize_with = "snapshots::read")]
    snapshots: Shelf<snapshots::Snapshot>,
    subnet_groups: Shelf<groups::Group>,
}

kept!(State { clusters, instances, parameter_groups, snapshots, subnet_groups });

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    vec![
        ("clusters", state.clusters.len()),
        ("instances", state.instances.len()),
        ("parameter-groups", state.parameter_groups.len()),
        ("snapshots", state.snapshots.len()),
        ("subnet-groups", state.subnet_groups.len()),
    ]
}

/// The tags of all objects in a region, by ARN.
pub(crate) fn all_tags<'a>(
    state: &'a State,
    region: &'a str,
) -> impl Iterator<Item = (String, Cow<'a, Tags>)> + 'a {
    let with = move |kind: &'static str| {
        move |(name, tags): (&str, &'a Tags)| (arn(region, kind, name), Cow::Borrowed(tags))
    };
    let clusters = here(&state.clusters, region).map(|(name, one)| (name, &one.tags));
    let instances = here(&state.instances, region).map(|(name, one)| (name, &one.tags));
    let subnets = here(&state.subnet_groups, region).map(|(name, one)| (name, &one.tags));
    let parameters = here(&state.parameter_groups, region).map(|(name, one)| (name, &one.tags));
    let databases = clusters.map(with("cluster")).chain(instances.map(with("db")));
    databases.chain(subnets.map(with("subgrp"))).chain(parameters.map(with("cluster-pg")))
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    let (input, region) = (&call.input, call.region.as_str());
    match call.operation.as_str() {
        "CreateDBCluster" => clusters::create(world, region, input),
        "DescribeDBClusters" => clusters::describe(world, region, input),
        "ModifyDBCluster" => modify::cluster(world, region, input),
        "DeleteDBCluster" => clusters::delete(world, region, input),
        "EnableHttpEndpoint" => clusters::data_api(world, input, true),
        "DisableHttpEndpoint" => clusters::data_api(world, input, false),
        "StartDBCluster" => modify::run(world, region, input, true),
        "StopDBCluster" => modify::run(world, region, input, false),
        "CreateDBClusterSnapshot" => snapshots::create(world, region, input),
        "DescribeDBClusterSnapshots" => snapshots::describe(world, region, input),
        "DeleteDBClusterSnapshot" => snapshots::delete(world, region, input),
        "RestoreDBClusterFromSnapshot" => snapshots::restore(world, region, input),
        "RestoreDBClusterToPointInTime" => snapshots::restore_to_time(world, region, input),
        "DescribeDBEngineVersions" => clusters::versions(input),
        "DescribeOrderableDBInstanceOptions" => instances::orderable(region, input),
        "CreateDBInstance" => instances::create(world, region, input),
        "DescribeDBInstances" => instances::describe(world, region, input),
        "ModifyDBInstance" => modify::instance(world, region, input),
        "DeleteDBInstance" => instances::delete(world, region, input),
        "CreateDBSubnetGroup" => groups::create(world, region, input),
        "DescribeDBSubnetGroups" => groups::describe(world, region, input),
        "ModifyDBSubnetGroup" => groups::modify(world, region, input),
        "DeleteDBSubnetGroup" => groups::delete(world, region, input),
        "CreateDBClusterParameterGroup" => parameters::create(world, region, input),
        "DescribeDBClusterParameterGroups" => parameters::describe(world, region, input),
        "DescribeDBClusterParameters" => parameters::list(world, region, input),
        "ModifyDBClusterParameterGroup" => parameters::change(world, region, input, true),
        "ResetDBClusterParameterGroup" => parameters::change(world, region, input, false),
        "DeleteDBClusterParameterGroup" => parameters::delete(world, region, input),
        "ListTagsForResource" => {
            let tags = tag_pairs(tagged(world, input)?, KEY_VALUE);
            Ok(json!({ "TagList": { "Tag": tags } }))
        }
        "AddTagsToResource" => {
            let more = tags_of(input);
            add_tags(tagged(world, input)?, more, TAGS)?;
            Ok(Value::Null)
        }
        "RemoveTagsFromResource" => {
            let keys = names(input, "TagKeys");
            remove_tags(tagged(world, input)?, &keys);
            Ok(Value::Null)
        }
        _ => Err(Refusal::not_covered(&call.service, &call.operation)),
    }
}

const VALUE: &str = "InvalidParameterValue";
const COMBINATION: &str = "InvalidParameterCombination";

/// The codes for a bad tag and for too many.
const TAGS: (&str, &str) = (VALUE, VALUE);

/// The status of an object: `available`, or a state that ends by itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Stage {
    status: String,
    #[serde(flatten)]
    passing: Passing,
}

const AVAILABLE: &str = "available";
const STOPPED: &str = "stopped";

impl Stage {
    /// A state that lasts this many seconds, or one read.
    fn begin(base: &Base, status: &str, seconds: f64) -> Self {
        Self { status: status.to_owned(), passing: Passing::begin(base, 1, seconds) }
    }

    fn is(&self, status: &str) -> bool {
        self.status == status
    }

    /// Whether the state lasts until a call changes it.
    fn rests(&self) -> bool {
        self.is(AVAILABLE) || self.is(STOPPED)
    }

    /// Ends the state.
    fn arrive(&mut self) {
        let reached = if self.is("stopping") { STOPPED } else { AVAILABLE };
        self.status = reached.to_owned();
    }

    /// Counts a read, and says whether the state is over.
    fn passes(&mut self, base: &Base) -> bool {
        self.passing.is_over(base)
    }
}

/// Ages all objects of a region by one read, after the answer.
fn age(world: &mut World, region: &str) {
    let World { base, rds: State { clusters, instances, .. }, ec2, .. } = world;
    let start = at(region, "");
    let instance =
        instances.iter().any(|(place, it)| place.starts_with(&start) && !it.stage.rests());
    let cluster = clusters.iter().any(|(place, it)| place.starts_with(&start) && !it.stage.rests());
    base.moved |= instance || cluster;
    instances.retain(|place, instance| {
        if !place.starts_with(&start) || instance.stage.rests() {
            return true;
        }
        let over = instance.stage.passes(base);
        let gone = over && instance.stage.is("deleting");
        if gone {
            instances::leave(ec2, base, region, &instance.name);
        } else if over {
            instance.stage.arrive();
        }
        !gone
    });
    clusters.retain(|place, cluster| {
        if !place.starts_with(&start) || cluster.stage.rests() {
            return true;
        }
        let empty = instances::members_of(instances, region, &cluster.name).next().is_none();
        let over = cluster.stage.passes(base);
        let gone = over && empty && cluster.stage.is("deleting");
        if over && !cluster.stage.is("deleting") {
            cluster.stage.arrive();
        }
        !gone
    });
}

/// The items of a list: RDS sends `VpcSecurityGroupIds.VpcSecurityGroupId.1`.
fn items<'a>(input: &'a Value, key: &str) -> &'a [Value] {
    let list = match input.get(key) {
        Some(Value::Object(named)) => named.values().next(),
        list => list,
    };
    list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn names(input: &Value, key: &str) -> Vec<String> {
    items(input, key).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn tags_of(input: &Value) -> Tags {
    let pairs = items(input, "Tags").iter().filter_map(|tag| {
        Some((text(tag, "Key")?.to_owned(), text(tag, "Value").unwrap_or_default().to_owned()))
    });
    pairs.collect()
}

fn arn(region: &str, kind: &str, name: &str) -> String {
    format!("arn:aws:rds:{region}:{ACCOUNT}:{kind}:{name}")
}

/// The tags of an object, by its ARN.
fn tagged<'a>(world: &'a mut World, input: &Value) -> Result<&'a mut Tags, Refusal> {
    let arn = need(input, "ResourceName", VALUE)?;
    let parts: Vec<&str> = arn.split(':').collect();
    let [_, _, "rds", region, _, kind, name] = parts.as_slice() else {
        return Err(Refusal::new(VALUE, format!("Invalid resource name: {arn}")));
    };
    let (state, place) = (&mut world.rds, at(region, name));
    let found = match *kind {
        "cluster" => state.clusters.get_mut(&place).map(|found| &mut found.tags),
        "db" => state.instances.get_mut(&place).map(|found| &mut found.tags),
        "subgrp" => state.subnet_groups.get_mut(&place).map(|found| &mut found.tags),
        "cluster-pg" => state.parameter_groups.get_mut(&place).map(|found| &mut found.tags),
        "cluster-snapshot" => state.snapshots.get_mut(&place).map(|found| &mut found.tags),
        _ => None,
    };
    found.ok_or_else(|| match *kind {
        "cluster" => clusters::missing(name),
        "db" => instances::missing(name),
        "subgrp" => groups::missing(name),
        "cluster-snapshot" => snapshots::missing(name),
        _ => parameters::missing(name),
    })
}

/// One page of a list, under the names of the list and of its items.
fn listed(input: &Value, (list, item): (&str, &str), all: Vec<(String, Value)>) -> Answer {
    let limit = number(input, "MaxRecords").unwrap_or(100);
    if !(20..=100).contains(&limit) {
        let message = format!("Invalid value {limit} for MaxRecords. Must be between 20 and 100");
        return Err(Refusal::new(VALUE, message));
    }
    let (items, next) = page(all, text(input, "Marker"), limit as usize);
    let mut answer = json!({ list: { item: items } });
    put(&mut answer, "Marker", next);
    Ok(answer)
}

/// Whether a text is a valid identifier: letters, digits and single dashes.
fn is_identifier(name: &str, limit: usize) -> bool {
    name.len() <= limit
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && !name.contains("--")
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}
