//! The terminal or the streams that replace it. Only this module writes to stdout and stderr.

use std::io::{self, IsTerminal as _, Write as _};

use super::style::{Style, Wishes};
use super::text::{one_line, shown};

/// The two streams, and how to write to them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Screen {
    /// How data looks.
    pub out: Style,
    /// How messages look.
    pub err: Style,
    /// Whether data is JSON, one event per line.
    pub json: bool,
    /// Whether messages go to a terminal that can redraw lines.
    pub redraws: bool,
    /// Whether a person can answer a question.
    pub answers: bool,
}

impl Screen {
    /// Inspects the streams of this process.
    pub fn open(json: bool, no_color: bool) -> Self {
        let variable = |name| std::env::var(name).ok();
        let (no_color_variable, clicolor) = (variable("NO_COLOR"), variable("CLICOLOR"));
        let term = variable("TERM");
        let wishes = Wishes {
            no_color_flag: no_color,
            no_color: no_color_variable.as_deref(),
            clicolor: clicolor.as_deref(),
            term: term.as_deref(),
        };
        let terminal = io::stderr().is_terminal();
        Self {
            out: Style::decide(io::stdout().is_terminal(), wishes),
            err: Style::decide(terminal, wishes),
            json,
            redraws: terminal && term.as_deref() != Some("dumb") && variable("CI").is_none(),
            answers: io::stdin().is_terminal(),
        }
    }

    /// Writes data for programs to stdout, as it is.
    pub fn data(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Writes a result for people to stdout.
    pub fn text(&self, text: &str) -> io::Result<()> {
        self.data(&shown(self.out, text))
    }

    /// Writes a message to stderr.
    pub fn tell(&self, text: &str) -> io::Result<()> {
        io::stderr().lock().write_all(shown(self.err, text).as_bytes())
    }

    /// Writes a message to stderr. It ignores errors, since they could not be shown anywhere.
    pub fn note(&self, text: &str) {
        drop(self.tell(text));
    }

    /// Replaces the last line on stderr; an empty text removes it.
    pub fn redraw(&self, line: &str) {
        let line = shown(self.err, &one_line(line));
        drop(io::stderr().lock().write_all(format!("\r\u{1b}[K{line}").as_bytes()));
    }

    /// Asks a question and reads a line.
    pub fn ask(&self, question: &str) -> io::Result<String> {
        self.note(question);
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(answer.trim().to_owned())
    }
}

/// Stderr for the log. It escapes control characters, since libraries may log any text.
#[derive(Debug)]
pub struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = shown(Style::PLAIN, &String::from_utf8_lossy(bytes));
        io::stderr().lock().write_all(text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
