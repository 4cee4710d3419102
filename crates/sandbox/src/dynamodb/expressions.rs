//! Expressions: conditions, updates and projections, read and applied to items.
//!
//! Reserved words are taken as names, which AWS refuses.

mod changes;
mod reader;
#[cfg(test)]
mod tests;
mod values;

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::super::Refusal;
use super::invalid;

pub(super) use changes::Update;
use reader::Reader;
pub(super) use values::{order, projected};

/// How deep parentheses may lie in each other.
const DEEPEST: usize = 64;

/// A place in an item: names, and places in lists.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Name(String),
    Place(usize),
}
pub(super) type Path = Vec<Step>;

#[derive(Clone, Debug)]
pub(super) enum Operand {
    Path(Path),
    Value(Value),
    Size(Path),
    /// A call or a sum in an update.
    IfMissing(Path, Box<Operand>),
    Append(Box<Operand>, Box<Operand>),
    Sum(Box<Operand>, Box<Operand>, bool),
}

/// A condition on an item.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    Compare(Operand, &'static str, Operand),
    Between(Operand, Operand, Operand),
    In(Operand, Vec<Operand>),
    Exists(Path, bool),
    Type(Path, Value),
    Begins(Operand, Operand),
    Contains(Operand, Operand),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
}

/// A change of an item.
#[derive(Clone, Debug)]
enum Change {
    Set(Path, Operand),
    Remove(Path),
    Add(Path, Value),
    Delete(Path, Value),
}

/// The names and values of a call, and which of them its expressions use.
pub(super) struct Names<'a> {
    input: &'a Value,
    used: RefCell<BTreeSet<String>>,
}

impl<'a> Names<'a> {
    pub(super) fn of(input: &'a Value) -> Self {
        Self { input, used: RefCell::default() }
    }

    fn get(&self, kind: &str, key: &str) -> Option<&'a Value> {
        self.used.borrow_mut().insert(key.to_owned());
        self.input.get(kind)?.get(key)
    }

    /// Refuses names and values that no expression uses.
    pub(super) fn all_used(&self) -> Result<(), Refusal> {
        for kind in [NAMES, VALUES] {
            let given = self.input.get(kind).and_then(Value::as_object);
            let keys = given.into_iter().flat_map(Map::keys);
            let unused: Vec<&str> =
                keys.filter(|key| !self.used.borrow().contains(*key)).map(String::as_str).collect();
            if !unused.is_empty() {
                let unused = unused.join(", ");
                return Err(invalid(format!(
                    "Value provided in {kind} unused in expressions: keys: {{{unused}}}"
                )));
            }
        }
        Ok(())
    }
}

const NAMES: &str = "ExpressionAttributeNames";
const VALUES: &str = "ExpressionAttributeValues";

/// Reads the condition in a member of a call, if there is one.
pub(super) fn condition(
    names: &Names<'_>,
    member: &'static str,
) -> Result<Option<Condition>, Refusal> {
    let Some(text) = names.input.get(member).and_then(Value::as_str) else { return Ok(None) };
    let mut reader = Reader::of(text, member, names)?;
    let condition = reader.any(DEEPEST)?;
    reader.end()?;
    Ok(Some(condition))
}

/// Reads the paths of a projection, if there is one.
pub(super) fn projection(names: &Names<'_>) -> Result<Option<Vec<Path>>, Refusal> {
    let member = "ProjectionExpression";
    let Some(text) = names.input.get(member).and_then(Value::as_str) else { return Ok(None) };
    let mut reader = Reader::of(text, member, names)?;
    let mut paths = vec![reader.path()?];
    while reader.takes(",") {
        paths.push(reader.path()?);
    }
    reader.end()?;
    Ok(Some(paths))
}

/// Reads the update of a call. One without an expression changes nothing.
pub(super) fn update(names: &Names<'_>) -> Result<Update, Refusal> {
    let member = "UpdateExpression";
    let Some(text) = names.input.get(member).and_then(Value::as_str) else {
        return Ok(Update(Vec::new()));
    };
    let mut reader = Reader::of(text, member, names)?;
    reader.changes().map(Update)
}
