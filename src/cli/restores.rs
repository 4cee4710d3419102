//! The backups that AWS keeps of deleted objects.

use std::collections::BTreeSet;
use std::time::SystemTime;

use futures::future::try_join_all;
use serde_json::json;

use super::Context;
use crate::aws::clients::Aws;
use crate::aws::kinds::KEEPERS;
use crate::aws::restores::Kept;
use crate::ui::json as lines;
use payctl_engine::apply::Report;
use payctl_engine::event::Verb;
use payctl_engine::model::address::Address;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::Live;
use payctl_engine::plan::Plan;

/// Lists what AWS keeps of deleted tables and clusters. This is only information: an error here
/// does not fail the command.
pub(super) async fn say_kept(cx: &Context, aws: &Aws, plan: &Plan, report: &Report) {
    let gone = report.done.iter().filter(|(_, verb)| *verb == Verb::Delete);
    let gone: BTreeSet<&Address> = gone.map(|(address, _)| address).collect();
    let deleted = plan
        .changes
        .iter()
        .filter(|change| change.regain.is_some() && gone.contains(&change.address));
    let deleted: Vec<_> =
        deleted.filter_map(|change| Some((&change.address, change.live.as_ref()?))).collect();
    match kept(aws, &deleted).await {
        Ok(kept) if kept.is_empty() => {}
        Ok(kept) => show_kept(cx, &kept),
        Err(error) => cx.note(format_args!("Could not list the backups that AWS keeps: {error}")),
    }
}

/// Looks for what AWS keeps of deleted resources.
async fn kept(aws: &Aws, deleted: &[(&Address, &Live)]) -> Result<Vec<Kept>, OpError> {
    let asked = deleted.iter().filter_map(|(address, live)| {
        let keeper = KEEPERS.iter().find(|keeper| keeper.kind == address.kind)?;
        Some((keeper.ask)(aws, address, live))
    });
    Ok(try_join_all(asked).await?.into_iter().flatten().collect())
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
