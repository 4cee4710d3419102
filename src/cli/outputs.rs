//! `payctl outputs`.

use super::error::{CliError, ErrorKind};
use super::session::{self, Session};
use super::{Context, exit};
use crate::ui::{json, outputs};
use payctl_engine::model::text::Text;
use payctl_engine::plan::Purpose;

/// Show the environment's outputs
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print NAME=value lines, for docker and dotenv
    #[arg(long, conflicts_with_all = ["shell", "json"])]
    env_file: bool,
    /// Print `export NAME='value'` lines, for eval
    #[arg(long, conflicts_with = "json")]
    shell: bool,
}

pub(super) async fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    let session = Session::open(cx, &cx.env()?).await?;
    let snapshot = session.survey(Purpose::Apply).await?;
    let live = session::live_outputs(&snapshot);
    let values = outputs::resolved(&session.blueprint.outputs, &live);
    match (args.env_file, args.shell) {
        (true, _) => cx.screen.data(&outputs::env_file(&values)?)?,
        (false, true) => cx.screen.data(&outputs::shell(&values)?)?,
        (false, false) => {
            let text = || outputs::text(&values, &session.described, cx.screen.out);
            cx.show("outputs", || json::outputs(&values, &session.described), text)?;
        }
    }
    session.explain_calls(cx);
    let is_unseen =
        |text: &&Text| text.refs().any(|reference| snapshot.unseen(&reference.to.kind).is_some());
    let unseen = values.iter().filter(|(_, value)| is_unseen(value));
    let unseen: Vec<String> = unseen.map(|(name, value)| format!("{name}: {value}")).collect();
    if unseen.is_empty() {
        Ok(exit::SUCCESS)
    } else {
        let title = "some outputs could not be read";
        Err(CliError::new(ErrorKind::Cloud, title).because(unseen.join("\n")))
    }
}
