//! The progress of an apply: live lines on a terminal, plain lines elsewhere, or JSON.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::json;
use super::live::{Expected, Live};
use super::style::{Paint, Style, count, span, step_words};
use super::text::{one_line, shown};
use payctl_engine::event::Event;
use payctl_engine::model::address::Address;

/// How often plain output repeats that a step is still waiting.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Tells the time; a test gives its own.
pub type Clock = Box<dyn Fn() -> SystemTime + Send + Sync>;

/// How progress is shown.
pub enum Mode {
    /// Running steps are redrawn in place on stderr, finished ones scroll above.
    Live,
    /// A line when a step ends, and now and then while it waits.
    Lines(Box<dyn Write + Send>),
    /// One JSON object per event.
    Json(Box<dyn Write + Send>),
}

/// Shows events as they come.
pub struct Progress {
    style: Style,
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    view: View,
    total: usize,
    ended: usize,
    /// How long each step had waited when a line last said so.
    said: BTreeMap<Address, Duration>,
}

enum View {
    Live(Live),
    Lines(Box<dyn Write + Send>),
    Json(Box<dyn Write + Send>),
}

impl Progress {
    /// Progress over so many steps.
    pub fn new(mode: Mode, style: Style, total: usize, expected: Expected, clock: Clock) -> Self {
        let view = match mode {
            Mode::Live => View::Live(Live::new(total, style, expected)),
            Mode::Lines(out) => View::Lines(out),
            Mode::Json(out) => View::Json(out),
        };
        let state = State { view, total, ended: 0, said: BTreeMap::new() };
        Self { style, clock, state: Mutex::new(state) }
    }

    /// Shows one event. A closed stream does not stop an apply.
    pub fn event(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { view, total, ended, said } = &mut *state;
        let ends =
            matches!(event, Event::Finished { .. } | Event::Failed { .. } | Event::Skipped { .. });
        *ended += usize::from(ends);
        let counter = format!("[{ended:>width$}/{total}]", width = total.to_string().len());
        match view {
            View::Json(out) => {
                let (kind, body) = json::event(event);
                write(out, &json::line((self.clock)(), kind, &body));
            }
            View::Lines(out) if is_due(event, said) => {
                if let Some(line) = self.text(event) {
                    let counter = self.style.paint(Paint::Dim, &counter);
                    write(out, &shown(self.style, &format!("{counter} {}\n", one_line(&line))));
                }
            }
            View::Lines(_) => {}
            // Work that is done is folded into the bar below.
            View::Live(live) => live.show(event, self.text(event)),
        }
    }

    /// Removes the live lines.
    pub fn finish(&self) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let View::Live(live) = &state.view {
            live.finish();
        }
    }

    /// An event in words; starting is not worth a line of its own.
    fn text(&self, event: &Event) -> Option<String> {
        let text = match event {
            Event::Started { .. } => return None,
            Event::Waiting { address, status, elapsed } => {
                format!("  {address} {status}, waiting for {}", span(*elapsed))
            }
            Event::Retrying { address, error, after } => {
                format!("  {address} tries again in {}: {error}", span(*after))
            }
            Event::Finished { address, verb, elapsed } => {
                let words = step_words(*verb);
                let head = self.style.paint(words.paint, &format!("{} {address}", words.mark));
                format!("{head} {} in {}", words.done, span(*elapsed))
            }
            Event::Failed { address, verb, error } => {
                let head = self.style.paint(Paint::Bad, &format!("! {address}"));
                let reason = error.to_string();
                let reason = reason.lines().next().unwrap_or_default();
                format!("{head} not {}: {reason}", step_words(*verb).done)
            }
            Event::Skipped { address, because, .. } => {
                format!(
                    "{} {address} skipped: waits for {because}",
                    self.style.paint(Paint::Dim, "o")
                )
            }
            Event::Stopping { in_flight } => stopping(*in_flight),
        };
        Some(text)
    }
}

/// The message after a request to stop.
fn stopping(in_flight: usize) -> String {
    format!(
        "Stopping: {} in flight will finish; press Ctrl-C again to stop at once.",
        count(in_flight, "step")
    )
}

/// Whether an event is worth a plain line now.
fn is_due(event: &Event, said: &mut BTreeMap<Address, Duration>) -> bool {
    match event {
        Event::Waiting { address, elapsed, .. } => {
            let last = said.get(address).copied().unwrap_or_default();
            let due = elapsed.saturating_sub(last) >= PATIENCE;
            if due {
                said.insert(address.clone(), *elapsed);
            }
            due
        }
        Event::Started { address, .. }
        | Event::Finished { address, .. }
        | Event::Failed { address, .. }
        | Event::Skipped { address, .. } => {
            said.remove(address);
            true
        }
        // The first retries follow each other fast, and mostly help.
        Event::Retrying { after, .. } => after.as_secs() > 0,
        Event::Stopping { .. } => true,
    }
}

pub(super) fn write(out: &mut dyn Write, line: &str) {
    drop(out.write_all(line.as_bytes()).and_then(|()| out.flush()));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::UNIX_EPOCH;

    use super::*;
    use payctl_engine::event::{StepError, Verb};
    use payctl_engine::model::error::{ErrorClass, OpError};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn events() -> Vec<Event> {
        let seconds = Duration::from_secs;
        let nat = Address::new("ec2.nat_gateway", "a");
        let queue = Address::new("sqs.queue", "payments");
        let topic = Address::new("sns.subscription", "ops");
        let error = OpError::new("CreateQueue", ErrorClass::Denied, "AccessDenied", "no");
        let started = |address: &Address, verb| Event::Started { address: address.clone(), verb };
        let waiting = |elapsed| Event::Waiting {
            address: nat.clone(),
            status: "pending".into(),
            elapsed: seconds(elapsed),
        };
        vec![
            started(&nat, Verb::Create),
            started(&queue, Verb::Delete),
            waiting(2),
            waiting(11),
            waiting(14),
            waiting(22),
            Event::Retrying {
                address: queue.clone(),
                error: OpError { class: ErrorClass::Busy, ..error.clone() },
                after: seconds(2),
            },
            Event::Finished { address: nat.clone(), verb: Verb::Create, elapsed: seconds(23) },
            Event::Failed {
                address: queue.clone(),
                verb: Verb::Delete,
                error: StepError::Refused(error),
            },
            Event::Skipped { address: topic, verb: Verb::Create, because: queue },
            Event::Stopping { in_flight: 1 },
        ]
    }

    fn shown(mode: impl Fn(Box<dyn Write + Send>) -> Mode, style: Style) -> String {
        let sink = Sink::default();
        let clock = Box::new(|| UNIX_EPOCH + Duration::from_millis(1_790_000_000_123));
        let progress =
            Progress::new(mode(Box::new(sink.clone())), style, 12, Expected::default(), clock);
        events().iter().for_each(|event| progress.event(event));
        progress.finish();
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn plain_progress_reports_ends_and_long_waits() {
        insta::assert_snapshot!(shown(Mode::Lines, Style::PLAIN), @r#"
        [ 0/12]   ec2.nat_gateway/a pending, waiting for 11 s
        [ 0/12]   ec2.nat_gateway/a pending, waiting for 22 s
        [ 0/12]   sqs.queue/payments tries again in 2.0 s: CreateQueue: AccessDenied: no
        [ 1/12] + ec2.nat_gateway/a created in 23 s
        [ 2/12] ! sqs.queue/payments not deleted: CreateQueue: AccessDenied: no
        [ 3/12] o sns.subscription/ops skipped: waits for sqs.queue/payments
        [ 3/12] Stopping: 1 step in flight will finish; press Ctrl-C again to stop at once.
        "#);
    }

    #[test]
    fn plain_lines_hold_no_control_codes() {
        assert!(!shown(Mode::Lines, Style::PLAIN).contains('\u{1b}'));
        assert!(!shown(Mode::Json, Style { color: true }).contains('\u{1b}'));
    }

    #[test]
    fn json_is_one_event_per_line() {
        insta::assert_snapshot!(shown(Mode::Json, Style::PLAIN), @r#"
        {"v":1,"type":"started","time":"2026-09-21T14:13:20.123Z","address":"ec2.nat_gateway/a","step":"create"}
        {"v":1,"type":"started","time":"2026-09-21T14:13:20.123Z","address":"sqs.queue/payments","step":"delete"}
        {"v":1,"type":"waiting","time":"2026-09-21T14:13:20.123Z","address":"ec2.nat_gateway/a","elapsed_ms":2000,"status":"pending"}
        {"v":1,"type":"waiting","time":"2026-09-21T14:13:20.123Z","address":"ec2.nat_gateway/a","elapsed_ms":11000,"status":"pending"}
        {"v":1,"type":"waiting","time":"2026-09-21T14:13:20.123Z","address":"ec2.nat_gateway/a","elapsed_ms":14000,"status":"pending"}
        {"v":1,"type":"waiting","time":"2026-09-21T14:13:20.123Z","address":"ec2.nat_gateway/a","elapsed_ms":22000,"status":"pending"}
        {"v":1,"type":"retrying","time":"2026-09-21T14:13:20.123Z","address":"sqs.queue/payments","after_ms":2000,"error":{"class":"busy","code":"AccessDenied","message":"no","op":"CreateQueue","request_id":null}}
        {"v":1,"type":"finished","time":"2026-09-21T14:13:20.123Z","address":"ec2.nat_gateway/a","elapsed_ms":23000,"step":"create"}
        {"v":1,"type":"failed","time":"2026-09-21T14:13:20.123Z","address":"sqs.queue/payments","error":{"class":"denied","code":"AccessDenied","message":"no","op":"CreateQueue","request_id":null},"step":"delete","text":"CreateQueue: AccessDenied: no"}
        {"v":1,"type":"skipped","time":"2026-09-21T14:13:20.123Z","address":"sns.subscription/ops","because":"sqs.queue/payments","step":"create"}
        {"v":1,"type":"stopping","time":"2026-09-21T14:13:20.123Z","in_flight":1}
        "#);
    }
}
