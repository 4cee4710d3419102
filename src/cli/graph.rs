//! `payctl graph`.

use super::error::CliError;
use super::{Context, exit, session};
use crate::ui::graph::{self, Node};

/// Draw the resources and their dependencies, without calling AWS
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The format of the drawing
    #[arg(long, value_enum, default_value_t = Format::Dot)]
    format: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// Graphviz
    Dot,
    /// For Markdown
    Mermaid,
}

pub(super) fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    let blueprint = session::sketch(&cx.global, &cx.env()?);
    let blueprint = blueprint.map_err(|problems| CliError::config(&problems))?;
    let nodes: Vec<Node> = blueprint.resources.values().map(Node::of).collect();
    let format = match args.format {
        Format::Dot => graph::Format::Dot,
        Format::Mermaid => graph::Format::Mermaid,
    };
    cx.show("graph", || graph::json(&nodes), || graph::text(&nodes, format))?;
    Ok(exit::SUCCESS)
}
