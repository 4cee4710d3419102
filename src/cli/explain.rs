//! `payctl explain`.

use std::fmt::Write as _;

use serde_json::json;

use super::error::{CliError, ErrorKind};
use super::{Context, exit};
use crate::aws::facts as aws_facts;
use crate::aws::kinds::KINDS;
use crate::aws::kinds::find_kind;
use crate::aws::policy;
use crate::aws::resource::AnyKind;
use crate::ui::kind::{body, facts};
use crate::ui::style::{Paint, Style};
use payctl_engine::model::meta::Meta;

/// Explain a kind of resource
///
/// Shows what AWS demands of it, what a replacement loses, and which permissions it needs. Without
/// a kind, lists all kinds and the permissions that every command needs.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A kind like sqs.queue, or an address like sqs.queue/payments
    kind: Option<String>,
}

pub(super) fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    match &args.kind {
        None => cx.show(
            "kinds",
            || {
                let kinds = KINDS.iter().map(|kind| body(kind.meta(), &kind.sample()));
                json!({
                    "kinds": kinds.collect::<Vec<_>>(),
                    "actions": aws_facts::ACTIONS,
                    "cost_actions": of_cost().collect::<Vec<_>>(),
                })
            },
            || list(cx.screen.out),
        )?,
        Some(name) => {
            let name = name.split('/').next().unwrap_or(name);
            let kind = find_kind(name).ok_or_else(|| unknown(name))?;
            cx.show("kind", || body(kind.meta(), &kind.sample()), || text(kind, cx.screen.out))?;
        }
    }
    Ok(exit::SUCCESS)
}

/// The actions of commands about money that call AWS.
fn of_cost() -> impl Iterator<Item = &'static str> {
    policy::COST.into_iter().flatten().flat_map(|permit| permit.actions.iter().copied())
}

fn unknown(name: &str) -> CliError {
    let kinds = KINDS.iter().map(|kind| kind.meta().kind);
    let nearest = kinds
        .map(|kind| (strsim::jaro_winkler(name, kind), kind))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    let error = CliError::new(ErrorKind::User, format!("there is no kind `{name}`"));
    match nearest {
        Some((_, kind)) => error.hinted(format!("did you mean {kind}?")),
        None => error.hinted("payctl explain lists all kinds"),
    }
}

fn list(style: Style) -> String {
    let width = KINDS.iter().map(|kind| kind.meta().kind.len()).max().unwrap_or_default();
    let row = |kind: &&dyn AnyKind| {
        let Meta { kind, summary, .. } = kind.meta();
        format!("{}  {summary}\n", style.paint(Paint::Bold, &format!("{kind:<width$}")))
    };
    let mut text: String = KINDS.iter().map(row).collect();
    let title = style.paint(Paint::Bold, "IAM actions that every command needs");
    let _ = writeln!(text, "\n{title}");
    for action in aws_facts::ACTIONS {
        let _ = writeln!(text, "  `{action}`");
    }
    let title = "IAM actions of cost --live-prices, --measured and --actual, and of prices update";
    let _ = writeln!(text, "\n{}", style.paint(Paint::Bold, title));
    for action in of_cost() {
        let _ = writeln!(text, "  `{action}`");
    }
    text
}

fn text(kind: &dyn AnyKind, style: Style) -> String {
    let meta = kind.meta();
    let mut text = format!("{}\n{}\n", style.paint(Paint::Bold, meta.kind), meta.summary);
    let sample = format!("{:#}", kind.sample());
    let sample = ("Example", sample.lines().map(str::to_owned).collect());
    for (title, rows) in facts(meta).into_iter().chain([sample]) {
        let _ = writeln!(text, "\n{}", style.paint(Paint::Bold, title));
        for row in rows {
            let _ = writeln!(text, "  {row}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_explains_itself() {
        for kind in KINDS {
            let page = text(*kind, Style::PLAIN);
            assert!(page.contains("IAM actions") && page.contains("Example"), "{page}");
            assert!(list(Style::PLAIN).contains(kind.meta().summary));
        }
        assert!(list(Style::PLAIN).contains("\n  `tag:GetResources`\n"));
        assert!(list(Style::PLAIN).contains("\n  `pricing:GetProducts`\n"));
    }

    #[test]
    fn an_unknown_kind_suggests_the_nearest() {
        let block = unknown("sqs.queues").source.unwrap();
        assert_eq!(block.hints, ["did you mean sqs.queue?"]);
    }
}
