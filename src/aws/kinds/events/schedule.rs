//! How often a schedule runs in a month.

use payctl_money::{Decimal, HOURS};

/// The runs of `rate(5 minutes)` or `cron(0 12 * * ? *)` in a month. A schedule that cannot be read counts
/// as daily.
pub(super) fn runs(schedule: &str) -> Decimal {
    let inner = |name: &str| {
        schedule.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')').map(str::trim)
    };
    inner("rate").and_then(rate).or_else(|| inner("cron").and_then(cron)).unwrap_or_else(days)
}

fn days() -> Decimal {
    HOURS / Decimal::from(24)
}

fn rate(text: &str) -> Option<Decimal> {
    let (number, unit) = text.split_once(' ')?;
    let number: u32 = number.parse().ok().filter(|number| *number > 0)?;
    let in_month = match unit.trim_end_matches('s') {
        "minute" => HOURS * Decimal::from(60),
        "hour" => HOURS,
        "day" => days(),
        _ => return None,
    };
    Some(in_month / Decimal::from(number))
}

fn cron(text: &str) -> Option<Decimal> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minutes, hours, day, _, weekday, _] = fields.as_slice() else { return None };
    let a_day = Decimal::from(values(minutes, 60)? * values(hours, 24)?);
    let on_days = match (*day, *weekday) {
        ("*" | "?", "*" | "?") => days(),
        ("*" | "?", weekday) => days() / Decimal::from(7) * Decimal::from(values(weekday, 7)?),
        (day, _) => Decimal::from(values(day, 30)?),
    };
    Some(a_day * on_days)
}

/// How many of so many values a field of cron means.
fn values(field: &str, all: u32) -> Option<u32> {
    if field == "*" {
        return Some(all);
    }
    if let Some((from, step)) = field.split_once('/') {
        let from = if from == "*" { 0 } else { from.parse().ok()? };
        let step: u32 = step.parse().ok().filter(|step| *step > 0)?;
        return Some(all.checked_sub(from)?.div_ceil(step));
    }
    let part = |part: &str| match part.split_once('-') {
        Some((from, to)) => match (from.parse::<u32>(), to.parse::<u32>()) {
            (Ok(from), Ok(to)) => to.checked_sub(from).map(|more| more + 1),
            _ if part == "MON-FRI" => Some(5),
            _ => None,
        },
        None => Some(1),
    };
    field.split(',').map(part).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_counted() {
        let a_month =
            |schedule: &str| payctl_money::round(runs(schedule), 2).normalize().to_string();
        for (schedule, expected) in [
            ("rate(1 day)", "30.42"),
            ("rate(5 minutes)", "8760"),
            ("rate(2 hours)", "365"),
            ("cron(0 12 * * ? *)", "30.42"),
            ("cron(0/15 * * * ? *)", "2920"),
            ("cron(0 6 ? * MON-FRI *)", "21.73"),
            ("cron(0 6,18 1 * ? *)", "2"),
            ("cron(whatever)", "30.42"),
        ] {
            assert_eq!(a_month(schedule), expected, "{schedule}");
        }
    }
}
