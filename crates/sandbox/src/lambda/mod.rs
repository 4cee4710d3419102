//! The sandbox's Lambda: functions, their policies, event source mappings. `run` runs the functions.
//!
//! Quirks kept: Lambda refuses a second change during the first (`ResourceConflictException`). Code
//! and configuration are separate. A function in a VPC has network interfaces that outlive it. 100
//! concurrent calls of the account stay unreserved. Lambda does not see a new role for a while. In
//! a strict sandbox functions and event source mappings take time.

mod aliases;
mod changes;
mod concurrency;
mod functions;
mod mappings;
mod names;
mod plans;
mod policies;
mod provisioned;
mod queue;
mod settings;
mod tags;
#[cfg(test)]
mod tests;
mod versions;

pub(crate) use mappings::{Batch, batch, queues, settle_batch};
pub(crate) use plans::{Plan, plan};
pub(crate) use queue::{Waiting, enqueue, fail, is_due, put_back, take};

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shelf::{Shelf, kept, kept_whole};
use super::toolbox::{Tags, at, here, refuse};
use super::wire::rest::RestRoute;
use super::{ACCOUNT, Answer, Call, Refusal, World};

/// The state of Lambda.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Functions by region and name.
    functions: Shelf<functions::Function>,
    /// Event source mappings by region and id.
    mappings: Shelf<mappings::Mapping>,
    /// Events that wait for their function.
    waiting: Vec<Waiting>,
}

kept!(State { functions, mappings, waiting });
kept_whole!(Vec<Waiting>);

/// The operations.
pub(crate) const ROUTES: &[RestRoute] = &[
    ("GET", "/2016-08-19/account-settings", "GetAccountSettings"),
    ("POST", "/2015-03-31/functions", "CreateFunction"),
    ("GET", "/2015-03-31/functions", "ListFunctions"),
    ("POST", "/2015-03-31/functions/{FunctionName}/invocations", "Invoke"),
    ("GET", "/2015-03-31/functions/{FunctionName}", "GetFunction"),
    ("DELETE", "/2015-03-31/functions/{FunctionName}", "DeleteFunction"),
    ("PUT", "/2015-03-31/functions/{FunctionName}/code", "UpdateFunctionCode"),
    ("PUT", "/2015-03-31/functions/{FunctionName}/configuration", "UpdateFunctionConfiguration"),
    ("GET", "/2015-03-31/functions/{FunctionName}/configuration", "GetFunctionConfiguration"),
    ("POST", "/2015-03-31/functions/{FunctionName}/versions", "PublishVersion"),
    ("GET", "/2015-03-31/functions/{FunctionName}/versions", "ListVersionsByFunction"),
    ("POST", "/2015-03-31/functions/{FunctionName}/aliases", "CreateAlias"),
    ("GET", "/2015-03-31/functions/{FunctionName}/aliases", "ListAliases"),
    ("GET", "/2015-03-31/functions/{FunctionName}/aliases/{Name}", "GetAlias"),
    ("PUT", "/2015-03-31/functions/{FunctionName}/aliases/{Name}", "UpdateAlias"),
    ("DELETE", "/2015-03-31/functions/{FunctionName}/aliases/{Name}", "DeleteAlias"),
    (
        "GET",
        "/2019-09-30/functions/{FunctionName}/provisioned-concurrency?List=ALL",
        "ListProvisionedConcurrencyConfigs",
    ),
    (
        "PUT",
        "/2019-09-30/functions/{FunctionName}/provisioned-concurrency",
        "PutProvisionedConcurrencyConfig",
    ),
    (
        "GET",
        "/2019-09-30/functions/{FunctionName}/provisioned-concurrency",
        "GetProvisionedConcurrencyConfig",
    ),
    (
        "DELETE",
        "/2019-09-30/functions/{FunctionName}/provisioned-concurrency",
        "DeleteProvisionedConcurrencyConfig",
    ),
    ("GET", "/2019-09-30/functions/{FunctionName}/concurrency", "GetFunctionConcurrency"),
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

/// The concurrent calls of an account, and how many of them stay unreserved.
const CONCURRENCY: i64 = 1000;
const UNRESERVED: i64 = 100;

/// The largest request that creates a function.
pub(crate) const LARGEST_REQUEST: usize = 70_167_211;

/// The HTTP status of a successful operation.
pub(crate) fn status(operation: &str) -> u16 {
    match operation {
        "CreateFunction" | "AddPermission" | "PublishVersion" | "CreateAlias" => 201,
        "PutProvisionedConcurrencyConfig"
        | "CreateEventSourceMapping"
        | "UpdateEventSourceMapping"
        | "DeleteEventSourceMapping" => 202,
        "DeleteAlias"
        | "DeleteFunction"
        | "DeleteFunctionConcurrency"
        | "DeleteProvisionedConcurrencyConfig"
        | "RemovePermission"
        | "TagResource"
        | "UntagResource" => 204,
        _ => 200,
    }
}

/// The body of a refusal. An error of the model says whose fault it is, and has one of two names
/// for its message.
pub(crate) fn body(code: &str, message: &str) -> Value {
    let message = Some(message).filter(|message| !message.is_empty());
    match code {
        // The errors about concurrency, and about weights beside `$LATEST`, have no type.
        _ if message.is_some_and(|message| {
            let words =
                ["Specified ", " ReservedConcurrent", "$LATEST is not supported for an alias"];
            words.iter().any(|words| message.starts_with(words))
        }) =>
        {
            json!({ "message": message })
        }
        "ResourceNotFoundException" | "ResourceInUseException" => {
            json!({ "Type": "User", "Message": message })
        }
        "InvalidParameterValueException"
        | "PreconditionFailedException"
        | "ProvisionedConcurrencyConfigNotFoundException"
        | "ResourceConflictException" => json!({ "Type": "User", "message": message }),
        _ => json!({ "message": message }),
    }
}

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    let functions = || state.functions.values();
    let policies = |function: &functions::Function| {
        let versions = function.versions.values().map(|version| &version.was.policy);
        let aliases = function.aliases.values().map(|alias| &alias.policy);
        let all = [&function.policy].into_iter().chain(versions).chain(aliases);
        all.filter(|policy| !policy.is_empty()).count()
    };
    let permissions = functions().map(policies).sum();
    vec![
        ("functions", state.functions.len()),
        ("versions", functions().map(|function| function.versions.len()).sum()),
        ("aliases", functions().map(|function| function.aliases.len()).sum()),
        ("permissions", permissions),
        ("event_sources", state.mappings.len()),
    ]
}

/// The customer key of a function's variables, by the function's name or ARN.
pub(crate) fn key_of(state: &State, region: &str, function: &str) -> Option<String> {
    state.functions.get(&at(region, name_in(function)))?.seen(qualifier_in(function))?.key()
}

/// When a function became or becomes active, if it exists.
pub(crate) fn active_since(state: &State, region: &str, function: &str) -> Option<f64> {
    state.functions.get(&at(region, name_in(function))).map(functions::Function::active_since)
}

/// Whether `function:NAME:QUALIFIER` is an alias or a published version.
pub(crate) fn can_be_provisioned(state: &State, region: &str, id: &str) -> bool {
    let name = id.strip_prefix("function:").unwrap_or_default();
    let function = state.functions.get(&at(region, name_in(name)));
    let qualifier = qualifier_in(name).filter(|qualifier| *qualifier != names::LATEST);
    qualifier.is_some_and(|qualifier| {
        function.is_some_and(|function| function.version_of(Some(qualifier)).is_some())
    })
}

/// Moves the provisioned concurrency of `function:NAME:QUALIFIER` into bounds, as Application Auto
/// Scaling does at once.
pub(crate) fn keep_within(world: &mut World, region: &str, id: &str, min: i64, max: i64) {
    let name = id.strip_prefix("function:").unwrap_or_default();
    provisioned::keep_within(world, region, name_in(name), qualifier_in(name), min, max);
}

/// The error of event source mappings for a missing function.
pub(crate) fn no_such_function() -> Refusal {
    invalid("Function does not exist")
}

/// The tags of all functions and event source mappings of a region, by ARN.
pub(crate) fn all_tags<'a>(
    state: &'a State,
    region: &'a str,
) -> impl Iterator<Item = (String, Cow<'a, Tags>)> + 'a {
    let functions = here(&state.functions, region);
    let functions =
        functions.map(move |(name, one)| (function_arn(region, name), Cow::Borrowed(&one.tags)));
    let mappings = here(&state.mappings, region);
    functions.chain(
        mappings
            .map(move |(id, one)| (mappings::mapping_arn(region, id), Cow::Borrowed(&one.tags))),
    )
}

/// Whether a service may call a function for one of its objects: the function exists, and its
/// policy allows it.
pub(crate) fn may_be_called(
    state: &State,
    region: &str,
    function_arn: &str,
    service: &str,
    source: &str,
) -> bool {
    let found = state.functions.get(&at(region, name_in(function_arn)));
    found.is_some_and(|function| function.permits(qualifier_in(function_arn), service, source))
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
                "UnreservedConcurrentExecutions": concurrency::unreserved(&world.lambda, region),
            },
            "AccountUsage": {
                "TotalCodeSize": functions::total(&world.lambda, region),
                "FunctionCount": here(&world.lambda.functions, region).count(),
            },
        })),
        "CreateFunction" => changes::create(world, region, input),
        "ListFunctions" => functions::list(world, region, input),
        "GetFunction" => functions::get(world, region, input),
        "GetFunctionConfiguration" => functions::configuration(world, region, input),
        "UpdateFunctionConfiguration" => changes::configure(world, region, input),
        "UpdateFunctionCode" => changes::load(world, region, input),
        "DeleteFunction" => changes::delete(world, region, input),
        "PublishVersion" => versions::publish(world, region, input),
        "ListVersionsByFunction" => versions::list(world, region, input),
        "CreateAlias" => aliases::create(world, region, input),
        "GetAlias" => aliases::get(world, region, input),
        "UpdateAlias" => aliases::update(world, region, input),
        "DeleteAlias" => aliases::delete(world, region, input),
        "ListAliases" => aliases::list(world, region, input),
        "PutProvisionedConcurrencyConfig" => provisioned::put(world, region, input),
        "GetProvisionedConcurrencyConfig" => provisioned::get(world, region, input),
        "DeleteProvisionedConcurrencyConfig" => provisioned::delete(world, region, input),
        "ListProvisionedConcurrencyConfigs" => provisioned::list(world, region, input),
        "GetFunctionConcurrency" => concurrency::get(world, region, input),
        "PutFunctionConcurrency" => concurrency::reserve(world, region, input),
        "DeleteFunctionConcurrency" => concurrency::share(world, region, input),
        "AddPermission" => policies::add(world, region, input),
        "GetPolicy" => policies::get(world, region, input),
        "RemovePermission" => policies::remove(world, region, input),
        "CreateEventSourceMapping" => mappings::create(world, region, input),
        "ListEventSourceMappings" => mappings::list(world, region, input),
        "GetEventSourceMapping" => mappings::get(world, region, input),
        "UpdateEventSourceMapping" => mappings::update(world, region, input),
        "DeleteEventSourceMapping" => mappings::delete(world, region, input),
        "TagResource" => tags::set(world, region, input),
        "UntagResource" => tags::unset(world, region, input),
        "ListTags" => tags::list(world, region, input),
        _ => Err(Refusal::not_covered(&call.service, &call.operation)),
    }
}

/// The name of a function, given by name or by ARN.
fn name_in(reference: &str) -> &str {
    reference.split(":function:").nth(1).unwrap_or(reference).split(':').next().unwrap_or_default()
}

/// The qualifier of a function that is given by name or by ARN, if it has one.
fn qualifier_in(reference: &str) -> Option<&str> {
    let name = reference.split(":function:").nth(1).unwrap_or(reference);
    name.split_once(':').map(|(_, qualifier)| qualifier)
}

fn function_arn(region: &str, name: &str) -> String {
    format!("arn:aws:lambda:{region}:{ACCOUNT}:function:{name}")
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterValueException", message)
}

fn conflict(message: impl Into<String>) -> Refusal {
    refuse(409, "ResourceConflictException", message)
}

fn gone(message: impl Into<String>) -> Refusal {
    refuse(404, "ResourceNotFoundException", message)
}
