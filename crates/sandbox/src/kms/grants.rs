//! Grants: permissions for a key in addition to its policy.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::references::{enabled, exact, find, wanted};
use super::{Key, State, paged};
use crate::toolbox::{at, digest, need, now, put, text, texts, uuid};
use crate::{ACCOUNT, Answer, Refusal, World};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Grant {
    id: String,
    name: Option<String>,
    grantee: String,
    retiring: Option<String>,
    operations: Vec<String>,
    constraints: Value,
    created: f64,
}

impl Grant {
    /// The token stands for the grant until all of AWS sees it.
    fn token(&self) -> String {
        digest(&format!("the token of grant {}", self.id))
    }

    fn named(&self) -> Value {
        json!({ "GrantId": self.id, "GrantToken": self.token() })
    }
}

/// Creates a grant. A repeated call with the same name and the same members returns the first
/// grant.
pub(super) fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let grantee = need(input, "GranteePrincipal", "ValidationException")?;
    let made = Grant {
        id: digest(&uuid(&mut world.base)),
        name: text(input, "Name").map(str::to_owned),
        grantee: grantee.to_owned(),
        retiring: text(input, "RetiringPrincipal").map(str::to_owned),
        operations: texts(input, "Operations"),
        constraints: input.get("Constraints").cloned().unwrap_or_default(),
        created: now(&world.base),
    };
    let key = enabled(&mut world.kms, region, input)?;
    let says = |one: &Grant| {
        let Grant { name, grantee, retiring, operations, constraints, .. } = one.clone();
        (name, grantee, retiring, operations, constraints)
    };
    let same = |known: &&Grant| known.name.is_some() && says(known) == says(&made);
    if let Some(known) = key.grants.iter().find(same) {
        return Ok(known.named());
    }
    let answer = made.named();
    key.grants.push(made);
    Ok(answer)
}

/// The grants of a key.
pub(super) fn list(state: &State, region: &str, input: &Value) -> Answer {
    let id = exact(state, region, wanted(input)?)?;
    let (grant, grantee) = (text(input, "GrantId"), text(input, "GranteePrincipal"));
    let key = state.keys.get(&at(region, &id));
    let grants = key.map(|key| key.grants.as_slice()).unwrap_or_default().iter();
    let fitting = grants.filter(|one| {
        grant.is_none_or(|id| one.id == id) && grantee.is_none_or(|who| one.grantee == who)
    });
    let views = fitting.map(|one| {
        let mut view = json!({
            "KeyId": super::key_arn(region, &id),
            "GrantId": one.id,
            "Name": one.name.as_deref().unwrap_or_default(),
            "CreationDate": one.created,
            "GranteePrincipal": one.grantee,
            "IssuingAccount": format!("arn:aws:iam::{ACCOUNT}:root"),
            "Operations": one.operations,
        });
        put(&mut view, "RetiringPrincipal", one.retiring.clone());
        put(&mut view, "Constraints", Some(one.constraints.clone()).filter(Value::is_object));
        (one.id.clone(), view)
    });
    paged("Grants", views.collect(), input, 50)
}

/// Revokes a grant by its id.
pub(super) fn revoke(state: &mut State, region: &str, input: &Value) -> Answer {
    let id = need(input, "GrantId", "ValidationException")?;
    end(find(state, region, input)?.1, |grant| grant.id == id, id)
}

/// Retires a grant by its token, or by its key and id.
pub(super) fn retire(state: &mut State, region: &str, input: &Value) -> Answer {
    let Some(token) = text(input, "GrantToken") else {
        return revoke(state, region, input);
    };
    let start = at(region, "");
    let mut keys = state.keys.iter_mut().filter(|(place, _)| place.starts_with(&start));
    let holds = |key: &Key| key.grants.iter().any(|grant| grant.token() == token);
    match keys.find(|(_, key)| holds(key)) {
        Some((_, mut key)) => end(&mut key, |grant| grant.token() == token, token),
        None => Err(Refusal::new("InvalidGrantTokenException", "The grant token is not valid.")),
    }
}

fn end(key: &mut Key, is_it: impl Fn(&Grant) -> bool, id: &str) -> Answer {
    let before = key.grants.len();
    key.grants.retain(|grant| !is_it(grant));
    if key.grants.len() < before {
        Ok(json!({}))
    } else {
        Err(Refusal::new("NotFoundException", format!("Grant ID {id} not found")))
    }
}
