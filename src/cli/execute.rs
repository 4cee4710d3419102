//! What `apply` and `destroy` share: show, confirm, carry out, report.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::confirm::{Consent, confirm};
use super::error::{CliError, ErrorKind};
use super::learned::Memory;
use super::session::Session;
use super::signals::Signals;
use super::{Context, Stage, exit, restores, session};
use crate::aws::denied;
use crate::ui::plan::View;
use crate::ui::progress::{Expected, Mode, Progress};
use crate::ui::style::count;
use crate::ui::{json as lines, looking, outputs, plan as plan_text, report};
use payctl_engine::apply::{Report, Run};
use payctl_engine::event::StepError;
use payctl_engine::graph;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::live::Owner;
use payctl_engine::model::text::Outputs;
use payctl_engine::outlook::Estimate;
use payctl_engine::plan::{Plan, Purpose, left_alone};
use payctl_engine::provider::Provider as _;
use payctl_engine::stop::stop_pair;
use payctl_engine::survey::SurveyError;

/// The hint if payctl cannot show the end of a complete run.
const MADE: &str = "payctl carried out the whole plan; see payctl status and payctl outputs";

/// Shows a plan, asks, carries it out and reports.
pub(super) async fn execute(
    cx: &Context,
    session: &Session,
    plan: &Plan,
    consent: Consent,
) -> Result<u8, CliError> {
    let (kinds, memory) = (session.provider.kinds(), Memory::of(&cx.global));
    let estimate = Estimate::of(plan, &kinds, &memory.recall(), memory.speed);
    let view = View {
        style: cx.screen.err,
        detail: cx.detail(),
        effort: Some(session.effort()),
        kinds: &kinds,
        estimate: Some(&estimate),
        is_elsewhere: !memory.is_measure(),
    };
    show_plan(cx, plan, view)?;
    if !plan.refused.is_empty() {
        return Err(refused(plan));
    }
    let Blueprint { protect, disposable, .. } = session.blueprint;
    let consent = Consent { protect, disposable, answers: cx.screen.answers, ..consent };
    confirm(plan, consent, cx.screen).await?;
    let outputs = if plan.changes.is_empty() {
        plan.outputs.clone()
    } else {
        cx.stage.set(Stage::Changing);
        let expected = match memory.is_measure() {
            true => Expected::of(plan, &estimate),
            false => Expected::default(),
        };
        let report = carry_out(cx, session, plan, expected).await?;
        cx.stage.set(Stage::Changed);
        memory.learn(&report);
        let estimate = memory.is_measure().then_some(&estimate);
        let shown = show_report(cx, session, plan, &report, estimate);
        restores::say_kept(cx, session.provider.aws(), plan, &report).await;
        shown?;
        cx.note("");
        report.outputs
    };
    match plan.purpose {
        Purpose::Apply => show_outputs(cx, session, &outputs)
            .map_err(|error| if plan.changes.is_empty() { error } else { error.hinted(MADE) })?,
        Purpose::Destroy => look_again(cx, session, plan).await?,
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
) -> Result<Report, CliError> {
    let mode = match (cx.screen.json, cx.screen.redraws) {
        (true, _) => Mode::Json(Box::new(io::stdout())),
        (false, true) => Mode::Live,
        (false, false) => Mode::Lines(Box::new(io::stderr())),
    };
    let steps = graph::steps(&plan.changes).steps.len();
    let progress = Progress::new(mode, cx.screen.err, steps, expected, Box::new(SystemTime::now));
    let (stopper, stop) = stop_pair();
    let mut signals = Signals::take()?;
    let listener = |event| progress.event(&event);
    let parallelism = usize::from(cx.global.parallelism);
    let run = Run::new(&session.provider, plan, parallelism, &stop, &listener);
    let is_cut_short = tokio::select! {
        () = run.carry_out() => false,
        () = signals.stop_twice(&stopper) => true,
    };
    progress.finish();
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
    let kind = if report.interrupted { ErrorKind::Interrupted } else { ErrorKind::Partial };
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

/// How long AWS may still list deleted objects.
const ECHO: Duration = Duration::from_secs(90);
/// The pause between two surveys.
const PAUSE: Duration = Duration::from_secs(10);

/// Surveys until nothing remains, or until the remaining objects can no longer be an echo.
async fn look_until_gone(
    mut look: impl AsyncFnMut() -> Result<Vec<String>, CliError>,
    say: impl Fn(&str),
) -> Result<Vec<String>, CliError> {
    let began = tokio::time::Instant::now();
    loop {
        let left = look().await?;
        if left.is_empty() || began.elapsed() >= ECHO {
            return Ok(left);
        }
        let what = left.join(", ");
        say(&format!("AWS still lists {what}; checking again in {} s.", PAUSE.as_secs()));
        tokio::time::sleep(PAUSE).await;
    }
}

/// After a destroy: verifies with a new survey that nothing remains.
async fn look_again(cx: &Context, session: &Session, plan: &Plan) -> Result<(), CliError> {
    let calls = session.effort().calls;
    let changed: BTreeSet<&Address> = plan.changes.iter().map(|change| &change.address).collect();
    let planned = |address: &Address| plan.targets.is_empty() || changed.contains(address);
    let unseen = RefCell::new(Vec::new());
    let claims = RefCell::new(Vec::new());
    let look = async || -> Result<Vec<String>, CliError> {
        let snapshot = session.survey(Purpose::Destroy).await?;
        *unseen.borrow_mut() = of_targets(&snapshot.unseen, plan);
        *claims.borrow_mut() = left_alone(&snapshot);
        let ours = snapshot.values().flatten().filter(|found| found.owner == Owner::Ours);
        let left = ours.filter(|found| planned(&found.address) && !session::is_vanishing(found));
        Ok(left.map(|found| format!("{} ({})", found.address, found.live.id)).collect())
    };
    let left = look_until_gone(look, |text| cx.note(text)).await?;
    let unseen = unseen.into_inner();
    let claims = claims.into_inner();
    let calls = session.effort().calls - calls;
    let kinds = session.provider.kinds().len() - unseen.len();
    if cx.screen.json {
        let body = json!({
            "scope": plan.scope,
            "left": left,
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
    if !left.is_empty() {
        return Err(CliError::new(ErrorKind::Partial, "some objects remain")
            .because(left.join("\n"))
            .hinted("run the same command again"));
    }
    if let Some(error) = unlooked(&unseen, ErrorKind::Partial) {
        return Err(error);
    }
    let what = if plan.targets.is_empty() {
        format!("nothing of {} remains", plan.scope)
    } else {
        format!("none of the targets remains in {}", plan.scope)
    };
    cx.note(format_args!("Verified: {what} ({kinds} kinds, {calls} API calls)."));
    for reason in looking::reasons(&unseen) {
        cx.note(format_args!("Not verified: {reason}."));
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// What is left according to an AWS that lists a queue for so long, and how often that was said.
    async fn left_after(echo: Duration) -> (Vec<String>, usize) {
        let began = tokio::time::Instant::now();
        let (looks, said) = (Cell::new(0), RefCell::new(Vec::new()));
        let look = async || -> Result<Vec<String>, CliError> {
            looks.set(looks.get() + 1);
            let listed = began.elapsed() < echo;
            Ok(listed.then(|| "sqs.queue/jobs (url)".to_owned()).into_iter().collect())
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
}
