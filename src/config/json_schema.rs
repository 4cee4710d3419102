//! The JSON Schema of a config: what `check` goes by, and the looser one for editors.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::{Value as Json, json};

use super::layers::WITH_ZONE;
use super::schema::{Config, text};

/// The schema that a whole config is checked against.
pub(super) static SCHEMA: LazyLock<Json> = LazyLock::new(|| {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Config>().to_value();
    without_null(&mut schema);
    schema
});

/// The JSON Schema of one file, for editors. A file may be a layer of an environment: nothing is
/// required, and every string may contain `${...}`.
pub fn schema() -> Json {
    let mut schema = SCHEMA.clone();
    loosen(&mut schema);
    // The loader merges these differences into the rest, so a whole config does not have them.
    schema["properties"][WITH_ZONE] = json!({
        "type": "object",
        "$ref": "#",
        "description": "Differences that apply if `zone` is set: tables merge by key, as those of a \
                        file that extends another.",
    });
    schema
}

fn loosen(schema: &mut Json) {
    let with_inputs = |pattern: &str| format!("({pattern})|[$][{{]");
    match schema {
        Json::Object(map) => {
            for keyword in ["required", text::HOLDS, text::ITEM_OF] {
                // Below `properties` it would be a key of the config.
                if map.get(keyword).is_some_and(|value| !value.is_object()) {
                    map.remove(keyword);
                }
            }
            if let Some(Json::String(pattern)) = map.get_mut("pattern") {
                *pattern = with_inputs(pattern);
            }
            if let Some(Json::Object(patterns)) = map.get_mut("patternProperties") {
                let keys = std::mem::take(patterns).into_iter();
                *patterns = keys.map(|(pattern, inner)| (with_inputs(&pattern), inner)).collect();
            }
            map.values_mut().for_each(loosen);
        }
        Json::Array(items) => items.iter_mut().for_each(loosen),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// TOML has no null: an optional value is left out.
fn without_null(schema: &mut Json) {
    match schema {
        Json::Object(map) => {
            if map.get("default").is_some_and(Json::is_null) {
                map.remove("default");
            }
            for keyword in ["type", "enum"] {
                if let Some(Json::Array(values)) = map.get_mut(keyword) {
                    values.retain(|value| value != "null" && !value.is_null());
                    if keyword == "type" && values.len() == 1 {
                        let only = values.remove(0);
                        map.insert(keyword.to_owned(), only);
                    }
                }
            }
            if let Some(Json::Array(branches)) = map.get_mut("anyOf") {
                branches.retain(|branch| branch.get("type").is_none_or(|name| name != "null"));
                if branches.len() == 1
                    && let Json::Object(only) = branches.remove(0)
                {
                    map.remove("anyOf");
                    for (key, value) in only {
                        map.entry(key).or_insert(value);
                    }
                }
            }
            map.values_mut().for_each(without_null);
        }
        Json::Array(items) => items.iter_mut().for_each(without_null),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}
