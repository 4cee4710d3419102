//! The sandbox's CloudWatch: metric alarms, dashboards, and the metrics that callers put.
//!
//! Quirks kept: PutMetricAlarm and PutDashboard replace an existing object and then ignore tags.
//! Missing members come back with AWS's defaults. Dashboards belong to the account, not to a
//! region. A deletion of unknown alarms succeeds, one of unknown dashboards fails.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shelf::{Shelf, kept};
use super::toolbox::{
    KEY_VALUE, Tags, add_tags, at, here, need, refuse, remove_tags, tag_list, tag_pairs, texts,
};
use super::{ACCOUNT, Answer, Call, Refusal, World};

mod alarms;
mod dashboards;
mod evaluation;
mod math;
mod metrics;
mod states;
#[cfg(test)]
mod tests;

/// The state of CloudWatch.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Alarms by region and name.
    alarms: Shelf<alarms::Alarm>,
    /// What happened to the alarms of a region, the newest first.
    history: Shelf<Vec<states::Happened>>,
    /// Metrics by region, namespace, name and dimensions.
    metrics: Shelf<metrics::Metric>,
    /// Dashboards by name.
    dashboards: Shelf<dashboards::Dashboard>,
}

kept!(State { alarms, history, metrics, dashboards });

const INVALID: &str = "ValidationError";
const VALUE: &str = "InvalidParameterValue";
const GONE: &str = "ResourceNotFoundException";

/// The codes for a bad tag and for too many.
const TAGS: (&str, &str) = (VALUE, VALUE);

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    vec![("alarms", state.alarms.len()), ("dashboards", state.dashboards.len())]
}

/// The tags of the alarms of a region, by ARN.
pub(crate) fn all_tags<'a>(
    state: &'a State,
    region: &'a str,
) -> impl Iterator<Item = (String, Cow<'a, Tags>)> + 'a {
    let alarms = here(&state.alarms, region);
    let alarms =
        alarms.map(move |(name, alarm)| (alarm_arn(region, name), Cow::Borrowed(&alarm.tags)));
    // One region lists the dashboards, which belong to the whole account.
    let dashboards = state.dashboards.iter().filter(move |_| region == "us-east-1");
    alarms.chain(dashboards.map(|(name, one)| (dashboard_arn(name), Cow::Borrowed(&one.tags))))
}

/// Whether an alarm is in the state `ALARM`.
pub(crate) fn fires(world: &World, region: &str, name: &str) -> bool {
    let (state, now) = (&world.cloudwatch, world.base.now());
    let alarm = state.alarms.get(&at(region, name));
    alarm.is_some_and(|alarm| evaluation::value(state, region, alarm, now) == "ALARM")
}

/// Keeps values of a metric that a service of AWS would measure; the input is that of PutMetricData.
pub(crate) fn measure(world: &mut World, region: &str, input: &Value) -> Answer {
    let now = world.base.now();
    metrics::measure(&mut world.cloudwatch, region, input, now)
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    let (input, region) = (&call.input, call.region.as_str());
    let (now, is_strict) = (world.base.now(), world.base.strict);
    let state = &mut world.cloudwatch;
    evaluation::advance(state, region, now);
    match call.operation.as_str() {
        "PutMetricAlarm" => alarms::put(state, region, input, now, is_strict),
        "DescribeAlarms" => alarms::describe(state, region, input),
        "DeleteAlarms" => states::delete(state, region, input, now),
        "SetAlarmState" => states::set(state, region, input, now),
        "DescribeAlarmHistory" => states::history(state, region, input),
        "PutMetricData" => metrics::put(state, region, input, now),
        "GetMetricData" => metrics::data(state, region, input),
        "GetMetricStatistics" => metrics::statistics(state, region, input),
        "ListMetrics" => metrics::list_all(state, region, input),
        "PutDashboard" => dashboards::put(state, input, now),
        "GetDashboard" => dashboards::get(state, input),
        "ListDashboards" => dashboards::list(state, input),
        "DeleteDashboards" => dashboards::delete(state, input),
        "ListTagsForResource" => match tags(state, region, input) {
            Ok(tags) => Ok(json!({ "Tags": tag_pairs(tags, KEY_VALUE) })),
            // A deleted object has no tags. That is not an error.
            Err(refusal) if refusal.code == GONE => Ok(json!({ "Tags": [] })),
            Err(refusal) => Err(refusal),
        },
        "TagResource" => {
            let more = tag_list(input, "Tags", KEY_VALUE);
            add_tags(tags(state, region, input)?, more, TAGS)?;
            Ok(json!({}))
        }
        "UntagResource" => {
            remove_tags(tags(state, region, input)?, &texts(input, "TagKeys"));
            Ok(json!({}))
        }
        _ => Err(Refusal::not_covered(&call.service, &call.operation)),
    }
}

fn alarm_arn(region: &str, name: &str) -> String {
    format!("arn:aws:cloudwatch:{region}:{ACCOUNT}:alarm:{name}")
}

fn dashboard_arn(name: &str) -> String {
    format!("arn:aws:cloudwatch::{ACCOUNT}:dashboard/{name}")
}

/// The tags of the object that an ARN names.
fn tags<'a>(state: &'a mut State, region: &str, input: &Value) -> Result<&'a mut Tags, Refusal> {
    let arn = need(input, "ResourceARN", VALUE)?;
    let alarm = arn.strip_prefix(&alarm_arn(region, ""));
    let dashboard = arn.strip_prefix(&dashboard_arn(""));
    let found = match (alarm, dashboard) {
        (Some(name), _) => state.alarms.get_mut(&at(region, name)).map(|alarm| &mut alarm.tags),
        (None, Some(name)) => state.dashboards.get_mut(name).map(|board| &mut board.tags),
        (None, None) => return Err(Refusal::new(VALUE, format!("'{arn}' has no tags."))),
    };
    found.ok_or_else(|| refuse(404, GONE, format!("No '{arn}'.")))
}
