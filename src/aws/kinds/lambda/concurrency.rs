//! Whether the account has the calls that functions want set aside: AWS refuses what leaves too few
//! for everybody else, and would do so in the middle of an apply.

use serde_json::Value;

use super::function::Function;
use crate::aws::clients::{Aws, retry_read};
use crate::aws::error::op;
use crate::aws::preflight::{Check, Finding, Planned, Preflight, Subject};
use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};

/// Looks whether the account can set aside the calls that functions want for themselves.
pub(super) const CHECK: Check = Check {
    subject: Subject::Limits,
    doing: "ask for the limits of Lambda",
    run: |cx| Box::pin(check(cx)),
};

/// How many calls at the same time nobody may set aside.
const FOR_EVERYBODY: i64 = 100;

/// More calls than the account can set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shortage {
    /// How many more can be.
    possible: i64,
    /// How many the account has at all.
    limit: i64,
}

/// Nobody is asked if the functions want no more than before.
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
            "of its {limit}, {possible} more can be set aside: 100 stay for all others\n{}",
            who.join("\n")
        ),
        hint: "lower or remove `reserved_concurrency`, or ask AWS for a higher quota",
    }])
}

/// How many more calls each change sets aside; less than none for what gives some back.
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

/// Asks whether so many more calls can be set aside.
async fn shortage(aws: &Aws, wanted: i64) -> Result<Option<Shortage>, OpError> {
    let ask = || async {
        aws.lambda.get_account_settings().send().await.map_err(op("GetAccountSettings"))
    };
    let answer = match retry_read(ask).await {
        // An emulator without this question has no limit either.
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
    fn a_function_that_goes_gives_its_calls_back() {
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
