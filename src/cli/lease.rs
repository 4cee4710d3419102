//! Runs a command under the environment's lease, and keeps a record of what it did.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use futures::future::join;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::sleep;

use super::error::{CliError, ErrorKind};
use super::session::Session;
use super::signals::Signals;
use super::{Context, ended_by_signals};
use crate::aws::leases::Leases;
use crate::ui::json;
use payctl_engine::apply::Report;
use payctl_engine::event::Verb;
use payctl_engine::lease::{Event, Holder, Lease, RunRecord, SANDBOX_TERMS, TERMS, Unheld};
use payctl_engine::model::address::Address;
use payctl_engine::model::error::OpError;
use payctl_engine::stop::{Stop, Stopper, stop_pair};

/// How a command treats the lease.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "The lease of the environment")]
// Each command has a group `Args` of its own.
#[group(skip)]
pub(super) struct Args {
    /// How long to wait while another run has the lease: 90s, 10m, 1h
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = time)]
    lock_timeout: Duration,
    /// Do not take the lease
    #[arg(long)]
    no_lock: bool,
    /// Take the lease from the run that has it; that run stops
    #[arg(long, conflicts_with = "no_lock")]
    steal_lock: bool,
}

/// A time with a unit.
fn time(text: &str) -> Result<Duration, String> {
    let units = [('s', 1), ('m', 60), ('h', 3600)];
    let seconds = units.iter().find_map(|(unit, seconds)| {
        let number: u32 = text.strip_suffix(*unit)?.parse().ok()?;
        Some(u64::from(number) * seconds)
    });
    let seconds = seconds.ok_or_else(|| "write a number and s, m or h, such as 90s".to_owned())?;
    Ok(Duration::from_secs(seconds))
}

/// What a command works under: the lease, if there is one, and the wish to stop.
pub(super) struct Hold<'a> {
    /// The lease that this run holds.
    pub(super) lease: Option<&'a Lease<'a>>,
    /// Asks for a stop.
    pub(super) stopper: Stopper,
    /// Whether a stop was asked for, also because the lease is lost.
    pub(super) stop: Stop,
    /// Whether somebody stopped the run at once, and does not wait for its record.
    pub(super) is_cut_short: Cell<bool>,
    report: RefCell<Option<Did>>,
    /// Why the run goes over the budget, for its record.
    pub(super) over_budget: RefCell<Option<String>>,
}

/// How long a run that is stopped at once may take for its record and its lease, which expires by itself.
const HURRY: Duration = Duration::from_millis(500);

/// What a run did, for its record.
struct Did {
    result: &'static str,
    changed: Vec<String>,
    failed: Vec<String>,
}

impl Hold<'_> {
    /// Without a lease.
    pub(super) fn none() -> Self {
        let (stopper, stop) = stop_pair();
        let is_cut_short = Cell::new(false);
        let (report, over_budget) = (RefCell::default(), RefCell::default());
        Self { lease: None, stopper, stop, is_cut_short, report, over_budget }
    }

    /// Refuses to begin once the lease is lost.
    pub(super) fn check(&self) -> Result<(), CliError> {
        if self.stop.is_requested() {
            let title = "another run has taken the lease; nothing was changed";
            return Err(CliError::new(ErrorKind::User, title).hinted("run the command again"));
        }
        Ok(())
    }

    /// Whether the run was stopped since it could not trust its lease any more.
    pub(super) fn is_lost(&self) -> bool {
        self.stop.is_requested() && self.lease.is_some_and(|lease| !lease.is_live())
    }

    /// Remembers how a run ended of which all steps are done.
    pub(super) fn end_as(&self, result: &'static str) {
        if let Some(did) = self.report.borrow_mut().as_mut() {
            did.result = result;
        }
    }

    /// Remembers what the run did.
    pub(super) fn record(&self, report: &Report) {
        let result = match (report.interrupted, report.is_complete()) {
            (_, true) => "complete",
            (true, false) => "interrupted",
            (false, false) => "failed",
        };
        let named = |address: &Address, verb: &Verb| format!("{} {address}", json::step(*verb));
        let changed = report.done.iter().map(|(address, verb)| named(address, verb));
        let failed = report.failed.iter().map(|(address, verb, _)| named(address, verb));
        let did = Did { result, changed: changed.collect(), failed: failed.collect() };
        *self.report.borrow_mut() = Some(did);
    }
}

/// Takes the lease, works, keeps a record of the run and gives the lease back. A signal ends the waiting
/// and the looking; the lease is given back then as well.
pub(super) async fn under(
    cx: &Context,
    session: &Session,
    args: &Args,
    task: &str,
    work: impl AsyncFnOnce(&Hold<'_>) -> Result<u8, CliError>,
) -> Result<u8, CliError> {
    let aws = session.provider.aws();
    let leases = Leases::new(aws);
    let began = tokio::time::Instant::now();
    let since = OffsetDateTime::now_utc().truncate_to_second().format(&Rfc3339);
    let since = since.map_err(|error| CliError::new(ErrorKind::Bug, error.to_string()))?;
    let me = Holder { run: run_id()?, who: aws.caller.clone(), task: task.to_owned(), since };
    let terms = if cx.global.sandbox { SANDBOX_TERMS } else { TERMS };
    let lease = Lease::new(&leases, me.clone(), terms, args.steal_lock);
    let screen = cx.screen;
    let listener = move |event: Event| screen.note(&said(&event));
    let mut hold = Hold::none();
    cx.is_leased.set(true);
    let mut is_usable = true;
    let working = async {
        if !args.no_lock {
            match lease.acquire(args.lock_timeout, &hold.stop, &listener).await {
                Ok(()) => hold.lease = Some(&lease),
                Err(Unheld::Unusable(error)) if !error.ends_everything() => {
                    is_usable = false;
                    screen.note(&without(&error));
                }
                Err(unheld) => return Err(held(session, unheld)),
            }
        }
        let hold = &hold;
        let keeping = async {
            match hold.lease {
                Some(lease) => lease.keep(&hold.stopper, &listener).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = work(hold) => ended,
            never = keeping => match never {},
        }
    };
    let ended = Box::pin(ended_by_signals(cx, working, || true)).await;
    let recording = async {
        let Some(did) = hold.report.borrow_mut().take().filter(|_| is_usable && task != "shift")
        else {
            return;
        };
        let record = RunRecord {
            began: me.since.clone(),
            run: me.run.clone(),
            who: me.who.clone(),
            task: me.task.clone(),
            commit: commit(&cx.global.config_dir),
            token: lease.token(),
            result: did.result.to_owned(),
            changed: did.changed,
            failed: did.failed,
            over_budget: hold.over_budget.borrow().clone(),
            stole_from: lease.took_from().filter(|(_, stole)| *stole).map(|(from, _)| from.run),
            unnamed: 0,
            seconds: began.elapsed().as_secs(),
        };
        if let Err(error) = leases.keep(&record, SystemTime::now()).await {
            screen.note(&format!("warning: payctl could not keep a record of this run: {error}\n"));
        }
    };
    let patience = if hold.is_cut_short.get() { HURRY } else { Duration::MAX };
    let mut signals = Signals::take()?;
    tokio::select! {
        // The record first takes the token of the lease that is given back.
        _ = join(recording, lease.release()) => {}
        () = sleep(patience) => {}
        () = signals.next() => cx.is_stopped.set(true),
    }
    cx.is_leased.set(false);
    ended
}

/// The error of a run that does not get the lease.
fn held(session: &Session, unheld: Unheld) -> CliError {
    let scope = &session.blueprint.scope;
    match unheld {
        Unheld::TimedOut(holder) => {
            let title = format!("another run has the lease of {scope}; nothing was changed");
            let error = CliError::new(ErrorKind::User, title);
            let error = match holder {
                Some(holder) => error.because(holder),
                None => error,
            };
            error
                .hinted("wait until it has ended, or wait longer with --lock-timeout")
                .hinted("if it hangs, --steal-lock takes its lease, and it stops")
        }
        Unheld::Unusable(error) => CliError::cloud("take the lease", &error),
        Unheld::Stopped => CliError::new(ErrorKind::Interrupted, "stopped; nothing was changed"),
    }
}

/// What is said of a store that cannot be used.
fn without(error: &OpError) -> String {
    format!(
        "warning: payctl goes on without the lease of the environment: {error}\n  Another run could \
         work at the same time. Nothing depends on the lease; --no-lock leaves it out.\n"
    )
}

fn said(event: &Event) -> String {
    match event {
        Event::Waiting(holder) => {
            format!("Waiting for the lease of the environment, which another run has: {holder}\n")
        }
        Event::Taken { from, stolen: false } => {
            format!("Took the lease of a run that was not heard of any more: {from}\n")
        }
        Event::Taken { from, stolen: true } => format!(
            "Stole the lease of {from}\nWaiting until that run cannot trust its lease any more.\n"
        ),
        Event::Late => {
            "warning: the lease could not be renewed in time: no step begins until it is\n".into()
        }
        Event::Renewed => "The lease is renewed: steps begin again.\n".into(),
        Event::Lost(Some(by)) => {
            format!("warning: another run has taken the lease, so this one stops: {by}\n")
        }
        Event::Lost(None) => "warning: the lease is gone, so this run stops\n".into(),
        Event::GaveUp => {
            "warning: the lease could not be renewed for 5 minutes, so this run stops\n".into()
        }
    }
}

/// What tells this run from any other.
pub(super) fn run_id() -> Result<String, CliError> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| {
        CliError::new(ErrorKind::User, "cannot get random numbers from the system").because(error)
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The commit of the config, if git knows one.
fn commit(dir: &Path) -> Option<String> {
    let mut git = Command::new("git");
    git.arg("-C").arg(dir).args(["rev-parse", "--verify", "HEAD"]);
    let ended = git.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let commit = String::from_utf8(ended.stdout).ok()?.trim().to_owned();
    (ended.status.success() && commit.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .then_some(commit)
}
