//! `payctl plan`.

use std::path::PathBuf;

use time::OffsetDateTime;

use super::error::{CliError, ErrorKind};
use super::forecast::Forecast;
use super::preflight::Next;
use super::session::Session;
use super::{Context, environment, execute, exit, expiry, fleet, saved, secret, variable};
use crate::ui::style::Style;
use crate::ui::{diagram, impact, json, markdown, plan as plan_text};
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
    /// Take the prices from AWS's price list instead of those in payctl
    #[arg(long)]
    live_prices: bool,
    /// A file of prices, which replace those in payctl
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Exit with 2 if there are changes
    #[arg(long)]
    detailed_exitcode: bool,
    /// Show what a destroy would do
    #[arg(long)]
    destroy: bool,
    /// Plan every environment with one reading of the account: those that have a file, and those
    /// that exist and that a template takes; `--env 'pr-*'` plans those that fit
    #[arg(long, conflicts_with_all = ["out", "html", "destroy", "format", "env"])]
    all: bool,
    /// The form of the plan: `text`, or `markdown` for `payctl comment`
    #[arg(
        long,
        value_enum,
        value_name = "FORM",
        default_value_t,
        hide_possible_values = true,
        conflicts_with = "json"
    )]
    format: Format,
}

/// The form of a plan for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    #[default]
    Text,
    Markdown,
}

/// Where the run of a CI job shows its whole output.
fn run_of_job() -> Option<String> {
    variable("CI_JOB_URL").or_else(|| {
        let [server, repository, run] =
            ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"].map(variable);
        Some(format!("{}/{}/actions/runs/{}", server?, repository?, run?))
    })
}

/// The pattern of the environments to plan, if there may be several.
fn pattern(cx: &Context, args: &Args) -> Result<Option<String>, CliError> {
    let named = environment::named(cx.global.env.as_deref(), variable);
    let pattern = if args.all { Some("*".to_owned()) } else { named };
    let Some(pattern) = pattern.filter(|name| environment::is_pattern(name)) else {
        return Ok(None);
    };
    let alone = [
        ("--out", args.out.is_some()),
        ("--html", args.html.is_some()),
        ("--destroy", args.destroy),
        ("--format", args.format != Format::Text),
        ("--target", !cx.global.targets.is_empty()),
    ];
    match alone.iter().find(|(_, is_set)| *is_set) {
        None => Ok(Some(pattern)),
        Some((flag, _)) => {
            let title = format!("{flag} needs one environment, not several");
            Err(CliError::new(ErrorKind::User, title).hinted("name one: --env NAME"))
        }
    }
}

pub(super) async fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    if let Some(pattern) = pattern(cx, args)? {
        return Box::pin(fleet::plan(cx, &pattern, args.detailed_exitcode)).await;
    }
    let mut session = Session::open(cx, &cx.env()?).await?;
    session.price(cx, args.live_prices, args.prices.as_deref()).await?;
    let purpose = if args.destroy { Purpose::Destroy } else { Purpose::Apply };
    let snapshot = session.survey(purpose).await?;
    let mut plan = session.plan(&snapshot, purpose, &cx.global.targets)?;
    session.preflight(&mut plan, Next::Show).await?;
    let end = match purpose {
        Purpose::Apply => expiry::due(&session, &snapshot, OffsetDateTime::now_utc()).end,
        Purpose::Destroy => None,
    };
    let forecast = Forecast::of(cx, &session, &plan, end);
    let view = forecast.view(cx, &session, cx.screen.out);
    // Before anything else, so that a reader of stdout that leaves does not cost the user the file.
    let out = args.out.as_ref().filter(|_| plan.refused.is_empty());
    if let Some(path) = out {
        saved::write(path, &plan)?;
    }
    if let Some(path) = &args.html {
        let summary = plan_text::summary(&plan, Style::PLAIN, None);
        let summary = [Some(summary), impact::in_one_line(&forecast.cost)].into_iter().flatten();
        let summary = summary.collect::<Vec<_>>().join(" ");
        let drawing = diagram::of_plan(&session.blueprint, &plan, &forecast.kinds, summary);
        saved::put(path, &payctl_drawing::html(&drawing), "the page", "--html")?;
    }
    let text = || match args.format {
        Format::Text => plan_text::text(&plan, view),
        Format::Markdown => markdown::text(&plan, view, run_of_job().as_deref()),
    };
    cx.show("plan", || json::plan(&plan, view), text)?;
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
