//! Checks the reserved concurrency of a plan against the account's limit. AWS would refuse too high
//! a reservation in the middle of an apply.

use serde_json::Value;

use super::function::Function;
use crate::aws::clients::{Aws, retry_read};
use crate::aws::error::op;
use crate::aws::preflight::{Check, Finding, Planned, Preflight, Subject};
use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};

/// Checks whether the account can reserve the concurrency that functions want.
pub(super) const CHECK: Check = Check {
    subject: Subject::Limits,
    doing: "read the account limits of Lambda",
    run: |cx| Box::pin(check(cx)),
};

/// The concurrent calls that must stay unreserved.
const FOR_EVERYBODY: i64 = 100;

/// A reservation that the account cannot make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shortage {
    /// The number of calls that can be reserved in addition.
    possible: i64,
    /// The limit of the account.
    limit: i64,
}

/// Asks AWS only if the functions reserve more than before.
async fn check(cx: &Preflight<'_>) -> Result<Vec<Finding>, OpError> {
    let more = reservations(&cx.planned);
    let wanted: i64 = more.iter().map(|(_, more)| more).sum();
    if wanted <= 0 {
        return Ok(Vec::new());
    }
    let Some(Shortage { possible, limit }) = shortage(cx.aws, wanted).await? else {
        return Ok(Vec::new());
    };
    let who: Vec<String> = more
        .iter()
        .filter(|(_, more)| *more > 0)
        .map(|(planned, more)| format!("{} +{more} ({})", planned.address, planned.origin))
        .collect();
    Ok(vec![Finding::Problem {
        title: format!("the account cannot reserve {wanted} more concurrent calls"),
        because: format!(
            "of its {limit}, it can reserve {possible} more: 100 stay unreserved for all \
             other functions\n{}",
            who.join("\n")
        ),
        hint: "lower or remove `reserved_concurrency`, or ask AWS for a higher quota",
    }])
}

/// How many more concurrent calls each change reserves; negative if it gives some back.
fn reservations<'a>(planned: &'a [Planned<'a>]) -> Vec<(&'a Planned<'a>, i64)> {
    let reserved = |address: &Address, spec: &Value| {
        let function = Function::of(address, spec);
        function.and_then(|function| function.reserved_concurrency).map_or(0, i64::from)
    };
    let more = planned.iter().map(|planned| {
        let now = planned.live.map_or(0, |live| reserved(planned.address, &live.spec));
        let then = planned.want.map_or(0, |want| reserved(planned.address, &want.spec));
        (planned, then - now)
    });
    more.filter(|(_, more)| *more != 0).collect()
}

/// Checks whether the account can reserve this many more calls.
async fn shortage(aws: &Aws, wanted: i64) -> Result<Option<Shortage>, OpError> {
    let ask = || async {
        aws.lambda.get_account_settings().send().await.map_err(op("GetAccountSettings"))
    };
    let answer = match retry_read(ask).await {
        // An emulator without this operation does not have a limit either.
        Err(error) if aws.is_elsewhere && error.class == ErrorClass::NotFound => return Ok(None),
        answer => answer?,
    };
    let Some(found) = answer.account_limit else { return Ok(None) };
    let free = found.unreserved_concurrent_executions.map_or(i64::MAX, i64::from);
    let possible = free.saturating_sub(FOR_EVERYBODY).max(0);
    let limit = i64::from(found.concurrent_executions);
    Ok((wanted > possible).then_some(Shortage { possible, limit }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{json, to_value};

    use super::*;
    use crate::aws::preflight::Fate;
    use crate::aws::resource::Resource as _;
    use payctl_engine::model::desired::Desired;
    use payctl_engine::model::live::{Live, Phase, Tags};
    use payctl_engine::model::text::Outputs;

    /// A function that reserves calls, as it is and as it is wanted.
    fn function(name: &str, reserved: u32) -> (Live, Desired) {
        let mut spec = to_value(Function::sample()).unwrap();
        spec["reserved_concurrency"] = json!(reserved);
        let live = Live {
            id: "f".into(),
            spec: spec.clone(),
            outputs: Outputs::new(),
            tags: Tags::new(),
            phase: Phase::Ready,
        };
        let want = Desired {
            address: Address::new(Function::META.kind, name),
            name: "f".into(),
            component: "functions".into(),
            origin: String::new(),
            spec,
            tags: Tags::new(),
            tags_once: Tags::new(),
            after: BTreeSet::new(),
        };
        (live, want)
    }

    #[test]
    fn a_deleted_function_frees_its_concurrency() {
        let functions = [function("new", 100), function("old", 100), function("same", 7)];
        let fates = [Fate::Created, Fate::Deleted, Fate::Updated];
        let planned = functions.iter().zip(fates).map(|((live, want), fate)| Planned {
            address: &want.address,
            origin: "",
            fate,
            changed: Vec::new(),
            want: Some(want).filter(|_| fate != Fate::Deleted),
            live: Some(live).filter(|_| fate != Fate::Created),
        });
        let planned: Vec<Planned<'_>> = planned.collect();
        let more = reservations(&planned);
        let more: Vec<_> =
            more.iter().map(|(planned, more)| (&*planned.address.name, *more)).collect();
        assert_eq!(more, [("new", 100), ("old", -100)]);
    }
}
