//! The receipt of a destroy: what was deleted, what AWS holds and until when, and three searches that
//! nothing else is left.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::error::{CliError, ErrorKind};
use super::execute::{of_targets, unlooked};
use super::session::Session;
use super::{Context, sweep};
use crate::aws::destroyed;
use crate::aws::leftovers::{self, Deleted, Held, Leftover, Search};
use crate::ui::style::count;
use crate::ui::{json as lines, looking, plan as plan_text, stays};
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Desired;
use payctl_engine::model::error::ErrorClass;
use payctl_engine::model::live::{Live, Phase, Tags};
use payctl_engine::model::text::Outputs;
use payctl_engine::plan::{Action, Change, Plan, Purpose, left_alone};
use payctl_engine::provider::Provider as _;
use payctl_money::bill::Bill;

/// How long AWS may still list deleted objects.
const ECHO: Duration = Duration::from_secs(90);
/// The pause between two surveys.
const PAUSE: Duration = Duration::from_secs(10);

/// Surveys until nothing remains, or until the remaining objects can no longer be an echo.
async fn look_until_gone(
    mut look: impl AsyncFnMut() -> Result<Vec<Leftover>, CliError>,
    say: impl Fn(&str),
) -> Result<Vec<Leftover>, CliError> {
    let began = tokio::time::Instant::now();
    loop {
        let left = look().await?;
        if left.iter().all(is_of_others) || began.elapsed() >= ECHO {
            return Ok(left);
        }
        let what: Vec<String> = left.iter().map(named).collect();
        let what = what.join(", ");
        say(&format!("AWS still lists {what}; checking again in {} s.", PAUSE.as_secs()));
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether the tags of an object name the environment and no address: payctl never writes such tags, so it is no
/// echo of what payctl deleted.
fn is_of_others(left: &Leftover) -> bool {
    left.address.is_none() && left.found_by == Search::Index
}

/// A leftover with its address, if one is known, and its id.
fn named(left: &Leftover) -> String {
    match &left.address {
        Some(address) => format!("{address} ({})", left.id),
        None => left.id.clone(),
    }
}

/// The same with the search that found it.
fn told(left: &Leftover) -> String {
    let by = match left.found_by {
        Search::Lists => "the list of its service",
        Search::Index if is_of_others(left) => {
            "the index of tags; its payctl:address is none that payctl writes, so payctl does not delete it: \
             remove its tags"
        }
        Search::Index => "the index of tags",
        Search::Names => "its name; it has no tags, so payctl does not delete it",
    };
    format!("{}: found by {by}", named(left))
}

/// What a plan deletes: the names are searched for, since a late write may bring one back.
fn deleted_by(plan: &Plan) -> Vec<(&Change, Deleted<'_>)> {
    let deletes = plan.changes.iter().filter(|change| change.action == Action::Delete);
    let live = deletes.filter_map(|change| {
        let live = change.live.as_ref()?;
        Some((change, Deleted { address: &change.address, live }))
    });
    live.collect()
}

/// What an earlier destroy of the environment deleted that this one did not find: it may have been killed
/// before it could search.
async fn earlier(session: &Session, plan: &Plan) -> Vec<(destroyed::Name, Live)> {
    if !plan.targets.is_empty() {
        return Vec::new();
    }
    // Without the table, or without its permission, the other searches are made all the same.
    let names = destroyed::of(session.provider.aws(), SystemTime::now()).await.unwrap_or_default();
    let is_new = |name: &destroyed::Name| {
        !plan.changes.iter().any(|change| {
            change.address == name.address
                && change.live.as_ref().is_some_and(|live| live.id == name.id)
        })
    };
    let gone = |name: destroyed::Name| {
        let (id, spec) = (name.id.clone(), Value::Null);
        let (outputs, tags, phase) = (Outputs::new(), Tags::new(), Phase::Ready);
        (name, Live { id, spec, outputs, tags, phase })
    };
    names.into_iter().filter(is_new).map(gone).collect()
}

fn wanted(address: &Address, name: &str) -> Desired {
    Desired {
        address: address.clone(),
        name: name.to_owned(),
        component: String::new(),
        origin: String::new(),
        spec: Value::Null,
        tags: Tags::new(),
        tags_once: Tags::new(),
        after: BTreeSet::new(),
    }
}

/// After a destroy: searches again, and says what is left, what AWS holds, and what stays and costs.
pub(super) async fn show(
    cx: &Context,
    session: &Session,
    plan: &Plan,
    kept: &Bill,
) -> Result<(), CliError> {
    let calls = session.effort().calls;
    let is_whole = plan.targets.is_empty();
    let planned: BTreeSet<&Address> = plan.changes.iter().map(|change| &change.address).collect();
    let planned = |address: &Address| is_whole || planned.contains(address);
    let earlier = Box::pin(earlier(session, plan)).await;
    let (changes, mut gone): (Vec<&Change>, Vec<Deleted<'_>>) =
        deleted_by(plan).into_iter().unzip();
    let deleted: Vec<&Address> = gone.iter().map(|gone| gone.address).collect();
    let of_plan = changes.iter().map(|change| (&change.address, change.name.as_str()));
    let of_earlier = earlier.iter().map(|(gone, _)| (&gone.address, gone.name.as_str()));
    let mut names = session.blueprint.resources.clone();
    for (address, name) in of_plan.chain(of_earlier) {
        names.entry(address.clone()).or_insert_with(|| wanted(address, name));
    }
    gone.extend(earlier.iter().map(|(gone, live)| Deleted { address: &gone.address, live }));
    let provider = &session.provider;
    let failed = |error| CliError::cloud("ask what AWS holds of the deleted resources", &error);
    let held = leftovers::held(provider.aws(), &gone).await.map_err(failed)?;
    let held: RefCell<BTreeMap<Address, Held>> =
        RefCell::new(held.into_iter().map(|held| (held.address.clone(), held)).collect());
    let unseen = RefCell::new(Vec::new());
    let claims = RefCell::new(Vec::new());
    let unindexed = RefCell::new(None);
    let search = async || -> Result<Vec<Leftover>, CliError> {
        let snapshot = session.survey_for(&names, Purpose::Destroy).await?;
        *unseen.borrow_mut() = of_targets(&snapshot.unseen, plan);
        *claims.borrow_mut() = left_alone(&snapshot);
        let mut left = leftovers::surveyed(&snapshot, &gone);
        left.retain(|left| left.address.as_ref().is_none_or(planned));
        if is_whole {
            match leftovers::indexed(provider, &gone).await {
                Ok((more, holds)) => {
                    let is_known = |one: &Leftover| {
                        let live = snapshot.values().flatten().map(|found| &found.live);
                        live.into_iter().any(|live| leftovers::is_same(&one.id, live))
                    };
                    left.extend(more.into_iter().filter(|one| !is_known(one)));
                    let holds = holds.into_iter().map(|held| (held.address.clone(), held));
                    held.borrow_mut().extend(holds);
                    *unindexed.borrow_mut() = None;
                }
                Err(error) => *unindexed.borrow_mut() = Some(error),
            }
        }
        left.sort();
        Ok(left)
    };
    let look = async || -> Result<Vec<Leftover>, CliError> {
        let left = search().await?;
        let is_late = is_whole && unlooked(&unseen.borrow(), ErrorKind::Partial).is_none();
        match is_late && sweep::rewritten(cx, session, &left).await {
            true => search().await,
            false => Ok(left),
        }
    };
    let left = look_until_gone(look, |text| cx.note(text)).await?;
    let (unseen, claims) = (unseen.into_inner(), claims.into_inner());
    let held: Vec<Held> = held.into_inner().into_values().collect();
    let calls = session.effort().calls - calls;
    let kinds = provider.kinds().len() - unseen.len();
    if cx.screen.json {
        let body = json!({
            "scope": plan.scope,
            "deleted": deleted,
            "held": held,
            "stays": stays::json(kept),
            "left": left.iter().map(named).collect::<Vec<_>>(),
            "found": left,
            "unseen": looking::json(&unseen),
            "left_alone": claims,
            "kinds": kinds,
            "api_calls": calls,
        });
        cx.screen.data(&lines::line(SystemTime::now(), "verified", &body))?;
    }
    if !claims.is_empty() {
        cx.note(plan_text::left_alone(&claims, cx.screen.err));
    }
    if !held.is_empty() {
        cx.note("AWS deletes by itself:");
        for Held { address, until, why, .. } in &held {
            cx.note(format_args!("  {address} by {until}: {why}"));
        }
    }
    if let Some(line) = stays::line(kept) {
        cx.note(format_args!("W{}.", line.trim_start_matches('w')));
    }
    if !left.is_empty() {
        let told: Vec<String> = left.iter().map(told).collect();
        let (bare, owned): (Vec<&Leftover>, Vec<&Leftover>) =
            left.iter().partition(|left| left.found_by == Search::Names);
        let error = CliError::new(ErrorKind::Partial, "some objects remain");
        let mut error = error.because(told.join("\n"));
        if !owned.is_empty() {
            error = error.hinted("run the same command again");
        }
        if !bare.is_empty() {
            error = error.hinted("delete objects without tags yourself, if nobody needs them");
        }
        return Err(error);
    }
    if let Some(error) = unlooked(&unseen, ErrorKind::Partial) {
        return Err(error);
    }
    let unindexed = unindexed.into_inner();
    // An endpoint without the index lists nothing there.
    if let Some(error) = unindexed.as_ref().filter(|error| error.class != ErrorClass::Unsupported) {
        let title = "the index of tags could not be searched: some objects may remain";
        return Err(CliError::new(ErrorKind::Partial, title)
            .because(error)
            .hinted("run the same command again"));
    }
    let what = if is_whole {
        format!("nothing of {} remains", plan.scope)
    } else {
        format!("none of the targets remains in {}", plan.scope)
    };
    let searched = match (is_whole, unindexed) {
        (true, None) => format!("{kinds} kinds, the index of tags, {}", count(gone.len(), "name")),
        (true, Some(error)) => {
            cx.note(format_args!("Not verified by the index of tags: {error}"));
            format!("{kinds} kinds, {}", count(gone.len(), "name"))
        }
        (false, _) => format!("{kinds} kinds"),
    };
    cx.note(format_args!("Verified: {what} ({searched}, {calls} API calls)."));
    for reason in looking::reasons(&unseen) {
        cx.note(format_args!("Not verified: {reason}."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// What is left according to an AWS that lists a queue for so long, and how often that was said.
    async fn left_after(echo: Duration) -> (Vec<Leftover>, usize) {
        let began = tokio::time::Instant::now();
        let (looks, said) = (Cell::new(0), RefCell::new(Vec::new()));
        let look = async || -> Result<Vec<Leftover>, CliError> {
            looks.set(looks.get() + 1);
            let listed = began.elapsed() < echo;
            let left = || Leftover {
                address: Some(Address::new("sqs.queue", "jobs")),
                id: "url".to_owned(),
                found_by: Search::Lists,
            };
            Ok(listed.then(left).into_iter().collect())
        };
        let left = look_until_gone(look, |text| said.borrow_mut().push(text.to_owned())).await;
        assert_eq!(said.borrow().len() + 1, looks.get(), "{said:?}");
        (left.unwrap(), looks.get())
    }

    #[tokio::test(start_paused = true)]
    async fn verification_waits_while_aws_still_lists_deleted_objects() {
        assert_eq!(left_after(Duration::ZERO).await, (Vec::new(), 1));
        assert_eq!(left_after(Duration::from_secs(60)).await, (Vec::new(), 7));
        let (left, looks) = left_after(Duration::from_secs(3600)).await;
        assert_eq!((left.len(), looks), (1, 10));
    }

    #[tokio::test(start_paused = true)]
    async fn verification_does_not_wait_for_what_payctl_never_had() {
        let odd = Leftover { address: None, id: "arn".to_owned(), found_by: Search::Index };
        let look = async || Ok(vec![odd.clone()]);
        let began = tokio::time::Instant::now();
        assert_eq!(look_until_gone(look, |_| {}).await.unwrap(), std::slice::from_ref(&odd));
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert!(
            told(&odd).contains("payctl does not delete it: remove its tags"),
            "{}",
            told(&odd)
        );
    }
}
