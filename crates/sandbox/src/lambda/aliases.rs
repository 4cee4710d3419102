//! Aliases of functions: names for a version, or for two that share the calls.
//!
//! Quirks kept: both versions have the same role and the same dead-letter target. Calls of an alias with
//! provisioned concurrency go to the version that it has left until Lambda is ready for the other one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::constraints::Broken;
use super::super::toolbox::{number, page, put, text, uuid_of};
use super::super::{Answer, Refusal, World};
use super::functions::{Function, find, is_at, missing};
use super::names::{LATEST, NAME, Named, at_most, is_alias, is_version, read_name};
use super::{conflict, gone, invalid, provisioned};

/// An alias.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Alias {
    /// The version that it names, `$LATEST` or a number.
    pub(super) version: String,
    description: String,
    /// The other version, and its part of the calls.
    weights: BTreeMap<String, f64>,
    /// The version that an alias with provisioned concurrency has left, and until when its calls still go
    /// there.
    pub(super) left: Option<(String, f64)>,
    pub(super) policy: Vec<Value>,
    /// Another one after each change.
    pub(super) revision: String,
}

impl Alias {
    /// Whether calls of the alias reach a version.
    pub(super) fn names(&self, version: &str, now: f64) -> bool {
        self.version == version || self.weights(now).contains_key(version)
    }

    /// The version that a call reaches. `draw` is from 0 up to 1.
    pub(super) fn drawn(&self, draw: f64, now: f64) -> String {
        let other = self.weights(now).into_iter().find(|(_, weight)| draw < *weight);
        other.map_or_else(|| self.version.clone(), |(version, _)| version)
    }

    /// The other version, and its part of the calls: while Lambda provides concurrency for another version,
    /// the one that the alias has left gets all.
    pub(super) fn weights(&self, now: f64) -> BTreeMap<String, f64> {
        match &self.left {
            Some((version, until)) if now < *until => BTreeMap::from([(version.clone(), 1.0)]),
            _ => self.weights.clone(),
        }
    }

    /// Makes a new revision.
    pub(super) fn revise(&mut self, now: f64) {
        self.revision = uuid_of(&format!("{}|{now}", self.revision));
    }

    fn view(&self, arn: &str, name: &str, now: f64) -> Value {
        let mut view = json!({
            "AliasArn": arn,
            "Name": name,
            "FunctionVersion": self.version,
            "Description": self.description,
            "RevisionId": self.revision,
        });
        let weights = self.weights(now);
        if !weights.is_empty() {
            view["RoutingConfig"] = json!({ "AdditionalVersionWeights": weights });
        }
        view
    }

    /// Puts what a request says into the alias, if the function has these versions.
    fn assign(
        &mut self,
        function: &Function,
        region: &str,
        name: &str,
        input: &Value,
    ) -> Result<(), Refusal> {
        if let Some(version) = text(input, "FunctionVersion") {
            self.version = version.to_owned();
        }
        if let Some(description) = text(input, "Description") {
            self.description = description.to_owned();
        }
        if let Some(weights) = weights(input) {
            self.weights = weights;
        }
        if self.weights.len() > 1 {
            return Err(invalid(
                "Number of items in AdditionalVersionWeights cannot be greater than 1",
            ));
        }
        if self.version == LATEST && !self.weights.is_empty() {
            return Err(invalid(
                "$LATEST is not supported for an alias pointing to more than 1 version",
            ));
        }
        if self.weights.contains_key(&self.version) {
            let version = &self.version;
            return Err(invalid(format!(
                "Invalid function version {version}. Function version {version} is already \
                 included in routing configuration."
            )));
        }
        for version in [&self.version].into_iter().chain(self.weights.keys()) {
            if function.version_of(Some(version)).is_none() {
                return Err(missing(&Named { name, qualifier: Some(version) }.arn(region)));
            }
        }
        let other = self.weights.keys().next();
        other.map_or(Ok(()), |other| are_alike(function, &self.version, other))
    }
}

/// Refuses two versions that cannot share the calls of an alias.
fn are_alike(function: &Function, one: &str, other: &str) -> Result<(), Refusal> {
    let of = |version: &str, key: &str| {
        let seen = function.seen(Some(version));
        seen.and_then(|seen| seen.settings.get(key).cloned()).unwrap_or_default()
    };
    let target = |version: &str| {
        let target = of(version, "DeadLetterConfig")["TargetArn"].clone();
        target.as_str().unwrap_or_default().to_owned()
    };
    if of(one, "Role") != of(other, "Role") {
        return Err(invalid("Specified versions must be associated with the same execution role"));
    }
    if target(one) != target(other) {
        return Err(invalid(
            "Specified versions must be associated with the same dead letter configuration",
        ));
    }
    Ok(())
}

/// The weights that a request gives.
fn weights(input: &Value) -> Option<BTreeMap<String, f64>> {
    let given = input.get("RoutingConfig").filter(|given| given.is_object())?;
    let weights = given.get("AdditionalVersionWeights").and_then(Value::as_object);
    let weight = |(version, weight): (&String, &Value)| {
        (version.clone(), weight.as_f64().unwrap_or_default())
    };
    Some(weights.into_iter().flatten().map(weight).collect())
}

/// Refuses what the model does not take.
fn check(input: &Value, name: &str) -> Result<(), Refusal> {
    let mut broken = Broken::default();
    if !is_alias(name) {
        let rule = "Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)";
        broken.note("name", name, rule);
    }
    if name.len() > 128 {
        broken.note("name", name, &at_most(128));
    }
    let version = text(input, "FunctionVersion");
    if let Some(version) = version.filter(|version| *version != LATEST && !is_version(version)) {
        let rule =
            r"Member must satisfy regular expression pattern: (\$LATEST(\.PUBLISHED)?|[0-9]+)";
        broken.note("functionVersion", version, rule);
    }
    let weights = weights(input).unwrap_or_default();
    let shown: Vec<String> =
        weights.iter().map(|(version, weight)| format!("{version}={weight:?}")).collect();
    let shown = format!("{{{}}}", shown.join(", "));
    let member = "routingConfig.additionalVersionWeights";
    if !weights.keys().all(|version| is_version(version)) {
        let rule = "Map keys must satisfy constraint: [Member must have length less than or equal \
                    to 1024, Member must have length greater than or equal to 1, Member must \
                    satisfy regular expression pattern: [0-9]+]";
        broken.note(member, &shown, rule);
    }
    if !weights.values().all(|weight| (0.0..=1.0).contains(weight)) {
        let rule = "Map value must satisfy constraint: [Member must have value less than or equal \
                    to 1.0, Member must have value greater than or equal to 0.0, Member must not \
                    be null]";
        broken.note(member, &shown, rule);
    }
    broken.refuse()
}

fn alias_name(input: &Value) -> &str {
    text(input, "Name").unwrap_or_default()
}

pub(super) fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let (now, alias) = (world.base.now(), alias_name(input));
    check(input, alias)?;
    let Named { name, .. } = read_name(region, input, &NAME)?;
    let version = text(input, "FunctionVersion").unwrap_or_default();
    let target = Named { name, qualifier: Some(version) };
    let function = find(world, region, &Named { name, qualifier: None });
    let function = function.map_err(|_| missing(&target.arn(region)))?;
    if function.version_of(Some(version)).is_none() {
        return Err(missing(&target.arn(region)));
    }
    let arn = Named { name, qualifier: Some(alias) }.arn(region);
    if function.aliases.contains_key(alias) {
        return Err(conflict(format!("Alias already exists: {arn}")));
    }
    let mut made = Alias { revision: arn.clone(), ..Alias::default() };
    made.assign(function, region, name, input)?;
    made.revise(now);
    let view = made.view(&arn, alias, now);
    function.aliases.insert(alias.to_owned(), made);
    Ok(view)
}

/// The function of a request, and its name.
fn of<'a, 'b>(
    world: &'a mut World,
    region: &str,
    input: &'b Value,
) -> Result<(&'b str, &'a mut Function), Refusal> {
    let Named { name, .. } = read_name(region, input, &NAME)?;
    Ok((name, find(world, region, &Named { name, qualifier: None })?))
}

pub(super) fn get(world: &mut World, region: &str, input: &Value) -> Answer {
    let now = world.base.now();
    let alias = alias_name(input);
    let (name, function) = of(world, region, input)?;
    let arn = Named { name, qualifier: Some(alias) }.arn(region);
    let found = function.aliases.get(alias);
    let found = found.ok_or_else(|| gone(format!("Cannot find alias arn: {arn}")))?;
    Ok(found.view(&arn, alias, now))
}

pub(super) fn update(world: &mut World, region: &str, input: &Value) -> Answer {
    let (now, alias) = (world.base.now(), alias_name(input));
    let takes = provisioned::time(world);
    check(input, alias)?;
    let (name, function) = of(world, region, input)?;
    let arn = Named { name, qualifier: Some(alias) }.arn(region);
    let mut changed = function
        .aliases
        .get(alias)
        .cloned()
        .ok_or_else(|| gone(format!("Alias not found: {arn}")))?;
    is_at(input, &changed.revision, "GetFunction/GetAlias")?;
    let before = changed.version.clone();
    changed.assign(function, region, name, input)?;
    if text(input, "FunctionVersion").is_some() || weights(input).is_some() {
        changed.left = None;
    }
    if changed.version != before && function.provisioned.contains_key(alias) {
        provisioned::is_free(function, alias, &changed.version)?;
        changed.left = Some((before, now + takes));
        provisioned::again(function, alias, now + takes);
    }
    changed.revise(now);
    let view = changed.view(&arn, alias, now);
    function.aliases.insert(alias.to_owned(), changed);
    Ok(view)
}

/// Deletes an alias with its policy and its provisioned concurrency. A missing one is as good as
/// deleted.
pub(super) fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let alias = alias_name(input);
    let (_, function) = of(world, region, input)?;
    function.aliases.remove(alias);
    function.provisioned.remove(alias);
    Ok(Value::Null)
}

pub(super) fn list(world: &mut World, region: &str, input: &Value) -> Answer {
    let now = world.base.now();
    let (name, function) = of(world, region, input)?;
    let version = text(input, "FunctionVersion");
    let here = function
        .aliases
        .iter()
        .filter(|(_, one)| version.is_none_or(|version| one.version == version));
    let all = here.map(|(alias, one)| {
        let arn = Named { name, qualifier: Some(alias) }.arn(region);
        (alias.clone(), one.view(&arn, alias, now))
    });
    let limit = number(input, "MaxItems").unwrap_or(50).clamp(1, 50) as usize;
    let (aliases, next) = page(all.collect(), text(input, "Marker"), limit);
    let mut answer = json!({ "Aliases": aliases });
    put(&mut answer, "NextMarker", next);
    Ok(answer)
}
