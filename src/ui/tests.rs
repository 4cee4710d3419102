//! No renderer lets a terminal obey a text of somebody else.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::checks;
use super::graph::{self, Format, Node};
use super::live::Expected;
use super::looking;
use super::outputs::{self, Outputs};
use super::plan::Detail;
use super::plan::tests::{example, view};
use super::progress::{Mode, Progress};
use super::report::{self, Block};
use super::status::{self, Health, Row};
use super::style::Style;
use super::text::tests::{expect_harmless, without_looks};
use super::text::{is_obeyed, shown};
use super::{json as lines, plan as plan_text};
use payctl_engine::apply::Report;
use payctl_engine::checks::Outcome;
use payctl_engine::event::{Event, StepError, Verb};
use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::text::{Output, Text};
use payctl_engine::model::verdict::Verdict;
use payctl_engine::plan::Plan;
use payctl_engine::survey::SurveyError;

const PIECES: &[&str] = &[
    "a",
    "é",
    "東",
    " ",
    "'",
    "\"",
    "\\",
    "%",
    "\u{1b}",
    "\u{1b}[31m",
    "\u{1b}[2J",
    "\u{1b}]8;;x\u{7}",
    "\0",
    "\u{7}",
    "\u{8}",
    "\t",
    "\r",
    "\u{c}",
    "\u{7f}",
    "\u{85}",
    "\u{90}",
    "\u{9b}31m",
    "\u{9d}",
    "\u{200b}",
    "\u{200e}",
    "\u{200f}",
    "\u{2028}",
    "\u{2029}",
    "\u{202a}",
    "\u{202d}",
    "\u{202e}",
    "\u{2066}",
    "\u{2069}",
    "\u{feff}",
    "\u{fdd0}",
    "\u{fdd4}",
    "\u{fddf}",
    "\u{fdef}",
    "\u{e0041}",
    "\nFORGED",
    "\r\nFORGED",
];

/// A text that nobody should show as it is.
fn hostile(random: &mut fastrand::Rng) -> String {
    let pieces = 1..random.usize(2..12);
    pieces.map(|_| PIECES[random.usize(..PIECES.len())]).collect()
}

/// The example, and where it takes any text.
static OPEN: LazyLock<(Value, Vec<String>)> = LazyLock::new(|| {
    let plan = serde_json::to_value(example()).unwrap();
    let mut open = Vec::new();
    collect(&plan, String::new(), &mut open);
    // Words that the program itself gives have no place for more.
    open.retain(|path| serde_json::from_value::<Plan>(with(&plan, path, "x")).is_ok());
    (plan, open)
});

/// A tree in which the string at a path goes on with a text.
fn with(tree: &Value, path: &str, text: &str) -> Value {
    let mut tree = tree.clone();
    let string = tree.pointer_mut(path).unwrap();
    *string = format!("{}{text}", string.as_str().unwrap()).into();
    tree
}

/// The example with hostile texts wherever a plan takes any.
fn plan(random: &mut fastrand::Rng) -> Plan {
    let (tree, open) = &*OPEN;
    let mut tree = tree.clone();
    for path in open {
        let string = tree.pointer_mut(path).unwrap();
        *string = format!("{}{}", string.as_str().unwrap(), hostile(random)).into();
    }
    let mut plan: Plan = serde_json::from_value(tree).unwrap();
    for change in &mut plan.changes {
        let key = hostile(random);
        if let Some(want) = &mut change.want {
            want.tags.insert(key.clone(), hostile(random));
            want.tags_once.insert(hostile(random), key.clone());
            want.spec[&key] = json!([hostile(random), { hostile(random): hostile(random) }]);
        }
    }
    plan
}

/// The pointers to all strings.
fn collect(value: &Value, at: String, found: &mut Vec<String>) {
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::String(_) => found.push(at),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(key, item)| collect(item, format!("{at}/{key}"), found));
        }
        Value::Object(map) => {
            let entries = map.iter();
            entries.for_each(|(key, item)| collect(item, format!("{at}/{}", escaped(key)), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn errors(random: &mut fastrand::Rng) -> Vec<StepError> {
    let mut text = || hostile(random);
    let mut error = OpError::new(text(), ErrorClass::Denied, text(), text());
    error.message += " is not authorized to perform: sqs:Create on resource: ";
    error.message += &text();
    error.request_id = Some(text());
    let waited = Duration::from_secs(9);
    vec![
        StepError::Refused(error.clone()),
        StepError::TimedOut { error, waited },
        StepError::NotReady { status: text(), waited },
        StepError::FailedLater(text()),
        StepError::NotOurs(text()),
        StepError::Moved(vec![text(), text()]),
        StepError::Unsettled(vec![text()]),
    ]
}

fn events(random: &mut fastrand::Rng) -> Vec<Event> {
    let mut events = Vec::new();
    for error in errors(random) {
        let mut address = || Address::new("sqs.queue", hostile(random));
        let seconds = Duration::from_secs(60);
        let (verb, elapsed, after) = (Verb::Update, seconds, seconds);
        let refused = OpError::new("Op", ErrorClass::Busy, error.to_string(), error.to_string());
        events.extend([
            Event::Started { address: address(), verb },
            Event::Waiting { address: address(), status: error.to_string(), elapsed },
            Event::Retrying { address: address(), error: refused, after },
            Event::Finished { address: address(), verb, elapsed },
            Event::Failed { address: address(), verb, error },
            Event::Skipped { address: address(), verb, because: address() },
        ]);
    }
    events
}

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

/// Everything that can be shown, for people and for programs.
fn shown_by_all(random: &mut fastrand::Rng, style: Style) -> (Vec<String>, Vec<String>) {
    let (mut people, mut programs) = (Vec::new(), Vec::new());
    let mut line = |body: &Value| programs.push(lines::line(UNIX_EPOCH, "x", body));
    let drawn = plan(random);
    for detail in [Detail::Short, Detail::Full] {
        people.push(plan_text::text(&drawn, view(style, detail, None)));
    }
    line(&lines::plan(&drawn, view(style, Detail::Full, None)));

    let mut address = || Address::new("sqs.queue", hostile(random));
    let (skipped, done, remaining) = (address(), address(), address());
    let report = Report {
        done: vec![(done, Verb::Create)],
        failed: errors(random)
            .into_iter()
            .map(|error| (drawn.changes[0].address.clone(), Verb::Create, error))
            .collect(),
        skipped: vec![(skipped.clone(), Verb::Create, skipped)],
        remaining: vec![(remaining, Verb::Delete)],
        interrupted: true,
        ..Report::default()
    };
    people.push(report::text(&drawn, &report, &[], None, style));
    line(&lines::report(&drawn, &report, &[]));
    let block = Block {
        title: hostile(random),
        what: Some(hostile(random)),
        place: Some(hostile(random)),
        hints: vec![hostile(random)],
        details: Vec::new(),
    };
    people.push(block.text(style));
    line(&lines::block(&block));

    let healths = [Health::Ready, Health::Busy(hostile(random)), Health::Foreign(hostile(random))];
    let rows = healths.map(|health| Row {
        component: hostile(random),
        address: Address::new("sqs.queue", hostile(random)),
        name: hostile(random),
        id: Some(hostile(random)),
        health,
    });
    people.push(status::text(&rows, style));
    let error = OpError::new(hostile(random), ErrorClass::Denied, hostile(random), hostile(random));
    let unseen = [SurveyError { kind: "sqs.queue".into(), error }];
    people.push(looking::warnings(&unseen, style));
    line(&status::json(&rows, &unseen));

    let verdicts = [Verdict::Passed(hostile(random)), Verdict::Failed(hostile(random))];
    let outcomes = verdicts.map(|verdict| Outcome {
        component: hostile(random),
        subject: hostile(random),
        what: hostile(random),
        verdict,
        took: Duration::from_millis(1),
    });
    people.push(checks::text(&outcomes, style));
    line(&checks::json(&outcomes));

    let unknown = Text::reference(Address::new("sqs.queue", hostile(random)), Output::Arn);
    let values = [hostile(random).as_str().into(), unknown];
    let values: Outputs = values.into_iter().map(|value| (hostile(random), value)).collect();
    let described = values.keys().map(|name| (name.clone(), hostile(random))).collect();
    people.push(outputs::text(&values, &described, style));
    line(&lines::outputs(&values, &described));
    // As they are, or not at all.
    let exact = [outputs::shell(&values), outputs::env_file(&values)];
    people.extend(exact.into_iter().flatten().map(|text| {
        assert_eq!(shown(style, &text).replace("\\t", "\t"), text);
        text.replace('\n', " ")
    }));

    let needed = Address::new("sqs.queue", hostile(random).replace('\n', ""));
    let node = Node {
        address: Address::new("sqs.queue", hostile(random).replace('\n', "")),
        component: hostile(random).replace('\n', ""),
        refs: [needed].into(),
    };
    for format in [Format::Dot, Format::Mermaid] {
        people.push(graph::text(std::slice::from_ref(&node), format));
    }
    line(&graph::json(&[node]));
    (people, programs)
}

#[test]
fn foreign_text_cannot_control_the_terminal() {
    for seed in 0..60 {
        let random = &mut fastrand::Rng::with_seed(seed);
        for style in [Style::PLAIN, Style { color: true }] {
            let (people, programs) = shown_by_all(random, style);
            people.iter().for_each(|text| expect_harmless(style, text));
            for text in programs {
                let line = text.strip_suffix('\n').unwrap();
                assert!(!line.chars().any(is_obeyed), "seed {seed}: {line:?}");
                assert!(serde_json::from_str::<Value>(line).is_ok(), "seed {seed}: {line}");
            }
        }
    }
}

#[test]
fn foreign_events_cannot_control_the_terminal() {
    for seed in 0..300 {
        let random = &mut fastrand::Rng::with_seed(seed);
        for style in [Style::PLAIN, Style { color: true }] {
            let sink = Sink::default();
            let mode = Mode::Lines(Box::new(sink.clone()));
            let progress =
                Progress::new(mode, style, 9, Expected::default(), Box::new(|| UNIX_EPOCH));
            let sent = events(random);
            sent.iter().for_each(|event| progress.event(event));
            let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
            let plain = without_looks(style, &text);
            let found = plain.chars().find(|letter| *letter != '\n' && is_obeyed(*letter));
            assert_eq!(found, None, "seed {seed}: {plain:?}");
            assert!(plain.lines().all(|line| line.starts_with('[')), "seed {seed}: {plain}");
        }
    }
}

#[test]
fn a_plan_shows_text_in_most_places() {
    let (plan, open) = &*OPEN;
    let mut places = Vec::new();
    collect(plan, String::new(), &mut places);
    assert!(
        places.len() > 50 && open.len() * 10 > places.len() * 7,
        "{} of {}",
        open.len(),
        places.len()
    );
}
