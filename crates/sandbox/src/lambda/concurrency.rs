//! The reserved concurrency of a function.

use serde_json::{Value, json};

use super::super::toolbox::{here, number};
use super::super::{Answer, Refusal, World};
use super::functions::{Function, find};
use super::names::{LATEST, NAME, Named, read_name};
use super::{CONCURRENCY, State, UNRESERVED, invalid};

/// The unreserved concurrency of the account.
pub(super) fn unreserved(state: &State, region: &str) -> i64 {
    let reserved = here(&state.functions, region).filter_map(|(_, function)| function.reserved);
    CONCURRENCY - reserved.sum::<i64>()
}

/// The function whose concurrency a request names. A version has none.
fn whole<'a, 'b>(
    world: &'a mut World,
    region: &str,
    input: &'b Value,
) -> Result<(&'b str, &'a mut Function), Refusal> {
    let Named { name, qualifier } = read_name(region, input, &NAME)?;
    if qualifier.is_some() {
        return Err(invalid(
            "This operation is permitted on Lambda functions only. Aliases and versions do not \
             support this operation. Please specify either a function name or an unqualified \
             function ARN.",
        ));
    }
    Ok((name, find(world, region, &Named { name, qualifier: Some(LATEST) })?))
}

pub(super) fn reserve(world: &mut World, region: &str, input: &Value) -> Answer {
    let now = world.base.now();
    let free = unreserved(&world.lambda, region);
    let wanted = number(input, "ReservedConcurrentExecutions").unwrap_or_default();
    let (name, function) = whole(world, region, input)?;
    function.at_rest(region, name, now)?;
    if free + function.reserved.unwrap_or_default() - wanted < UNRESERVED {
        return Err(invalid(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's \
             UnreservedConcurrentExecution below its minimum value of [{UNRESERVED}]."
        )));
    }
    function.reserved = Some(wanted);
    Ok(json!({ "ReservedConcurrentExecutions": wanted }))
}

pub(super) fn share(world: &mut World, region: &str, input: &Value) -> Answer {
    let (_, function) = whole(world, region, input)?;
    function.reserved = None;
    Ok(Value::Null)
}
