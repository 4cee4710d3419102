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
use crate::aws::census::{self, Identity};
use crate::aws::clients::Aws;
use crate::aws::destroyed;
use crate::config;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::Owner;
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
    if args.project.is_some() && is_empty(&snapshot) {
        check_existence(session).await?;
    }
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
        let session = Session::open_for(cx, &env, Purpose::Destroy).await?;
        let own = &session.blueprint.scope.project;
        return match project.filter(|project| project != own) {
            Some(other) => Err(other_project(&env, own, other)),
            None => Ok(session),
        };
    }
    let aws = session::account(cx).await?;
    let project = match project {
        Some(project) => project.to_owned(),
        None => {
            let mut projects = projects_of(&env, living(&aws).await?.into_iter());
            if projects.is_empty() {
                projects = projects_of(&env, gone(&aws).await?.into_iter());
            }
            only(&env, projects, &aws.scope.region)?
        }
    };
    Ok(Session::unconfigured(cx, &aws, &project, &env))
}

/// The environments that tags name.
async fn living(aws: &Aws) -> Result<Vec<Identity>, CliError> {
    let living = census::environments(aws).await.map_err(|error| unlisted(&error))?;
    Ok(living.into_keys().collect())
}

/// The environments that were destroyed of late.
async fn gone(aws: &Aws) -> Result<Vec<Identity>, CliError> {
    let gone = match destroyed::all(aws, SystemTime::now()).await {
        // An endpoint without the table keeps nothing of the sort.
        Err(error) if error.class == ErrorClass::Unsupported => Vec::new(),
        gone => gone.map_err(|error| unlisted(&error))?,
    };
    Ok(gone.into_iter().map(|one| (one.project, one.env)).collect())
}

fn unlisted(error: &OpError) -> CliError {
    CliError::cloud("list the environments", error)
}

/// Whether nothing of the environment exists, as far as payctl could look.
fn is_empty(snapshot: &Snapshot) -> bool {
    let mut found = snapshot.values().flatten();
    snapshot.unseen.is_empty() && !found.any(|one| one.owner == Owner::Ours)
}

/// A project that a person names may be a slip: what never existed is not destroyed.
async fn check_existence(session: &Session) -> Result<(), CliError> {
    let (aws, scope) = (session.provider.aws(), &session.blueprint.scope);
    let own: Identity = (scope.project.clone(), scope.env.clone());
    let living = living(aws).await?;
    if living.contains(&own) || gone(aws).await?.contains(&own) {
        return Ok(());
    }
    let alike = living.iter().filter(|(project, env)| *project == own.0 || *env == own.1);
    let alike: Vec<String> = alike.map(|(project, env)| format!("{env} of {project}")).collect();
    let (project, env) = own;
    let title = format!("there is no environment `{env}` of the project `{project}`");
    let what =
        format!("nothing in {} belongs to it, and nothing was destroyed of late", scope.region);
    let hint = match alike.as_slice() {
        [] => "check --env, --project and --region".to_owned(),
        alike => format!("check --env and --project; there is {}", alike.join(", ")),
    };
    Err(CliError::new(ErrorKind::User, title).because(what).hinted(hint))
}

/// The config names another project than the command.
fn other_project(env: &str, own: &str, other: &str) -> CliError {
    let title = format!("the config of `{env}` is of the project `{own}`, not `{other}`");
    CliError::new(ErrorKind::User, title).hinted(format!(
        "leave --project out, or destroy `{env}` of `{other}` where no config has it: --config-dir"
    ))
}

/// The projects that have an environment of this name, each once.
fn projects_of(env: &str, all: impl Iterator<Item = Identity>) -> Vec<String> {
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
