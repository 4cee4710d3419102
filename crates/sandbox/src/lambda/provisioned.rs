//! Provisioned concurrency: how many calls a version or an alias is always ready for.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::constraints::Broken;
use super::super::toolbox::{iso, number, page, put as set, refuse, text};
use super::super::{Answer, Refusal, World};
use super::functions::{Function, find, missing};
use super::names::{LATEST, NAMESPACED, Named, is_alias, read_name};
use super::{UNRESERVED, concurrency, conflict, gone, invalid};

/// The provisioned concurrency of a version or an alias.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Provisioned {
    requested: i64,
    modified: f64,
    /// When all of it is there.
    ready: f64,
}

/// How long a strict sandbox takes to provide it, in seconds.
const TIME: f64 = 90.0;

impl Provisioned {
    fn view(&self, now: f64) -> Value {
        let is_ready = now >= self.ready;
        let there = if is_ready { self.requested } else { 0 };
        json!({
            "RequestedProvisionedConcurrentExecutions": self.requested,
            "AvailableProvisionedConcurrentExecutions": there,
            "AllocatedProvisionedConcurrentExecutions": there,
            "Status": if is_ready { "READY" } else { "IN_PROGRESS" },
            "LastModified": iso(self.modified).replace('Z', "+0000"),
        })
    }
}

/// How long it takes in this sandbox, in seconds.
pub(super) fn time(world: &World) -> f64 {
    if world.base.strict { TIME } else { 0.0 }
}

/// Begins to provide it again, for another version.
pub(super) fn again(function: &mut Function, qualifier: &str, ready: f64) {
    if let Some(one) = function.provisioned.get_mut(qualifier) {
        one.ready = ready;
    }
}

/// Refuses it for an alias of a version that has some already, itself or by another alias.
pub(super) fn is_free(function: &Function, alias: &str, version: &str) -> Result<(), Refusal> {
    let taken = function
        .provisioned
        .keys()
        .filter(|other| *other != alias)
        .any(|other| function.version_of(Some(other)).as_deref() == Some(version));
    if taken {
        return Err(conflict(
            "Alias can't be used for Provisioned Concurrency configuration on an already \
             Provisioned version",
        ));
    }
    Ok(())
}

/// How much of it a function has.
pub(super) fn total(function: &Function) -> i64 {
    function.provisioned.values().map(|one| one.requested).sum()
}

/// The function of a request, with the version or the alias that the request names.
fn of<'a, 'b>(
    world: &'a mut World,
    region: &str,
    input: &'b Value,
    unpublished: &str,
) -> Result<(&'b str, &'a mut Function), Refusal> {
    let named = read_name(region, input, &NAMESPACED)?;
    let qualifier = named.qualifier.filter(|qualifier| *qualifier != LATEST);
    let Some(qualifier) = qualifier else { return Err(invalid(unpublished)) };
    let function = find(world, region, &Named { qualifier: None, ..named }).ok();
    let found = function.filter(|function| function.version_of(Some(qualifier)).is_some());
    let found = found.ok_or_else(|| {
        let arn = named.arn(region);
        if is_alias(qualifier) {
            gone(format!("Cannot find alias arn: {arn}"))
        } else {
            missing(&arn)
        }
    })?;
    Ok((qualifier, found))
}

const UNPUBLISHED: &str = "The function resource provided must be an alias or a published version.";

pub(super) fn put(world: &mut World, region: &str, input: &Value) -> Answer {
    let wanted = number(input, "ProvisionedConcurrentExecutions").unwrap_or_default();
    let mut broken = Broken::default();
    if wanted < 1 {
        let rule = "Member must have value greater than or equal to 1";
        broken.note("provisionedConcurrentExecutions", wanted, rule);
    }
    broken.refuse()?;
    let now = world.base.now();
    let free = concurrency::unreserved(&world.lambda, region);
    let takes = time(world);
    let unpublished =
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions.";
    let (qualifier, function) = of(world, region, input, unpublished)?;
    let old = function.provisioned.get(qualifier).map_or(0, |old| old.requested);
    match function.reserved {
        Some(reserved) if reserved < total(function) - old + wanted => {
            return Err(invalid(
                "Requested Provisioned Concurrency should not be greater than the \
                 reservedConcurrentExecution for function",
            ));
        }
        Some(_) => {}
        None if wanted > free + old => {
            return Err(invalid(format!(
                "Specified ConcurrentExecutions for function is greater than account's unreserved \
                 concurrency [{}].",
                free + old
            )));
        }
        None if free + old - wanted < UNRESERVED => {
            return Err(invalid(format!(
                "Specified ConcurrentExecutions for function decreases account's \
                 UnreservedConcurrentExecution below its minimum value of [{UNRESERVED}]."
            )));
        }
        None => {}
    }
    if is_alias(qualifier) {
        let version = function.version_of(Some(qualifier)).unwrap_or_default();
        is_free(function, qualifier, &version)?;
        if function.aliases.get(qualifier).is_some_and(|alias| !alias.weights(now).is_empty()) {
            return Err(invalid("Alias with weights can not be used with Provisioned Concurrency"));
        }
    } else if function.provisioned.keys().any(|other| {
        is_alias(other) && function.version_of(Some(other)).as_deref() == Some(qualifier)
    }) {
        return Err(conflict("Version is pointed by a Provisioned Concurrency alias"));
    }
    let made = Provisioned { requested: wanted, modified: now.floor(), ready: now + takes };
    // AWS always answers that it has begun.
    let view = made.view(f64::NEG_INFINITY);
    function.provisioned.insert(qualifier.to_owned(), made);
    Ok(view)
}

/// Moves the number of a qualifier into bounds. What Lambda refuses stays as it is.
pub(super) fn keep_within(
    world: &mut World,
    region: &str,
    name: &str,
    qualifier: Option<&str>,
    min: i64,
    max: i64,
) {
    let function = find(world, region, &Named { name, qualifier: None }).ok();
    let old = function.zip(qualifier).and_then(|(function, qualifier)| {
        function.provisioned.get(qualifier).map(|one| one.requested)
    });
    let wanted = old.unwrap_or_default().clamp(min, max);
    if old.unwrap_or_default() != wanted {
        let input = json!({
            "FunctionName": name, "Qualifier": qualifier,
            "ProvisionedConcurrentExecutions": wanted,
        });
        let _refused = put(world, region, &input);
    }
}

pub(super) fn get(world: &mut World, region: &str, input: &Value) -> Answer {
    let now = world.base.now();
    let (qualifier, function) = of(world, region, input, UNPUBLISHED)?;
    let found = function.provisioned.get(qualifier).map(|one| one.view(now));
    found.ok_or_else(|| {
        let message = "No Provisioned Concurrency Config found for this function";
        refuse(404, "ProvisionedConcurrencyConfigNotFoundException", message)
    })
}

/// A missing configuration is as good as deleted.
pub(super) fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let (qualifier, function) = of(world, region, input, UNPUBLISHED)?;
    function.provisioned.remove(qualifier);
    if let Some(alias) = function.aliases.get_mut(qualifier) {
        alias.left = None;
    }
    Ok(Value::Null)
}

pub(super) fn list(world: &mut World, region: &str, input: &Value) -> Answer {
    let now = world.base.now();
    let Named { name, .. } = read_name(region, input, &NAMESPACED)?;
    let function = find(world, region, &Named { name, qualifier: None })?;
    let all = function.provisioned.iter().map(|(qualifier, one)| {
        let mut view = one.view(now);
        view["FunctionArn"] = json!(Named { name, qualifier: Some(qualifier) }.arn(region));
        (qualifier.clone(), view)
    });
    let limit = number(input, "MaxItems").unwrap_or(50).clamp(1, 50) as usize;
    let (configs, next) = page(all.collect(), text(input, "Marker"), limit);
    let mut answer = json!({ "ProvisionedConcurrencyConfigs": configs });
    set(&mut answer, "NextMarker", next);
    Ok(answer)
}
