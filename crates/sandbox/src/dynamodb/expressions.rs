//! Expressions: conditions, updates and projections, read and applied to items.
//!
//! Reserved words are taken as names, which AWS refuses.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::super::Refusal;
use super::invalid;
use super::numbers::Number;

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

struct Reader<'a> {
    tokens: Vec<String>,
    at: usize,
    member: &'static str,
    names: &'a Names<'a>,
}

impl<'a> Reader<'a> {
    fn of(text: &str, member: &'static str, names: &'a Names<'a>) -> Result<Self, Refusal> {
        let reader = Self { tokens: Vec::new(), at: 0, member, names };
        if text.trim().is_empty() {
            return Err(reader.refuse("The expression can not be empty;"));
        }
        let mut tokens = Vec::new();
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let length = match first {
                '#' | ':' => 1 + rest[1..].find(|c| !word(c)).unwrap_or(rest.len() - 1),
                _ if word(first) => rest.find(|c| !word(c)).unwrap_or(rest.len()),
                '<' | '>' if rest[1..].starts_with('=') || rest.starts_with("<>") => 2,
                '=' | '<' | '>' | '(' | ')' | ',' | '.' | '[' | ']' | '+' | '-' => 1,
                other => {
                    let message = format!("Syntax error; token: \"{other}\", near: \"{rest:.20}\"");
                    return Err(reader.refuse(&message));
                }
            };
            tokens.push(rest[..length].to_owned());
            rest = rest[length..].trim_start();
        }
        Ok(Self { tokens, ..reader })
    }

    fn refuse(&self, what: &str) -> Refusal {
        invalid(format!("Invalid {}: {what}", self.member))
    }

    fn wrong(&self) -> Refusal {
        let token = self.tokens.get(self.at).map_or("<EOF>", String::as_str);
        let near = self.tokens[self.at.saturating_sub(1)..].iter().take(3);
        let near: Vec<&str> = near.map(String::as_str).collect();
        self.refuse(&format!("Syntax error; token: \"{token}\", near: \"{}\"", near.join(" ")))
    }

    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", String::as_str)
    }

    /// Takes a mark or a keyword if it comes next.
    fn takes(&mut self, token: &str) -> bool {
        let is = self.peek().eq_ignore_ascii_case(token);
        self.at += usize::from(is);
        is
    }

    fn must(&mut self, token: &str) -> Result<(), Refusal> {
        if self.takes(token) { Ok(()) } else { Err(self.wrong()) }
    }

    fn end(&self) -> Result<(), Refusal> {
        if self.at == self.tokens.len() { Ok(()) } else { Err(self.wrong()) }
    }

    fn any(&mut self, depth: usize) -> Result<Condition, Refusal> {
        let mut all = vec![self.all(depth)?];
        while self.takes("OR") {
            all.push(self.all(depth)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::Any(all) })
    }

    fn all(&mut self, depth: usize) -> Result<Condition, Refusal> {
        let mut all = vec![self.one(depth)?];
        while self.takes("AND") {
            all.push(self.one(depth)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::All(all) })
    }

    fn one(&mut self, depth: usize) -> Result<Condition, Refusal> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.refuse("The expression has too many levels of nesting"));
        };
        if self.takes("NOT") {
            return Ok(Condition::Not(Box::new(self.one(depth)?)));
        }
        if self.takes("(") {
            let inside = self.any(depth)?;
            self.must(")")?;
            return Ok(inside);
        }
        if self.tokens.get(self.at + 1).is_some_and(|next| next == "(") && self.peek() != "size" {
            return self.function();
        }
        let left = self.operand()?;
        if self.takes("BETWEEN") {
            let low = self.operand()?;
            self.must("AND")?;
            return Ok(Condition::Between(left, low, self.operand()?));
        }
        if self.takes("IN") {
            self.must("(")?;
            let mut all = vec![self.operand()?];
            while self.takes(",") {
                all.push(self.operand()?);
            }
            self.must(")")?;
            return Ok(Condition::In(left, all));
        }
        for operator in ["=", "<>", "<=", ">=", "<", ">"] {
            if self.takes(operator) {
                return Ok(Condition::Compare(left, operator, self.operand()?));
            }
        }
        Err(self.wrong())
    }

    fn function(&mut self) -> Result<Condition, Refusal> {
        let name = self.peek().to_owned();
        self.at += 2;
        let found = match name.as_str() {
            "attribute_exists" => Condition::Exists(self.path()?, true),
            "attribute_not_exists" => Condition::Exists(self.path()?, false),
            "attribute_type" | "begins_with" | "contains" => {
                let place = self.operand()?;
                self.must(",")?;
                let wanted = self.operand()?;
                match (name.as_str(), place, wanted) {
                    ("attribute_type", Operand::Path(path), Operand::Value(kind)) => {
                        Condition::Type(path, kind)
                    }
                    ("begins_with", place, wanted) => Condition::Begins(place, wanted),
                    ("contains", place, wanted) => Condition::Contains(place, wanted),
                    _ => return Err(self.wrong()),
                }
            }
            _ => {
                let message = format!("Invalid function name; function: {name}");
                return Err(self.refuse(&message));
            }
        };
        self.must(")")?;
        Ok(found)
    }

    fn operand(&mut self) -> Result<Operand, Refusal> {
        if self.peek().starts_with(':') {
            return self.value().map(Operand::Value);
        }
        if self.peek() == "size" && self.tokens.get(self.at + 1).is_some_and(|next| next == "(") {
            self.at += 2;
            let path = self.path()?;
            self.must(")")?;
            return Ok(Operand::Size(path));
        }
        self.path().map(Operand::Path)
    }

    fn value(&mut self) -> Result<Value, Refusal> {
        let key = self.peek().to_owned();
        if !key.starts_with(':') {
            return Err(self.wrong());
        }
        self.at += 1;
        self.names.get(VALUES, &key).cloned().ok_or_else(|| {
            self.refuse(&format!(
                "An expression attribute value used in expression is not defined; attribute \
                 value: {key}"
            ))
        })
    }

    fn path(&mut self) -> Result<Path, Refusal> {
        let mut path = vec![self.name()?];
        loop {
            if self.takes(".") {
                path.push(self.name()?);
            } else if self.takes("[") {
                let place = self.peek().parse().map_err(|_| self.wrong())?;
                self.at += 1;
                self.must("]")?;
                path.push(Step::Place(place));
            } else {
                return Ok(path);
            }
        }
    }

    fn name(&mut self) -> Result<Step, Refusal> {
        let token = self.peek().to_owned();
        let is_name = token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !is_name && !token.starts_with('#') {
            return Err(self.wrong());
        }
        self.at += 1;
        if is_name {
            return Ok(Step::Name(token));
        }
        let found = self.names.get(NAMES, &token).and_then(Value::as_str);
        found.map(|name| Step::Name(name.to_owned())).ok_or_else(|| {
            self.refuse(&format!(
                "An expression attribute name used in the document path is not defined; attribute \
                 name: {token}"
            ))
        })
    }

    fn changes(&mut self) -> Result<Vec<Change>, Refusal> {
        let mut changes = Vec::new();
        while self.at < self.tokens.len() {
            let clause = self.peek().to_ascii_uppercase();
            self.at += 1;
            loop {
                changes.push(match clause.as_str() {
                    "SET" => {
                        let path = self.path()?;
                        self.must("=")?;
                        Change::Set(path, self.sum()?)
                    }
                    "REMOVE" => Change::Remove(self.path()?),
                    "ADD" => Change::Add(self.path()?, self.value()?),
                    "DELETE" => Change::Delete(self.path()?, self.value()?),
                    _ => {
                        self.at -= 1;
                        return Err(self.wrong());
                    }
                });
                if !self.takes(",") {
                    break;
                }
            }
        }
        Ok(changes)
    }

    fn sum(&mut self) -> Result<Operand, Refusal> {
        let left = self.term()?;
        for (sign, plus) in [("+", true), ("-", false)] {
            if self.takes(sign) {
                return Ok(Operand::Sum(Box::new(left), Box::new(self.term()?), plus));
            }
        }
        Ok(left)
    }

    fn term(&mut self) -> Result<Operand, Refusal> {
        let is_call = self.tokens.get(self.at + 1).is_some_and(|next| next == "(");
        let name = self.peek().to_owned();
        if !is_call {
            return self.operand();
        }
        self.at += 2;
        let made = match name.as_str() {
            "if_not_exists" => {
                let path = self.path()?;
                self.must(",")?;
                Operand::IfMissing(path, Box::new(self.term()?))
            }
            "list_append" => {
                let first = self.term()?;
                self.must(",")?;
                Operand::Append(Box::new(first), Box::new(self.term()?))
            }
            _ => return Err(self.refuse(&format!("Invalid function name; function: {name}"))),
        };
        self.must(")")?;
        Ok(made)
    }
}

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
pub(super) fn projected(item: &Value, paths: &[Path]) -> Value {
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
    fn made(&self, item: &Value) -> Result<Value, Refusal> {
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
fn typed(value: &Value) -> Option<(&str, &Value)> {
    let (kind, content) = value.as_object()?.iter().next()?;
    Some((kind, content))
}

/// How two values of one type stand to each other, if they have an order.
pub(super) fn order(one: &Value, other: &Value) -> Option<Ordering> {
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
fn equal(one: &Value, other: &Value) -> bool {
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
    pub(super) fn holds(&self, item: &Value) -> bool {
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

/// An update, read.
pub(super) struct Update(Vec<Change>);

/// Reads the update of a call. One without an expression changes nothing.
pub(super) fn update(names: &Names<'_>) -> Result<Update, Refusal> {
    let member = "UpdateExpression";
    let Some(text) = names.input.get(member).and_then(Value::as_str) else {
        return Ok(Update(Vec::new()));
    };
    let mut reader = Reader::of(text, member, names)?;
    reader.changes().map(Update)
}

impl Update {
    /// The paths that it changes.
    pub(super) fn paths(&self) -> Vec<Path> {
        let path = |change: &Change| match change {
            Change::Set(path, _)
            | Change::Remove(path)
            | Change::Add(path, _)
            | Change::Delete(path, _) => path.clone(),
        };
        self.0.iter().map(path).collect()
    }

    /// The item as it is afterwards. All values come from the item as it was.
    pub(super) fn applied(&self, item: &Value) -> Result<Value, Refusal> {
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
                    match typed(&left).is_some_and(|(_, all)| all == &json!([])) {
                        true => remove(&mut new, path),
                        false => set(&mut new, path, left)?,
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
    match more {
        true => {
            let new: Vec<Value> = others.iter().filter(|one| !has(&items, one)).cloned().collect();
            items.extend(new);
        }
        false => items.retain(|one| !has(others, one)),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn item() -> Value {
        json!({
            "id": { "S": "payment-1" }, "n": { "N": "10" }, "tags": { "SS": ["a", "b"] },
            "list": { "L": [{ "N": "1" }, { "S": "x" }] },
            "map": { "M": { "deep": { "M": { "n": { "N": "5.0" } } }, "state": { "S": "open" } } },
        })
    }

    fn call(member: &str, expression: &str) -> Value {
        json!({
            member: expression,
            NAMES: { "#s": "state", "#n": "n" },
            VALUES: {
                ":one": { "N": "1" }, ":ten": { "N": "1e1" }, ":open": { "S": "open" },
                ":pay": { "S": "pay" }, ":a": { "S": "a" }, ":set": { "SS": ["b", "c"] },
                ":all": { "SS": ["b", "a"] }, ":list": { "L": [{ "N": "9" }] },
                ":number": { "S": "N" },
            },
        })
    }

    #[test]
    fn conditions_hold_as_dynamodb_says() {
        for (expression, expected) in [
            ("#n = :ten", true),
            ("n <> :ten", false),
            ("missing <> :ten", true),
            ("missing = :ten", false),
            ("n BETWEEN :one AND :ten", true),
            ("n > :one AND NOT (n > :ten)", true),
            ("n < :one OR map.#s = :open", true),
            ("n < :one or map.#s = :open and n = :one", false),
            ("map.deep.#n IN (:one, :ten)", false),
            ("attribute_exists(map.deep) AND attribute_not_exists(map.none)", true),
            ("begins_with(id, :pay)", true),
            ("contains(tags, :a)", true),
            ("contains(id, :a)", true),
            ("contains(list, :one)", true),
            ("size(list) > :one", true),
            ("tags = :all", true),
            ("attribute_type(n, :number)", true),
            ("list[1] = :open", false),
            ("n = :pay", false),
        ] {
            let call = call("ConditionExpression", expression);
            let names = Names::of(&call);
            let read = condition(&names, "ConditionExpression").unwrap().unwrap();
            assert_eq!(read.holds(&item()), expected, "{expression}");
        }
    }

    #[test]
    fn updates_change_what_they_name() {
        let updated = |expression: &str| {
            let call = call("UpdateExpression", expression);
            update(&Names::of(&call)).unwrap().applied(&item()).map_err(|error| error.message)
        };
        let new =
            updated("SET n = n + :one, map.deep.#n = n - :ten, fresh = if_not_exists(fresh, :one)");
        let new = new.unwrap();
        assert_eq!(new["n"], json!({ "N": "11" }));
        assert_eq!(new["map"]["M"]["deep"]["M"]["n"], json!({ "N": "0" }));
        assert_eq!(new["fresh"], json!({ "N": "1" }));
        let new = updated(
            "ADD n :one, tags :set REMOVE map.#s, list[0] SET more = list_append(list, :list)",
        );
        let new = new.unwrap();
        assert_eq!(new["n"], json!({ "N": "11" }));
        assert_eq!(new["tags"], json!({ "SS": ["a", "b", "c"] }));
        assert_eq!(new["map"]["M"].get("state"), None);
        assert_eq!(new["list"], json!({ "L": [{ "S": "x" }] }));
        assert_eq!(new["more"]["L"].as_array().unwrap().len(), 3);
        assert_eq!(updated("DELETE tags :all").unwrap().get("tags"), None);
        assert!(updated("SET x = missing").unwrap_err().contains("does not exist"));
        assert!(updated("SET x = id + :one").unwrap_err().contains("Incorrect operand type"));
        assert!(updated("SET no.such = :one").unwrap_err().contains("invalid for update"));
    }

    #[test]
    fn wrong_expressions_are_named() {
        let refused = |expression: &str| {
            let call = call("ConditionExpression", expression);
            let names = Names::of(&call);
            let read = condition(&names, "ConditionExpression");
            read.map(|_| ()).and_then(|()| names.all_used()).unwrap_err().message
        };
        for (expression, message) in [
            ("", "The expression can not be empty;"),
            ("n =", "Syntax error; token: \"<EOF>\""),
            ("n = :ten )", "Syntax error; token: \")\""),
            ("n ! :ten", "Syntax error; token: \"!\""),
            ("#none = :ten", "attribute name: #none"),
            ("n = :none", "attribute value: :none"),
            ("nothing(n)", "Invalid function name; function: nothing"),
            ("n = :ten", "Value provided in ExpressionAttributeNames unused"),
        ] {
            let refused = refused(expression);
            assert!(refused.contains(message), "{expression}: {refused}");
        }
        let deep = format!("{}n = :ten{}", "(".repeat(100), ")".repeat(100));
        assert!(refused(&deep).contains("nesting"));
    }
}
