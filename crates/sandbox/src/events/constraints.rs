//! Violations of EventBridge's model, all in one message.

use serde_json::Value;

use super::super::Refusal;
use super::super::constraints::Broken;
use super::super::toolbox::{number, text};

/// The violations found so far.
#[derive(Default)]
pub(super) struct Constraints(Broken);

impl Constraints {
    fn add(&mut self, value: &str, place: &str, constraint: &str) {
        self.0.note(place, value, &format!("Member must {constraint}"));
    }

    /// A required member.
    pub(super) fn some(mut self, input: &Value, key: &str, place: &str) -> Self {
        if text(input, key).is_none() {
            self.0.missing(place);
        }
        self
    }

    /// A text with at most this many characters.
    pub(super) fn length(mut self, input: &Value, key: &str, place: &str, most: usize) -> Self {
        if let Some(value) = text(input, key).filter(|value| value.chars().count() > most) {
            let constraint = format!("have length less than or equal to {most}");
            self.add(value, place, &constraint);
        }
        self
    }

    /// The name of a rule or the id of a target.
    pub(super) fn name(mut self, input: &Value, key: &str, place: &str) -> Self {
        self = self.some(input, key, place);
        let value = text(input, key).unwrap_or("-");
        if value.is_empty() {
            self.add("", place, "have length greater than or equal to 1");
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        if value.is_empty() || !value.chars().all(fits) {
            let constraint = r"satisfy regular expression pattern: [\.\-_A-Za-z0-9]+";
            self.add(value, place, constraint);
        }
        self.length(input, key, place, 64)
    }

    /// One of these words.
    pub(super) fn word(mut self, input: &Value, key: &str, place: &str, words: &[&str]) -> Self {
        self.0.one_of(place, text(input, key), words);
        self
    }

    /// A number in its range.
    pub(super) fn range(
        mut self,
        input: &Value,
        key: &str,
        place: &str,
        (least, most): (i64, i64),
    ) -> Self {
        let value = number(input, key);
        if let Some(value) = value.filter(|value| *value < least) {
            let constraint = format!("have value greater than or equal to {least}");
            self.add(&value.to_string(), place, &constraint);
        }
        if let Some(value) = value.filter(|value| *value > most) {
            let constraint = format!("have value less than or equal to {most}");
            self.add(&value.to_string(), place, &constraint);
        }
        self
    }

    /// The refusal, if there are violations.
    pub(super) fn hold(self) -> Result<(), Refusal> {
        self.0.refuse()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_violations_are_reported_at_once() {
        let input = json!({ "Name": "a b".repeat(22), "State": "ON", "Limit": 0 });
        let name = input["Name"].as_str().unwrap();
        let held = Constraints::default()
            .name(&input, "Name", "name")
            .word(&input, "State", "state", &["ENABLED", "DISABLED"])
            .range(&input, "Limit", "limit", (1, 100))
            .some(&input, "Rule", "rule")
            .hold();
        let at = |place: &str| format!("at '{place}' failed to satisfy constraint: Member must");
        assert_eq!(
            held.unwrap_err().message,
            format!(
                "5 validation errors detected: Value '{name}' {} satisfy regular expression \
                 pattern: [\\.\\-_A-Za-z0-9]+; Value '{name}' {} have length less than or equal to \
                 64; Value 'ON' {} satisfy enum value set: [ENABLED, DISABLED]; Value '0' {} have \
                 value greater than or equal to 1; Value null {} not be null",
                at("name"),
                at("name"),
                at("state"),
                at("limit"),
                at("rule"),
            )
        );
        assert!(Constraints::default().name(&json!({ "N": "a.b-c_1" }), "N", "n").hold().is_ok());
    }
}
