//! `payctl graph`.

use super::error::CliError;
use super::session::Session;
use super::{Context, exit};
use crate::ui::graph::{self, Node};

/// Draw the resources and what needs what
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The language of the drawing
    #[arg(long, value_enum, default_value_t = Format::Dot)]
    format: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// Graphviz
    Dot,
    /// For Markdown
    Mermaid,
    /// A picture
    Svg,
}

pub(super) async fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    let session = Session::open(cx, &cx.env()?).await?;
    let nodes: Vec<Node> = session.blueprint.resources.values().map(Node::of).collect();
    let format = match args.format {
        Format::Dot => graph::Format::Dot,
        Format::Mermaid => graph::Format::Mermaid,
        Format::Svg => graph::Format::Svg,
    };
    cx.show("graph", || graph::json(&nodes), || graph::text(&nodes, format))?;
    Ok(exit::SUCCESS)
}
