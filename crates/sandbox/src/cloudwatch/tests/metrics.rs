//! Claims about states of alarms, and about metrics.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::metrics::measure;
use super::{REGION, World, alarm, ask, monitoring};

fn described(world: &mut World) -> Value {
    monitoring(world, "DescribeAlarms", json!({})).unwrap()["MetricAlarms"][0].clone()
}

fn set(world: &mut World, value: &str, reason: &str) -> Result<Value, String> {
    let input = json!({ "AlarmName": "a", "StateValue": value, "StateReason": reason });
    monitoring(world, "SetAlarmState", input)
}

#[tokio::test(start_paused = true)]
async fn an_alarm_is_in_the_state_that_was_set_until_it_is_evaluated() {
    let mut world = World::default();
    monitoring(&mut world, "PutMetricAlarm", alarm(json!({}))).unwrap();
    let first = described(&mut world);
    assert_eq!(first["StateValue"], "INSUFFICIENT_DATA");
    tokio::time::advance(Duration::from_secs(60)).await;
    set(&mut world, "ALARM", "testing alarm").unwrap();
    let rings = described(&mut world);
    assert_eq!(
        [&rings["StateValue"], &rings["StateReason"]],
        [&json!("ALARM"), &json!("testing alarm")]
    );
    assert_ne!(rings["StateTransitionedTimestamp"], first["StateTransitionedTimestamp"]);
    tokio::time::advance(Duration::from_secs(50)).await;
    set(&mut world, "ALARM", "still").unwrap();
    let still = described(&mut world);
    assert_eq!(still["StateTransitionedTimestamp"], rings["StateTransitionedTimestamp"]);
    assert_ne!(still["StateUpdatedTimestamp"], rings["StateUpdatedTimestamp"]);
    // Another configuration leaves the state as it is.
    monitoring(&mut world, "PutMetricAlarm", alarm(json!({ "Threshold": 9.0 }))).unwrap();
    assert_eq!(described(&mut world)["StateValue"], "ALARM");
    for (value, found) in [("ALARM", 1), ("OK", 0)] {
        let input = json!({ "StateValue": value });
        let answer = monitoring(&mut world, "DescribeAlarms", input).unwrap();
        assert_eq!(answer["MetricAlarms"].as_array().unwrap().len(), found);
    }
    let history = |world: &mut World, more: Value| {
        let mut input = more;
        input["AlarmName"] = json!("a");
        let answer = monitoring(world, "DescribeAlarmHistory", input).unwrap();
        answer["AlarmHistoryItems"].as_array().unwrap().clone()
    };
    let states = history(&mut world, json!({ "HistoryItemType": "StateUpdate" }));
    assert_eq!(states.len(), 1);
    assert_eq!(states[0]["HistorySummary"], "Alarm updated from INSUFFICIENT_DATA to ALARM");
    let data: Value = serde_json::from_str(states[0]["HistoryData"].as_str().unwrap()).unwrap();
    assert_eq!(data["newState"], json!({ "stateValue": "ALARM", "stateReason": "testing alarm" }));
    let oldest = history(&mut world, json!({ "ScanBy": "TimestampAscending" }));
    assert_eq!(oldest[0]["HistorySummary"], "Alarm \"a\" created");
    assert_eq!(oldest.len(), 3);
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(described(&mut world)["StateValue"], "INSUFFICIENT_DATA");
}

#[tokio::test(start_paused = true)]
async fn alarms_follow_their_metrics() {
    let mut world = World::default();
    let name = |change: Value| {
        let mut input = alarm(json!({ "Threshold": 5.0 }));
        input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        input
    };
    let quiet = name(json!({ "TreatMissingData": "notBreaching", "EvaluationPeriods": 1 }));
    monitoring(&mut world, "PutMetricAlarm", quiet.clone()).unwrap();
    let first = described(&mut world);
    assert_eq!(first["StateValue"], "OK");
    let reason = first["StateReason"].as_str().unwrap();
    assert!(reason.starts_with("Threshold Crossed: no datapoints were received"), "{reason}");
    let put = |world: &mut World, value: f64| {
        let data = json!([{ "MetricName": quiet["MetricName"], "Value": value,
            "Dimensions": quiet["Dimensions"] }]);
        let namespace = quiet["Namespace"].as_str().unwrap();
        let input = json!({ "Namespace": namespace, "MetricData": data });
        let now = world.base.now();
        measure(&mut world.cloudwatch, REGION, &input, now).unwrap();
    };
    put(&mut world, 9.0);
    let period = quiet["Period"].as_u64().unwrap();
    tokio::time::advance(Duration::from_secs(period + 60)).await;
    let rings = described(&mut world);
    assert_eq!(rings["StateValue"], "ALARM");
    let reason = rings["StateReason"].as_str().unwrap();
    assert!(reason.contains("[9.0 (") && reason.ends_with("the threshold (5.0)."), "{reason}");
    // The value is out of its periods.
    tokio::time::advance(Duration::from_secs(period * 4)).await;
    assert_eq!(described(&mut world)["StateValue"], "OK");
    let history = monitoring(&mut world, "DescribeAlarmHistory", json!({})).unwrap();
    let items = history["AlarmHistoryItems"].as_array().unwrap();
    let said: Vec<_> = items.iter().map(|item| item["HistorySummary"].as_str().unwrap()).collect();
    assert_eq!(
        said,
        [
            "Alarm updated from ALARM to OK",
            "Alarm updated from OK to ALARM",
            "Alarm updated from INSUFFICIENT_DATA to OK",
            "Alarm \"a\" created",
        ]
    );
    // A strict sandbox takes a minute until the first evaluation.
    world.base.strict = true;
    monitoring(&mut world, "DeleteAlarms", json!({ "AlarmNames": ["a"] })).unwrap();
    monitoring(&mut world, "PutMetricAlarm", quiet).unwrap();
    assert_eq!(described(&mut world)["StateValue"], "INSUFFICIENT_DATA");
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(described(&mut world)["StateValue"], "OK");
}

#[test]
fn unknown_alarms_and_states_are_refused_as_by_aws() {
    let mut world = World::default();
    let input = json!({ "AlarmName": "a", "StateValue": "OK", "StateReason": "" });
    let gone = ask(&mut world, "monitoring", "SetAlarmState", input).unwrap_err();
    let expected = (404, "ResourceNotFound", "");
    assert_eq!((gone.status, &*gone.code, &*gone.message), expected);
    let input = json!({ "AlarmName": "a", "StateValue": "INVALID", "StateReason": "" });
    let bad = ask(&mut world, "monitoring", "SetAlarmState", input).unwrap_err();
    assert_eq!(bad.code, "ValidationError");
    assert_eq!(
        bad.message,
        "1 validation error detected: Value 'INVALID' at 'stateValue' failed to satisfy \
         constraint: Member must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]"
    );
}

/// A moment at the start of an hour, an hour or two ago.
fn hour(world: &World) -> f64 {
    (world.base.now() / 3600.0).floor() * 3600.0 - 3600.0
}

fn put(world: &mut World, name: &str, at: f64, more: Value) {
    let mut datum = json!({ "MetricName": name, "Timestamp": at, "Unit": "Count" });
    for (key, value) in more.as_object().unwrap() {
        datum[key] = value.clone();
    }
    let input = json!({ "Namespace": "n", "MetricData": [datum] });
    monitoring(world, "PutMetricData", input).unwrap();
}

#[test]
fn statistics_are_taken_of_what_was_put() {
    let mut world = World::default();
    let start = hour(&world);
    // As it was recorded: six values, two of them twice.
    let values = json!({ "Values": [1.0, 10.0, 9.0, 12.0], "Counts": [2.0, 2.0, 1.0, 1.0] });
    put(&mut world, "m", start + 5.0, values);
    put(&mut world, "m", start + 65.0, json!({ "Value": 7.0 }));
    let summary = json!({ "SampleCount": 2.0, "Sum": 6.0, "Minimum": 2.0, "Maximum": 4.0 });
    put(&mut world, "m", start + 66.0, json!({ "StatisticValues": summary }));
    let input = json!({
        "Namespace": "n", "MetricName": "m", "StartTime": start, "EndTime": start + 120.0,
        "Period": 60, "Statistics": ["SampleCount", "Sum", "Average", "Minimum", "Maximum"],
    });
    let read = monitoring(&mut world, "GetMetricStatistics", input.clone()).unwrap();
    assert_eq!(read["Label"], "m");
    let time = |seconds: f64| json!({ "$time": seconds });
    assert_eq!(
        read["Datapoints"],
        json!([
            {
                "Timestamp": time(start), "Unit": "Count", "SampleCount": 6.0, "Sum": 43.0,
                "Average": 43.0 / 6.0, "Minimum": 1.0, "Maximum": 12.0,
            },
            {
                "Timestamp": time(start + 60.0), "Unit": "Count", "SampleCount": 3.0,
                "Sum": 13.0, "Average": 13.0 / 3.0, "Minimum": 2.0, "Maximum": 7.0,
            },
        ])
    );
    let mut percentile = input.clone();
    percentile.as_object_mut().unwrap().remove("Statistics");
    percentile["ExtendedStatistics"] = json!(["p50", "p99.9"]);
    let read = monitoring(&mut world, "GetMetricStatistics", percentile).unwrap();
    let all = &read["Datapoints"][0]["ExtendedStatistics"];
    assert_eq!(*all, json!({ "p50": 9.0, "p99.9": 12.0 }));
    let mut unit = input;
    unit["Unit"] = json!("Bytes");
    let read = monitoring(&mut world, "GetMetricStatistics", unit).unwrap();
    assert_eq!(read["Datapoints"], json!([]));
}

#[test]
fn queries_return_series_and_what_is_calculated_from_them() {
    let mut world = World::default();
    let start = hour(&world);
    for (at, calls, errors) in [(0.0, 100.0, Some(5.0)), (60.0, 50.0, None)] {
        put(&mut world, "calls", start + at, json!({ "Value": calls }));
        if let Some(errors) = errors {
            let dimensions = json!([{ "Name": "side", "Value": "green" }]);
            let more = json!({ "Value": errors, "Dimensions": dimensions });
            put(&mut world, "errors", start + at, more);
        }
    }
    let stat = |id: &str, name: &str, dimensions: Value| {
        let metric = json!({ "Namespace": "n", "MetricName": name, "Dimensions": dimensions });
        json!({
            "Id": id, "ReturnData": id == "m",
            "MetricStat": { "Metric": metric, "Period": 60, "Stat": "Sum" },
        })
    };
    let green = json!([{ "Name": "side", "Value": "green" }]);
    let input = json!({
        "StartTime": start, "EndTime": start + 120.0, "ScanBy": "TimestampAscending",
        "MetricDataQueries": [
            { "Id": "rate", "Expression": "100 * filled / m", "Label": "error rate" },
            { "Id": "filled", "Expression": "FILL(e, 0)", "ReturnData": false },
            stat("m", "calls", json!([])),
            stat("e", "errors", green),
        ],
    });
    let read = monitoring(&mut world, "GetMetricData", input.clone()).unwrap();
    let times = json!([{ "$time": start }, { "$time": start + 60.0 }]);
    assert_eq!(
        read,
        json!({
            "Messages": [],
            "MetricDataResults": [
                {
                    "Id": "rate", "Label": "error rate", "StatusCode": "Complete",
                    "Timestamps": times, "Values": [5.0, 0.0],
                },
                {
                    "Id": "m", "Label": "calls", "StatusCode": "Complete",
                    "Timestamps": times, "Values": [100.0, 50.0],
                },
            ],
        })
    );
    let mut newest = input.clone();
    newest["ScanBy"] = json!("TimestampDescending");
    let read = monitoring(&mut world, "GetMetricData", newest).unwrap();
    assert_eq!(read["MetricDataResults"][1]["Values"], json!([50.0, 100.0]));
    for (expression, code) in [
        ("m + none", "ValidationError"),
        ("rate + 1", "ValidationError"),
        ("SEARCH('x', 'Sum')", "NotImplementedInSandbox"),
    ] {
        let mut bad = input.clone();
        bad["MetricDataQueries"][0]["Expression"] = json!(expression);
        assert_eq!(monitoring(&mut world, "GetMetricData", bad), Err(code.into()), "{expression}");
    }
    let listed = monitoring(&mut world, "ListMetrics", json!({ "Namespace": "n" })).unwrap();
    assert_eq!(listed["Metrics"].as_array().unwrap().len(), 2);
    let of_green = json!({ "Dimensions": [{ "Name": "side" }] });
    let listed = monitoring(&mut world, "ListMetrics", of_green).unwrap();
    assert_eq!(listed["Metrics"][0]["MetricName"], "errors");
}

#[test]
fn invalid_values_are_refused_as_by_aws() {
    let mut world = World::default();
    let now = world.base.now();
    for (datum, code, words) in [
        (
            json!({ "Value": 1.0, "Values": [1.0] }),
            "InvalidParameterCombination",
            "The parameters MetricData.member.1.Value and MetricData.member.1.Values are mutually \
             exclusive and you have specified both.",
        ),
        (
            json!({ "Values": [1.0], "Counts": [1.0, 2.0] }),
            "InvalidParameterValue",
            "The parameters MetricData.member.1.Values and MetricData.member.1.Counts must be of \
             the same size.",
        ),
        (
            json!({ "Value": 1.0, "StatisticValues": { "Sum": 1.0 } }),
            "InvalidParameterCombination",
            "The parameters MetricData.member.1.Value and MetricData.member.1.StatisticValues are \
             mutually exclusive and you have specified both.",
        ),
        (
            json!({ "Value": 1.0, "Timestamp": now - 15.0 * 86_400.0 }),
            "InvalidParameterValue",
            "The parameter MetricData.member.1.Timestamp must specify a time no more than two \
             weeks in the past and no more than two hours in the future.",
        ),
    ] {
        let mut datum = datum;
        datum["MetricName"] = json!("m");
        let input = json!({ "Namespace": "n", "MetricData": [datum] });
        let refused = ask(&mut world, "monitoring", "PutMetricData", input).unwrap_err();
        assert_eq!((&*refused.code, &*refused.message), (code, words));
    }
    let input = json!({
        "Namespace": "n", "MetricName": "m", "Period": 60, "Statistics": ["Sum"],
        "StartTime": now, "EndTime": now - 60.0,
    });
    let refused = monitoring(&mut world, "GetMetricStatistics", input);
    assert_eq!(refused, Err("InvalidParameterValue".into()));
}
