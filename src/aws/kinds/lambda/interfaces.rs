//! Functions that leave their network while their roles lose the permissions for interfaces. Lambda
//! deletes the interfaces up to an hour later with the permissions of the role. Without these, the
//! interfaces and their subnets are never deleted.

use std::future::ready;

use serde_json::Value;

use super::function::Function;
use crate::aws::kinds::iam::role::Role;
use crate::aws::preflight::{Check, Finding, Planned, Preflight, Subject};
use payctl_engine::model::text::Output;

/// Looks for interfaces that would be stranded.
pub(super) const CHECK: Check = Check {
    subject: Subject::Leftovers,
    doing: "look for interfaces of functions",
    run: |cx| Box::pin(ready(Ok(check(cx)))),
};

fn check(cx: &Preflight<'_>) -> Vec<Finding> {
    let stranded = find_stranded(&cx.planned);
    if stranded.is_empty() {
        return Vec::new();
    }
    let who: Vec<String> = stranded
        .iter()
        .map(|(function, role)| format!("{} and {}", function.address, role.address))
        .collect();
    vec![Finding::Problem {
        title: "a function leaves its network while its role loses the permissions for its network interfaces"
            .to_owned(),
        because: format!(
            "Lambda deletes the interfaces up to an hour later, with the permissions of the \
             role\n{}",
            who.join("\n")
        ),
        hint: "first remove the function from its network; remove the permissions an hour later".to_owned(),
    }]
}

/// The functions that leave their network, each with the role that can then no longer delete its
/// interfaces.
fn find_stranded<'a>(all: &'a [Planned<'a>]) -> Vec<(&'a Planned<'a>, &'a Planned<'a>)> {
    let leaves = all.iter().filter_map(|planned| {
        let is = |spec: &Value| Function::of(planned.address, spec);
        let (was, wanted) = (is(&planned.live?.spec)?, is(&planned.want?.spec)?);
        (was.network.is_some() && wanted.network.is_none()).then_some((planned, was.role))
    });
    let loses = |planned: &&Planned<'_>| {
        let can = |spec: &Value| {
            Role::of(planned.address, spec).is_some_and(|role| role.takes_interfaces_away())
        };
        planned.live.is_some_and(|live| can(&live.spec))
            && !planned.want.is_some_and(|want| can(&want.spec))
    };
    let is_at = |planned: &&Planned<'_>, arn: &str| {
        let own = planned.live.and_then(|live| live.outputs.get(&Output::Arn));
        own.is_some_and(|own| own == arn)
    };
    let pairs = leaves.filter_map(|(function, role)| {
        let role = all.iter().filter(loses).find(|planned| is_at(planned, role.known()))?;
        Some((function, role))
    });
    pairs.collect()
}
