//! Decodes answers into JSON, for tests that compare them.

use serde_json::{Map, Value};

use super::xml::Element;
use super::{Protocol, Route, cbor};

/// The body of an answer, or `null` if the route does not speak its language.
pub(crate) fn answer(route: &Route, body: &[u8]) -> Value {
    match route.protocol {
        Protocol::Json(_) | Protocol::RestJson => serde_json::from_slice(body).unwrap_or_default(),
        Protocol::Cbor => cbor::input(body).unwrap_or_default(),
        Protocol::Ec2 | Protocol::Query | Protocol::RestXml | Protocol::Rest => {
            let text = std::str::from_utf8(body).unwrap_or_default();
            // S3 returns policies as they were sent, in JSON.
            let Ok(root) = Element::parse(text) else {
                return serde_json::from_str(text).unwrap_or_default();
            };
            let result = root.child(&format!("{}Result", route.operation));
            content(result.unwrap_or(&root))
        }
    }
}

/// The content of an element: text, a list (`member`, `item`), a map (`entry`), or members by name.
fn content(element: &Element) -> Value {
    let children = &element.children;
    let all = |names: &[&str]| children.iter().all(|child| names.contains(&child.name.as_str()));
    if children.is_empty() {
        return Value::String(element.text.clone());
    }
    if all(&["member", "item"]) {
        return children.iter().map(content).collect();
    }
    let mut members = Map::new();
    for child in children {
        let (key, value) = match (all(&["entry"]), child.child("key"), child.child("value")) {
            (true, Some(key), Some(value)) => (key.text.clone(), content(value)),
            _ => (child.name.clone(), content(child)),
        };
        match members.get_mut(&key) {
            None => {
                members.insert(key, value);
            }
            Some(Value::Array(items)) => items.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decoded(protocol: Protocol, body: &[u8]) -> Value {
        let (service, operation) = (String::new(), "GetThing".to_owned());
        answer(&Route { protocol, service, operation, region: None }, body)
    }

    #[test]
    fn xml_is_read_into_members_lists_and_maps() {
        let body = b"<GetThingResponse><GetThingResult><A><member>1</member></A><B/>\
                     <C><entry><key>k</key><value>v</value></entry></C><D><E>x</E><E>y</E></D>\
                     </GetThingResult></GetThingResponse>";
        let expected = json!({ "A": ["1"], "B": "", "C": { "k": "v" }, "D": { "E": ["x", "y"] } });
        assert_eq!(decoded(Protocol::Query, body), expected);
        assert_eq!(decoded(Protocol::Rest, b"<T><Rule><Id>a</Id></Rule></T>")["Rule"]["Id"], "a");
    }

    #[test]
    fn unknown_xml_members_are_ignored() {
        assert_eq!(decoded(Protocol::Json("x"), b"{\"a\":1}"), json!({ "a": 1 }));
        for protocol in [Protocol::Json("x"), Protocol::Cbor, Protocol::Ec2] {
            assert_eq!(decoded(protocol, b"\xff"), Value::Null);
        }
    }
}
