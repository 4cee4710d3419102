//! As much of JSON Schema (draft 4) as request models use. Patterns are not looked at.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::toolbox::{list, text};

/// How deep models may lie in each other.
const DEEPEST: usize = 32;

/// Whether a value fits a schema.
pub(super) fn fits(schema: &Value, value: &Value, models: &BTreeMap<String, Value>) -> bool {
    fits_at(schema, value, &Models { root: schema, models }, DEEPEST)
}

struct Models<'a> {
    root: &'a Value,
    models: &'a BTreeMap<String, Value>,
}

impl<'a> Models<'a> {
    /// What a reference names: a part of the schema, or another model by its URL.
    fn find(&self, reference: &str) -> Option<&'a Value> {
        match reference.strip_prefix('#') {
            Some(pointer) => self.root.pointer(pointer),
            None => self.models.get(reference.rsplit("/models/").next()?),
        }
    }
}

fn fits_at(schema: &Value, value: &Value, models: &Models<'_>, depth: usize) -> bool {
    let Some(deeper) = depth.checked_sub(1) else { return false };
    if let Some(reference) = text(schema, "$ref") {
        return models.find(reference).is_some_and(|found| fits_at(found, value, models, deeper));
    }
    let fits = |schema: &Value, value: &Value| fits_at(schema, value, models, deeper);
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        Value::String(one) => vec![one.as_str()],
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|kind| is(kind, value)) {
        return false;
    }
    if schema["enum"].as_array().is_some_and(|all| !all.contains(value)) {
        return false;
    }
    let all = |key: &str| list(schema, key).iter();
    let has = |key: &str| schema.get(key).is_some();
    if !all("allOf").all(|one| fits(one, value))
        || has("anyOf") && !all("anyOf").any(|one| fits(one, value))
        || has("oneOf") && all("oneOf").filter(|one| fits(one, value)).count() != 1
        || schema.get("not").is_some_and(|one| fits(one, value))
    {
        return false;
    }
    match value {
        Value::Object(members) => fits_object(schema, members, &fits),
        Value::Array(items) => {
            within(schema, "minItems", "maxItems", items.len() as f64)
                && schema.get("items").is_none_or(|one| items.iter().all(|item| fits(one, item)))
        }
        Value::String(text) => {
            within(schema, "minLength", "maxLength", text.chars().count() as f64)
        }
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            let excluded = |end: &str, exclusive: &str| {
                schema[exclusive] == true && schema[end].as_f64() == Some(number)
            };
            within(schema, "minimum", "maximum", number)
                && !excluded("minimum", "exclusiveMinimum")
                && !excluded("maximum", "exclusiveMaximum")
        }
        _ => true,
    }
}

fn fits_object(
    schema: &Value,
    members: &Map<String, Value>,
    fits: &dyn Fn(&Value, &Value) -> bool,
) -> bool {
    let properties = schema["properties"].as_object();
    let property = |name: &String| properties.and_then(|all| all.get(name));
    let mut required = list(schema, "required").iter().filter_map(Value::as_str);
    within(schema, "minProperties", "maxProperties", members.len() as f64)
        && required.all(|name| members.contains_key(name))
        && members.iter().all(|(name, value)| {
            match (property(name), &schema["additionalProperties"]) {
                (Some(property), _) => fits(property, value),
                (None, Value::Bool(allowed)) => *allowed,
                (None, other @ Value::Object(_)) => fits(other, value),
                (None, _) => true,
            }
        })
}

fn within(schema: &Value, least: &str, most: &str, size: f64) -> bool {
    schema[least].as_f64().is_none_or(|least| size >= least)
        && schema[most].as_f64().is_none_or(|most| size <= most)
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_payment_fits_the_model_of_a_payment_only() {
        let schema = json!({
            "type": "object",
            "required": ["customer_id", "amount"],
            "properties": {
                "customer_id": { "type": "string", "minLength": 2 },
                "amount": { "type": ["number", "string"], "minimum": 0, "exclusiveMinimum": true },
                "kind": { "enum": ["a", "b"] },
                "items": { "type": "array", "maxItems": 1, "items": { "$ref": "x/models/Item" } },
            },
            "additionalProperties": false,
        });
        let models = BTreeMap::from([("Item".to_owned(), json!({ "type": "integer" }))]);
        let fits = |value: Value| fits(&schema, &value, &models);
        assert!(fits(json!({ "customer_id": "c1", "amount": 1.5 })));
        assert!(fits(json!({ "customer_id": "c1", "amount": "1", "items": [1], "kind": "a" })));
        for wrong in [
            json!([]),
            json!({ "customer_id": "c1" }),
            json!({ "customer_id": "c", "amount": 1 }),
            json!({ "customer_id": "c1", "amount": 0 }),
            json!({ "customer_id": "c1", "amount": true }),
            json!({ "customer_id": "c1", "amount": 1, "more": 1 }),
            json!({ "customer_id": "c1", "amount": 1, "kind": "c" }),
            json!({ "customer_id": "c1", "amount": 1, "items": [1.5] }),
            json!({ "customer_id": "c1", "amount": 1, "items": [1, 2] }),
        ] {
            assert!(!fits(wrong.clone()), "{wrong}");
        }
    }

    #[test]
    fn a_model_that_names_itself_ends() {
        let models = BTreeMap::from([("A".to_owned(), json!({ "$ref": "x/models/A" }))]);
        assert!(!fits(&json!({ "$ref": "x/models/A" }), &json!(1), &models));
    }
}
