//! Clusters.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{
    Tags, at, here, is_name, list as items, page, put, tag_pairs, text, texts, within,
};
use super::super::{Answer, Refusal, World};
use super::{INVALID, KEY_VALUE, State, arn, includes, invalid, name_in, new_tags, services};

/// A cluster.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cluster {
    insights: String,
    providers: Vec<String>,
    strategy: Vec<Value>,
    tags: Tags,
    deleted: bool,
}

/// The values of Container Insights.
const INSIGHTS: [&str; 3] = ["disabled", "enabled", "enhanced"];

impl Cluster {
    pub(super) fn lives(&self) -> bool {
        !self.deleted
    }

    pub(super) fn tags(&self) -> &Tags {
        &self.tags
    }
}

/// The tags of an active cluster.
pub(super) fn tags<'a>(state: &'a mut State, region: &str, name: &str) -> Option<&'a mut Tags> {
    let cluster = state.clusters.get_mut(&at(region, name)).filter(|cluster| cluster.lives());
    cluster.map(|cluster| &mut cluster.tags)
}

/// The name of the cluster that a request names. It must be active.
pub(super) fn named(state: &State, region: &str, input: &Value) -> Result<String, Refusal> {
    let name = name_in(text(input, "cluster").unwrap_or("default"));
    if state.clusters.get(&at(region, name)).is_some_and(Cluster::lives) {
        Ok(name.to_owned())
    } else {
        Err(Refusal::new("ClusterNotFoundException", "Cluster not found."))
    }
}

fn insights(input: &Value) -> Result<Option<String>, Refusal> {
    let setting = items(input, "settings")
        .iter()
        .find(|setting| text(setting, "name") == Some("containerInsights"));
    match setting.map(|setting| text(setting, "value").unwrap_or_default()) {
        Some(value) if INSIGHTS.contains(&value) => Ok(Some(value.to_owned())),
        Some(value) => Err(invalid(format!("'{value}' is not a value of containerInsights."))),
        None => Ok(None),
    }
}

fn providers(input: &Value) -> Result<Vec<String>, Refusal> {
    let providers = texts(input, "capacityProviders");
    let known = |name: &String| ["FARGATE", "FARGATE_SPOT"].contains(&name.as_str());
    match providers.iter().find(|name| !known(name)) {
        Some(name) => {
            let message = format!("The specified capacity provider '{name}' was not found.");
            Err(invalid(message))
        }
        None => Ok(providers),
    }
}

fn render(world: &World, region: &str, name: &str, input: &Value) -> Option<Value> {
    let cluster = world.ecs.clusters.get(&at(region, name))?;
    let (running, active) = services::of_cluster(&world.ecs, region, name);
    let mut view = json!({
        "clusterArn": arn(region, &format!("cluster/{name}")),
        "clusterName": name,
        "status": if cluster.deleted { "INACTIVE" } else { "ACTIVE" },
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": running,
        "pendingTasksCount": 0,
        "activeServicesCount": active,
        "statistics": [],
        "settings": [],
        "tags": [],
        "capacityProviders": cluster.providers,
        "defaultCapacityProviderStrategy": cluster.strategy,
    });
    if includes(input, "SETTINGS") {
        view["settings"] = json!([{ "name": "containerInsights", "value": cluster.insights }]);
    }
    if includes(input, "TAGS") {
        view["tags"] = tag_pairs(&cluster.tags, KEY_VALUE).into();
    }
    Some(view)
}

/// The answer to a call that changes the cluster.
fn whole(world: &World, region: &str, name: &str) -> Answer {
    let all = json!({ "include": ["SETTINGS", "TAGS"] });
    Ok(json!({ "cluster": render(world, region, name, &all) }))
}

/// Creates a cluster. If an active one has the name, the answer is that one.
pub(super) fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = text(input, "clusterName").unwrap_or("default");
    if !is_name(name, 1..=255, "_-") {
        return Err(invalid("Identifier is not valid."));
    }
    let (insights, providers, tags) = (insights(input)?, providers(input)?, new_tags(input)?);
    let place = at(region, name);
    if !world.ecs.clusters.get(&place).is_some_and(Cluster::lives) {
        let insights = insights.unwrap_or_else(|| INSIGHTS[0].to_owned());
        let cluster = Cluster { insights, providers, tags, ..Cluster::default() };
        world.ecs.clusters.insert(place, cluster);
    }
    whole(world, region, name)
}

/// Deletes a cluster without services.
pub(super) fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = named(&world.ecs, region, input)?;
    if services::of_cluster(&world.ecs, region, &name).1 > 0 {
        let message = "The Cluster cannot be deleted while Services are active.";
        return Err(Refusal::new("ClusterContainsServicesException", message));
    }
    if let Some(cluster) = world.ecs.clusters.get_mut(&at(region, &name)) {
        *cluster = Cluster { deleted: true, ..std::mem::take(cluster) };
        cluster.tags.clear();
    }
    whole(world, region, &name)
}

/// Describes clusters by name. The answer lists a missing one as a failure.
pub(super) fn describe(world: &mut World, region: &str, input: &Value) -> Answer {
    let mut asked = texts(input, "clusters");
    if asked.is_empty() {
        asked.push("default".into());
    }
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    for reference in asked {
        let name = name_in(&reference);
        match render(world, region, name, input) {
            Some(view) => clusters.push(view),
            None => failures.push(json!({
                "arn": arn(region, &format!("cluster/{name}")), "reason": "MISSING",
            })),
        }
    }
    Ok(json!({ "clusters": clusters, "failures": failures }))
}

/// Lists the active clusters.
pub(super) fn list(world: &mut World, region: &str, input: &Value) -> Answer {
    let live = here(&world.ecs.clusters, region).filter(|(_, cluster)| cluster.lives());
    let arns = live.map(|(name, _)| (name.to_owned(), arn(region, &format!("cluster/{name}"))));
    let limit = within(input, "maxResults", 1..=100, INVALID)?.unwrap_or(100);
    let (arns, next) = page(arns.collect(), text(input, "nextToken"), limit as usize);
    let mut answer = json!({ "clusterArns": arns });
    put(&mut answer, "nextToken", next);
    Ok(answer)
}

/// Changes the settings.
pub(super) fn update(world: &mut World, region: &str, input: &Value) -> Answer {
    let (name, insights) = (named(&world.ecs, region, input)?, insights(input)?);
    let cluster = world.ecs.clusters.get_mut(&at(region, &name));
    if let (Some(cluster), Some(insights)) = (cluster, insights) {
        cluster.insights = insights;
    }
    whole(world, region, &name)
}

/// Replaces the capacity providers and the default strategy.
pub(super) fn put_providers(world: &mut World, region: &str, input: &Value) -> Answer {
    let (name, providers) = (named(&world.ecs, region, input)?, providers(input)?);
    let strategy = items(input, "defaultCapacityProviderStrategy").to_vec();
    let known = |item: &Value| {
        text(item, "capacityProvider").is_some_and(|name| providers.iter().any(|p| p == name))
    };
    if !strategy.iter().all(known) {
        return Err(invalid("The strategy names a capacity provider that the cluster lacks."));
    }
    if let Some(cluster) = world.ecs.clusters.get_mut(&at(region, &name)) {
        (cluster.providers, cluster.strategy) = (providers, strategy);
    }
    whole(world, region, &name)
}
