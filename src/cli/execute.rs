//! What `apply` and `destroy` share: show, confirm, carry out, report.

use std::collections::BTreeMap;
use std::io;
use std::time::SystemTime;

use super::confirm::{Consent, confirm};
use super::error::{CliError, ErrorKind};
use super::expiry::{Renewal, renew};
use super::forecast::Forecast;
use super::lease::Hold;
use super::session::Session;
use super::signals::Signals;
use super::{Context, Stage, budget, exit, receipt, restores, sweep};
use crate::aws::denied;
use crate::ui::live::Expected;
use crate::ui::plan::View;
use crate::ui::progress::{Mode, Progress};
use crate::ui::style::count;
use crate::ui::{json as lines, looking, outputs, plan as plan_text, report};
use payctl_engine::apply::{Report, Run};
use payctl_engine::event::StepError;
use payctl_engine::graph;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::text::Outputs;
use payctl_engine::outlook::Estimate;
use payctl_engine::plan::{Plan, Purpose};
use payctl_engine::provider::Provider as _;
use payctl_engine::survey::SurveyError;

/// The hint if payctl cannot show the end of a complete run.
const MADE: &str = "payctl carried out the whole plan; see payctl status and payctl outputs";

/// Shows a plan, asks, carries it out and reports.
pub(super) async fn execute(
    cx: &Context,
    session: &Session,
    plan: &Plan,
    renewal: &Renewal,
    consent: Consent<'_>,
    hold: &Hold<'_>,
) -> Result<u8, CliError> {
    let forecast = Forecast::of(cx, session, plan, renewal.end);
    show_plan(cx, plan, forecast.view(cx, session, cx.screen.err))?;
    if !plan.refused.is_empty() {
        return Err(refused(plan));
    }
    *hold.over_budget.borrow_mut() = budget::check(cx, session, plan, consent.over_budget)?;
    let Blueprint { protect, disposable, .. } = session.blueprint;
    let consent = Consent { protect, disposable, answers: cx.screen.answers, ..consent };
    confirm(plan, consent, cx.screen).await?;
    hold.check()?;
    // First, so that nobody collects an environment while it is applied.
    renew(cx, session, renewal).await;
    let outputs = if plan.changes.is_empty() {
        hold.record(&Report::default());
        plan.outputs.clone()
    } else {
        if plan.purpose == Purpose::Destroy {
            sweep::remember(cx, session, plan, hold).await;
        }
        cx.stage.set(Stage::Changing);
        let Forecast { memory, estimate, .. } = &forecast;
        let expected = match memory.is_measure() {
            true => Expected::of(plan, estimate),
            false => Expected::default(),
        };
        let report = carry_out(cx, session, plan, expected, hold).await?;
        cx.stage.set(Stage::Changed);
        memory.learn(&report);
        hold.record(&report);
        let estimate = memory.is_measure().then_some(estimate);
        let shown = show_report(cx, session, plan, &report, estimate, hold);
        restores::say_kept(cx, session.provider.aws(), plan, &report).await;
        shown?;
        cx.note("");
        report.outputs
    };
    match plan.purpose {
        Purpose::Apply => show_outputs(cx, session, &outputs)
            .map_err(|error| if plan.changes.is_empty() { error } else { error.hinted(MADE) })?,
        Purpose::Destroy => {
            // A destroy is complete once nothing is left.
            hold.end_as("incomplete");
            receipt::show(cx, session, plan).await?;
            hold.end_as("complete");
        }
    }
    session.explain_calls(cx);
    Ok(exit::SUCCESS)
}

/// The plan before it is carried out: a message for people, since the outputs are the data.
fn show_plan(cx: &Context, plan: &Plan, view: View<'_>) -> Result<(), CliError> {
    let line = || lines::line(SystemTime::now(), "plan", &lines::plan(plan, view));
    let text = || plan_text::text(plan, view);
    let shown = if cx.screen.json {
        cx.screen.data(&line())
    } else {
        cx.screen.tell(&format!("{}\n", text()))
    };
    // payctl does not carry out a plan that the user cannot see.
    shown.map_err(|error| CliError::from(error).hinted("nothing was changed"))
}

/// Why a plan with refused resources is not carried out.
pub(super) fn refused(plan: &Plan) -> CliError {
    let addresses: Vec<String> =
        plan.refused.iter().map(|refused| refused.address.to_string()).collect();
    CliError::new(ErrorKind::User, "the plan cannot be carried out; nothing was changed")
        .because(format!("refused: {}", addresses.join(", ")))
        .hinted("each refusal above says what to do")
}

async fn carry_out(
    cx: &Context,
    session: &Session,
    plan: &Plan,
    expected: Expected,
    hold: &Hold<'_>,
) -> Result<Report, CliError> {
    let mode = match (cx.screen.json, cx.screen.redraws) {
        (true, _) => Mode::Json(Box::new(io::stdout())),
        (false, true) => Mode::Live,
        (false, false) => Mode::Lines(Box::new(io::stderr())),
    };
    let steps = graph::steps(&plan.changes).steps.len();
    let progress = Progress::new(mode, cx.screen.err, steps, expected, Box::new(SystemTime::now));
    let mut signals = Signals::take()?;
    let listener = |event| progress.event(&event);
    let parallelism = usize::from(cx.global.parallelism);
    let run = Run::new(&session.provider, plan, parallelism, &hold.stop, &listener);
    let run = match hold.lease {
        Some(lease) => run.under(lease),
        None => run,
    };
    let is_cut_short = tokio::select! {
        () = run.carry_out() => false,
        () = signals.stop_twice(&hold.stopper) => true,
    };
    progress.finish();
    hold.is_cut_short.set(is_cut_short);
    if is_cut_short {
        cx.note("Stopped at once: calls in flight may still have taken effect.");
    }
    let mut report = run.report();
    for (_, _, error) in &mut report.failed {
        if let StepError::Refused(error) | StepError::TimedOut { error, .. } = error {
            denied::decode(session.provider.aws(), error).await;
        }
    }
    Ok(report)
}

fn show_report(
    cx: &Context,
    session: &Session,
    plan: &Plan,
    report: &Report,
    estimate: Option<&Estimate>,
    hold: &Hold<'_>,
) -> Result<(), CliError> {
    let kinds = session.provider.kinds();
    let line = lines::line(SystemTime::now(), "report", &lines::report(plan, report, &kinds));
    let text = report::text(plan, report, &kinds, estimate, cx.screen.err);
    let shown = if cx.screen.json {
        cx.screen.data(&line)
    } else {
        cx.screen.note(&format!("\n{text}"));
        Ok(())
    };
    if shown.is_err() {
        cx.screen.note(&text);
    }
    if report.is_complete() {
        return shown.map_err(|error| CliError::from(error).hinted(MADE));
    }
    // A report that cannot be written does not change how the run ended.
    session.explain_calls(cx);
    // A signal stops a run, and so does the loss of its lease.
    let is_by_signal = report.interrupted && !hold.is_lost();
    let kind = if is_by_signal { ErrorKind::Interrupted } else { ErrorKind::Partial };
    Err(CliError::said(kind))
}

fn show_outputs(
    cx: &Context,
    session: &Session,
    live: &BTreeMap<Address, Outputs>,
) -> Result<(), CliError> {
    let outputs = outputs::resolved(&session.blueprint.outputs, live);
    if outputs.is_empty() && !cx.screen.json {
        return Ok(());
    }
    cx.note("Outputs:");
    let text = || outputs::text(&outputs, &session.described, cx.screen.out);
    cx.show("outputs", || lines::outputs(&outputs, &session.described), text)
}

/// The kinds that a plan is about and that payctl could not read.
pub(super) fn of_targets(unseen: &[SurveyError], plan: &Plan) -> Vec<SurveyError> {
    let is_meant = |kind: &str| {
        let kind_of = |target: &str| target.split('/').next() == Some(kind);
        plan.targets.is_empty() || plan.targets.iter().any(|target| kind_of(target))
    };
    unseen.iter().filter(|unseen| is_meant(&unseen.kind)).cloned().collect()
}

/// The error of a destroy that cannot say whether anything remains: payctl could not read some
/// kinds that the endpoint may hold.
pub(super) fn unlooked(unseen: &[SurveyError], kind: ErrorKind) -> Option<CliError> {
    let failed = unseen.iter().filter(|unseen| !unseen.is_unsupported()).cloned();
    let failed: Vec<SurveyError> = failed.collect();
    let first = failed.first()?;
    let title =
        format!("{} could not be read: their objects may remain", count(failed.len(), "kind"));
    let hints = report::hints(&first.error, &first.kind);
    let error = CliError::new(kind, title).because(looking::reasons(&failed).join("\n"));
    Some(hints.into_iter().fold(error, CliError::hinted))
}
