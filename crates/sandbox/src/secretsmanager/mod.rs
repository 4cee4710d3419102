//! The sandbox's Secrets Manager.
//!
//! Quirks kept: ARNs end in six characters that change when a secret is recreated. A secret that is
//! scheduled for deletion is hidden and blocks its name. The request token is the version id, and
//! every call that creates a version needs one, which all SDKs send. A forced deletion of a missing
//! secret succeeds.

mod rotation;
#[cfg(test)]
mod tests;
mod values;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shelf::{Shelf, kept};
use super::toolbox::{
    KEY_VALUE, Tags, add_tags, at, digest, flag, here, is_name, list, need, now, number, page, put,
    remove_tags, tag_list, tag_pairs, text, texts,
};
use super::{ACCOUNT, Answer, Call, Refusal, World, kms};

/// The state of Secrets Manager.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Secrets by region and name.
    secrets: Shelf<Secret>,
}

kept!(State { secrets });

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Secret {
    arn: String,
    name: String,
    description: Option<String>,
    key: Option<String>,
    policy: Option<String>,
    /// None until a call first tags it.
    tags: Option<Tags>,
    created: f64,
    changed: f64,
    /// The day of the last read of its value.
    accessed: Option<f64>,
    /// When a call deleted it, and when it is gone.
    deleted: Option<(f64, f64)>,
    versions: BTreeMap<String, values::Version>,
    rotation: rotation::Rotation,
}

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    let live = state.secrets.values().filter(|secret| secret.deleted.is_none()).count();
    vec![("secrets", live)]
}

/// The tags of all secrets of a region by ARN, with those whose deletion is scheduled.
pub(crate) fn all_tags<'a>(
    state: &'a State,
    region: &'a str,
) -> impl Iterator<Item = (String, Cow<'a, Tags>)> + 'a {
    here(&state.secrets, region)
        .filter_map(|(_, secret)| Some((secret.arn.clone(), Cow::Borrowed(secret.tags.as_ref()?))))
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    let (input, region) = (&call.input, call.region.as_str());
    let today = now(&world.base);
    let state = &mut world.secretsmanager;
    state.secrets.retain(|_, secret| secret.deleted.is_none_or(|(_, end)| end > today));
    match call.operation.as_str() {
        "CreateSecret" => create(world, region, input),
        "DescribeSecret" => Ok(any(state, region, input)?.describe()),
        "ListSecrets" => list_secrets(state, region, input),
        "GetSecretValue" => read(world, region, input),
        "PutSecretValue" => values::put_value(world, region, input),
        "UpdateSecret" => values::update(world, region, input),
        "UpdateSecretVersionStage" => values::move_stage(live(state, region, input)?, input),
        "RotateSecret" => {
            let token = values::token(input, INVALID)?;
            let secret = live(state, region, input)?;
            rotation::rotate(secret, &world.lambda, region, input, (token, today))
        }
        "CancelRotateSecret" => rotation::cancel(live(state, region, input)?),
        "ListSecretVersionIds" => Ok(values::list_ids(any(state, region, input)?, input)),
        "GetRandomPassword" => values::random_password(input),
        "DeleteSecret" => delete(world, region, input, today),
        "RestoreSecret" => {
            let secret = any(state, region, input)?;
            secret.deleted = None;
            Ok(secret.named())
        }
        "TagResource" => {
            let more = tag_list(input, "Tags", KEY_VALUE);
            add_tags(live(state, region, input)?.tags.get_or_insert_default(), more, TAGS)?;
            Ok(json!({}))
        }
        "UntagResource" => {
            if let Some(tags) = &mut live(state, region, input)?.tags {
                remove_tags(tags, &texts(input, "TagKeys"));
            }
            Ok(json!({}))
        }
        "GetResourcePolicy" => {
            let secret = any(state, region, input)?;
            let mut answer = secret.named();
            put(&mut answer, "ResourcePolicy", secret.policy.clone());
            Ok(answer)
        }
        "PutResourcePolicy" => {
            let secret = live(state, region, input)?;
            let policy = need(input, "ResourcePolicy", INVALID)?;
            let tree: Option<Value> = serde_json::from_str(policy).ok();
            if tree.is_none_or(|tree| tree.get("Statement").is_none()) {
                let message = "This resource policy is not a valid policy document.";
                return Err(Refusal::new("MalformedPolicyDocumentException", message));
            }
            secret.policy = Some(policy.to_owned());
            Ok(secret.named())
        }
        "DeleteResourcePolicy" => {
            let secret = live(state, region, input)?;
            secret.policy = None;
            Ok(secret.named())
        }
        _ => Err(Refusal::not_covered(&call.service, &call.operation)),
    }
}

const INVALID: &str = "InvalidParameterException";

/// The codes for a bad tag and for too many.
const TAGS: (&str, &str) = (INVALID, INVALID);

impl Secret {
    fn named(&self) -> Value {
        json!({ "ARN": self.arn, "Name": self.name })
    }

    fn describe(&self) -> Value {
        let mut view = self.named();
        view["CreatedDate"] = self.created.into();
        view["LastChangedDate"] = self.changed.into();
        put(&mut view, "Tags", self.tags.as_ref().map(|tags| tag_pairs(tags, KEY_VALUE)));
        put(&mut view, "Description", self.description.clone());
        put(&mut view, "KmsKeyId", self.key.clone().filter(|key| key != DEFAULT_KEY));
        put(&mut view, "DeletedDate", self.deleted.map(|(when, _)| when));
        put(&mut view, "LastAccessedDate", self.accessed);
        self.rotation.describe(&mut view);
        if !self.versions.is_empty() {
            view["VersionIdsToStages"] = self.stages();
        }
        view
    }

    fn stages(&self) -> Value {
        let staged = self.versions.iter().filter(|(_, version)| !version.stages.is_empty());
        staged.map(|(id, version)| (id.clone(), json!(version.stages))).collect()
    }

    fn matches(&self, key: &str, value: &str) -> bool {
        let (value, wanted) = match value.strip_prefix('!') {
            Some(value) => (value, false),
            None => (value, true),
        };
        let tags = || self.tags.iter().flatten();
        let description = self.description.as_deref().unwrap_or_default();
        let found = match key {
            "name" => self.name.starts_with(value),
            "description" => has_words(description, value),
            "tag-key" => tags().any(|(key, _)| key.starts_with(value)),
            "tag-value" => tags().any(|(_, tag)| tag.starts_with(value)),
            "all" => {
                let mut all = format!("{} {description}", self.name);
                tags().for_each(|(key, tag)| all.push_str(&format!(" {key} {tag}")));
                has_words(&all, value)
            }
            _ => false,
        };
        found == wanted
    }
}

/// Whether each word of a filter begins a word of the text, in any case.
fn has_words(text: &str, filter: &str) -> bool {
    let (text, filter) = (text.to_lowercase(), filter.to_lowercase());
    let begins = |wanted: &str| text.split_whitespace().any(|word| word.starts_with(wanted));
    filter.split_whitespace().all(begins)
}

/// Refuses a name that no secret can have.
fn valid_name(name: &str) -> Result<(), Refusal> {
    if is_name(name, 1..=512, "/_+=.@-!") {
        Ok(())
    } else {
        Err(Refusal::new(
            "ValidationException",
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the \
             following: -/_+=.@!",
        ))
    }
}

/// A secret by name, ARN, or ARN without its last characters. Deleted secrets are among them.
fn any<'a>(state: &'a mut State, region: &str, input: &Value) -> Result<&'a mut Secret, Refusal> {
    let id = need(input, "SecretId", INVALID)?;
    let place = match id.strip_prefix(&arn_start(region)) {
        Some(rest) => {
            let short = rest.len().checked_sub(7).and_then(|end| rest.get(..end));
            let whole = short.map(|name| at(region, name));
            let fits =
                |place: &String| state.secrets.get(place).is_some_and(|secret| secret.arn == id);
            whole.filter(fits).unwrap_or_else(|| at(region, rest))
        }
        None => {
            // A reference that begins like another ARN is not found.
            if !id.starts_with("arn:") {
                valid_name(id)?;
            }
            at(region, id)
        }
    };
    state.secrets.get_mut(&place).ok_or_else(|| {
        let message = "Secrets Manager can't find the specified secret.";
        Refusal::new("ResourceNotFoundException", message)
    })
}

/// A secret that is not scheduled for deletion.
fn live<'a>(state: &'a mut State, region: &str, input: &Value) -> Result<&'a mut Secret, Refusal> {
    match any(state, region, input)? {
        secret if secret.deleted.is_some() => Err(Refusal::new(
            "InvalidRequestException",
            "You can't perform this operation on the secret because it was marked for deletion.",
        )),
        secret => Ok(secret),
    }
}

/// The value of a secret, if its key is usable.
pub(crate) fn read(world: &mut World, region: &str, input: &Value) -> Answer {
    let secret = live(&mut world.secretsmanager, region, input)?;
    if secret.key.as_ref().is_some_and(|key| kms::usable(&world.kms, region, key).is_none()) {
        let message = "Secrets Manager can't decrypt the protected secret text using the provided \
                       KMS key.";
        return Err(Refusal::new("DecryptionFailure", message));
    }
    values::get(secret, &mut world.base, input)
}

/// The ARN of the secret with this name.
pub(crate) fn arn_of(state: &State, region: &str, name: &str) -> Option<String> {
    state.secrets.get(&at(region, name)).map(|secret| secret.arn.clone())
}

/// The customer key of a secret, by the secret's name or ARN.
pub(crate) fn key_of(state: &State, region: &str, id: &str) -> Option<String> {
    let named = state.secrets.get(&at(region, id));
    named.or_else(|| state.secrets.values().find(|secret| secret.arn == id))?.key.clone()
}

/// Whether a secret with this ARN exists.
pub(crate) fn exists(state: &State, arn: &str) -> bool {
    state.secrets.values().any(|secret| secret.arn == arn)
}

fn arn_start(region: &str) -> String {
    format!("arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:")
}

/// The ARN of a new secret.
fn new_arn(world: &mut World, region: &str, name: &str) -> String {
    let suffix = &digest(&world.base.id("secret"))[..6];
    format!("{}{name}-{suffix}", arn_start(region))
}

/// The key of a secret that names none. Answers leave it out.
const DEFAULT_KEY: &str = "alias/aws/secretsmanager";

/// The key that a call names for a secret, as the call spells it.
fn valid_key(world: &World, region: &str, input: &Value) -> Result<Option<String>, Refusal> {
    match text(input, "KmsKeyId").filter(|key| !key.is_empty()) {
        Some(key) if kms::usable(&world.kms, region, key).is_none() => Err(Refusal::new(
            "EncryptionFailure",
            format!("Secrets Manager can't encrypt with the KMS key {key}: it is not usable."),
        )),
        found => Ok(found.map(str::to_owned)),
    }
}

fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "Name", INVALID)?;
    valid_name(name)?;
    let place = at(region, name);
    let version = values::Version::new(input, now(&world.base))?;
    if let Some(known) = world.secretsmanager.secrets.get(&place) {
        return again(known, version.as_ref());
    }
    let key = valid_key(world, region, input)?;
    let mut tags = Tags::new();
    add_tags(&mut tags, tag_list(input, "Tags", KEY_VALUE), TAGS)?;
    let mut secret = Secret {
        arn: new_arn(world, region, name),
        name: name.to_owned(),
        description: text(input, "Description").filter(|d| !d.is_empty()).map(str::to_owned),
        key,
        tags: Some(tags).filter(|tags| !tags.is_empty()),
        created: now(&world.base),
        changed: now(&world.base),
        ..Secret::default()
    };
    let mut answer = secret.named();
    if let Some((token, version)) = version {
        secret.store(&token, version, &["AWSCURRENT".to_owned()])?;
        answer["VersionId"] = token.into();
    }
    world.secretsmanager.secrets.insert(place, secret);
    Ok(answer)
}

/// The answer to the creation of a secret that exists.
fn again(known: &Secret, version: Option<&(String, values::Version)>) -> Answer {
    if known.deleted.is_some() {
        return Err(Refusal::new(
            "InvalidRequestException",
            "You can't create this secret because a secret with this name is already scheduled \
             for deletion.",
        ));
    }
    if let Some((token, version)) = version
        && known.versions.get(token).is_some_and(|one| one.holds_the_same_as(version))
    {
        let mut answer = known.named();
        answer["VersionId"] = token.as_str().into();
        return Ok(answer);
    }
    let message = format!("The operation failed because the secret {} already exists.", known.name);
    Err(Refusal::new("ResourceExistsException", message))
}

fn list_secrets(state: &State, region: &str, input: &Value) -> Answer {
    let deleted_too = flag(input, "IncludePlannedDeletion").unwrap_or(false);
    let filters = list(input, "Filters");
    let fits = |secret: &Secret| {
        filters.iter().all(|filter| {
            let key = text(filter, "Key").unwrap_or_default();
            texts(filter, "Values").iter().any(|value| secret.matches(key, value))
        })
    };
    let found = here(&state.secrets, region)
        .filter(|(_, secret)| (deleted_too || secret.deleted.is_none()) && fits(secret));
    let entries = found.map(|(name, secret)| {
        let mut view = secret.describe();
        let stages = view.as_object_mut().and_then(|entry| entry.remove("VersionIdsToStages"));
        put(&mut view, "SecretVersionsToStages", stages);
        (name.to_owned(), view)
    });
    let limit = number(input, "MaxResults").unwrap_or(100).clamp(1, 100);
    let (entries, next) = page(entries.collect(), text(input, "NextToken"), limit as usize);
    let mut answer = json!({ "SecretList": entries });
    put(&mut answer, "NextToken", next);
    Ok(answer)
}

fn delete(world: &mut World, region: &str, input: &Value, today: f64) -> Answer {
    let force = flag(input, "ForceDeleteWithoutRecovery").unwrap_or(false);
    let window = number(input, "RecoveryWindowInDays");
    if force && window.is_some() {
        let message = "You can't use ForceDeleteWithoutRecovery in conjunction with \
                       RecoveryWindowInDays.";
        return Err(Refusal::new(INVALID, message));
    }
    let days = window.unwrap_or(30);
    if !(7..=30).contains(&days) {
        let message = "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).";
        return Err(Refusal::new(INVALID, message));
    }
    let state = &mut world.secretsmanager;
    let found = if force { any(state, region, input) } else { live(state, region, input) };
    let secret = match found {
        // AWS deletes a secret that does not exist like any other if the caller forces it.
        Err(refusal) if force && refusal.code == "ResourceNotFoundException" => {
            let name = need(input, "SecretId", INVALID)?;
            let arn = new_arn(world, region, name);
            return Ok(json!({ "ARN": arn, "Name": name, "DeletionDate": today }));
        }
        found => found?,
    };
    let end = if force { today } else { today + days as f64 * 86_400.0 };
    let mut answer = secret.named();
    answer["DeletionDate"] = end.into();
    if force {
        let place = at(region, &secret.name);
        state.secrets.remove(&place);
    } else {
        secret.deleted = Some((today, end));
    }
    Ok(answer)
}
