//! Metrics that callers put, and statistics of them. The sandbox's own services put none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{INVALID, State, VALUE, math};
use crate::toolbox::{at, flag, here, list, need, number, page, text, texts};
use crate::wire::cbor::time;
use crate::{Answer, Refusal};

/// The values of one metric.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Metric {
    namespace: String,
    name: String,
    dimensions: BTreeMap<String, String>,
    points: Vec<Point>,
}

/// What was put at one moment: values with their counts, or a summary of some.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Point {
    at: f64,
    unit: Option<String>,
    values: Vec<(f64, f64)>,
    summary: Option<Summary>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Summary {
    count: f64,
    sum: f64,
    least: f64,
    most: f64,
}

const COMBINATION: &str = "InvalidParameterCombination";
const MISSING: &str = "MissingParameter";
/// How long values are kept and taken from the past, and how far from the future, in seconds.
const PAST: f64 = 14.0 * 86_400.0;
const FUTURE: f64 = 2.0 * 3600.0;
const MOST_QUERIES: usize = 500;
const STATISTICS: [&str; 5] = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"];

/// Values by the start of their period.
pub(super) type Series = BTreeMap<i64, f64>;

/// A number, sent as a number or as text.
pub(super) fn real(input: &Value, key: &str) -> Option<f64> {
    let value = input.get(key)?;
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn reals(input: &Value, key: &str) -> Vec<f64> {
    let one = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
    list(input, key).iter().filter_map(one).collect()
}

/// A time, sent as seconds or as text.
pub(super) fn moment(input: &Value, key: &str) -> Option<f64> {
    real(input, key).or_else(|| {
        let format = &time::format_description::well_known::Rfc3339;
        let time = time::OffsetDateTime::parse(text(input, key)?, format).ok()?;
        Some(time.unix_timestamp_nanos() as f64 / 1e9)
    })
}

fn dimensions(input: &Value) -> BTreeMap<String, String> {
    let pair = |one: &Value| Some((text(one, "Name")?.to_owned(), text(one, "Value")?.to_owned()));
    list(input, "Dimensions").iter().filter_map(pair).collect()
}

fn place(
    region: &str,
    namespace: &str,
    name: &str,
    dimensions: &BTreeMap<String, String>,
) -> String {
    at(region, &json!([namespace, name, dimensions]).to_string())
}

fn both(at: &str, one: &str, other: &str) -> Refusal {
    Refusal::new(
        COMBINATION,
        format!(
            "The parameters {at}.{one} and {at}.{other} are mutually exclusive and you have \
             specified both."
        ),
    )
}

/// What a request puts at one moment.
fn point(given: &Value, at: &str, now: f64) -> Result<Point, Refusal> {
    let (value, values) = (real(given, "Value"), reals(given, "Values"));
    let counts = reals(given, "Counts");
    let summary = given.get("StatisticValues").filter(|summary| summary.is_object());
    if value.is_some() && !values.is_empty() {
        return Err(both(at, "Value", "Values"));
    }
    if value.is_some() && summary.is_some() {
        return Err(both(at, "Value", "StatisticValues"));
    }
    if !counts.is_empty() && counts.len() != values.len() {
        let message =
            format!("The parameters {at}.Values and {at}.Counts must be of the same size.");
        return Err(Refusal::new(VALUE, message));
    }
    let when = moment(given, "Timestamp").unwrap_or(now);
    if when < now - PAST || when > now + FUTURE {
        let message = format!(
            "The parameter {at}.Timestamp must specify a time no more than two weeks in the past \
             and no more than two hours in the future."
        );
        return Err(Refusal::new(VALUE, message));
    }
    let counts = counts.into_iter().chain(std::iter::repeat(1.0));
    let values: Vec<(f64, f64)> = values.into_iter().chain(value).zip(counts).collect();
    let summary = summary.map(|it| {
        let of = |key: &str| real(it, key).unwrap_or_default();
        Summary {
            count: of("SampleCount"),
            sum: of("Sum"),
            least: of("Minimum"),
            most: of("Maximum"),
        }
    });
    if values.is_empty() && summary.is_none() {
        let message = format!("The parameter {at}.Value is required.");
        return Err(Refusal::new(MISSING, message));
    }
    let unit = text(given, "Unit").map(str::to_owned);
    Ok(Point { at: when, unit, values, summary })
}

pub(super) fn put(state: &mut State, region: &str, input: &Value, now: f64) -> Answer {
    let namespace = need(input, "Namespace", MISSING)?;
    if namespace.starts_with(':') || namespace.starts_with("AWS/") {
        let message = "The value for field Namespace is invalid: names of AWS are reserved.";
        return Err(Refusal::new(VALUE, message));
    }
    measure(state, region, input, now)
}

/// Keeps values of a metric of any namespace.
pub(super) fn measure(state: &mut State, region: &str, input: &Value, now: f64) -> Answer {
    let namespace = need(input, "Namespace", MISSING)?;
    let mut made = Vec::new();
    for (number, given) in list(input, "MetricData").iter().enumerate() {
        let at = format!("MetricData.member.{}", number + 1);
        let name = need(given, "MetricName", MISSING)?;
        made.push((name, dimensions(given), point(given, &at, now)?));
    }
    if made.is_empty() {
        return Err(Refusal::new(MISSING, "The parameter MetricData is required."));
    }
    for (name, dimensions, point) in made {
        let place = place(region, namespace, name, &dimensions);
        let metric = state.metrics.entry(place).or_insert_with(|| Metric {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            dimensions,
            points: Vec::new(),
        });
        metric.points.retain(|old| old.at >= now - PAST);
        metric.points.push(point);
    }
    Ok(Value::Null)
}

impl Point {
    fn summary(&self) -> Summary {
        let mut all = self.summary.unwrap_or(Summary {
            least: f64::INFINITY,
            most: f64::NEG_INFINITY,
            ..Summary::default()
        });
        for (value, count) in &self.values {
            all.count += count;
            all.sum += value * count;
            all.least = all.least.min(*value);
            all.most = all.most.max(*value);
        }
        all
    }
}

/// A statistic of what was put in one period, if there is one. A summary has no percentiles.
fn statistic(points: &[&Point], name: &str) -> Result<Option<f64>, Refusal> {
    let unknown = || Refusal::not_covered("monitoring", &format!("the statistic {name}"));
    if !STATISTICS.contains(&name) {
        let percent = name.strip_prefix('p').and_then(|percent| percent.parse::<f64>().ok());
        let percent = percent.filter(|it| (0.0..=100.0).contains(it)).ok_or_else(unknown)?;
        let mut values: Vec<(f64, f64)> =
            points.iter().flat_map(|point| point.values.iter().copied()).collect();
        values.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let wanted = percent / 100.0 * values.iter().map(|(_, count)| count).sum::<f64>();
        let mut seen = 0.0;
        return Ok(values.into_iter().find_map(|(value, count)| {
            seen += count;
            (seen >= wanted).then_some(value)
        }));
    }
    let all = points.iter().map(|point| point.summary()).reduce(|one, other| Summary {
        count: one.count + other.count,
        sum: one.sum + other.sum,
        least: one.least.min(other.least),
        most: one.most.max(other.most),
    });
    Ok(all.map(|all| match name {
        "SampleCount" => all.count,
        "Sum" => all.sum,
        "Average" => all.sum / all.count,
        "Minimum" => all.least,
        _ => all.most,
    }))
}

/// A span of time, cut into periods.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub from: f64,
    pub until: f64,
    pub period: i64,
}

impl Span {
    fn of(input: &Value, period: Option<i64>, code: &str) -> Result<Self, Refusal> {
        let missing =
            |key: &str| Refusal::new(MISSING, format!("The parameter {key} is required."));
        let from = moment(input, "StartTime").ok_or_else(|| missing("StartTime"))?;
        let until = moment(input, "EndTime").ok_or_else(|| missing("EndTime"))?;
        if from >= until {
            let message = "The parameter StartTime must be less than the parameter EndTime.";
            return Err(Refusal::new(code, message));
        }
        let period = period.ok_or_else(|| missing("Period"))?;
        let fits = [1, 5, 10, 20, 30].contains(&period) || (period > 0 && period % 60 == 0);
        if !fits {
            let message = format!("Period {period} must be 1, 5, 10, 20, 30 or a multiple of 60.");
            return Err(Refusal::new(code, message));
        }
        Ok(Self { from, until, period })
    }

    /// The start of the period of a moment.
    fn start(&self, at: f64) -> i64 {
        (at as i64).div_euclid(self.period) * self.period
    }

    /// The starts of all periods.
    pub(super) fn starts(&self) -> impl Iterator<Item = i64> + use<> {
        let (first, last) = (self.start(self.from), self.until);
        let step = usize::try_from(self.period).unwrap_or(60);
        (first..).step_by(step).take_while(move |at| (*at as f64) < last)
    }
}

/// What was put, by the start of its period.
fn buckets<'a>(
    state: &'a State,
    region: &str,
    metric: &Value,
    span: Span,
    unit: Option<&str>,
) -> Result<BTreeMap<i64, Vec<&'a Point>>, Refusal> {
    let namespace = need(metric, "Namespace", MISSING)?;
    let name = need(metric, "MetricName", MISSING)?;
    let place = place(region, namespace, name, &dimensions(metric));
    let points = state.metrics.get(&place).into_iter().flat_map(|metric| &metric.points);
    let mut all: BTreeMap<i64, Vec<&Point>> = BTreeMap::new();
    let has_unit =
        |point: &&Point| unit.is_none_or(|unit| point.unit.as_deref().unwrap_or("None") == unit);
    for point in points.filter(|point| point.at >= span.from && point.at < span.until) {
        if has_unit(&point) {
            all.entry(span.start(point.at)).or_default().push(point);
        }
    }
    Ok(all)
}

pub(super) fn statistics(state: &State, region: &str, input: &Value) -> Answer {
    let span = Span::of(input, number(input, "Period"), VALUE)?;
    let (plain, extended) = (texts(input, "Statistics"), texts(input, "ExtendedStatistics"));
    if plain.is_empty() == extended.is_empty() {
        let message = if plain.is_empty() {
            "At least one of the parameters Statistics and ExtendedStatistics must be \
             specified."
        } else {
            "The parameters Statistics and ExtendedStatistics are mutually exclusive and \
             you have specified both."
        };
        let code = if plain.is_empty() { MISSING } else { COMBINATION };
        return Err(Refusal::new(code, message));
    }
    let buckets = buckets(state, region, input, span, text(input, "Unit"))?;
    let mut points = Vec::new();
    for (start, all) in buckets {
        let unit = all.iter().find_map(|point| point.unit.as_deref()).unwrap_or("None");
        let mut point = json!({ "Timestamp": time(start as f64), "Unit": unit });
        for name in &plain {
            point[name] = json!(statistic(&all, name)?);
        }
        let mut more = serde_json::Map::new();
        for name in &extended {
            more.extend(statistic(&all, name)?.map(|value| (name.clone(), json!(value))));
        }
        if !extended.is_empty() {
            point["ExtendedStatistics"] = Value::Object(more);
        }
        points.push(point);
    }
    Ok(json!({ "Label": input["MetricName"], "Datapoints": points }))
}

/// The series of all queries by their ids.
pub(super) fn solved(
    state: &State,
    region: &str,
    input: &Value,
) -> Result<BTreeMap<String, Series>, Refusal> {
    let queries = list(input, "MetricDataQueries");
    if queries.is_empty() || queries.len() > MOST_QUERIES {
        let message = format!("MetricDataQueries must have 1 to {MOST_QUERIES} members.");
        return Err(Refusal::new(INVALID, message));
    }
    let period = |query: &Value| {
        let own = query.get("MetricStat").and_then(|stat| number(stat, "Period"));
        own.or(number(query, "Period"))
    };
    // An expression has the shortest period of the metrics unless told otherwise.
    let shortest = queries.iter().filter_map(period).min().unwrap_or(300);
    let mut known: BTreeMap<String, Series> = BTreeMap::new();
    for query in queries.iter().filter(|query| query.get("MetricStat").is_some()) {
        let id = need(query, "Id", INVALID)?;
        let stat = &query["MetricStat"];
        let span = Span::of(input, period(query), INVALID)?;
        let name = need(stat, "Stat", INVALID)?;
        let mut series = Series::new();
        let all = buckets(state, region, &stat["Metric"], span, text(stat, "Unit"))?;
        for (start, points) in all {
            series.extend(statistic(&points, name)?.map(|value| (start, value)));
        }
        known.insert(id.to_owned(), series);
    }
    let mut waiting: Vec<&Value> =
        queries.iter().filter(|query| text(query, "Expression").is_some()).collect();
    // Expressions may use each other, in any order.
    while !waiting.is_empty() {
        let before = waiting.len();
        let mut still = Vec::new();
        for query in waiting {
            let (id, expression) =
                (need(query, "Id", INVALID)?, need(query, "Expression", INVALID)?);
            let span = Span::of(input, Some(period(query).unwrap_or(shortest)), INVALID)?;
            match math::evaluate(expression, &known, span) {
                Ok(series) => drop(known.insert(id.to_owned(), series)),
                Err(math::Wrong::Unknown(name))
                    if queries.iter().any(|other| text(other, "Id") == Some(name.as_str())) =>
                {
                    still.push(query);
                }
                Err(wrong) => return Err(wrong.refusal(expression)),
            }
        }
        if still.len() == before {
            let message = "The expressions of MetricDataQueries refer to each other in a circle.";
            return Err(Refusal::new(INVALID, message));
        }
        waiting = still;
    }
    Ok(known)
}

pub(super) fn data(state: &State, region: &str, input: &Value) -> Answer {
    let known = solved(state, region, input)?;
    let queries = list(input, "MetricDataQueries");
    let ascending = text(input, "ScanBy") == Some("TimestampAscending");
    let mut results = Vec::new();
    for query in queries.iter().filter(|query| flag(query, "ReturnData").unwrap_or(true)) {
        let id = need(query, "Id", INVALID)?;
        let Some(series) = known.get(id) else {
            let message = format!("The query {id} needs one of MetricStat and Expression.");
            return Err(Refusal::new(INVALID, message));
        };
        let name = query.pointer("/MetricStat/Metric/MetricName").and_then(Value::as_str);
        let mut points: Vec<(&i64, &f64)> = series.iter().collect();
        if !ascending {
            points.reverse();
        }
        results.push(json!({
            "Id": id,
            "Label": text(query, "Label").or(name).unwrap_or(id),
            "Timestamps": points.iter().map(|(at, _)| time(**at as f64)).collect::<Vec<_>>(),
            "Values": points.iter().map(|(_, value)| **value).collect::<Vec<f64>>(),
            "StatusCode": "Complete",
        }));
    }
    Ok(json!({ "MetricDataResults": results, "Messages": [] }))
}

pub(super) fn list_all(state: &State, region: &str, input: &Value) -> Answer {
    let wanted: Vec<(&str, Option<&str>)> = list(input, "Dimensions")
        .iter()
        .filter_map(|one| Some((text(one, "Name")?, text(one, "Value"))))
        .collect();
    let (namespace, name) = (text(input, "Namespace"), text(input, "MetricName"));
    let fits = |metric: &Metric| {
        namespace.is_none_or(|wanted| metric.namespace == wanted)
            && name.is_none_or(|wanted| metric.name == wanted)
            && wanted.iter().all(|(key, value)| {
                let own = metric.dimensions.get(*key);
                own.is_some_and(|own| value.is_none_or(|value| own == value))
            })
    };
    let all = here(&state.metrics, region).filter(|(_, metric)| fits(metric));
    let shown = all.map(|(place, metric)| {
        let pairs = metric.dimensions.iter();
        let pairs = pairs.map(|(name, value)| json!({ "Name": name, "Value": value }));
        let one = json!({
            "Namespace": metric.namespace,
            "MetricName": metric.name,
            "Dimensions": pairs.collect::<Vec<_>>(),
        });
        (place.to_owned(), one)
    });
    let (metrics, next) = page(shown.collect(), text(input, "NextToken"), 500);
    Ok(json!({ "Metrics": metrics, "NextToken": next }))
}
