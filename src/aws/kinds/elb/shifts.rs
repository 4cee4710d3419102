//! Looks at what an apply changes behind the target groups of a shift: a shift moves the requests between
//! the groups, and what is behind them changes at once.

use std::collections::BTreeSet;

use serde_json::Value;

use super::listener::{Action, Mover};
use super::listener_rule::ListenerRule;
use super::target::Target;
use super::target_group::TargetGroup;
use super::{common, listener, listener_rule};
use crate::aws::clients::{Aws, retry_read};
use crate::aws::kinds::autoscaling::group::Group;
use crate::aws::kinds::ecs::service::Service;
use crate::aws::kinds::lambda::alias::Alias;
use crate::aws::preflight::{Check, Fate, Finding, Planned, Preflight, Subject};
use crate::aws::resource::Resource as _;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Desired;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::Tags;
use payctl_engine::model::text::{Output, each_ref};
use payctl_engine::traffic::TAG_SHIFT;

/// Compares the plan with the traffic of shifts.
pub(super) const CHECK: Check = Check {
    subject: Subject::Traffic,
    doing: "read how the traffic of the shifts stands",
    run: |cx| Box::pin(check(cx)),
};

async fn check(cx: &Preflight<'_>) -> Result<Vec<Finding>, OpError> {
    let mut found = Vec::new();
    for (address, desired) in cx.resources {
        let Some(Mover::Shift(shift)) = listener::moved::mover(&desired.spec) else { continue };
        let groups = refs(&desired.spec["action"], TargetGroup::META.kind);
        let changed: Vec<(Address, Address)> = groups
            .iter()
            .flat_map(|group| behind(cx, group).into_iter().map(|it| (group.clone(), it)))
            .collect();
        let arn = cx.output(address, Output::Arn);
        let Some(arn) = arn.filter(|_| !changed.is_empty()) else { continue };
        let look = || standing(cx.aws, &address.kind, arn);
        let Some((action, tags)) = retry_read(look).await? else { continue };
        if let Some(claim) = tags.get(TAG_SHIFT) {
            found.push(at_work(desired, &shift, claim, &changed));
            continue;
        }
        let Action::Forward(now) = action else { continue };
        let all: u32 = now.targets.iter().map(|share| u32::from(share.weight)).sum();
        for (group, what) in changed {
            let arn = live_arn(cx, &group);
            let share = now.targets.iter().find(|share| share.group.literal() == arn);
            let weight = share.map(|share| u32::from(share.weight)).filter(|weight| *weight > 0);
            let Some(weight) = weight else { continue };
            let percent = weight * 100 / all;
            let subject = subject(&group, &what);
            found.push(Finding::Note {
                text: format!(
                    "{subject}, which gets {percent}% of the requests of {address}: its change takes \
                     effect at once, without the shift `{shift}`"
                ),
                hint: "change what is behind the side without requests, and move the requests there; an \
                       alias with `hold` stays at its version"
                    .to_owned(),
                address: what,
            });
        }
    }
    Ok(found)
}

/// The ARN of a target group as it stands. A plan that replaces it does not know the ARN of the next one.
fn live_arn<'a>(cx: &Preflight<'a>, group: &Address) -> Option<&'a str> {
    let planned = cx.planned.iter().find(|planned| planned.address == group);
    let live = planned.and_then(|planned| planned.live?.outputs.get(&Output::Arn));
    live.map(String::as_str).or_else(|| cx.output(group, Output::Arn))
}

/// What changes, and on which side: the target group itself, or something behind it.
fn subject(group: &Address, what: &Address) -> String {
    match what == group {
        true => format!("{group} is a side of the shift"),
        false => format!("{what} is behind {group}"),
    }
}

fn at_work(desired: &Desired, shift: &str, claim: &str, changed: &[(Address, Address)]) -> Finding {
    let lines = changed.iter().map(|(group, what)| subject(group, what));
    Finding::Problem {
        title: format!("a run of the shift `{shift}` is at work"),
        because: format!(
            "it watches {} ({}; its claim: {claim}), and this plan changes what it watches\n{}",
            desired.address,
            desired.origin,
            lines.collect::<Vec<_>>().join("\n")
        ),
        hint: "wait for the end of the run; if it was cut off, run the shift again or take the traffic \
               back with payctl shift back".to_owned(),
    }
}

/// The action and the tags of a listener or a rule; `None` if it is gone.
async fn standing(aws: &Aws, kind: &str, arn: &str) -> Result<Option<(Action, Tags)>, OpError> {
    let (action, tags) = if kind == ListenerRule::META.kind {
        futures::try_join!(listener_rule::action_of(aws, arn), common::tags_of(aws, arn))?
    } else {
        futures::try_join!(listener::action_of(aws, arn), common::tags_of(aws, arn))?
    };
    Ok(action.zip(tags))
}

/// What the plan changes behind a target group. An alias that a shift of its own moves gives its new
/// version no calls.
fn behind(cx: &Preflight<'_>, group: &Address) -> BTreeSet<Address> {
    let mut all = BTreeSet::from([group.clone()]);
    for (address, user) in cx.resources {
        if !refs(&user.spec, TargetGroup::META.kind).contains(group) {
            continue;
        }
        if address.kind == Target::META.kind {
            all.extend(refs(&user.spec["function"], ""));
        }
        if [Target::META.kind, Service::META.kind, Group::META.kind].contains(&&*address.kind) {
            all.insert(address.clone());
        }
    }
    let changes = |planned: &&Planned<'_>| {
        let is_release = |path: &&str| path.starts_with("release");
        let alias = planned.want.and_then(|want| Alias::of(planned.address, &want.spec));
        matches!(planned.fate, Fate::Updated | Fate::Replaced)
            && alias
                .is_none_or(|alias| alias.shift.is_none() && planned.changed.iter().any(is_release))
    };
    let changed = cx.planned.iter().filter(changes).map(|planned| planned.address);
    changed.filter(|address| all.contains(*address)).cloned().collect()
}

/// What a part of a spec refers to, of a kind; of every kind if it is empty.
fn refs(spec: &Value, kind: &str) -> BTreeSet<Address> {
    let mut all = BTreeSet::new();
    each_ref(spec, &mut |reference| {
        if kind.is_empty() || reference.to.kind == kind {
            all.insert(reference.to.clone());
        }
    });
    all
}
