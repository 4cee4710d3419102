//! What the account costs: nothing, in each period that is asked for.

use serde_json::{Map, Value, json};
use time::{Date, Duration, Month};

use super::super::toolbox::{list, text, texts};
use super::super::{Answer, Refusal};
use super::INVALID;

/// The periods of a question with their costs.
pub(super) fn usage(input: &Value) -> Answer {
    let day = |key: &str| date(text(&input["TimePeriod"], key).unwrap_or_default());
    let (Some(start), Some(end)) = (day("Start"), day("End")) else {
        let message = "Start time and end time must be dates in the form yyyy-MM-dd";
        return Err(Refusal::new(INVALID, message));
    };
    if start >= end {
        let message =
            format!("Start date (and hour) should be before end date (and hour): {start} {end}");
        return Err(Refusal::new(INVALID, message));
    }
    let monthly = match text(input, "Granularity") {
        Some("MONTHLY") => true,
        Some("DAILY") => false,
        _ => {
            return Err(Refusal::new(
                INVALID,
                "Granularity must be MONTHLY or DAILY in the sandbox",
            ));
        }
    };
    let metrics = texts(input, "Metrics");
    if metrics.is_empty() {
        return Err(Refusal::new(INVALID, "Metrics must not be empty"));
    }
    let nothing = |metric: String| (metric, json!({ "Amount": "0", "Unit": "USD" }));
    let total: Map<String, Value> = if list(input, "GroupBy").is_empty() {
        metrics.into_iter().map(nothing).collect()
    } else {
        Map::new()
    };
    let mut periods = Vec::new();
    let mut from = start;
    while from < end {
        let next = if monthly { next_month(from) } else { from.next_day() };
        let to = next.filter(|next| *next < end).unwrap_or(end);
        periods.push(json!({
            "TimePeriod": { "Start": from.to_string(), "End": to.to_string() },
            "Total": total, "Groups": [], "Estimated": true,
        }));
        from = to;
    }
    Ok(json!({ "ResultsByTime": periods, "DimensionValueAttributes": [] }))
}

/// `2026-01-31`.
fn date(text: &str) -> Option<Date> {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()
}

fn next_month(from: Date) -> Option<Date> {
    let first = from.replace_day(1).ok()?;
    first.checked_add(Duration::days(31))?.replace_day(1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_end_with_the_month() {
        let ask = |start: &str, end: &str, granularity: &str| {
            usage(&json!({
                "TimePeriod": { "Start": start, "End": end }, "Granularity": granularity,
                "Metrics": ["UnblendedCost"],
            }))
        };
        let found = ask("2026-01-20", "2026-03-02", "MONTHLY").unwrap();
        let ends = found["ResultsByTime"].as_array().unwrap().iter();
        let ends: Vec<&str> = ends.map(|one| one["TimePeriod"]["End"].as_str().unwrap()).collect();
        assert_eq!(ends, ["2026-02-01", "2026-03-01", "2026-03-02"]);
        assert_eq!(found["ResultsByTime"][0]["Total"]["UnblendedCost"]["Amount"], "0");
        let days = ask("2026-01-30", "2026-02-02", "DAILY").unwrap();
        assert_eq!(days["ResultsByTime"].as_array().unwrap().len(), 3);
        assert!(ask("2026-03-02", "2026-03-02", "DAILY").is_err());
        assert!(ask("2026-3x", "2026-03-02", "DAILY").is_err());
    }
}
