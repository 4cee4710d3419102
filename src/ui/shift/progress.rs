//! The progress of a shift: a chart that is redrawn on a terminal, plain lines elsewhere, or JSON.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::chart::{LOOKS, chart};
use super::{Sides, doubted, event as body, text};
use crate::ui::json;
use crate::ui::progress::{Clock, Mode, PATIENCE, write};
use crate::ui::style::{Style, span};
use crate::ui::text::{one_line, shown};
use payctl_engine::shift::Event;
use payctl_engine::traffic::{Figures, Weights};

/// Shows the events of a shift as they come.
pub struct Progress {
    style: Style,
    sides: Sides,
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    view: View,
    /// The last figures.
    past: Vec<Figures>,
    /// The last line of a wait, and how long that had lasted.
    said: Option<(String, Duration)>,
}

enum View {
    Live(Lines),
    Lines(Box<dyn Write + Send>),
    Json(Box<dyn Write + Send>),
}

/// The lines that are redrawn: both sides, and what the shift waits for.
struct Lines {
    all: MultiProgress,
    lines: [ProgressBar; 3],
}

impl Progress {
    /// The progress of a shift between these sides.
    pub fn new(mode: Mode, style: Style, sides: Sides, clock: Clock) -> Self {
        let view = match mode {
            Mode::Live => View::Live(Lines::new()),
            Mode::Lines(out) => View::Lines(out),
            Mode::Json(out) => View::Json(out),
        };
        let state = State { view, past: Vec::new(), said: None };
        Self { style, sides, clock, state: Mutex::new(state) }
    }

    /// Shows one event. A closed stream does not stop a shift.
    pub fn event(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { view, past, said } = &mut *state;
        if let Event::Baking { figures: Some(figures), .. } = event {
            past.push(*figures);
            let surplus = past.len().saturating_sub(LOOKS);
            past.drain(..surplus);
        }
        match view {
            View::Json(out) => {
                let (kind, body) = body(event, &self.sides);
                write(out, &json::line((self.clock)(), kind, &body));
            }
            View::Lines(out) if is_due(event, said) => {
                if let Some(text) = text(event, &self.sides, self.style) {
                    write(out, &shown(self.style, &format!("{text}\n")));
                }
            }
            View::Lines(_) => {}
            View::Live(lines) => lines.show(event, &self.sides, past, self.style),
        }
    }

    /// Removes the lines that are redrawn.
    pub fn finish(&self) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let View::Live(lines) = &state.view {
            lines.lines.iter().for_each(ProgressBar::finish_and_clear);
        }
    }
}

/// Whether an event is worth a plain line now: waits are told at their beginning and now and then.
fn is_due(event: &Event, said: &mut Option<(String, Duration)>) -> bool {
    let (wait, lasted) = match event {
        Event::Baking { percent, baked, .. } => (format!("bake {percent}"), *baked),
        Event::WaitingForClaim { claim, unmoved, .. } => (claim.clone(), *unmoved),
        Event::Claiming { .. } => ("claim".to_owned(), Duration::ZERO),
        // The first retries follow each other fast, and mostly help.
        Event::Retrying { after, .. } => return after.as_secs() > 0,
        _ => {
            *said = None;
            return true;
        }
    };
    match said {
        Some((last, before)) if *last == wait && lasted.saturating_sub(*before) < PATIENCE => false,
        _ => {
            *said = Some((wait, lasted));
            true
        }
    }
}

impl Lines {
    fn new() -> Self {
        let all = MultiProgress::new();
        let style = ProgressStyle::with_template("{msg}").expect("the template is constant");
        let line = || {
            let line = all.add(ProgressBar::new_spinner());
            line.set_style(style.clone());
            line
        };
        let lines = [line(), line(), line()];
        Self { all, lines }
    }

    fn show(&self, event: &Event, sides: &Sides, past: &[Figures], style: Style) {
        let [from, to, wait] = &self.lines;
        let set = |line: &ProgressBar, text: &str| line.set_message(shown(style, &one_line(text)));
        match event {
            Event::Baking { percent, baked, bake, figures, doubts } => {
                let [upper, lower] = chart(sides, Weights::at(*percent), figures.as_ref(), past);
                set(from, &upper);
                set(to, &lower);
                let doubts = doubted(doubts);
                let left = if doubts.is_empty() {
                    format!("watching for {} of {}", span(*baked), span(*bake))
                } else {
                    format!("waiting for {}", doubts.join("; "))
                };
                set(wait, &left);
            }
            Event::Claiming { .. } | Event::WaitingForClaim { .. } | Event::Retrying { .. } => {
                if let Some(text) = text(event, sides, style) {
                    set(wait, text.trim_start());
                }
            }
            Event::Stands { .. }
            | Event::Claimed { .. }
            | Event::Moving { .. }
            | Event::Moved { .. }
            | Event::Found { .. } => {
                if let Some(text) = text(event, sides, style) {
                    drop(self.all.println(shown(style, &text)));
                }
            }
        }
    }
}
