//! What services write again while an environment is destroyed, and after it: the destroy deletes it if it
//! sees it, and otherwise `gc` does.
//!
//! Such an object has no tags. It counts as payctl's if the record of a destroy has exactly its name, the
//! name holds that of the environment as a whole word, and nothing of the environment exists any more.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use futures::future::try_join_all;
use serde::Serialize;

use super::Context;
use super::error::{CliError, ErrorKind};
use super::lease::{self, Hold};
use super::session::{self, Session};
use crate::aws::clients::Aws;
use crate::aws::destroyed::{self, Destroyed};
use crate::aws::kinds::LATE;
use crate::aws::leftovers::{self, Search};
use crate::ui::style::count;
use payctl_engine::apply::Report;
use payctl_engine::event::Verb;
use payctl_engine::model::address::Address;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::Phase;
use payctl_engine::plan::Purpose;

/// What came back of a destroyed environment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Leftover {
    /// The project.
    pub(super) project: String,
    /// The environment.
    pub(super) env: String,
    /// The address that it had.
    pub(super) address: Address,
    /// Its name.
    pub(super) name: String,
}

/// What came back of environments that are destroyed. `living` are those of which tags tell.
pub(super) async fn find(
    aws: &Aws,
    living: &BTreeSet<(String, String)>,
) -> Result<BTreeSet<Leftover>, OpError> {
    let all = destroyed::all(aws, SystemTime::now()).await?;
    let gone = |one: &Destroyed| !living.contains(&(one.project.clone(), one.env.clone()));
    let known: BTreeSet<Leftover> =
        all.into_iter().filter(gone).flat_map(|one| names_of(aws, one)).collect();
    let mut found = BTreeSet::new();
    for late in LATE {
        let of_kind = known.iter().filter(|one| one.address.kind == late.kind);
        let names = of_kind.map(|one| one.name.clone()).collect();
        let back = (late.find)(aws, &names).await?;
        let is_back = |one: &&Leftover| one.address.kind == late.kind && back.contains(&one.name);
        found.extend(known.iter().filter(is_back).cloned());
    }
    Ok(found)
}

/// The names of a destroyed environment that hold its own name. What comes back has its name for an id.
fn names_of(aws: &Aws, Destroyed { project, env, names }: Destroyed) -> Vec<Leftover> {
    let scope = aws.of(&project, &env).scope;
    let own = names.into_iter().filter(|name| scope.in_name(&name.id));
    let leftover = |name: destroyed::Name| Leftover {
        project: project.clone(),
        env: env.clone(),
        address: name.address,
        name: name.id,
    };
    own.map(leftover).collect()
}

/// The leftovers for people.
pub(super) fn text(found: &BTreeSet<Leftover>) -> String {
    let line = |Leftover { project, env, address, name }: &Leftover| {
        format!("  {name} ({address} of {project} {env})\n")
    };
    let lines: String = found.iter().map(line).collect();
    format!("Written again after the destroy of their environments:\n{lines}")
}

/// Deletes what came back of one environment, under its lease.
pub(super) async fn sweep(
    cx: &Context,
    aws: &Aws,
    args: &lease::Args,
    (project, env): (&str, &str),
    found: &BTreeSet<Leftover>,
) -> Result<u8, CliError> {
    let session = Session::unconfigured(cx, aws, project, env);
    let own = found.iter().filter(|one| one.project == project && one.env == env);
    let own: BTreeSet<&Leftover> = own.collect();
    let work = async |hold: &Hold<'_>| carry_out(cx, &session, &own, hold).await;
    lease::under(cx, &session, args, "gc", work).await
}

async fn carry_out(
    cx: &Context,
    session: &Session,
    own: &BTreeSet<&Leftover>,
    hold: &Hold<'_>,
) -> Result<u8, CliError> {
    let env = &session.blueprint.scope.env;
    // The index of tags lags: only the services themselves tell that nothing of it exists.
    let snapshot = session.survey(Purpose::Destroy).await?;
    let mut living = session::ours(&snapshot);
    if living.any(|found| !matches!(found.live.phase, Phase::Deleting(_))) {
        cx.note(format_args!("{env} exists again: what was written late stays with it."));
        return Ok(super::exit::SUCCESS);
    }
    if snapshot.unseen.iter().any(|unseen| !unseen.is_unsupported()) {
        let title = format!("what came back of {env} stays: not everything could be read");
        return Err(CliError::new(ErrorKind::User, title));
    }
    hold.check()?;
    let aws = session.provider.aws();
    let mut report = Report::default();
    let sweeping = async {
        for late in LATE {
            let of_kind = own.iter().filter(|one| one.address.kind == late.kind);
            let names: BTreeSet<String> = of_kind.clone().map(|one| one.name.clone()).collect();
            // Somebody may have put tags on it since.
            let still = (late.find)(aws, &names).await?;
            for one in of_kind.filter(|one| still.contains(&one.name)) {
                if hold.stop.is_requested() {
                    break;
                }
                (late.delete)(aws, &one.name).await?;
                cx.stage.set(super::Stage::Changed);
                report.done.push((one.address.clone(), Verb::Delete));
            }
        }
        Ok::<_, OpError>(())
    };
    let swept = sweeping.await;
    hold.record(&report);
    if let Err(error) = swept {
        hold.end_as("incomplete");
        return Err(CliError::cloud("delete what came back after a destroy", &error));
    }
    let what = count(report.done.len(), "object");
    cx.note(format_args!("Deleted {what} that a service wrote after the destroy of {env}."));
    Ok(super::exit::SUCCESS)
}

/// Deletes what a service wrote again while its environment was destroyed, once nothing else of it is
/// left. Somebody agreed to the deletion of each of these names. Returns whether anything was deleted.
pub(super) async fn rewritten(
    cx: &Context,
    session: &Session,
    left: &[leftovers::Leftover],
) -> bool {
    if left.iter().any(|one| one.found_by != Search::Names) {
        return false;
    }
    let aws = session.provider.aws();
    let mut swept = 0;
    for late in LATE {
        let of_kind = left.iter().filter(|one| {
            one.address.as_ref().is_some_and(|address| address.kind == late.kind)
                && aws.scope.in_name(&one.id)
        });
        let names: BTreeSet<String> = of_kind.map(|one| one.id.clone()).collect();
        let deleted = async {
            let still = (late.find)(aws, &names).await?;
            try_join_all(still.iter().map(|name| (late.delete)(aws, name))).await?;
            Ok::<_, OpError>(still.len())
        };
        match deleted.await {
            Ok(number) => swept += number,
            Err(error) => cx.note(format_args!(
                "warning: payctl could not delete what a service wrote again: {error}"
            )),
        }
    }
    if swept > 0 {
        let what = count(swept, "object");
        cx.note(format_args!("Deleted {what} that a service wrote again after the deletion."));
    }
    swept > 0
}

/// What a destroy is about to delete, kept for a later run. Nothing depends on it.
pub(super) async fn remember(
    cx: &Context,
    session: &Session,
    plan: &payctl_engine::plan::Plan,
    hold: &Hold<'_>,
) {
    let deletes = plan.changes.iter().filter_map(|change| {
        let id = change.live.as_ref()?.id.clone();
        Some(destroyed::Name { address: change.address.clone(), name: change.name.clone(), id })
    });
    let kept = destroyed::remember(session.provider.aws(), deletes.collect(), SystemTime::now());
    let kept = tokio::time::timeout(PATIENCE, Box::pin(kept)).await;
    // Without the table there was a warning already, or nobody wants it.
    if let (Ok(Err(error)), Some(_)) = (kept, hold.lease) {
        cx.note(format_args!(
            "warning: payctl could not keep the names of what it deletes: {error}\n  If this run is \
             killed, the next one does not search for them."
        ));
    }
}

/// How long keeping the names may take.
const PATIENCE: Duration = Duration::from_secs(30);
