//! The logical identity of one resource: its kind and its name in the config.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Kind and logical name, written `dynamodb.table/transactions`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Address {
    /// The kind, `service.thing`.
    pub kind: String,
    /// The logical name, unique within its kind and environment.
    pub name: String,
}

impl Address {
    /// Builds an address from its two parts.
    pub fn new(kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), name: name.into() }
    }

    /// What it is, in words: `nat gateway`.
    pub fn thing(&self) -> String {
        let thing = self.kind.split('.').next_back().unwrap_or_default();
        thing.replace('_', " ")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((kind, name)) if kind.contains('.') && !name.is_empty() => {
                Ok(Self::new(kind, name))
            }
            Some(_) | None => Err(format!("`{text}` is not an address like sqs.queue/payments")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_its_text_form() {
        let address = Address::new("ssm.parameter", "/payment/vpc-id");
        assert_eq!(address.to_string().parse(), Ok(address));
        assert!("queue".parse::<Address>().is_err());
        assert!("sqs.queue/".parse::<Address>().is_err());
    }
}
