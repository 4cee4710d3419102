//! Dashboards: bad values, and the results of good ones.

use serde_json::{Value, json};

use super::alarms::alarm;
use super::metrics::{output, spec};

use super::*;

#[test]
fn impossible_dashboards_are_refused() {
    let widget =
        |widget: &str| format!("[queues.jobs]\n[dashboards.a]\nwidgets = [{{ {widget} }}]");
    check("[dashboards.a]", "3:13 the dashboard is empty");
    check("[dashboards.a]\nname = \"a b ${env}\"\ngenerate = \"cost\"", "not a valid name");
    check("[dashboards.a]\nname = \"all\"\ngenerate = \"cost\"", "does not name the environment");
    check("[dashboards.a]\ngenerate = \"costs\"", "one of operations, security, cost");
    check(&widget("title = \"x\""), "a widget needs exactly one content");
    check(&widget("text = \"x\", alarms = [\"b\"]"), "[alarms] has no `b`");
    check(&widget("text = \"x\", width = 25"), "25 is out of range (use 1 to 24)");
    check(&widget("text = \"x\", period = 45"), "45 seconds is not a valid period");
    check(&widget("metrics = [{ watch = \"queues.x\", metric = \"m\" }]"), "[queues] has no `x`");
    let part = "metrics = { m = { watch = \"queues.jobs\", metric = \"NumberOfMessagesSent\" } }";
    let line = format!("{{ expression = \"m\", {part} }}");
    check(&widget(&format!("metrics = [{line}, {line}]")), "the widget uses the id `m` twice");
}

/// A network load balancer.
pub(super) const INSIDE: &str = "[network]\ncidr = \"10.0.0.0/16\"\n\
    [target_groups.raw]\nprotocol = \"tcp\"\n[load_balancers.inside]\ntype = \"network\"\n\
    listeners = [{ port = 5000, forward = \"raw\" }]\n";

#[test]
fn a_generated_dashboard_shows_a_network_load_balancer_by_its_own_metrics() {
    let text = format!("{INSIDE}[dashboards.d]\ngenerate = \"operations\"");
    let found = spec(&text, "cloudwatch.dashboard", "d");
    let widgets = found["body"]["widgets"].as_array().unwrap();
    let metrics = widgets.iter().filter_map(|widget| widget["properties"]["metrics"].as_array());
    let metrics: Vec<(&Value, &Value)> =
        metrics.flatten().map(|line| (&line[0], &line[1])).collect();
    let names = [
        "ActiveFlowCount",
        "NewFlowCount",
        "TCP_ELB_Reset_Count",
        "TCP_Target_Reset_Count",
        "HealthyHostCount",
        "UnHealthyHostCount",
    ];
    let expected = names.map(|name| (json!("AWS/NetworkELB"), json!(name)));
    assert_eq!(metrics, expected.iter().map(|(space, name)| (space, name)).collect::<Vec<_>>());
}

#[test]
fn configured_widgets_are_placed_in_rows() {
    let text = format!(
        "{}\n[dashboards.d]\nname = \"Payment-${{env}}\"\nwidgets = [\n\
         {{ text = \"# Payments\", width = 24, height = 2 }},\n\
         {{ title = \"Jobs\", period = 60, metrics = [\n\
           {{ watch = \"queues.jobs\", metric = \"NumberOfMessagesSent\", label = \"sent\" }},\n\
           {{ expression = \"RATE(m)\", metrics = {{ m = {{ namespace = \"N\", metric = \"M\" }} }} }},\n\
         ] }},\n{{ alarms = [\"age\"] }} ]",
        alarm("")
    );
    let found = spec(&text, "cloudwatch.dashboard", "d");
    assert_eq!(found["name"], "Payment-dev");
    let widgets = &found["body"]["widgets"];
    assert_eq!(widgets[0]["properties"], json!({ "markdown": "# Payments" }));
    assert_eq!((&widgets[1]["x"], &widgets[1]["y"]), (&json!(0), &json!(2)));
    assert_eq!(
        widgets[1]["properties"],
        json!({
            "title": "Jobs", "region": "eu-west-1", "view": "timeSeries", "stacked": false,
            "period": 60,
            "metrics": [
                ["AWS/SQS", "NumberOfMessagesSent", "QueueName", output("sqs.queue/jobs", "name"),
                 { "label": "sent", "stat": "Sum" }],
                [{ "expression": "RATE(m)" }],
                ["N", "M", { "id": "m", "stat": "Average", "visible": false }],
            ],
        })
    );
    assert_eq!(widgets[2]["properties"]["alarms"], json!([output("cloudwatch.alarm/age", "arn")]));
}

#[test]
fn a_generated_dashboard_shows_everything_in_the_environment() {
    let titles = |question: &str| {
        let text = format!(
            "[tables.t]\npartition_key = \"id:S\"\n[buckets.b]\n{}\n\
             [dashboards.d]\ngenerate = \"{question}\"",
            alarm("")
        );
        let found = spec(&text, "cloudwatch.dashboard", "d");
        assert_eq!(found["name"], "dev-pay-dashboard-d-eu-west-1");
        let widgets = found["body"]["widgets"].as_array().unwrap().clone();
        let titles = widgets.iter().filter_map(|it| it["properties"]["title"].as_str());
        titles.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        titles("operations"),
        ["Alarms", "Table capacity", "Table throttling", "Waiting messages", "Oldest message"]
    );
    assert_eq!(titles("security"), ["Alarms", "Refused by tables", "Undelivered notifications"]);
    assert_eq!(
        titles("cost"),
        [
            "Estimated charges of the month, US dollars",
            "Table capacity",
            "Messages",
            "Stored bytes"
        ]
    );
}
