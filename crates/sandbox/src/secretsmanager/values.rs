//! The values of secrets and their versions.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{flag, need, now, put, text, texts, within};
use super::super::{Answer, Base, Refusal, World};
use super::{DEFAULT_KEY, INVALID, Secret, live, valid_key};

/// One version of a value.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Version {
    text: Option<String>,
    binary: Option<String>,
    pub(super) stages: BTreeSet<String>,
    created: f64,
    /// The key that encrypts it, if the secret has a customer key.
    key: Option<String>,
    /// The day of its last read.
    accessed: Option<f64>,
}

impl Version {
    /// The version in a call, if there is one, and its id.
    pub(super) fn new(input: &Value, created: f64) -> Result<Option<(String, Self)>, Refusal> {
        let text_value = text(input, "SecretString").map(str::to_owned);
        let binary = text(input, "SecretBinary").map(str::to_owned);
        if text_value.is_some() && binary.is_some() {
            let message = "You can't specify both a binary secret value and a string secret value.";
            return Err(Refusal::new(INVALID, message));
        }
        if text_value.as_ref().or(binary.as_ref()).is_some_and(|value| value.len() > 65_536) {
            return Err(Refusal::new(INVALID, "The value has more than 65536 bytes."));
        }
        if text_value.is_none() && binary.is_none() {
            return Ok(None);
        }
        let version = Self { text: text_value, binary, created, ..Self::default() };
        Ok(Some((token(input, "InvalidRequestException")?, version)))
    }

    /// Whether two versions are the same value.
    pub(super) fn holds_the_same_as(&self, other: &Self) -> bool {
        (&self.text, &self.binary) == (&other.text, &other.binary)
    }
}

impl Secret {
    /// Stores a version with stages, and removes these stages from other versions.
    pub(super) fn store(
        &mut self,
        id: &str,
        mut version: Version,
        stages: &[String],
    ) -> Result<(), Refusal> {
        if let Some(known) = self.versions.get(id) {
            return if known.holds_the_same_as(&version) {
                Ok(())
            } else {
                Err(Refusal::new(
                    "ResourceExistsException",
                    "You can't modify an existing version; use another ClientRequestToken.",
                ))
            };
        }
        if stages.iter().any(|stage| stage == "AWSCURRENT") {
            for other in self.versions.values_mut() {
                other.stages.remove("AWSPREVIOUS");
                if other.stages.remove("AWSCURRENT") {
                    other.stages.insert("AWSPREVIOUS".into());
                    // A pending version that becomes current is no longer pending.
                    other.stages.remove("AWSPENDING");
                }
            }
        }
        for other in self.versions.values_mut() {
            other.stages.retain(|stage| !stages.contains(stage));
        }
        self.changed = version.created;
        version.stages = stages.iter().cloned().collect();
        version.key = self.key.clone().filter(|key| key != DEFAULT_KEY);
        self.versions.insert(id.to_owned(), version);
        Ok(())
    }
}

/// The request token, which becomes the id of the version. A call without one is refused with this
/// code.
pub(super) fn token(input: &Value, missing: &str) -> Result<String, Refusal> {
    match text(input, "ClientRequestToken") {
        Some(token) if !(32..=64).contains(&token.len()) => {
            Err(Refusal::new(INVALID, "ClientRequestToken must be 32-64 characters long."))
        }
        Some(token) => Ok(token.to_owned()),
        None => Err(Refusal::new(
            missing,
            "You must provide a ClientRequestToken value. We recommend a UUID-type value.",
        )),
    }
}

/// The value of one version. The read is remembered by the day.
pub(super) fn get(secret: &mut Secret, base: &mut Base, input: &Value) -> Answer {
    let mut answer = secret.named();
    let stage = text(input, "VersionStage");
    let current = stage.unwrap_or("AWSCURRENT");
    let (what, found) = match text(input, "VersionId") {
        Some(id) => {
            let found = secret.versions.iter_mut().find(|(version, _)| *version == id);
            (format!("VersionId: {id}"), found)
        }
        None => {
            let found = secret.versions.iter_mut().find(|(_, one)| one.stages.contains(current));
            (format!("staging label: {current}"), found)
        }
    };
    let Some((id, version)) = found else {
        let message = format!("Secrets Manager can't find the specified secret value for {what}");
        return Err(Refusal::new("ResourceNotFoundException", message));
    };
    if stage.is_some_and(|stage| !version.stages.contains(stage)) {
        let message = "You provided a VersionStage that is not associated to the provided \
                       VersionId.";
        return Err(Refusal::new("InvalidRequestException", message));
    }
    let day = Some((base.now() / 86_400.0).floor() * 86_400.0);
    base.moved |= version.accessed != day || secret.accessed != day;
    (version.accessed, secret.accessed) = (day, day);
    answer["VersionId"] = id.as_str().into();
    answer["VersionStages"] = json!(version.stages);
    answer["CreatedDate"] = version.created.into();
    put(&mut answer, "SecretString", version.text.clone());
    put(&mut answer, "SecretBinary", version.binary.clone());
    Ok(answer)
}

/// Adds a version.
pub(super) fn put_value(world: &mut World, region: &str, input: &Value) -> Answer {
    let (id, version) = Version::new(input, now(&world.base))?.ok_or_else(|| {
        Refusal::new(INVALID, "You must provide either SecretString or SecretBinary.")
    })?;
    let mut stages = texts(input, "VersionStages");
    if stages.is_empty() {
        stages.push("AWSCURRENT".into());
    }
    let secret = live(&mut world.secretsmanager, region, input)?;
    secret.store(&id, version, &stages)?;
    let mut answer = secret.named();
    answer["VersionId"] = id.into();
    answer["VersionStages"] = json!(stages);
    Ok(answer)
}

/// Changes description, key or value.
pub(super) fn update(world: &mut World, region: &str, input: &Value) -> Answer {
    let today = now(&world.base);
    let version = Version::new(input, today)?;
    let key = valid_key(world, region, input)?;
    let secret = live(&mut world.secretsmanager, region, input)?;
    if let Some(key) = key {
        secret.key = Some(key);
    }
    if let Some(description) = text(input, "Description") {
        secret.description = Some(description.to_owned()).filter(|text| !text.is_empty());
    }
    secret.changed = today;
    let mut answer = secret.named();
    if let Some((id, version)) = version {
        secret.store(&id, version, &["AWSCURRENT".to_owned()])?;
        answer["VersionId"] = id.into();
    }
    Ok(answer)
}

/// Moves a stage from one version to another, if the first has it.
pub(super) fn move_stage(secret: &mut Secret, input: &Value) -> Answer {
    let stage = need(input, "VersionStage", INVALID)?;
    let (from, to) = (text(input, "RemoveFromVersionId"), text(input, "MoveToVersionId"));
    let mut staged = secret.versions.iter();
    let holder = staged.find(|(_, version)| version.stages.contains(stage));
    let holder = holder.map(|(id, _)| id.clone());
    if holder.as_deref() != from && (from.is_some() || holder.as_deref() != to) {
        let message = format!(
            "The parameter RemoveFromVersionId is not the version that staging label {stage} is \
             currently attached to, which is {}.",
            holder.unwrap_or_default()
        );
        return Err(Refusal::new(INVALID, message));
    }
    if let Some(unknown) = to.filter(|to| !secret.versions.contains_key(*to)) {
        let message = format!("Secrets Manager can't find the version {unknown}.");
        return Err(Refusal::new("ResourceNotFoundException", message));
    }
    if stage == "AWSCURRENT" {
        if to.is_none() {
            return Err(Refusal::new(INVALID, "AWSCURRENT can be moved, not removed."));
        }
        for version in secret.versions.values_mut() {
            version.stages.remove("AWSPREVIOUS");
        }
    }
    for (id, version) in &mut secret.versions {
        if version.stages.remove(stage) && stage == "AWSCURRENT" && Some(id.as_str()) != to {
            version.stages.insert("AWSPREVIOUS".into());
        }
        if Some(id.as_str()) == to {
            version.stages.insert(stage.to_owned());
        }
    }
    Ok(secret.named())
}

/// The versions with a stage, or all versions, oldest first.
pub(super) fn list_ids(secret: &Secret, input: &Value) -> Value {
    let all = flag(input, "IncludeDeprecated").unwrap_or(false);
    let mut versions: Vec<_> = secret.versions.iter().collect();
    versions.retain(|(_, version)| all || !version.stages.is_empty());
    versions.sort_by(|(_, one), (_, other)| one.created.total_cmp(&other.created));
    let views = versions.into_iter().map(|(id, version)| {
        let key = version.key.as_deref().unwrap_or("DefaultEncryptionKey");
        let mut view =
            json!({ "VersionId": id, "CreatedDate": version.created, "KmsKeyIds": [key] });
        put(&mut view, "LastAccessedDate", version.accessed);
        let stages = Some(json!(version.stages)).filter(|_| !version.stages.is_empty());
        put(&mut view, "VersionStages", stages);
        view
    });
    let mut answer = secret.named();
    answer["Versions"] = views.collect();
    answer
}

/// A random password with the wanted characters.
pub(super) fn random_password(input: &Value) -> Answer {
    let length = within(input, "PasswordLength", 1..=4096, INVALID)?.unwrap_or(32) as usize;
    let without = text(input, "ExcludeCharacters").unwrap_or_default();
    let types = [
        ("ExcludeLowercase", "abcdefghijklmnopqrstuvwxyz"),
        ("ExcludeUppercase", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        ("ExcludeNumbers", "0123456789"),
        ("ExcludePunctuation", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    ];
    let wanted = types.iter().filter(|(exclude, _)| !flag(input, exclude).unwrap_or(false));
    let mut sets: Vec<Vec<char>> = wanted
        .map(|(_, set)| set.chars().filter(|c| !without.contains(*c)).collect())
        .filter(|set: &Vec<char>| !set.is_empty())
        .collect();
    if sets.is_empty() {
        return Err(Refusal::new(INVALID, "No characters are left to make a password of."));
    }
    let mut all: Vec<char> = sets.concat();
    if flag(input, "IncludeSpace").unwrap_or(false) {
        all.push(' ');
    }
    if !flag(input, "RequireEachIncludedType").unwrap_or(true) || length < sets.len() {
        sets.clear();
    }
    loop {
        let password = random_text(&all, length)?;
        // The password needs one of each type. Short passwords need at most a few rounds.
        if sets.iter().all(|set| password.chars().any(|c| set.contains(&c))) {
            return Ok(json!({ "RandomPassword": password }));
        }
    }
}

fn random_text(characters: &[char], length: usize) -> Result<String, Refusal> {
    let mut bytes = vec![0; length * 2];
    getrandom::fill(&mut bytes)
        .map_err(|error| Refusal::new("InternalServiceError", error.to_string()))?;
    Ok(bytes
        .chunks(2)
        .map(|pair| {
            let number = usize::from(pair[0]) << 8 | usize::from(pair[1]);
            characters[number % characters.len()]
        })
        .collect())
}
