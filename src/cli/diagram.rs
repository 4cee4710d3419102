//! `payctl diagram`.

use std::path::PathBuf;

use serde_json::json;

use super::error::CliError;
use super::{Context, exit, saved, session};
use crate::aws::kinds::KINDS;
use crate::ui::diagram;

/// Draw the architecture of an environment, without calling AWS
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The format of the drawing
    #[arg(long, value_enum, default_value_t = Format::Html)]
    format: Format,
    /// Write the drawing to a file instead of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// A page that needs nothing but a browser
    Html,
    /// A picture
    Svg,
}

pub(super) fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    let blueprint = session::sketch(&cx.global, &cx.env()?);
    let blueprint = blueprint.map_err(|problems| CliError::config(&problems))?;
    let kinds: Vec<_> = KINDS.iter().map(|kind| kind.meta()).collect();
    let drawing = diagram::of_blueprint(&blueprint, &kinds);
    let text = || match args.format {
        Format::Html => payctl_drawing::html(&drawing),
        Format::Svg => payctl_drawing::svg(&drawing),
    };
    match &args.out {
        Some(path) => saved::put(path, &text(), "the drawing", "--out")?,
        None => cx.show("diagram", || json!(drawing), text)?,
    }
    Ok(exit::SUCCESS)
}
