//! What the account costs: what a test says, and else nothing, in each period that is asked for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::{Date, Duration, Month};

use super::super::toolbox::{Tags, list, need, text, texts};
use super::super::{Answer, Refusal};
use super::{INVALID, State, allocation};

/// What something cost on one day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Cost {
    /// The day: `2026-01-31`.
    pub day: String,
    /// The service as Cost Explorer names it: `AWS Lambda`.
    pub service: String,
    /// The usage with the code of its region: `EUC1-NatGateway-Hours`.
    pub usage: String,
    /// The tags of what costs it.
    pub tags: Tags,
    /// US dollars with at most ten places.
    pub amount: String,
}

/// Adds what a test says that something costs.
pub(crate) fn add(state: &mut State, cost: Cost) {
    let number = format!("{:08}", state.costs.len());
    state.costs.insert(number, cost);
}

/// An amount in ten-billionths.
fn units(amount: &str) -> i128 {
    let (sign, amount) = amount.strip_prefix('-').map_or((1, amount), |amount| (-1, amount));
    let (whole, rest) = amount.split_once('.').unwrap_or((amount, ""));
    let digits = format!("{whole}{rest:0<10}");
    sign * digits.parse::<i128>().unwrap_or_default()
}

/// An amount as Cost Explorer writes it.
fn written(units: i128) -> String {
    let (sign, units) = (if units < 0 { "-" } else { "" }, units.unsigned_abs());
    let text = format!("{sign}{}.{:010}", units / 10_000_000_000, units % 10_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A value of a tag, as far as the tag is active.
fn tag_of<'a>(state: &State, cost: &'a Cost, key: &str) -> Option<&'a str> {
    cost.tags.get(key).filter(|_| allocation::is_active(state, key)).map(String::as_str)
}

/// A dimension of a cost.
fn dimension<'a>(cost: &'a Cost, key: &str) -> Result<&'a str, Refusal> {
    match key {
        "SERVICE" => Ok(&cost.service),
        "USAGE_TYPE" => Ok(&cost.usage),
        _ => Err(Refusal::not_covered("ce", &format!("the dimension {key}"))),
    }
}

/// Whether a cost fits an expression.
fn fits(state: &State, cost: &Cost, expression: &Value) -> Result<bool, Refusal> {
    let Some(given) = expression.as_object().filter(|given| given.len() == 1) else {
        return Err(Refusal::new(INVALID, "Expression must have exactly one root"));
    };
    let all = |key: &str| -> Result<Vec<bool>, Refusal> {
        list(expression, key).iter().map(|part| fits(state, cost, part)).collect()
    };
    let root = given.keys().next().map(String::as_str).unwrap_or_default();
    match root {
        "And" => Ok(all("And")?.into_iter().all(|fits| fits)),
        "Or" => Ok(all("Or")?.into_iter().any(|fits| fits)),
        "Not" => fits(state, cost, &expression["Not"]).map(|fits| !fits),
        "Tags" | "Dimensions" => {
            let (key, values) =
                (need(&given[root], "Key", INVALID)?, texts(&given[root], "Values"));
            let own = match root {
                "Tags" => tag_of(state, cost, key),
                _ => Some(dimension(cost, key)?),
            };
            Ok(own.is_some_and(|own| values.iter().any(|value| value == own)))
        }
        _ => Err(Refusal::not_covered("ce", &format!("the filter {root}"))),
    }
}

/// The keys of the group that a cost belongs to.
fn group(state: &State, cost: &Cost, by: &[Value]) -> Result<Vec<String>, Refusal> {
    let key = |one: &Value| {
        let key = need(one, "Key", INVALID)?;
        match text(one, "Type") {
            Some("DIMENSION") => dimension(cost, key).map(str::to_owned),
            Some("TAG") => Ok(format!("{key}${}", tag_of(state, cost, key).unwrap_or_default())),
            _ => Err(Refusal::new(INVALID, "GroupBy must be by DIMENSION or TAG in the sandbox")),
        }
    };
    by.iter().map(key).collect()
}

/// The periods of a question with their costs.
pub(super) fn usage(state: &State, input: &Value) -> Answer {
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
    let by = list(input, "GroupBy");
    if by.len() > 2 {
        return Err(Refusal::new(INVALID, "GroupBy must have at most 2 members"));
    }
    let mut costs: Vec<(Date, Vec<String>, i128)> = Vec::new();
    for cost in state.costs.values() {
        let expression = input.get("Filter").filter(|filter| !filter.is_null());
        let is_meant = expression.map_or(Ok(true), |filter| fits(state, cost, filter))?;
        if let Some(day) = date(&cost.day).filter(|_| is_meant) {
            costs.push((day, group(state, cost, by)?, units(&cost.amount)));
        }
    }
    let amounts = |sum: i128| -> Value {
        let one =
            |metric: &String| (metric.clone(), json!({ "Amount": written(sum), "Unit": "USD" }));
        Value::Object(metrics.iter().map(one).collect::<Map<_, _>>())
    };
    let mut periods = Vec::new();
    let mut from = start;
    while from < end {
        let next = if monthly { next_month(from) } else { from.next_day() };
        let to = next.filter(|next| *next < end).unwrap_or(end);
        let mut groups: BTreeMap<&[String], i128> = BTreeMap::new();
        for (_, keys, units) in costs.iter().filter(|(day, _, _)| *day >= from && *day < to) {
            *groups.entry(keys).or_default() += units;
        }
        let (total, groups) = match by {
            [] => (amounts(groups.values().sum()), Vec::new()),
            _ => {
                let group = |(keys, sum): (&&[String], &i128)| json!({ "Keys": keys, "Metrics": amounts(*sum) });
                (json!({}), groups.iter().map(group).collect())
            }
        };
        periods.push(json!({
            "TimePeriod": { "Start": from.to_string(), "End": to.to_string() },
            "Total": total, "Groups": groups, "Estimated": true,
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
            usage(
                &State::default(),
                &json!({
                    "TimePeriod": { "Start": start, "End": end }, "Granularity": granularity,
                    "Metrics": ["UnblendedCost"],
                }),
            )
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

    #[test]
    fn stated_costs_are_summed_by_service_usage_and_active_tags() {
        let mut state = State::default();
        let cost = |day: &str, usage: &str, env: &str, amount: &str| Cost {
            day: day.into(),
            service: "AWS Lambda".into(),
            usage: usage.into(),
            tags: Tags::from([("env".into(), env.into())]),
            amount: amount.into(),
        };
        add(&mut state, cost("2026-01-30", "Request", "dev", "0.1"));
        add(&mut state, cost("2026-01-31", "Request", "dev", "0.2"));
        add(&mut state, cost("2026-02-01", "Request", "dev", "4"));
        add(&mut state, cost("2026-01-31", "Request", "prod", "8"));
        add(&mut state, cost("2026-01-31", "Lambda-GB-Second", "dev", "0.0000000001"));
        let ask = |state: &State| {
            let found = usage(
                state,
                &json!({
                    "TimePeriod": { "Start": "2026-01-30", "End": "2026-02-02" },
                    "Granularity": "MONTHLY", "Metrics": ["UnblendedCost"],
                    "Filter": { "And": [
                        { "Tags": { "Key": "env", "Values": ["dev"] } },
                        { "Dimensions": { "Key": "SERVICE", "Values": ["AWS Lambda"] } } ] },
                    "GroupBy": [{ "Type": "DIMENSION", "Key": "USAGE_TYPE" }, { "Type": "TAG", "Key": "env" }],
                }),
            );
            let found = found.unwrap();
            let groups = found["ResultsByTime"].as_array().unwrap().iter();
            let groups = groups.flat_map(|one| one["Groups"].as_array().unwrap());
            groups
                .map(|one| {
                    let keys = texts(one, "Keys").join(" ");
                    format!(
                        "{keys} {}",
                        one["Metrics"]["UnblendedCost"]["Amount"].as_str().unwrap()
                    )
                })
                .collect::<Vec<_>>()
        };
        assert!(ask(&state).is_empty(), "the tag is not active");
        allocation::set(&mut state, "env", Some("2026-01-01"));
        assert_eq!(
            ask(&state),
            ["Lambda-GB-Second env$dev 0.0000000001", "Request env$dev 0.3", "Request env$dev 4"]
        );
    }
}
