//! `payctl gc`.

use time::OffsetDateTime;

use super::confirm::Consent;
use super::destroy::carry_out;
use super::error::{CliError, ErrorKind};
use super::lease::{self, Hold};
use super::session::Session;
use super::{Context, env, exit, session};
use crate::ui::environments::{self, Row, State};
use crate::ui::style::count;
use payctl_engine::model::live::Tags;
use payctl_engine::plan::Purpose;

/// Destroy every environment whose time has passed
///
/// payctl finds them by their tags, in the account and the region of the credentials. It needs no
/// config and no checkout. Environments without `ttl` and protected ones stay.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only show which environments would be destroyed
    #[arg(long)]
    dry_run: bool,
    /// Do not ask for confirmation; data that is not disposable stays, with its environment
    #[arg(long)]
    auto_approve: bool,
    #[command(flatten)]
    lease: lease::Args,
}

pub(super) async fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    let aws = session::account(cx).await?;
    let now = OffsetDateTime::now_utc();
    let all = env::rows(&aws, now).await?;
    let expired: Vec<Row> = all.into_iter().filter(|row| row.state == State::Expired).collect();
    let text = || match expired.is_empty() {
        true => "No environment has expired.\n".to_owned(),
        false => environments::text(&expired, now),
    };
    cx.show("expired", || environments::json(&expired), text)?;
    if args.dry_run {
        session::explain_calls(cx, &aws);
        return Ok(exit::SUCCESS);
    }
    let mut failed = Vec::new();
    for row in &expired {
        let session = Session::unconfigured(cx, &aws, &row.project, &row.env);
        let work = async |hold: &Hold<'_>| collect(cx, &session, args.auto_approve, hold).await;
        match lease::under(cx, &session, &args.lease, "gc", work).await {
            Ok(_) => {}
            Err(error) if error.kind == ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                cx.complain(&error);
                failed.push(row.env.clone());
            }
        }
    }
    if failed.is_empty() {
        return Ok(exit::SUCCESS);
    }
    let title = format!("{} could not be destroyed completely", count(failed.len(), "environment"));
    Err(CliError::new(ErrorKind::User, title)
        .because(failed.join(", "))
        .hinted("run the same command again"))
}

/// Destroys one environment, if its objects themselves say that its time has passed: the index lags,
/// and an apply may have moved the time on a moment ago.
async fn collect(
    cx: &Context,
    session: &Session,
    auto_approve: bool,
    hold: &Hold<'_>,
) -> Result<u8, CliError> {
    let snapshot = session.survey(Purpose::Destroy).await?;
    let tags: Vec<&Tags> = session::ours(&snapshot).map(|found| &found.live.tags).collect();
    let has_passed = match environments::expiry(tags.iter().copied()) {
        Some(time) => time <= OffsetDateTime::now_utc(),
        // What has no tags of its own may be all that is left.
        None => tags.iter().all(|tags| tags.is_empty()),
    };
    if tags.is_empty() {
        return Ok(exit::SUCCESS);
    }
    if !has_passed {
        let env = &session.blueprint.scope.env;
        cx.note(format_args!("{env} stays: an apply moved its time on."));
        return Ok(exit::SUCCESS);
    }
    let consent = Consent { auto_approve, ..Consent::default() };
    carry_out(cx, session, &snapshot, consent, hold).await
}
