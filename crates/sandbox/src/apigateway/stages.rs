//! Stages with their logs, limits and variables.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{Tags, flag, is_name, map, now, put, text};
use super::super::{Answer, Refusal, World};
use super::apis::{Api, find};
use super::canary::{self, Canary};
use super::patch::{Patch, patches};
use super::{bad, conflict, domains, gone, listed, need, plans, tag};

/// A stage.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Stage {
    pub deployment: String,
    description: Option<String>,
    created: f64,
    updated: f64,
    tracing: bool,
    /// Whether it has a cache, and the size of the cache.
    caches: bool,
    cache_size: Option<String>,
    pub variables: BTreeMap<String, String>,
    pub canary: Option<Canary>,
    access_log: BTreeMap<String, String>,
    /// Settings by `PATH/METHOD`.
    settings: BTreeMap<String, Value>,
    pub tags: Tags,
}

impl Stage {
    fn view(&self, name: &str) -> Value {
        let mut view = json!({
            "stageName": name,
            "deploymentId": self.deployment,
            "createdDate": self.created,
            "lastUpdatedDate": self.updated,
            "cacheClusterEnabled": self.caches,
            "cacheClusterStatus": if self.caches { "AVAILABLE" } else { "NOT_AVAILABLE" },
            "tracingEnabled": self.tracing,
            "methodSettings": self.settings,
        });
        if !self.tags.is_empty() {
            view["tags"] = json!(self.tags);
        }
        put(&mut view, "cacheClusterSize", self.cache_size.clone());
        put(&mut view, "canarySettings", self.canary.as_ref().map(Canary::view));
        put(&mut view, "description", self.description.clone());
        if !self.variables.is_empty() {
            view["variables"] = json!(self.variables);
        }
        if !self.access_log.is_empty() {
            view["accessLogSettings"] = json!(self.access_log);
        }
        view
    }

    fn logs(&self) -> bool {
        let level =
            |settings: &Value| text(settings, "loggingLevel").is_some_and(|level| level != "OFF");
        !self.access_log.is_empty() || self.settings.values().any(level)
    }
}

pub(super) fn call(
    world: &mut World,
    operation: &str,
    region: &str,
    input: &Value,
) -> Option<Answer> {
    Some(match operation {
        "CreateStage" => create(world, region, input),
        "UpdateStage" => update(world, region, input),
        "GetStages" => find(&mut world.apigateway, region, input).map(|api| {
            let is_asked_for =
                |one: &Stage| text(input, "deploymentId").is_none_or(|id| one.deployment == id);
            let all = api.stages.iter().filter(|(_, one)| is_asked_for(one));
            let all = all.map(|(name, one)| (name.clone(), one.view(name)));
            // This list has no pages, unlike all others.
            json!({ "item": listed(all.collect(), &json!({ "limit": 500 }))["item"] })
        }),
        "GetStage" => find(&mut world.apigateway, region, input).and_then(|api| {
            let name = need(input, "stage")?;
            api.stages.get(name).map(|stage| stage.view(name)).ok_or_else(none)
        }),
        "DeleteStage" => delete(world, region, input),
        _ => return None,
    })
}

fn none() -> Refusal {
    gone("Invalid stage identifier specified")
}

fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let created = now(&world.base);
    let api = find(&mut world.apigateway, region, input)?;
    let deployment = need(input, "deploymentId")?;
    let stage = Stage {
        deployment: deployment.to_owned(),
        description: text(input, "description").map(str::to_owned),
        canary: input.get("canarySettings").map(|canary| Canary::of(canary, deployment)),
        ..Stage::of(input, created)
    };
    add(api, need(input, "stageName")?, stage, map(input, "tags"))
}

impl Stage {
    /// A new stage, from the members that `CreateStage` and `CreateDeployment` share.
    pub(super) fn of(input: &Value, created: f64) -> Self {
        Self {
            created,
            updated: created,
            tracing: flag(input, "tracingEnabled").unwrap_or(false),
            caches: flag(input, "cacheClusterEnabled").unwrap_or(false),
            cache_size: text(input, "cacheClusterSize").map(str::to_owned),
            variables: map(input, "variables"),
            ..Self::default()
        }
    }

    /// The stage that a deployment creates.
    pub(super) fn with_deployment(input: &Value, created: f64, deployment: &str) -> Self {
        Self {
            deployment: deployment.to_owned(),
            description: text(input, "stageDescription").map(str::to_owned),
            ..Self::of(input, created)
        }
    }
}

/// Adds a stage to an API.
pub(super) fn add(api: &mut Api, name: &str, mut stage: Stage, tags: Tags) -> Answer {
    if !is_name(name, 1..=128, "_-") {
        return Err(bad("Stage name only allows a-zA-Z0-9_-"));
    }
    if api.stages.contains_key(name) {
        return Err(conflict("Stage already exists"));
    }
    deployments_exist(api, &stage)?;
    for (name, value) in &stage.variables {
        valid_variable(name, value)?;
    }
    tag(&mut stage.tags, tags)?;
    let view = stage.view(name);
    api.stages.insert(name.to_owned(), stage);
    Ok(view)
}

fn deployments_exist(api: &Api, stage: &Stage) -> Result<(), Refusal> {
    let canary = stage.canary.as_ref().map(|canary| &canary.deployment);
    let mut used = [Some(&stage.deployment), canary].into_iter().flatten();
    if used.all(|id| api.deployments.contains_key(id)) {
        Ok(())
    } else {
        Err(bad("Deployment id does not exist"))
    }
}

fn valid_variable(name: &str, value: &str) -> Result<(), Refusal> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#&=,".contains(c);
    if !is_name(name, 1..=64, "_") || !value.chars().all(fine) {
        return Err(bad(format!("Stage variable '{name}' has characters that are not allowed")));
    }
    Ok(())
}

fn update(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "stage")?;
    let updated = now(&world.base);
    let logged = world.apigateway.roles.contains_key(region);
    let api = find(&mut world.apigateway, region, input)?;
    let mut stage = api.stages.get(name).ok_or_else(none)?.clone();
    for patch in patches(input)? {
        change(&mut stage, &patch)?;
    }
    deployments_exist(api, &stage)?;
    if stage.logs() && !logged {
        return Err(bad(
            "CloudWatch Logs role ARN must be set in account settings to enable logging",
        ));
    }
    stage.updated = updated;
    let view = stage.view(name);
    api.stages.insert(name.to_owned(), stage);
    Ok(view)
}

/// The settings that a method has once one of them is set.
fn defaults() -> Value {
    json!({
        "metricsEnabled": false,
        "dataTraceEnabled": false,
        "throttlingBurstLimit": 5000,
        "throttlingRateLimit": 10_000.0,
        "cachingEnabled": false,
        "cacheTtlInSeconds": 300,
        "cacheDataEncrypted": false,
        "requireAuthorizationForCacheControl": true,
        "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER",
    })
}

fn change(stage: &mut Stage, patch: &Patch<'_>) -> Result<(), Refusal> {
    match (patch.op, patch.path().as_slice()) {
        ("copy", _) => canary::promote(stage, patch)?,
        (_, ["canarySettings", rest @ ..]) => canary::change(stage, patch, rest)?,
        ("replace", ["deploymentId"]) => stage.deployment = patch.text().to_owned(),
        ("replace", ["description"]) => stage.description = Some(patch.text().to_owned()),
        ("replace", ["tracingEnabled"]) => stage.tracing = patch.flag(),
        ("replace", ["cacheClusterEnabled"]) => {
            stage.caches = patch.flag();
            let size = stage.cache_size.take().unwrap_or_else(|| "0.5".to_owned());
            stage.cache_size = stage.caches.then_some(size);
        }
        ("replace", ["cacheClusterSize"]) => stage.cache_size = Some(patch.text().to_owned()),
        ("replace" | "add", ["variables", name]) => {
            valid_variable(name, patch.text())?;
            stage.variables.insert((*name).to_owned(), patch.text().to_owned());
        }
        ("remove", ["variables", name]) => drop(stage.variables.remove(*name)),
        ("remove", ["accessLogSettings"]) => stage.access_log.clear(),
        ("replace" | "add", ["accessLogSettings", rest @ ..]) => {
            let [what @ ("destinationArn" | "format")] = rest else {
                return Err(bad("Invalid accessLogSettings path. Must be one of : \
                     [/accessLogSettings/destinationArn, /accessLogSettings/format]"));
            };
            if patch.text().is_empty() {
                return Err(bad("Access Log value must not be empty"));
            }
            stage.access_log.insert((*what).to_owned(), patch.text().to_owned());
        }
        ("remove", [path, method]) => {
            let removed = stage.settings.remove(&format!("{path}/{method}"));
            removed.ok_or_else(|| cannot_remove(patch))?;
        }
        ("replace", [path, method, group, setting]) => {
            let (member, value) = setting_of(patch, group, setting)?;
            let key = format!("{path}/{method}");
            stage.settings.entry(key).or_insert_with(defaults)[member] = value;
        }
        _ => return Err(no_path(patch)),
    }
    Ok(())
}

/// The setting of a method that a path names, and its new value.
fn setting_of(
    patch: &Patch<'_>,
    group: &str,
    setting: &str,
) -> Result<(&'static str, Value), Refusal> {
    Ok(match (group, setting) {
        ("logging", "loglevel") if ["OFF", "ERROR", "INFO"].contains(&patch.text()) => {
            ("loggingLevel", json!(patch.text()))
        }
        ("logging", "dataTrace") => ("dataTraceEnabled", json!(patch.flag())),
        ("metrics", "enabled") => ("metricsEnabled", json!(patch.flag())),
        ("throttling", "rateLimit") => ("throttlingRateLimit", json!(patch.number::<f64>()?)),
        ("throttling", "burstLimit") => ("throttlingBurstLimit", json!(patch.number::<i64>()?)),
        ("caching", "enabled") => ("cachingEnabled", json!(patch.flag())),
        ("caching", "dataEncrypted") => ("cacheDataEncrypted", json!(patch.flag())),
        ("caching", "ttlInSeconds") => ("cacheTtlInSeconds", json!(patch.number::<i64>()?)),
        _ => return Err(no_path(patch)),
    })
}

/// The refusal to remove a setting that does not exist.
pub(super) fn cannot_remove(patch: &Patch<'_>) -> Refusal {
    bad(format!(
        "Cannot remove method setting {} because there is no method setting for this method ",
        patch.steps.join("/")
    ))
}

/// The refusal of a path that a stage does not have. The list is AWS's own, to the comma.
pub(super) fn no_path(patch: &Patch<'_>) -> Refusal {
    bad(format!(
        "Invalid method setting path: /{}. Must be one of: [/deploymentId, /description, \
         /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId, /accessLogSettings, \
         /accessLogSettings/destinationArn, /accessLogSettings/format, \
         /{{resourcePath}}/{{httpMethod}}/metrics/enabled, \
         /{{resourcePath}}/{{httpMethod}}/logging/dataTrace, \
         /{{resourcePath}}/{{httpMethod}}/logging/loglevel, \
         /{{resourcePath}}/{{httpMethod}}/throttling/burstLimit\
         /{{resourcePath}}/{{httpMethod}}/throttling/rateLimit\
         /{{resourcePath}}/{{httpMethod}}/caching/ttlInSeconds, \
         /{{resourcePath}}/{{httpMethod}}/caching/enabled, \
         /{{resourcePath}}/{{httpMethod}}/caching/dataEncrypted, \
         /{{resourcePath}}/{{httpMethod}}/caching/requireAuthorizationForCacheControl, \
         /{{resourcePath}}/{{httpMethod}}/caching/unauthorizedCacheControlHeaderStrategy, \
         /*/*/metrics/enabled, /*/*/logging/dataTrace, /*/*/logging/loglevel, \
         /*/*/throttling/burstLimit /*/*/throttling/rateLimit /*/*/caching/ttlInSeconds, \
         /*/*/caching/enabled, /*/*/caching/dataEncrypted, \
         /*/*/caching/requireAuthorizationForCacheControl, \
         /*/*/caching/unauthorizedCacheControlHeaderStrategy, /variables/{{variable_name}}, \
         /tracingEnabled]",
        patch.steps.join("/")
    ))
}

fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "stage")?;
    let id = need(input, "api")?;
    let state = &mut world.apigateway;
    if plans::holds(state, region, id, Some(name)) {
        return Err(bad(format!("Cannot delete stage {name}: a usage plan has it")));
    }
    domains::is_unmapped(state, region, id, Some(name))?;
    let removed = find(state, region, input)?.stages.remove(name);
    removed.map(|_| Value::Null).ok_or_else(none)
}
