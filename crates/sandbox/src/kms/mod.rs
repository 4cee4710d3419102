//! The sandbox's KMS: customer keys, aliases, and the keys that AWS manages.
//!
//! Quirks kept: A deleted key stays listed with its tags until its waiting period ends. So do its
//! aliases, which block their names. KMS refuses a policy that would lock out all users. The
//! AWS-managed keys are in all lists.

mod aliases;
mod grants;
mod policy;
mod references;
mod tags;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::references::{enabled, exact, find, kept, resolve, wanted};
use self::tags::TAG;
use super::shelf::{Shelf, kept};
use super::toolbox::{
    Tags, at, digest, flag, here, need, now, number, page, put, remove_tags, tag_pairs, text,
    texts, uuid, uuid_of, within,
};
use super::{ACCOUNT, Answer, Call, Refusal, World};

/// The state of KMS.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Keys by region and id.
    keys: Shelf<Key>,
    /// Aliases by region and name.
    aliases: Shelf<Alias>,
}

kept!(State { keys, aliases });

/// A customer key.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Key {
    created: f64,
    description: String,
    disabled: bool,
    /// When AWS deletes it.
    deletion: Option<f64>,
    policy: String,
    /// The rotation period in days.
    rotation: Option<i64>,
    tags: Tags,
    /// Whether other regions may have replicas. The id of such a key begins with `mrk-`.
    multi_region: bool,
    grants: Vec<grants::Grant>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Alias {
    key: String,
    created: f64,
    updated: f64,
}

/// The services whose keys AWS manages.
const MANAGED: &[&str] = &["dynamodb", "rds", "s3", "secretsmanager", "sns", "sqs", "ssm"];

/// The objects that the key of a service protects, in the words of its description.
fn protects(service: &str) -> &'static str {
    match service {
        "dynamodb" => "DynamoDB data",
        "rds" => "RDS database volumes",
        "s3" => "S3 objects",
        "secretsmanager" => "Secrets Manager data",
        "sns" => "SNS data",
        "sqs" => "SQS messages",
        _ => "SSM parameters",
    }
}

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    let live = state.keys.values().filter(|key| key.deletion.is_none()).count();
    vec![("keys", live), ("aliases", state.aliases.len())]
}

/// The ARN of the usable key that an id, ARN, alias or alias ARN stands for.
pub(crate) fn usable(state: &State, region: &str, reference: &str) -> Option<String> {
    let id = resolve(state, region, reference).ok()?;
    let ready = match state.keys.get(&at(region, &id)) {
        Some(key) => key.deletion.is_none() && !key.disabled,
        None => managed(region, &id).is_some(),
    };
    ready.then(|| key_arn(region, &id))
}

/// Whether the policy of a key names a service, such as `logs.eu-west-1.amazonaws.com`, or allows
/// everybody.
pub(crate) fn admits(state: &State, region: &str, arn: &str, principal: &str) -> bool {
    let id = arn.rsplit('/').next().unwrap_or(arn);
    let key = state.keys.get(&at(region, id));
    key.is_some_and(|key| key.policy.contains(principal) || policy::admits_everybody(&key.policy))
}

/// The ARN and the tags of the key that an id, ARN, alias or alias ARN stands for.
pub(crate) fn described(state: &State, region: &str, reference: &str) -> Option<(String, Tags)> {
    let id = resolve(state, region, reference).ok()?;
    let tags = state.keys.get(&at(region, &id)).map(|key| key.tags.clone());
    Some((key_arn(region, &id), tags.unwrap_or_default()))
}

/// Whether AWS manages the key with this ARN.
pub(crate) fn is_managed(region: &str, arn: &str) -> bool {
    managed(region, arn.rsplit('/').next().unwrap_or(arn)).is_some()
}

/// The tags of a region's keys, by ARN.
pub(crate) fn all_tags<'a>(
    state: &'a State,
    region: &'a str,
) -> impl Iterator<Item = (String, Cow<'a, Tags>)> + 'a {
    here(&state.keys, region).map(move |(id, key)| (key_arn(region, id), Cow::Borrowed(&key.tags)))
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    expire(world);
    let (input, region) = (&call.input, call.region.as_str());
    let today = now(&world.base);
    let state = &mut world.kms;
    match call.operation.as_str() {
        "CreateKey" => create(world, region, input),
        "DescribeKey" => {
            let id = resolve(state, region, wanted(input)?)?;
            Ok(json!({ "KeyMetadata": metadata(state, region, &id) }))
        }
        "ListKeys" => list_keys(state, region, input),
        "ListAliases" => aliases::list(state, region, input),
        "CreateAlias" => aliases::create(state, region, input, today),
        "UpdateAlias" => aliases::update(state, region, input, today),
        "DeleteAlias" => {
            let name = need(input, "AliasName", "ValidationException")?;
            let alias = state.aliases.remove(&at(region, name));
            alias.map(|_| json!({})).ok_or_else(|| no_alias(region, name))
        }
        "GetKeyPolicy" => {
            let id = exact(state, region, wanted(input)?)?;
            let policy = state.keys.get(&at(region, &id));
            let policy = policy.map_or_else(policy::default, |key| key.policy.clone());
            Ok(json!({ "Policy": policy, "PolicyName": "default" }))
        }
        "ListKeyPolicies" => {
            exact(state, region, wanted(input)?)?;
            Ok(json!({ "PolicyNames": ["default"], "Truncated": false }))
        }
        "PutKeyPolicy" => {
            let policy = policy::valid(need(input, "Policy", "ValidationException")?, input)?;
            find(state, region, input)?.1.policy = policy;
            Ok(json!({}))
        }
        "EnableKeyRotation" => enable_rotation(state, region, input),
        "DisableKeyRotation" => enabled(state, region, input)?.disable_rotation(),
        "GetKeyRotationStatus" => rotation_status(state, region, input),
        "UpdateKeyDescription" => {
            let description = text(input, "Description").unwrap_or_default();
            kept(state, region, input)?.1.description = description.to_owned();
            Ok(json!({}))
        }
        "EnableKey" | "DisableKey" => {
            kept(state, region, input)?.1.disabled = call.operation == "DisableKey";
            Ok(json!({}))
        }
        "ScheduleKeyDeletion" => schedule(state, region, input, today),
        "CancelKeyDeletion" => cancel(state, region, input),
        "TagResource" => {
            tags::add(&mut kept(state, region, input)?.1.tags, input)?;
            Ok(json!({}))
        }
        "UntagResource" => {
            remove_tags(&mut kept(state, region, input)?.1.tags, &texts(input, "TagKeys"));
            Ok(json!({}))
        }
        "ListResourceTags" => list_tags(state, region, input),
        "CreateGrant" => grants::create(world, region, input),
        "ListGrants" => grants::list(state, region, input),
        "RevokeGrant" => grants::revoke(state, region, input),
        "RetireGrant" => grants::retire(state, region, input),
        _ => Err(Refusal::not_covered(&call.service, &call.operation)),
    }
}

impl Key {
    fn state(&self) -> &'static str {
        match (self.deletion, self.disabled) {
            (Some(_), _) => "PendingDeletion",
            (None, true) => "Disabled",
            (None, false) => "Enabled",
        }
    }

    fn disable_rotation(&mut self) -> Answer {
        self.rotation = None;
        Ok(json!({}))
    }
}

/// Forgets keys whose waiting period is over.
fn expire(world: &mut World) {
    let today = now(&world.base);
    let State { keys, aliases } = &mut world.kms;
    let over = |key: &Key| key.deletion.is_some_and(|deletion| deletion < today);
    if keys.values().any(over) {
        keys.retain(|_, key| !over(key));
        aliases.retain(|place, alias| {
            let region = place.split('|').next().unwrap_or_default();
            keys.contains_key(&at(region, &alias.key))
        });
    }
}

fn key_arn(region: &str, id: &str) -> String {
    format!("arn:aws:kms:{region}:{ACCOUNT}:key/{id}")
}

fn alias_arn(region: &str, name: &str) -> String {
    format!("arn:aws:kms:{region}:{ACCOUNT}:{name}")
}

fn managed_id(region: &str, service: &str) -> String {
    uuid_of(&format!("aws-managed {service} key of {region}"))
}

/// The service whose AWS-managed key this is.
fn managed(region: &str, id: &str) -> Option<&'static str> {
    MANAGED.iter().copied().find(|service| managed_id(region, service) == id)
}

fn no_alias(region: &str, name: &str) -> Refusal {
    let arn = alias_arn(region, name);
    Refusal::new("NotFoundException", format!("Alias {arn} is not found."))
}

fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let policy = match text(input, "Policy").filter(|policy| !policy.is_empty()) {
        Some(policy) => policy::valid(policy, input)?,
        None => policy::default(),
    };
    let spec = text(input, "KeySpec").unwrap_or("SYMMETRIC_DEFAULT");
    let usage = text(input, "KeyUsage").unwrap_or("ENCRYPT_DECRYPT");
    if spec != "SYMMETRIC_DEFAULT" || usage != "ENCRYPT_DECRYPT" {
        let message = "The sandbox makes symmetric encryption keys only.";
        return Err(Refusal::new("UnsupportedOperationException", message));
    }
    let mut tags = Tags::new();
    tags::add(&mut tags, input)?;
    let multi_region = flag(input, "MultiRegion").unwrap_or(false);
    let id = match (multi_region, uuid(&mut world.base)) {
        (true, id) => format!("mrk-{}", id.replace('-', "")),
        (false, id) => id,
    };
    let key = Key {
        created: now(&world.base),
        description: text(input, "Description").unwrap_or_default().to_owned(),
        policy,
        tags,
        multi_region,
        ..Key::default()
    };
    world.kms.keys.insert(at(region, &id), key);
    Ok(json!({ "KeyMetadata": metadata(&world.kms, region, &id) }))
}

fn metadata(state: &State, region: &str, id: &str) -> Value {
    let owned = managed(region, id).map(|service| Key {
        description: format!(
            "Default key that protects my {} when no other key is defined",
            protects(service)
        ),
        ..Key::default()
    });
    let manager = if owned.is_some() { "AWS" } else { "CUSTOMER" };
    let found = state.keys.get(&at(region, id)).cloned();
    let key = found.or(owned).unwrap_or_default();
    let mut view = json!({
        "AWSAccountId": ACCOUNT,
        "KeyId": id,
        "Arn": key_arn(region, id),
        "CreationDate": key.created,
        "Enabled": key.state() == "Enabled",
        "Description": key.description,
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": key.state(),
        "Origin": "AWS_KMS",
        "KeyManager": manager,
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": key.multi_region,
        "CurrentKeyMaterialId": digest(&format!("the material of key {id}")),
    });
    if key.multi_region {
        view["MultiRegionConfiguration"] = json!({
            "MultiRegionKeyType": "PRIMARY",
            "PrimaryKey": { "Arn": key_arn(region, id), "Region": region },
            "ReplicaKeys": [],
        });
    }
    put(&mut view, "DeletionDate", key.deletion);
    view
}

fn paged(name: &str, mut items: Vec<(String, Value)>, input: &Value, usual: i64) -> Answer {
    items.sort_by(|one, other| one.0.cmp(&other.0));
    let limit = number(input, "Limit").unwrap_or(usual).clamp(1, 1000);
    let (items, next) = page(items, text(input, "Marker"), limit as usize);
    let mut answer = json!({ name: items, "Truncated": next.is_some() });
    put(&mut answer, "NextMarker", next);
    Ok(answer)
}

fn list_keys(state: &State, region: &str, input: &Value) -> Answer {
    let own = here(&state.keys, region).map(|(id, _)| id.to_owned());
    let ids = own.chain(MANAGED.iter().map(|service| managed_id(region, service)));
    let keys = ids.map(|id| {
        let key = json!({ "KeyId": id, "KeyArn": key_arn(region, &id) });
        (id, key)
    });
    paged("Keys", keys.collect(), input, 100)
}

fn enable_rotation(state: &mut State, region: &str, input: &Value) -> Answer {
    let days = within(input, "RotationPeriodInDays", 90..=2560, "ValidationException")?;
    let key = enabled(state, region, input)?;
    // A call that enables rotation again without a period keeps the old one.
    key.rotation = days.or(key.rotation).or(Some(365));
    Ok(json!({}))
}

fn rotation_status(state: &State, region: &str, input: &Value) -> Answer {
    let id = exact(state, region, wanted(input)?)?;
    let key = state.keys.get(&at(region, &id));
    // AWS rotates its managed keys every year.
    let (days, created) = key.map_or((Some(365), 0.0), |key| (key.rotation, key.created));
    let mut view = json!({ "KeyId": key_arn(region, &id), "KeyRotationEnabled": days.is_some() });
    put(&mut view, "RotationPeriodInDays", days);
    put(&mut view, "NextRotationDate", days.map(|days| created + days as f64 * 86_400.0));
    Ok(view)
}

fn schedule(state: &mut State, region: &str, input: &Value, today: f64) -> Answer {
    let days = within(input, "PendingWindowInDays", 7..=30, "ValidationException")?.unwrap_or(30);
    let (id, key) = kept(state, region, input)?;
    let deletion = today + days as f64 * 86_400.0;
    key.deletion = Some(deletion);
    Ok(json!({
        "KeyId": key_arn(region, &id),
        "DeletionDate": deletion,
        "KeyState": "PendingDeletion",
        "PendingWindowInDays": days,
    }))
}

fn cancel(state: &mut State, region: &str, input: &Value) -> Answer {
    let (id, key) = find(state, region, input)?;
    if key.deletion.take().is_none() {
        let message = format!("{} is not pending deletion.", key_arn(region, &id));
        return Err(Refusal::new("KMSInvalidStateException", message));
    }
    key.disabled = true;
    Ok(json!({ "KeyId": key_arn(region, &id) }))
}

fn list_tags(state: &State, region: &str, input: &Value) -> Answer {
    let id = exact(state, region, wanted(input)?)?;
    let key = state.keys.get(&at(region, &id));
    let tags = key.map(|key| key.tags.clone()).unwrap_or_default();
    let pairs = tag_pairs(&tags, TAG);
    paged("Tags", tags.into_keys().zip(pairs).collect(), input, 50)
}
