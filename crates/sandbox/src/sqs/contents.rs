//! The content of a message: SQS's checks, and the digests that clients check.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest, Md5};
use serde_json::Value;

use super::super::Refusal;
use super::super::toolbox::{hex, text};
use super::{bad_parameter, invalid, refused};

/// The MD5 of a body, in hex.
pub(super) fn sum(body: &str) -> String {
    hex(Md5::digest(body))
}

/// The MD5 of message attributes, in hex. They are in the order of their names. Each has its name,
/// type and value, with their lengths before them, and a byte for the kind of value before the
/// value.
pub(super) fn sum_of_attributes(attributes: &BTreeMap<String, Value>) -> String {
    let mut md5 = Md5::new();
    let add = |md5: &mut Md5, bytes: &[u8]| {
        md5.update(u32::try_from(bytes.len()).unwrap_or_default().to_be_bytes());
        md5.update(bytes);
    };
    for (name, attribute) in attributes {
        let (sort, value) = value_of(attribute);
        add(&mut md5, name.as_bytes());
        add(&mut md5, text(attribute, "DataType").unwrap_or_default().as_bytes());
        md5.update([sort]);
        add(&mut md5, &value);
    }
    hex(md5.finalize())
}

/// Checks the body and the attributes of a message, and their size together.
pub(super) fn check(
    body: &str,
    attributes: Option<&BTreeMap<String, Value>>,
    most: usize,
) -> Result<(), Refusal> {
    for (name, attribute) in attributes.into_iter().flatten() {
        check_attribute(name, attribute)?;
    }
    if !body.chars().all(is_allowed) {
        let message = "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | \
                       #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF";
        return Err(refused("InvalidMessageContents", message));
    }
    let sizes = attributes.into_iter().flatten().map(|(name, attribute)| {
        let kind = text(attribute, "DataType").unwrap_or_default();
        name.len() + kind.len() + value_of(attribute).1.len()
    });
    if body.len() + sizes.sum::<usize>() > most {
        Err(invalid(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {most} bytes."
        )))
    } else {
        Ok(())
    }
}

/// Whether XML allows the character.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// The value of an attribute, and the byte for its kind.
fn value_of(attribute: &Value) -> (u8, Vec<u8>) {
    match text(attribute, "BinaryValue") {
        Some(encoded) => (2, BASE64_STANDARD.decode(encoded).unwrap_or_default()),
        None => (1, text(attribute, "StringValue").unwrap_or_default().into()),
    }
}

fn check_attribute(name: &str, attribute: &Value) -> Result<(), Refusal> {
    let lower = name.to_lowercase();
    let reserved = lower.starts_with("aws.") || lower.starts_with("amazon.");
    let of_name = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    let at_edge = name.starts_with('.') || name.ends_with('.') || name.contains("..");
    if !(1..=256).contains(&name.len()) || reserved || at_edge || !name.chars().all(of_name) {
        return Err(invalid(format!(
            "Invalid attribute name '{name}'. A message attribute name can contain 1 to 256 \
             alphanumeric characters, hyphens, underscores and single dots inside, and does not \
             start with AWS. or Amazon."
        )));
    }
    let kind = text(attribute, "DataType").unwrap_or_default();
    let sort = kind.split('.').next().unwrap_or_default();
    if kind.len() > 256 || !["Binary", "Number", "String"].contains(&sort) {
        return Err(invalid(format!(
            "The type of message (user) attribute '{name}' is invalid. You must use only the \
             following supported type prefixes: Binary, Number, String."
        )));
    }
    if value_of(attribute).1.is_empty() {
        return Err(invalid(format!(
            "Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'."
        )));
    }
    if text(attribute, "StringValue").is_none_or(|value| value.chars().all(is_allowed)) {
        Ok(())
    } else {
        Err(invalid(format!("Message (user) attribute '{name}' contains invalid characters.")))
    }
}

/// Checks a group id or a deduplication id.
pub(super) fn check_id(key: &str, id: &str) -> Result<(), Refusal> {
    if (1..=128).contains(&id.len()) && id.chars().all(|c| c.is_ascii_graphic()) {
        Ok(())
    } else {
        let reason = format!(
            "{key} can only include alphanumeric and punctuation characters. 1 to 128 in \
                 length."
        );
        Err(bad_parameter(key, id, &reason))
    }
}
