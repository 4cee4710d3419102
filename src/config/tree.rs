//! TOML files as one tree in which every value knows its place.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key_path::KeyPath;
use super::problem::Span;

/// A value, its place, and the place of its key.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) at: Span,
    pub(crate) key_at: Span,
}

/// The types of TOML.
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

/// Parses one file. Returns the readable part, and every syntax error.
pub(crate) fn parse(text: &str, file: usize) -> (Node, Vec<(Span, String)>) {
    let (document, errors) = DeTable::parse_recoverable(text);
    let errors = errors.into_iter().map(|error| {
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        (span(error.span().unwrap_or_default(), file), message)
    });
    let top = Span { file, start: 0, end: 0 };
    (Node { value: table(document.get_ref(), file), at: top, key_at: top }, errors.collect())
}

fn span(range: Range<usize>, file: usize) -> Span {
    Span { file, start: range.start, end: range.end }
}

fn table(table: &DeTable<'_>, file: usize) -> Value {
    let entries = table.iter().map(|(key, value)| {
        let key_at = span(key.span(), file);
        (key.get_ref().to_string(), Node { key_at, ..node(value, file) })
    });
    Value::Table(entries.collect())
}

fn node(value: &Spanned<DeValue<'_>>, file: usize) -> Node {
    let at = span(value.span(), file);
    let value = match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Float(number.as_str().parse().unwrap_or(f64::MAX)),
        },
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(yes) => Value::Bool(*yes),
        DeValue::Datetime(time) => Value::Datetime(time.to_string()),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| node(item, file)).collect()),
        DeValue::Table(inner) => table(inner, file),
    };
    Node { value, at, key_at: at }
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

    /// Removes every entry whose key is at one of these places.
    pub(crate) fn prune(&mut self, bad: &BTreeSet<Span>) {
        match &mut self.value {
            Value::Table(entries) => {
                entries.retain(|_, entry| !bad.contains(&entry.key_at));
                entries.values_mut().for_each(|entry| entry.prune(bad));
            }
            Value::Array(items) => {
                items.retain(|item| !bad.contains(&item.key_at));
                items.iter_mut().for_each(|item| item.prune(bad));
            }
            _ => {}
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

    /// The value at a path.
    pub(crate) fn at(&self, path: &KeyPath) -> Option<&Node> {
        path.keys().try_fold(self, |node, key| node.get(key))
    }

    /// Adds a string if the key is not set.
    pub(crate) fn assume(&mut self, key: &str, text: &str) {
        let (at, key_at) = (self.at, self.key_at);
        if let Value::Table(entries) = &mut self.value {
            let node = || Node { value: Value::String(text.to_owned()), at, key_at };
            entries.entry(key.to_owned()).or_insert_with(node);
        }
    }

    /// Sets a string, and replaces a value that is there.
    pub(crate) fn put(&mut self, key: &str, text: &str) {
        self.assume(key, text);
        if let Value::Table(entries) = &mut self.value
            && let Some(entry) = entries.get_mut(key)
        {
            entry.value = Value::String(text.to_owned());
        }
    }

    /// The string of an entry.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match &self.get(key)?.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it contains a word, as a key or as a string.
    pub(crate) fn mentions(&self, word: &str) -> bool {
        match &self.value {
            Value::String(text) => text == word,
            Value::Table(entries) => {
                entries.iter().any(|(key, node)| key == word || node.mentions(word))
            }
            Value::Array(items) => items.iter().any(|node| node.mentions(word)),
            _ => false,
        }
    }

    /// The keys of an entry that is a table.
    pub(crate) fn keys(&self, section: &str) -> Vec<&str> {
        match self.get(section).map(|node| &node.value) {
            Some(Value::Table(entries)) => entries.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// How many entries its sections have together.
    pub(crate) fn entries(&self) -> usize {
        let count = |node: &Node| match &node.value {
            Value::Table(entries) => entries.len(),
            Value::Array(items) => items.len(),
            _ => 1,
        };
        match &self.value {
            Value::Table(sections) => sections.values().map(count).sum(),
            _ => 0,
        }
    }

    /// The best place for a path: the value if it exists, else the key of the deepest
    /// table above it.
    pub(crate) fn locate(&self, path: &KeyPath) -> Span {
        let mut node = self;
        for step in path.keys() {
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
    /// The name of the type in messages.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Bool(_) => "a boolean",
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
        let text = "a = 1\nl = [1, 2]\n[t]\nx = 1\ny = 2\n[t.u]\nz = 3";
        let mut below = parse(text, 0).0;
        below.overlay(parse("l = [3]\nt.y = 4\nt.u = \"no table\"", 1).0);
        let merged = json!({ "a": 1, "l": [3], "t": { "x": 1, "y": 4, "u": "no table" } });
        assert_eq!(below.to_json(), merged);
        assert_eq!(below.locate(&KeyPath::of("t").key("y")).file, 1);
        assert_eq!(below.locate(&KeyPath::of("t").key("x")).file, 0);
    }

    #[test]
    fn every_value_has_a_place() {
        let text = "[tables.users]\nkey = { name = \"id\" }\n[[rules]]\nport = 1\n";
        let tree = parse(text, 0).0;
        let shown = |path: &KeyPath| {
            let Span { start, end, .. } = tree.locate(path);
            &text[start..end]
        };
        let users = KeyPath::of("tables").key("users");
        assert_eq!(shown(&users), "users");
        assert_eq!(shown(&users.key("key").key("name")), "\"id\"");
        assert_eq!(shown(&users.key("key").key("missing")), "key");
        assert_eq!(shown(&KeyPath::of("rules").item(0).key("port")), "1");
    }
}
