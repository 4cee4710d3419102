//! Metric alarms.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::states::{self, Status};
use super::{INVALID, State, TAGS, alarm_arn, evaluation};
use crate::toolbox::{
    KEY_VALUE, Tags, add_tags, at, flag, list, need, number, page, tag_list, text, texts, within,
};
use crate::wire::cbor::time;
use crate::{Answer, Refusal};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Alarm {
    /// The members of the call, without the tags.
    pub(super) settings: Value,
    pub(super) tags: Tags,
    changed: f64,
    pub(super) status: Status,
    /// When its state was evaluated last, or set.
    pub(super) evaluated: f64,
}

impl Alarm {
    /// The length of a period in seconds.
    pub(super) fn period(&self) -> i64 {
        let own = number(&self.settings, "Period");
        let all = list(&self.settings, "Metrics").iter().filter_map(period_of);
        own.or(all.min()).unwrap_or(60).max(1)
    }
}

const COMPARISONS: &[&str] = &[
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
];
const MISSING: &[&str] = &["breaching", "notBreaching", "ignore", "missing"];
const STATISTICS: &[&str] = &["SampleCount", "Average", "Sum", "Minimum", "Maximum"];
/// Members of an alarm with one metric. They exclude a list of metrics.
const OF_ONE_METRIC: &[&str] =
    &["Dimensions", "ExtendedStatistic", "MetricName", "Namespace", "Period", "Statistic", "Unit"];
const ACTIONS: &[&str] = &["AlarmActions", "InsufficientDataActions", "OKActions"];

fn wrong<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(INVALID, message))
}

pub(super) fn put(
    state: &mut State,
    region: &str,
    input: &Value,
    now: f64,
    is_strict: bool,
) -> Answer {
    let name = need(input, "AlarmName", INVALID)?;
    if name.chars().count() > 255 || name.chars().any(char::is_control) {
        return wrong("AlarmName must have 1 to 255 characters, none of them a control character");
    }
    if text(input, "AlarmDescription").is_some_and(|text| text.chars().count() > 1024) {
        return wrong("AlarmDescription must have at most 1024 characters");
    }
    check_evaluation(input)?;
    check_metrics(input)?;
    for actions in ACTIONS {
        check_actions(region, actions, &texts(input, actions))?;
    }
    let mut settings = input.clone();
    if let Some(members) = settings.as_object_mut() {
        members.remove("Tags");
    }
    let place = at(region, name);
    // Only a new alarm takes the tags. A changed one keeps its state.
    // Only a strict sandbox takes the time until the first evaluation.
    let first = if is_strict { now } else { now - evaluation::MINUTE };
    let (tags, status, evaluated, what) = match state.alarms.get(&place) {
        Some(alarm) => (alarm.tags.clone(), alarm.status.clone(), alarm.evaluated, "Update"),
        None => {
            let mut tags = Tags::new();
            add_tags(&mut tags, tag_list(input, "Tags", KEY_VALUE), TAGS)?;
            (tags, Status::new(now), first, "Create")
        }
    };
    state.alarms.insert(place, Alarm { settings, tags, changed: now, status, evaluated });
    states::configured(state, region, name, what, now);
    Ok(Value::Null)
}

fn check_evaluation(input: &Value) -> Result<(), Refusal> {
    let Some(periods) = number(input, "EvaluationPeriods").filter(|periods| *periods > 0) else {
        return wrong("EvaluationPeriods must be greater than 0");
    };
    let datapoints = number(input, "DatapointsToAlarm").unwrap_or(periods);
    if !(1..=periods).contains(&datapoints) {
        return wrong("DatapointsToAlarm must be less than or equal to EvaluationPeriods");
    }
    if !text(input, "ComparisonOperator").is_some_and(|word| COMPARISONS.contains(&word)) {
        return wrong("ComparisonOperator is not one of the known ones");
    }
    // Clients that speak the query protocol send it as text.
    let threshold = input.get("Threshold");
    let as_text = || threshold?.as_str()?.parse::<f64>().ok();
    if threshold.and_then(Value::as_f64).or_else(as_text).is_none() {
        return wrong("Threshold is required");
    }
    if text(input, "TreatMissingData").is_some_and(|word| !MISSING.contains(&word)) {
        return wrong("TreatMissingData is not one of the known values");
    }
    let period = number(input, "Period")
        .or_else(|| list(input, "Metrics").iter().find_map(period_of))
        .unwrap_or(60);
    let most = if period < 3600 { 86_400 } else { 604_800 };
    if period * periods > most {
        return wrong(format!("Metrics cannot be checked across more than {most} seconds"));
    }
    Ok(())
}

fn period_of(query: &Value) -> Option<i64> {
    number(query, "Period").or_else(|| number(query.get("MetricStat")?, "Period"))
}

fn check_metrics(input: &Value) -> Result<(), Refusal> {
    let metrics = list(input, "Metrics");
    if metrics.is_empty() {
        need(input, "MetricName", INVALID)?;
        need(input, "Namespace", INVALID)?;
        let statistic = match (text(input, "Statistic"), text(input, "ExtendedStatistic")) {
            (Some(word), None) if STATISTICS.contains(&word) => word,
            (None, Some(word)) if !STATISTICS.contains(&word) => word,
            _ => return wrong("Exactly one of Statistic and ExtendedStatistic must be specified"),
        };
        return check_metric(statistic, number(input, "Period"), list(input, "Dimensions"));
    }
    if let Some(member) = OF_ONE_METRIC.iter().find(|member| input.get(**member).is_some()) {
        return wrong(format!("{member} must not be set if Metrics is specified"));
    }
    let mut ids: Vec<&str> = Vec::new();
    for query in metrics {
        let id = need(query, "Id", INVALID)?;
        let fine = id.starts_with(|c: char| c.is_ascii_lowercase())
            && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !fine || ids.contains(&id) {
            return wrong(format!("Invalid metrics list: Id '{id}' is not valid or not unique"));
        }
        ids.push(id);
        match (query.get("MetricStat"), text(query, "Expression")) {
            (Some(stat), None) => {
                let metric = stat.get("Metric").unwrap_or(&Value::Null);
                need(metric, "MetricName", INVALID)?;
                need(metric, "Namespace", INVALID)?;
                let statistic = need(stat, "Stat", INVALID)?;
                check_metric(statistic, number(stat, "Period"), list(metric, "Dimensions"))?;
            }
            (None, Some(_)) => {}
            _ => return wrong("Each query needs exactly one of MetricStat and Expression"),
        }
    }
    let returned = metrics.iter().filter(|query| flag(query, "ReturnData").unwrap_or(true)).count();
    match returned {
        1 => Ok(()),
        _ => wrong("Exactly one element of the metrics list should return data"),
    }
}

fn check_metric(statistic: &str, period: Option<i64>, dimensions: &[Value]) -> Result<(), Refusal> {
    if let Some(percent) = statistic.strip_prefix('p')
        && !percent.parse::<f64>().is_ok_and(|percent| (0.0..=100.0).contains(&percent))
    {
        return wrong(format!("The value {statistic} for parameter ExtendedStatistic is invalid"));
    }
    match period {
        Some(10 | 20 | 30) => {}
        Some(period) if period > 0 && period % 60 == 0 => {}
        _ => return wrong("Period must be 10, 20, 30 or a multiple of 60"),
    }
    for dimension in dimensions {
        need(dimension, "Name", INVALID)?;
        need(dimension, "Value", INVALID)?;
    }
    match dimensions.len() {
        0..=30 => Ok(()),
        _ => wrong("A metric has at most 30 dimensions"),
    }
}

fn check_actions(region: &str, member: &str, actions: &[String]) -> Result<(), Refusal> {
    if actions.len() > 5 {
        return wrong(format!("{member} has more than 5 members"));
    }
    for action in actions {
        let elsewhere = action.starts_with("arn:aws:sns:")
            && !action.starts_with(&format!("arn:aws:sns:{region}:"));
        if !action.starts_with("arn:") {
            return wrong(format!("Invalid arn syntax: {action}"));
        }
        if elsewhere {
            return wrong(format!("Invalid region in {action}; expected {region}"));
        }
    }
    Ok(())
}

pub(super) fn describe(state: &State, region: &str, input: &Value) -> Answer {
    let (names, prefix) = (texts(input, "AlarmNames"), text(input, "AlarmNamePrefix"));
    if prefix.is_some() && !names.is_empty() {
        let message = "AlarmNamePrefix and AlarmNames must not be specified together";
        return Err(Refusal::new("InvalidParameterCombination", message));
    }
    if names.len() > 100 {
        return wrong("AlarmNames has more than 100 members");
    }
    let types = texts(input, "AlarmTypes");
    let asked = types.is_empty() || types.iter().any(|kind| kind == "MetricAlarm");
    let value = text(input, "StateValue");
    let found = states::with_status(state, region, value).filter(|(name, _)| {
        asked
            && (names.is_empty() || names.iter().any(|wanted| wanted == name))
            && prefix.is_none_or(|prefix| name.starts_with(prefix))
    });
    let alarms = found.map(|(name, alarm)| (name.to_owned(), view(region, name, alarm)));
    let limit = within(input, "MaxRecords", 1..=100, INVALID)?.unwrap_or(50);
    let (alarms, next) = page(alarms.collect(), text(input, "NextToken"), limit as usize);
    Ok(json!({ "MetricAlarms": alarms, "CompositeAlarms": [], "NextToken": next }))
}

/// An alarm as CloudWatch returns it: the members of the call, and AWS's defaults for all others.
fn view(region: &str, name: &str, alarm: &Alarm) -> Value {
    let mut view = json!({
        "AlarmArn": alarm_arn(region, name),
        "ActionsEnabled": true,
        "AlarmActions": [],
        "InsufficientDataActions": [],
        "OKActions": [],
        "AlarmConfigurationUpdatedTimestamp": time(alarm.changed),
    });
    alarm.status.show(&mut view);
    for (member, value) in alarm.settings.as_object().into_iter().flatten() {
        view[member] = value.clone();
    }
    if text(&view, "MetricName").is_some() && view.get("Dimensions").is_none() {
        view["Dimensions"] = json!([]);
    }
    if let Some(queries) = view.get_mut("Metrics").and_then(Value::as_array_mut) {
        for query in queries.iter_mut().filter(|query| query.get("ReturnData").is_none()) {
            query["ReturnData"] = true.into();
        }
    }
    view
}
