//! Restores from a backup, a snapshot or a point in time: payctl checks them before it changes
//! anything, and the plan describes them. Also the backups that AWS keeps of deleted objects.

use std::time::{Duration, SystemTime};

use futures::future::try_join_all;
use serde_json::json;

use super::Context;
use super::error::{CliError, ErrorKind};
use crate::aws::clients::Aws;
use crate::aws::restores::{Kept, Origin, kept, look};
use crate::ui::json as lines;
use crate::ui::style::{count, span};
use payctl_engine::apply::Report;
use payctl_engine::event::Verb;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::error::OpError;
use payctl_engine::model::text::each_ref;
use payctl_engine::plan::{Action, Change, Plan};

/// Refuses a plan whose sources are missing or do not fit, and describes them in the plan. It makes
/// no call if the plan does not restore anything.
pub(super) async fn check(
    aws: &Aws,
    blueprint: &Blueprint,
    plan: &mut Plan,
) -> Result<(), CliError> {
    let made = plan.changes.iter().filter(|change| change.action == Action::Create);
    let made = made.filter_map(|change| Some((change, change.want.as_ref()?)));
    let looks = made.map(|(change, want)| async move {
        let user = user_of(blueprint, change);
        let looked = look(aws, &change.address, &want.spec, user).await?;
        Ok::<_, OpError>((change.address.clone(), looked))
    });
    let looked = try_join_all(looks).await;
    let looked =
        looked.map_err(|error| CliError::cloud("read the source of the restore", &error))?;
    let mut refused = Vec::new();
    for (address, looked) in looked {
        let Some(looked) = looked else { continue };
        let deleted = |origin: &Origin| {
            plan.changes.iter().any(|change| {
                let live = change.live.as_ref().filter(|_| change.address.kind == address.kind);
                matches!(change.action, Action::Delete | Action::Replace)
                    && live.is_some_and(|live| Some(&live.id) == origin.stands.as_ref())
            })
        };
        let looked = looked.map_err(|obstacle| (obstacle.why, obstacle.hint));
        let looked = looked.and_then(|origin| match deleted(&origin) {
            true => Err((
                format!("this plan deletes {}", origin.what),
                "restore first, and remove it in a separate change".to_owned(),
            )),
            false => Ok(origin),
        });
        let change = plan.changes.iter_mut().find(|change| change.address == address);
        let Some(change) = change else { continue };
        match looked {
            Ok(origin) => change.because = Some(told(&origin, SystemTime::now())),
            Err((why, hint)) => {
                refused.push((format!("{address} ({}): {why}", change.origin), hint));
            }
        }
    }
    if refused.is_empty() {
        return Ok(());
    }
    let (whys, hints): (Vec<String>, Vec<String>) = refused.into_iter().unzip();
    let title =
        format!("{} cannot be restored; nothing was changed", count(whys.len(), "resource"));
    let error = CliError::new(ErrorKind::User, title).because(whys.join("\n"));
    Err(hints.into_iter().fold(error, CliError::hinted))
}

/// The user in the secret of a database.
fn user_of<'a>(blueprint: &'a Blueprint, change: &Change) -> Option<&'a str> {
    let credentials = change.want.as_ref()?.spec.get("credentials")?;
    let mut secret = None;
    each_ref(credentials, &mut |reference| secret = Some(reference.to.clone()));
    let secret = blueprint.resources.get(&secret?)?;
    secret.spec.pointer("/generate/template/username")?.as_str()
}

/// The text in a plan for a restored resource.
fn told(origin: &Origin, now: SystemTime) -> String {
    let age = now.duration_since(origin.at).unwrap_or_default();
    let (what, at, age) = (&origin.what, origin.time(), old(age));
    format!("restored from {what}: the data of {at}, {age} ago; it does not have later writes")
}

fn old(age: Duration) -> String {
    const DAY: u64 = 24 * 3600;
    match usize::try_from(age.as_secs() / DAY) {
        Ok(days) if days >= 2 => count(days, "day"),
        _ => span(age),
    }
}

/// Lists what AWS keeps of deleted tables and clusters. This is only information: an error here
/// does not fail the command.
pub(super) async fn say_kept(cx: &Context, aws: &Aws, plan: &Plan, report: &Report) {
    let deleted = plan.changes.iter().filter(|change| {
        change.regain.is_some()
            && report.done.iter().any(|done| *done == (change.address.clone(), Verb::Delete))
    });
    let deleted: Vec<_> =
        deleted.filter_map(|change| Some((&change.address, change.live.as_ref()?))).collect();
    match kept(aws, &deleted).await {
        Ok(kept) if kept.is_empty() => {}
        Ok(kept) => show_kept(cx, &kept),
        Err(error) => cx.note(format_args!("Could not list the backups that AWS keeps: {error}")),
    }
}

fn show_kept(cx: &Context, kept: &[Kept]) {
    if cx.screen.json {
        let line = lines::line(SystemTime::now(), "kept", &json!({ "kept": kept }));
        if cx.screen.data(&line).is_ok() {
            return;
        }
    }
    cx.note("AWS keeps these backups; docs/recovery.md says how to restore them:");
    kept.iter().for_each(|kept| cx.note(format_args!("  {kept}")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_says_what_is_restored_and_how_old_it_is() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let origin = Origin { what: "the table orders".into(), stands: None, at };
        let after = |seconds| told(&origin, at + Duration::from_secs(seconds));
        assert_eq!(
            after(3 * 3600),
            "restored from the table orders: the data of 2023-11-14T22:13:20Z, 3 h 00 m ago; it \
             does not have later writes"
        );
        assert!(after(3 * 24 * 3600).contains("22:13:20Z, 3 days ago"));
    }
}
