//! The sandbox's Cost Explorer: Cost Anomaly Detection, cost allocation tags, and costs. Nothing in the
//! sandbox costs anything; a test states what does. Cost Explorer belongs to the account, so it does not
//! have regions.
//!
//! Quirks kept: An account has one monitor of all services. A monitor with subscriptions cannot be
//! deleted. Topics get immediate messages, email addresses daily or weekly ones. Numbers come back
//! as strings.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shelf::{Shelf, kept};
use super::toolbox::{
    KEY_VALUE, Tags, add_tags, list, need, page, put, remove_tags, tag_list, tag_pairs, text,
    texts, uuid, within,
};
use super::{ACCOUNT, Answer, Base, Call, Refusal, World};

pub(crate) mod allocation;
pub(crate) mod usage;

/// The state of Cost Anomaly Detection.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Monitors by ARN.
    monitors: Shelf<Thing>,
    /// Subscriptions by ARN.
    subscriptions: Shelf<Thing>,
    /// What a test says that things cost, by number.
    costs: Shelf<usage::Cost>,
    /// Cost allocation tags by key.
    allocation: Shelf<allocation::Tag>,
}

kept!(State { monitors, subscriptions, costs, allocation });

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Thing {
    members: Value,
    tags: Tags,
}

const INVALID: &str = "ValidationException";
const TAGS: (&str, &str) = (INVALID, "TooManyTagsException");

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    vec![("monitors", state.monitors.len()), ("subscriptions", state.subscriptions.len())]
}

/// The tags of all objects by ARN. They belong to no region, and the Tagging API of one shows them.
pub(crate) fn all_tags<'a>(
    state: &'a State,
    region: &str,
) -> impl Iterator<Item = (String, Cow<'a, Tags>)> + 'a {
    let things = state.monitors.iter().chain(&state.subscriptions);
    let is_home = region == "us-east-1";
    things.filter(move |_| is_home).map(|(arn, thing)| (arn.clone(), Cow::Borrowed(&thing.tags)))
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    let input = &call.input;
    let World { base, costexplorer: state, .. } = world;
    match call.operation.as_str() {
        "GetCostAndUsage" => usage::usage(state, input),
        "ListCostAllocationTags" => allocation::list(state, input),
        "UpdateCostAllocationTagsStatus" => allocation::update(state, base, input),
        // What costs nothing has no anomalies.
        "GetAnomalies" => {
            need(&input["DateInterval"], "StartDate", INVALID)?;
            Ok(json!({ "Anomalies": [] }))
        }
        "CreateAnomalyMonitor" => create_monitor(state, base, input),
        "GetAnomalyMonitors" => {
            listed(&state.monitors, input, "MonitorArnList", "AnomalyMonitors", &unknown_monitor)
        }
        "UpdateAnomalyMonitor" => {
            let arn = need(input, "MonitorArn", INVALID)?;
            let monitor = state.monitors.get_mut(arn).ok_or_else(unknown_monitor)?;
            put(&mut monitor.members, "MonitorName", text(input, "MonitorName"));
            Ok(json!({ "MonitorArn": arn }))
        }
        "DeleteAnomalyMonitor" => {
            let arn = need(input, "MonitorArn", INVALID)?;
            let watched = |thing: &Thing| {
                texts(&thing.members, "MonitorArnList").iter().any(|monitor| monitor == arn)
            };
            if state.subscriptions.values().any(watched) {
                let message = "The monitor is associated with a subscription.";
                return Err(Refusal::new(INVALID, message));
            }
            state.monitors.remove(arn).ok_or_else(unknown_monitor)?;
            Ok(json!({}))
        }
        "CreateAnomalySubscription" => create_subscription(state, base, input),
        "GetAnomalySubscriptions" => {
            let (of, members) = ("SubscriptionArnList", "AnomalySubscriptions");
            listed(&state.subscriptions, input, of, members, &unknown_subscription)
        }
        "UpdateAnomalySubscription" => {
            let arn = need(input, "SubscriptionArn", INVALID)?.to_owned();
            let old = state.subscriptions.get(&arn).ok_or_else(unknown_subscription)?;
            let mut members = old.members.clone();
            for member in MEMBERS {
                put(&mut members, member, input.get(*member).cloned());
            }
            check(state, &members)?;
            confirm(&mut members);
            state.subscriptions.entry(arn.clone()).or_default().members = members;
            Ok(json!({ "SubscriptionArn": arn }))
        }
        "DeleteAnomalySubscription" => {
            let arn = need(input, "SubscriptionArn", INVALID)?;
            state.subscriptions.remove(arn).ok_or_else(unknown_subscription)?;
            Ok(json!({}))
        }
        "ListTagsForResource" => {
            Ok(json!({ "ResourceTags": tag_pairs(tagged(state, input)?, KEY_VALUE) }))
        }
        "TagResource" => {
            add_tags(tagged(state, input)?, tag_list(input, "ResourceTags", KEY_VALUE), TAGS)?;
            Ok(json!({}))
        }
        "UntagResource" => {
            remove_tags(tagged(state, input)?, &texts(input, "ResourceTagKeys"));
            Ok(json!({}))
        }
        _ => Err(Refusal::not_covered(&call.service, &call.operation)),
    }
}

fn unknown_monitor() -> Refusal {
    Refusal::new("UnknownMonitorException", "The cost anomaly monitor does not exist.")
}

fn unknown_subscription() -> Refusal {
    Refusal::new("UnknownSubscriptionException", "The cost anomaly subscription does not exist.")
}

fn tagged<'a>(state: &'a mut State, input: &Value) -> Result<&'a mut Tags, Refusal> {
    let arn = need(input, "ResourceArn", INVALID)?;
    let monitor = state.monitors.get_mut(arn);
    let found = monitor.or_else(|| state.subscriptions.get_mut(arn));
    found.map(|thing| &mut thing.tags).ok_or_else(|| {
        Refusal::new("ResourceNotFoundException", "The specified ARN doesn't exist.")
    })
}

/// One page of all things, or of the ones that a call names.
fn listed(
    things: &BTreeMap<String, Thing>,
    input: &Value,
    of: &str,
    members: &str,
    unknown: &dyn Fn() -> Refusal,
) -> Answer {
    let wanted = texts(input, of);
    if wanted.iter().any(|arn| !things.contains_key(arn)) {
        return Err(unknown());
    }
    let found = things.iter().filter(|(arn, _)| wanted.is_empty() || wanted.contains(arn));
    let found = found.map(|(arn, thing)| (arn.clone(), thing.members.clone()));
    let limit = within(input, "MaxResults", 1..=100, INVALID)?.unwrap_or(100);
    let (found, next) = page(found.collect(), text(input, "NextPageToken"), limit as usize);
    let mut answer = json!({ members: found });
    put(&mut answer, "NextPageToken", next);
    Ok(answer)
}

fn name(object: &Value, member: &str) -> Result<(), Refusal> {
    if need(object, member, INVALID)?.chars().count() <= 1024 {
        Ok(())
    } else {
        Err(Refusal::new(INVALID, format!("{member} is too long.")))
    }
}

fn create_monitor(state: &mut State, base: &mut Base, input: &Value) -> Answer {
    let mut members = input.get("AnomalyMonitor").cloned().unwrap_or_default();
    name(&members, "MonitorName")?;
    let dimension = text(&members, "MonitorDimension");
    match (text(&members, "MonitorType"), dimension, members.get("MonitorSpecification")) {
        (Some("DIMENSIONAL"), Some("SERVICE"), None) => {
            let is_one =
                |monitor: &Thing| text(&monitor.members, "MonitorDimension") == Some("SERVICE");
            if state.monitors.values().any(is_one) {
                let message = "Limit exceeded on dimensional spend monitor creation";
                return Err(Refusal::new("LimitExceededException", message));
            }
        }
        (Some("CUSTOM"), None, Some(_)) => {}
        _ => {
            let message = "A monitor has either a dimension or a specification.";
            return Err(Refusal::new(INVALID, message));
        }
    }
    let arn = new_arn(base, "anomalymonitor");
    members["MonitorArn"] = arn.as_str().into();
    members["DimensionalValueCount"] = 0.into();
    add(&mut state.monitors, &arn, members, input)?;
    Ok(json!({ "MonitorArn": arn }))
}

fn new_arn(base: &mut Base, kind: &str) -> String {
    format!("arn:aws:ce::{ACCOUNT}:{kind}/{}", uuid(base))
}

fn add(things: &mut Shelf<Thing>, arn: &str, members: Value, input: &Value) -> Result<(), Refusal> {
    let mut tags = Tags::new();
    add_tags(&mut tags, tag_list(input, "ResourceTags", KEY_VALUE), TAGS)?;
    things.insert(arn.to_owned(), Thing { members, tags });
    Ok(())
}

const MEMBERS: &[&str] =
    &["SubscriptionName", "MonitorArnList", "Subscribers", "Frequency", "ThresholdExpression"];

fn create_subscription(state: &mut State, base: &mut Base, input: &Value) -> Answer {
    let given = input.get("AnomalySubscription").cloned().unwrap_or_default();
    let mut members = json!({});
    for member in MEMBERS {
        put(&mut members, member, given.get(*member).cloned());
    }
    check(state, &members)?;
    confirm(&mut members);
    let arn = new_arn(base, "anomalysubscription");
    members["SubscriptionArn"] = arn.as_str().into();
    members["AccountId"] = ACCOUNT.into();
    add(&mut state.subscriptions, &arn, members, input)?;
    Ok(json!({ "SubscriptionArn": arn }))
}

/// Subscriptions of Cost Anomaly Detection need no confirmation.
fn confirm(members: &mut Value) {
    for subscriber in members["Subscribers"].as_array_mut().into_iter().flatten() {
        subscriber["Status"] = "CONFIRMED".into();
    }
}

fn check(state: &State, members: &Value) -> Result<(), Refusal> {
    name(members, "SubscriptionName")?;
    let monitors = texts(members, "MonitorArnList");
    if monitors.is_empty() || monitors.iter().any(|arn| !state.monitors.contains_key(arn)) {
        return Err(unknown_monitor());
    }
    let subscribers = list(members, "Subscribers");
    let topics = subscribers.iter().filter(|one| text(one, "Type") == Some("SNS")).count();
    let fits = match text(members, "Frequency") {
        Some("IMMEDIATE") => topics == subscribers.len(),
        Some("DAILY" | "WEEKLY") => topics == 0,
        _ => false,
    };
    if subscribers.is_empty() || !fits {
        let message = "IMMEDIATE takes SNS topics, DAILY and WEEKLY take e-mail addresses.";
        return Err(Refusal::new(INVALID, message));
    }
    if members.get("ThresholdExpression").is_some_and(is_threshold) {
        Ok(())
    } else {
        Err(Refusal::new(INVALID, "ThresholdExpression is not valid."))
    }
}

fn is_threshold(expression: &Value) -> bool {
    let nested = |key: &str| {
        let parts = list(expression, key);
        parts.len() == 2 && parts.iter().all(is_threshold)
    };
    let dimensions = &expression["Dimensions"];
    let known = ["ANOMALY_TOTAL_IMPACT_ABSOLUTE", "ANOMALY_TOTAL_IMPACT_PERCENTAGE"];
    let values = texts(dimensions, "Values");
    let number = values.len() == 1 && values[0].parse::<f64>().is_ok_and(|value| value >= 0.0);
    let plain = text(dimensions, "Key").is_some_and(|key| known.contains(&key))
        && texts(dimensions, "MatchOptions") == ["GREATER_THAN_OR_EQUAL"]
        && number;
    plain || nested("And") || nested("Or")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolbox::testing::{ask, code};

    fn costs(world: &mut World, operation: &str, input: Value) -> Answer {
        ask(world, "ce", operation, input)
    }

    fn services() -> Value {
        json!({ "AnomalyMonitor": {
            "MonitorName": "all", "MonitorType": "DIMENSIONAL", "MonitorDimension": "SERVICE" } })
    }

    #[test]
    fn one_monitor_covers_all_services_and_subscriptions_block_its_deletion() {
        let mut world = World::default();
        let made = costs(&mut world, "CreateAnomalyMonitor", services()).unwrap();
        assert_eq!(
            code(costs(&mut world, "CreateAnomalyMonitor", services())),
            "LimitExceededException"
        );
        let subscription = |frequency: &str| {
            json!({ "AnomalySubscription": {
                "SubscriptionName": "s", "MonitorArnList": [made["MonitorArn"]],
                "Subscribers": [{ "Type": "EMAIL", "Address": "ops@example.com" }],
                "Frequency": frequency,
                "ThresholdExpression": { "Dimensions": {
                    "Key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE", "Values": ["100"],
                    "MatchOptions": ["GREATER_THAN_OR_EQUAL"] } } } })
        };
        let create = "CreateAnomalySubscription";
        assert_eq!(code(costs(&mut world, create, subscription("IMMEDIATE"))), INVALID);
        let subscribed = costs(&mut world, create, subscription("DAILY")).unwrap();
        assert_eq!(code(costs(&mut world, "DeleteAnomalyMonitor", made.clone())), INVALID);
        costs(&mut world, "DeleteAnomalySubscription", subscribed.clone()).unwrap();
        assert_eq!(
            code(costs(&mut world, "DeleteAnomalySubscription", subscribed)),
            "UnknownSubscriptionException"
        );
        costs(&mut world, "DeleteAnomalyMonitor", made).unwrap();
        let left = costs(&mut world, "GetAnomalyMonitors", json!({})).unwrap();
        assert_eq!(left["AnomalyMonitors"], json!([]));
    }
}
