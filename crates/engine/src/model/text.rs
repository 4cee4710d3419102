//! Strings that may refer to outputs of other resources.
//!
//! A `Text` without references serialises as a plain string, one with references as
//! `{"$text": ["literal", {"to": "kind/name", "output": "arn"}]}`. So it can stand anywhere in a
//! JSON tree, also inside a policy document, and resolving is one walk over any tree.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::address::Address;

/// The key that marks a reference in a serialised tree.
const MARK: &str = "$text";

/// What a resource offers to others once it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// The Amazon Resource Name.
    Arn,
    /// The identifier that AWS gave it.
    Id,
    /// The physical name.
    Name,
    /// A URL.
    Url,
    /// The main endpoint or host name.
    Endpoint,
    /// The ARN of a table's stream.
    StreamArn,
    /// A public IP address.
    PublicIp,
    /// The primary network interface of an instance.
    InterfaceId,
    /// The endpoint for reading alone.
    ReaderEndpoint,
    /// A port.
    Port,
    /// What metrics know it by, if that is not the name: `app/NAME/ID` of a load balancer.
    Metric,
    /// The id of the DNS zone in which AWS answers for its endpoint.
    ZoneId,
    /// A version: of a secret's value, a parameter, a launch template; the digest of an API.
    Version,
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Arn => "arn",
            Self::Id => "id",
            Self::Name => "name",
            Self::Url => "url",
            Self::Endpoint => "endpoint",
            Self::StreamArn => "stream_arn",
            Self::PublicIp => "public_ip",
            Self::InterfaceId => "interface_id",
            Self::ReaderEndpoint => "reader_endpoint",
            Self::Port => "port",
            Self::Metric => "metric",
            Self::ZoneId => "zone_id",
            Self::Version => "version",
        })
    }
}

/// The outputs of one live resource.
pub type Outputs = BTreeMap<Output, String>;

/// A reference to one output of another resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ref {
    /// Whose output.
    pub to: Address,
    /// Which output.
    pub output: Output,
}

/// One piece of a `Text`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Part {
    /// Known text.
    Literal(String),
    /// Text known once the other resource exists.
    Ref(Ref),
}

/// A string that may contain references.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Vec<Part>);

impl Text {
    /// A reference to one output of another resource.
    pub fn reference(to: Address, output: Output) -> Self {
        Self(vec![Part::Ref(Ref { to, output })])
    }

    /// Joins parts, merging neighbouring literals.
    pub fn from_parts(parts: impl IntoIterator<Item = Part>) -> Self {
        let mut joined: Vec<Part> = Vec::new();
        for part in parts {
            match (joined.last_mut(), part) {
                (_, Part::Literal(new)) if new.is_empty() => {}
                (Some(Part::Literal(old)), Part::Literal(new)) => old.push_str(&new),
                (_, part) => joined.push(part),
            }
        }
        Self(joined)
    }

    /// This text followed by another.
    #[must_use]
    pub fn then(self, more: impl Into<Text>) -> Self {
        Self::from_parts(self.0.into_iter().chain(more.into().0))
    }

    /// The parts in order.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The references in order.
    pub fn refs(&self) -> impl Iterator<Item = &Ref> {
        self.0.iter().filter_map(|part| match part {
            Part::Ref(reference) => Some(reference),
            Part::Literal(_) => None,
        })
    }

    /// The string, if nothing in it is unknown.
    pub fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The string of a resolved text. The engine resolves a spec before it calls a kind with it.
    pub fn known(&self) -> &str {
        self.literal().expect("the engine resolves references before it calls a kind")
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::from_parts([Part::Literal(text.to_owned())])
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from_parts([Part::Literal(text)])
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            match part {
                Part::Literal(text) => f.write_str(text)?,
                Part::Ref(Ref { to, output }) => write!(f, "${{{to}.{output}}}")?,
            }
        }
        Ok(())
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.literal() {
            Some(text) => serializer.serialize_str(text),
            None => BTreeMap::from([(MARK, &self.0)]).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_value(&value)
            .ok_or_else(|| serde::de::Error::custom("expected a string or a reference"))
    }
}

impl Text {
    /// Reads a text from its serialised form, if the value is one.
    pub fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::from(text.as_str())),
            Value::Object(map) if map.len() == 1 => {
                let parts = map.get(MARK)?;
                serde_json::from_value::<Vec<Part>>(parts.clone()).ok().map(Self::from_parts)
            }
            Value::Object(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_) => None,
        }
    }
}

/// Replaces every reference that `lookup` knows; what it does not know stays a reference.
pub fn resolve(tree: &Value, lookup: &dyn Fn(&Ref) -> Option<String>) -> Value {
    match tree {
        Value::Object(map) if map.contains_key(MARK) => {
            let Some(text) = Text::from_value(tree) else { return tree.clone() };
            let parts = text.0.into_iter().map(|part| match part {
                Part::Ref(reference) => match lookup(&reference) {
                    Some(known) => Part::Literal(known),
                    None => Part::Ref(reference),
                },
                literal @ Part::Literal(_) => literal,
            });
            serde_json::to_value(Text::from_parts(parts)).expect("a text always serialises")
        }
        Value::Object(map) => Value::Object(
            map.iter().map(|(key, value)| (key.clone(), resolve(value, lookup))).collect(),
        ),
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| resolve(item, lookup)).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => tree.clone(),
    }
}

/// Calls `found` for every reference in a tree.
pub fn each_ref(tree: &Value, found: &mut dyn FnMut(&Ref)) {
    match tree {
        Value::Object(map) if map.contains_key(MARK) => {
            if let Some(text) = Text::from_value(tree) {
                text.refs().for_each(found);
            }
        }
        Value::Object(map) => map.values().for_each(|value| each_ref(value, found)),
        Value::Array(items) => items.iter().for_each(|item| each_ref(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn arn() -> Text {
        Text::reference(Address::new("sqs.queue", "jobs"), Output::Arn)
    }

    #[test]
    fn plain_text_is_a_plain_string() {
        assert_eq!(serde_json::to_value(Text::from("a").then("b")).unwrap(), json!("ab"));
    }

    #[test]
    fn references_survive_serialisation_and_resolve_anywhere() {
        let tree = json!({ "Resource": [arn().then("/*")] });
        let mut seen = Vec::new();
        each_ref(&tree, &mut |reference| seen.push(reference.to.to_string()));
        assert_eq!(seen, ["sqs.queue/jobs"]);
        assert_eq!(resolve(&tree, &|_| None), tree);
        let known = resolve(&tree, &|_| Some("arn:aws:sqs:x".into()));
        assert_eq!(known, json!({ "Resource": ["arn:aws:sqs:x/*"] }));
    }
}
