//! `payctl destroy`.

use std::collections::BTreeSet;
use std::time::SystemTime;

use super::confirm::{Consent, check_destroyable};
use super::error::{CliError, ErrorKind};
use super::execute::execute;
use super::expiry::Renewal;
use super::lease::{self, Hold};
use super::session::{self, Session};
use super::{Context, lenders};
use crate::aws::{census, destroyed};
use crate::config;
use payctl_engine::model::error::ErrorClass;
use payctl_engine::plan::Purpose;
use payctl_engine::survey::Snapshot;

/// Delete everything that belongs to the environment
///
/// An environment that the config does not have is found by its tags, so that this needs no checkout.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Do not ask for confirmation; data that is not disposable also needs --allow-data-loss
    #[arg(long)]
    auto_approve: bool,
    /// With --auto-approve: also allow the loss of data for good
    #[arg(long)]
    allow_data_loss: bool,
    /// The project, without a config: only if several have an environment of this name
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    #[command(flatten)]
    lease: lease::Args,
}

pub(super) async fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    let session = open(cx, args.project.as_deref()).await?;
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
    let consent = Consent {
        auto_approve: args.auto_approve,
        allow_data_loss: args.allow_data_loss,
        ..Consent::default()
    };
    carry_out(cx, session, &snapshot, consent, hold).await
}

/// Plans the destruction of what a survey found, asks, and carries it out.
pub(super) async fn carry_out(
    cx: &Context,
    session: &Session,
    snapshot: &Snapshot,
    consent: Consent<'_>,
    hold: &Hold<'_>,
) -> Result<u8, CliError> {
    let mut plan = session.plan(snapshot, Purpose::Destroy, &cx.global.targets)?;
    lenders::refuse(session, &mut plan).await?;
    execute(cx, session, &plan, &Renewal::default(), consent, hold).await
}

/// The environment of the config; without a config for it, the one that tags name, or else one that was
/// destroyed of late: a second destroy finds what the first one left.
pub(super) async fn open(cx: &Context, project: Option<&str>) -> Result<Session, CliError> {
    let (env, dir) = (cx.env()?, &cx.global.config_dir);
    let is_unknown = !dir.exists() || config::has(dir, &env).is_ok_and(|has| !has);
    if !is_unknown {
        return Session::open_for(cx, &env, Purpose::Destroy).await;
    }
    let aws = session::account(cx).await?;
    let project = match project {
        Some(project) => project.to_owned(),
        None => {
            let failed = |error| CliError::cloud("list the environments", &error);
            let living = census::environments(&aws).await.map_err(failed)?.into_keys();
            let mut projects = projects_of(&env, living);
            if projects.is_empty() {
                let gone = match destroyed::all(&aws, SystemTime::now()).await {
                    // An endpoint without the table keeps nothing of the sort.
                    Err(error) if error.class == ErrorClass::Unsupported => Vec::new(),
                    gone => gone.map_err(failed)?,
                };
                projects = projects_of(&env, gone.into_iter().map(|one| (one.project, one.env)));
            }
            only(&env, projects, &aws.scope.region)?
        }
    };
    Ok(Session::unconfigured(cx, &aws, &project, &env))
}

/// The projects that have an environment of this name, each once.
fn projects_of(env: &str, all: impl Iterator<Item = census::Identity>) -> Vec<String> {
    let named: BTreeSet<_> = all.filter(|(_, name)| name == env).collect();
    named.into_iter().map(|(project, _)| project).collect()
}

/// The one project that has an environment of this name.
fn only(env: &str, mut projects: Vec<String>, region: &str) -> Result<String, CliError> {
    match (projects.pop(), projects.is_empty()) {
        (Some(project), true) => Ok(project),
        (None, _) => {
            let title = format!("there is no environment `{env}`");
            let what = format!("neither a config nor a tag in {region} names it");
            Err(CliError::new(ErrorKind::User, title).because(what).hinted(
                "check --env and --region; if it was made a moment ago, name its --project",
            ))
        }
        (Some(last), false) => {
            let title = format!("several projects have an environment `{env}`");
            let names = format!("{}, {last}", projects.join(", "));
            Err(CliError::new(ErrorKind::User, title)
                .because(names)
                .hinted("choose one: --project"))
        }
    }
}
