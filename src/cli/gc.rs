//! `payctl gc`.

use std::collections::{BTreeSet, VecDeque};

use serde_json::json;
use time::OffsetDateTime;

use super::confirm::{Consent, ask};
use super::destroy::carry_out;
use super::error::{CliError, ErrorKind};
use super::lease::{self, Hold};
use super::session::Session;
use super::{Context, env, execute, exit, session, sweep};
use crate::ui::environments::{self, Row, State};
use crate::ui::style::count;
use payctl_engine::model::error::ErrorClass;
use payctl_engine::model::live::Tags;
use payctl_engine::plan::Purpose;

/// Destroy every environment whose time has passed
///
/// payctl finds them by their tags, in the account and the region of the credentials. It needs no
/// config and no checkout. Environments without `ttl` and protected ones stay. It also deletes log
/// groups that a service wrote again after payctl destroyed their environment.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only show which environments would be destroyed
    #[arg(long)]
    dry_run: bool,
    /// Do not ask for confirmation; data that is not disposable stays, with its environment
    #[arg(long)]
    auto_approve: bool,
    #[command(flatten)]
    lease: lease::Args,
}

pub(super) async fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    let aws = session::account(cx).await?;
    let now = OffsetDateTime::now_utc();
    let all = env::rows(&aws, now).await?;
    let living = all.iter().map(|row| (row.project.clone(), row.env.clone())).collect();
    let expired: Vec<Row> = all.into_iter().filter(|row| row.state == State::Expired).collect();
    let late = match sweep::find(&aws, &living).await {
        Ok(late) => late,
        // An endpoint without the table keeps nothing of the sort.
        Err(error) if error.class == ErrorClass::Unsupported => BTreeSet::new(),
        Err(error) if error.ends_everything() => {
            return Err(CliError::cloud("look for what came back after a destroy", &error));
        }
        Err(error) => {
            cx.note(format_args!(
                "warning: payctl could not look for what came back after a destroy: {error}"
            ));
            BTreeSet::new()
        }
    };
    show(cx, &expired, &late, now)?;
    if args.dry_run {
        session::explain_calls(cx, &aws);
        return Ok(exit::SUCCESS);
    }
    if !late.is_empty() {
        confirm_sweep(cx, args.auto_approve, &late).await?;
    }
    let mut work: VecDeque<Task<'_>> = expired.iter().map(Task::Expired).collect();
    let swept: BTreeSet<(&str, &str)> =
        late.iter().map(|one| (one.project.as_str(), one.env.as_str())).collect();
    work.extend(swept.into_iter().map(|(project, env)| Task::Late(project, env)));
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    while let Some(task) = work.pop_front() {
        let left = std::iter::once(&task).chain(&work).map(Task::named);
        let so_far = so_far(&done, &failed, left);
        if cx.is_stopped.get() {
            let title = "stopped; what was begun is complete";
            return Err(CliError::new(ErrorKind::Interrupted, title).because(so_far));
        }
        cx.so_far.replace(Some(so_far));
        let ended = match &task {
            Task::Expired(row) => {
                let session = Session::unconfigured(cx, &aws, &row.project, &row.env);
                let collecting =
                    async |hold: &Hold<'_>| collect(cx, &session, args.auto_approve, hold).await;
                lease::under(cx, &session, &args.lease, "gc", collecting).await
            }
            Task::Late(project, env) => {
                sweep::sweep(cx, &aws, &args.lease, (project, env), &late).await
            }
        };
        match ended {
            Ok(_) => done.push(task.named()),
            Err(error) if error.kind == ErrorKind::Interrupted => {
                // An error with a text has said so already.
                if let (None, Some(so_far)) = (&error.source, &*cx.so_far.borrow()) {
                    cx.note(so_far);
                }
                return Err(error);
            }
            Err(error) => {
                cx.complain(&error);
                failed.push(task.named());
            }
        }
    }
    cx.so_far.replace(None);
    if failed.is_empty() {
        return Ok(exit::SUCCESS);
    }
    let title = format!("{} could not be destroyed completely", count(failed.len(), "environment"));
    Err(CliError::new(ErrorKind::User, title)
        .because(failed.join(", "))
        .hinted("run the same command again"))
}

/// One environment that `gc` works on.
enum Task<'a> {
    /// Its time has passed.
    Expired(&'a Row),
    /// It was destroyed, and something of it came back.
    Late(&'a str, &'a str),
}

impl Task<'_> {
    fn named(&self) -> String {
        match self {
            Self::Expired(row) => row.env.clone(),
            Self::Late(_, env) => format!("{env} (written late)"),
        }
    }
}

/// What an interrupted run says: what is done, and what is left.
fn so_far(done: &[String], failed: &[String], left: impl Iterator<Item = String>) -> String {
    let left: Vec<String> = left.collect();
    let parts = [("done", done), ("failed", failed), ("left", left.as_slice())];
    let parts = parts.iter().filter(|(_, envs)| !envs.is_empty());
    let parts: Vec<String> =
        parts.map(|(word, envs)| format!("{word}: {}", envs.join(", "))).collect();
    parts.join("; ")
}

fn show(
    cx: &Context,
    expired: &[Row],
    late: &BTreeSet<sweep::Leftover>,
    now: OffsetDateTime,
) -> Result<(), CliError> {
    let body = || {
        let mut body = environments::json(expired);
        body["leftovers"] = json!(late);
        body
    };
    let text = || {
        let environments = match expired.is_empty() {
            true => "No environment has expired.\n".to_owned(),
            false => environments::text(expired, now),
        };
        let late = if late.is_empty() { String::new() } else { sweep::text(late) };
        environments + &late
    };
    cx.show("expired", body, text)
}

/// Asks before anything that came back is deleted: nobody can restore it.
async fn confirm_sweep(
    cx: &Context,
    auto_approve: bool,
    late: &BTreeSet<sweep::Leftover>,
) -> Result<(), CliError> {
    if auto_approve {
        return Ok(());
    }
    if !cx.screen.answers {
        let title = "cannot ask for confirmation: not a terminal";
        return Err(CliError::new(ErrorKind::User, title)
            .hinted("run it in a terminal, or with --auto-approve"));
    }
    let what = count(late.len(), "object");
    ask(cx.screen, format!("Type yes to delete {what} written late as well: "), "yes").await
}

/// Destroys one environment, if its objects themselves say that its time has passed: the index lags,
/// and an apply may have moved the time on a moment ago.
async fn collect(
    cx: &Context,
    session: &Session,
    auto_approve: bool,
    hold: &Hold<'_>,
) -> Result<u8, CliError> {
    let snapshot = session.survey(Purpose::Destroy).await?;
    let tags: Vec<&Tags> = session::ours(&snapshot).map(|found| &found.live.tags).collect();
    let has_passed = match environments::expiry(tags.iter().copied()) {
        Some(time) => time <= OffsetDateTime::now_utc(),
        // What has no tags of its own may be all that is left.
        None => tags.iter().all(|tags| tags.is_empty()),
    };
    if tags.is_empty() {
        // Nothing was found, or nothing could be read.
        return match execute::unlooked(&snapshot.unseen, ErrorKind::Cloud) {
            Some(error) => Err(error),
            None => Ok(exit::SUCCESS),
        };
    }
    if !has_passed {
        let env = &session.blueprint.scope.env;
        cx.note(format_args!("{env} stays: an apply moved its time on."));
        return Ok(exit::SUCCESS);
    }
    let consent = Consent { auto_approve, ..Consent::default() };
    carry_out(cx, session, &snapshot, consent, hold).await
}
