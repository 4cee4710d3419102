//! How large a part of a spec may be.

use serde_json::Value;

/// The most that AWS takes of one field of a spec.
#[derive(Clone, Copy, Debug)]
pub struct SizeLimit {
    /// What is too large, `trust policy`.
    pub what: &'static str,
    /// The top-level field.
    pub field: &'static str,
    /// How large its value is.
    pub measure: fn(&Value) -> usize,
    /// How large it may be.
    pub most: usize,
    /// What is counted.
    pub unit: &'static str,
    /// What to do; `{most}` stands for the number.
    pub fix: &'static str,
}

impl SizeLimit {
    /// A limit on the characters of a policy.
    pub const fn policy(what: &'static str, field: &'static str, most: usize) -> Self {
        let fix = "use at most {most}, for example with fewer statements";
        Self { what, field, measure: characters, most, unit: "characters", fix }
    }
}

/// The characters of a value as JSON; of a text those in it.
pub fn characters(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::String(text) => text.len(),
        other => other.to_string().len(),
    }
}

/// The characters of all values of a map.
pub fn characters_of_all(map: &Value) -> usize {
    map.as_object().into_iter().flatten().map(|(_, value)| characters(value)).sum()
}

/// The statements of a policy.
pub fn statements(policy: &Value) -> usize {
    policy["Statement"].as_array().map_or(0, Vec::len)
}
