//! `payctl explain`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::error::{CliError, ErrorKind};
use super::{Context, exit};
use crate::aws::kinds::KINDS;
use crate::aws::provider::find_kind;
use crate::aws::resource::AnyKind;
use crate::model::meta::{Meta, Replace};
use crate::ui::style::{Paint, Style, span};

/// Explain a kind of resource
///
/// What AWS demands of it, what a replacement loses, which permissions it needs. Without a kind,
/// lists all kinds.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A kind like sqs.queue, or an address like sqs.queue/payments
    kind: Option<String>,
}

pub(super) fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    match &args.kind {
        None => cx.show(
            "kinds",
            || json!({ "kinds": KINDS.iter().map(|kind| body(*kind)).collect::<Vec<_>>() }),
            || list(cx.screen.out),
        )?,
        Some(name) => {
            let name = name.split('/').next().unwrap_or(name);
            let kind = find_kind(name).ok_or_else(|| unknown(name))?;
            cx.show("kind", || body(kind), || text(kind, cx.screen.out))?;
        }
    }
    Ok(exit::SUCCESS)
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
    KINDS.iter().map(row).collect()
}

fn replacement(meta: &Meta) -> &'static str {
    match meta.replace {
        Replace::CreateFirst => "the new one is made first, then the old one goes",
        Replace::DeleteFirst => "the old one goes first, since the name or the slot is taken",
        Replace::Forbidden => "never: it holds data; move the data to a new one yourself",
    }
}

fn text(kind: &dyn AnyKind, style: Style) -> String {
    let meta = kind.meta();
    let mut text = format!("{}\n{}\n", style.paint(Paint::Bold, meta.kind), meta.summary);
    let mut section = |title: &str, rows: &[&str]| {
        if !rows.is_empty() {
            let _ = writeln!(text, "\n{}", style.paint(Paint::Bold, title));
            for row in rows {
                let _ = writeln!(text, "  {row}");
            }
        }
    };
    section("Good to know", meta.notes);
    section("Cannot change in place", meta.immutable);
    section("Set when it is made and not compared again", meta.create_only);
    section("Replacement", &[replacement(meta)]);
    section("Lost for good when it is deleted", meta.data.as_slice());
    let deadline = format!("up to {}", span(meta.deadline));
    section("AWS may take", &[&deadline]);
    if !meta.tagged {
        section("Ownership", &["it carries no tags; it is owned through its parent or its name"]);
    }
    section("IAM actions", meta.actions);
    let sample = format!("{:#}", kind.sample());
    section("Example", &sample.lines().collect::<Vec<_>>());
    text
}

fn body(kind: &dyn AnyKind) -> Value {
    let meta = kind.meta();
    let replace = match meta.replace {
        Replace::CreateFirst => "create_first",
        Replace::DeleteFirst => "delete_first",
        Replace::Forbidden => "forbidden",
    };
    json!({
        "kind": meta.kind,
        "service": meta.service,
        "summary": meta.summary,
        "notes": meta.notes,
        "immutable": meta.immutable,
        "create_only": meta.create_only,
        "replace": replace,
        "data": meta.data,
        "tagged": meta.tagged,
        "deadline_s": meta.deadline.as_secs(),
        "actions": meta.actions,
        "sample": kind.sample(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_explains_itself() {
        for kind in KINDS {
            let text = text(*kind, Style::PLAIN);
            assert!(text.contains("IAM actions") && text.contains("Example"), "{text}");
            assert!(list(Style::PLAIN).contains(kind.meta().summary));
        }
    }

    #[test]
    fn an_unknown_kind_suggests_the_nearest() {
        let block = unknown("sqs.queues").source.unwrap();
        assert_eq!(block.hints, ["did you mean sqs.queue?"]);
    }
}
