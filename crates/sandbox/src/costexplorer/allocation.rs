//! Cost allocation tags: keys by which costs can be told apart, once they are active.
//!
//! Quirks kept: AWS knows a key once a resource that costs something carries it. Costs before the
//! activation do not have the tag.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{iso, list as members, need, now, page, put, text, texts, within};
use super::super::{Answer, Base, Refusal};
use super::{INVALID, State};

/// A tag key.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Tag {
    is_active: bool,
    /// When it was last activated or deactivated.
    updated: Option<String>,
}

const ACTIVE: &str = "Active";
const INACTIVE: &str = "Inactive";

/// Makes a key known. It is active since a day, or not at all.
pub(crate) fn set(state: &mut State, key: &str, since: Option<&str>) {
    let updated = since.map(|day| format!("{day}T00:00:00Z"));
    state.allocation.insert(key.to_owned(), Tag { is_active: since.is_some(), updated });
}

/// Whether costs can be told apart by a key.
pub(super) fn is_active(state: &State, key: &str) -> bool {
    state.allocation.get(key).is_some_and(|tag| tag.is_active)
}

/// The known keys.
pub(super) fn list(state: &State, input: &Value) -> Answer {
    let (keys, status) = (texts(input, "TagKeys"), text(input, "Status"));
    let word = |tag: &Tag| if tag.is_active { ACTIVE } else { INACTIVE };
    let found = state.allocation.iter().filter(|(key, tag)| {
        (keys.is_empty() || keys.contains(key)) && status.is_none_or(|status| status == word(tag))
    });
    let shown = found.map(|(key, tag)| {
        let mut one = json!({ "TagKey": key, "Type": "UserDefined", "Status": word(tag) });
        put(&mut one, "LastUpdatedDate", tag.updated.clone());
        (key.clone(), one)
    });
    let limit = within(input, "MaxResults", 1..=1000, INVALID)?.unwrap_or(100);
    let (shown, next) = page(shown.collect(), text(input, "NextToken"), limit as usize);
    let mut answer = json!({ "CostAllocationTags": shown });
    put(&mut answer, "NextToken", next);
    Ok(answer)
}

/// Activates and deactivates keys. An unknown key is an error in the answer.
pub(super) fn update(state: &mut State, base: &Base, input: &Value) -> Answer {
    let given = members(input, "CostAllocationTagsStatus");
    if given.is_empty() || given.len() > 20 {
        let message = "CostAllocationTagsStatus must have 1 to 20 members";
        return Err(Refusal::new(INVALID, message));
    }
    let mut errors = Vec::new();
    for one in given {
        let (key, status) = (need(one, "TagKey", INVALID)?, need(one, "Status", INVALID)?);
        if ![ACTIVE, INACTIVE].contains(&status) {
            return Err(Refusal::new(INVALID, "Status must be Active or Inactive"));
        }
        match state.allocation.get_mut(key) {
            Some(tag) => {
                tag.is_active = status == ACTIVE;
                tag.updated = Some(iso(now(base)));
            }
            None => errors.push(json!({
                "TagKey": key, "Code": "TagKeysNotFound", "Message": "Tag keys not found",
            })),
        }
    }
    Ok(json!({ "Errors": errors }))
}
