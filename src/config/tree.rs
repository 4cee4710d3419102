//! TOML files as one tree in which every value knows its place.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value as Json;
use toml_edit::{Document, Item, Key, TableLike, Value as TomlValue};

use super::problem::Span;

/// A value, where it stands, and where its key stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) at: Span,
    pub(crate) key_at: Span,
}

/// What TOML knows.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    String(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    Datetime(String),
    Array(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

/// Parses one file. The error is the first syntax error.
pub(crate) fn parse(text: &str, file: usize) -> Result<Node, (Span, String)> {
    let document = Document::parse(text).map_err(|error| {
        let range = error.span().unwrap_or(0..0);
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        (Span { file, start: range.start, end: range.end }, message)
    })?;
    let top = Span { file, start: 0, end: 0 };
    let value = table(document.as_table(), top);
    Ok(Node { value, at: top, key_at: top })
}

fn span(range: Option<Range<usize>>, near: Span) -> Span {
    range.map_or(near, |range| Span { file: near.file, start: range.start, end: range.end })
}

fn table(table: &dyn TableLike, near: Span) -> Value {
    let entries = table.iter().filter_map(|(name, item)| {
        let key_at = span(table.key(name).and_then(Key::span), near);
        let value = match item {
            Item::None => return None,
            Item::Value(value) => return Some((name.to_owned(), node(value, key_at))),
            Item::Table(inner) => self::table(inner, key_at),
            Item::ArrayOfTables(items) => Value::Array(
                items
                    .iter()
                    .map(|inner| {
                        let at = span(inner.span(), key_at);
                        Node { value: self::table(inner, at), at, key_at: at }
                    })
                    .collect(),
            ),
        };
        Some((name.to_owned(), Node { value, at: span(item.span(), key_at), key_at }))
    });
    Value::Table(entries.collect())
}

fn node(value: &TomlValue, key_at: Span) -> Node {
    let at = span(value.span(), key_at);
    let value = match value {
        TomlValue::String(text) => Value::String(text.value().clone()),
        TomlValue::Integer(number) => Value::Integer(*number.value()),
        TomlValue::Float(number) => Value::Float(*number.value()),
        TomlValue::Boolean(yes) => Value::Bool(*yes.value()),
        TomlValue::Datetime(time) => Value::Datetime(time.value().to_string()),
        TomlValue::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| {
                    let at = span(item.span(), at);
                    Node { key_at: at, ..node(item, at) }
                })
                .collect(),
        ),
        TomlValue::InlineTable(inner) => table(inner, at),
    };
    Node { value, at, key_at }
}

impl Node {
    /// Lays another file over this one: tables merge by key, everything else is replaced.
    pub(crate) fn overlay(&mut self, over: Node) {
        match (&mut self.value, over.value) {
            (Value::Table(below), Value::Table(above)) => {
                for (key, node) in above {
                    match below.get_mut(&key) {
                        Some(old) => old.overlay(node),
                        None => drop(below.insert(key, node)),
                    }
                }
            }
            (_, value) => *self = Node { value, ..over },
        }
    }

    /// The entry of a table.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Table(entries) => entries.get(key),
            Value::Array(items) => items.get(key.parse::<usize>().ok()?),
            _ => None,
        }
    }

    /// The string of an entry.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match &self.get(key)?.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The keys of an entry that is a table.
    pub(crate) fn keys(&self, section: &str) -> Vec<&str> {
        match self.get(section).map(|node| &node.value) {
            Some(Value::Table(entries)) => entries.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// The place that describes a path best: the value if it is there, else the key of the deepest
    /// table above it.
    pub(crate) fn locate(&self, path: &[&str]) -> Span {
        let mut node = self;
        for step in path {
            match node.get(step) {
                Some(next) => node = next,
                None => return node.key_at,
            }
        }
        match node.value {
            Value::Table(_) => node.key_at,
            _ => node.at,
        }
    }

    /// The tree without places.
    pub(crate) fn to_json(&self) -> Json {
        match &self.value {
            Value::String(text) | Value::Datetime(text) => Json::from(text.as_str()),
            Value::Integer(number) => Json::from(*number),
            Value::Float(number) => Json::from(*number),
            Value::Bool(yes) => Json::from(*yes),
            Value::Array(items) => items.iter().map(Node::to_json).collect(),
            Value::Table(entries) => {
                Json::Object(entries.iter().map(|(k, node)| (k.clone(), node.to_json())).collect())
            }
        }
    }
}

impl Value {
    /// What a person calls it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Bool(_) => "true or false",
            Self::Datetime(_) => "a date",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
        }
    }

    /// The type in the sense of JSON Schema.
    pub(crate) fn json_type(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::Integer(_) => "integer",
            Self::Float(_) => "number",
            Self::Bool(_) => "boolean",
            Self::Datetime(_) => "date",
            Self::Array(_) => "array",
            Self::Table(_) => "object",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tables_merge_and_everything_else_is_replaced() {
        let mut below = parse("a = 1\nl = [1, 2]\n[t]\nx = 1\ny = 2\n[t.u]\nz = 3", 0).unwrap();
        below.overlay(parse("l = [3]\nt.y = 4\nt.u = \"no table\"", 1).unwrap());
        let merged = json!({ "a": 1, "l": [3], "t": { "x": 1, "y": 4, "u": "no table" } });
        assert_eq!(below.to_json(), merged);
        assert_eq!(below.locate(&["t", "y"]).file, 1);
        assert_eq!(below.locate(&["t", "x"]).file, 0);
    }

    #[test]
    fn every_value_has_a_place() {
        let text = "[tables.users]\nkey = { name = \"id\" }\n[[rules]]\nport = 1\n";
        let tree = parse(text, 0).unwrap();
        let shown = |path: &[&str]| {
            let Span { start, end, .. } = tree.locate(path);
            &text[start..end]
        };
        assert_eq!(shown(&["tables", "users"]), "users");
        assert_eq!(shown(&["tables", "users", "key", "name"]), "\"id\"");
        assert_eq!(shown(&["tables", "users", "key", "missing"]), "key");
        assert_eq!(shown(&["rules", "0", "port"]), "1");
    }
}
