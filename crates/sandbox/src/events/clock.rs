//! When a schedule fires, on the sandbox's clock, in UTC.

use time::{Duration, OffsetDateTime, Weekday};

use super::schedules::{DAYS, MONTHS};

/// How far back a missed cron expression is looked for, in minutes.
const MOST_MINUTES: i64 = 1440;

/// The last time at which a schedule fired after `from`, up to `to`. A rate counts from when its rule
/// was made.
pub(super) fn fired(schedule: &str, made: f64, from: f64, to: f64) -> Option<f64> {
    let inside = |word: &str| schedule.strip_prefix(word)?.strip_suffix(')');
    if let Some(rate) = inside("rate(") {
        let (count, unit) = rate.split_once(' ')?;
        let unit = match unit.trim_end_matches('s') {
            "minute" => 60.0,
            "hour" => 3600.0,
            _ => 86_400.0,
        };
        let period = count.parse::<f64>().ok()? * unit;
        let times = ((to - made) / period).floor();
        let last = made + times * period;
        return (times >= 1.0 && last > from).then_some(last);
    }
    let fields: Vec<&str> = inside("cron(")?.split_whitespace().collect();
    let (first, last) = ((from / 60.0).floor() as i64 + 1, (to / 60.0).floor() as i64);
    let minutes = first.max(last - MOST_MINUTES)..=last;
    let fits = |minute: &i64| {
        OffsetDateTime::from_unix_timestamp(minute * 60).is_ok_and(|moment| is_at(&fields, moment))
    };
    minutes.rev().find(fits).map(|minute| minute as f64 * 60.0)
}

/// Whether a cron expression fires in a minute.
fn is_at(fields: &[&str], moment: OffsetDateTime) -> bool {
    let [minute, hour, day, month, weekday, year] = fields else { return false };
    fits(minute, moment.minute().into(), 0, &[])
        && fits(hour, moment.hour().into(), 0, &[])
        && fits(month, u8::from(moment.month()).into(), 1, MONTHS)
        && fits(year, moment.year(), 1970, &[])
        && (*day == "?" || day.split(',').any(|part| is_day(part, moment)))
        && (*weekday == "?" || weekday.split(',').any(|part| is_weekday(part, moment)))
}

/// Whether a field has a value. `first` is the least one, whose name is the first of `names`.
fn fits(field: &str, value: i32, first: i32, names: &[&str]) -> bool {
    let number = |text: &str| {
        let place = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        place.map_or_else(|| text.parse().ok(), |place| Some(place as i32 + first))
    };
    field.split(',').any(|part| {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse().ok().filter(|step| *step > 0)),
            None => (part, None),
        };
        let (low, high) = match range.split_once('-') {
            Some((low, high)) => (number(low), number(high)),
            None if range == "*" => (Some(first), Some(i32::MAX)),
            // `5/15` goes on from 5.
            None if step.is_some() => (number(range), Some(i32::MAX)),
            None => (number(range), number(range)),
        };
        let (Some(low), Some(high)) = (low, high) else { return false };
        // A range may go over the end: FRI-MON.
        let within =
            if low <= high { (low..=high).contains(&value) } else { value >= low || value <= high };
        within && step.is_none_or(|step| (value - low).rem_euclid(step) == 0)
    })
}

/// Whether a part of the field of days has a day: also `L`, the last, and `15W`, the weekday nearest
/// to the 15th.
fn is_day(part: &str, moment: OffsetDateTime) -> bool {
    let day = i32::from(moment.day());
    let last = i32::from(moment.month().length(moment.year()));
    let workday = |wanted: i32| {
        let at = |day: i32| moment + Duration::days(i64::from(day - i32::from(moment.day())));
        match at(wanted).weekday() {
            Weekday::Saturday if wanted == 1 => 3,
            Weekday::Saturday => wanted - 1,
            Weekday::Sunday if wanted == last => wanted - 2,
            Weekday::Sunday => wanted + 1,
            _ => wanted,
        }
    };
    match part.strip_suffix('W') {
        _ if part == "L" => day == last,
        Some("L") => day == workday(last),
        Some(wanted) => wanted.parse().is_ok_and(|wanted| day == workday(wanted)),
        None => fits(part, day, 1, &[]),
    }
}

/// Whether a part of the field of weekdays has a day: 1 is Sunday; also `6L`, the last Friday, and
/// `6#3`, the third.
fn is_weekday(part: &str, moment: OffsetDateTime) -> bool {
    let weekday = i32::from(moment.weekday().number_days_from_sunday()) + 1;
    let day = i32::from(moment.day());
    let last = i32::from(moment.month().length(moment.year()));
    if let Some((name, count)) = part.split_once('#') {
        let nth = count.parse().is_ok_and(|count: i32| (day - 1) / 7 + 1 == count);
        return nth && fits(name, weekday, 1, DAYS);
    }
    match part.strip_suffix('L') {
        Some("") => weekday == 7,
        Some(name) => day + 7 > last && fits(name, weekday, 1, DAYS),
        None => fits(part, weekday, 1, DAYS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Saturday, 31 January 2026, 12:00.
    const NOON: f64 = 1_769_860_800.0;

    #[test]
    fn rates_count_from_when_the_rule_was_made() {
        let at = |from: f64, to: f64| fired("rate(5 minutes)", NOON, NOON + from, NOON + to);
        assert_eq!(at(0.0, 299.0), None);
        assert_eq!(at(299.0, 300.0), Some(NOON + 300.0));
        assert_eq!(at(300.0, 301.0), None);
        // What was missed fires once.
        assert_eq!(at(301.0, 1000.0), Some(NOON + 900.0));
        assert_eq!(fired("rate(1 day)", NOON, NOON, NOON + 86_400.0), Some(NOON + 86_400.0));
    }

    #[test]
    fn cron_expressions_fire_at_their_minute() {
        let is = |cron: &str| fired(&format!("cron({cron})"), 0.0, NOON - 1.0, NOON).is_some();
        for (cron, expected) in [
            ("0 12 * * ? *", true),
            ("1 12 * * ? *", false),
            ("0/15 8-17 ? * SAT *", true),
            ("0 12 ? * MON-FRI *", false),
            ("0 12 ? * FRI-MON *", true),
            ("0 12 L * ? *", true),
            ("0 12 31 JAN ? 2026", true),
            ("0 12 31 FEB ? *", false),
            ("0 12 31 1 ? 2027", false),
            ("0 12 ? * 7L *", true),
            ("0 12 ? * 7#5 *", true),
            ("0 12 ? * 7#4 *", false),
            ("0 12 LW * ? *", false),
            ("0 10,12 * * ? *", true),
        ] {
            assert_eq!(is(cron), expected, "{cron}");
        }
        // The workday nearest to the last of January 2026, a Saturday, is the 30th.
        let day = 86_400.0;
        assert!(fired("cron(0 12 LW * ? *)", 0.0, NOON - day - 1.0, NOON - day).is_some());
    }
}
