//! References to a key: its id, its ARN, and often an alias.

use serde_json::Value;

use super::{Key, MANAGED, State, alias_arn, key_arn, managed, managed_id, no_alias};
use crate::Refusal;
use crate::toolbox::{at, need};

pub(super) fn wanted(input: &Value) -> Result<&str, Refusal> {
    need(input, "KeyId", "ValidationException")
}

/// The id of an existing key, from an id or an ARN.
pub(super) fn exact(state: &State, region: &str, reference: &str) -> Result<String, Refusal> {
    let missing = |message: String| Err(Refusal::new("NotFoundException", message));
    let parts: Vec<&str> = reference.splitn(6, ':').collect();
    let id = match parts[..] {
        ["arn", _, "kms", there, ..] if there != region => {
            return missing(format!("Invalid arn {there}"));
        }
        _ => reference.strip_prefix(&key_arn(region, "")).unwrap_or(reference),
    };
    if !is_id(id) {
        return missing(format!("Invalid keyId '{id}'"));
    }
    let known = state.keys.contains_key(&at(region, id));
    if known || managed(region, id).is_some() {
        Ok(id.to_owned())
    } else {
        missing(format!("Key '{}' does not exist", key_arn(region, id)))
    }
}

/// Whether a text has the form of a key's id: a UUID, or `mrk-` and the 32 digits of one.
pub(super) fn is_id(text: &str) -> bool {
    let hex =
        |part: &str, length| part.len() == length && part.chars().all(|c| c.is_ascii_hexdigit());
    match text.strip_prefix("mrk-") {
        Some(rest) => hex(rest, 32),
        None => {
            let parts: Vec<&str> = text.split('-').collect();
            let lengths = [8, 4, 4, 4, 12];
            parts.len() == 5
                && parts.into_iter().zip(lengths).all(|(part, length)| hex(part, length))
        }
    }
}

/// The id of an existing key, from any form of reference.
pub(super) fn resolve(state: &State, region: &str, reference: &str) -> Result<String, Refusal> {
    let name = reference.strip_prefix(&alias_arn(region, "")).unwrap_or(reference);
    if !name.starts_with("alias/") {
        return exact(state, region, reference);
    }
    if let Some(service) = name.strip_prefix("alias/aws/")
        && MANAGED.contains(&service)
    {
        return Ok(managed_id(region, service));
    }
    let alias = state.aliases.get(&at(region, name));
    alias.map(|alias| alias.key.clone()).ok_or_else(|| no_alias(region, name))
}

/// A customer key, for a change.
pub(super) fn find<'a>(
    state: &'a mut State,
    region: &str,
    input: &Value,
) -> Result<(String, &'a mut Key), Refusal> {
    let id = exact(state, region, wanted(input)?)?;
    match state.keys.get_mut(&at(region, &id)) {
        Some(key) => Ok((id, key)),
        None => Err(Refusal::new(
            "AccessDeniedException",
            format!("{} is managed by AWS and cannot be changed.", key_arn(region, &id)),
        )),
    }
}

/// A customer key that does not wait for its deletion.
pub(super) fn kept<'a>(
    state: &'a mut State,
    region: &str,
    input: &Value,
) -> Result<(String, &'a mut Key), Refusal> {
    match find(state, region, input)? {
        (id, key) if key.deletion.is_some() => Err(pending(region, &id)),
        found => Ok(found),
    }
}

pub(super) fn pending(region: &str, id: &str) -> Refusal {
    let message = format!("{} is pending deletion.", key_arn(region, id));
    Refusal::new("KMSInvalidStateException", message)
}

pub(super) fn enabled<'a>(
    state: &'a mut State,
    region: &str,
    input: &Value,
) -> Result<&'a mut Key, Refusal> {
    match kept(state, region, input)? {
        (id, key) if key.disabled => {
            let message = format!("{} is disabled.", key_arn(region, &id));
            Err(Refusal::new("DisabledException", message))
        }
        (_, key) => Ok(key),
    }
}
