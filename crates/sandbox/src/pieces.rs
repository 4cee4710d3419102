//! The JSON text of a world in pieces, so that a call writes only what it changed.
//!
//! A debug build, as from `cargo run`, takes ten times longer to write the text of a few hundred
//! objects than to compare them with their old state.

use std::collections::BTreeMap;

use serde_json::Value;

/// World, service, collection: each value below these is one piece.
const DEPTH: usize = 3;

/// The text of a value. It depends on that value alone, so an old text is never wrong.
#[derive(Debug, Default)]
pub(crate) struct Pieces(Option<Text>);

#[derive(Debug)]
enum Text {
    Piece { value: Value, text: String },
    Object(BTreeMap<String, Text>),
}

impl Pieces {
    /// Appends the text of `value` to `out`, and reuses texts of the last call.
    pub(crate) fn write(&mut self, value: Value, out: &mut Vec<u8>) {
        let text = Text::of(value, self.0.take(), DEPTH);
        text.write(out);
        self.0 = Some(text);
    }
}

impl Text {
    fn of(value: Value, before: Option<Text>, depth: usize) -> Self {
        match (value, before) {
            (Value::Object(members), before) if depth > 0 => {
                let mut before = match before {
                    Some(Self::Object(before)) => before,
                    _ => BTreeMap::new(),
                };
                let texts = members.into_iter().map(|(name, value)| {
                    let before = before.remove(&name);
                    (name, Self::of(value, before, depth - 1))
                });
                Self::Object(texts.collect())
            }
            (value, Some(Self::Piece { value: was, text })) if was == value => {
                Self::Piece { value, text }
            }
            (value, _) => Self::Piece { text: value.to_string(), value },
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Piece { text, .. } => out.extend_from_slice(text.as_bytes()),
            Self::Object(members) => {
                out.push(b'{');
                for (place, (name, text)) in members.iter().enumerate() {
                    if place > 0 {
                        out.push(b',');
                    }
                    let name = Value::from(name.as_str()).to_string();
                    out.extend_from_slice(name.as_bytes());
                    out.push(b':');
                    text.write(out);
                }
                out.push(b'}');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_text_is_that_of_the_newest_value() {
        let mut pieces = Pieces::default();
        for value in [
            json!({ "s3": { "buckets": { "a\"b": { "n": 1 }, "c": { "n": 2 } } }, "base": 1.5 }),
            json!({ "s3": { "buckets": { "a\"b": { "n": 3 } } }, "base": {} }),
            json!({ "s3": null, "base": [] }),
            json!({ "s3": {}, "base": { "deep": { "deeper": { "deepest": "x" } } } }),
        ] {
            let mut out = Vec::new();
            pieces.write(value.clone(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }
}
