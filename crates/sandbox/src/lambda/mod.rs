//! The sandbox's Lambda: functions, their policies, event sources. Nothing runs here.
//!
//! Quirks kept: a second change during the first is refused (`ResourceConflictException`); code and
//! configuration are separate; a function in a VPC holds network interfaces that outlive it; the
//! account keeps 100 concurrent calls free; roles are unknown for a while. In a strict sandbox
//! functions and event sources take their time.

mod functions;
mod mappings;
mod policies;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::toolbox::{Tags, add_tags, at, here, map, refuse, remove_tags, text, texts};
use super::wire::rest::RestRoute;
use super::{ACCOUNT, Answer, Call, Refusal, World};

/// What Lambda keeps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Functions by region and name.
    functions: BTreeMap<String, functions::Function>,
    /// Event sources by region and id.
    mappings: BTreeMap<String, mappings::Mapping>,
}

/// The operations.
pub(crate) const ROUTES: &[RestRoute] = &[
    ("GET", "/2016-08-19/account-settings", "GetAccountSettings"),
    ("POST", "/2015-03-31/functions", "CreateFunction"),
    ("GET", "/2015-03-31/functions", "ListFunctions"),
    ("GET", "/2015-03-31/functions/{FunctionName}", "GetFunction"),
    ("DELETE", "/2015-03-31/functions/{FunctionName}", "DeleteFunction"),
    ("PUT", "/2015-03-31/functions/{FunctionName}/code", "UpdateFunctionCode"),
    ("PUT", "/2015-03-31/functions/{FunctionName}/configuration", "UpdateFunctionConfiguration"),
    ("GET", "/2015-03-31/functions/{FunctionName}/configuration", "GetFunctionConfiguration"),
    ("PUT", "/2017-10-31/functions/{FunctionName}/concurrency", "PutFunctionConcurrency"),
    ("DELETE", "/2017-10-31/functions/{FunctionName}/concurrency", "DeleteFunctionConcurrency"),
    ("POST", "/2015-03-31/functions/{FunctionName}/policy", "AddPermission"),
    ("GET", "/2015-03-31/functions/{FunctionName}/policy", "GetPolicy"),
    ("DELETE", "/2015-03-31/functions/{FunctionName}/policy/{StatementId}", "RemovePermission"),
    ("POST", "/2015-03-31/event-source-mappings", "CreateEventSourceMapping"),
    ("GET", "/2015-03-31/event-source-mappings", "ListEventSourceMappings"),
    ("GET", "/2015-03-31/event-source-mappings/{UUID}", "GetEventSourceMapping"),
    ("PUT", "/2015-03-31/event-source-mappings/{UUID}", "UpdateEventSourceMapping"),
    ("DELETE", "/2015-03-31/event-source-mappings/{UUID}", "DeleteEventSourceMapping"),
    ("POST", "/2017-03-31/tags/{Resource+}", "TagResource"),
    ("DELETE", "/2017-03-31/tags/{Resource+}", "UntagResource"),
    ("GET", "/2017-03-31/tags/{Resource+}", "ListTags"),
];

/// How many calls an account may run at the same time, and how many nobody may set aside.
const CONCURRENCY: i64 = 1000;
const UNRESERVED: i64 = 100;

/// The codes for a bad tag and for too many.
const TAGS: (&str, &str) = ("InvalidParameterValueException", "InvalidParameterValueException");

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    let permissions = state.functions.values().filter(|function| function.has_policy()).count();
    vec![
        ("functions", state.functions.len()),
        ("permissions", permissions),
        ("event_sources", state.mappings.len()),
    ]
}

/// The key of a function's variables, by the function's name or ARN, if it has one of its own.
pub(crate) fn key_of(state: &State, region: &str, function: &str) -> Option<String> {
    let name = function.rsplit(':').next().unwrap_or(function);
    state.functions.get(&at(region, name))?.key()
}

/// Since when a function is active, or will be, if it is there.
pub(crate) fn active_since(state: &State, region: &str, function: &str) -> Option<f64> {
    state.functions.get(&at(region, name_in(function))).map(functions::Function::active_since)
}

/// How event sources say that there is no such function.
pub(crate) fn no_such_function() -> Refusal {
    invalid("Function does not exist")
}

/// The tags of every function and event source of a region, by ARN.
pub(crate) fn all_tags<'a>(
    state: &'a State,
    region: &'a str,
) -> impl Iterator<Item = (String, Tags)> + 'a {
    let functions = here(&state.functions, region);
    let functions = functions.map(move |(name, one)| (arn(region, name), one.tags.clone()));
    let mappings = here(&state.mappings, region);
    functions
        .chain(mappings.map(move |(id, one)| (mappings::mapping_arn(region, id), one.tags.clone())))
}

/// Whether a service may call a function for one of its objects: the function is there, and its
/// policy permits it.
pub(crate) fn may_be_called(
    state: &State,
    region: &str,
    function: &str,
    service: &str,
    source: &str,
) -> bool {
    let found = state.functions.get(&at(region, name_in(function)));
    found.is_some_and(|function| function.permits(service, source))
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    let (input, region) = (&call.input, call.region.as_str());
    mappings::settle(world);
    match call.operation.as_str() {
        "GetAccountSettings" => Ok(json!({
            "AccountLimit": {
                "TotalCodeSize": 80_530_636_800_u64,
                "CodeSizeUnzipped": 262_144_000,
                "CodeSizeZipped": 52_428_800,
                "ConcurrentExecutions": CONCURRENCY,
                "UnreservedConcurrentExecutions": functions::unreserved(&world.lambda, region),
            },
            "AccountUsage": { "TotalCodeSize": 0, "FunctionCount": world.lambda.functions.len() },
        })),
        "CreateFunction" => functions::create(world, region, input),
        "ListFunctions" => functions::list(world, region, input),
        "GetFunction" => functions::get(world, region, input),
        "GetFunctionConfiguration" => functions::configuration(world, region, input),
        "UpdateFunctionConfiguration" => functions::configure(world, region, input),
        "UpdateFunctionCode" => functions::load(world, region, input),
        "DeleteFunction" => functions::delete(world, region, input),
        "PutFunctionConcurrency" => functions::reserve(world, region, input),
        "DeleteFunctionConcurrency" => functions::share(world, region, input),
        "AddPermission" => policies::add(world, region, input),
        "GetPolicy" => policies::get(world, region, input),
        "RemovePermission" => policies::remove(world, region, input),
        "CreateEventSourceMapping" => mappings::create(world, region, input),
        "ListEventSourceMappings" => mappings::list(world, region, input),
        "GetEventSourceMapping" => mappings::get(world, region, input),
        "UpdateEventSourceMapping" => mappings::update(world, region, input),
        "DeleteEventSourceMapping" => mappings::delete(world, region, input),
        "TagResource" => {
            add_tags(tagged(&mut world.lambda, region, input)?, map(input, "Tags"), TAGS)?;
            Ok(Value::Null)
        }
        "UntagResource" => {
            let keys = match text(input, "tagKeys") {
                Some(one) => vec![one.to_owned()],
                None => texts(input, "tagKeys"),
            };
            remove_tags(tagged(&mut world.lambda, region, input)?, &keys);
            Ok(Value::Null)
        }
        "ListTags" => {
            let arn = text(input, "Resource").unwrap_or_default();
            if mappings::is_going(world, region, arn) {
                return Err(gone(arn));
            }
            Ok(json!({ "Tags": tagged(&mut world.lambda, region, input)? }))
        }
        _ => Err(Refusal::not_covered(&call.service, &call.operation)),
    }
}

/// The tags of a function or an event source, by its ARN.
fn tagged<'a>(state: &'a mut State, region: &str, input: &Value) -> Result<&'a mut Tags, Refusal> {
    let arn = text(input, "Resource").unwrap_or_default();
    if let Some((_, id)) = arn.split_once(":event-source-mapping:") {
        let found = state.mappings.get_mut(&at(region, id));
        return found.map(|found| &mut found.tags).ok_or_else(|| gone(arn));
    }
    let found = state.functions.get_mut(&at(region, name_in(arn)));
    found.map(|found| &mut found.tags).ok_or_else(|| gone(arn))
}

/// The name of a function that is given by name or by ARN.
fn name_in(reference: &str) -> &str {
    reference.split(":function:").nth(1).unwrap_or(reference).split(':').next().unwrap_or_default()
}

fn arn(region: &str, name: &str) -> String {
    format!("arn:aws:lambda:{region}:{ACCOUNT}:function:{name}")
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterValueException", message)
}

fn conflict(message: impl Into<String>) -> Refusal {
    refuse(409, "ResourceConflictException", message)
}

fn gone(what: &str) -> Refusal {
    refuse(404, "ResourceNotFoundException", format!("Not found: {what}"))
}
