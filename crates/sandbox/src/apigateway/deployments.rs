//! Deployments: snapshots of an API that never change.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{Tags, now, put, text};
use super::super::{Answer, Base, Refusal, World};
use super::apis::{Api, find};
use super::canary::Canary;
use super::patch::patches;
use super::stages::{self, Stage};
use super::{State, bad, gone, listed, need, new_id};

/// A deployment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Deployment {
    description: Option<String>,
    created: f64,
    /// The VPC links that its methods use.
    pub links: BTreeSet<String>,
}

impl Deployment {
    fn view(&self, id: &str) -> Value {
        let mut view = json!({ "id": id, "createdDate": self.created });
        put(&mut view, "description", self.description.clone());
        view
    }
}

pub(super) fn call(
    world: &mut World,
    operation: &str,
    region: &str,
    input: &Value,
) -> Option<Answer> {
    let World { base, apigateway, .. } = world;
    Some(match operation {
        "GetDeployments" => find(apigateway, region, input).map(|api| {
            let all = api.deployments.iter().map(|(id, one)| (id.clone(), one.view(id)));
            listed(all.collect(), input)
        }),
        "CreateDeployment" => create(base, apigateway, region, input),
        "GetDeployment" => one(apigateway, region, input).map(|(id, one)| one.view(id)),
        "UpdateDeployment" => update(apigateway, region, input),
        "DeleteDeployment" => delete(apigateway, region, input),
        _ => return None,
    })
}

fn none() -> Refusal {
    gone("Invalid Deployment identifier specified")
}

fn one<'a, 'b>(
    state: &'a mut State,
    region: &str,
    input: &'b Value,
) -> Result<(&'b str, &'a mut Deployment), Refusal> {
    let id = need(input, "deployment")?;
    let found = find(state, region, input)?.deployments.get_mut(id);
    found.map(|found| (id, found)).ok_or_else(none)
}

/// A snapshot never changes; its description may.
fn update(state: &mut State, region: &str, input: &Value) -> Answer {
    let (id, found) = one(state, region, input)?;
    for patch in patches(input)? {
        match (patch.op, patch.path().as_slice()) {
            ("replace", ["description"]) => found.description = Some(patch.text().to_owned()),
            _ => return Err(patch.refused(&["/description"])),
        }
    }
    Ok(found.view(id))
}

fn create(base: &mut Base, state: &mut State, region: &str, input: &Value) -> Answer {
    let api = find(state, region, input)?;
    let methods: Vec<&Value> =
        api.resources.values().flat_map(|one| one.methods.values()).collect();
    if methods.is_empty() {
        return Err(bad("The REST API doesn't contain any methods"));
    }
    if methods.iter().any(|method| method.get("methodIntegration").is_none()) {
        return Err(bad("No integration defined for method"));
    }
    let links = methods
        .iter()
        .filter_map(|method| text(&method["methodIntegration"], "connectionId").map(str::to_owned));
    let made = Deployment {
        description: text(input, "description").map(str::to_owned),
        created: now(base),
        links: links.collect(),
    };
    let canary = input.get("canarySettings").filter(|canary| !canary.is_null());
    check_canary(api, input, canary)?;
    let id = new_id(base);
    let view = made.view(&id);
    api.deployments.insert(id.clone(), made);
    let Some(name) = text(input, "stageName").filter(|name| !name.is_empty()) else {
        return Ok(view);
    };
    match (api.stages.get_mut(name), canary) {
        (Some(stage), Some(canary)) => stage.canary = Some(Canary::of(canary, &id)),
        (Some(stage), None) => stage.deployment = id,
        (None, _) => {
            let stage = Stage::with_deployment(input, now(base), &id);
            stages::add(api, name, stage, Tags::new())?;
        }
    }
    Ok(view)
}

/// A canary needs a stage that exists.
fn check_canary(api: &Api, input: &Value, canary: Option<&Value>) -> Result<(), Refusal> {
    const WRONG: &str = "Invalid deployment content specified.";
    let name = text(input, "stageName");
    let has = |name| api.stages.contains_key(name);
    match (canary, name.unwrap_or_default()) {
        (None, _) => Ok(()),
        (Some(_), "") => Err(bad(format!(
            "{WRONG}Non null and non empty stageName must be provided for canary deployment. \
             Provided value is {}",
            name.unwrap_or("null")
        ))),
        (Some(_), name) if !has(name) => Err(bad(format!(
            "{WRONG}Stage {name} must already be created before making a canary release deployment"
        ))),
        (Some(_), _) => Ok(()),
    }
}

fn delete(state: &mut State, region: &str, input: &Value) -> Answer {
    let api = find(state, region, input)?;
    let id = need(input, "deployment")?;
    let uses = |stage: &Stage| {
        stage.deployment == id || stage.canary.as_ref().is_some_and(|one| one.deployment == id)
    };
    if api.stages.values().any(uses) {
        return Err(bad("Active stages pointing to this deployment must be moved or deleted"));
    }
    let removed = api.deployments.remove(id);
    removed.map(|_| Value::Null).ok_or_else(none)
}
