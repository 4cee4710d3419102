//! A shift of traffic: its progress with a chart of both sides, its report, and how traffic stands.

use std::fmt::Write as _;

use super::style::{Paint, Style, count, span};
use super::text::one_line;
use payctl_engine::shift::{Doubt, End, Event, Finding, Outlook, Report, STALE};
use payctl_engine::traffic::{Figure, Figures, Weights};

mod chart;
mod json;
mod progress;

pub use json::{event, plan_body, report_body, status_body};
pub use progress::Progress;

/// The names of both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sides {
    /// Of the side that traffic moves from.
    pub from: String,
    /// Of the side that it moves to.
    pub to: String,
}

/// How the traffic of one shift stands, or why that cannot be said.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The name of the shift.
    pub name: String,
    /// Its sides, and what one look says.
    pub seen: Result<(Sides, Outlook), String>,
}

impl Sides {
    /// Both sides with their shares: `blue 75 %, green 25 %`.
    fn shares(&self, weights: Weights) -> String {
        let Self { from, to } = self;
        match weights.percent() {
            Some(percent) => format!("{from} {} %, {to} {percent} %", 100 - percent),
            None => format!("neither {from} nor {to} gets any traffic"),
        }
    }
}

/// An event in words, if it is worth a line.
fn text(event: &Event, sides: &Sides, style: Style) -> Option<String> {
    Some(match event {
        Event::Stands { weights, claim } => {
            let claim = claim.as_ref().map(|claim| format!(" (claimed: {claim})"));
            format!("Traffic stands at {}{}.", sides.shares(*weights), claim.unwrap_or_default())
        }
        Event::WaitingForClaim { claim, unmoved, limit } => format!(
            "  a claim is there ({claim}); it has not moved for {}, and after {} nobody is behind it",
            span(*unmoved),
            span(*limit)
        ),
        Event::Claiming { left } => format!("  claiming the traffic: {} left", span(*left)),
        Event::Claimed { cut_off: false } => "  the traffic is claimed".to_owned(),
        Event::Claimed { cut_off: true } => {
            "  the traffic is claimed; an earlier run was cut off, so this step is watched again"
                .to_owned()
        }
        Event::Moving { to, .. } => format!("  moving traffic to {}", sides.shares(*to)),
        Event::Moved { percent } => {
            let (paint, mark) = if *percent == 0 { (Paint::Warn, "<") } else { (Paint::Good, ">") };
            let head = style.paint(paint, &format!("{mark} {} {percent} %", sides.to));
            let rest = 100_u8.saturating_sub(*percent);
            format!("{head}, {} {rest} %", sides.from)
        }
        Event::Baking { percent, baked, bake, figures, doubts } => {
            let mut line =
                format!("  {} {percent} % for {} of {}", sides.to, span(*baked), span(*bake));
            if let Some(figures) = figures {
                let _ = write!(line, "; {}", both(sides, figures));
            }
            for doubt in doubted(doubts) {
                let _ = write!(line, "; waiting for {doubt}");
            }
            line
        }
        Event::Found { findings } => findings
            .iter()
            .map(|finding| {
                style.paint(Paint::Bad, &format!("! {}", one_line(&finding.to_string())))
            })
            .collect::<Vec<_>>()
            .join("\n"),
        Event::Retrying { error, after } => format!("  looks again in {}: {error}", span(*after)),
    })
}

fn both(sides: &Sides, figures: &Figures) -> String {
    let Sides { from, to } = sides;
    format!("{from}: {}; {to}: {}", one(figures.from), one(figures.to))
}

/// The figures of one side.
fn one(figure: Option<Figure>) -> String {
    let Some(figure) = figure else { return "no data".to_owned() };
    let requests = usize::try_from(figure.requests).unwrap_or(usize::MAX);
    let p99 = figure.p99.map(|p99| format!(", p99 {} ms", p99.as_millis())).unwrap_or_default();
    format!("{}, {:.2} % errors{p99}", count(requests, "request"), figure.error_rate())
}

/// The report at the end.
pub fn report(name: &str, sides: &Sides, report: &Report, style: Style) -> String {
    let (paint, title) = match &report.end {
        End::Nothing => (Paint::Good, "nothing to do".to_owned()),
        End::Done => (Paint::Good, "done".to_owned()),
        End::Refused => (Paint::Bad, format!("not begun: all traffic is on {}", sides.from)),
        End::RolledBack => (Paint::Bad, format!("rolled back: all traffic is on {}", sides.from)),
        End::Stopped => (Paint::Bad, "stopped: traffic stays as it is".to_owned()),
        End::Interrupted => {
            (Paint::Warn, "interrupted: traffic stays as it is, and nobody watches it".to_owned())
        }
        End::Failed(error) => (Paint::Bad, format!("failed: {error}; traffic stays as it is")),
    };
    let title = style.paint(paint, &title);
    let mut text = format!("\nShift {name}, after {}: {title}.\n", span(report.elapsed));
    if let Some(weights) = report.weights {
        let _ = writeln!(text, "  now     {}", sides.shares(weights));
    }
    for (percent, after) in &report.moved {
        let _ = writeln!(text, "  moved   after {}: {} {percent} %", span(*after), sides.to);
    }
    for (finding, after) in &report.findings {
        let finding = one_line(&finding.to_string());
        let _ = writeln!(text, "  found   after {}: {finding}", span(*after));
    }
    for hint in hints(name, sides, report) {
        let _ = writeln!(text, "  hint    {hint}");
    }
    text
}

/// What to do next. Each command names its side: the one of the config may be the other one.
fn hints(name: &str, Sides { from, to }: &Sides, report: &Report) -> Vec<String> {
    let again = format!("payctl shift {name} --to {to} goes on from where traffic stands");
    let back = format!("payctl shift back {name} --to {from} takes all traffic back");
    let mut hints = match &report.end {
        End::Nothing | End::Done => Vec::new(),
        End::Refused | End::RolledBack => {
            vec![format!("correct the cause, and run payctl shift {name} --to {to} again")]
        }
        End::Stopped | End::Interrupted | End::Failed(_) => vec![again, back],
    };
    if report.leaves_claim && !hints.is_empty() {
        hints.push(format!(
            "the claim of this run stays: the next run waits for {} before it takes over",
            span(STALE)
        ));
    }
    hints
}

/// What a run would do.
pub fn plan(name: &str, sides: &Sides, seen: &Outlook, style: Style) -> String {
    let mut text = standing(name, sides, seen, style);
    let _ = writeln!(text, "  {}.", prospect(sides, seen));
    text
}

/// What a run would do about one look.
fn prospect(sides: &Sides, seen: &Outlook) -> String {
    let found = seen.findings.iter().map(ToString::to_string);
    let open = seen.doubts.iter().map(ToString::to_string);
    let why = found.chain(open).next().map(|why| one_line(&why)).unwrap_or_default();
    match &seen.end {
        Some(End::Failed(error)) => format!("A run would move nothing: {error}"),
        Some(End::Refused | End::Stopped) => format!("A run would move nothing: {why}"),
        None if !seen.findings.is_empty() => {
            format!("A run would take all traffic back to {}: {why}", sides.from)
        }
        None if !seen.left.is_empty() => {
            let steps: Vec<String> = seen.left.iter().map(|step| format!("{step} %")).collect();
            let least = span(seen.least);
            format!("A run would give {} {}, in {least} at least", sides.to, steps.join(", "))
        }
        Some(_) | None => "A run has no step to take".to_owned(),
    }
}

/// How the traffic of shifts stands.
pub fn status(rows: &[Standing], style: Style) -> String {
    if rows.is_empty() {
        return "The config has no shifts.\n".to_owned();
    }
    let text = |row: &Standing| match &row.seen {
        Ok((sides, seen)) => standing(&row.name, sides, seen, style),
        Err(why) => {
            let name = style.paint(Paint::Bold, &row.name);
            format!("{name}\n  {}\n", style.paint(Paint::Warn, &one_line(why)))
        }
    };
    rows.iter().map(text).collect::<Vec<_>>().join("\n")
}

fn standing(name: &str, sides: &Sides, seen: &Outlook, style: Style) -> String {
    let mut text = format!("{}\n", style.paint(Paint::Bold, name));
    for line in chart::chart(sides, seen.weights, seen.figures.as_ref(), &[]) {
        let _ = writeln!(text, "  {line}");
    }
    if let Some(claim) = &seen.claim {
        let _ = writeln!(text, "  claimed by a run: {claim}");
    }
    for finding in &seen.findings {
        let line = format!("! {}", one_line(&finding.to_string()));
        let _ = writeln!(text, "  {}", style.paint(Paint::Bad, &line));
    }
    for doubt in &seen.doubts {
        let _ = writeln!(
            text,
            "  {}",
            style.paint(Paint::Warn, &format!("? {}", one_line(&doubt.to_string())))
        );
    }
    text
}

/// The name of an end for programs.
fn end_word(end: &End) -> &'static str {
    match end {
        End::Nothing => "nothing",
        End::Done => "done",
        End::Refused => "refused",
        End::RolledBack => "rolled_back",
        End::Stopped => "stopped",
        End::Interrupted => "interrupted",
        End::Failed(_) => "failed",
    }
}

/// The name of a finding for programs.
fn finding_word(finding: &Finding) -> &'static str {
    match finding {
        Finding::Alarm { .. } => "alarm",
        Finding::Unhealthy { .. } | Finding::NoTarget { .. } => "targets",
        Finding::Probe { .. } => "probe",
        Finding::ErrorRate { .. } => "error_rate",
        Finding::P99 { .. } => "p99",
        Finding::Missing { .. } => "missing",
    }
}

/// The doubts, each on one line.
fn doubted(doubts: &[Doubt]) -> Vec<String> {
    doubts.iter().map(|doubt| one_line(&doubt.to_string())).collect()
}

#[cfg(test)]
mod tests;
