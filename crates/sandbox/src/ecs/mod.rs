//! The sandbox's ECS: clusters, task definitions and Fargate services (JSON protocol).
//!
//! Quirks kept: Deleted clusters and services are described as `INACTIVE`. Revision numbers never
//! restart. ECS does not check the references of a revision before a task starts. A service whose
//! tasks cannot start never settles, and only the circuit breaker gives up. Tasks hold network
//! interfaces. In a strict sandbox deployments and draining take time.

mod addresses;
mod clusters;
mod definitions;
mod deployments;
mod services;
mod strategies;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub(crate) use addresses::addresses;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shelf::{Shelf, kept};
use super::toolbox::{Tags, add_tags, here, need, remove_tags, tag_list, tag_pairs, texts};
use super::{ACCOUNT, Answer, Call, Refusal, World};

/// The state of ECS.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Clusters by region and name.
    clusters: Shelf<clusters::Cluster>,
    /// Families of task definitions by region and name.
    families: Shelf<definitions::Family>,
    /// Services by region, cluster and name.
    services: Shelf<services::Service>,
}

kept!(State { clusters, families, services });

/// The code of an invalid value.
const INVALID: &str = "InvalidParameterException";
/// The code of another fault in a request.
const CLIENT: &str = "ClientException";
/// The codes for a bad tag and for too many.
const TAGS: (&str, &str) = (INVALID, INVALID);
/// The names of the members of a tag.
const KEY_VALUE: (&str, &str) = ("key", "value");

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(INVALID, message)
}

fn client(message: impl Into<String>) -> Refusal {
    Refusal::new(CLIENT, message)
}

fn arn(region: &str, what: &str) -> String {
    format!("arn:aws:ecs:{region}:{ACCOUNT}:{what}")
}

/// A name, given as such or as the end of an ARN.
fn name_in(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

/// The tags of a request that creates something.
fn new_tags(input: &Value) -> Result<Tags, Refusal> {
    let mut tags = Tags::new();
    add_tags(&mut tags, tag_list(input, "tags", KEY_VALUE), TAGS)?;
    Ok(tags)
}

/// Whether a describe call asks for a member that answers leave out by default.
fn includes(input: &Value, what: &str) -> bool {
    texts(input, "include").iter().any(|asked| asked == what)
}

/// The tags of all clusters, by ARN.
pub(crate) fn all_tags<'a>(
    state: &'a State,
    region: &'a str,
) -> impl Iterator<Item = (String, Cow<'a, Tags>)> + 'a {
    let live = here(&state.clusters, region).filter(|(_, cluster)| cluster.lives());
    live.map(move |(name, cluster)| {
        (arn(region, &format!("cluster/{name}")), Cow::Borrowed(cluster.tags()))
    })
}

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    let families = state.families.values();
    vec![
        ("clusters", state.clusters.values().filter(|cluster| cluster.lives()).count()),
        ("services", state.services.values().filter(|service| service.lives()).count()),
        ("task_definitions", families.map(definitions::Family::active).sum()),
    ]
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    let (input, region) = (&call.input, call.region.as_str());
    services::pass_time(world, region);
    match call.operation.as_str() {
        "CreateCluster" => clusters::create(world, region, input),
        "DeleteCluster" => clusters::delete(world, region, input),
        "DescribeClusters" => clusters::describe(world, region, input),
        "ListClusters" => clusters::list(world, region, input),
        "UpdateCluster" | "UpdateClusterSettings" => clusters::update(world, region, input),
        "PutClusterCapacityProviders" => clusters::put_providers(world, region, input),
        "RegisterTaskDefinition" => definitions::register(world, region, input),
        "DeregisterTaskDefinition" => definitions::deregister(world, region, input),
        "DeleteTaskDefinitions" => definitions::delete(world, region, input),
        "DescribeTaskDefinition" => definitions::describe(world, region, input),
        "ListTaskDefinitions" => definitions::list(world, region, input),
        "ListTaskDefinitionFamilies" => definitions::families(world, region, input),
        "CreateService" => services::create(world, region, input),
        "UpdateService" => services::update(world, region, input),
        "DeleteService" => services::delete(world, region, input),
        "DescribeServices" => services::describe(world, region, input),
        "ListServices" => services::list(world, region, input),
        "TagResource" => {
            let tags = tags_of(&mut world.ecs, region, input)?;
            add_tags(tags, tag_list(input, "tags", KEY_VALUE), TAGS)?;
            Ok(json!({}))
        }
        "UntagResource" => {
            remove_tags(tags_of(&mut world.ecs, region, input)?, &texts(input, "tagKeys"));
            Ok(json!({}))
        }
        "ListTagsForResource" => {
            let tags = tags_of(&mut world.ecs, region, input)?;
            Ok(json!({ "tags": tag_pairs(tags, KEY_VALUE) }))
        }
        _ => Err(Refusal::not_covered(&call.service, &call.operation)),
    }
}

/// The tags of the object that an ARN names.
fn tags_of<'a>(state: &'a mut State, region: &str, input: &Value) -> Result<&'a mut Tags, Refusal> {
    let reference = need(input, "resourceArn", INVALID)?;
    let what = reference.strip_prefix(&arn(region, "")).unwrap_or_default();
    let found = match what.split('/').collect::<Vec<_>>().as_slice() {
        ["cluster", name] => clusters::tags(state, region, name),
        ["service", cluster, name] => services::tags(state, region, cluster, name),
        ["task-definition", revision] => definitions::tags(state, region, revision),
        _ => None,
    };
    found.ok_or_else(|| invalid("The specified resource was not found."))
}

/// Whether a service that is not deleted has this id, `service/CLUSTER/NAME`, for the service that
/// scales it.
pub(crate) fn has_service(state: &State, region: &str, id: &str) -> bool {
    services::at_id(region, id)
        .is_some_and(|place| state.services.get(&place).is_some_and(services::Service::is_active))
}

/// Moves a service's number of tasks into bounds, as Application Auto Scaling does at once.
pub(crate) fn keep_within(world: &mut World, region: &str, id: &str, min: i64, max: i64) {
    let place = services::at_id(region, id);
    if let Some(service) = place.and_then(|place| world.ecs.services.get_mut(&place)) {
        service.keep_within(min, max);
    }
    services::pass_time(world, region);
}
