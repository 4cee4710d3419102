//! Schedule expressions of rules.

/// Whether a text is `rate(...)` or `cron(...)` in EventBridge's form.
pub(super) fn is_schedule(schedule: &str) -> bool {
    let inside = |word: &str| schedule.strip_prefix(word)?.strip_suffix(')');
    match (inside("rate("), inside("cron(")) {
        (Some(rate), _) => is_rate(rate),
        (_, Some(cron)) => is_cron(cron),
        _ => false,
    }
}

fn is_rate(rate: &str) -> bool {
    let (count, unit) = rate.split_once(' ').unwrap_or_default();
    let units = ["minute", "hour", "day"];
    match count.parse::<u32>() {
        Ok(0) | Err(_) => false,
        Ok(1) => units.contains(&unit),
        Ok(_) => unit.strip_suffix('s').is_some_and(|unit| units.contains(&unit)),
    }
}

/// The values of a field of a cron expression: a range, the names of its first values, and marks
/// that may follow a value.
struct Field {
    least: u32,
    most: u32,
    names: &'static [&'static str],
    marks: &'static [char],
}

const fn field(least: u32, most: u32) -> Field {
    Field { least, most, names: &[], marks: &[] }
}

const MONTHS: &[&str] =
    &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Minutes, hours, day of the month, month, day of the week, year.
const FIELDS: [Field; 6] = [
    field(0, 59),
    field(0, 23),
    Field { marks: &['L', 'W'], ..field(1, 31) },
    Field { names: MONTHS, ..field(1, 12) },
    Field { names: DAYS, marks: &['L', '#'], ..field(1, 7) },
    field(1970, 2199),
];

/// Exactly one of the two day fields must be `?`.
fn is_cron(cron: &str) -> bool {
    let given: Vec<&str> = cron.split_whitespace().collect();
    given.len() == FIELDS.len()
        && (given[2] == "?") != (given[4] == "?")
        && given.iter().zip(&FIELDS).enumerate().all(|(place, (given, field))| {
            let open = [2, 4].contains(&place) && *given == "?";
            open || given.split(',').all(|part| field.takes(part))
        })
}

impl Field {
    /// `*`, `5`, `1-5`, `0/15`, `MON-FRI`, `6L`, `SAT#3`.
    fn takes(&self, part: &str) -> bool {
        let (range, step) = part.split_once('/').map_or((part, None), |(a, b)| (a, Some(b)));
        let is_step = step.is_none_or(|step| step.parse().is_ok_and(|step: u32| step > 0));
        let is_range = match range.split_once('-') {
            Some((first, last)) => self.value(first).is_some() && self.value(last).is_some(),
            None => range == "*" || self.value(range).is_some() || self.is_marked(range),
        };
        is_step && is_range
    }

    fn value(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().position(|name| text.eq_ignore_ascii_case(name));
        let named = named.and_then(|place| u32::try_from(place).ok()).map(|at| at + self.least);
        named.or_else(|| text.parse().ok()).filter(|n| (self.least..=self.most).contains(n))
    }

    fn is_marked(&self, text: &str) -> bool {
        self.marks.iter().any(|mark| match text.split_once(*mark) {
            Some((day, nth)) if *mark == '#' => {
                self.value(day).is_some()
                    && nth.parse().is_ok_and(|nth: u32| (1..=5).contains(&nth))
            }
            Some((day, rest)) => {
                let alone = *mark == 'L' && day.is_empty();
                rest.is_empty() && (alone || self.value(day).is_some()) || text == "LW"
            }
            None => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_read() {
        for fine in [
            "rate(1 minute)",
            "rate(5 hours)",
            "cron(0 3 * * ? *)",
            "cron(0 3 ? * MON *)",
            "cron(15 10 ? * 6L 2002-2005)",
            "cron(0 2 ? * SAT#3 *)",
            "cron(0 2 L * ? *)",
            "cron(0 2 3W * ? *)",
            "cron(0/5 5 ? JAN 1-5 2022)",
            "cron(5,35 8-17 ? * MON-FRI *)",
        ] {
            assert!(is_schedule(fine), "{fine}");
        }
        for wrong in [
            "rate(1 days)",
            "rate(2 day)",
            "rate(0 days)",
            "daily",
            "cron(0 3 * * * *)",
            "cron(7 20 * * NOT *)",
            "cron(0 dummy ? * MON-FRI *)",
            "cron(71 8 1 * ? *)",
            "cron(0 8 ? * SAT#6 *)",
            "cron(0 8 0 * ? *)",
            "cron(0/0 8 1 * ? *)",
            "cron(? 8 1 * ? *)",
        ] {
            assert!(!is_schedule(wrong), "{wrong}");
        }
    }
}
