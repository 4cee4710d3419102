//! Updates, applied to items.

use serde_json::{Value, json};

use super::super::super::Refusal;
use super::super::invalid;
use super::super::numbers::Number;
use super::values::{at, equal, typed};
use super::{Change, Path, Step};

/// An update, read.
pub(in crate::dynamodb) struct Update(pub(super) Vec<Change>);

impl Update {
    /// The paths that it changes.
    pub(in crate::dynamodb) fn paths(&self) -> Vec<Path> {
        let path = |change: &Change| match change {
            Change::Set(path, _)
            | Change::Remove(path)
            | Change::Add(path, _)
            | Change::Delete(path, _) => path.clone(),
        };
        self.0.iter().map(path).collect()
    }

    /// The item as it is afterwards. All values come from the item as it was.
    pub(in crate::dynamodb) fn applied(&self, item: &Value) -> Result<Value, Refusal> {
        let mut new = item.clone();
        for change in &self.0 {
            match change {
                Change::Set(path, operand) => set(&mut new, path, operand.made(item)?)?,
                Change::Remove(path) => remove(&mut new, path),
                Change::Add(path, value) => {
                    let made = match (at(item, path), value["N"].as_str()) {
                        (None, _) => value.clone(),
                        (Some(old), Some(number)) => {
                            let old = old["N"].as_str().and_then(Number::of);
                            let sum = old.zip(Number::of(number));
                            let sum = sum.and_then(|(one, other)| one.add(other));
                            json!({ "N": sum.ok_or_else(mismatch)?.text() })
                        }
                        (Some(old), None) => joined(old, value, true)?,
                    };
                    set(&mut new, path, made)?;
                }
                Change::Delete(path, value) => {
                    let Some(old) = at(item, path) else { continue };
                    let left = joined(old, value, false)?;
                    if typed(&left).is_some_and(|(_, all)| all == &json!([])) {
                        remove(&mut new, path);
                    } else {
                        set(&mut new, path, left)?;
                    }
                }
            }
        }
        Ok(new)
    }
}

fn mismatch() -> Refusal {
    invalid("An operand in the update expression has an incorrect data type")
}

/// A set with more members, or without some.
fn joined(old: &Value, other: &Value, more: bool) -> Result<Value, Refusal> {
    let (Some((kind, Value::Array(items))), Some((same, Value::Array(others)))) =
        (typed(old), typed(other))
    else {
        return Err(mismatch());
    };
    if kind != same || !kind.ends_with('S') {
        return Err(mismatch());
    }
    let member = |value: &Value| json!({ &kind[..1]: value });
    let has =
        |all: &[Value], one: &Value| all.iter().any(|item| equal(&member(item), &member(one)));
    let mut items: Vec<Value> = items.clone();
    if more {
        let new: Vec<Value> = others.iter().filter(|one| !has(&items, one)).cloned().collect();
        items.extend(new);
    } else {
        items.retain(|one| !has(others, one));
    }
    Ok(json!({ kind: items }))
}

/// The place of a path's last step, whose parents must be there.
fn parent<'a>(item: &'a mut Value, path: &[Step]) -> Option<&'a mut Value> {
    path.iter().enumerate().try_fold(item, |value, (place, step)| match step {
        Step::Name(name) if place == 0 => value.get_mut(name),
        Step::Name(name) => value.get_mut("M")?.get_mut(name),
        Step::Place(place) => value.get_mut("L")?.get_mut(place),
    })
}

fn set(item: &mut Value, path: &[Step], value: Value) -> Result<(), Refusal> {
    let Some((last, before)) = path.split_last() else { return Ok(()) };
    let invalid_path =
        || invalid("The document path provided in the update expression is invalid for update");
    let inside = parent(item, before).ok_or_else(invalid_path)?;
    match last {
        Step::Name(name) if before.is_empty() => inside[name] = value,
        Step::Name(name) => {
            let members = inside.get_mut("M").and_then(Value::as_object_mut);
            members.ok_or_else(invalid_path)?.insert(name.clone(), value);
        }
        Step::Place(place) => {
            let items = inside.get_mut("L").and_then(Value::as_array_mut);
            let items = items.ok_or_else(invalid_path)?;
            match items.get_mut(*place) {
                Some(item) => *item = value,
                None => items.push(value),
            }
        }
    }
    Ok(())
}

fn remove(item: &mut Value, path: &[Step]) {
    let Some((last, before)) = path.split_last() else { return };
    let Some(inside) = parent(item, before) else { return };
    match last {
        Step::Name(name) => {
            let members = if before.is_empty() { Some(inside) } else { inside.get_mut("M") };
            if let Some(members) = members.and_then(Value::as_object_mut) {
                members.remove(name);
            }
        }
        Step::Place(place) => {
            if let Some(items) = inside.get_mut("L").and_then(Value::as_array_mut)
                && *place < items.len()
            {
                items.remove(*place);
            }
        }
    }
}
