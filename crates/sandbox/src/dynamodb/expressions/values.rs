//! What paths, operands and conditions say of an item.

use std::cmp::Ordering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::super::Refusal;
use super::super::invalid;
use super::super::numbers::Number;
use super::{Condition, Operand, Path, Step};

/// The value at a path of an item.
pub(super) fn at<'a>(item: &'a Value, path: &[Step]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let Step::Name(name) = first else { return None };
    rest.iter().try_fold(item.get(name)?, |value, step| match step {
        Step::Name(name) => value.get("M")?.get(name),
        Step::Place(place) => value.get("L")?.get(place),
    })
}

/// The parts of an item that a projection names.
pub(in crate::dynamodb) fn projected(item: &Value, paths: &[Path]) -> Value {
    let mut out = json!({});
    for path in paths {
        let Some(value) = at(item, path) else { continue };
        let mut inner = value.clone();
        for step in path[1..].iter().rev() {
            inner = match step {
                Step::Name(name) => json!({ "M": { name: inner } }),
                Step::Place(_) => json!({ "L": [inner] }),
            };
        }
        if let Some(Step::Name(name)) = path.first() {
            match out.get_mut(name) {
                Some(known) => merge(known, inner),
                None => out[name] = inner,
            }
        }
    }
    out
}

fn merge(known: &mut Value, more: Value) {
    match (known, more) {
        (Value::Object(known), Value::Object(more)) => {
            for (name, value) in more {
                match known.get_mut(&name) {
                    Some(known) => merge(known, value),
                    None => drop(known.insert(name, value)),
                }
            }
        }
        (Value::Array(known), Value::Array(more)) => known.extend(more),
        (known, more) => *known = more,
    }
}

impl Operand {
    fn of(&self, item: &Value) -> Option<Value> {
        match self {
            Self::Path(path) => at(item, path).cloned(),
            Self::Value(value) => Some(value.clone()),
            Self::Size(path) => {
                let (kind, value) = typed(at(item, path)?)?;
                let size = match (kind, value) {
                    ("S", Value::String(text)) => text.len(),
                    ("B", Value::String(text)) => STANDARD.decode(text).ok()?.len(),
                    (_, Value::Array(items)) => items.len(),
                    ("M", Value::Object(members)) => members.len(),
                    _ => return None,
                };
                Some(json!({ "N": size.to_string() }))
            }
            Self::IfMissing(path, other) => at(item, path).cloned().or_else(|| other.of(item)),
            Self::Append(..) | Self::Sum(..) => self.made(item).ok(),
        }
    }

    /// The value for an update.
    pub(super) fn made(&self, item: &Value) -> Result<Value, Refusal> {
        let missing = || {
            invalid(
                "The provided expression refers to an attribute that does not exist in the item",
            )
        };
        let wrong = |kind: &str, operator: &str| {
            invalid(format!(
                "Invalid UpdateExpression: Incorrect operand type for operator or function; \
                 operator or function: {operator}, operand type: {kind}"
            ))
        };
        let kind = |value: &Value| typed(value).map_or(String::new(), |(kind, _)| kind.to_owned());
        match self {
            Self::Append(first, second) => {
                let (first, second) = (first.made(item)?, second.made(item)?);
                let (Some(one), Some(other)) = (first["L"].as_array(), second["L"].as_array())
                else {
                    return Err(wrong(&kind(&second), "list_append"));
                };
                Ok(json!({ "L": one.iter().chain(other).collect::<Vec<_>>() }))
            }
            Self::Sum(left, right, plus) => {
                let (left, right) = (left.made(item)?, right.made(item)?);
                let operator = if *plus { "+" } else { "-" };
                let number = |value: &Value| {
                    let number = value["N"].as_str().and_then(Number::of);
                    number.ok_or_else(|| wrong(&kind(value), operator))
                };
                let (one, other) = (number(&left)?, number(&right)?);
                let sum = if *plus { one.add(other) } else { one.minus(other) };
                let sum = sum.ok_or_else(|| invalid("Number overflow. Attempting to store a number with magnitude larger than supported range"))?;
                Ok(json!({ "N": sum.text() }))
            }
            Self::IfMissing(path, other) => match at(item, path) {
                Some(value) => Ok(value.clone()),
                None => other.made(item),
            },
            _ => self.of(item).ok_or_else(missing),
        }
    }
}

/// The type and the content of a value.
pub(super) fn typed(value: &Value) -> Option<(&str, &Value)> {
    let (kind, content) = value.as_object()?.iter().next()?;
    Some((kind, content))
}

/// How two values of one type stand to each other, if they have an order.
pub(in crate::dynamodb) fn order(one: &Value, other: &Value) -> Option<Ordering> {
    let ((kind, one), (same, other)) = (typed(one)?, typed(other)?);
    if kind != same {
        return None;
    }
    match kind {
        "N" => Some(Number::of(one.as_str()?)?.compare(Number::of(other.as_str()?)?)),
        "S" => Some(one.as_str()?.cmp(other.as_str()?)),
        "B" => {
            Some(STANDARD.decode(one.as_str()?).ok()?.cmp(&STANDARD.decode(other.as_str()?).ok()?))
        }
        _ => None,
    }
}

/// Whether two values are equal: numbers by their size, sets in any order.
pub(super) fn equal(one: &Value, other: &Value) -> bool {
    let (Some((kind, content)), Some((same, others))) = (typed(one), typed(other)) else {
        return false;
    };
    match (content, others) {
        _ if kind != same => false,
        _ if ["S", "N", "B"].contains(&kind) => order(one, other) == Some(Ordering::Equal),
        (Value::Array(items), Value::Array(others)) if kind == "L" => {
            items.len() == others.len()
                && items.iter().zip(others).all(|(one, other)| equal(one, other))
        }
        (Value::Array(items), Value::Array(others)) => {
            let member = |value: &Value| json!({ &kind[..1]: value });
            items.len() == others.len()
                && items
                    .iter()
                    .all(|one| others.iter().any(|other| equal(&member(one), &member(other))))
        }
        (Value::Object(members), Value::Object(others)) => {
            members.len() == others.len()
                && members
                    .iter()
                    .all(|(name, one)| others.get(name).is_some_and(|other| equal(one, other)))
        }
        _ => content == others,
    }
}

impl Condition {
    /// Whether an item fulfils it; an item that is not there is an empty one.
    pub(in crate::dynamodb) fn holds(&self, item: &Value) -> bool {
        match self {
            Self::All(all) => all.iter().all(|one| one.holds(item)),
            Self::Any(all) => all.iter().any(|one| one.holds(item)),
            Self::Not(one) => !one.holds(item),
            Self::Exists(path, wanted) => at(item, path).is_some() == *wanted,
            Self::Type(path, kind) => at(item, path)
                .and_then(typed)
                .is_some_and(|(have, _)| kind["S"].as_str() == Some(have)),
            Self::Begins(place, wanted) => match (place.of(item), wanted.of(item)) {
                (Some(value), Some(start)) => {
                    let text = |value: &Value| match (&value["S"], &value["B"]) {
                        (Value::String(text), _) => Some(text.clone().into_bytes()),
                        (_, Value::String(bytes)) => STANDARD.decode(bytes).ok(),
                        _ => None,
                    };
                    text(&value)
                        .zip(text(&start))
                        .is_some_and(|(text, start)| text.starts_with(&start))
                }
                _ => false,
            },
            Self::Contains(place, wanted) => match (place.of(item), wanted.of(item)) {
                (Some(value), Some(wanted)) => contains(&value, &wanted),
                _ => false,
            },
            Self::Compare(left, operator, right) => {
                let (left, right) = (left.of(item), right.of(item));
                let (Some(left), Some(right)) = (left, right) else { return *operator == "<>" };
                let order = order(&left, &right);
                match *operator {
                    "=" => equal(&left, &right),
                    "<>" => !equal(&left, &right),
                    "<" => order == Some(Ordering::Less),
                    ">" => order == Some(Ordering::Greater),
                    "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
                    _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
                }
            }
            Self::Between(value, low, high) => {
                match (value.of(item), low.of(item), high.of(item)) {
                    (Some(value), Some(low), Some(high)) => {
                        order(&low, &value).is_some_and(Ordering::is_le)
                            && order(&value, &high).is_some_and(Ordering::is_le)
                    }
                    _ => false,
                }
            }
            Self::In(value, all) => value.of(item).is_some_and(|value| {
                all.iter().filter_map(|one| one.of(item)).any(|one| equal(&value, &one))
            }),
        }
    }
}

/// Whether a text has a part, a set a member, or a list an item.
fn contains(value: &Value, wanted: &Value) -> bool {
    let Some((kind, content)) = typed(value) else { return false };
    match (kind, content) {
        ("S", Value::String(text)) => wanted["S"].as_str().is_some_and(|part| text.contains(part)),
        ("L", Value::Array(items)) => items.iter().any(|item| equal(item, wanted)),
        (_, Value::Array(items)) => {
            items.iter().any(|item| equal(&json!({ &kind[..1]: item }), wanted))
        }
        _ => false,
    }
}
