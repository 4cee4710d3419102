//! RPC v2 CBOR, the protocol of CloudWatch. The path names the service and the operation. The input
//! and the answer are CBOR maps.
//!
//! Times are tagged numbers, and clients require the tag, so answers use [`time()`]. Answers must
//! contain doubles where the API has them (`5.0`, not `5`).

use ciborium::Value as Cbor;
use serde_json::{Map, Number, Value, json};

use crate::Refusal;

/// Marks a time in an answer.
const TIME: &str = "$time";

/// A time in an answer, in seconds since the epoch.
pub(crate) fn time(seconds: f64) -> Value {
    json!({ TIME: seconds })
}

/// The answer for clients that speak another protocol. `spell` writes each time.
pub(crate) fn untagged(value: Value, spell: fn(f64) -> Value) -> Value {
    match value {
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| untagged(item, spell)).collect())
        }
        Value::Object(members) => match members.get(TIME).and_then(Value::as_f64) {
            Some(seconds) => spell(seconds),
            None => {
                let members = members.into_iter();
                Value::Object(members.map(|(key, it)| (key, untagged(it, spell))).collect())
            }
        },
        other => other,
    }
}

/// The service and the operation in a path such as
/// `/service/GraniteServiceVersion20100801/operation/PutDashboard`.
pub(crate) fn target(path: &str) -> Option<(&str, &str)> {
    let (service, operation) = path.strip_prefix("/service/")?.split_once("/operation/")?;
    (!service.contains('/') && !operation.contains('/')).then_some((service, operation))
}

/// The input of a call.
pub(crate) fn input(body: &[u8]) -> Result<Value, Refusal> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    ciborium::from_reader::<Cbor, _>(body)
        .map(|value| to_json(value, &|inner| inner))
        .map_err(|error| Refusal::new("SerializationException", error.to_string()))
}

/// An answer, in which times are as [`time()`] writes them.
pub(crate) fn timed(body: &[u8]) -> Result<Value, Refusal> {
    let read = ciborium::from_reader::<Cbor, _>(body);
    let read = read.map_err(|error| Refusal::new("SerializationException", error.to_string()));
    read.map(|value| to_json(value, &|inner| json!({ TIME: inner })))
}

/// An answer or a refusal as a body.
pub(crate) fn body(value: &Value) -> Vec<u8> {
    let value = match value {
        Value::Null => Cbor::Map(Vec::new()),
        value => to_cbor(value),
    };
    let mut body = Vec::new();
    ciborium::into_writer(&value, &mut body).expect("a vector takes everything");
    body
}

/// The value as JSON; `spell` writes what has a tag.
fn to_json(value: Cbor, spell: &dyn Fn(Value) -> Value) -> Value {
    match value {
        Cbor::Integer(number) => i64::try_from(number).map_or(Value::Null, Value::from),
        Cbor::Float(number) => Number::from_f64(number).map_or(Value::Null, Value::Number),
        Cbor::Text(text) => Value::String(text),
        Cbor::Bytes(bytes) => Value::String(String::from_utf8_lossy(&bytes).into_owned()),
        Cbor::Bool(yes) => Value::Bool(yes),
        Cbor::Tag(_, inner) => spell(to_json(*inner, spell)),
        Cbor::Array(items) => {
            Value::Array(items.into_iter().map(|item| to_json(item, spell)).collect())
        }
        Cbor::Map(entries) => {
            let entries = entries.into_iter();
            let entries = entries.filter_map(|(key, value)| Some((key.into_text().ok()?, value)));
            Value::Object(entries.map(|(key, value)| (key, to_json(value, spell))).collect())
        }
        _ => Value::Null,
    }
}

fn to_cbor(value: &Value) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(yes) => Cbor::Bool(*yes),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Cbor::Integer(number.into()),
            (None, number) => Cbor::Float(number.unwrap_or_default()),
        },
        Value::String(text) => Cbor::Text(text.clone()),
        Value::Array(items) => Cbor::Array(items.iter().map(to_cbor).collect()),
        Value::Object(entries) => match entries.get(TIME).and_then(Value::as_f64) {
            Some(seconds) => Cbor::Tag(1, Box::new(Cbor::Float(seconds))),
            None => {
                let entries = entries.iter().filter(|(_, value)| !value.is_null());
                Cbor::Map(
                    entries.map(|(key, value)| (Cbor::Text(key.clone()), to_cbor(value))).collect(),
                )
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_the_round_trip() {
        let value = json!({ "Threshold": 5.0, "Period": 300, "On": true, "Names": ["a", "b"] });
        let back = input(&body(&value)).unwrap();
        assert_eq!(back, value);
        assert!(back["Threshold"].is_f64() && back["Period"].is_i64());
        assert_eq!(input(&body(&Value::Null)).unwrap(), json!({}));
        assert_eq!(input(b"").unwrap(), json!({}));
        assert_eq!(input(b"\xff").unwrap_err().code, "SerializationException");
    }

    #[test]
    fn a_time_is_tagged() {
        let tagged = body(&json!({ "At": time(1.5), "Not": null }));
        // {"At": 1(1.5)}
        assert_eq!(tagged, b"\xa1\x62At\xc1\xf9\x3e\x00");
        assert_eq!(input(&tagged).unwrap(), json!({ "At": 1.5 }));
        let plain = untagged(json!({ "All": [{ "At": time(1.5) }] }), Value::from);
        assert_eq!(plain, json!({ "All": [{ "At": 1.5 }] }));
    }

    #[test]
    fn the_path_names_the_operation() {
        let path = "/service/GraniteServiceVersion20100801/operation/PutDashboard";
        assert_eq!(target(path), Some(("GraniteServiceVersion20100801", "PutDashboard")));
        assert_eq!(target("/service/x"), None);
        assert_eq!(target("/bucket/service/x/operation/y"), None);
    }
}
