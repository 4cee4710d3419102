//! New resources in a line: the settings that a reviewer asks about, long values as counts.

use serde_json::{Map, Value};

use super::super::style::count;
use payctl_engine::model::meta::Meta;
use payctl_engine::model::text::{Part, Text};

/// Nested values no wider than this are shown as they are.
const WIDE: usize = 60;

/// How many settings of a new resource are shown, and how wide one may be.
const ASKED: usize = 3;
const WORD: usize = 40;

/// The settings of a new resource that a reviewer asks about: those that its kind names, else the
/// plainest, without its name.
pub(in crate::ui) fn asked(spec: &Value, name: &str, meta: Option<&Meta>) -> Vec<String> {
    let asked = meta.map(|meta| meta.asked).unwrap_or_default();
    let shown = |key: &str| {
        let (rank, value) = brief(spec.get(key)?)?;
        let is_short = value.chars().count() <= WORD;
        is_short.then(|| (rank, format!("{} {value}", key.replace('_', " "))))
    };
    if !asked.is_empty() {
        return asked.iter().filter_map(|key| Some(shown(key)?.1)).collect();
    }
    let fields = spec.as_object().into_iter().flatten();
    let mut shown: Vec<(Rank, String)> = fields
        .filter(|(_, value)| value.as_str() != Some(name))
        .filter_map(|(key, _)| shown(key))
        .filter(|(rank, _)| *rank != Rank::Counted)
        .collect();
    shown.sort_by_key(|(rank, _)| *rank);
    shown.into_iter().take(ASKED).map(|(_, setting)| setting).collect()
}

/// Words or settings on as few lines as fit, with `between` after each but the last.
pub(super) fn wrapped(parts: &[String], between: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let end = if at + 1 == parts.len() { "" } else { between };
        let part = format!("{part}{end}");
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + part.chars().count() <= width => {
                line.push(' ');
                line.push_str(&part);
            }
            Some(_) | None => lines.push(part),
        }
    }
    lines
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Setting,
    Reference,
    Counted,
}

/// A value in a few words; `None` if it is not set or empty.
fn brief(value: &Value) -> Option<(Rank, String)> {
    if let Some(text) = Text::from_value(value) {
        return written(&text);
    }
    match value {
        Value::Null => None,
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Some((Rank::Setting, value.to_string()))
        }
        Value::Array(items) => list(items),
        Value::Object(map) => match map.get("Statement") {
            Some(Value::Array(statements)) => {
                Some((Rank::Counted, count(statements.len(), "statement")))
            }
            _ => object(map),
        },
    }
}

fn written(text: &Text) -> Option<(Rank, String)> {
    let shown = text.to_string();
    if text.parts().iter().any(|part| matches!(part, Part::Ref(_))) {
        return Some((Rank::Reference, shown));
    }
    match shown.lines().count() {
        0 => None,
        1 => {
            let separates = |letter: char| letter.is_whitespace() || ",[]{}".contains(letter);
            let shown = if shown.contains(separates) { format!("{shown:?}") } else { shown };
            Some((Rank::Setting, shown))
        }
        lines => Some((Rank::Counted, count(lines, "line"))),
    }
}

fn list(items: &[Value]) -> Option<(Rank, String)> {
    let shown: Vec<(Rank, String)> = items.iter().filter_map(brief).collect();
    let counted = (Rank::Counted, count(items.len(), "item"));
    match shown.as_slice() {
        [] => None,
        [(rank, only)] if *rank != Rank::Counted => Some((*rank, only.clone())),
        all => Some(joined(all, '[', ']').unwrap_or(counted)),
    }
}

fn object(map: &Map<String, Value>) -> Option<(Rank, String)> {
    let entry = |(key, value): (&String, &Value)| {
        let (rank, value) = brief(value)?;
        Some((rank, format!("{key}: {value}")))
    };
    let shown: Vec<(Rank, String)> = map.iter().filter_map(entry).collect();
    if shown.is_empty() {
        return None;
    }
    // For many or long values the keys say more than their number.
    let keys = map.keys().cloned().map(|key| (Rank::Counted, key)).collect::<Vec<_>>();
    joined(&shown, '{', '}')
        .or_else(|| joined(&keys, '{', '}'))
        .or_else(|| Some((Rank::Counted, count(map.len(), "setting"))))
}

/// All on one line, if it is not too long.
fn joined(parts: &[(Rank, String)], open: char, close: char) -> Option<(Rank, String)> {
    let rank = parts.iter().map(|(rank, _)| *rank).max()?;
    let texts: Vec<&str> = parts.iter().map(|(_, text)| text.as_str()).collect();
    let text = format!("{open}{}{close}", texts.join(", "));
    (text.chars().count() <= WIDE).then_some((rank, text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use payctl_engine::model::address::Address;
    use payctl_engine::model::text::Output;

    #[test]
    fn a_new_resource_shows_what_its_kind_is_asked_about() {
        let key = Text::reference(Address::new("kms.key", "main"), Output::Arn);
        let policy = json!({ "Version": "2012-10-17", "Statement": [{}, {}, {}] });
        let spec = json!({
            "name": "dev-table",
            "encryption": { "kms": key },
            "policy": policy,
            "inline": { "permissions": policy },
            "stream": null,
            "tags": {},
            "description": "Reads, and writes",
            "user_data": "#!/bin/sh\necho\n",
            "managed": ["arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"],
            "partition_key": { "name": "user_id", "type": "S" },
            "indexes": {
                "by-customer": { "partition_key": { "name": "customer_id", "type": "S" } },
                "by-status": { "partition_key": { "name": "status", "type": "S" } },
            },
            "rules": [{ "port": 443, "protocol": "tcp", "peer": { "cidr": "10.0.0.0/16" } }, {
                "port": 80, "protocol": "tcp", "peer": { "cidr": "10.0.0.0/16" },
            }],
            "raw": false,
        });
        const KIND: Meta = Meta {
            asked: &["partition_key", "indexes", "stream", "rules"],
            ..Meta::new("a.table", "a", "")
        };
        let shown = |meta| asked(&spec, "dev-table", meta).join(", ");
        insta::assert_snapshot!(shown(Some(&KIND)), @"partition key {name: user_id, type: S}, indexes {by-customer, by-status}, rules 2 items");
        insta::assert_snapshot!(shown(None), @r#"description "Reads, and writes", partition key {name: user_id, type: S}, raw false"#);
    }

    #[test]
    fn words_are_wrapped_with_their_separator() {
        let words: Vec<String> = ["one", "two", "three"].map(str::to_owned).into();
        assert_eq!(wrapped(&words, ",", 9), ["one, two,", "three"]);
    }
}
