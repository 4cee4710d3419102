//! `payctl check`.

use std::collections::BTreeMap;
use std::fs;
use std::future::ready;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;

use super::error::{CliError, ErrorKind};
use super::session::{self, Session};
use super::{Context, exit, status};
use crate::aws::kinds::find_meta;
use crate::aws::web::{Answer, Request};
use crate::blueprint::checks::Check as Own;
use crate::ui::checks;
use crate::ui::outputs::filled;
use crate::ui::status::Row;
use payctl_engine::checks::{Check, Checking, run as run_all};
use payctl_engine::model::address::Address;
use payctl_engine::model::error::ErrorClass;
use payctl_engine::model::live::Tags;
use payctl_engine::model::text::{Outputs, Text};
use payctl_engine::model::verdict::Verdict;
use payctl_engine::plan::Purpose;
use payctl_engine::provider::Target;
use payctl_engine::survey::Snapshot;

/// The outputs of the resources that exist.
type Live = BTreeMap<Address, Outputs>;

/// How long a built-in check may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Test what is deployed
///
/// `payctl status` shows what AWS says of each object. This command goes on from there: every configured
/// resource must exist and be ready, and then payctl asks what its kind is for: are targets healthy, is
/// an alarm firing, does a table answer, was a secret rotated in time. Outputs must be known, and the
/// requests of [checks] must get the expected answers. It only reads; a request of [checks] may do more,
/// by its method. The exit code is 5 if a check fails.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Also write the results to this file, as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// How many seconds all checks together may take
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 120,
        value_parser = clap::value_parser!(u16).range(1..=3600)
    )]
    timeout: u16,
}

pub(super) async fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    let session = Session::open(cx, &cx.env()?).await?;
    let snapshot = session.survey(Purpose::Apply).await?;
    let rows = status::rows(cx, &session, &snapshot);
    let live = session::live_outputs(&snapshot);
    let mut all: Vec<Check<'_>> =
        rows.iter().filter_map(|row| built_in(&session, &snapshot, row)).collect();
    all.extend(outputs(&session, &snapshot, &live));
    let own = |(name, check)| own(&session, &snapshot, &live, (name, check));
    all.extend(session.checks.iter().map(own));
    let so_far: Mutex<Option<Checking>> = Mutex::new(None);
    let listener = |checking| {
        *so_far.lock().unwrap_or_else(PoisonError::into_inner) = Some(checking);
    };
    let patience = Duration::from_secs(args.timeout.into());
    let running = run_all(all, cx.global.parallelism.into(), patience, &listener);
    let outcomes = session.shown(running, &so_far, checks::progress).await;
    cx.show("checks", || checks::json(&outcomes), || checks::text(&outcomes, cx.screen.out))?;
    if let Some(path) = &args.junit {
        fs::write(path, checks::junit(&outcomes, &session.blueprint.scope)).map_err(|error| {
            let title = format!("cannot write {}", path.display());
            CliError::new(ErrorKind::User, title).because(error)
        })?;
    }
    session.explain_calls(cx);
    let failed = outcomes.iter().filter(|outcome| outcome.verdict.is_failed());
    let failed: Vec<&str> = failed.map(|outcome| outcome.subject.as_str()).collect();
    if !outcomes.is_empty() && outcomes.iter().all(|one| matches!(one.verdict, Verdict::NotRun(_)))
    {
        let error = CliError::new(ErrorKind::User, "no check was run");
        return Err(
            error.because("nothing can be said of any of them; the results name the reasons")
        );
    }
    if failed.is_empty() {
        return Ok(exit::SUCCESS);
    }
    let title = format!("{} of {} checks failed", failed.len(), outcomes.len());
    Err(CliError::new(ErrorKind::Found, title).because(failed.join(", ")))
}

/// The check of a configured resource: it exists and is ready, and what its kind asks beyond that.
fn built_in<'a>(session: &'a Session, snapshot: &'a Snapshot, row: &Row) -> Option<Check<'a>> {
    let desired = session.blueprint.resources.get(&row.address)?;
    // What is not configured is a matter of the next apply.
    if desired.component != row.component {
        return None;
    }
    let asked = find_meta(&row.address.kind).and_then(|meta| meta.check);
    let what = asked.map_or("it exists and is ready", |asked| asked.what);
    let lacking = lacking(snapshot, &row.address);
    let run: BoxFuture<'a, Verdict> =
        match lacking.or_else(|| row.health.fault().map(Verdict::Failed)) {
            Some(verdict) => Box::pin(ready(verdict)),
            None if asked.is_none() => Box::pin(ready(Verdict::passed())),
            None => {
                let found = snapshot.get(&row.address)?;
                let live = &found.iter().find(|one| Some(&one.live.id) == row.id.as_ref())?.live;
                let target = Target {
                    address: row.address.clone(),
                    name: row.name.clone(),
                    id: Some(live.id.clone()),
                    tags: Tags::new(),
                };
                let provider = &session.provider;
                Box::pin(async move { provider.check(&target, live).await })
            }
        };
    Some(Check {
        component: row.component.clone(),
        subject: row.address.to_string(),
        what: what.to_owned(),
        limit: LIMIT,
        run,
    })
}

/// The verdict on a resource that the endpoint does not know at all: nothing can be said of it.
fn lacking(snapshot: &Snapshot, address: &Address) -> Option<Verdict> {
    let error = snapshot.unseen(&address.kind)?;
    (error.class == ErrorClass::Unsupported).then(|| Verdict::NotRun(error.to_string()))
}

/// The value of a text, or the verdict on what refers to it.
fn known(text: &Text, snapshot: &Snapshot, live: &Live) -> Result<String, Verdict> {
    let text = filled(text, live);
    text.literal().map(str::to_owned).ok_or_else(|| {
        let lacking = text.refs().find_map(|open| lacking(snapshot, &open.to));
        lacking.unwrap_or_else(|| Verdict::Failed(format!("not known: {text}")))
    })
}

/// The checks that all outputs are known.
fn outputs<'a>(session: &Session, snapshot: &Snapshot, live: &Live) -> Vec<Check<'a>> {
    let check = |(name, value): (&String, &Text)| {
        let verdict = known(value, snapshot, live).map_or_else(|open| open, |_| Verdict::passed());
        Check {
            component: "outputs".to_owned(),
            subject: format!("outputs.{name}"),
            what: "its value is known".to_owned(),
            limit: LIMIT,
            run: Box::pin(ready(verdict)),
        }
    };
    session.blueprint.outputs.iter().map(check).collect()
}

/// A check of one's own.
fn own<'a>(
    session: &'a Session,
    snapshot: &Snapshot,
    live: &Live,
    (name, check): (&'a String, &'a Own),
) -> Check<'a> {
    let aws = session.provider.aws();
    let known = |text: &Text| known(text, snapshot, live);
    let request = || -> Result<Request, Verdict> {
        let headers = check.headers.iter();
        let headers = headers.map(|(name, value)| Ok((name.clone(), known(value)?)));
        Ok(Request {
            method: check.method.to_owned(),
            url: known(&check.url)?,
            headers: headers.collect::<Result<_, Verdict>>()?,
            body: known(&check.body)?,
            is_signed: check.is_signed,
        })
    };
    let request = request();
    Check {
        component: "checks".to_owned(),
        subject: format!("checks.{name}"),
        what: check.what(&filled(&check.url, live)),
        limit: check.timeout,
        run: Box::pin(async move {
            let answer = match request {
                Ok(request) => aws.ask(&request).await,
                Err(verdict) => Err(verdict),
            };
            match answer {
                Ok(Answer { status, error, body, took }) => {
                    check.judge(status, error.as_deref(), &body, took)
                }
                Err(verdict) => verdict,
            }
        }),
    }
}
