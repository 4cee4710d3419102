//! Runs a command under the environment's lease, and keeps a record of what it did.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures::future::join;
use time::OffsetDateTime;
use tokio::time::sleep;

use super::error::{CliError, ErrorKind};
use super::lost::Loss;
use super::session::Session;
use super::signals::Signals;
use super::{Context, Stage, ended_by_signals, origin, variable};
use crate::aws::leases::{Leases, stamp};
use crate::ui::json;
use crate::ui::style::count;
use payctl_engine::apply::Report;
use payctl_engine::event::Verb;
use payctl_engine::lease::{
    Event, Holder, Lease, RunRecord, SANDBOX_TERMS, TERMS, TookFrom, Unheld,
};
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
    /// How the lease was lost.
    lost: Arc<Mutex<Option<Loss>>>,
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
        let lost = Arc::default();
        Self { lease: None, stopper, stop, is_cut_short, report, lost, over_budget }
    }

    /// Refuses to begin once the lease is lost.
    pub(super) fn check(&self) -> Result<(), CliError> {
        // `under` says why.
        if self.is_lost() { Err(CliError::said(ErrorKind::Partial)) } else { Ok(()) }
    }

    /// Whether the run was stopped since it lost its lease.
    pub(super) fn is_lost(&self) -> bool {
        self.loss().is_some()
    }

    fn loss(&self) -> Option<Loss> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
    let leases = Leases::new(session.provider.aws());
    let me = holder(cx, session, task).await?;
    let terms = if cx.global.sandbox { SANDBOX_TERMS } else { TERMS };
    let lease = Lease::new(&leases, me.clone(), terms, args.steal_lock);
    let (screen, scope) = (cx.screen, &session.blueprint.scope);
    let gate = &session.provider.aws().gate;
    let mut hold = Hold::none();
    let lost = hold.lost.clone();
    let listener = |event: Event| match Loss::of(&event, OffsetDateTime::now_utc()) {
        // The end of the run says it.
        Some(loss) => *lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(loss),
        None => screen.note(&said(&event, &|run| leases.heard(run))),
    };
    cx.is_leased.set(true);
    let diary = Diary::new(cx, &leases, me, task != "shift");
    let working = async {
        if args.no_lock {
            diary.begin(None).await;
        } else {
            match lease.acquire(args.lock_timeout, &hold.stop, &listener).await {
                Ok(()) => {
                    hold.lease = Some(&lease);
                    let watch = lease.watch();
                    gate.set(Some(Box::new(move || watch.is_live())));
                    diary.begin(Some(&lease)).await;
                }
                Err(Unheld::Unusable(error)) if !error.ends_everything() => {
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
    gate.set(None);
    let ended = match (hold.loss(), ended) {
        (
            Some(loss),
            Err(CliError { kind: ErrorKind::Partial | ErrorKind::Interrupted, source: None }),
        ) => {
            let done = match (&*hold.report.borrow(), cx.stage.get()) {
                (Some(did), _) => {
                    format!("{}; the list is above", count(did.changed.len(), "step"))
                }
                (None, Stage::Looking) => "nothing".to_owned(),
                (None, Stage::Changing | Stage::Changed) => "see above".to_owned(),
            };
            Err(loss.error(scope, &done))
        }
        (Some(loss), ended) => {
            screen.note(&loss.note(scope));
            ended
        }
        (None, ended) => ended,
    };
    let patience = if hold.is_cut_short.get() { HURRY } else { Duration::MAX };
    let mut signals = Signals::take()?;
    tokio::select! {
        _ = join(diary.end(&hold), lease.release()) => {}
        () = sleep(patience) => {}
        () = signals.next() => cx.is_stopped.set(true),
    }
    cx.is_leased.set(false);
    ended
}

/// This run, as it says who it is.
async fn holder(cx: &Context, session: &Session, task: &str) -> Result<Holder, CliError> {
    let origin = origin::find(&cx.global.config_dir, variable).await;
    Ok(Holder {
        run: run_id()?,
        who: session.provider.aws().caller.clone(),
        person: origin.person,
        task: task.to_owned(),
        commit: origin.commit,
        since: stamp(OffsetDateTime::now_utc()),
    })
}

/// Keeps the record of one run: a first one when it has its lease, and the whole one at its end.
struct Diary<'a> {
    cx: &'a Context,
    leases: &'a Leases<'a>,
    me: Holder,
    /// Whether runs of this sort have a record.
    is_kept: bool,
    began: tokio::time::Instant,
    /// The record from when it began, and when that was; none if nothing is recorded.
    first: RefCell<Option<(RunRecord, SystemTime)>>,
}

impl<'a> Diary<'a> {
    fn new(cx: &'a Context, leases: &'a Leases<'a>, me: Holder, is_kept: bool) -> Self {
        let began = tokio::time::Instant::now();
        Self { cx, leases, me, is_kept, began, first: RefCell::default() }
    }

    /// Records that the run is at work.
    async fn begin(&self, lease: Option<&Lease<'_>>) {
        if !self.is_kept {
            return;
        }
        let took_from = lease.and_then(Lease::took_from).map(|(from, stolen)| TookFrom {
            heard: self.leases.heard(&from.run),
            run: from.run,
            who: from.who,
            task: from.task,
            since: from.since,
            stolen,
        });
        let record = RunRecord {
            began: self.me.since.clone(),
            run: self.me.run.clone(),
            who: self.me.who.clone(),
            person: self.me.person.clone(),
            task: self.me.task.clone(),
            commit: self.me.commit.clone(),
            token: lease.and_then(Lease::token),
            result: RunRecord::RUNNING.to_owned(),
            changed: Vec::new(),
            failed: Vec::new(),
            took_from,
            heard: None,
            over_budget: None,
            unnamed: 0,
            seconds: 0,
        };
        let now = SystemTime::now();
        *self.first.borrow_mut() = Some((record.clone(), now));
        self.warn(self.leases.begin(&record, now).await);
    }

    /// Records how the run ended.
    async fn end(&self, hold: &Hold<'_>) {
        let Some((first, since)) = self.first.take() else { return };
        let Did { result, changed, failed } = hold.report.take().unwrap_or(Did {
            result: "no_change",
            changed: Vec::new(),
            failed: Vec::new(),
        });
        let record = RunRecord {
            result: result.to_owned(),
            changed,
            failed,
            over_budget: hold.over_budget.take(),
            seconds: self.began.elapsed().as_secs(),
            ..first
        };
        self.warn(self.leases.keep(&record, since).await);
    }

    fn warn(&self, kept: Result<(), OpError>) {
        if let Err(error) = kept {
            let text = format!("warning: payctl could not keep a record of this run: {error}\n");
            self.cx.screen.note(&text);
        }
    }
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

/// What is said of an event. `heard` tells when a run was heard of last.
fn said(event: &Event, heard: &dyn Fn(&str) -> Option<String>) -> String {
    match event {
        Event::Waiting(holder) => {
            format!("Waiting for the lease of the environment, which another run has: {holder}\n")
        }
        Event::Taken { from, stolen: false } => {
            let heard = heard(&from.run);
            let heard = heard.map_or_else(String::new, |at| format!(", last heartbeat at {at}"));
            format!("Took over a lease that had expired, of {from}{heard}\n")
        }
        Event::Taken { from, stolen: true } => format!(
            "Stole the lease of {from}\nWaiting until that run cannot trust its lease any more.\n"
        ),
        Event::Late => {
            "warning: the lease could not be renewed in time: no step begins until it is\n".into()
        }
        Event::Renewed => "The lease is renewed: steps begin again.\n".into(),
        // The end of the run says it.
        Event::Lost(_) | Event::GaveUp => String::new(),
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
