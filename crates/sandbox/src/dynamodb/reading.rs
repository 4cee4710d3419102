//! Many items: those of one partition in the order of their sort key, or all.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::super::toolbox::{flag, list, number, put, text};
use super::super::{Answer, Refusal};
use super::expressions::{self, Condition, Names, Operand, Step};
use super::items::open;
use super::{State, Table, invalid};

/// The most bytes that one call reads.
const MOST: usize = 1 << 20;

/// The names of the keys of a table or an index: the partition key and, if there is one, the sort key.
#[derive(Debug)]
struct Keys {
    partition: String,
    sort: Option<String>,
    /// What of an item is in the index; all of it without.
    attributes: Option<Vec<String>>,
    is_global: bool,
}

impl Table {
    /// The keys that a call reads by.
    fn read_by(&self, input: &Value) -> Result<Keys, Refusal> {
        let named = |schema: &Value, kind: &str| {
            let parts = schema.as_array().into_iter().flatten();
            let mut parts = parts.filter(|part| text(part, "KeyType") == Some(kind));
            parts.next().and_then(|part| text(part, "AttributeName")).map(str::to_owned)
        };
        let of = |schema: &Value, projection: &Value, is_global: bool| Keys {
            partition: named(schema, "HASH").unwrap_or_default(),
            sort: named(schema, "RANGE"),
            attributes: self.kept(schema, projection),
            is_global,
        };
        let Some(name) = text(input, "IndexName") else {
            return Ok(of(&self.keys, &Value::Null, false));
        };
        if let Some(index) = self.indexes.get(name) {
            return Ok(of(&index.keys, &index.projection, true));
        }
        let local = self.local_indexes.iter().find(|one| text(one, "IndexName") == Some(name));
        let missing = || invalid(format!("The table does not have the specified index: {name}"));
        local.map(|one| of(&one["KeySchema"], &one["Projection"], false)).ok_or_else(missing)
    }

    /// The attributes that an index keeps; all of them without a list.
    fn kept(&self, schema: &Value, projection: &Value) -> Option<Vec<String>> {
        let kind = text(projection, "ProjectionType")?;
        if kind == "ALL" {
            return None;
        }
        let names = |schema: &Value| {
            let parts = schema.as_array().cloned().unwrap_or_default();
            parts
                .iter()
                .filter_map(|part| text(part, "AttributeName").map(str::to_owned))
                .collect::<Vec<_>>()
        };
        let more = list(projection, "NonKeyAttributes").iter();
        let more = more.filter_map(Value::as_str).map(str::to_owned);
        Some(names(schema).into_iter().chain(names(&self.keys)).chain(more).collect())
    }

    fn key_names(&self) -> Vec<String> {
        let parts = self.keys.as_array().cloned().unwrap_or_default();
        parts.iter().filter_map(|part| text(part, "AttributeName").map(str::to_owned)).collect()
    }
}

/// The items of one partition.
pub(super) fn query(state: &mut State, region: &str, input: &Value) -> Answer {
    let names = Names::of(input);
    let member = "KeyConditionExpression";
    let Some(condition) = expressions::condition(&names, member)? else {
        return Err(invalid(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the \
             request.",
        ));
    };
    let table = open(state, region, input)?;
    let keys = table.read_by(input)?;
    check(&condition, &keys)?;
    read(table, &keys, input, &names, Some(&condition))
}

/// All items.
pub(super) fn scan(state: &mut State, region: &str, input: &Value) -> Answer {
    if !list(input, "ScanFilter").is_empty() {
        return Err(invalid("The sandbox scans with filter expressions only."));
    }
    let names = Names::of(input);
    let table = open(state, region, input)?;
    let keys = table.read_by(input)?;
    read(table, &keys, input, &names, None)
}

/// A condition on keys names the partition key with `=`, and may say one thing more of the sort key.
fn check(condition: &Condition, keys: &Keys) -> Result<(), Refusal> {
    let parts = match condition {
        Condition::All(parts) => parts.as_slice(),
        one => std::slice::from_ref(one),
    };
    let place = |part: &Condition| match part {
        Condition::Compare(Operand::Path(path), operator, Operand::Value(_))
            if *operator != "<>" =>
        {
            Some((path.clone(), *operator == "="))
        }
        Condition::Between(Operand::Path(path), Operand::Value(_), Operand::Value(_))
        | Condition::Begins(Operand::Path(path), Operand::Value(_)) => Some((path.clone(), false)),
        _ => None,
    };
    let (mut has_partition, mut has_sort) = (false, false);
    for part in parts {
        let Some((path, is_equal)) = place(part) else {
            return Err(invalid("Invalid operator used in KeyConditionExpression"));
        };
        let [Step::Name(name)] = path.as_slice() else {
            return Err(invalid("KeyConditionExpressions cannot have nested attributes"));
        };
        if *name == keys.partition && !has_partition {
            if !is_equal {
                return Err(invalid("Query key condition not supported"));
            }
            has_partition = true;
        } else if Some(name) == keys.sort.as_ref() && !has_sort {
            has_sort = true;
        } else {
            let missing = if has_partition { keys.sort.as_ref() } else { Some(&keys.partition) };
            let missing = missing.unwrap_or(&keys.partition);
            let message = format!("Query condition missed key schema element: {missing}");
            return Err(invalid(message));
        }
    }
    if has_partition {
        Ok(())
    } else {
        let partition = &keys.partition;
        Err(invalid(format!("Query condition missed key schema element: {partition}")))
    }
}

fn read(
    table: &Table,
    keys: &Keys,
    input: &Value,
    names: &Names<'_>,
    condition: Option<&Condition>,
) -> Answer {
    let filter = expressions::condition(names, "FilterExpression")?;
    let paths = expressions::projection(names)?;
    names.all_used()?;
    if keys.is_global && flag(input, "ConsistentRead") == Some(true) {
        return Err(invalid("Consistent reads are not supported on global secondary indexes"));
    }
    let indexed = |item: &Value| {
        item.get(&keys.partition).is_some()
            && keys.sort.as_ref().is_none_or(|sort| item.get(sort).is_some())
    };
    let wanted = |item: &Value| condition.is_none_or(|condition| condition.holds(item));
    let mut found: Vec<(&String, &Value)> =
        table.items.iter().filter(|(_, item)| indexed(item) && wanted(item)).collect();
    if let (Some(_), Some(sort)) = (condition, &keys.sort) {
        found.sort_by(|(one_key, one), (other_key, other)| {
            let order = expressions::order(&one[sort], &other[sort]).unwrap_or(Ordering::Equal);
            order.then_with(|| one_key.cmp(other_key))
        });
    }
    if condition.is_some() && flag(input, "ScanIndexForward") == Some(false) {
        found.reverse();
    }
    let start = input.get("ExclusiveStartKey").filter(|start| !start.is_null());
    if let Some(start) = start {
        let key = table.key_of(start)?;
        let place = found.iter().position(|(known, _)| **known == key);
        let place = place.ok_or_else(|| invalid("The provided starting key is invalid"))?;
        found.drain(..=place);
    }
    let limit = number(input, "Limit").and_then(|limit| usize::try_from(limit).ok());
    if limit == Some(0) || number(input, "Limit").is_some_and(|limit| limit < 1) {
        return Err(invalid(
            "1 validation error detected: Value at 'limit' failed to satisfy constraint: Member \
             must have value greater than or equal to 1",
        ));
    }
    let (mut items, mut scanned, mut bytes) = (Vec::new(), 0, 0);
    let mut last = None;
    for (place, (_, item)) in found.iter().enumerate() {
        scanned += 1;
        bytes += item.to_string().len();
        let kept = match &keys.attributes {
            Some(names) => names
                .iter()
                .filter_map(|name| Some((name.clone(), item.get(name)?.clone())))
                .collect(),
            None => (*item).clone(),
        };
        if filter.as_ref().is_none_or(|filter| filter.holds(&kept)) {
            items.push(
                paths.as_ref().map_or(kept.clone(), |paths| expressions::projected(&kept, paths)),
            );
        }
        let is_full = limit.is_some_and(|limit| scanned >= limit) || bytes >= MOST;
        if is_full && (place + 1 < found.len() || limit == Some(scanned)) {
            last = Some(*item);
            break;
        }
    }
    let mut answer = json!({ "Count": items.len(), "ScannedCount": scanned });
    if text(input, "Select") != Some("COUNT") {
        answer["Items"] = Value::Array(items);
    }
    put(
        &mut answer,
        "LastEvaluatedKey",
        last.map(|item| {
            let mut all = table.key_names();
            all.push(keys.partition.clone());
            all.extend(keys.sort.clone());
            all.into_iter()
                .filter_map(|name| Some((name.clone(), item.get(&name)?.clone())))
                .collect::<Value>()
        }),
    );
    Ok(answer)
}
