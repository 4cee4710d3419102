//! Stages with their logs, limits and variables.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{Tags, flag, is_name, list, map, now, put, text};
use super::super::{Answer, Call, Refusal, World, logs};
use super::apis::find;
use super::patch::{Patch, patches};
use super::{bad, conflict, gone, listed, need, plans, tag};

/// A stage.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Stage {
    pub deployment: String,
    description: Option<String>,
    created: f64,
    tracing: bool,
    variables: BTreeMap<String, String>,
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
            "cacheClusterEnabled": false,
            "cacheClusterStatus": "NOT_AVAILABLE",
            "tracingEnabled": self.tracing,
            "methodSettings": self.settings,
            "tags": self.tags,
        });
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
            let all = api.stages.iter().map(|(name, one)| (name.clone(), one.view(name)));
            // Without pages, unlike every other list.
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
    let name = need(input, "stageName")?;
    if !is_name(name, 1..=128, "_-") {
        return Err(bad("Stage name only allows a-zA-Z0-9_-"));
    }
    if api.stages.contains_key(name) {
        return Err(conflict("Stage already exists"));
    }
    let deployment = need(input, "deploymentId")?;
    if !api.deployments.contains_key(deployment) {
        return Err(bad("Deployment id does not exist"));
    }
    let mut stage = Stage {
        deployment: deployment.to_owned(),
        description: text(input, "description").map(str::to_owned),
        created,
        tracing: flag(input, "tracingEnabled").unwrap_or(false),
        variables: map(input, "variables"),
        ..Stage::default()
    };
    for (name, value) in &stage.variables {
        valid_variable(name, value)?;
    }
    tag(&mut stage.tags, map(input, "tags"))?;
    let view = stage.view(name);
    api.stages.insert(name.to_owned(), stage);
    Ok(view)
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
    let api = find(&mut world.apigateway, region, input)?;
    let deployments: Vec<String> = api.deployments.keys().cloned().collect();
    let mut stage = api.stages.get(name).ok_or_else(none)?.clone();
    for patch in patches(input)? {
        if patch.path() == ["deploymentId"] && !deployments.iter().any(|id| id == patch.text()) {
            return Err(bad("Deployment id does not exist"));
        }
        change(&mut stage, &patch)?;
    }
    if stage.logs() && !world.apigateway.roles.contains_key(region) {
        return Err(bad(
            "CloudWatch Logs role ARN must be set in account settings to enable logging",
        ));
    }
    if let Some(arn) = stage.access_log.get("destinationArn").cloned() {
        group_exists(world, region, &arn)?;
    }
    let view = stage.view(name);
    let api = find(&mut world.apigateway, region, input)?;
    api.stages.insert(name.to_owned(), stage);
    Ok(view)
}

/// What a method has as soon as one of its settings is set.
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
        ("replace", ["deploymentId"]) => stage.deployment = patch.text().to_owned(),
        ("replace", ["description"]) => stage.description = Some(patch.text().to_owned()),
        ("replace", ["tracingEnabled"]) => stage.tracing = patch.flag()?,
        ("replace" | "add", ["variables", name]) => {
            valid_variable(name, patch.text())?;
            stage.variables.insert((*name).to_owned(), patch.text().to_owned());
        }
        ("remove", ["variables", name]) => drop(stage.variables.remove(*name)),
        ("replace" | "add", ["accessLogSettings", what @ ("destinationArn" | "format")]) => {
            stage.access_log.insert((*what).to_owned(), patch.text().to_owned());
        }
        ("remove", ["accessLogSettings"]) => stage.access_log.clear(),
        ("remove", [path, method]) => {
            drop(stage.settings.remove(&format!("{path}/{method}")));
        }
        ("replace", [path, method, group, setting]) => {
            let (member, value) = match (*group, *setting) {
                ("logging", "loglevel") if ["OFF", "ERROR", "INFO"].contains(&patch.text()) => {
                    ("loggingLevel", json!(patch.text()))
                }
                ("logging", "dataTrace") => ("dataTraceEnabled", json!(patch.flag()?)),
                ("metrics", "enabled") => ("metricsEnabled", json!(patch.flag()?)),
                ("throttling", "rateLimit") => {
                    ("throttlingRateLimit", json!(patch.number::<f64>()?))
                }
                ("throttling", "burstLimit") => {
                    ("throttlingBurstLimit", json!(patch.number::<i64>()?))
                }
                _ => return Err(patch.refused()),
            };
            let key = format!("{path}/{method}");
            stage.settings.entry(key).or_insert_with(defaults)[member] = value;
        }
        _ => return Err(patch.refused()),
    }
    Ok(())
}

/// Refuses an access log into nothing.
fn group_exists(world: &mut World, region: &str, arn: &str) -> Result<(), Refusal> {
    let name = arn.split(":log-group:").nth(1).unwrap_or_default().to_owned();
    let call = Call {
        service: "logs".into(),
        operation: "DescribeLogGroups".into(),
        input: json!({ "logGroupNamePrefix": name }),
        region: region.into(),
    };
    let found = logs::call(world, &call).unwrap_or_default();
    let is_there = list(&found, "logGroups").iter().any(|group| group["logGroupName"] == *name);
    match is_there && !name.is_empty() {
        true => Ok(()),
        false => Err(bad(format!("Invalid ARN specified in the request: {arn}"))),
    }
}

fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "stage")?;
    let id = need(input, "api")?;
    let state = &mut world.apigateway;
    if plans::holds(state, region, id, Some(name)) {
        return Err(bad(format!("Cannot delete stage {name}: a usage plan has it")));
    }
    let removed = find(state, region, input)?.stages.remove(name);
    removed.map(|_| Value::Null).ok_or_else(none)
}
