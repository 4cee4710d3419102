//! How a kind stands in a drawing of the architecture.
//!
//! A drawing shows boxes in lanes, from those who call to those who are told. What is too small for a
//! box is a badge of its owner. A kind says which it is; what owns what follows from the references.

use std::collections::BTreeSet;

use serde_json::Value;

use super::address::Address;
use super::text::each_ref;

/// How a drawing shows a resource of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Drawn {
    /// A box, a frame, a cell or a badge.
    pub shape: Shape,
    /// The name of its symbol in the drawing crate.
    pub symbol: &'static str,
    /// What one is called, for people: `security group`.
    pub word: &'static str,
    /// What moves between it, or its owner, and others, from its spec.
    pub flows: fn(&Value) -> Vec<Flow>,
}

/// What a resource is in a drawing.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A frame round what refers to it.
    Frame {
        /// The top-level field that says how large it is, such as an address range.
        note: &'static str,
    },
    /// A part of a frame, in which boxes live that refer to it.
    Cell {
        /// The tier of the cells with this name, and its place among the tiers.
        tier: fn(&str) -> (u32, &str),
        /// The top-level field that says in which zone it is.
        zone: &'static str,
        /// The top-level field that says how large it is.
        note: &'static str,
    },
    /// A box.
    Box(Lane),
    /// A badge of what the top-level fields refer to; where they refer to nothing that is drawn, of
    /// what refers to it.
    Badge {
        /// The fields, the most telling first.
        of: &'static [&'static str],
    },
}

/// The lanes of a drawing, in the direction of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Calls and events come in, and what guards that: APIs, rules, firewalls.
    Entry,
    /// It passes calls on: load balancers, links, gateways.
    Pass,
    /// It computes: functions, services, fleets.
    Compute,
    /// It keeps data: tables, buckets, databases, secrets.
    Data,
    /// It tells others: queues, topics.
    Messages,
    /// It belongs to all: keys, detectors. It stands apart, without flows.
    Apart,
}

/// Something that moves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flow {
    /// Where it begins.
    pub from: End,
    /// Where it ends.
    pub to: End,
    /// What it is, in few words; it may be empty.
    pub label: String,
    /// Whether it only follows from a permission or a setting: it is left out where the same two are
    /// joined already.
    pub implied: bool,
}

/// An end of a flow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// The resource whose spec says so.
    Here,
    /// Another resource of the environment.
    There(Address),
    /// Somebody outside: a symbol and a name.
    Outside(&'static str, String),
}

impl Drawn {
    /// A badge of what refers to it.
    pub const USED: Self = Self::badge("dot", "resource", &[]);

    /// A box without flows.
    pub const fn a_box(lane: Lane, symbol: &'static str, word: &'static str) -> Self {
        Self { shape: Shape::Box(lane), symbol, word, flows: none }
    }

    /// A badge of what these fields refer to, without flows.
    pub const fn badge(
        symbol: &'static str,
        word: &'static str,
        of: &'static [&'static str],
    ) -> Self {
        Self { shape: Shape::Badge { of }, symbol, word, flows: none }
    }

    /// The same with flows.
    pub const fn with(self, flows: fn(&Value) -> Vec<Flow>) -> Self {
        Self { flows, ..self }
    }
}

fn none(_: &Value) -> Vec<Flow> {
    Vec::new()
}

impl Flow {
    /// From the resource to each that a field refers to; the field is a JSON pointer.
    pub fn out(spec: &Value, field: &str, label: &str) -> Vec<Self> {
        let to = referred(spec.pointer(field)).into_iter();
        to.map(|to| Self::new(End::Here, End::There(to), label)).collect()
    }

    /// To the resource from each that a field refers to.
    pub fn into(spec: &Value, field: &str, label: &str) -> Vec<Self> {
        let from = referred(spec.pointer(field)).into_iter();
        from.map(|from| Self::new(End::There(from), End::Here, label)).collect()
    }

    /// Between two ends.
    pub fn new(from: End, to: End, label: &str) -> Self {
        Self { from, to, label: label.to_owned(), implied: false }
    }

    /// The same, left out where the two are joined already.
    #[must_use]
    pub fn implied(self) -> Self {
        Self { implied: true, ..self }
    }
}

/// The resources that a value refers to.
pub fn referred(value: Option<&Value>) -> BTreeSet<Address> {
    let mut found = BTreeSet::new();
    if let Some(value) = value {
        each_ref(value, &mut |reference| {
            found.insert(reference.to.clone());
        });
    }
    found
}

/// A schedule of AWS for people: `every day`, `every day 03:00`; one that this does not know stays as
/// it is.
pub fn schedule(text: &str) -> String {
    let inner = |name: &str| {
        text.strip_prefix(name).and_then(|rest| rest.strip_prefix('(')?.strip_suffix(')'))
    };
    if let Some(rate) = inner("rate") {
        return match rate.split_once(' ') {
            Some(("1", unit)) => format!("every {unit}"),
            _ => format!("every {rate}"),
        };
    }
    let fields: Vec<&str> = inner("cron").map(|cron| cron.split(' ').collect()).unwrap_or_default();
    let time = |hour: &str, minute: &str| -> Option<String> {
        Some(format!("{:02}:{:02}", hour.parse::<u8>().ok()?, minute.parse::<u8>().ok()?))
    };
    match fields[..] {
        [minute, hour, "*" | "?", "*", "*" | "?", "*"] => {
            time(hour, minute).map(|time| format!("every day {time}"))
        }
        [minute, hour, day, "*", "?", "*"] if day.parse::<u8>().is_ok() => {
            time(hour, minute).map(|time| format!("day {day} of the month, {time}"))
        }
        [minute, hour, "?", "*", day, "*"] => {
            time(hour, minute).map(|time| format!("{day} {time}"))
        }
        _ => None,
    }
    .unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::text::{Output, Text};

    #[test]
    fn schedules_are_told_in_words() {
        for (schedule_, told) in [
            ("rate(1 day)", "every day"),
            ("rate(30 days)", "every 30 days"),
            ("cron(0 3 * * ? *)", "every day 03:00"),
            ("cron(30 4 1 * ? *)", "day 1 of the month, 04:30"),
            ("cron(0 8 ? * MON-FRI *)", "MON-FRI 08:00"),
            ("cron(0/5 * * * ? *)", "cron(0/5 * * * ? *)"),
            ("at(2026-01-01T00:00:00)", "at(2026-01-01T00:00:00)"),
        ] {
            assert_eq!(schedule(schedule_), told);
        }
    }

    #[test]
    fn flows_follow_the_references_of_a_field() {
        let queue = Address::new("a.queue", "letters");
        let text = Text::reference(queue.clone(), Output::Arn);
        let spec = json!({ "redrive": { "target": text }, "other": null });
        let expected = Flow::new(End::Here, End::There(queue.clone()), "dead letters");
        assert_eq!(Flow::out(&spec, "/redrive", "dead letters"), [expected]);
        let expected = Flow::new(End::There(queue), End::Here, "");
        assert_eq!(Flow::into(&spec, "/redrive/target", ""), [expected]);
        assert!(Flow::out(&spec, "/none", "").is_empty());
    }
}
