//! `payctl apply`.

use std::path::PathBuf;

use super::confirm::{Consent, check_destroyable};
use super::error::{CliError, ErrorKind};
use super::execute::execute;
use super::lease::{self, Hold};
use super::preflight::Next;
use super::session::Session;
use super::{Context, expiry, saved, secret};
use payctl_engine::plan::{Plan, Purpose};
use time::OffsetDateTime;

/// Make the environment match its config
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A saved plan to carry out; payctl refuses it if anything has changed since
    #[arg(value_name = "FILE", conflicts_with = "targets")]
    file: Option<PathBuf>,
    /// Do not ask for confirmation; changes that lose data also need --allow-data-loss
    #[arg(long)]
    auto_approve: bool,
    /// With --auto-approve: also allow changes that lose data for good
    #[arg(long)]
    allow_data_loss: bool,
    /// Go on although the environment would cost more than its budget; the output and the history state the reason
    #[arg(long, value_name = "REASON", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    over_budget: Option<String>,
    /// Take the prices from AWS's price list instead of those in payctl
    #[arg(long)]
    live_prices: bool,
    /// A file of prices, which replace those in payctl
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    #[command(flatten)]
    lease: lease::Args,
}

pub(super) async fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    let saved = args.file.as_deref().map(saved::read).transpose()?;
    let env = match &saved {
        Some(plan) => env_of(cx, plan)?,
        None => cx.env()?,
    };
    let mut session = Session::open(cx, &env).await?;
    session.price(cx, args.live_prices, args.prices.as_deref()).await?;
    let work = async |hold: &Hold<'_>| change(cx, args, &session, saved.as_ref(), hold).await;
    lease::under(cx, &session, &args.lease, "apply", work).await
}

async fn change(
    cx: &Context,
    args: &Args,
    session: &Session,
    saved: Option<&Plan>,
    hold: &Hold<'_>,
) -> Result<u8, CliError> {
    let (purpose, targets) = match saved {
        Some(saved) => {
            saved::check_place(saved, &session.blueprint.scope)?;
            (saved.purpose, &saved.targets)
        }
        None => (Purpose::Apply, &cx.global.targets),
    };
    if purpose == Purpose::Destroy {
        check_destroyable(&session.blueprint)?;
    }
    let snapshot = session.survey(purpose).await?;
    // payctl compares the file with a new plan and carries out the new plan, never the file.
    let mut plan = session.plan(&snapshot, purpose, targets)?;
    if let Some(saved) = saved {
        saved::check(saved, &plan)?;
    }
    session.preflight(&mut plan, Next::Apply).await?;
    let consent = Consent {
        auto_approve: args.auto_approve,
        allow_data_loss: args.allow_data_loss,
        over_budget: args.over_budget.as_deref(),
        ..Consent::default()
    };
    let waiting = match purpose {
        Purpose::Apply => secret::waiting(cx, &session.blueprint, &snapshot),
        Purpose::Destroy => Vec::new(),
    };
    let renewal = match purpose {
        Purpose::Apply => expiry::due(session, &snapshot, OffsetDateTime::now_utc()),
        Purpose::Destroy => expiry::Renewal::default(),
    };
    let ended = execute(cx, session, &plan, &renewal, consent, hold).await;
    let reminded = secret::remind(cx, &waiting);
    ended.and_then(|code| reminded.map(|()| code))
}

/// A saved plan names its environment; the flag may only repeat it.
fn env_of(cx: &Context, plan: &Plan) -> Result<String, CliError> {
    let planned = &plan.scope.env;
    match &cx.global.env {
        Some(flag) if flag != planned => Err(CliError::new(
            ErrorKind::User,
            format!("the plan is for {planned}, not for {flag}"),
        )
        .hinted("leave out --env: the plan names its environment")),
        Some(_) | None => Ok(planned.clone()),
    }
}
