//! `payctl plan`.

use std::path::PathBuf;

use super::error::{CliError, ErrorKind};
use super::session::Session;
use super::{Context, cost, execute, exit, saved, secret};
use crate::aws::kinds::KINDS;
use crate::ui::style::Style;
use crate::ui::{cost as cost_text, diagram, json, plan as plan_text};
use payctl_engine::plan::Purpose;

/// Show what an apply would do, without changing anything
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write the plan to a file, for `payctl apply FILE`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the plan as a page for a browser, with the architecture
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Exit with 2 if there are changes
    #[arg(long)]
    detailed_exitcode: bool,
    /// Show what a destroy would do
    #[arg(long)]
    destroy: bool,
}

pub(super) async fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    let session = Session::open(cx, &cx.env()?).await?;
    let purpose = if args.destroy { Purpose::Destroy } else { Purpose::Apply };
    let snapshot = session.survey(purpose).await?;
    let mut plan = session.plan(&snapshot, purpose, &cx.global.targets)?;
    session.preflight(&mut plan).await?;
    let effort = Some(session.effort());
    let cost = cost::impact(&session, &plan);
    // Before anything else, so that a reader of stdout that leaves does not cost the user the file.
    let out = args.out.as_ref().filter(|_| plan.refused.is_empty());
    if let Some(path) = out {
        saved::write(path, &plan)?;
    }
    if let Some(path) = &args.html {
        let kinds: Vec<_> = KINDS.iter().map(|kind| kind.meta()).collect();
        let summary = plan_text::summary(&plan, Style::PLAIN, None);
        let summary = [Some(summary), cost_text::in_one_line(&cost)].into_iter().flatten();
        let summary = summary.collect::<Vec<_>>().join(" ");
        let drawing = diagram::of_plan(&session.blueprint, &plan, &kinds, summary);
        saved::put(path, &payctl_drawing::html(&drawing), "the page", "--html")?;
    }
    cx.show(
        "plan",
        || {
            let mut body = json::plan(&plan, effort);
            body["cost"] = cost_text::impact_json(&cost);
            body
        },
        || {
            let text = plan_text::text(&plan, cx.screen.out, cx.detail(), effort);
            text + &cost_text::block(&cost, cx.screen.out)
        },
    )?;
    if purpose == Purpose::Apply {
        secret::remind(cx, &secret::waiting(cx, &session.blueprint, &snapshot))?;
    }
    session.explain_calls(cx);
    if !plan.refused.is_empty() {
        return Err(execute::refused(&plan));
    }
    if let Some(path) = out {
        cx.note(format_args!("Plan saved. Carry it out with: payctl apply {}", path.display()));
    }
    if args.destroy
        && let Some(error) =
            execute::unlooked(&execute::of_targets(&plan.unseen, &plan), ErrorKind::Cloud)
    {
        return Err(error);
    }
    Ok(if args.detailed_exitcode && !plan.is_empty() { exit::CHANGES } else { exit::SUCCESS })
}
