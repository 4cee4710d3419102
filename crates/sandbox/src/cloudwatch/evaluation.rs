//! How alarms come into their states: each minute CloudWatch compares the last whole periods with the
//! threshold. The sandbox does that when somebody looks, for the minutes since it did so last. A state
//! that somebody set lasts until then.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::alarms::Alarm;
use super::metrics::{self, Series};
use super::states::{self, Change};
use super::{State, at};
use crate::toolbox::{flag, here, list, number, text};

/// How often alarms are evaluated, in seconds; those with shorter periods more often.
pub(super) const MINUTE: f64 = 60.0;
const OFTEN: f64 = 10.0;
/// CloudWatch looks that many periods further back than it evaluates, for values in the place of missing
/// ones.
const FURTHER: i64 = 2;
/// What is lost when moments are rounded.
const ROUNDED: f64 = 0.001;
/// The most evaluations that are made up for.
const MOST: f64 = 180.0;

/// What one evaluation finds.
#[derive(Debug, PartialEq)]
struct Verdict {
    value: &'static str,
    reason: String,
}

/// Evaluates the alarms of a region, for all the time since that was done last.
pub(super) fn advance(state: &mut State, region: &str, now: f64) {
    let found: Vec<(String, f64, Vec<Change>)> = here(&state.alarms, region)
        .filter_map(|(name, alarm)| {
            let (when, changes) = since(state, region, alarm, now)?;
            Some((name.to_owned(), when, changes))
        })
        .collect();
    for (name, when, changes) in found {
        if let Some(alarm) = state.alarms.get_mut(&at(region, &name)) {
            alarm.evaluated = when;
        }
        for change in changes {
            states::change(state, region, &name, change);
        }
    }
}

/// The state of an alarm now.
pub(super) fn value(state: &State, region: &str, alarm: &Alarm, now: f64) -> String {
    let changes = since(state, region, alarm, now).map(|(_, changes)| changes).unwrap_or_default();
    let last = changes.into_iter().next_back();
    last.map_or_else(|| alarm.status.value().to_owned(), |change| change.value)
}

/// The changes of state since an alarm was evaluated last, and when it is evaluated last now. `None` if
/// that is not due.
fn since(state: &State, region: &str, alarm: &Alarm, now: f64) -> Option<(f64, Vec<Change>)> {
    let step = if alarm.period() < 60 { OFTEN } else { MINUTE };
    let due = ((now - alarm.evaluated + ROUNDED) / step).floor();
    if due < 1.0 {
        return None;
    }
    let last = alarm.evaluated + due * step;
    // Without values all evaluations find the same.
    let first = if state.metrics.is_empty() { last } else { last - (due.min(MOST) - 1.0) * step };
    let (mut when, mut value) = (first, alarm.status.value().to_owned());
    let mut changes = Vec::new();
    while when <= last {
        if let Some(verdict) = evaluated(state, region, alarm, when).filter(|it| it.value != value)
        {
            value = verdict.value.to_owned();
            changes.push(Change { value: value.clone(), reason: verdict.reason, data: None, when });
        }
        when += step;
    }
    Some((last, changes))
}

/// What an alarm finds at a moment; `None` if it stays in its state, as it does if the sandbox cannot
/// calculate its metric.
fn evaluated(state: &State, region: &str, alarm: &Alarm, now: f64) -> Option<Verdict> {
    let settings = &alarm.settings;
    let period = alarm.period();
    let periods = number(settings, "EvaluationPeriods")?;
    let until = (now as i64).div_euclid(period) * period;
    let from = until - (periods + FURTHER) * period;
    let (queries, id) = queries(settings)?;
    let input = json!({ "MetricDataQueries": queries, "StartTime": from, "EndTime": until });
    let mut all: BTreeMap<String, Series> = metrics::solved(state, region, &input).ok()?;
    let series = all.remove(&id)?;
    let starts = (from..until).step_by(usize::try_from(period).ok()?);
    let values: Vec<Option<(i64, f64)>> =
        starts.map(|start| Some((start, *series.get(&start)?))).collect();
    judged(settings, usize::try_from(periods).ok()?, &values)
}

/// The queries of an alarm, and the id of the one that it compares.
fn queries(settings: &Value) -> Option<(Value, String)> {
    let given = list(settings, "Metrics");
    if !given.is_empty() {
        let compared = given.iter().find(|query| flag(query, "ReturnData").unwrap_or(true))?;
        return Some((json!(given), text(compared, "Id")?.to_owned()));
    }
    let statistic = text(settings, "Statistic").or(text(settings, "ExtendedStatistic"))?;
    let query = json!({ "Id": "m", "MetricStat": {
        "Metric": {
            "Namespace": settings["Namespace"],
            "MetricName": settings["MetricName"],
            "Dimensions": list(settings, "Dimensions"),
        },
        "Period": number(settings, "Period")?,
        "Stat": statistic,
        "Unit": settings.get("Unit").cloned().unwrap_or(Value::Null),
    } });
    Some((json!([query]), "m".to_owned()))
}

/// Compares the values of periods, the oldest first, with the threshold. With as many values as periods
/// the newest of them count; otherwise the setting says what the missing ones are.
fn judged(settings: &Value, periods: usize, values: &[Option<(i64, f64)>]) -> Option<Verdict> {
    let datapoints = number(settings, "DatapointsToAlarm");
    let enough = datapoints.and_then(|it| usize::try_from(it).ok()).unwrap_or(periods);
    let threshold = metrics::real(settings, "Threshold")?;
    let comparison = text(settings, "ComparisonOperator")?;
    let breaks = |value: f64| match comparison {
        "GreaterThanOrEqualToThreshold" => value >= threshold,
        "GreaterThanThreshold" => value > threshold,
        "LessThanThreshold" => value < threshold,
        _ => value <= threshold,
    };
    let there: Vec<(i64, f64)> = values.iter().rev().flatten().copied().take(periods).collect();
    let broken: Vec<(i64, f64)> =
        there.iter().copied().filter(|(_, value)| breaks(*value)).collect();
    let kept = there.len() - broken.len();
    let missing = periods - there.len();
    let treated = text(settings, "TreatMissingData").unwrap_or("missing");
    let crossed = |is_alarm: bool| {
        let (value, shown) = if is_alarm { ("ALARM", &broken) } else { ("OK", &there) };
        Verdict { value, reason: crossing(comparison, threshold, is_alarm, shown) }
    };
    if there.is_empty() {
        let (value, word) = match treated {
            "breaching" => ("ALARM", "Breaching"),
            "notBreaching" => ("OK", "NonBreaching"),
            "ignore" => return None,
            _ => {
                let reason = match periods {
                    1 => "Insufficient Data: 1 datapoint was unknown.".to_owned(),
                    many => format!("Insufficient Data: {many} datapoints were unknown."),
                };
                return Some(Verdict { value: "INSUFFICIENT_DATA", reason });
            }
        };
        let reason = format!(
            "Threshold Crossed: no datapoints were received for {} and {} treated as [{word}].",
            counted(periods, "period"),
            if periods == 1 {
                "1 missing datapoint was".to_owned()
            } else {
                format!("{periods} missing datapoints were")
            }
        );
        return Some(Verdict { value, reason });
    }
    let can_alarm = broken.len() + missing >= enough;
    match treated {
        _ if broken.len() >= enough => Some(crossed(true)),
        _ if !can_alarm => Some(crossed(false)),
        "breaching" => Some(crossed(true)),
        "notBreaching" => Some(crossed(false)),
        // Values are missing. The oldest of those that broke the threshold must be as old as the number
        // that makes an alarm, and no newer one may have kept it.
        _ if kept > 0 => Some(crossed(false)),
        "ignore" => None,
        _ => {
            let oldest = values.iter().rev().position(|one| *one == broken.last().copied());
            oldest.filter(|place| place + 1 >= enough).map(|_| crossed(true))
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// The reason of a state, in CloudWatch's words.
fn crossing(comparison: &str, threshold: f64, is_alarm: bool, values: &[(i64, f64)]) -> String {
    let than = match comparison {
        "GreaterThanOrEqualToThreshold" => "greater than or equal to",
        "GreaterThanThreshold" => "greater than",
        "LessThanThreshold" => "less than",
        _ => "less than or equal to",
    };
    let shown: Vec<String> =
        values.iter().map(|(start, value)| format!("{value:?} ({})", day(*start))).collect();
    let are = match (values.len(), is_alarm) {
        (1, true) => "was",
        (1, false) => "was not",
        (_, true) => "were",
        (_, false) => "were not",
    };
    format!(
        "Threshold Crossed: {} [{}] {are} {than} the threshold ({threshold:?}).",
        counted(values.len(), "datapoint"),
        shown.join(", ")
    )
}

/// A moment as in the reasons of alarms: `30/11/26 14:05:00`.
fn day(seconds: i64) -> String {
    let Ok(at) = time::OffsetDateTime::from_unix_timestamp(seconds) else { return String::new() };
    let (month, year) = (u8::from(at.month()), at.year().rem_euclid(100));
    let (day, hour, minute, second) = (at.day(), at.hour(), at.minute(), at.second());
    format!("{day:02}/{month:02}/{year:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The state of an alarm on three of three periods after these five: `0` keeps the threshold, `X`
    /// breaks it, `-` is missing. Empty if it stays as it is.
    fn state(values: &str, more: &Value) -> &'static str {
        let mut settings = json!({
            "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold",
        });
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let one = |(at, sign): (usize, char)| match sign {
            'X' => Some((at as i64 * 60, 2.0)),
            '0' => Some((at as i64 * 60, 0.0)),
            _ => None,
        };
        let values: Vec<Option<(i64, f64)>> = values.chars().enumerate().map(one).collect();
        judged(&settings, 3, &values).map_or("", |verdict| verdict.value)
    }

    /// The tables of the CloudWatch documentation.
    #[test]
    fn missing_values_count_as_the_alarm_says() {
        const NO: &str = "INSUFFICIENT_DATA";
        const TREATED: [&str; 4] = ["missing", "ignore", "breaching", "notBreaching"];
        for (values, expected) in [
            ("0-X-X", ["OK", "OK", "OK", "OK"]),
            ("----0", ["OK", "OK", "OK", "OK"]),
            ("-----", [NO, "", "ALARM", "OK"]),
            ("0XX-X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
            ("--X--", ["ALARM", "", "ALARM", "OK"]),
            ("----X", ["", "", "ALARM", "OK"]),
        ] {
            let found =
                TREATED.map(|treated| state(values, &json!({ "TreatMissingData": treated })));
            assert_eq!(found, expected, "{values}");
        }
        for (values, expected) in [
            ("0-X-X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
            ("00X0X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
            ("0-X--", ["OK", "OK", "ALARM", "OK"]),
            ("----0", ["OK", "OK", "ALARM", "OK"]),
            ("---X-", ["ALARM", "", "ALARM", "OK"]),
        ] {
            let found = TREATED.map(|treated| {
                let more = json!({ "TreatMissingData": treated, "DatapointsToAlarm": 2 });
                state(values, &more)
            });
            assert_eq!(found, expected, "two of three: {values}");
        }
    }

    #[test]
    fn a_reason_says_what_crossed_the_threshold() {
        let settings = json!({
            "Threshold": 1.0, "ComparisonOperator": "LessThanThreshold", "TreatMissingData": "breaching",
        });
        let of = |values: &[Option<(i64, f64)>]| judged(&settings, 1, values).unwrap().reason;
        assert_eq!(
            of(&[Some((0, 0.5))]),
            "Threshold Crossed: 1 datapoint [0.5 (01/01/70 00:00:00)] was less than the threshold (1.0)."
        );
        assert_eq!(
            of(&[None]),
            "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was \
             treated as [Breaching]."
        );
    }
}
