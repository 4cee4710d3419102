//! The forms of the query protocols: turns `Filter.1.Value.1=x` into a tree.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::Refusal;

/// Decodes a form's pairs, in order.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}

/// One member of a form.
pub(crate) fn member(text: &str, name: &str) -> Option<String> {
    pairs(text).into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

/// The deepest member that is decoded. Deeper ones are refused.
const DEEPEST: usize = 24;

/// Turns a form into the input of a call.
pub(crate) fn tree(text: &str) -> Result<Value, Refusal> {
    let mut root = Node::default();
    for (key, value) in pairs(text) {
        if key == "Action" || key == "Version" {
            continue;
        }
        if key.split('.').count() > DEEPEST {
            let message = format!("the parameter {key:.60} is nested too deeply");
            return Err(Refusal::new("MalformedQueryString", message));
        }
        let end = key
            .split('.')
            .fold(&mut root, |node, part| node.inside.entry(part.to_owned()).or_default());
        end.text = Some(value);
    }
    Ok(Value::Object(root.inside.into_iter().map(|(name, node)| (name, node.value())).collect()))
}

#[derive(Default)]
struct Node {
    text: Option<String>,
    inside: BTreeMap<String, Node>,
}

impl Node {
    fn value(mut self) -> Value {
        if self.inside.is_empty() {
            return self.text.map_or(Value::Null, Value::String);
        }
        if self.inside.len() == 1 {
            if let Some(list) = self.take_list("member") {
                return Value::Array(list.into_iter().map(Node::value).collect());
            }
            if let Some(entries) = self.take_list("entry") {
                return Value::Object(entries.into_iter().filter_map(Node::entry).collect());
            }
        }
        if self.is_list() {
            Value::Array(self.list().into_iter().map(Node::value).collect())
        } else {
            let members = self.inside.into_iter().map(|(name, node)| (name, node.value()));
            Value::Object(members.collect::<Map<_, _>>())
        }
    }

    fn is_list(&self) -> bool {
        !self.inside.is_empty() && self.inside.keys().all(|key| key.parse::<u32>().is_ok())
    }

    fn take_list(&mut self, name: &str) -> Option<Vec<Node>> {
        self.inside.get(name).filter(|node| node.is_list())?;
        self.inside.remove(name).map(Node::list)
    }

    /// In the order of numbers, not of texts: 10 comes after 9.
    fn list(self) -> Vec<Node> {
        let numbered = self.inside.into_iter().map(|(key, node)| (key.parse::<u32>().ok(), node));
        let mut items: Vec<_> = numbered.collect();
        items.sort_by_key(|(number, _)| *number);
        items.into_iter().map(|(_, node)| node).collect()
    }

    fn entry(mut self) -> Option<(String, Value)> {
        let key = self.inside.remove("key")?.text?;
        Some((key, self.inside.remove("value").map_or(Value::Null, Node::value)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn forms_become_trees() {
        let check = |form, expected| assert_eq!(tree(form).unwrap(), expected, "{form}");
        check(
            "Action=X&Version=1&Filter.1.Name=a&Filter.1.Value.2=z&Filter.1.Value.10=y",
            json!({ "Filter": [{ "Name": "a", "Value": ["z", "y"] }] }),
        );
        check(
            "Tags.member.1.Key=k&Tags.member.1.Value=a+b%2Fc",
            json!({ "Tags": [{ "Key": "k", "Value": "a b/c" }] }),
        );
        check(
            "Attributes.entry.1.key=A&Attributes.entry.1.value=1&Attributes.entry.2.key=B\
             &Attributes.entry.2.value=",
            json!({ "Attributes": { "A": "1", "B": "" } }),
        );
        check("Names=&Id=i-1", json!({ "Names": "", "Id": "i-1" }));
    }

    #[test]
    fn depth_is_bounded() {
        let refusal = tree(&format!("a{}=1", ".b".repeat(100_000))).unwrap_err();
        assert_eq!(refusal.code, "MalformedQueryString");
    }
}
