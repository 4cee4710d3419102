//! Changes that lower the cost, as text, Markdown and JSON.

use std::fmt::Write as _;

use payctl_money::Decimal;
use payctl_money::bill::number_of;
use serde_json::{Value, json};

use super::money::{amount, number};
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
    /// The load at which it turns, where the load decides.
    pub turn: Option<Turn>,
}

/// The load at which a fixed price and one for each use cost the same.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// As a multiple of the load that the bill assumes.
    pub times: Decimal,
    /// Writes in a second, on average.
    pub writes: Decimal,
    /// Reads in a second, on average.
    pub reads: Decimal,
}

/// Something outside the config that may save money.
#[derive(Clone, Debug)]
pub struct Hint {
    /// What to do, in a few words.
    pub what: String,
    /// The cost that it concerns, or what it saves at most, in a month.
    pub monthly: Decimal,
    /// What the amount is, and what payctl does not know.
    pub about: String,
}

/// What is advised for a config.
#[derive(Clone, Debug)]
pub struct Advised {
    /// Changes to it, the largest saving first.
    pub savings: Vec<Saving>,
    /// What may save outside of it.
    pub hints: Vec<Hint>,
    /// Whether any price is known.
    pub is_priced: bool,
}

/// What a reader must know about savings before adding them up.
const APART: &str = "Each saving is for its change alone; together they can save less.";
/// What stands there without savings.
const NO_SAVING: &str = "payctl knows no change to this config that lowers its cost.";

/// What stands there without prices.
const NO_PRICE: &str = "Without prices, payctl cannot compute savings.";

/// What a reader must know about hints.
const NO_LINES: &str = "Hints have no lines to write. They count in no saving.";

impl Advised {
    /// What a reader must know about the savings.
    fn note(&self) -> &'static str {
        match (self.is_priced, self.savings.is_empty()) {
            (false, _) => NO_PRICE,
            (true, true) => NO_SAVING,
            (true, false) => APART,
        }
    }
}

impl Turn {
    /// In words.
    fn text(&self) -> String {
        let rate = |rate| number(rate, 2);
        format!(
            "It turns at {} writes and {} reads a second on average, {} times the assumed load: below, \
             paying for requests costs less, and above, capacity.",
            rate(self.writes),
            rate(self.reads),
            rate(self.times)
        )
    }

    fn json(&self) -> Value {
        json!({
            "times": number_of(self.times, 6),
            "writes_per_second": number_of(self.writes, 6),
            "reads_per_second": number_of(self.reads, 6),
        })
    }
}

/// Savings and hints for a terminal.
pub fn text(advised: &Advised, style: Style) -> String {
    let Advised { savings, hints, .. } = advised;
    let sums = savings.iter().map(|saving| saving.saved);
    let sums = sums.chain(hints.iter().map(|hint| hint.monthly)).map(amount);
    let width = sums.map(|sum| sum.chars().count()).max().unwrap_or_default();
    let aligned = |sum: Decimal| format!("{:>width$}", amount(sum));
    let below = " ".repeat(width + 3);
    let title = "Savings, in USD a month";
    let mut text = format!("\n{}\n", style.paint(Paint::Bold, title));
    for Saving { what, saved, risk, lines, turn } in savings {
        let _ = writeln!(text, "  {} {what}", aligned(*saved));
        let turn = turn.as_ref().map(Turn::text);
        for line in [*risk].into_iter().chain(turn.as_deref()).chain(lines.lines()) {
            let _ = writeln!(text, "{below}{line}");
        }
    }
    let _ = writeln!(text, "  {}", advised.note());
    if !hints.is_empty() {
        let _ = writeln!(text, "\n{}", style.paint(Paint::Bold, "Hints"));
        for Hint { what, monthly, about } in hints {
            let _ = writeln!(text, "  {} {what}\n{below}{about}", aligned(*monthly));
        }
        let _ = writeln!(text, "  {NO_LINES}");
    }
    text
}

/// Savings and hints as Markdown.
pub fn markdown(advised: &Advised) -> String {
    let Advised { savings, hints, .. } = advised;
    let mut text = String::new();
    for Saving { what, saved, risk, lines, turn } in savings {
        let turn = turn.as_ref().map(|turn| format!(" {}", turn.text())).unwrap_or_default();
        let saved = amount(*saved);
        let _ = writeln!(text, "\n**{saved}**: {what}. {risk}{turn}\n\n```toml\n{lines}\n```");
    }
    let _ = writeln!(text, "\n{}", advised.note());
    for Hint { what, monthly, about } in hints {
        let _ = writeln!(text, "\nHint, **{}**: {what}. {about}", amount(*monthly));
    }
    if !hints.is_empty() {
        let _ = writeln!(text, "\n{NO_LINES}");
    }
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
            "turn": saving.turn.as_ref().map(Turn::json),
        })
    };
    savings.iter().map(row).collect()
}

/// Hints as JSON.
pub fn hints_json(hints: &[Hint]) -> Value {
    let row = |hint: &Hint| json!({ "what": hint.what, "monthly": number_of(hint.monthly, 2), "about": hint.about });
    hints.iter().map(row).collect()
}
