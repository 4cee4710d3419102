//! `payctl status`.

use super::error::{CliError, ErrorKind};
use super::session::Session;
use super::{Context, exit, secret};
use crate::ui::status::{self, Health, Row};
use payctl_engine::plan::Purpose;
use payctl_engine::survey::Snapshot;

/// Show what exists and whether it is healthy
///
/// The health is what AWS says of each object when payctl lists it: it exists, AWS is at work on it, or
/// it failed. `payctl check` goes on from there and tests whether the objects do their work.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Everything that is configured or found, with its health.
pub(super) fn rows(cx: &Context, session: &Session, snapshot: &Snapshot) -> Vec<Row> {
    let mut rows = status::rows(session.blueprint.resources.values(), snapshot);
    for (address, text) in secret::waiting(cx, &session.blueprint, snapshot) {
        let mut own = rows.iter_mut().filter(|row| row.address == address);
        if let Some(row) = own.find(|row| row.health == Health::Ready) {
            row.health = Health::Empty(text);
        }
    }
    rows
}

pub(super) async fn run(cx: &Context, _: &Args) -> Result<u8, CliError> {
    let session = Session::open(cx, &cx.env()?).await?;
    let snapshot = session.survey(Purpose::Apply).await?;
    let rows = rows(cx, &session, &snapshot);
    let json = || status::json(&rows, &snapshot.unseen);
    cx.show("status", json, || status::text(&rows, cx.screen.out))?;
    session.explain_calls(cx);
    let is_unseen = |row: &&Row| matches!(row.health, Health::Unseen(_));
    let unseen: Vec<String> =
        rows.iter().filter(is_unseen).map(|row| row.address.to_string()).collect();
    if unseen.is_empty() {
        Ok(exit::SUCCESS)
    } else {
        let title = "some configured resources could not be read";
        Err(CliError::new(ErrorKind::Cloud, title).because(unseen.join(", ")))
    }
}
