//! What a terminal shows while steps run: the steps that decide how long the rest takes, as a tree, what
//! runs beside them, and a bar. It is redrawn in place, and takes a part of a screen at most.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::style::{Paint, Style, span, step_words};
use super::text::{one_line, shown};
use payctl_engine::event::{Event, Verb};
use payctl_engine::graph::Steps;
use payctl_engine::model::address::Address;
use payctl_engine::outlook::Estimate;
use payctl_engine::plan::Plan;

/// How often the picture is redrawn.
const TICK: Duration = Duration::from_millis(200);
/// How many steps of the critical path have a line.
const PATH: usize = 5;
/// How many steps beside it have a line.
const BESIDE: usize = 6;
/// What is over sooner needs no expectation.
const WORTH: Duration = Duration::from_secs(5);

/// How long the steps of a plan are expected to take, and what each waits for.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Each after everything that it waits for.
    steps: Vec<Step>,
    /// Where each stands.
    places: BTreeMap<(Address, Verb), usize>,
    /// How long the whole takes.
    total: Duration,
}

#[derive(Clone, Debug)]
struct Step {
    address: Address,
    verb: Verb,
    lasts: Duration,
    after: Vec<usize>,
}

impl Expected {
    /// From the estimate of a plan.
    pub fn of(plan: &Plan, estimate: &Estimate) -> Self {
        let order = in_order(&estimate.graph);
        let mut places = vec![0; order.len()];
        order.iter().enumerate().for_each(|(place, step)| places[*step] = place);
        let step = |at: &usize| {
            let step = estimate.graph.steps[*at];
            Step {
                address: plan.changes[step.change].address.clone(),
                verb: step.verb,
                lasts: estimate.lasts[*at],
                after: estimate.graph.after[*at].iter().map(|before| places[*before]).collect(),
            }
        };
        Self::in_order(order.iter().map(step).collect(), estimate.total())
    }

    fn in_order(steps: Vec<Step>, total: Duration) -> Self {
        let place = |(place, step): (usize, &Step)| ((step.address.clone(), step.verb), place);
        Self { places: steps.iter().enumerate().map(place).collect(), steps, total }
    }

    /// How long a step is expected to take.
    fn lasts(&self, address: &Address, verb: Verb) -> Duration {
        let place = self.places.get(&(address.clone(), verb));
        place.map_or(Duration::ZERO, |place| self.steps[*place].lasts)
    }
}

/// The steps, each after everything that it waits for.
fn in_order(graph: &Steps) -> Vec<usize> {
    let mut waits: Vec<usize> = graph.after.iter().map(|befores| befores.len()).collect();
    let mut users = vec![Vec::new(); waits.len()];
    for (step, befores) in graph.after.iter().enumerate() {
        befores.iter().for_each(|before| users[*before].push(step));
    }
    let mut order: Vec<usize> = (0..waits.len()).filter(|step| waits[*step] == 0).collect();
    let mut next = 0;
    while let Some(step) = order.get(next).copied() {
        next += 1;
        for user in &users[step] {
            waits[*user] -= 1;
            if waits[*user] == 0 {
                order.push(*user);
            }
        }
    }
    order
}

/// What runs, and what has ended.
struct Work {
    style: Style,
    expected: Expected,
    /// By place in `expected`.
    ended: Vec<bool>,
    running: BTreeMap<Address, Running>,
}

struct Running {
    verb: Verb,
    since: Instant,
    /// What AWS said last.
    status: Option<String>,
}

impl Work {
    fn new(style: Style, expected: Expected) -> Self {
        let ended = vec![false; expected.steps.len()];
        Self { style, expected, ended, running: BTreeMap::new() }
    }

    fn take(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Started { address, verb } => {
                let step = Running { verb: *verb, since: now, status: None };
                self.running.insert(address.clone(), step);
            }
            Event::Waiting { address, status, .. } => self.say(address, status.clone()),
            Event::Retrying { address, error, after } => {
                self.say(address, format!("{}, again in {}", error.code, span(*after)));
            }
            Event::Finished { address, verb, .. }
            | Event::Failed { address, verb, .. }
            | Event::Skipped { address, verb, .. } => {
                self.running.remove(address);
                if let Some(place) = self.expected.places.get(&(address.clone(), *verb)) {
                    self.ended[*place] = true;
                }
            }
            Event::Stopping { .. } => {}
        }
    }

    fn say(&mut self, address: &Address, status: String) {
        if let Some(step) = self.running.get_mut(address) {
            step.status = Some(status);
        }
    }

    /// The step of that place, if it runs.
    fn runs(&self, at: usize) -> Option<&Running> {
        let step = &self.expected.steps[at];
        self.running.get(&step.address).filter(|running| running.verb == step.verb)
    }

    /// The steps that decide how long the rest takes, and how long that is.
    fn path(&self, now: Instant) -> (Vec<usize>, Duration) {
        let left = |at: usize| {
            let since = self.runs(at).map_or(Duration::ZERO, |step| now - step.since);
            self.expected.steps[at].lasts.saturating_sub(since)
        };
        let mut ends = vec![Duration::ZERO; self.ended.len()];
        let latest = |steps: &[usize], ends: &[Duration]| {
            steps.iter().copied().filter(|step| !self.ended[*step]).max_by_key(|step| ends[*step])
        };
        for (at, step) in self.expected.steps.iter().enumerate() {
            if !self.ended[at] {
                let begins = latest(&step.after, &ends).map_or(Duration::ZERO, |step| ends[step]);
                ends[at] = begins + left(at);
            }
        }
        let all: Vec<usize> = (0..ends.len()).collect();
        let mut at = latest(&all, &ends);
        let total = at.map_or(Duration::ZERO, |last| ends[last]);
        let mut path = Vec::new();
        while let Some(step) = at {
            path.push(step);
            at = latest(&self.expected.steps[step].after, &ends);
        }
        path.reverse();
        (path, total)
    }

    /// The lines above the bar.
    fn lines(&self, now: Instant) -> Vec<String> {
        let (path, left) = self.path(now);
        let mut lines = Vec::new();
        if !path.is_empty() && left >= WORTH {
            let head = format!("Critical path, about {} left:", span(left));
            lines.push(self.style.paint(Paint::Bold, &head));
        }
        let lasts = |at: &usize| self.expected.steps[*at].lasts;
        let is_shown = !lines.is_empty();
        let shown = if is_shown { &path[..path.len().min(PATH)] } else { &[] };
        for (depth, at) in shown.iter().enumerate() {
            let branch =
                if depth == 0 { String::new() } else { "   ".repeat(depth - 1) + "└─ " };
            lines.push(format!("  {branch}{}", self.step(*at, now)));
        }
        if is_shown && path.len() > PATH {
            let rest = &path[PATH..];
            let lasts: Duration = rest.iter().map(lasts).sum();
            let text = format!("{} more, about {}", rest.len(), span(lasts));
            let text = self.style.paint(Paint::Dim, &text);
            lines.push(format!("  {}└─ {text}", "   ".repeat(PATH - 1)));
        }
        let on_path = |address: &Address, running: &Running| {
            let mut steps = shown.iter().map(|at| &self.expected.steps[*at]);
            steps.any(|step| (&step.address, step.verb) == (address, running.verb))
        };
        let mut beside: Vec<_> =
            self.running.iter().filter(|(address, step)| !on_path(address, step)).collect();
        beside.sort_by_key(|(_, step)| step.since);
        if is_shown && !beside.is_empty() {
            lines.push(self.style.paint(Paint::Bold, "Beside it:"));
        }
        for (address, step) in beside.iter().take(BESIDE) {
            let lasts = self.expected.lasts(address, step.verb);
            lines.push(format!("  {}", self.running(address, step, lasts, now)));
        }
        if beside.len() > BESIDE {
            let text = format!("  {} more run", beside.len() - BESIDE);
            lines.push(self.style.paint(Paint::Dim, &text));
        }
        lines
    }

    /// A step of the path: how it runs, or what it will be.
    fn step(&self, at: usize, now: Instant) -> String {
        let step = &self.expected.steps[at];
        match self.runs(at) {
            Some(running) => self.running(&step.address, running, step.lasts, now),
            None => {
                let lasts = if step.lasts < WORTH { String::new() } else { about(step.lasts) };
                let text = format!("{} {}{lasts}", step_words(step.verb).mark, step.address);
                self.style.paint(Paint::Dim, &text)
            }
        }
    }

    fn running(&self, address: &Address, step: &Running, lasts: Duration, now: Instant) -> String {
        let words = step_words(step.verb);
        let head = self.style.paint(words.paint, &format!("{} {address}", words.mark));
        let doing = match &step.status {
            Some(status) => format!("{status},"),
            None => words.doing.to_owned(),
        };
        let lasts = if lasts < WORTH { String::new() } else { format!(" of{}", about(lasts)) };
        format!("{head} {doing} {}{lasts}", span(now - step.since))
    }
}

/// ` about 5 m 00 s`.
fn about(lasts: Duration) -> String {
    format!(" about {}", span(lasts))
}

/// The lines that are redrawn in place on stderr.
pub(super) struct Live {
    bar: ProgressBar,
    work: Arc<Mutex<Work>>,
    style: Style,
}

impl Live {
    pub(super) fn new(total: usize, style: Style, expected: Expected) -> Self {
        let whole = expected.total;
        let work = Arc::new(Mutex::new(Work::new(style, expected)));
        let seen = Arc::clone(&work);
        let tree = move |_: &ProgressState, out: &mut dyn fmt::Write| {
            for line in lock(&seen).lines(Instant::now()) {
                // A frame that cannot be drawn is not worth an error: the next one follows.
                writeln!(out, "{}", shown(style, &one_line(&line))).unwrap_or_default();
            }
        };
        let of = if whole < WORTH { String::new() } else { format!(" of{}", about(whole)) };
        let template = format!("{{tree}}[{{bar:30}}] {{pos}}/{{len}}  {{elapsed}}{of}  {{msg}}");
        let look = ProgressStyle::with_template(&template)
            .expect("the template is constant but for a time span")
            .with_key("tree", tree)
            .progress_chars("=> ");
        let bar = ProgressBar::new(total as u64).with_style(look);
        bar.enable_steady_tick(TICK);
        Self { bar, work, style }
    }

    /// Shows an event. `text` says it in words: failures stay above, successes are folded into the bar.
    pub(super) fn show(&self, event: &Event, text: Option<String>) {
        lock(&self.work).take(event, Instant::now());
        let text = text.map(|text| shown(self.style, &one_line(&text))).unwrap_or_default();
        match event {
            Event::Finished { .. } => self.bar.inc(1),
            Event::Failed { .. } | Event::Skipped { .. } => {
                self.bar.println(text);
                self.bar.inc(1);
            }
            Event::Stopping { .. } => self.bar.set_message(text),
            Event::Started { .. } | Event::Waiting { .. } | Event::Retrying { .. } => {}
        }
    }

    /// Removes the lines.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn lock(work: &Mutex<Work>) -> MutexGuard<'_, Work> {
    work.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(name: &str) -> Address {
        Address::new("a.b", name)
    }

    fn step(name: &str, seconds: u64, after: &[usize]) -> Step {
        let lasts = Duration::from_secs(seconds);
        Step { address: address(name), verb: Verb::Create, lasts, after: after.to_vec() }
    }

    fn started(name: &str) -> Event {
        Event::Started { address: address(name), verb: Verb::Create }
    }

    fn finished(name: &str) -> Event {
        let elapsed = Duration::ZERO;
        Event::Finished { address: address(name), verb: Verb::Create, elapsed }
    }

    /// A cluster with two instances and what follows them, and a queue.
    fn database() -> Work {
        let steps = vec![
            step("subnets", 2, &[]),
            step("queue", 8, &[]),
            step("cluster", 60, &[0]),
            step("one", 300, &[2]),
            step("two", 200, &[2]),
            step("alarm", 3, &[3]),
            step("proxy", 10, &[3]),
            step("last", 1, &[5, 6]),
        ];
        Work::new(Style::PLAIN, Expected::in_order(steps, Duration::from_secs(373)))
    }

    #[test]
    fn the_path_is_a_tree_and_what_has_ended_is_folded() {
        let mut work = database();
        let begin = Instant::now();
        let at = |seconds: u64| begin + Duration::from_secs(seconds);
        work.take(&started("subnets"), begin);
        work.take(&started("queue"), begin);
        insta::assert_snapshot!(work.lines(at(1)).join("\n"), @r"
        Critical path, about 6 m 12 s left:
          + a.b/subnets creating 1.0 s
          └─ + a.b/cluster about 1 m 00 s
             └─ + a.b/one about 5 m 00 s
                └─ + a.b/proxy about 10 s
                   └─ + a.b/last
        Beside it:
          + a.b/queue creating 1.0 s of about 8.0 s
        ");
        work.take(&finished("subnets"), at(2));
        work.take(&started("cluster"), at(2));
        let status = "creating, 2 of 3".to_owned();
        let elapsed = Duration::from_secs(28);
        work.take(&Event::Waiting { address: address("cluster"), status, elapsed }, at(30));
        work.take(&finished("queue"), at(30));
        insta::assert_snapshot!(work.lines(at(32)).join("\n"), @r"
        Critical path, about 5 m 41 s left:
          + a.b/cluster creating, 2 of 3, 30 s of about 1 m 00 s
          └─ + a.b/one about 5 m 00 s
             └─ + a.b/proxy about 10 s
                └─ + a.b/last
        ");
        work.take(&finished("cluster"), at(62));
        work.take(&started("one"), at(62));
        work.take(&started("two"), at(62));
        work.take(&finished("one"), at(63));
        work.take(&started("alarm"), at(63));
        work.take(&started("proxy"), at(63));
        // What was the path is over early: the second instance decides now.
        insta::assert_snapshot!(work.lines(at(65)).join("\n"), @r"
        Critical path, about 3 m 17 s left:
          + a.b/two creating 3.0 s of about 3 m 20 s
        Beside it:
          + a.b/alarm creating 2.0 s
          + a.b/proxy creating 2.0 s of about 10 s
        ");
        for name in ["two", "alarm", "proxy"] {
            work.take(&finished(name), at(300));
        }
        work.take(&started("last"), at(300));
        insta::assert_snapshot!(work.lines(at(300)).join("\n"), @"  + a.b/last creating 0.0 s");
    }

    #[test]
    fn without_expectations_the_picture_stays_small() {
        let mut work = Work::new(Style::PLAIN, Expected::default());
        let begin = Instant::now();
        for name in 0..2000 {
            work.take(&started(&format!("{name:04}")), begin + Duration::from_millis(name));
        }
        let lines = work.lines(begin + Duration::from_secs(3));
        assert_eq!(lines.len(), BESIDE + 1);
        assert_eq!(lines[0], "  + a.b/0000 creating 3.0 s");
        assert_eq!(lines[BESIDE], "  1994 more run");
    }

    #[test]
    fn a_long_path_ends_with_a_count() {
        let steps = (0..2000).map(|at| {
            let after: Vec<usize> = (at > 0).then(|| at - 1).into_iter().collect();
            step(&at.to_string(), 10, &after)
        });
        let expected = Expected::in_order(steps.collect(), Duration::from_secs(20_000));
        let lines = Work::new(Style::PLAIN, expected).lines(Instant::now());
        assert_eq!(lines.len(), PATH + 2);
        assert!(lines[PATH + 1].ends_with("1995 more, about 5 h 32 m"), "{}", lines[PATH + 1]);
    }
}
