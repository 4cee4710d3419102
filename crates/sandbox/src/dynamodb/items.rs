//! Items: put, read, changed and deleted by their key, one by one or several at once.

use serde_json::{Map, Value, json};

use super::super::toolbox::{list, text};
use super::super::{Answer, Refusal};
use super::expressions::{self, Condition, Names, Path, Step, Update};
use super::{State, Status, Table, find, invalid};

/// A table whose items can be used.
pub(super) fn open<'a>(
    state: &'a mut State,
    region: &str,
    input: &Value,
) -> Result<&'a mut Table, Refusal> {
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
    /// The key of an item as text; every key attribute must be there with its type.
    pub(super) fn key_of(&self, item: &Value) -> Result<String, Refusal> {
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

/// What one call does to one item.
enum Write {
    Put(Value),
    Update(Update),
    Delete,
    Check,
}

/// A write that is read and not done yet.
struct Ready {
    table: Value,
    key: String,
    /// The attributes of the key, for an item that an update makes.
    bare: Value,
    write: Write,
    condition: Option<Condition>,
    /// Whether a refusal shows the item.
    shows: bool,
}

/// Reads a write and what it is on.
fn ready(state: &mut State, region: &str, input: &Value, kind: &str) -> Result<Ready, Refusal> {
    let names = Names::of(input);
    let condition = expressions::condition(&names, "ConditionExpression")?;
    let is = |other: &str| kind == other;
    let write = match (is("Put"), is("Update"), is("Delete")) {
        (true, ..) => Write::Put(input["Item"].clone()),
        (_, true, _) => Write::Update(expressions::update(&names)?),
        (.., true) => Write::Delete,
        _ => Write::Check,
    };
    names.all_used()?;
    let bare = input[if is("Put") { "Item" } else { "Key" }].clone();
    let table = open(state, region, input)?;
    let key = table.key_of(&bare)?;
    if let Write::Update(update) = &write {
        for path in update.paths() {
            let is_key = |part: &Value| {
                text(part, "AttributeName").map(|name| vec![Step::Name(name.to_owned())])
                    == Some(path.clone())
            };
            if let Some(part) =
                table.keys.as_array().into_iter().flatten().find(|part| is_key(part))
            {
                let name = text(part, "AttributeName").unwrap_or_default();
                return Err(invalid(format!(
                    "One or more parameter values were invalid: Cannot update attribute {name}. \
                     This attribute is part of the key"
                )));
            }
        }
    }
    let shows = text(input, "ReturnValuesOnConditionCheckFailure") == Some("ALL_OLD");
    Ok(Ready { table: input["TableName"].clone(), key, bare, write, condition, shows })
}

/// An item before and after a write. The error is the item that did not fulfil the condition, if it is
/// to be shown.
type Tried = Result<(Option<Value>, Option<Value>), Option<Value>>;

const FAILED: &str = "The conditional request failed";

impl Ready {
    /// What it would do now.
    fn result(&self, table: &Table) -> Result<Tried, Refusal> {
        let old = table.items.get(&self.key).cloned();
        let none = json!({});
        let held = |condition: &Condition| condition.holds(old.as_ref().unwrap_or(&none));
        if !self.condition.as_ref().is_none_or(held) {
            return Ok(Err(old.filter(|_| self.shows)));
        }
        let new = match &self.write {
            Write::Put(item) => Some(item.clone()),
            Write::Update(update) => Some(update.applied(old.as_ref().unwrap_or(&self.bare))?),
            Write::Delete => None,
            Write::Check => old.clone(),
        };
        Ok(Ok((old, new)))
    }

    fn keep(self, table: &mut Table, new: Option<Value>, today: f64) {
        if matches!(self.write, Write::Check) {
            return;
        }
        table.remember(today, &self.key, new.as_ref());
        match new {
            Some(item) => drop(table.items.insert(self.key, item)),
            None => drop(table.items.remove(&self.key)),
        }
    }
}

/// Writes one item: `Put`, `Update` or `Delete`.
pub(super) fn write(
    state: &mut State,
    region: &str,
    input: &Value,
    (kind, today): (&str, f64),
) -> Answer {
    let ready = ready(state, region, input, kind)?;
    let paths = match &ready.write {
        Write::Update(update) => update.paths(),
        _ => Vec::new(),
    };
    let table = open(state, region, input)?;
    let (old, new) = match ready.result(table)? {
        Ok(found) => found,
        Err(item) => {
            let refusal = Refusal::new("ConditionalCheckFailedException", FAILED);
            return Err(match item {
                Some(item) => refusal.about("Item", item.to_string()),
                None => refusal,
            });
        }
    };
    let shown = match text(input, "ReturnValues").unwrap_or("NONE") {
        "ALL_OLD" => old,
        "ALL_NEW" => new.clone(),
        "UPDATED_OLD" => part(old.as_ref(), &paths),
        "UPDATED_NEW" => part(new.as_ref(), &paths),
        _ => None,
    };
    ready.keep(table, new, today);
    Ok(shown.map_or_else(|| json!({}), |shown| json!({ "Attributes": shown })))
}

fn part(item: Option<&Value>, paths: &[Path]) -> Option<Value> {
    let part = expressions::projected(item?, paths);
    part.as_object().is_some_and(|part| !part.is_empty()).then_some(part)
}

/// The most writes of a transaction.
const MOST: usize = 100;

/// Writes several items, or none of them.
pub(super) fn transact(state: &mut State, region: &str, input: &Value, today: f64) -> Answer {
    let items = list(input, "TransactItems");
    if !(1..=MOST).contains(&items.len()) {
        let message = "1 validation error detected: Value at 'transactItems' failed to satisfy \
                       constraint: Member must have length less than or equal to 100";
        return Err(invalid(message));
    }
    let mut all: Vec<Ready> = Vec::new();
    for item in items {
        let written = item.as_object().and_then(|item| item.iter().next());
        let (kind, one) = written.ok_or_else(|| invalid("A write of a transaction is missing"))?;
        let found = ready(state, region, one, kind)?;
        let same = |other: &Ready| (&other.table, &other.key) == (&found.table, &found.key);
        if all.iter().any(same) {
            let message = "Transaction request cannot include multiple operations on one item";
            return Err(invalid(message));
        }
        all.push(found);
    }
    let (mut news, mut reasons, mut failed) = (Vec::new(), Vec::new(), false);
    for one in &all {
        let table = open(state, region, &json!({ "TableName": one.table }))?;
        match one.result(table)? {
            Ok((_, new)) => {
                news.push(new);
                reasons.push(json!({ "Code": "None" }));
            }
            Err(item) => {
                failed = true;
                news.push(None);
                let mut reason = json!({ "Code": "ConditionalCheckFailed", "Message": FAILED });
                if let Some(item) = item {
                    reason["Item"] = item;
                }
                reasons.push(reason);
            }
        }
    }
    if failed {
        let codes: Vec<&str> = reasons.iter().filter_map(|reason| text(reason, "Code")).collect();
        let message = format!(
            "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
            codes.join(", ")
        );
        let refusal = Refusal::new("TransactionCanceledException", message);
        return Err(refusal.about("CancellationReasons", Value::Array(reasons).to_string()));
    }
    for (one, new) in all.into_iter().zip(news) {
        let table = open(state, region, &json!({ "TableName": one.table }))?;
        one.keep(table, new, today);
    }
    Ok(json!({}))
}

/// One item, or a part of it.
pub(super) fn get_item(state: &mut State, region: &str, input: &Value) -> Answer {
    let names = Names::of(input);
    let paths = expressions::projection(&names)?;
    names.all_used()?;
    let table = open(state, region, input)?;
    let item = table.items.get(&table.key_of(&input["Key"])?);
    Ok(item.map_or_else(
        || json!({}),
        |item| match paths {
            Some(paths) => json!({ "Item": expressions::projected(item, &paths) }),
            None => json!({ "Item": item }),
        },
    ))
}
