//! The canary of a stage: a second deployment that receives some of the calls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::Refusal;
use super::super::toolbox::{flag, map, text};
use super::bad;
use super::patch::Patch;
use super::stages::{Stage, cannot_remove, no_path};

/// A canary.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Canary {
    pub deployment: String,
    percent: f64,
    overrides: BTreeMap<String, String>,
    cache: bool,
}

impl Canary {
    /// The canary of these settings. Its deployment is this one unless the settings name another.
    pub(super) fn of(settings: &Value, deployment: &str) -> Self {
        Self {
            deployment: text(settings, "deploymentId").unwrap_or(deployment).to_owned(),
            percent: settings["percentTraffic"].as_f64().unwrap_or_default(),
            overrides: map(settings, "stageVariableOverrides"),
            cache: flag(settings, "useStageCache").unwrap_or(false),
        }
    }

    pub(super) fn view(&self) -> Value {
        let mut view = json!({
            "deploymentId": self.deployment,
            "percentTraffic": self.percent,
            "useStageCache": self.cache,
        });
        if !self.overrides.is_empty() {
            view["stageVariableOverrides"] = json!(self.overrides);
        }
        view
    }
}

/// Changes a stage's canary. If there is none, a replacement creates one with the stage's own
/// deployment.
pub(super) fn change(stage: &mut Stage, patch: &Patch<'_>, path: &[&str]) -> Result<(), Refusal> {
    match (patch.op, path) {
        ("remove", []) => {
            stage.canary = None;
            return Ok(());
        }
        ("remove", _) => return Err(cannot_remove(patch)),
        ("add", _) => {
            let path = patch.steps.join("/");
            return Err(bad(format!("Invalid add operation with path: /{path}")));
        }
        _ => {}
    }
    let mut canary = stage
        .canary
        .clone()
        .unwrap_or_else(|| Canary { deployment: stage.deployment.clone(), ..Canary::default() });
    match path {
        ["deploymentId"] => canary.deployment = patch.text().to_owned(),
        ["percentTraffic"] => canary.percent = patch.number()?,
        ["useStageCache"] => canary.cache = patch.flag(),
        ["stageVariableOverrides", name] => {
            canary.overrides.insert((*name).to_owned(), patch.text().to_owned());
        }
        _ => return Err(no_path(patch)),
    }
    stage.canary = Some(canary);
    Ok(())
}

/// Copies the canary's deployment or its variables to the stage.
pub(super) fn promote(stage: &mut Stage, patch: &Patch<'_>) -> Result<(), Refusal> {
    const DEPLOYMENT: (&str, &str) = ("/deploymentId", "/canarySettings/deploymentId");
    const VARIABLES: (&str, &str) = ("/variables", "/canarySettings/stageVariableOverrides");
    let path = format!("/{}", patch.steps.join("/"));
    let way = (path.as_str(), patch.from.unwrap_or_default());
    if ![DEPLOYMENT, VARIABLES].contains(&way) {
        return Err(bad(format!(
            "Invalid copy operation with path: {path} and from {}. Valid copy:path are \
             [/deploymentId, /variables] and valid copy:from are [/canarySettings/deploymentId, \
             /canarySettings/stageVariableOverrides]",
            way.1
        )));
    }
    let Some(canary) = &stage.canary else {
        return Err(bad("Promotion not available. Canary does not exist."));
    };
    if way == DEPLOYMENT {
        stage.deployment = canary.deployment.clone();
    } else {
        stage.variables.extend(canary.overrides.clone());
    }
    Ok(())
}
