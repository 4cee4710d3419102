//! The rules of `[events]`.

use serde_json::Value;

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::schema::events::EventRule;
use crate::config::schema::text::{ItemName, QueueRef};
use crate::words::aws_services::Service;

/// The most targets of a rule.
const MOST_TARGETS: usize = 5;

impl Rules<'_> {
    pub(super) fn events(&mut self) {
        for (name, event) in &self.config.events {
            let path = KeyPath::of("events").key(name);
            if event.schedule.is_none() && event.pattern.is_none() {
                let fix = "add `schedule` or `pattern`";
                self.say(&path, "the rule has no trigger", fix);
            }
            if let Some((message, fix)) = event.schedule.as_ref().and_then(|text| schedule(text)) {
                self.say(&path.key("schedule"), message, fix);
            }
            self.pattern(&path, event);
            self.inputs(&path, event);
            self.targets(&path, event);
        }
    }

    fn pattern(&mut self, path: &KeyPath, event: &EventRule) {
        let path = path.key("pattern");
        let Some(pattern) = event.pattern.as_ref() else { return };
        let tree = Value::Object(pattern.0.clone());
        if let Some(wrong) = no_pattern(&tree, "") {
            let fix = "write a list of possible values for each field: source = [\"aws.health\"]";
            self.say(&path, wrong, fix);
        }
        if tree.to_string().len() > 4096 {
            self.say(&path, "the pattern is too long", "use at most 4096 characters");
        }
    }

    fn inputs(&mut self, path: &KeyPath, event: &EventRule) {
        let input = event.input.as_ref().map(|table| Value::Object(table.0.clone()).to_string());
        if input.is_some() && event.transform.is_some() {
            let message = "`input` and `transform` cannot be used together";
            self.say(&path.key("transform"), message, "remove `input` or `transform`");
        }
        if input.is_some_and(|text| text.len() > 8192) {
            let message = "the input is too long";
            self.say(&path.key("input"), message, "use at most 8192 characters");
        }
        let Some(transform) = &event.transform else { return };
        let path = path.key("transform");
        let odd = transform.paths.iter().find(|(_, path)| !path.starts_with('$'));
        if let Some((key, wrong)) = odd {
            let message = format!("`{wrong}` of `{key}` is not a path into an event");
            self.say(&path, message, "write a path such as $.detail.status");
        }
        let reserved = transform.paths.keys().find(|key| key.to_lowercase().starts_with("aws"));
        if let Some(key) = reserved {
            let message = format!("`{key}` is reserved");
            self.say(&path, message, "use a name that does not begin with aws");
        }
        if transform.paths.len() > 100 {
            self.say(&path, "there are too many paths", "use at most 100");
        }
        let mut filled = transform.template.clone();
        for key in transform.paths.keys() {
            filled = filled.replace(&format!("<{key}>"), "0");
        }
        if filled.contains('<') && filled.contains('>') && !filled.contains("<aws.") {
            let message = "the template uses a name in angle brackets that is not in `paths`";
            self.say(&path, message, "add it to `paths`");
        } else if !is_template(&filled) {
            let message = "the template is neither a JSON text nor a JSON object";
            self.say(
                &path,
                message,
                r#"write for example "\"Payment <status>\"" or "{\"status\": <status>}""#,
            );
        }
    }

    fn targets(&mut self, path: &KeyPath, event: &EventRule) {
        let count = event.functions.len() + event.topics.len() + event.queues.len();
        if count > MOST_TARGETS {
            let fix = "use at most 5: split the rule, or send to a topic";
            self.say(path, format!("too many targets: {count}"), fix);
        }
        for topic in &event.topics {
            let Some(found) = self.config.topics.get(&ItemName(topic.0.clone())) else { continue };
            let path = path.key("topics");
            if found.fifo {
                let message = format!("the topic `{}` is a FIFO topic", topic.0);
                self.say(
                    &path,
                    message,
                    "use a standard topic: EventBridge cannot publish to FIFO topics",
                );
            }
            if !found.publishers.contains(&Service::Events) {
                let message = format!("EventBridge may not publish to the topic `{}`", topic.0);
                let fix = format!("add \"events\" to `publishers` of [topics.{}]", topic.0);
                self.say(&path, message, fix);
            }
        }
        for queue in &event.queues {
            self.receives(&path.key("queues"), queue);
        }
        if let Some(queue) = &event.dead_letter {
            self.receives(&path.key("dead_letter"), queue);
        }
    }

    /// A queue must allow EventBridge to send, and must not be FIFO.
    fn receives(&mut self, path: &KeyPath, queue: &QueueRef) {
        let Some(found) = self.config.queues.get(&ItemName(queue.0.clone())) else { return };
        if found.fifo {
            let message = format!("the queue `{}` is a FIFO queue", queue.0);
            self.say(path, message, "use a standard queue: a rule cannot deliver to FIFO queues");
        }
        if !found.senders.contains(&Service::Events) {
            let message = format!("EventBridge may not send to the queue `{}`", queue.0);
            let fix = format!("add \"events\" to `senders` of [queues.{}]", queue.0);
            self.say(path, message, fix);
        }
    }
}

/// The problem of a schedule, and the fix.
pub(super) fn schedule(text: &str) -> Option<(String, &'static str)> {
    if text.len() > 256 {
        return Some(("the schedule is too long".to_owned(), "use at most 256 characters"));
    }
    let inside = |word: &str| text.strip_prefix(word)?.strip_suffix(')');
    if let Some(rate) = inside("rate(") {
        let fix = "write rate(1 minute), rate(5 minutes), rate(1 hour), rate(2 days) ...";
        let (count, unit) = rate.split_once(' ').unwrap_or((rate, ""));
        let singular = ["minute", "hour", "day"];
        let fits = match count.parse::<u32>() {
            Ok(0) | Err(_) => false,
            Ok(1) => singular.contains(&unit),
            Ok(_) => unit.strip_suffix('s').is_some_and(|unit| singular.contains(&unit)),
        };
        return (!fits).then(|| (format!("`{text}` is not a valid rate"), fix));
    }
    let fix =
        "write cron(minutes hours day-of-month month day-of-week year), in UTC: cron(0 3 * * ? *)";
    let fields: Vec<&str> = inside("cron(")?.split_whitespace().collect();
    if fields.len() != 6 {
        return Some((format!("`{text}` has {} fields instead of 6", fields.len()), fix));
    }
    if (fields[2] == "?") == (fields[4] == "?") {
        let message = "exactly one of day-of-month and day-of-week must be `?`".to_owned();
        return Some((message, fix));
    }
    let wrong = fields.iter().zip(FIELDS).find(|(field, allowed)| !allowed.takes(field));
    wrong.map(|(field, _)| (format!("`{field}` is out of range in `{text}`"), fix))
}

/// The values of a field of a cron expression.
struct Field {
    least: u32,
    most: u32,
    /// Names for the numbers, starting with the least.
    names: &'static [&'static str],
    /// The special letters of the field: the last (`L`), the nearest weekday (`W`), the n-th (`#`).
    marks: &'static [char],
}

const fn field(least: u32, most: u32) -> Field {
    Field { least, most, names: &[], marks: &[] }
}

const MONTHS: &[&str] =
    &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const FIELDS: [Field; 6] = [
    field(0, 59),
    field(0, 23),
    Field { marks: &['?', 'L', 'W'], ..field(1, 31) },
    Field { names: MONTHS, ..field(1, 12) },
    Field { names: DAYS, marks: &['?', 'L', '#'], ..field(1, 7) },
    field(1970, 2199),
];

impl Field {
    fn takes(&self, text: &str) -> bool {
        text.split(',').all(|part| self.takes_part(part))
    }

    /// `*`, a value, a range, either of them in steps, or a mark.
    fn takes_part(&self, part: &str) -> bool {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        let steps = step.is_none_or(|step| step.parse::<u32>().is_ok_and(|step| step > 0));
        // Steps may begin at 0 everywhere.
        let least = if step.is_some() { 0 } else { self.least };
        let value = |text: &str| {
            let number = text.parse().is_ok_and(|number| (least..=self.most).contains(&number));
            number || self.names.contains(&text.to_uppercase().as_str())
        };
        let in_range = match range.split_once('-') {
            Some((from, to)) => value(from) && value(to),
            None => range == "*" || value(range),
        };
        let marked = step.is_none()
            && self.marks.iter().any(|mark| match (mark, part) {
                ('?', part) => part == "?",
                ('W', "LW") | ('L', "L") => true,
                ('#', part) => part.split_once('#').is_some_and(|(day, nth)| {
                    value(day) && nth.parse().is_ok_and(|nth: u32| (1..=5).contains(&nth))
                }),
                (mark, part) => part.strip_suffix(*mark).is_some_and(value),
            });
        (in_range && steps) || marked
    }
}

/// The problem of a pattern: a field that contains neither a list nor fields.
fn no_pattern(value: &Value, at: &str) -> Option<String> {
    match value {
        Value::Object(fields) if fields.is_empty() => Some(format!("the pattern{at} is empty")),
        Value::Object(fields) => {
            fields.iter().find_map(|(key, value)| no_pattern(value, &format!("{at} {key}")))
        }
        Value::Array(values) if values.is_empty() => Some(format!("the list of{at} is empty")),
        Value::Array(_) => None,
        _ => Some(format!("the pattern has a single value at{at}")),
    }
}

/// Whether EventBridge accepts a template after its names are filled in.
fn is_template(filled: &str) -> bool {
    let lines = || filled.lines().filter(|line| !line.trim().is_empty());
    let is_text = |line: &str| line.trim().starts_with('"') && line.trim().ends_with('"');
    serde_json::from_str::<Value>(filled).is_ok() || lines().all(is_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_have_the_syntax_of_eventbridge() {
        for fine in [
            "rate(1 minute)",
            "rate(5 minutes)",
            "cron(0 3 * * ? *)",
            "cron(0/15 8-18 ? * MON-FRI *)",
            "cron(0 0 L * ? 2030)",
            "cron(0 0 LW JAN-MAR,dec ? 2030/2)",
            "cron(0 8,20 15W * ? *)",
            "cron(*/5 0-6/2 ? * 6#3 *)",
            "cron(0 0 ? * FRIL *)",
        ] {
            assert_eq!(schedule(fine), None, "{fine}");
        }
        for wrong in [
            "rate(1 days)",
            "rate(5 minute)",
            "rate(0 days)",
            "rate(day)",
            "cron(0 3 * * *)",
            "cron(0 3 * * * *)",
            "cron(0 3 ? * ? *)",
            "cron(61 3 * * ? *)",
            "cron(a b c d ? e)",
            "cron(0 3 0 * ? *)",
            "cron(0/0 3 * * ? *)",
            "cron(0 3 * * ,? *)",
            "cron(0 L * * ? *)",
            "cron(0 3 ? * FRI#6 *)",
        ] {
            assert!(schedule(wrong).is_some(), "{wrong}");
        }
    }

    #[test]
    fn templates_are_texts_or_objects() {
        assert!(is_template(r#"{"status": 0}"#) && is_template("\"Payment 0\"\n\"of 0\""));
        assert!(!is_template("Payment 0"));
    }
}
