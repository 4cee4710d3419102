//! Items: calls that put, get, delete and list them by key.

use serde_json::{Map, Value, json};

use super::super::toolbox::{list, text};
use super::super::{Answer, Refusal};
use super::{State, Status, Table, find, invalid};

/// A table with usable items.
fn open<'a>(state: &'a mut State, region: &str, input: &Value) -> Result<&'a mut Table, Refusal> {
    match find(state, region, input)? {
        (name, table) if matches!(table.status, Status::Creating | Status::Deleting) => {
            let state = table.status.name();
            Err(Refusal::new(
                "ResourceNotFoundException",
                format!("Requested resource not found: table {name} is {state}"),
            ))
        }
        (_, table) => Ok(table),
    }
}

impl Table {
    /// The key of an item as text. Each key attribute must be there with its type.
    fn key_of(&self, item: &Value) -> Result<String, Refusal> {
        let mut key = Map::new();
        for part in self.keys.as_array().map(Vec::as_slice).unwrap_or_default() {
            let name = text(part, "AttributeName").unwrap_or_default();
            let kind = self.types.get(name).map(String::as_str).unwrap_or_default();
            let value = item.get(name).filter(|value| value.get(kind).is_some());
            let value = value.ok_or_else(|| {
                invalid(format!(
                    "One or more parameter values were invalid: Missing the key {name} in the \
                     item, or it is not of the type {kind}"
                ))
            })?;
            key.insert(name.to_owned(), value.clone());
        }
        Ok(Value::Object(key).to_string())
    }
}

/// The answer with the old item, if the call asks for it.
fn returning(old: Option<Value>, input: &Value) -> Value {
    match old.filter(|_| text(input, "ReturnValues") == Some("ALL_OLD")) {
        Some(old) => json!({ "Attributes": old }),
        None => json!({}),
    }
}

/// Puts an item, and replaces one with the same key.
pub(super) fn put_item(state: &mut State, region: &str, input: &Value, today: f64) -> Answer {
    let table = open(state, region, input)?;
    let key = table.key_of(&input["Item"])?;
    let guarded = text(input, "ConditionExpression")
        .is_some_and(|condition| condition.trim_start().starts_with("attribute_not_exists"));
    if guarded && table.items.contains_key(&key) {
        let message = "The conditional request failed";
        return Err(Refusal::new("ConditionalCheckFailedException", message));
    }
    table.remember(today, &key, Some(&input["Item"]));
    let old = table.items.insert(key, input["Item"].clone());
    Ok(returning(old, input))
}

/// One item.
pub(super) fn get_item(state: &mut State, region: &str, input: &Value) -> Answer {
    let table = open(state, region, input)?;
    let item = table.items.get(&table.key_of(&input["Key"])?);
    Ok(item.map_or(json!({}), |item| json!({ "Item": item })))
}

/// Deletes an item. A missing one is not an error.
pub(super) fn delete_item(state: &mut State, region: &str, input: &Value, today: f64) -> Answer {
    let table = open(state, region, input)?;
    let key = table.key_of(&input["Key"])?;
    table.remember(today, &key, None);
    Ok(returning(table.items.remove(&key), input))
}

/// All items, without filters.
pub(super) fn scan(state: &mut State, region: &str, input: &Value) -> Answer {
    if !list(input, "ScanFilter").is_empty() || text(input, "FilterExpression").is_some() {
        return Err(invalid("The sandbox scans without filters only."));
    }
    let table = open(state, region, input)?;
    let items: Vec<&Value> = table.items.values().collect();
    Ok(json!({ "Items": items, "Count": items.len(), "ScannedCount": items.len() }))
}
