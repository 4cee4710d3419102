//! What Lambda's model says of the members of a request.

use std::fmt::Display;

use super::super::Refusal;

/// The rules that a request breaks; AWS tells all of them at once.
#[derive(Debug, Default)]
pub(super) struct Broken(Vec<String>);

impl Broken {
    /// Notes a member whose value breaks a rule.
    pub(super) fn note(&mut self, member: &str, value: impl Display, rule: &str) {
        self.0.push(format!("Value '{value}' at '{member}' failed to satisfy constraint: {rule}"));
    }

    /// Notes a text that is not one of those that the model knows.
    pub(super) fn one_of(&mut self, member: &str, value: Option<&str>, known: &[&str]) {
        if let Some(value) = value.filter(|value| !known.contains(value)) {
            let known = known.join(", ");
            self.note(member, value, &format!("Member must satisfy enum value set: [{known}]"));
        }
    }

    /// What AWS says of it.
    pub(super) fn message(&self) -> String {
        let errors = if self.0.len() == 1 { "error" } else { "errors" };
        format!("{} validation {errors} detected: {}", self.0.len(), self.0.join("; "))
    }

    /// Refuses the request if it breaks a rule.
    pub(super) fn refuse(self) -> Result<(), Refusal> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(Refusal::new("ValidationException", self.message())),
        }
    }
}

/// Refuses a required member that is missing.
pub(super) fn missing(member: &str) -> Refusal {
    let message = format!(
        "1 validation error detected: Value null at '{member}' failed to satisfy constraint: \
         Member must not be null"
    );
    Refusal::new("ValidationException", message)
}
