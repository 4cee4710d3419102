//! Walks a config tree along the JSON Schema and collects every problem with its
//! place. The schema comes from the typed structs, so a tree without problems also deserialises.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use regex_lite::Regex;
use serde_json::Value as Json;

use super::problem::{Problem, Sources, Span, did_you_mean, nearest, suggest};
use super::references;
use super::schema::text::{HOLDS, ITEM_OF, rule};
use super::template;
use super::tree::{Node, Value};

/// The result of a check.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The problems.
    pub(crate) problems: Vec<Problem>,
    /// The places of the keys of wrong values.
    pub(crate) bad: BTreeSet<Span>,
}

/// Checks a tree after the inputs are filled in. Values in `bad` have a problem already. Without
/// `complete`, the tree may lack parts, so the check does not report missing keys and items.
pub(crate) fn check(
    schema: &Json,
    root: &Node,
    sources: &Sources,
    bad: BTreeSet<Span>,
    complete: bool,
) -> Checked {
    let mut checker = Checker { schema, root, sources, complete, problems: Vec::new(), bad };
    checker.finite(root);
    checker.walk(root, schema);
    let Checker { problems, bad, .. } = checker;
    Checked { problems, bad }
}

struct Checker<'a> {
    schema: &'a Json,
    root: &'a Node,
    sources: &'a Sources,
    complete: bool,
    problems: Vec<Problem>,
    bad: BTreeSet<Span>,
}

impl<'a> Checker<'a> {
    fn say(&mut self, node: &Node, message: impl Into<String>, fix: impl Into<String>) {
        let span = if let Value::Table(_) = node.value { node.key_at } else { node.at };
        self.bad.insert(node.key_at);
        self.problems.push(self.sources.problem(span, message, fix));
    }

    fn resolve(&self, schema: &'a Json) -> &'a Json {
        match schema.get("$ref").and_then(Json::as_str) {
            Some(target) => {
                let target = self.schema.pointer(target.trim_start_matches('#'));
                target.expect("schemars emits only references to its own definitions")
            }
            None => schema,
        }
    }

    fn walk(&mut self, node: &Node, schema: &'a Json) {
        if self.bad.contains(&node.key_at) {
            return;
        }
        let target = self.resolve(schema);
        if !std::ptr::eq(target, schema) {
            return self.walk(node, target);
        }
        let branches = ["anyOf", "oneOf"].into_iter().find_map(|key| schema.get(key)?.as_array());
        if let Some(branches) = branches {
            return self.choose(node, branches, schema);
        }
        if !self.fits(node, schema) {
            let words: Vec<String> = types(schema).map(type_word).collect();
            return self.wrong_type(node, &words.join(" or "), schema);
        }
        if let Some(allowed) = schema.get("enum").and_then(Json::as_array) {
            self.one_of(node, allowed);
        }
        match &node.value {
            Value::String(text) => self.string(node, text, schema),
            Value::Integer(number) => self.number(node, *number as f64, schema),
            Value::Float(number) => self.number(node, *number, schema),
            Value::Array(items) => self.list(node, items, schema),
            Value::Table(entries) => self.table(node, entries, schema),
            Value::Bool(_) | Value::Datetime(_) => {}
        }
    }

    /// AWS has no infinite numbers, so none is allowed anywhere.
    fn finite(&mut self, node: &Node) {
        match &node.value {
            Value::Float(number) if !number.is_finite() => {
                self.say(
                    node,
                    format!("`{number}` is not a finite number"),
                    "write a number, or remove it",
                );
            }
            Value::Array(items) => items.iter().for_each(|item| self.finite(item)),
            Value::Table(entries) => entries.values().for_each(|entry| self.finite(entry)),
            _ => {}
        }
    }

    /// Whether the type of a value is one of those that a schema takes.
    fn fits(&self, node: &Node, schema: &Json) -> bool {
        let found = node.value.json_type();
        let mut takes = types(schema).peekable();
        takes.peek().is_none()
            || takes.any(|name| name == found || (name == "number" && found == "integer"))
    }

    fn wrong_type(&mut self, node: &Node, expected: &str, schema: &Json) {
        let message = format!("expected {expected}, found {}", node.value.word());
        let takes = |name: &str| types(schema).any(|known| known == name);
        let fix = match &node.value {
            Value::String(text) if takes("integer") && text.parse::<i64>().is_ok() => {
                format!("write {text} without quotes")
            }
            Value::String(text)
                if takes("boolean") && matches!(text.as_str(), "true" | "false") =>
            {
                format!("write {text} without quotes")
            }
            Value::String(text) if takes("array") => format!("write [\"{text}\"]"),
            Value::Integer(number) if takes("string") => format!("write \"{number}\""),
            Value::Array(_) if schema.get("patternProperties").is_some() => {
                format!("{}: write one table for each, in single brackets", hint(schema))
            }
            _ => hint(schema),
        };
        self.say(node, message, fix);
    }

    fn choose(&mut self, node: &Node, branches: &'a [Json], schema: &Json) {
        if branches.iter().all(|branch| branch.get("const").is_some()) {
            let allowed: Vec<Json> =
                branches.iter().map(|branch| branch["const"].clone()).collect();
            return self.one_of(node, &allowed);
        }
        let fitting: Vec<&Json> =
            branches.iter().filter(|branch| self.accepts(node, branch)).collect();
        match fitting.as_slice() {
            [only] => match (&node.value, self.constants(only)) {
                (Value::String(text), Some(words)) if !words.contains(&text.as_str()) => {
                    let all: Vec<String> =
                        branches.iter().flat_map(|branch| self.words(branch)).collect();
                    let near = did_you_mean(text, words);
                    let near = near.map(|near| format!(" ({near})")).unwrap_or_default();
                    let fix = format!("use {}{near}", all.join(" or "));
                    self.say(node, format!("`{text}` is not valid here"), fix);
                }
                _ => self.walk(node, only),
            },
            [] => {
                let words: Vec<String> =
                    branches.iter().flat_map(|branch| self.words(branch)).collect();
                self.wrong_type(node, &words.join(" or "), schema);
            }
            [first, ..] => {
                let (before, bad) = (self.problems.len(), self.bad.clone());
                for branch in &fitting {
                    self.walk(node, branch);
                    if self.problems.len() == before {
                        return;
                    }
                    self.problems.truncate(before);
                    self.bad.clone_from(&bad);
                }
                self.walk(node, first);
            }
        }
    }

    /// Whether a branch takes values of this type.
    fn accepts(&self, node: &Node, branch: &'a Json) -> bool {
        let branch = self.resolve(branch);
        let inner = ["anyOf", "oneOf"].into_iter().find_map(|key| branch.get(key)?.as_array());
        match inner {
            Some(inner) => inner.iter().any(|branch| self.accepts(node, branch)),
            None => self.fits(node, branch),
        }
    }

    /// The words that a branch takes, if it takes nothing else.
    fn constants(&self, branch: &'a Json) -> Option<Vec<&'a str>> {
        let branch = self.resolve(branch);
        let constant = |value: &'a Json| value.get("const").and_then(Json::as_str);
        let inner = ["anyOf", "oneOf"].into_iter().find_map(|key| branch.get(key)?.as_array());
        match (inner, branch.get("enum").and_then(Json::as_array)) {
            (Some(inner), _) => inner.iter().map(constant).collect(),
            (None, Some(words)) => words.iter().map(Json::as_str).collect(),
            (None, None) => constant(branch).map(|word| vec![word]),
        }
    }

    /// The values of a branch, in words.
    fn words(&self, branch: &'a Json) -> Vec<String> {
        let branch = self.resolve(branch);
        let inner = ["anyOf", "oneOf"].into_iter().find_map(|key| branch.get(key)?.as_array());
        if let Some(inner) = inner {
            return inner.iter().flat_map(|branch| self.words(branch)).collect();
        }
        match branch.get("const").or_else(|| branch.get("enum")) {
            Some(Json::Array(values)) => values.iter().map(Json::to_string).collect(),
            Some(value) => vec![value.to_string()],
            None => types(branch).map(type_word).collect(),
        }
    }

    fn one_of(&mut self, node: &Node, allowed: &[Json]) {
        let allowed: Vec<&str> = allowed.iter().filter_map(Json::as_str).collect();
        match &node.value {
            Value::String(text) if allowed.contains(&text.as_str()) => {}
            Value::String(text) => {
                let near = did_you_mean(text, allowed.iter().copied());
                let near = near.map(|near| format!(" ({near})")).unwrap_or_default();
                let fix = format!("use one of {}{near}", allowed.join(", "));
                self.say(node, format!("`{text}` is not valid here"), fix);
            }
            other => {
                let message = format!("expected a string, found {}", other.word());
                self.say(node, message, format!("use one of {}", allowed.join(", ")));
            }
        }
    }

    fn string(&mut self, node: &Node, text: &str, schema: &'a Json) {
        if !self.expressions(node, text, schema.get(HOLDS).and_then(Json::as_str)) {
            return;
        }
        if let Some(place) = schema.get(ITEM_OF).and_then(Json::as_str)
            && self.complete
        {
            let (section, key) = place.split_once(':').unwrap_or((place, ""));
            let parts = text.split_once(':').filter(|_| !key.is_empty());
            let (item, inner) = parts.map_or((text, None), |(item, inner)| (item, Some(inner)));
            let root = self.root;
            self.has_item(node, section, &root.keys(section), item);
            let found = root.get(section).and_then(|items| items.get(item));
            if let Some((inner, found)) = inner.zip(found) {
                self.has_item(node, &format!("{section}.{item}.{key}"), &found.keys(key), inner);
            }
        }
        if let Some(pattern) = schema.get("pattern").and_then(Json::as_str)
            && !matches(pattern, text)
        {
            let fix = rule(pattern).map_or_else(|| format!("it must match {pattern}"), Into::into);
            self.say(node, format!("`{text}` has the wrong format"), fix);
        }
        let length = text.chars().count() as u64;
        let limit = |key: &str| schema.get(key).and_then(Json::as_u64);
        let (least, most) = (limit("minLength"), limit("maxLength"));
        if let Some(most) = most.filter(|most| length > *most) {
            let message = format!("too long: {length} characters, at most {most}");
            self.say(node, message, "shorten it");
        } else if let Some(least) = least.filter(|least| length < *least) {
            let message = format!("too short: {length} characters, at least {least}");
            self.say(node, message, "write a longer text");
        }
    }

    /// Checks that a section has an item.
    fn has_item(&mut self, node: &Node, section: &str, names: &[&str], name: &str) {
        if names.contains(&name) {
            return;
        }
        let fix = if names.is_empty() {
            format!("add a section [{section}.{name}]")
        } else {
            suggest(name, names.iter().copied(), &format!("names in [{section}]"))
        };
        self.say(node, format!("[{section}] has no `{name}`"), fix);
    }

    /// Checks each `${...}` in a string. Returns false if further checks make no sense.
    fn expressions(&mut self, node: &Node, text: &str, holds: Option<&str>) -> bool {
        let mut fine = true;
        for expr in template::expressions(text) {
            let known: &[&str] = match holds {
                Some("stamp") => &["account", "now"],
                Some(_) => &["account"],
                None => &[],
            };
            if known.contains(&expr) {
                continue;
            }
            fine = false;
            if holds == Some("text") {
                match references::check(expr, self.root) {
                    Ok(()) => fine = true,
                    Err(_) if !self.complete => {}
                    Err((message, fix)) => self.say(node, message, fix),
                }
                continue;
            }
            let inputs = ["env", "project", "region", "zone", "var.NAME"].into_iter();
            let inputs: Vec<&str> = inputs.chain(known.iter().copied()).collect();
            let fix = suggest(expr, inputs.iter().copied(), "allowed here");
            self.say(node, format!("`${{{expr}}}` is not allowed here"), fix);
        }
        if holds.is_none() && fine && text.contains("${") {
            self.say(node, "`${` is not allowed here", "this value cannot contain references");
            return false;
        }
        fine
    }

    fn number(&mut self, node: &Node, number: f64, schema: &Json) {
        let (least, most) = match schema.get("format").and_then(Json::as_str) {
            Some("uint8") => (Some(0.0), Some(f64::from(u8::MAX))),
            Some("uint16") => (Some(0.0), Some(f64::from(u16::MAX))),
            Some("uint32") => (Some(0.0), Some(f64::from(u32::MAX))),
            _ => (None, None),
        };
        let limit = |key: &str| schema.get(key).and_then(Json::as_f64);
        let (least, most) = (limit("minimum").or(least), limit("maximum").or(most));
        if least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most) {
            self.say(node, format!("{number} is out of range"), between(least, most));
        }
    }

    fn list(&mut self, node: &Node, items: &[Node], schema: &'a Json) {
        if let Some(inner) = schema.get("items") {
            for item in items {
                self.walk(item, inner);
            }
        }
        if schema.get("uniqueItems") == Some(&Json::Bool(true)) {
            let values: Vec<Json> = items.iter().map(Node::to_json).collect();
            let twice = (1..values.len()).find(|at| values[..*at].contains(&values[*at]));
            if let Some(at) = twice {
                self.say(&items[at], "this value appears twice", "remove one");
            }
        }
        let limit = |key: &str| schema.get(key).and_then(Json::as_u64);
        let (least, most) = (limit("minItems"), limit("maxItems"));
        let count = items.len() as u64;
        if let Some(most) = most.filter(|most| count > *most) {
            self.say(node, format!("too many items: {count}, at most {most}"), "remove some");
        } else if let Some(least) = least.filter(|least| count < *least) {
            self.say(node, format!("too few items: {count}, at least {least}"), "add some");
        }
    }

    fn table(&mut self, node: &Node, entries: &BTreeMap<String, Node>, schema: &'a Json) {
        let pairs = |keyword: &str| -> Vec<(&'a str, &'a Json)> {
            let object = schema.get(keyword).and_then(Json::as_object).into_iter().flatten();
            object.map(|(key, inner)| (key.as_str(), inner)).collect()
        };
        let (known, patterns) = (pairs("properties"), pairs("patternProperties"));
        let mut meant: Vec<&str> = Vec::new();
        for (key, entry) in entries {
            if let Some((_, inner)) = known.iter().find(|(name, _)| name == key) {
                self.walk(entry, inner);
                continue;
            }
            let matching = patterns.iter().find(|(pattern, _)| matches(pattern, key));
            match (matching, schema.get("additionalProperties")) {
                (Some((_, inner)), _) => self.walk(entry, inner),
                (None, Some(Json::Bool(false))) => {
                    let (message, fix) = match patterns.first() {
                        Some((pattern, _)) => {
                            let fix = rule(pattern).unwrap_or(pattern).to_owned();
                            (format!("`{key}` has the wrong format"), fix)
                        }
                        None => {
                            let names = known.iter().map(|(name, _)| *name);
                            meant.extend(nearest(key, names.clone()));
                            let fix = suggest(key, names, "known keys");
                            (format!("unknown key `{key}`"), fix)
                        }
                    };
                    self.bad.insert(entry.key_at);
                    self.problems.push(self.sources.problem(entry.key_at, message, fix));
                }
                (None, Some(inner @ Json::Object(_))) => self.walk(entry, inner),
                (None, _) => {}
            }
        }
        for key in schema.get("required").and_then(Json::as_array).into_iter().flatten() {
            let key = key.as_str().unwrap_or_default();
            if self.complete && meant.contains(&key) {
                self.bad.insert(node.key_at);
            } else if self.complete && !entries.contains_key(key) {
                let about = known.iter().find(|(name, _)| *name == key).map(|(_, inner)| *inner);
                let about = about.map(hint).unwrap_or_default();
                self.say(node, format!("`{key}` is missing"), about);
            }
        }
    }
}

/// Whether a text matches a pattern of the schema. Each pattern is compiled once.
fn matches(pattern: &str, text: &str) -> bool {
    static COMPILED: Mutex<BTreeMap<String, Option<Regex>>> = Mutex::new(BTreeMap::new());
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if !compiled.contains_key(pattern) {
        compiled.insert(pattern.to_owned(), Regex::new(pattern).ok());
    }
    compiled.get(pattern).and_then(Option::as_ref).is_none_or(|regex| regex.is_match(text))
}

fn types(schema: &Json) -> impl Iterator<Item = &str> {
    let (one, many) = match schema.get("type") {
        Some(Json::String(name)) => (Some(name.as_str()), None),
        Some(Json::Array(names)) => (None, Some(names.iter().filter_map(Json::as_str))),
        _ => (None, None),
    };
    one.into_iter().chain(many.into_iter().flatten())
}

fn type_word(name: &str) -> String {
    match name {
        "string" => "a string",
        "integer" => "an integer",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a table",
        other => other,
    }
    .to_owned()
}

/// The first sentence of a description.
fn hint(schema: &Json) -> String {
    let text = schema.get("description").and_then(Json::as_str).unwrap_or_default();
    text.split(". ").next().unwrap_or_default().trim_end_matches('.').replace('\n', " ")
}

fn between(least: Option<f64>, most: Option<f64>) -> String {
    match (least, most) {
        (Some(least), Some(most)) => format!("use {least} to {most}"),
        (Some(least), None) => format!("use at least {least}"),
        (None, Some(most)) => format!("use at most {most}"),
        (None, None) => String::new(),
    }
}
