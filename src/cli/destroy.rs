//! `payctl destroy`.

use super::Context;
use super::confirm::{Consent, check_destroyable};
use super::error::CliError;
use super::execute::execute;
use super::lease::{self, Hold};
use super::session::Session;
use payctl_engine::plan::Purpose;

/// Delete everything that belongs to the environment
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Do not ask for confirmation; data that is not disposable also needs --allow-data-loss
    #[arg(long)]
    auto_approve: bool,
    /// With --auto-approve: also allow the loss of data for good
    #[arg(long)]
    allow_data_loss: bool,
    #[command(flatten)]
    lease: lease::Args,
}

pub(super) async fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    let session = Session::open(cx, &cx.env()?).await?;
    check_destroyable(&session.blueprint)?;
    let work = async |hold: &Hold<'_>| change(cx, args, &session, hold).await;
    lease::under(cx, &session, &args.lease, "destroy", work).await
}

async fn change(
    cx: &Context,
    args: &Args,
    session: &Session,
    hold: &Hold<'_>,
) -> Result<u8, CliError> {
    let snapshot = session.survey(Purpose::Destroy).await?;
    let plan = session.plan(&snapshot, Purpose::Destroy, &cx.global.targets)?;
    let consent = Consent {
        auto_approve: args.auto_approve,
        allow_data_loss: args.allow_data_loss,
        ..Consent::default()
    };
    execute(cx, session, &plan, consent, hold).await
}
