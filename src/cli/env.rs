//! `payctl env`.

use serde_json::json;
use time::OffsetDateTime;

use super::error::CliError;
use super::{Context, exit, session};
use crate::aws::census;
use crate::aws::clients::Aws;
use crate::config::{self, Environment};
use crate::ui::environments::{self, Matrix, Row};
use crate::ui::text::one_line;

/// Show the environments of the account, or those of the config
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List every environment in the account and region, from tags alone; no config is needed
    List {
        /// List what the config directory offers instead, without calling AWS; a template is shown
        /// with the names that it matches
        #[arg(long, conflicts_with = "matrix")]
        configured: bool,
        /// Print one job for each environment, as a CI system takes it
        #[arg(long, value_enum, value_name = "FORM")]
        matrix: Option<Form>,
    },
}

/// The form of a job matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For `strategy.matrix` of GitHub Actions
    Github,
    /// A hidden job for a GitLab child pipeline
    Gitlab,
    /// A list of objects
    Json,
}

pub(super) async fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    match args.command {
        Command::List { configured: true, .. } => configured(cx),
        Command::List { matrix, .. } => list(cx, matrix).await,
    }
}

async fn list(cx: &Context, matrix: Option<Form>) -> Result<u8, CliError> {
    let aws = session::account(cx).await?;
    let now = OffsetDateTime::now_utc();
    let rows = rows(&aws, now).await?;
    let form = matrix.map(|form| match form {
        Form::Github => Matrix::Github,
        Form::Gitlab => Matrix::Gitlab,
        Form::Json => Matrix::Json,
    });
    match form {
        Some(form) => cx.screen.data(&environments::matrix(&rows, form))?,
        None => cx.show(
            "environments",
            || environments::json(&rows),
            || environments::text(&rows, now),
        )?,
    }
    session::explain_calls(cx, &aws);
    Ok(exit::SUCCESS)
}

/// Every environment of the account in this region.
pub(super) async fn rows(aws: &Aws, now: OffsetDateTime) -> Result<Vec<Row>, CliError> {
    let found = census::environments(aws).await;
    let found = found.map_err(|error| CliError::cloud("list the environments", &error))?;
    let row = |((project, env), all): (&census::Identity, &Vec<census::Indexed>)| {
        let tags: Vec<_> = all.iter().map(|one| &one.tags).collect();
        environments::row((project, env, &aws.scope.region), &tags, now)
    };
    Ok(found.iter().map(row).collect())
}

fn configured(cx: &Context) -> Result<u8, CliError> {
    let found = config::find_environments(&cx.global.config_dir);
    let found = found.map_err(|problem| CliError::config(&[problem]))?;
    let row = |environment: &Environment| match &environment.pattern {
        None => environment.name.clone(),
        Some(pattern) => format!(
            "{} (a template for names like {pattern}, for example {})",
            environment.name,
            environment.examples.join(", ")
        ),
    };
    let row = |environment: &Environment| one_line(&row(environment)) + "\n";
    let body = |environment: &Environment| {
        json!({
            "name": environment.name,
            "file": environment.file,
            "pattern": environment.pattern,
            "examples": environment.examples,
        })
    };
    cx.show(
        "environments",
        || json!({ "environments": found.iter().map(body).collect::<Vec<_>>() }),
        || found.iter().map(row).collect(),
    )?;
    Ok(exit::SUCCESS)
}
