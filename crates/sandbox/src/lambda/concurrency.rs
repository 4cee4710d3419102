//! The reserved concurrency of a function.

use serde_json::{Value, json};

use super::super::toolbox::{here, number};
use super::super::{Answer, Refusal, World};
use super::functions::{Function, find};
use super::names::{LATEST, NAME, Named, read_name};
use super::{CONCURRENCY, State, UNRESERVED, invalid, provisioned};

/// How many calls nobody has set aside: a function sets aside its reserved concurrency, or what is
/// provisioned of it.
pub(super) fn unreserved(state: &State, region: &str) -> i64 {
    let set_aside = here(&state.functions, region)
        .map(|(_, function)| function.reserved.unwrap_or_else(|| provisioned::total(function)));
    CONCURRENCY - set_aside.sum::<i64>()
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
    let provisioned = provisioned::total(function);
    if free + function.reserved.unwrap_or(provisioned) - wanted < UNRESERVED {
        return Err(invalid(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's \
             UnreservedConcurrentExecution below its minimum value of [{UNRESERVED}]."
        )));
    }
    if provisioned > wanted {
        return Err(invalid(format!(
            " ReservedConcurrentExecutions  {wanted} should not be lower than function's total \
             provisioned concurrency [{provisioned}]."
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

pub(super) fn get(world: &mut World, region: &str, input: &Value) -> Answer {
    let Named { name, .. } = read_name(region, input, &NAME)?;
    let function = find(world, region, &Named { name, qualifier: None })?;
    Ok(function
        .reserved
        .map_or_else(|| json!({}), |reserved| json!({ "ReservedConcurrentExecutions": reserved })))
}
