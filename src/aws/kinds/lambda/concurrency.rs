//! Checks the reserved and provisioned concurrency of a plan against the account's limit and against
//! each other. AWS would refuse too much of it in the middle of an apply.

use std::collections::BTreeMap;

use serde_json::Value;

use super::alias::Alias;
use super::common;
use super::function::Function;
use crate::aws::clients::{Aws, retry_read};
use crate::aws::error::op;
use crate::aws::preflight::{Check, Finding, Planned, Preflight, Subject};
use crate::aws::quotas::{request, unread};
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Desired;
use payctl_engine::model::error::OpError;

/// Checks whether the account can set aside the concurrency that functions and aliases want.
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
    let too_low = below_provisioned(&cx.planned);
    if !too_low.is_empty() {
        return Ok(too_low);
    }
    let more = reservations(&cx.planned, cx.resources);
    let wanted: i64 = more.iter().map(|(_, more)| more).sum();
    if wanted <= 0 {
        return Ok(Vec::new());
    }
    let (first, _) = more[0];
    let Shortage { possible, limit } = match shortage(cx.aws, wanted).await {
        Ok(Some(shortage)) => shortage,
        Ok(None) => return Ok(Vec::new()),
        Err(error) => {
            return Ok(unread(cx, first, "concurrent calls", error)?.into_iter().collect());
        }
    };
    let each: i64 = cx.resources.values().map(|want| reserved(want, cx.resources)).sum();
    let each = each.max(1);
    let who: Vec<String> = more
        .iter()
        .filter(|(_, more)| *more > 0)
        .map(|(planned, more)| format!("{} +{more} ({})", planned.address, planned.origin))
        .collect();
    Ok(vec![Finding::Full {
        address: first.address.clone(),
        title: format!("the account cannot reserve {wanted} more concurrent calls"),
        because: format!(
            "of its {limit}, it can reserve {possible} more: 100 stay unreserved for all \
             other functions; an environment like this one reserves {each}, so {} more fit\n{}",
            possible / each,
            who.join("\n")
        ),
        hint: format!(
            "lower or remove `reserved_concurrency` or `provisioned_concurrency`, or {}",
            request(
                "lambda",
                "L-B99A9384",
                usize::try_from(limit + wanted - possible).unwrap_or(0)
            )
        ),
    }])
}

/// Functions that reserve fewer calls than are still provisioned for their aliases. These change
/// only after their function.
fn below_provisioned(planned: &[Planned<'_>]) -> Vec<Finding> {
    let aliases: Vec<Alias> = planned
        .iter()
        .filter_map(|planned| Alias::of(planned.address, &planned.live?.spec))
        .collect();
    let too_low = planned.iter().filter_map(|planned| {
        let function = Function::of(planned.address, &planned.want?.spec)?;
        let reserved = function.reserved_concurrency?;
        let own = aliases.iter().filter(|alias| common::parts(&alias.name).0 == function.name);
        let provisioned: u32 = own.filter_map(|alias| alias.provisioned).sum();
        (planned.live.is_some() && provisioned > reserved).then(|| Finding::Problem {
            title: format!("{} cannot reserve only {reserved} calls yet", planned.address),
            because: format!(
                "{provisioned} calls are provisioned for its aliases, and AWS changes the function \
                 first ({})",
                planned.origin
            ),
            hint:
                "lower `provisioned_concurrency` first, and `reserved_concurrency` with the next \
                   apply"
                    .to_owned(),
        })
    });
    too_low.collect()
}

/// How many more concurrent calls each change sets aside; negative if it gives some back. What is
/// provisioned of a function counts only if the function reserves nothing.
fn reservations<'a>(
    planned: &'a [Planned<'a>],
    resources: &BTreeMap<Address, Desired>,
) -> Vec<(&'a Planned<'a>, i64)> {
    let more = planned.iter().map(|planned| {
        let of = |spec: &Value| reserved_by(planned.address, spec, resources);
        let now = planned.live.map_or(0, |live| of(&live.spec));
        let then = planned.want.map_or(0, |want| of(&want.spec));
        (planned, then - now)
    });
    more.filter(|(_, more)| *more != 0).collect()
}

/// How many calls a wanted resource sets aside.
fn reserved(want: &Desired, resources: &BTreeMap<Address, Desired>) -> i64 {
    reserved_by(&want.address, &want.spec, resources)
}

fn reserved_by(address: &Address, spec: &Value, resources: &BTreeMap<Address, Desired>) -> i64 {
    let reserves = |address: &Address, spec: &Value| {
        Function::of(address, spec).and_then(|function| function.reserved_concurrency)
    };
    let provides = || {
        let wanted = Alias::of(address, &resources.get(address)?.spec)?;
        let function = wanted.function.refs().next()?.to.clone();
        let is_within = reserves(&function, &resources.get(&function)?.spec).is_some();
        Alias::of(address, spec)?.provisioned.filter(|_| !is_within)
    };
    reserves(address, spec).or_else(provides).map_or(0, i64::from)
}

/// Checks whether the account can reserve this many more calls.
async fn shortage(aws: &Aws, wanted: i64) -> Result<Option<Shortage>, OpError> {
    let ask = || async {
        aws.lambda.get_account_settings().send().await.map_err(op("GetAccountSettings"))
    };
    let answer = retry_read(ask).await?;
    let Some(found) = answer.account_limit else { return Ok(None) };
    let free = found.unreserved_concurrent_executions.map_or(i64::MAX, i64::from);
    let possible = free.saturating_sub(FOR_EVERYBODY).max(0);
    let limit = i64::from(found.concurrent_executions);
    Ok((wanted > possible).then_some(Shortage { possible, limit }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::to_value;

    use super::*;
    use crate::aws::preflight::Fate;
    use crate::aws::resource::Resource as _;
    use payctl_engine::model::live::{Live, Phase, Tags};
    use payctl_engine::model::text::Outputs;

    /// A function that reserves calls, as it is and as it is wanted.
    fn function(name: &str, reserved: Option<u32>) -> (Live, Desired) {
        let spec = Function { reserved_concurrency: reserved, ..Function::sample() };
        object(Function::META.kind, name, to_value(spec).unwrap())
    }

    fn object(kind: &str, name: &str, spec: Value) -> (Live, Desired) {
        let live = Live {
            id: "f".into(),
            spec: spec.clone(),
            outputs: Outputs::new(),
            tags: Tags::new(),
            phase: Phase::Ready,
        };
        let want = Desired {
            address: Address::new(kind, name),
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
        let functions =
            [function("new", Some(100)), function("old", Some(100)), function("same", Some(7))];
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
        let more = reservations(&planned, &BTreeMap::new());
        let more: Vec<_> =
            more.iter().map(|(planned, more)| (&*planned.address.name, *more)).collect();
        assert_eq!(more, [("new", 100), ("old", -100)]);
    }

    /// An alias for which calls are provisioned, beside its function.
    fn alias(provisioned: u32) -> (Live, Desired) {
        let spec = Alias { provisioned: Some(provisioned), ..Alias::sample() };
        object(Alias::META.kind, "sample-live", to_value(spec).unwrap())
    }

    fn planned<'a>(object: &'a (Live, Desired), fate: Fate) -> Planned<'a> {
        let (live, want) = object;
        Planned {
            address: &want.address,
            origin: "config/base.toml:1",
            fate,
            changed: Vec::new(),
            want: Some(want),
            live: Some(live).filter(|_| fate != Fate::Created),
        }
    }

    #[test]
    fn what_is_provisioned_counts_unless_the_function_reserves_calls() {
        let new = alias(5);
        for (reserved, counted) in [(None, vec![5]), (Some(10), vec![])] {
            let (_, function) = function("sample", reserved);
            let wanted = [&new.1, &function];
            let wanted = wanted.map(|want| (want.address.clone(), want.clone()));
            let planned = [planned(&new, Fate::Created)];
            let more = reservations(&planned, &BTreeMap::from(wanted));
            assert_eq!(more.iter().map(|(_, more)| *more).collect::<Vec<_>>(), counted);
        }
    }

    #[test]
    fn a_function_does_not_reserve_less_than_is_still_provisioned() {
        let (function, alias) = (function("sample", Some(4)), alias(5));
        let plan = [planned(&function, Fate::Updated), planned(&alias, Fate::Updated)];
        let found = below_provisioned(&plan);
        let [Finding::Problem { title, .. }] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(title, "lambda.function/sample cannot reserve only 4 calls yet");
        assert!(below_provisioned(&plan[..1]).is_empty());
    }
}
