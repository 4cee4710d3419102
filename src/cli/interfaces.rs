//! Functions that leave their network while their roles lose the permissions for interfaces. Lambda
//! deletes the interfaces up to an hour later with the permissions of the role. Without these, the
//! interfaces and their subnets stay for ever.

use serde_json::Value;

use super::error::{CliError, ErrorKind};
use crate::aws::kinds::iam::role::Role;
use crate::aws::kinds::lambda::function::Function;
use payctl_engine::model::text::Output;
use payctl_engine::plan::{Change, Plan};

/// Refuses a plan that would orphan interfaces.
pub(super) fn check(plan: &Plan) -> Result<(), CliError> {
    let stranded = stranded(&plan.changes);
    if stranded.is_empty() {
        return Ok(());
    }
    let who: Vec<String> = stranded
        .iter()
        .map(|(function, role)| format!("{} and {}", function.address, role.address))
        .collect();
    let title = "a function leaves its network while its role loses the permissions for its \
                 network interfaces";
    Err(CliError::new(ErrorKind::User, title)
        .because(format!(
            "Lambda deletes the interfaces up to an hour later, with the permissions of the \
             role\n{}",
            who.join("\n")
        ))
        .hinted("first remove the function from its network; remove the permissions an hour later"))
}

/// The functions that leave their network, each with the role that can then no longer delete its
/// interfaces.
fn stranded(changes: &[Change]) -> Vec<(&Change, &Change)> {
    let leaves = changes.iter().filter_map(|change| {
        let is = |spec: &Value| Function::of(&change.address, spec);
        let (was, wanted) = (is(&change.live.as_ref()?.spec)?, is(&change.want.as_ref()?.spec)?);
        (was.network.is_some() && wanted.network.is_none()).then_some((change, was.role))
    });
    let loses = |change: &&Change| {
        let can = |spec: &Value| {
            Role::of(&change.address, spec).is_some_and(|role| role.takes_interfaces_away())
        };
        change.live.as_ref().is_some_and(|live| can(&live.spec))
            && !change.want.as_ref().is_some_and(|want| can(&want.spec))
    };
    let of = |change: &&Change, arn: &str| {
        let outputs = change.live.as_ref().map(|live| &live.outputs);
        outputs.and_then(|outputs| outputs.get(&Output::Arn)).is_some_and(|own| own == arn)
    };
    let pairs = leaves.filter_map(|(function, role)| {
        let role = changes.iter().filter(loses).find(|change| of(change, role.known()))?;
        Some((function, role))
    });
    pairs.collect()
}
