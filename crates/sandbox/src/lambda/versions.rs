//! Published versions of functions, and what a qualifier of a function means.
//!
//! A version is the function as it was when it was published. Nothing of it changes later, apart
//! from its policy.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::constraints::Broken;
use super::super::toolbox::{number, page, put, text};
use super::super::{Answer, Refusal, World};
use super::functions::{Function, find, in_list, missing};
use super::names::{LATEST, NAME, NAMESPACED, Named, at_most, is_version, read_name};
use super::{conflict, invalid};

/// A published version.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Version {
    /// The function at that time, with the policy and the revision of the version.
    pub(super) was: Function,
    /// The description of the function at that time. The version may have another.
    described: Value,
}

const DESCRIPTION: &str = "Description";

impl Function {
    /// The version that a qualifier means: `$LATEST` or a number.
    pub(super) fn version_of(&self, qualifier: Option<&str>) -> Option<String> {
        match qualifier {
            None | Some(LATEST) => Some(LATEST.to_owned()),
            Some(number) if is_version(number) => self.version(number).map(|_| number.to_owned()),
            Some(alias) => self.aliases.get(alias).map(|alias| alias.version.clone()),
        }
    }

    fn version(&self, number: &str) -> Option<&Version> {
        self.versions.get(&number.parse().ok()?)
    }

    /// The function as a qualifier shows it.
    pub(super) fn seen(&self, qualifier: Option<&str>) -> Option<&Function> {
        match self.version_of(qualifier)?.as_str() {
            LATEST => Some(self),
            number => self.version(number).map(|version| &version.was),
        }
    }

    /// The version that a call of a qualifier runs, and the function as it was then. `draw`, from 0 up
    /// to 1, chooses among the versions of an alias.
    pub(super) fn drawn(
        &self,
        qualifier: Option<&str>,
        draw: f64,
        now: f64,
    ) -> Option<(String, &Function)> {
        let alias = qualifier.and_then(|qualifier| self.aliases.get(qualifier));
        let version = match alias {
            Some(alias) => alias.drawn(draw, now),
            None => self.version_of(qualifier)?,
        };
        let seen = self.seen(Some(&version))?;
        Some((version, seen))
    }

    /// The description of what a qualifier means.
    pub(super) fn view_of(&self, region: &str, named: &Named<'_>, now: f64) -> Option<Value> {
        let seen = self.seen(named.qualifier)?;
        let mut view = seen.view(region, named, seen.doing(now));
        view["Version"] = json!(self.version_of(named.qualifier)?);
        Some(view)
    }

    /// Whether nothing has changed since the last version.
    fn is_like(&self, last: &Version) -> bool {
        let mut settings = last.was.settings.clone();
        settings.insert(DESCRIPTION.to_owned(), last.described.clone());
        settings == self.settings && last.was.digest == self.digest
    }

    /// Publishes a version if something has changed; the number of the last version.
    pub(super) fn publish(&mut self, description: Option<&str>, now: f64) -> u64 {
        if self.versions.get(&self.published).is_some_and(|last| self.is_like(last)) {
            return self.published;
        }
        let mut was = Self {
            settings: self.settings.clone(),
            digest: self.digest.clone(),
            size: self.size,
            package: self.package.clone(),
            modified: now.floor(),
            revision: self.revision.clone(),
            pending: self.pending.max(self.changing),
            ..Self::default()
        };
        let described = was.settings.get(DESCRIPTION).cloned().unwrap_or_default();
        if let Some(description) = description {
            was.settings.insert(DESCRIPTION.to_owned(), json!(description));
        }
        self.published += 1;
        was.revise(self.published as f64);
        self.versions.insert(self.published, Version { was, described });
        self.published
    }
}

/// What a request names, as its qualifier shows it.
pub(super) fn seen<'a>(
    world: &'a mut World,
    region: &str,
    named: &Named<'_>,
) -> Result<&'a Function, Refusal> {
    let function = find(world, region, &Named { qualifier: None, ..*named });
    let seen = function.ok().and_then(|function| function.seen(named.qualifier));
    seen.ok_or_else(|| missing(&named.arn(region)))
}

pub(super) fn publish(world: &mut World, region: &str, input: &Value) -> Answer {
    let description = text(input, DESCRIPTION);
    let mut broken = Broken::default();
    if let Some(text) = description.filter(|text| text.chars().count() > 256) {
        broken.note("description", text, &at_most(256));
    }
    broken.refuse()?;
    let now = world.base.now();
    let Named { name, .. } = read_name(region, input, &NAME)?;
    let function = find(world, region, &Named { name, qualifier: None })?;
    function.at_rest(region, name, now)?;
    function.is_at(input, now, "GetFunction/GetAlias")?;
    let digest = &function.digest;
    if let Some(wanted) = text(input, "CodeSha256").filter(|wanted| wanted != digest) {
        return Err(invalid(format!(
            "CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST ({digest}). \
             Please try again with the CodeSHA256 in $LATEST."
        )));
    }
    let number = function.publish(description.filter(|text| !text.is_empty()), now).to_string();
    let named = Named { name, qualifier: Some(&number) };
    function.view_of(region, &named, now).ok_or_else(|| missing(&named.arn(region)))
}

/// The versions of a function, from `$LATEST` on, as a list shows them.
pub(super) fn all(function: &Function, region: &str, name: &str, now: f64) -> Vec<Value> {
    let numbers = function.versions.keys().map(u64::to_string);
    let every = [LATEST.to_owned()].into_iter().chain(numbers);
    let view = |version: String| {
        let named = Named { name, qualifier: Some(&version) };
        function.view_of(region, &named, now).map(in_list)
    };
    every.filter_map(view).collect()
}

pub(super) fn list(world: &mut World, region: &str, input: &Value) -> Answer {
    let now = world.base.now();
    let Named { name, .. } = read_name(region, input, &NAMESPACED)?;
    let function = find(world, region, &Named { name, qualifier: None })?;
    let all = all(function, region, name, now).into_iter().map(|view| {
        let number: u64 = text(&view, "Version").unwrap_or_default().parse().unwrap_or_default();
        (format!("{number:020}"), view)
    });
    let limit = number(input, "MaxItems").unwrap_or(50).clamp(1, 50) as usize;
    let (versions, next) = page(all.collect(), text(input, "Marker"), limit);
    let mut answer = json!({ "Versions": versions });
    put(&mut answer, "NextMarker", next);
    Ok(answer)
}

/// Deletes a version that no alias names. A missing one is as good as deleted.
pub(super) fn delete(function: &mut Function, number: &str, now: f64) -> Result<(), Refusal> {
    let users = function.aliases.iter().filter(|(_, alias)| alias.names(number, now));
    let users: Vec<&str> = users.map(|(name, _)| name.as_str()).collect();
    if !users.is_empty() {
        return Err(conflict(format!(
            "Unable to delete version because the following aliases reference it: [{}]",
            users.join(", ")
        )));
    }
    if let Ok(number) = number.parse() {
        function.versions.remove(&number);
    }
    function.provisioned.remove(number);
    Ok(())
}
