//! Resources (paths), request validators and models.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{flag, need as need_text, put, text};
use super::super::{Answer, Base, Refusal, World};
use super::apis::{Api, find, holder};
use super::patch::patches;
use super::{State, bad, conflict, full, gone, listed, need, new_id, no_such_api};

/// A resource.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Resource {
    parent: Option<String>,
    part: String,
    path: String,
    /// Methods by name, as the client sent them.
    pub methods: BTreeMap<String, Value>,
}

const MOST: usize = 300;

const NO_RESOURCE: &str = "Invalid Resource identifier specified";
const NO_VALIDATOR: &str = "Invalid Request Validator identifier specified";

fn no_model(input: &Value) -> String {
    format!("Invalid model name specified: {}", text(input, "model").unwrap_or_default())
}

impl Resource {
    pub(super) fn root() -> Self {
        Self { path: "/".into(), ..Self::default() }
    }

    fn view(&self, id: &str, embed: bool) -> Value {
        let mut view = json!({ "id": id, "path": self.path });
        if let Some(parent) = &self.parent {
            view["parentId"] = json!(parent);
            view["pathPart"] = json!(self.part);
        }
        if !self.methods.is_empty() {
            let bare = || self.methods.keys().map(|name| (name.clone(), json!({}))).collect();
            view["resourceMethods"] =
                if embed { json!(self.methods) } else { Value::Object(bare()) };
        }
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
    let answer = match operation {
        "GetResources" => get(apigateway, region, input),
        "CreateResource" => create(base, apigateway, region, input),
        "DeleteResource" => delete(apigateway, region, input),
        "GetRequestValidators" => find(apigateway, region, input).map(|api| {
            let all = api.validators.clone().into_iter();
            listed(all.collect(), input)
        }),
        "CreateRequestValidator" => create_validator(base, apigateway, region, input),
        "UpdateRequestValidator" => update_validator(apigateway, region, input),
        "DeleteRequestValidator" => delete_validator(apigateway, region, input),
        "GetModels" => find(apigateway, region, input).map(|api| {
            let all = api.models.clone().into_iter();
            listed(all.collect(), input)
        }),
        "CreateModel" => create_model(base, apigateway, region, input),
        "UpdateModel" => update_model(apigateway, region, input),
        "DeleteModel" => delete_model(apigateway, region, input),
        _ => return None,
    };
    Some(answer)
}

fn get(state: &mut State, region: &str, input: &Value) -> Answer {
    let api = find(state, region, input)?;
    let embed = text(input, "embed") == Some("methods");
    let all = api.resources.iter().map(|(id, one)| (id.clone(), one.view(id, embed)));
    Ok(listed(all.collect(), input))
}

/// Whether a part of a path is a variable.
fn is_variable(part: &str) -> bool {
    part.starts_with('{')
}

fn is_part(part: &str) -> bool {
    let inner = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
    let name = inner.map_or(part, |inner| inner.strip_suffix('+').unwrap_or(inner));
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-:".contains(c);
    !name.is_empty() && name.chars().all(plain)
}

fn create(base: &mut Base, state: &mut State, region: &str, input: &Value) -> Answer {
    let api = holder(state, region, input, NO_RESOURCE)?;
    let parent = need(input, "resource")?;
    let part = need(input, "pathPart")?;
    let Some(above) = api.resources.get(parent) else {
        return Err(gone(NO_RESOURCE));
    };
    if !is_part(part) {
        return Err(bad("Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path \
                        variable and curly braces at the beginning and the end."));
    }
    if above.part.ends_with("+}") {
        return Err(bad(format!(
            "Cannot create a child of a resource with a greedy path variable: {}",
            above.part
        )));
    }
    for other in api.resources.values().filter(|one| one.parent.as_deref() == Some(parent)) {
        if other.part == part {
            return Err(conflict(format!(
                "Another resource with the same parent already has this name: {part}"
            )));
        }
        if is_variable(&other.part) && is_variable(part) {
            return Err(bad(format!(
                "A sibling ({}) of this resource already has a variable path part -- only one is \
                 allowed",
                other.part
            )));
        }
    }
    if api.resources.len() >= MOST {
        return Err(full("Maximum number of resources reached"));
    }
    let path = format!("{}/{part}", above.path.trim_end_matches('/'));
    let made = Resource {
        parent: Some(parent.to_owned()),
        part: part.to_owned(),
        path,
        methods: BTreeMap::new(),
    };
    let id = new_id(base);
    let view = made.view(&id, false);
    api.resources.insert(id, made);
    Ok(view)
}

fn delete(state: &mut State, region: &str, input: &Value) -> Answer {
    let api = holder(state, region, input, NO_RESOURCE)?;
    let id = need(input, "resource")?;
    let Some(found) = api.resources.get(id) else {
        return Err(gone(NO_RESOURCE));
    };
    if found.parent.is_none() {
        return Err(bad("Root resource cannot be deleted"));
    }
    let below = format!("{}/", found.path);
    api.resources.retain(|other, one| other != id && !one.path.starts_with(&below));
    Ok(Value::Null)
}

fn create_validator(base: &mut Base, state: &mut State, region: &str, input: &Value) -> Answer {
    let api = find(state, region, input).map_err(|_| no_such_api())?;
    let id = new_id(base);
    let mut made = json!({
        "id": id,
        "validateRequestBody": flag(input, "validateRequestBody").unwrap_or(false),
        "validateRequestParameters": flag(input, "validateRequestParameters").unwrap_or(false),
    });
    put(&mut made, "name", text(input, "name"));
    api.validators.insert(id, made.clone());
    Ok(made)
}

fn update_validator(state: &mut State, region: &str, input: &Value) -> Answer {
    const PATHS: [&str; 3] = ["/name", "/validateRequestParameters", "/validateRequestBody"];
    let api = holder(state, region, input, NO_VALIDATOR)?;
    let found = api.validators.get_mut(need(input, "validator")?);
    let found = found.ok_or_else(|| gone(NO_VALIDATOR))?;
    for patch in patches(input)? {
        match (patch.op, patch.path().as_slice()) {
            ("replace", ["name"]) if patch.text().is_empty() => {
                return Err(bad("Request Validator name cannot be blank"));
            }
            ("replace", ["name"]) => found["name"] = json!(patch.text()),
            ("replace", [what @ ("validateRequestBody" | "validateRequestParameters")]) => {
                found[*what] = json!(patch.flag());
            }
            _ => return Err(patch.refused(&PATHS)),
        }
    }
    Ok(found.clone())
}

fn delete_validator(state: &mut State, region: &str, input: &Value) -> Answer {
    let api = holder(state, region, input, NO_VALIDATOR)?;
    let id = need(input, "validator")?;
    let uses = |method: &Value| text(method, "requestValidatorId") == Some(id);
    if methods(api).any(uses) {
        return Err(conflict("Cannot delete request validator: a method refers to it"));
    }
    let removed = api.validators.remove(id);
    removed.map(|_| Value::Null).ok_or_else(|| gone(NO_VALIDATOR))
}

pub(super) fn methods(api: &Api) -> impl Iterator<Item = &Value> {
    api.resources.values().flat_map(|one| one.methods.values())
}

fn valid_schema(text: &str) -> Result<(), Refusal> {
    let empty = "Model schema must have at least 1 property or array items defined";
    if text.is_empty() {
        return Err(bad(empty));
    }
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(members)) if members.is_empty() => Err(bad(empty)),
        Ok(_) => Ok(()),
        Err(error) => Err(bad(format!("Invalid model schema specified. {error}"))),
    }
}

fn create_model(base: &mut Base, state: &mut State, region: &str, input: &Value) -> Answer {
    let api = find(state, region, input)?;
    let name = text(input, "name").unwrap_or_default();
    if name.is_empty() {
        return Err(bad("Model name must be non-empty"));
    }
    if !name.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(bad("Model name must be alphanumeric"));
    }
    if api.models.contains_key(name) {
        return Err(conflict("Model name already exists for this REST API"));
    }
    let schema = text(input, "schema").unwrap_or_default();
    valid_schema(schema)?;
    let kind = need_text(input, "contentType", "BadRequestException")?;
    let mut made = json!({
        "id": new_id(base), "name": name, "schema": schema, "contentType": kind,
    });
    describe(&mut made, text(input, "description").unwrap_or_default());
    api.models.insert(name.to_owned(), made.clone());
    Ok(made)
}

/// An empty description removes it.
fn describe(model: &mut Value, description: &str) {
    let Some(members) = model.as_object_mut() else { return };
    members.remove("description");
    if !description.is_empty() {
        members.insert("description".into(), json!(description));
    }
}

fn update_model(state: &mut State, region: &str, input: &Value) -> Answer {
    let api = holder(state, region, input, &no_model(input))?;
    let found = api.models.get_mut(need(input, "model")?);
    let found = found.ok_or_else(|| gone(no_model(input)))?;
    for patch in patches(input)? {
        match (patch.op, patch.path().as_slice()) {
            ("replace", ["description"]) => describe(found, patch.text()),
            ("replace", ["schema"]) => {
                valid_schema(patch.text())?;
                found["schema"] = json!(patch.text());
            }
            _ => return Err(patch.refused(&["/description", "/schema"])),
        }
    }
    Ok(found.clone())
}

fn delete_model(state: &mut State, region: &str, input: &Value) -> Answer {
    let api = holder(state, region, input, &no_model(input))?;
    let name = need(input, "model")?;
    let uses = |method: &Value| {
        let models = method["requestModels"].as_object();
        models.is_some_and(|models| models.values().any(|model| model == name))
    };
    let user = api.resources.values().find_map(|one| {
        let (method, _) = one.methods.iter().find(|(_, method)| uses(method))?;
        Some(format!("{}/{method}", one.path))
    });
    if let Some(user) = user {
        return Err(conflict(format!(
            "Cannot delete model '{name}', is referenced in method request: {user}"
        )));
    }
    let removed = api.models.remove(name);
    removed.map(|_| Value::Null).ok_or_else(|| gone(no_model(input)))
}
