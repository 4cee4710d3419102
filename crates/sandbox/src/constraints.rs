//! Violations of a service's model. Most services report all of them in one message, before they
//! check anything else.

use std::fmt::Display;

use super::Refusal;

/// The rules that a request breaks.
#[derive(Debug, Default)]
pub(crate) struct Broken(Vec<String>);

impl Broken {
    /// Notes a member whose value breaks a rule.
    pub(crate) fn note(&mut self, member: &str, value: impl Display, rule: &str) {
        self.told(member, &format!("'{value}'"), rule);
    }

    /// Notes a required member that is missing.
    pub(crate) fn missing(&mut self, member: &str) {
        self.told(member, "null", "Member must not be null");
    }

    /// Notes a text that the model does not list.
    pub(crate) fn one_of(&mut self, member: &str, value: Option<&str>, known: &[&str]) {
        if let Some(value) = value.filter(|value| !known.contains(value)) {
            self.note(member, value, &one_of(known));
        }
    }

    fn told(&mut self, member: &str, value: &str, rule: &str) {
        self.0.push(format!("Value {value} at '{member}' failed to satisfy constraint: {rule}"));
    }

    /// The message that AWS sends.
    pub(crate) fn message(&self) -> String {
        let errors = if self.0.len() == 1 { "error" } else { "errors" };
        format!("{} validation {errors} detected: {}", self.0.len(), self.0.join("; "))
    }

    /// Refuses the request if it breaks a rule.
    pub(crate) fn refuse(self) -> Result<(), Refusal> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Refusal::new("ValidationException", self.message()))
        }
    }
}

/// The rule that a text is one of these.
pub(crate) fn one_of(known: &[&str]) -> String {
    format!("Member must satisfy enum value set: [{}]", known.join(", "))
}

/// The refusal of one value that breaks a rule.
pub(crate) fn unfit(code: &str, value: &str, member: &str, rule: &str) -> Refusal {
    let mut broken = Broken::default();
    broken.note(member, value, rule);
    Refusal::new(code, broken.message())
}

/// The refusal of a request that lacks a member.
pub(crate) fn missing(code: &str, member: &str) -> Refusal {
    let mut broken = Broken::default();
    broken.missing(member);
    Refusal::new(code, broken.message())
}
