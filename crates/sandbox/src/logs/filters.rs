//! Metric filters of log groups.

use serde_json::{Value, json};

use super::super::constraints::{missing, unfit};
use super::super::toolbox::{here, list, need, page, put as set, text, within};
use super::super::{Answer, Refusal};
use super::{INVALID, State, find, group_name};

fn wrong<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(INVALID, message))
}

/// Refuses a text that is too long.
fn longest(input: &Value, key: &str, most: usize) -> Result<(), Refusal> {
    match text(input, key).filter(|value| value.len() > most) {
        None => Ok(()),
        Some(value) => {
            let rule = format!("Member must have length less than or equal to {most}");
            Err(unfit(INVALID, value, key, &rule))
        }
    }
}

fn name(input: &Value) -> Result<&str, Refusal> {
    let name = need(input, "filterName", INVALID)?;
    longest(input, "filterName", 512)?;
    if name.contains([':', '*']) {
        wrong(format!("'{name}' is not a valid name of a metric filter."))
    } else {
        Ok(name)
    }
}

pub(super) fn put(state: &mut State, region: &str, input: &Value, now: i64) -> Answer {
    let (group, name) = (group_name(input)?, name(input)?);
    longest(input, "filterPattern", 1024)?;
    let Some(pattern) = text(input, "filterPattern") else {
        return Err(missing(INVALID, "filterPattern"));
    };
    let transformations = list(input, "metricTransformations");
    let [transformation] = transformations else {
        return wrong("metricTransformations must have exactly one member.");
    };
    need(transformation, "metricValue", INVALID)?;
    for (key, refused) in [("metricName", ":*$"), ("metricNamespace", "*$")] {
        let value = need(transformation, key, INVALID)?;
        longest(transformation, key, 255)?;
        if value.contains(|c| refused.contains(c)) {
            return wrong(format!("{key} must not contain any of {refused}."));
        }
    }
    if text(transformation, "metricNamespace").is_some_and(|space| space.starts_with("AWS/")) {
        return wrong("Namespaces that begin with AWS/ are reserved.");
    }
    let dimensions = transformation.get("dimensions").and_then(Value::as_object);
    let count = dimensions.map_or(0, serde_json::Map::len);
    if count > 3 || (count > 0 && transformation.get("defaultValue").is_some()) {
        return wrong("A filter has at most 3 dimensions, and no default value beside them.");
    }
    let found = find(state, region, &group)?;
    if found.class != "STANDARD" {
        let message = format!("Log groups of the class {} take no metric filters.", found.class);
        return Err(Refusal::new("InvalidOperationException", message));
    }
    let filters = &mut found.filters;
    if filters.len() >= 100 && !filters.contains_key(name) {
        let message = "A log group has at most 100 metric filters.";
        return Err(Refusal::new("LimitExceededException", message));
    }
    let mut transformation = transformation.clone();
    if let Some(default) = transformation.get("defaultValue").and_then(Value::as_f64) {
        transformation["defaultValue"] = json!(default);
    }
    let filter = json!({
        "filterName": name,
        "filterPattern": pattern,
        "logGroupName": group,
        "metricTransformations": [transformation],
        "creationTime": now,
        "applyOnTransformedLogs": false,
    });
    filters.insert(name.to_owned(), filter);
    Ok(json!({}))
}

pub(super) fn describe(state: &mut State, region: &str, input: &Value) -> Answer {
    let group = text(input, "logGroupName");
    if let Some(name) = group {
        find(state, region, name)?;
    }
    longest(input, "filterNamePrefix", 512)?;
    longest(input, "metricName", 255)?;
    longest(input, "metricNamespace", 255)?;
    let prefix = text(input, "filterNamePrefix").unwrap_or_default();
    let counts = |filter: &Value| {
        ["metricName", "metricNamespace"].iter().all(|key| {
            let metric = &filter["metricTransformations"][0];
            text(input, key).is_none_or(|wanted| text(metric, key) == Some(wanted))
        })
    };
    let groups = here(&state.groups, region);
    let groups = groups.filter(|(name, _)| group.is_none_or(|wanted| wanted == *name));
    let filters = groups.flat_map(|(group, kept)| {
        let named = kept.filters.iter().filter(|(name, _)| name.starts_with(prefix));
        let filters = named.filter(|(_, filter)| counts(filter));
        filters.map(move |(name, filter)| (format!("{name}:{group}"), filter.clone()))
    });
    // Filters come in the order of their names, not of their groups.
    let mut filters: Vec<(String, Value)> = filters.collect();
    filters.sort_by(|(one, _), (other, _)| one.cmp(other));
    let limit = within(input, "limit", 1..=50, INVALID)?.unwrap_or(50);
    let (filters, next) = page(filters, text(input, "nextToken"), limit as usize);
    let mut answer = json!({ "metricFilters": filters });
    set(&mut answer, "nextToken", next);
    Ok(answer)
}

pub(super) fn delete(state: &mut State, region: &str, input: &Value) -> Answer {
    let (group, name) = (group_name(input)?, name(input)?);
    match find(state, region, &group)?.filters.remove(name) {
        Some(_) => Ok(json!({})),
        None => {
            let message = "The specified metric filter does not exist.";
            Err(Refusal::new("ResourceNotFoundException", message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::World;
    use super::super::super::toolbox::testing::ask;
    use super::*;

    fn logs(world: &mut World, operation: &str, input: Value) -> Result<Value, String> {
        ask(world, "logs", operation, input).map_err(|refusal| refusal.code)
    }

    fn filter(transformation: &Value) -> Value {
        json!({
            "logGroupName": "/ecs/a", "filterName": "f", "filterPattern": "ERROR",
            "metricTransformations": [transformation],
        })
    }

    #[test]
    fn deleting_a_group_deletes_its_filters() {
        let mut world = World::default();
        let metric =
            json!({ "metricName": "E", "metricNamespace": "Payments", "metricValue": "1" });
        let missing = logs(&mut world, "PutMetricFilter", filter(&metric));
        assert_eq!(missing, Err("ResourceNotFoundException".into()));
        let group = json!({ "logGroupName": "/ecs/a" });
        logs(&mut world, "CreateLogGroup", group.clone()).unwrap();
        logs(&mut world, "PutMetricFilter", filter(&metric)).unwrap();
        let found = logs(&mut world, "DescribeMetricFilters", json!({})).unwrap();
        assert!(found["metricFilters"][0]["metricTransformations"][0].get("unit").is_none());
        let others = json!({ "metricName": "F", "metricNamespace": "Payments" });
        let others = logs(&mut world, "DescribeMetricFilters", others).unwrap();
        assert_eq!(others["metricFilters"], json!([]));
        let long = json!({ "metricName": "E".repeat(256) });
        assert_eq!(logs(&mut world, "DescribeMetricFilters", long), Err(INVALID.into()));
        let groups = logs(&mut world, "DescribeLogGroups", json!({})).unwrap();
        assert_eq!(groups["logGroups"][0]["metricFilterCount"], 1);
        logs(&mut world, "CreateLogGroup", json!({ "logGroupName": "/ecs/0" })).unwrap();
        let mut later = filter(&metric);
        later["logGroupName"] = json!("/ecs/0");
        later["filterName"] = json!("g");
        logs(&mut world, "PutMetricFilter", later).unwrap();
        let found = logs(&mut world, "DescribeMetricFilters", json!({})).unwrap();
        assert_eq!(found["metricFilters"][0]["filterName"], "f");
        logs(&mut world, "DeleteLogGroup", json!({ "logGroupName": "/ecs/0" })).unwrap();
        let one = json!({ "logGroupName": "/ecs/a", "filterName": "f" });
        logs(&mut world, "DeleteMetricFilter", one.clone()).unwrap();
        let again = logs(&mut world, "DeleteMetricFilter", one);
        assert_eq!(again, Err("ResourceNotFoundException".into()));
        logs(&mut world, "PutMetricFilter", filter(&metric)).unwrap();
        logs(&mut world, "DeleteLogGroup", group).unwrap();
        let left = logs(&mut world, "DescribeMetricFilters", json!({})).unwrap();
        assert_eq!(left["metricFilters"], json!([]));
    }

    #[test]
    fn groups_of_infrequent_access_take_no_filters() {
        let mut world = World::default();
        let group = json!({ "logGroupName": "/ecs/a", "logGroupClass": "INFREQUENT_ACCESS" });
        logs(&mut world, "CreateLogGroup", group).unwrap();
        let metric = json!({ "metricName": "E", "metricNamespace": "P", "metricValue": "1" });
        let refused = logs(&mut world, "PutMetricFilter", filter(&metric));
        assert_eq!(refused, Err("InvalidOperationException".into()));
        let wrong = json!({ "logGroupName": "/ecs/b", "logGroupClass": "CHEAP" });
        assert_eq!(logs(&mut world, "CreateLogGroup", wrong), Err(INVALID.into()));
    }

    #[test]
    fn invalid_filters_are_refused_as_by_aws() {
        let mut world = World::default();
        logs(&mut world, "CreateLogGroup", json!({ "logGroupName": "/ecs/a" })).unwrap();
        for (member, value) in [
            ("metricName", json!("a:b")),
            ("metricNamespace", json!("AWS/Lambda")),
            ("metricNamespace", json!("a$")),
            ("dimensions", json!({ "a": "$.a", "b": "$.b", "c": "$.c", "d": "$.d" })),
        ] {
            let mut metric =
                json!({ "metricName": "E", "metricNamespace": "P", "metricValue": "1" });
            metric[member] = value;
            assert_eq!(logs(&mut world, "PutMetricFilter", filter(&metric)), Err(INVALID.into()));
        }
        let both = json!({ "metricName": "E", "metricNamespace": "P", "metricValue": "1",
            "defaultValue": 0.0, "dimensions": { "a": "$.a" } });
        assert_eq!(logs(&mut world, "PutMetricFilter", filter(&both)), Err(INVALID.into()));
    }
}
