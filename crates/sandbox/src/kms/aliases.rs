//! Aliases, including those of AWS-managed keys.

use serde_json::{Value, json};

use super::super::constraints::unfit;
use super::super::toolbox::{at, here, is_name, need, text};
use super::super::{Answer, Refusal};
use super::references::{exact, pending};
use super::{Alias, MANAGED, State, alias_arn, managed_id, no_alias, paged};

/// The aliases, of one key or of all.
pub(super) fn list(state: &State, region: &str, input: &Value) -> Answer {
    let only = match text(input, "KeyId") {
        Some(reference) => Some(exact(state, region, reference)?),
        None => None,
    };
    let own = here(&state.aliases, region).map(|(name, alias)| (name.to_owned(), alias.clone()));
    let managed = MANAGED.iter().map(|service| {
        let key = managed_id(region, service);
        (format!("alias/aws/{service}"), Alias { key, ..Alias::default() })
    });
    let wanted =
        own.chain(managed).filter(|(_, alias)| only.as_ref().is_none_or(|only| *only == alias.key));
    let views = wanted.map(|(name, alias)| {
        let view = json!({
            "AliasName": name,
            "AliasArn": alias_arn(region, &name),
            "TargetKeyId": alias.key,
            "CreationDate": alias.created,
            "LastUpdatedDate": alias.updated,
        });
        (name, view)
    });
    paged("Aliases", views.collect(), input, 50)
}

fn alias_target(state: &State, region: &str, input: &Value) -> Result<String, Refusal> {
    let reference = need(input, "TargetKeyId", "ValidationException")?;
    let id = exact(state, region, reference)?;
    match state.keys.get(&at(region, &id)) {
        Some(key) if key.deletion.is_some() => Err(pending(region, &id)),
        Some(_) => Ok(id),
        None => {
            let message = "An alias cannot stand for a key that AWS manages.";
            Err(Refusal::new("NotAuthorizedException", message))
        }
    }
}

/// Creates an alias.
pub(super) fn create(state: &mut State, region: &str, input: &Value, today: f64) -> Answer {
    let name = need(input, "AliasName", "ValidationException")?;
    if !is_name(name, 1..=256, ":/_-") {
        let rule = "Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$";
        return Err(unfit("ValidationException", name, "aliasName", rule));
    }
    if name.starts_with("alias/aws/") {
        let message = "Aliases that begin with alias/aws/ are reserved.";
        return Err(Refusal::new("NotAuthorizedException", message));
    }
    if !name.starts_with("alias/") {
        let message = "Alias must start with the prefix \"alias/\". Please see \
                       https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html";
        return Err(Refusal::new("ValidationException", message));
    }
    let place = at(region, name);
    if state.aliases.contains_key(&place) {
        let arn = alias_arn(region, name);
        let message = format!("An alias with the name {arn} already exists");
        return Err(Refusal::new("AlreadyExistsException", message));
    }
    let key = alias_target(state, region, input)?;
    state.aliases.insert(place, Alias { key, created: today, updated: today });
    Ok(json!({}))
}

/// Gives an alias another key.
pub(super) fn update(state: &mut State, region: &str, input: &Value, today: f64) -> Answer {
    let name = need(input, "AliasName", "ValidationException")?;
    let key = alias_target(state, region, input)?;
    let alias = state.aliases.get_mut(&at(region, name));
    let alias = alias.ok_or_else(|| no_alias(region, name))?;
    alias.key = key;
    alias.updated = today;
    Ok(json!({}))
}
