//! CloudWatch through its calls.

use serde_json::{Value, json};

use super::counts;
use crate::World;
use crate::toolbox::testing::{REGION, ask, ask_in};

mod metrics;

fn monitoring(world: &mut World, operation: &str, input: Value) -> Result<Value, String> {
    ask(world, "monitoring", operation, input).map_err(|refusal| refusal.code)
}

fn alarm(more: Value) -> Value {
    let mut input = json!({
        "AlarmName": "a", "Namespace": "AWS/Lambda", "MetricName": "Errors", "Statistic": "Sum",
        "Period": 300, "EvaluationPeriods": 1, "Threshold": 5.0,
        "ComparisonOperator": "GreaterThanThreshold",
    });
    for (member, value) in more.as_object().unwrap() {
        input[member] = value.clone();
    }
    input
}

fn with(value: &Value, mut change: impl FnMut(&mut Value)) -> Value {
    let mut changed = value.clone();
    change(&mut changed);
    changed
}

#[test]
fn an_alarm_comes_back_with_defaults_and_is_replaced_as_a_whole() {
    let mut world = World::default();
    let first = alarm(json!({ "AlarmDescription": "d", "Tags": [{ "Key": "k", "Value": "1" }] }));
    monitoring(&mut world, "PutMetricAlarm", first).unwrap();
    let again = alarm(json!({ "Threshold": 6.0, "Tags": [{ "Key": "k", "Value": "2" }] }));
    monitoring(&mut world, "PutMetricAlarm", again).unwrap();
    let answer = monitoring(&mut world, "DescribeAlarms", json!({})).unwrap();
    let found = &answer["MetricAlarms"][0];
    assert_eq!(found["Threshold"], 6.0);
    assert!(found.get("AlarmDescription").is_none() && found.get("Tags").is_none());
    // CloudWatch returns it only if the call set it.
    assert_eq!(found.get("TreatMissingData"), None);
    assert_eq!(found["StateTransitionedTimestamp"], found["StateUpdatedTimestamp"]);
    assert_eq!(found["Dimensions"], json!([]));
    // Only the creation takes tags.
    let arn = json!({ "ResourceARN": found["AlarmArn"] });
    let tags = monitoring(&mut world, "ListTagsForResource", arn).unwrap();
    assert_eq!(tags["Tags"], json!([{ "Key": "k", "Value": "1" }]));
}

#[test]
fn invalid_alarms_are_refused_as_by_aws() {
    let mut world = World::default();
    let actions: Vec<String> =
        (0..6).map(|n| format!("arn:aws:sns:eu-west-1:000000000000:t{n}")).collect();
    for bad in [
        json!({ "Period": 45 }),
        json!({ "Period": 3600, "EvaluationPeriods": 200 }),
        json!({ "Period": 300, "EvaluationPeriods": 289 }),
        json!({ "DatapointsToAlarm": 2 }),
        json!({ "ExtendedStatistic": "p99" }),
        json!({ "Statistic": null }),
        json!({ "Statistic": null, "ExtendedStatistic": "p101" }),
        json!({ "Threshold": null }),
        json!({ "TreatMissingData": "not_breaching" }),
        json!({ "AlarmActions": actions }),
        json!({ "AlarmActions": ["arn:aws:sns:us-east-1:000000000000:t"] }),
        json!({ "Metrics": [{ "Id": "e", "Expression": "1" }] }),
    ] {
        let input = with(&alarm(bad.clone()), |input| {
            input.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        });
        let answer = monitoring(&mut world, "PutMetricAlarm", input);
        assert_eq!(answer, Err("ValidationError".into()), "{bad}");
    }
}

#[test]
fn exactly_one_query_returns_data() {
    let mut world = World::default();
    let stat = json!({
        "Metric": { "Namespace": "n", "MetricName": "m" }, "Period": 60, "Stat": "p99.9",
    });
    let input = |returned: bool, id: &str| {
        json!({
            "AlarmName": "rate", "EvaluationPeriods": 1, "Threshold": 1.0,
            "ComparisonOperator": "LessThanThreshold",
            "Metrics": [
                { "Id": "m", "MetricStat": stat, "ReturnData": returned },
                { "Id": id, "Expression": "m * 100" },
            ],
        })
    };
    let bad = monitoring(&mut world, "PutMetricAlarm", input(true, "e"));
    assert_eq!(bad, Err("ValidationError".into()));
    let bad = monitoring(&mut world, "PutMetricAlarm", input(false, "E"));
    assert_eq!(bad, Err("ValidationError".into()));
    monitoring(&mut world, "PutMetricAlarm", input(false, "e")).unwrap();
    let answer = monitoring(&mut world, "DescribeAlarms", json!({})).unwrap();
    assert_eq!(answer["MetricAlarms"][0]["Metrics"][1]["ReturnData"], true);
}

#[test]
fn alarms_are_listed_by_name_by_prefix_and_in_pages() {
    let mut world = World::default();
    for name in ["dev-a", "dev-b", "prod-a"] {
        monitoring(&mut world, "PutMetricAlarm", alarm(json!({ "AlarmName": name }))).unwrap();
    }
    let mut names = |input: Value| -> (Vec<String>, Value) {
        let answer = monitoring(&mut world, "DescribeAlarms", input).unwrap();
        let alarms = answer["MetricAlarms"].as_array().unwrap();
        let names = alarms.iter().map(|alarm| alarm["AlarmName"].as_str().unwrap().to_owned());
        (names.collect(), answer["NextToken"].clone())
    };
    assert_eq!(names(json!({ "AlarmNamePrefix": "dev-" })).0, ["dev-a", "dev-b"]);
    assert_eq!(names(json!({ "AlarmNames": ["prod-a", "gone"] })).0, ["prod-a"]);
    let (first, next) = names(json!({ "MaxRecords": 2 }));
    assert_eq!(first, ["dev-a", "dev-b"]);
    assert_eq!(names(json!({ "NextToken": next })).0, ["prod-a"]);
    let elsewhere = ask_in(&mut world, "us-east-1", "monitoring", "DescribeAlarms", json!({}));
    assert_eq!(elsewhere.unwrap()["MetricAlarms"], json!([]));
    let delete = json!({ "AlarmNames": ["dev-a", "gone"] });
    monitoring(&mut world, "DeleteAlarms", delete).unwrap();
    assert_eq!(counts(&world.cloudwatch)[0], ("alarms", 2));
}

#[test]
fn a_dashboard_is_stored_as_sent() {
    let mut world = World::default();
    let body = "{ \"widgets\": [{\"type\":\"text\",\"properties\":{\"markdown\":\"x\"}}] }";
    let input = json!({
        "DashboardName": "d", "DashboardBody": body, "Tags": [{ "Key": "k", "Value": "v" }],
    });
    let put = monitoring(&mut world, "PutDashboard", input).unwrap();
    assert_eq!(put["DashboardValidationMessages"], json!([]));
    let found = monitoring(&mut world, "GetDashboard", json!({ "DashboardName": "d" })).unwrap();
    assert_eq!(found["DashboardBody"], body);
    let arn = json!({ "ResourceARN": found["DashboardArn"] });
    let tags = monitoring(&mut world, "ListTagsForResource", arn).unwrap();
    assert_eq!(tags["Tags"][0]["Key"], "k");
    // A dashboard belongs to the account.
    let list = ask_in(&mut world, "us-east-1", "monitoring", "ListDashboards", json!({})).unwrap();
    assert_eq!(list["DashboardEntries"][0]["DashboardName"], "d");
    let delete = json!({ "DashboardNames": ["d", "gone"] });
    let refused = monitoring(&mut world, "DeleteDashboards", delete);
    assert_eq!(refused, Err("ResourceNotFound".into()));
    assert_eq!(counts(&world.cloudwatch)[1], ("dashboards", 0));
}

#[test]
fn invalid_widgets_are_refused_and_others_reported() {
    let mut world = World::default();
    let mut put = |name: &str, body: Value| {
        let input = json!({ "DashboardName": name, "DashboardBody": body.to_string() });
        monitoring(&mut world, "PutDashboard", input)
    };
    let invalid = Err("InvalidParameterInput".to_owned());
    let name = put("a b", json!({ "widgets": [] }));
    assert_eq!(name, Err("InvalidParameterValue".into()));
    assert_eq!(put("d", json!({})), invalid);
    let widget = |width: i64| {
        json!({ "widgets": [{ "type": "metric", "x": 12, "width": width,
            "properties": { "metrics": [["n", "m"]] } }] })
    };
    assert_eq!(put("d", widget(13)), invalid);
    let said = put("d", widget(12)).unwrap();
    let path = &said["DashboardValidationMessages"][0]["DataPath"];
    assert_eq!(path, "/widgets/0/properties/region");
}

#[test]
fn a_deleted_alarm_has_no_tags() {
    let mut world = World::default();
    let arn = format!("arn:aws:cloudwatch:{REGION}:000000000000:alarm:gone");
    let tags = |world: &mut World, operation: &str| {
        let input = json!({ "ResourceARN": arn, "TagKeys": ["k"] });
        monitoring(world, operation, input)
    };
    assert_eq!(tags(&mut world, "ListTagsForResource").unwrap()["Tags"], json!([]));
    let changed = tags(&mut world, "UntagResource");
    assert_eq!(changed, Err("ResourceNotFoundException".into()));
}
