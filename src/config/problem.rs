//! Problems of config files, each with its place, the line and the fix.

use std::fmt;
use std::path::PathBuf;

/// A position in a file. Line and column count from 1; both are 0 for the whole file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as the caller named it.
    pub file: PathBuf,
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        match self.line {
            0 => Ok(()),
            line => write!(f, ":{line}:{}", self.column),
        }
    }
}

/// One problem. `Display` shows the place, the message, the line and the fix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The place.
    pub place: Place,
    /// The text of that line; empty for the whole file.
    pub line_text: String,
    /// The number of characters to mark in the line.
    pub width: usize,
    /// The problem.
    pub message: String,
    /// The rule, or what to do.
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Text from a config must not begin a new line.
        let [message, fix] = [&self.message, &self.fix].map(|text| text.replace('\n', "\\n"));
        write!(f, "{}: {message}", self.place)?;
        if self.place.line == 0 {
            return match fix.as_str() {
                "" => Ok(()),
                fix => write!(f, "\n      = {fix}"),
            };
        }
        let indent = " ".repeat(self.place.column.saturating_sub(1));
        let carets = "^".repeat(self.width.max(1));
        write!(f, "\n{:>5} | {}", self.place.line, self.line_text)?;
        write!(f, "\n      | {indent}{carets} {fix}")
    }
}

impl std::error::Error for Problem {}

/// A piece of a file, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) file: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The texts of the files of an environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources(Vec<Source>);

#[derive(Clone, Debug)]
struct Source {
    file: PathBuf,
    text: String,
    /// Where each line begins: every resource asks for its line.
    lines: Vec<usize>,
}

impl Sources {
    /// Adds a file and returns its number for spans.
    pub(crate) fn add(&mut self, file: PathBuf, text: String) -> usize {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = [0].into_iter().chain(ends).collect();
        self.0.push(Source { file, text, lines });
        self.0.len() - 1
    }

    /// The files, the environment's own first.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.0.iter().map(|source| source.file.clone()).collect()
    }

    /// The place where a span begins.
    pub(crate) fn place(&self, span: Span) -> Place {
        let Source { file, text, lines } = &self.0[span.file];
        let start = floor(text, span.start);
        let line = lines.partition_point(|begins| *begins <= start);
        let line_start = lines[line - 1];
        Place { file: file.clone(), line, column: text[line_start..start].chars().count() + 1 }
    }

    /// A problem at a span.
    pub(crate) fn problem(
        &self,
        span: Span,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Problem {
        let text = &self.0[span.file].text;
        let (start, end) = (floor(text, span.start), floor(text, span.end));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let line = text[line_start..line_end].trim_end();
        Problem {
            place: self.place(span),
            line_text: line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
            width: text[start..end.clamp(start, line_end)].trim_end().chars().count().max(1),
            message: message.into(),
            fix: fix.into(),
        }
    }
}

/// The nearest character boundary at or before a byte offset.
fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The candidate that is most similar to `word`, if one is close.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (likeness(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.0)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate)
}

/// The same as `did you mean ..?`.
pub(crate) fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(word, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// The similarity of two words: 0 if they differ. Swapped letters count in short words, a common
/// beginning in long ones.
fn likeness(left: &str, right: &str) -> f64 {
    let beginning = strsim::jaro_winkler(left, right);
    let letters = strsim::normalized_damerau_levenshtein(left, right);
    if beginning > 0.75 || letters > 0.65 { beginning + letters } else { 0.0 }
}

/// A suggestion, or the list of all candidates.
pub(crate) fn suggest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
    what: &str,
) -> String {
    did_you_mean(word, candidates.clone()).unwrap_or_else(|| {
        let all: Vec<&str> = candidates.into_iter().collect();
        if all.is_empty() {
            format!("there are no {what}")
        } else {
            format!("{what}: {}", all.join(", "))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_shows_its_line_and_the_fix() {
        let mut sources = Sources::default();
        let file = sources.add("config/prod.toml".into(), "[q]\n  visibilty = 30\n".into());
        let span = Span { file, start: 6, end: 15 };
        let fix = did_you_mean("visibilty", ["retention", "visibility_timeout"]).unwrap();
        let problem = sources.problem(span, "unknown key `visibilty`", fix);
        assert_eq!(
            problem.to_string(),
            "config/prod.toml:2:3: unknown key `visibilty`\n    2 |   visibilty = 30\n      \
             |   ^^^^^^^^^ did you mean `visibility_timeout`?"
        );
    }

    #[test]
    fn spans_beyond_the_text_and_inside_characters_are_harmless() {
        let mut sources = Sources::default();
        let file = sources.add("x".into(), "a\u{e9}".into());
        assert_eq!(sources.problem(Span { file, start: 2, end: 99 }, "", "").place.column, 2);
        assert_eq!(sources.problem(Span { file, start: 99, end: 2 }, "", "").place.column, 3);
    }
}
