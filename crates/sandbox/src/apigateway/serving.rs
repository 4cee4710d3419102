//! What the stages of an API serve: the picture of its deployment, and which method a path reaches.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::toolbox::text;
use super::apis::Api;
use super::resources::Resource;
use super::{State, plans};

/// The parts of an API at the time of a deployment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Picture {
    resources: BTreeMap<String, Resource>,
    authorizers: BTreeMap<String, Value>,
    validators: BTreeMap<String, Value>,
    models: BTreeMap<String, Value>,
    binary_types: Vec<String>,
}

impl Picture {
    pub(super) fn of(api: &Api) -> Self {
        Self {
            resources: api.resources.clone(),
            authorizers: api.authorizers.clone(),
            validators: api.validators.clone(),
            models: api.models.clone(),
            binary_types: api.binary_types.clone(),
        }
    }
}

/// A method that a request reaches.
#[derive(Clone, Debug, Default)]
pub(crate) struct Served {
    pub(crate) region: String,
    pub(crate) api: String,
    pub(crate) stage: String,
    pub(crate) deployment: String,
    pub(crate) resource: String,
    /// `/service/{proxy+}`.
    pub(crate) template: String,
    /// What the names in the template stand for.
    pub(crate) path: Map<String, Value>,
    pub(crate) method: Value,
    pub(crate) authorizer: Option<Value>,
    pub(crate) validator: Option<Value>,
    /// The schemas of models, by name.
    pub(crate) models: BTreeMap<String, Value>,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) binary_types: Vec<String>,
    /// The id of the API key that the request gave, if the stage takes it.
    pub(crate) key: Option<String>,
}

/// Why nothing is reached.
#[derive(Debug, PartialEq)]
pub(crate) enum Unserved {
    /// There is no such API.
    Api,
    /// It has no such stage.
    Stage,
    /// The deployment is one of an earlier version of payctl.
    Picture,
    /// It has no such path, or not with that method.
    Method,
}

/// The method of an API's stage that a path reaches.
pub(crate) fn serving(
    state: &State,
    (api, stage): (&str, &str),
    (method, path): (&str, &str),
    key: Option<&str>,
) -> Result<Served, Unserved> {
    let found = state.apis.iter().find(|(place, _)| place.rsplit('|').next() == Some(api));
    let (place, found) = found.ok_or(Unserved::Api)?;
    let region = place.split('|').next().unwrap_or_default();
    let live = found.stages.get(stage).ok_or(Unserved::Stage)?;
    let deployment = found.deployments.get(&live.deployment).ok_or(Unserved::Stage)?;
    let picture = deployment.picture.as_ref().ok_or(Unserved::Picture)?;
    let fitting = picture.resources.iter().filter_map(|(id, resource)| {
        let (rank, names) = fit(&resource.path, path)?;
        let method = resource.methods.get(method).or_else(|| resource.methods.get("ANY"))?;
        Some((rank, id, resource, names, method))
    });
    let best = fitting.max_by(|(one, ..), (other, ..)| one.cmp(other));
    let (_, id, resource, names, method) = best.ok_or(Unserved::Method)?;
    let of = |all: &BTreeMap<String, Value>, key: &str| all.get(text(method, key)?).cloned();
    let schema = |model: &Value| serde_json::from_str(text(model, "schema")?).ok();
    let models = picture.models.iter();
    let models = models.filter_map(|(name, model)| Some((name.clone(), schema(model)?)));
    Ok(Served {
        region: region.to_owned(),
        api: api.to_owned(),
        stage: stage.to_owned(),
        deployment: live.deployment.clone(),
        resource: id.clone(),
        template: resource.path.clone(),
        path: names,
        method: method.clone(),
        authorizer: of(&picture.authorizers, "authorizerId"),
        validator: of(&picture.validators, "requestValidatorId"),
        models: models.collect(),
        variables: live.variables.clone(),
        binary_types: picture.binary_types.clone(),
        key: key.and_then(|key| plans::key_of(state, region, (api, stage), key)),
    })
}

/// What the names in a template stand for in a path, if it fits, and how exactly it does: segment by
/// segment a text before a name, and a name before all the rest.
fn fit(template: &str, path: &str) -> Option<(Vec<u8>, Map<String, Value>)> {
    let split = |path: &str| -> Vec<String> {
        path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let (parts, given) = (split(template), split(path));
    let (mut rank, mut names) = (Vec::new(), Map::new());
    for (place, part) in parts.iter().enumerate() {
        let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        if let Some(name) = name.and_then(|name| name.strip_suffix('+')) {
            let rest = given.get(place..).filter(|rest| !rest.is_empty())?;
            rank.push(0);
            names.insert(name.to_owned(), rest.join("/").into());
            return Some((rank, names));
        }
        let have = given.get(place)?;
        match name {
            Some(name) => {
                rank.push(1);
                names.insert(name.to_owned(), have.as_str().into());
            }
            None if part == have => rank.push(2),
            None => return None,
        }
    }
    (parts.len() == given.len()).then_some((rank, names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_exact_path_is_reached() {
        let best = |path: &str| {
            let all = ["/", "/a", "/a/{id}", "/a/b", "/a/{id}/c", "/{proxy+}", "/a/{rest+}"];
            let fitting = all.iter().filter_map(|all| Some((fit(all, path)?.0, *all)));
            fitting.max().map(|(_, template)| template)
        };
        for (path, template) in [
            ("/", Some("/")),
            ("", Some("/")),
            ("/a", Some("/a")),
            ("/a/", Some("/a")),
            ("/a/b", Some("/a/b")),
            ("/a/x", Some("/a/{id}")),
            ("/a/b/d", Some("/a/{rest+}")),
            ("/a/x/c", Some("/a/{id}/c")),
            ("/x/y", Some("/{proxy+}")),
        ] {
            assert_eq!(best(path), template, "{path}");
        }
        let names = fit("/a/{rest+}", "/a/b/c").map(|(_, names)| Value::Object(names));
        assert_eq!(names, Some(serde_json::json!({ "rest": "b/c" })));
    }
}
