//! Usage plans and API keys.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{Tags, at, flag, here, list, map, now, put, text};
use super::super::{Answer, Base, Refusal, World};
use super::patch::patches;
use super::{State, bad, conflict, gone, listed, need, new_id, tag};

/// A usage plan.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Plan {
    name: String,
    description: Option<String>,
    /// Stages as `API:STAGE`.
    stages: BTreeSet<String>,
    throttle: Option<Value>,
    quota: Option<Value>,
    /// The ids of its keys.
    keys: BTreeSet<String>,
    pub tags: Tags,
}

/// Adds the tags if there are any, as lists and creations do.
fn with_tags(view: &mut Value, tags: &Tags) {
    if !tags.is_empty() {
        view["tags"] = json!(tags);
    }
}

/// Adds the tags always, as reads by id and changes do.
fn whole(mut view: Value, tags: &Tags) -> Value {
    view["tags"] = json!(tags);
    view
}

impl Plan {
    fn view(&self, id: &str) -> Value {
        let stage = |key: &String| {
            let (api, stage) = key.split_once(':').unwrap_or_default();
            json!({ "apiId": api, "stage": stage })
        };
        let stages: Vec<Value> = self.stages.iter().map(stage).collect();
        let mut view = json!({ "id": id, "name": self.name, "apiStages": stages });
        with_tags(&mut view, &self.tags);
        put(&mut view, "description", self.description.clone());
        put(&mut view, "throttle", self.throttle.clone());
        put(&mut view, "quota", self.quota.clone());
        view
    }
}

/// Whether a plan contains a stage of an API, or this stage of it.
pub(super) fn holds(state: &State, region: &str, api: &str, stage: Option<&str>) -> bool {
    let is = |key: &String| match stage {
        Some(stage) => *key == format!("{api}:{stage}"),
        None => key.split(':').next() == Some(api),
    };
    here(&state.plans, region).any(|(_, plan)| plan.stages.iter().any(is))
}

/// The tags of a key. The key keeps them.
pub(super) fn key_tags<'a>(
    state: &'a mut State,
    region: &str,
    id: &str,
) -> Result<&'a mut Tags, Refusal> {
    let key = state.keys.get_mut(&at(region, id));
    key.map(|key| &mut key.tags).ok_or_else(|| gone("Invalid API Key identifier specified"))
}

/// An API key.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Key {
    name: String,
    description: Option<String>,
    enabled: bool,
    pub created: f64,
    updated: f64,
    value: String,
    tags: Tags,
}

/// The paths of a key that a patch can replace.
const KEY_PATHS: [&str; 4] = ["/description", "/enabled", "/name", "/customerId"];

/// The paths of a plan that a patch can replace.
const PLAN_PATHS: [&str; 9] = [
    "/name",
    "/description",
    "/productCode",
    "/quota",
    "/quota/limit",
    "/quota/period",
    "/throttle",
    "/throttle/rateLimit",
    "/throttle/burstLimit",
];

impl Key {
    fn view(&self, id: &str, with_value: bool) -> Value {
        let mut view = json!({
            "id": id, "enabled": self.enabled, "createdDate": self.created,
            "lastUpdatedDate": self.updated, "stageKeys": [],
        });
        put(&mut view, "name", Some(&*self.name).filter(|name| !name.is_empty()));
        with_tags(&mut view, &self.tags);
        put(&mut view, "description", self.description.clone());
        put(&mut view, "value", with_value.then_some(self.value.as_str()));
        view
    }

    /// Its place in a list: the newest key comes first.
    fn place(&self, id: &str) -> String {
        format!("{:016x}{id}", u64::MAX - (self.created * 1000.0) as u64)
    }

    fn is_asked_for(&self, input: &Value) -> bool {
        text(input, "name").is_none_or(|start| self.name.starts_with(start))
    }

    fn in_plan(&self, id: &str) -> Value {
        json!({ "id": id, "type": "API_KEY", "name": self.name, "value": self.value })
    }

    fn describe(&mut self, description: &str) -> Result<(), Refusal> {
        if description.len() > 125_000 {
            return Err(bad("Invalid API Key description specified."));
        }
        self.description = Some(description.to_owned());
        Ok(())
    }
}

pub(super) fn call(
    world: &mut World,
    operation: &str,
    region: &str,
    input: &Value,
) -> Option<Answer> {
    let World { base, apigateway: state, .. } = world;
    Some(match operation {
        "CreateApiKey" => create_key(base, state, region, input),
        "GetApiKeys" => {
            let with_values = flag(input, "includeValues").unwrap_or(false);
            let keys = here(&state.keys, region).filter(|(_, key)| key.is_asked_for(input));
            let mut keys: Vec<(String, Value)> =
                keys.map(|(id, key)| (key.place(id), key.view(id, with_values))).collect();
            keys.sort_by(|(one, _), (other, _)| one.cmp(other));
            Ok(listed(keys, input))
        }
        "GetApiKey" => {
            let with_value = flag(input, "includeValue").unwrap_or(false);
            find_key(state, region, input)
                .map(|(id, key)| whole(key.view(id, with_value), &key.tags))
        }
        "UpdateApiKey" => update_key(base, state, region, input),
        "DeleteApiKey" => find_key(state, region, input).map(|(id, _)| id.to_owned()).map(|id| {
            state.keys.remove(&at(region, &id));
            for mut plan in state.plans.values_mut().filter(|plan| plan.keys.contains(&id)) {
                plan.keys.retain(|key| *key != id);
            }
            Value::Null
        }),
        "CreateUsagePlan" => create(base, state, region, input),
        "GetUsagePlans" => {
            let plans = here(&state.plans, region);
            let plans = plans.map(|(id, plan)| (id.to_owned(), plan.view(id)));
            Ok(listed(plans.collect(), input))
        }
        "GetUsagePlan" => {
            find(state, region, input).map(|(id, plan)| whole(plan.view(id), &plan.tags))
        }
        "UpdateUsagePlan" => update(state, region, input),
        "DeleteUsagePlan" => delete(state, region, input),
        "GetUsagePlanKeys" => Ok(plan_keys(state, region, input)),
        "CreateUsagePlanKey" => add_key(state, region, input),
        "DeleteUsagePlanKey" => find(state, region, input).and_then(|(_, plan)| {
            if plan.keys.remove(need(input, "key")?) {
                Ok(Value::Null)
            } else {
                Err(gone("Invalid Usage Plan Key identifier specified"))
            }
        }),
        _ => return None,
    })
}

fn find<'a, 'b>(
    state: &'a mut State,
    region: &str,
    input: &'b Value,
) -> Result<(&'b str, &'a mut Plan), Refusal> {
    let id = need(input, "plan")?;
    let plan = state.plans.get_mut(&at(region, id));
    plan.map(|plan| (id, plan)).ok_or_else(|| gone("Invalid Usage Plan ID specified"))
}

fn find_key<'a, 'b>(
    state: &'a mut State,
    region: &str,
    input: &'b Value,
) -> Result<(&'b str, &'a mut Key), Refusal> {
    let id = need(input, "key")?;
    let key = state.keys.get_mut(&at(region, id));
    key.map(|key| (id, key)).ok_or_else(|| gone("Invalid API Key identifier specified"))
}

/// The keys of a plan. A plan that does not exist has none.
fn plan_keys(state: &State, region: &str, input: &Value) -> Value {
    let plan = state.plans.get(&at(region, text(input, "plan").unwrap_or_default()));
    let ids = plan.into_iter().flat_map(|plan| &plan.keys);
    let keys = ids.filter_map(|id| Some((id, state.keys.get(&at(region, id))?)));
    let asked = keys.filter(|(_, key)| key.is_asked_for(input));
    let mut keys: Vec<(String, Value)> =
        asked.map(|(id, key)| (key.place(id), key.in_plan(id))).collect();
    keys.sort_by(|(one, _), (other, _)| one.cmp(other));
    listed(keys, input)
}

fn create_key(base: &mut Base, state: &mut State, region: &str, input: &Value) -> Answer {
    let value = text(input, "value").filter(|value| !value.is_empty());
    if value.is_some_and(|value| value.len() < 20) {
        return Err(bad("API Key value should be at least 20 characters"));
    }
    if value.is_some_and(|value| value.len() > 128) {
        return Err(bad("API Key value exceeds maximum size of 128 characters"));
    }
    let name = text(input, "name").unwrap_or_default();
    if name.len() > 1024 {
        return Err(bad("Invalid API Key name, can be at most 1024 characters."));
    }
    let today = now(base);
    let mut key = Key {
        name: name.to_owned(),
        description: None,
        enabled: flag(input, "enabled").unwrap_or(false),
        created: today,
        updated: today,
        value: value.map_or_else(|| format!("{:040x}", base.number()), str::to_owned),
        tags: Tags::new(),
    };
    if let Some(description) = text(input, "description") {
        key.describe(description)?;
    }
    tag(&mut key.tags, map(input, "tags"))?;
    let id = new_id(base);
    let view = key.view(&id, true);
    state.keys.insert(at(region, &id), key);
    Ok(view)
}

fn update_key(base: &Base, state: &mut State, region: &str, input: &Value) -> Answer {
    let (id, key) = find_key(state, region, input)?;
    let mut changed = key.clone();
    for patch in patches(input)? {
        match (patch.op, patch.path().as_slice()) {
            ("replace", ["name"]) => changed.name = patch.text().to_owned(),
            ("replace", ["description"]) => changed.describe(patch.text())?,
            ("replace", ["enabled"]) => changed.enabled = patch.flag(),
            _ => return Err(patch.refused(&KEY_PATHS)),
        }
    }
    changed.updated = now(base);
    *key = changed;
    Ok(whole(key.view(id, false), &key.tags))
}

fn stage_exists(state: &State, region: &str, plan: &str, key: &str) -> Result<(), Refusal> {
    let (api, stage) = key.split_once(':').ok_or_else(|| bad("Invalid API Stage specified"))?;
    let found = state.apis.get(&at(region, api));
    if found.is_some_and(|api| api.stages.contains_key(stage)) {
        Ok(())
    } else {
        Err(gone(format!(
            "Invalid API Stage {{api: {api}, stage: {stage}}} specified for usageplan {plan}"
        )))
    }
}

fn create(base: &mut Base, state: &mut State, region: &str, input: &Value) -> Answer {
    let stages = list(input, "apiStages").iter().map(|stage| {
        format!(
            "{}:{}",
            text(stage, "apiId").unwrap_or_default(),
            text(stage, "stage").unwrap_or_default()
        )
    });
    let mut plan = Plan {
        name: need(input, "name")?.to_owned(),
        description: text(input, "description").map(str::to_owned),
        stages: stages.collect(),
        throttle: input.get("throttle").cloned(),
        quota: input.get("quota").map(with_offset),
        ..Plan::default()
    };
    let id = new_id(base);
    for stage in &plan.stages {
        stage_exists(state, region, &id, stage)?;
    }
    tag(&mut plan.tags, map(input, "tags"))?;
    let view = plan.view(&id);
    state.plans.insert(at(region, &id), plan);
    Ok(view)
}

fn with_offset(quota: &Value) -> Value {
    let mut quota = quota.clone();
    if quota.get("offset").is_none() {
        quota["offset"] = json!(0);
    }
    quota
}

fn update(state: &mut State, region: &str, input: &Value) -> Answer {
    let (id, plan) = find(state, region, input)?;
    let mut changed = plan.clone();
    for patch in patches(input)? {
        let value = patch.text();
        match (patch.op, patch.path().as_slice()) {
            ("replace", ["name"]) => changed.name = value.to_owned(),
            ("replace", ["description"]) => changed.description = Some(value.to_owned()),
            ("add", ["apiStages"]) => {
                stage_exists(state, region, id, value)?;
                if !changed.stages.insert(value.to_owned()) {
                    return Err(conflict("The usage plan has that stage already"));
                }
            }
            ("remove", ["apiStages"]) => {
                stage_exists(state, region, id, value)?;
                if !changed.stages.remove(value) {
                    return Err(bad(format!("The usage plan has no stage {value}")));
                }
            }
            ("replace", ["throttle", "rateLimit"]) => {
                throttle(&mut changed)["rateLimit"] = json!(patch.number::<f64>()?);
            }
            ("replace", ["throttle", "burstLimit"]) => {
                throttle(&mut changed)["burstLimit"] = json!(patch.number::<i64>()?);
            }
            ("remove", ["throttle"]) => changed.throttle = None,
            ("replace", ["quota", "limit"]) => {
                quota(&mut changed)["limit"] = json!(patch.number::<i64>()?);
            }
            ("replace", ["quota", "period"]) if ["DAY", "WEEK", "MONTH"].contains(&value) => {
                quota(&mut changed)["period"] = json!(value);
            }
            ("remove", ["quota"]) => changed.quota = None,
            _ => return Err(patch.refused(&PLAN_PATHS)),
        }
    }
    let view = whole(changed.view(id), &changed.tags);
    state.plans.insert(at(region, id), changed);
    Ok(view)
}

fn throttle(plan: &mut Plan) -> &mut Value {
    plan.throttle.get_or_insert_with(|| json!({ "rateLimit": 0.0, "burstLimit": 0 }))
}

fn quota(plan: &mut Plan) -> &mut Value {
    plan.quota.get_or_insert_with(|| json!({ "limit": 0, "offset": 0, "period": "DAY" }))
}

fn delete(state: &mut State, region: &str, input: &Value) -> Answer {
    let (id, plan) = find(state, region, input)?;
    if !plan.stages.is_empty() {
        return Err(bad(format!(
            "Cannot delete Usage Plan {id} because it has associated API stages"
        )));
    }
    state.plans.remove(&at(region, id));
    Ok(Value::Null)
}

fn add_key(state: &mut State, region: &str, input: &Value) -> Answer {
    let id = need(input, "keyId")?;
    let Some(key) = state.keys.get(&at(region, id)) else {
        return Err(gone("Invalid API Key identifier specified"));
    };
    let view = key.in_plan(id);
    let (_, plan) = find(state, region, input)?;
    if plan.keys.insert(id.to_owned()) {
        Ok(view)
    } else {
        Err(conflict("Usage Plan Key already exists for this Usage Plan"))
    }
}

/// The id of the key with a value, if it is on and a plan lets it call the stage.
pub(super) fn key_of(
    state: &State,
    region: &str,
    (api, stage): (&str, &str),
    value: &str,
) -> Option<String> {
    let place = format!("{api}:{stage}");
    let plans = here(&state.plans, region).filter(|(_, plan)| plan.stages.contains(&place));
    let mut ids = plans.flat_map(|(_, plan)| &plan.keys);
    let fits = |key: &Key| key.enabled && key.value == value;
    ids.find(|id| state.keys.get(&at(region, id)).is_some_and(fits)).cloned()
}
