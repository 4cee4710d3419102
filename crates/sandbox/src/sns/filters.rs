//! Filter policies of subscriptions, and SNS's checks of them.

use std::fmt;
use std::net::IpAddr;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// The most combinations of values that a policy may have, and the most keys.
const COMBINATIONS: usize = 150;
const KEYS: usize = 5;

/// JSON whose members keep their order, because SNS names the first invalid one.
enum Node {
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    Leaf(Value),
}

/// The reason why SNS refuses a policy. Misplaced nesting has another message than other faults.
pub(super) enum Fault {
    Policy(String),
    Nested,
}

impl From<String> for Fault {
    fn from(reason: String) -> Self {
        Self::Policy(reason)
    }
}

/// Checks a policy. Policies for attributes are flat, policies for bodies need not be.
pub(super) fn check(policy: &str, is_flat: bool) -> Result<(), Fault> {
    let tree: Node =
        serde_json::from_str(policy).map_err(|error| format!("failed to parse JSON. {error}"))?;
    let Node::Object(members) = tree else {
        return Err("Filter is not an object".to_owned().into());
    };
    check_object(&members)?;
    if is_flat && is_nested(&members) {
        return Err(Fault::Nested);
    }
    if keys(&members) > KEYS {
        return Err(format!("Filter policy can not have more than {KEYS} keys").into());
    }
    if combinations(&members, 1) > COMBINATIONS {
        Err("Filter policy is too complex".to_owned().into())
    } else {
        Ok(())
    }
}

/// The objects of an `$or`, one of which must match.
fn alternatives<'a>(key: &str, value: &'a Node) -> Option<Vec<&'a Vec<(String, Node)>>> {
    let Node::Array(nodes) = value else { return None };
    let objects = nodes.iter().map(|node| match node {
        Node::Object(members) => Some(members),
        _ => None,
    });
    objects.collect::<Option<Vec<_>>>().filter(|_| key == "$or")
}

fn check_object(members: &[(String, Node)]) -> Result<(), String> {
    for (key, value) in members {
        match value {
            _ if alternatives(key, value).is_some() => {
                let objects = alternatives(key, value).into_iter().flatten();
                objects.into_iter().try_for_each(|members| check_object(members))?;
            }
            Node::Object(members) => check_object(members)?,
            Node::Array(values) if values.is_empty() => {
                return Err("Empty arrays are not allowed".to_owned());
            }
            Node::Array(values) => values.iter().try_for_each(check_match)?,
            Node::Leaf(_) => return Err(format!("\"{key}\" must be an object or an array")),
        }
    }
    Ok(())
}

fn is_nested(members: &[(String, Node)]) -> bool {
    members.iter().any(|(key, value)| match alternatives(key, value) {
        Some(objects) => objects.into_iter().any(|members| is_nested(members)),
        None => matches!(value, Node::Object(_)),
    })
}

fn keys(members: &[(String, Node)]) -> usize {
    let keys = members.iter().map(|(key, value)| match alternatives(key, value) {
        Some(objects) => objects.into_iter().map(|members| keys(members)).sum(),
        None => 1,
    });
    keys.sum()
}

/// The number of combinations of values. A value counts once for each level of its depth.
fn combinations(members: &[(String, Node)], depth: usize) -> usize {
    let factors = members.iter().map(|(key, value)| match (alternatives(key, value), value) {
        (Some(objects), _) => objects.into_iter().map(|members| combinations(members, depth)).sum(),
        (None, Node::Object(members)) => combinations(members, depth + 1),
        (None, Node::Array(values)) => values.len() * depth,
        (None, Node::Leaf(_)) => 1,
    });
    factors.fold(1, usize::saturating_mul)
}

/// Checks one match: a value, or an operator with its operand.
fn check_match(node: &Node) -> Result<(), String> {
    let members = match node {
        Node::Leaf(_) => return Ok(()),
        Node::Array(_) => {
            return Err("Match value must be String, number, true, false, or null".to_owned());
        }
        Node::Object(members) => members,
    };
    let [(operator, operand)] = members.as_slice() else {
        return Err("Only one key allowed in match expression".to_owned());
    };
    match operator.as_str() {
        "exists" if matches!(operand, Node::Leaf(Value::Bool(_))) => Ok(()),
        "exists" => Err("exists match pattern must be either true or false.".to_owned()),
        "prefix" | "suffix" | "equals-ignore-case" | "wildcard" => {
            text_of(operator, operand).map(|_| ())
        }
        // SNS names the operator that it uses internally.
        "cidr" => check_cidr(text_of("prefix", operand)?),
        "numeric" => check_numeric(operand),
        "anything-but" => match operand {
            Node::Object(members) => match members.as_slice() {
                [(operator, operand)] if operator == "prefix" => {
                    text_of(operator, operand).map(|_| ())
                }
                members => {
                    let operator = members.first().map(|(key, _)| key.as_str()).unwrap_or_default();
                    Err(format!("Unsupported anything-but pattern: {operator}"))
                }
            },
            Node::Array(values) if values.is_empty() => {
                Err("Empty arrays are not allowed".to_owned())
            }
            _ => Ok(()),
        },
        operator => Err(format!("Unrecognized match type {operator}")),
    }
}

fn text_of<'a>(operator: &str, node: &'a Node) -> Result<&'a str, String> {
    match node {
        Node::Leaf(Value::String(text)) => Ok(text),
        _ => Err(format!("{operator} match pattern must be a string")),
    }
}

fn check_cidr(range: &str) -> Result<(), String> {
    let parts: Vec<&str> = range.split('/').collect();
    let [address, bits] = parts.as_slice() else {
        return Err("Malformed CIDR, one '/' required".to_owned());
    };
    let bits: u8 =
        bits.parse().map_err(|_| "Malformed CIDR, mask bits must be an integer".to_owned())?;
    let ip: IpAddr = address.parse().map_err(|_| format!("Nonstandard IP address: {address}"))?;
    let most = if ip.is_ipv4() { 32 } else { 128 };
    if bits <= most {
        Ok(())
    } else {
        Err(format!("Malformed CIDR, mask bits must not exceed {most}"))
    }
}

/// Checks a numeric match: `["=", 1]`, `[">", 1]` or `[">", 1, "<=", 5]`.
fn check_numeric(node: &Node) -> Result<(), String> {
    let Node::Array(terms) = node else {
        return Err("Value of numeric must be an array.".to_owned());
    };
    let number = |place: usize, operator: &str| match terms.get(place) {
        Some(Node::Leaf(Value::Number(number))) => Ok(number.as_f64().unwrap_or_default()),
        _ => {
            let operator = if operator == "=" { "equals" } else { operator };
            Err(format!("Value of {operator} must be numeric"))
        }
    };
    let operator = match terms.first() {
        Some(Node::Leaf(Value::String(operator))) => operator.as_str(),
        Some(Node::Leaf(value)) => return Err(format!("Invalid member in numeric match: {value}")),
        _ => return Err("Invalid member in numeric match: ]".to_owned()),
    };
    if !["=", "<", "<=", ">", ">="].contains(&operator) {
        return Err(format!("Unrecognized numeric range operator: {operator}"));
    }
    let bottom = number(1, operator)?;
    let upper = match terms.get(2) {
        None => return Ok(()),
        Some(_) if !operator.starts_with('>') => {
            return Err("Too many elements in numeric expression".to_owned());
        }
        Some(Node::Leaf(Value::String(upper))) => upper.as_str(),
        Some(Node::Leaf(value)) => return Err(format!("Bad value in numeric range: {value}")),
        Some(_) => return Err("Bad value in numeric range: [".to_owned()),
    };
    if !["<", "<="].contains(&upper) {
        return Err(format!("Bad numeric range operator: {upper}"));
    }
    if number(3, upper)? <= bottom {
        return Err("Bottom must be less than top".to_owned());
    }
    if terms.len() > 4 {
        Err("Too many terms in numeric range expression".to_owned())
    } else {
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Node::Object(members))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Node::Array(items))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Leaf(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Leaf(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Leaf(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
                Ok(Node::Leaf(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Node, E> {
                Ok(Node::Leaf(value.into()))
            }

            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Leaf(Value::Null))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(policy: &str) -> String {
        match check(policy, true) {
            Err(Fault::Policy(reason)) => reason,
            Err(Fault::Nested) => "nested".to_owned(),
            Ok(()) => String::new(),
        }
    }

    #[test]
    fn invalid_filter_policies_are_refused_as_by_sns() {
        for (value, expected) in [
            (r#"["a", 1, true, null]"#, ""),
            (r#"[["a"]]"#, "Match value must be String, number, true, false, or null"),
            (r#"[{"fits": 1}]"#, "Unrecognized match type fits"),
            (r#"[{"suffix": "a", "prefix": "b"}]"#, "Only one key allowed in match expression"),
            ("[]", "Empty arrays are not allowed"),
            (r#""a""#, "\"k\" must be an object or an array"),
            (r#"{"suffix": "a", "prefix": "b"}"#, "\"suffix\" must be an object or an array"),
            (r#"{"in": ["a"]}"#, "nested"),
            (r#"[{"suffix": 1}]"#, "suffix match pattern must be a string"),
            (r#"[{"exists": "no"}]"#, "exists match pattern must be either true or false."),
            (r#"[{"anything-but": {"prefix": "a"}}, {"anything-but": ["a"]}]"#, ""),
            (r#"[{"anything-but": {"suffix": "a"}}]"#, "Unsupported anything-but pattern: suffix"),
            (r#"[{"cidr": "10.0.0.0/8"}, {"cidr": "2001:db8::/32"}]"#, ""),
            (r#"[{"cidr": "a"}]"#, "Malformed CIDR, one '/' required"),
            (r#"[{"cidr": "a/b"}]"#, "Malformed CIDR, mask bits must be an integer"),
            (r#"[{"cidr": "a/8"}]"#, "Nonstandard IP address: a"),
            (r#"[{"numeric": ["=", 1]}, {"numeric": [">", 1, "<=", 2.5]}]"#, ""),
            (r#"[{"numeric": []}]"#, "Invalid member in numeric match: ]"),
            (r#"[{"numeric": [1, "<"]}]"#, "Invalid member in numeric match: 1"),
            (r#"[{"numeric": ["~"]}]"#, "Unrecognized numeric range operator: ~"),
            (r#"[{"numeric": ["=", "1"]}]"#, "Value of equals must be numeric"),
            (r#"[{"numeric": ["<", 1, ">", 0]}]"#, "Too many elements in numeric expression"),
            (r#"[{"numeric": [">", 1, 2]}]"#, "Bad value in numeric range: 2"),
            (r#"[{"numeric": [">", 1, ">", 2]}]"#, "Bad numeric range operator: >"),
            (r#"[{"numeric": [">", 1, "<"]}]"#, "Value of < must be numeric"),
            (r#"[{"numeric": [">", 2, "<", 1]}]"#, "Bottom must be less than top"),
            (
                r#"[{"numeric": [">", 1, "<", 2, "<", 3]}]"#,
                "Too many terms in numeric range expression",
            ),
        ] {
            assert_eq!(refusal(&format!("{{\"k\": {value}}}")), expected, "{value}");
        }
        assert!(refusal("{x}").starts_with("failed to parse JSON. "));
    }

    #[test]
    fn keys_and_combinations_are_counted() {
        let values = |count: usize| vec!["1"; count].join(",");
        let too_complex = "Filter policy is too complex";
        let two = |one, other| format!(r#"{{"a": [{}], "b": [{}]}}"#, values(one), values(other));
        assert_eq!(refusal(&two(15, 10)), "");
        assert_eq!(refusal(&two(15, 11)), too_complex);
        let keys: Vec<String> = (0..6).map(|n| format!("\"k{n}\": [1]")).collect();
        let many = format!("{{{}}}", keys.join(","));
        assert_eq!(refusal(&many), "Filter policy can not have more than 5 keys");
        // Alternatives add up, and a nested value counts once for each level.
        let or = |most| {
            format!(
                r#"{{"a": [{}], "$or": [{{"b": [{}]}}, {{"c": [{}]}}]}}"#,
                values(10),
                values(5),
                values(most)
            )
        };
        assert_eq!(refusal(&or(10)), "");
        assert_eq!(refusal(&or(11)), too_complex);
        let deep = |count| format!(r#"{{"a": {{"b": {{"c": [{}]}}}}}}"#, values(count));
        assert!(check(&deep(50), false).is_ok());
        assert!(check(&deep(51), false).is_err());
    }
}
