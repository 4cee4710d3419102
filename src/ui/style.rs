//! Colour, or none, and the small shapes that all texts share.

use std::time::Duration;

use super::text::{mark, one_line};
use payctl_engine::event::Verb;
use payctl_engine::plan::Action;

/// How text for one stream looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether colours are used.
    pub color: bool,
}

/// A role that text plays; each has one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Headings.
    Bold,
    /// Less important text.
    Dim,
    /// Created, healthy.
    Good,
    /// Changed, waiting.
    Warn,
    /// Deleted, failed.
    Bad,
    /// Replaced.
    Odd,
}

/// The settings that decide about colour.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes<'a> {
    /// `--no-color`.
    pub no_color_flag: bool,
    /// `NO_COLOR`; any value but the empty one means no.
    pub no_color: Option<&'a str>,
    /// `CLICOLOR`; `0` means no.
    pub clicolor: Option<&'a str>,
    /// `TERM`; `dumb` means no.
    pub term: Option<&'a str>,
}

impl Style {
    /// No colour.
    pub const PLAIN: Self = Self { color: false };

    /// Colour, if the stream is a terminal and no setting turns it off.
    pub fn decide(is_terminal: bool, wishes: Wishes<'_>) -> Self {
        let objects = wishes.no_color_flag
            || wishes.no_color.is_some_and(|value| !value.is_empty())
            || wishes.clicolor == Some("0")
            || wishes.term == Some("dumb");
        Self { color: is_terminal && !objects }
    }

    /// The text in the look of a role, marked for [`super::text::shown`].
    pub fn paint(self, paint: Paint, text: &str) -> String {
        if self.color && !text.is_empty() { mark(paint, text) } else { text.to_owned() }
    }
}

/// The mark, the colour and the words of an action.
pub(super) struct Words {
    pub mark: &'static str,
    pub paint: Paint,
    pub verb: &'static str,
    pub doing: &'static str,
    pub done: &'static str,
}

/// The words for an action.
pub(super) fn words(action: Action) -> Words {
    let (mark, paint, verb, doing, done) = match action {
        Action::Create => ("+", Paint::Good, "create", "creating", "created"),
        Action::Update => ("~", Paint::Warn, "change", "changing", "changed"),
        Action::Replace => ("±", Paint::Odd, "replace", "replacing", "replaced"),
        Action::Delete => ("-", Paint::Bad, "delete", "deleting", "deleted"),
    };
    Words { mark, paint, verb, doing, done }
}

/// The words for a step.
pub(super) fn step_words(verb: Verb) -> Words {
    words(match verb {
        Verb::Create => Action::Create,
        Verb::Update => Action::Update,
        Verb::Delete => Action::Delete,
    })
}

/// A time span as people say it: `0.8 s`, `34 s`, `2 m 05 s`.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `1 call`, `2 calls`, `2 aliases`.
pub fn count(number: usize, noun: &str) -> String {
    let plural = match number {
        1 => "",
        _ if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{number} {noun}{plural}")
}

/// An object's id, if it is short and says something that its name does not.
pub(super) fn telling_id<'a>(id: &'a str, name: &str) -> Option<&'a str> {
    const LONGEST: usize = 48;
    let repeats = !name.is_empty() && id.contains(name);
    (!repeats && id.len() <= LONGEST).then_some(id)
}

/// Rows as a table: every column but the last is padded to its widest cell.
pub(super) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let one_line = |row: &Vec<String>| row.iter().map(|cell| one_line(cell)).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(one_line).collect();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            format!("{cell:<width$}", width = width(column).unwrap_or_default())
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_needs_a_terminal_and_can_be_switched_off() {
        let color = |terminal, wishes| Style::decide(terminal, wishes).color;
        let none = Wishes::default();
        assert!(color(true, none));
        assert!(!color(false, none));
        assert!(!color(true, Wishes { no_color_flag: true, ..none }));
        assert!(!color(true, Wishes { no_color: Some("1"), ..none }));
        assert!(color(true, Wishes { no_color: Some(""), ..none }));
        assert!(!color(true, Wishes { clicolor: Some("0"), ..none }));
        assert!(!color(true, Wishes { term: Some("dumb"), ..none }));
    }

    #[test]
    fn spans_are_short() {
        assert_eq!(span(Duration::from_millis(840)), "0.8 s");
        assert_eq!(span(Duration::from_secs(34)), "34 s");
        assert_eq!(span(Duration::from_secs(125)), "2 m 05 s");
        assert_eq!(span(Duration::from_secs(3700)), "1 h 01 m");
    }

    #[test]
    fn the_last_column_is_not_padded() {
        let rows = [vec!["a".into(), "b".into()], vec!["long".into(), "c".into()]];
        assert_eq!(table(&rows), ["a     b", "long  c"]);
    }
}
