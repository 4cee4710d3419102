//! Changes that lower the cost, as text, Markdown and JSON.

use std::fmt::Write as _;

use payctl_money::Decimal;
use payctl_money::bill::number_of;
use serde_json::{Value, json};

use super::cost::{aligned, amount};
use super::style::{Paint, Style};

/// A change to the config that lowers the cost.
#[derive(Clone, Debug)]
pub struct Saving {
    /// The change in a few words.
    pub what: String,
    /// How much it saves in a month.
    pub saved: Decimal,
    /// What you lose by it.
    pub risk: &'static str,
    /// The lines of the config that make it.
    pub lines: String,
}

/// What a reader must know about savings before adding them up.
const APART: &str = "Each saving is for its change alone; together they can save less.";
/// What stands there without savings.
const NO_SAVING: &str = "payctl knows no change to this config that lowers its cost.";

/// Savings for a terminal.
pub fn text(savings: &[Saving], style: Style) -> String {
    let mut text = format!("\n{}\n", style.paint(Paint::Bold, "Savings"));
    for Saving { what, saved, risk, lines } in savings {
        let _ = writeln!(text, "  {} {what}", aligned(*saved));
        for line in [*risk].into_iter().chain(lines.lines()) {
            let _ = writeln!(text, "            {line}");
        }
    }
    let _ = writeln!(text, "  {}", if savings.is_empty() { NO_SAVING } else { APART });
    text
}

/// Savings as Markdown.
pub fn markdown(savings: &[Saving]) -> String {
    let mut text = String::new();
    for Saving { what, saved, risk, lines } in savings {
        let _ = writeln!(text, "\n**{}**: {what}. {risk}\n\n```toml\n{lines}\n```", amount(*saved));
    }
    let _ = writeln!(text, "\n{}", if savings.is_empty() { NO_SAVING } else { APART });
    text
}

/// Savings as JSON.
pub fn json(savings: &[Saving]) -> Value {
    let row = |saving: &Saving| {
        json!({
            "what": saving.what,
            "saved": number_of(saving.saved, 2),
            "risk": saving.risk,
            "lines": saving.lines,
        })
    };
    savings.iter().map(row).collect()
}
