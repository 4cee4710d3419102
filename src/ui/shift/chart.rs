//! The chart of both sides: a bar for the share of each, its figures, and its p99 over time.

use super::{Sides, one};
use payctl_engine::traffic::{Figures, Weights};

/// The width of a bar.
const WIDTH: usize = 30;
/// How many looks the lines of p99 cover.
pub(super) const LOOKS: usize = 24;
/// The heights of a line, from low to high.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One line for each side.
pub(super) fn chart(
    sides: &Sides,
    weights: Weights,
    figures: Option<&Figures>,
    past: &[Figures],
) -> [String; 2] {
    let width = sides.from.chars().count().max(sides.to.chars().count());
    let to = weights.percent().unwrap_or_default();
    let from = if weights.percent().is_some() { 100 - to } else { 0 };
    let most = past.iter().flat_map(|one| [p99(one, false), p99(one, true)]).flatten().max();
    let line = |name: &str, percent: u8, is_to: bool| {
        let filled = usize::from(percent) * WIDTH / 100;
        let bar = format!("{}{}", "#".repeat(filled), ".".repeat(WIDTH - filled));
        let figure = figures.map(|both| one(if is_to { both.to } else { both.from }));
        let figure = figure.map(|figure| format!("  {figure}")).unwrap_or_default();
        let over = most.map(|most| format!("  {}", line(past, is_to, most))).unwrap_or_default();
        format!("{name:width$} {percent:>3} % {bar}{figure}{over}")
    };
    [line(&sides.from, from, false), line(&sides.to, to, true)]
}

/// The p99 of one side over time.
fn line(past: &[Figures], is_to: bool, most: u128) -> String {
    let height = |one: &Figures| match p99(one, is_to) {
        None => ' ',
        Some(time) => {
            let steps = HEIGHTS.len() as u128 - 1;
            let at = usize::try_from(time * steps / most.max(1)).unwrap_or_default();
            HEIGHTS[at.min(HEIGHTS.len() - 1)]
        }
    };
    past.iter().map(height).collect()
}

fn p99(figures: &Figures, is_to: bool) -> Option<u128> {
    let figure = if is_to { figures.to } else { figures.from };
    figure?.p99.map(|time| time.as_micros())
}
