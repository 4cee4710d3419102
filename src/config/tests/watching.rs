//! Alarms, dashboards and metric filters: bad values, and what good ones become.

use serde_json::{Value, json};

use super::*;
use payctl_engine::model::address::Address;

const TOPIC: &str = "[topics.ops]\npublishers = [\"cloudwatch\"]\n";

/// An alarm on a queue, with one more line.
fn alarm(line: &str) -> String {
    format!(
        "{TOPIC}[queues.jobs]\n[alarms.age]\nwatch = \"queues.jobs\"\n\
         metric = \"ApproximateAgeOfOldestMessage\"\nabove = 60\n{line}"
    )
}

/// An alarm of exactly these lines, beside a queue.
fn bare(lines: &str) -> String {
    format!("{TOPIC}[queues.jobs]\n[alarms.a]\n{lines}")
}

#[test]
fn alarms_that_cannot_be_are_refused() {
    check(&alarm("below = 1"), "6:9 the alarm has more than one threshold");
    check(&bare("watch = \"queues.jobs\"\nmetric = \"NumberOfMessagesSent\""), "has no threshold");
    check(&alarm("period = 45"), "10:10 45 seconds are no possible period (10, 20, 30");
    check(&alarm("period = 30"), "AWS measures this once a minute");
    check(
        &alarm("periods = 289"),
        "289 periods of 300 seconds reach too far back (at most one day",
    );
    check(&alarm("period = 3600\nperiods = 169"), "reach too far back (at most one week)");
    check(&alarm("datapoints = 2"), "10:14 2 data points in 1 periods (1 to 1");
    check(&alarm("statistic = \"p101\""), "10:13 `p101` is no percentile (p0 to p100)");
    check(&alarm("statistic = \"Sum\""), "`Sum` has the wrong form (average, sum");
    check(&alarm("statistic = \"p1234\""), "`p1234` has the wrong form");
    check(&alarm("few_samples = \"ignore\""), "only percentiles can have too few samples");
    check(&alarm("missing = \"notBreaching\""), "did you mean `not_breaching`?");
    check(&alarm("notify = [\"oops\"]"), "no `oops` in [topics] (did you mean `ops`?)");
    let arns: Vec<String> = (0..6).map(|n| format!("\"arn:aws:sns:r:1:t{n}\"")).collect();
    check(
        &alarm(&format!("actions = [{}]", arns.join(", "))),
        "6 actions are too many (at most 5)",
    );
    check(&alarm("actions = [\"page\"]"), "`page` is no ARN (the ARN of what is called");
    check(
        &alarm("actions = [\"arn:aws:sns:us-east-1:1:t\"]"),
        "`arn:aws:sns:us-east-1:1:t` is not in eu-west-1",
    );
    let names: Vec<String> = (0..31).map(|n| format!("D{n} = \"x\"")).collect();
    let many = alarm(&format!("dimensions = {{ {} }}", names.join(", ")));
    check(&many, "a metric has at most 30 dimensions");
    check(&alarm("name = \"a-${env}\\u0007\""), "is not possible as a name (an alarm's name");
    check(&alarm(&format!("description = \"{}\"", "x".repeat(1025))), "1025 characters are not");
}

#[test]
fn a_topic_that_does_not_take_messages_of_alarms_is_named() {
    let text = |topic: &str| alarm("notify = [\"ops\"]").replace(TOPIC, topic);
    let expected = "the topic `ops` does not take messages of alarms (add \"cloudwatch\"";
    check(&text("[topics.ops]\npublishers = [\"events\"]\n"), expected);
    let fifo = "[topics.ops]\nfifo = true\npublishers = [\"cloudwatch\"]\n";
    let key = "[keys.main]\nservices = [\"events\"]\n\
               [topics.ops]\nkey = \"main\"\npublishers = [\"cloudwatch\"]\n";
    check(&text(key), "the key `main` of the topic `ops` does not admit alarms");
    check(&text(fifo), "the topic `ops` is FIFO (alarms can tell standard topics only)");
}

#[test]
fn a_percentage_is_never_above_100() {
    let text = |line: &str| {
        format!(
            "[clusters.c]\n[services.pay]\ncluster = \"c\"\n[alarms.a]\n\
             watch = \"services.pay\"\nmetric = \"CPUUtilization\"\n{line}"
        )
    };
    says(&text("above = 101"), "`CPUUtilization` is a percentage");
    says(&text("at_least = 800.0"), "`CPUUtilization` is a percentage");
    let problems = problems_of(&text("above = 101\nstatistic = \"sum\""));
    assert!(!problems.iter().any(|found| found.message.contains("percentage")), "{problems:#?}");
}

/// What is said before anything is built.
#[track_caller]
fn says(text: &str, expected: &str) {
    let problems = problems_of(text);
    assert!(problems.iter().any(|found| found.message.contains(expected)), "{problems:#?}");
}

fn problems_of(text: &str) -> Vec<Problem> {
    let text = format!("project = \"pay\"\nregion = \"eu-west-1\"\n{text}\n");
    inspect_from(&dir(&[("dev.toml", &text)]), "dev", &|_| None, None).1
}

#[test]
fn what_is_watched_must_be_there_and_have_metrics() {
    let watch = |what: &str, metric: &str| {
        bare(&format!("watch = \"{what}\"\nmetric = \"{metric}\"\nabove = 1"))
    };
    check(&watch("queues", "x"), "`queues` has the wrong form (name a section and an item");
    check(&watch("queue.jobs", "x"), "[queue] has no metrics (did you mean `queues`?)");
    check(&watch("queues.job", "x"), "7:9 no `job` in [queues] (did you mean `jobs`?)");
    check(&watch("tables.t", "x"), "no `t` in [tables] (this environment has no [tables])");
    check(&watch("queues.jobs.dead_letter", "x"), "the queue `jobs` has no dead-letter queue");
    check(&watch("topics.ops.dead_letter", "x"), "only queues have a dead-letter queue");
    let slip = "AWS/SQS has no metric `NumberOfMessageSent` (did you mean `NumberOfMessagesSent`?";
    check(&watch("queues.jobs", "NumberOfMessageSent"), slip);
    check(&bare("metric = \"m\"\nabove = 1"), "it is not said whose metric this is");
    check(&bare("watch = \"queues.jobs\"\nabove = 1"), "`metric` is missing");
    let group = "[target_groups.blue]\n[alarms.a]\nwatch = \"target_groups.blue\"\n\
                 metric = \"HealthyHostCount\"\nbelow = 1";
    says(group, "no load balancer forwards to `blue`");
    let service = "[services.pay]\n[alarms.a]\nwatch = \"services.pay\"\n\
                   metric = \"CPUUtilization\"\nabove = 80";
    says(service, "it is not clear in which cluster `pay` runs");
    // A security group of the same name forwards nothing.
    let named = "[load_balancers.a]\nsecurity_groups = [\"blue\"]\n";
    says(&format!("{named}{group}"), "no load balancer forwards to `blue`");
}

#[test]
fn an_alarm_that_could_never_have_data_is_refused() {
    let alarm = |item: &str, watch: &str, lines: &str| {
        format!("[{item}]\n[alarms.a]\nwatch = \"{watch}\"\nabove = 1\n{lines}")
    };
    let table =
        |lines: &str| alarm("tables.t]\npartition_key = \"id:S\"\n[queues.q", "tables.t", lines);
    for metric in
        ["ReturnedItemCount", "SuccessfulRequestLatency", "SystemErrors", "ThrottledRequests"]
    {
        let expected = format!("`{metric}` is measured by `Operation` (add `dimensions.Operation`");
        check(&table(&format!("metric = \"{metric}\"")), &expected);
    }
    check(&table("metric = \"UserErrors\""), "`UserErrors` is measured for the whole account");
    let fine = problems_of(&table(
        "metric = \"ThrottledRequests\"\ndimensions = { Operation = \"PutItem\" }",
    ));
    assert!(fine.is_empty(), "{fine:#?}");
    let bucket = |lines: &str| alarm("buckets.b", "buckets.b", lines);
    check(&bucket("metric = \"AllRequests\""), "`AllRequests` is measured by `FilterId`");
    check(&bucket("metric = \"BucketSizeBytes\""), "S3 counts this once a day (period = 86400)");
    let math = "[buckets.b]\n[alarms.a]\nexpression = \"size / 2\"\nabove = 1\nperiod = 3600\n\
                metrics = { size = { watch = \"buckets.b\", metric = \"BucketSizeBytes\" } }";
    check(math, "7:10 S3 counts this once a day");
    check(&math.replace("3600", "10"), "AWS measures this once a minute");
    let function = "metric = \"ProvisionedConcurrencyUtilization\"";
    says(&alarm("functions.f", "functions.f", function), "is measured by `Resource`");
    let firewall = "firewalls.f]\nmetrics = false\n[queues.q";
    let blocked = "metric = \"BlockedRequests\"";
    check(&alarm(firewall, "firewalls.f", blocked), "`f` is not measured (set `metrics = true`");
    let cluster = "clusters.c]\ninsights = false\n[queues.q";
    let tasks = "metric = \"TaskCount\"";
    check(&alarm(cluster, "clusters.c", tasks), "`c` is not measured (set `insights = true`");
    let network = "load_balancers.n]\ntype = \"network\"\n[queues.q";
    let http = "metric = \"HTTPCode_ELB_5XX_Count\"";
    check(
        &alarm(network, "load_balancers.n", http),
        "AWS/NetworkELB has no metric `HTTPCode_ELB_5XX_Count` (one of ActiveFlowCount, ",
    );
}

#[test]
fn metric_math_must_add_up() {
    let math = |expression: &str, parts: &str| {
        bare(&format!("expression = \"{expression}\"\nabove = 1\nmetrics = {{ {parts} }}"))
    };
    let part = "{ watch = \"queues.jobs\", metric = \"NumberOfMessagesSent\" }";
    let sent = format!("sent = {part}");
    check(&math("100 * send", &sent), "the expression uses `send`, which is no part (did you mean");
    check(&math("1", &sent), "the expression does not use `sent`");
    check(&math("Sent", &format!("Sent = {part}")), "an id is letters, digits and underscores");
    check(&math("result", &format!("result = {part}")), "`result` is the result's own id");
    check(&math("SEARCH('x', 'Sum')", &sent), "an alarm cannot search for metrics");
    check(&bare("expression = \"1\"\nabove = 1"), "the expression has no `metrics`");
    check(&alarm("expression = \"1\""), "an `expression` and a metric of its own");
    check(&alarm(&format!("metrics = {{ {sent} }}")), "nothing says what becomes of these");
    let ids: Vec<String> = (0..11).map(|n| format!("m{n}")).collect();
    let parts: Vec<String> = ids.iter().map(|id| format!("{id} = {part}")).collect();
    check(&math(&ids.join(" + "), &parts.join(", ")), "11 metrics are too many for an alarm");
}

#[test]
fn dashboards_that_cannot_be_are_refused() {
    let widget =
        |widget: &str| format!("[queues.jobs]\n[dashboards.a]\nwidgets = [{{ {widget} }}]");
    check("[dashboards.a]", "3:13 the dashboard is empty");
    check("[dashboards.a]\nname = \"a b ${env}\"\ngenerate = \"cost\"", "not possible as a name");
    check("[dashboards.a]\nname = \"all\"\ngenerate = \"cost\"", "does not name the environment");
    check("[dashboards.a]\ngenerate = \"costs\"", "one of operations, security, cost");
    check(&widget("title = \"x\""), "a widget shows one thing");
    check(&widget("text = \"x\", alarms = [\"b\"]"), "no `b` in [alarms]");
    check(&widget("text = \"x\", width = 25"), "25 is out of range (1 to 24)");
    check(&widget("text = \"x\", period = 45"), "45 seconds are no possible period");
    check(&widget("metrics = [{ watch = \"queues.x\", metric = \"m\" }]"), "no `x` in [queues]");
    let part = "metrics = { m = { watch = \"queues.jobs\", metric = \"NumberOfMessagesSent\" } }";
    let line = format!("{{ expression = \"m\", {part} }}");
    check(&widget(&format!("metrics = [{line}, {line}]")), "`m` stands in this widget twice");
}

#[test]
fn metric_filters_that_cannot_be_are_refused() {
    let filter = |lines: &str| {
        format!(
            "[log_groups.app]\n[metric_filters.a]\nlog_group = \"app\"\n\
             namespace = \"Payments\"\nmetric = \"Declined\"\n{lines}"
        )
    };
    check(&filter("default = 0\ndimensions = { Method = \"$.method\" }"), "has no default");
    check(
        &filter("dimensions = { a = \"$.a\", b = \"$.b\", c = \"$.c\", d = \"$.d\" }"),
        "a metric filter has at most 3 dimensions",
    );
    check(&filter("dimensions = { Method = \"method\" }"), "`method` is no field of an event");
    check(&filter("value = \"many\""), "`many` is not possible here (a number, or a field");
    check(&filter("name = \"${env}:a\""), "not possible as a name (a metric filter's name");
    check(&filter("").replace("Payments", "AWS/Pay"), "AWS's own");
    check(&filter("").replace("Payments", "Pay$"), "a namespace is 1 to 255 characters");
    check(&filter("").replace("Declined", "a:b"), "the name of a metric is 1 to 255");
    check(&filter("").replace("\"app\"", "\"ap\""), "no `ap` in [log_groups] (did you mean");
    check(&filter("").replace("\"app\"", "\"tables.app\""), "[tables] has no log groups");
    check(&filter("").replace("\"app\"", "\"services.app\""), "has no [services]");
}

/// The spec of a resource.
#[track_caller]
fn spec(text: &str, kind: &str, name: &str) -> Value {
    let text = format!("project = \"pay\"\nregion = \"eu-west-1\"\n{text}\n");
    let (loaded, problems) = inspect_from(&dir(&[("dev.toml", &text)]), "dev", &|_| None, None);
    assert!(problems.is_empty(), "{problems:#?}");
    let blueprint = build(&loaded.unwrap(), &Facts::placeholder("eu-west-1"));
    let blueprint = blueprint.unwrap_or_else(|problems| panic!("{problems:#?}"));
    blueprint.resources[&Address::new(kind, name)].spec.clone()
}

fn output(to: &str, output: &str) -> Value {
    json!({ "$text": [{ "to": to, "output": output }] })
}

#[test]
fn what_is_watched_gives_namespace_dimensions_and_statistic() {
    let text = alarm("periods = 2\nnotify = [\"ops\"]\nmissing = \"not_breaching\"");
    let found = spec(&text, "cloudwatch.alarm", "age");
    let metric = json!({
        "namespace": "AWS/SQS", "name": "ApproximateAgeOfOldestMessage", "statistic": "Maximum",
        "dimensions": { "QueueName": output("sqs.queue/jobs", "name") }, "period": 300,
        "unit": null,
    });
    assert_eq!(found["watches"], json!({ "metric": metric }));
    assert_eq!(found["name"], "dev-pay-alarm-age");
    assert_eq!(found["comparison"], "GreaterThanThreshold");
    assert_eq!(found["threshold"], 60.0);
    assert_eq!((&found["periods"], &found["datapoints"]), (&json!(2), &json!(2)));
    assert_eq!(found["missing"], "notBreaching");
    assert_eq!(found["alarm_actions"], json!([output("sns.topic/ops", "arn")]));
}

#[test]
fn every_watched_item_has_its_own_dimensions() {
    let watch = |sections: &str, what: &str, more: &str| {
        let text = format!("{sections}\n[alarms.a]\nwatch = \"{what}\"\nabove = 1\n{more}");
        spec(&text, "cloudwatch.alarm", "a")["watches"]["metric"].clone()
    };
    let found = watch(
        "[queues.jobs]\ndead_letter = true",
        "queues.jobs.dead_letter",
        "metric = \"ApproximateNumberOfMessagesVisible\"",
    );
    assert_eq!(found["dimensions"]["QueueName"], output("sqs.queue/jobs-dlq", "name"));
    let found = watch("[buckets.b]", "buckets.b", "metric = \"BucketSizeBytes\"\nperiod = 86400");
    assert_eq!(found["dimensions"]["StorageType"], "StandardStorage");
    let found = watch(
        "[tables.t]\npartition_key = \"id:S\"",
        "tables.t",
        "metric = \"ThrottledRequests\"\ndimensions = { Operation = \"PutItem\" }\nstatistic = \"p99.9\"",
    );
    assert_eq!(found["dimensions"]["Operation"], "PutItem");
    assert_eq!(found["dimensions"]["TableName"], output("dynamodb.table/t", "name"));
    assert_eq!(found["statistic"], "p99.9");
    let firewall = |more: &str| {
        let found = watch(
            &format!("[firewalls.main]\n{more}"),
            "firewalls.main",
            "metric = \"BlockedRequests\"",
        );
        found["dimensions"]["WebACL"].clone()
    };
    assert_eq!(firewall(""), output("waf.web_acl/main", "name"));
    assert_eq!(firewall("metric = \"PaymentWAF\""), "PaymentWAF");
    for (what, metric) in
        [("load_balancers.inside", "NewFlowCount"), ("target_groups.raw", "HealthyHostCount")]
    {
        let found = watch(INSIDE, what, &format!("metric = \"{metric}\""));
        assert_eq!(found["namespace"], "AWS/NetworkELB");
        let balancer = output("elb.load_balancer/inside", "metric");
        assert_eq!(found["dimensions"]["LoadBalancer"], balancer);
    }
    let filter = "[log_groups.app]\n[metric_filters.f]\nlog_group = \"app\"\n\
                  namespace = \"Payments\"\nmetric = \"Declined\"";
    let found = watch(filter, "metric_filters.f", "");
    assert_eq!((&found["namespace"], &found["name"]), (&json!("Payments"), &json!("Declined")));
    assert_eq!(found["dimensions"], json!({}));
}

/// A network load balancer.
const INSIDE: &str = "[network]\ncidr = \"10.0.0.0/16\"\n\
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
fn metric_math_has_one_result() {
    let text = bare(
        "expression = \"100 * IF(all > 0, gone / all, 0)\"\nat_least = 5\n\
         [alarms.a.metrics]\n\
         all = { watch = \"queues.jobs\", metric = \"NumberOfMessagesSent\" }\n\
         gone = { watch = \"queues.jobs\", metric = \"NumberOfMessagesDeleted\" }",
    );
    let found = spec(&text, "cloudwatch.alarm", "a");
    let parts = found["watches"]["math"].as_object().unwrap();
    let results: Vec<bool> = parts.values().map(|part| part["result"] == true).collect();
    assert_eq!(parts.keys().collect::<Vec<_>>(), ["all", "gone", "result"]);
    assert_eq!(results, [false, false, true]);
    assert_eq!(found["comparison"], "GreaterThanOrEqualToThreshold");
}

#[test]
fn typed_widgets_stand_in_rows() {
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
fn a_generated_dashboard_shows_what_there_is() {
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

/// What the systems that payctl replaces watch, in the words of this config.
const WATCHED: &str = r#"
[alarms.api-latency]
name = "payment-api-latency-${env}"
watch = "apis.payments"
metric = "Latency"
statistic = "p99"
above = 200
periods = 2
missing = "not_breaching"
[alarms.api-errors]
watch = "apis.payments"
metric = "5XXError"
above = 10
[alarms.lambda-errors]
watch = "functions.processing"
metric = "Errors"
above = 5
[alarms.aurora-cpu]
watch = "databases.customer"
metric = "CPUUtilization"
above = 80
periods = 2
[alarms.target-errors]
watch = "target_groups.blue"
metric = "HTTPCode_Target_5XX_Count"
at_least = 5
[alarms.table-throttles]
watch = "tables.transactions"
metric = "ThrottledRequests"
dimensions = { Operation = "PutItem" }
above = 20
[alarms.fleet-cpu]
watch = "fleets.workers"
metric = "CPUUtilization"
above = 90
[alarms.fleet-memory]
watch = "fleets.workers"
namespace = "CWAgent"
metric = "mem_used_percent"
above = 90
[alarms.error-rate]
expression = "100 * errors / FILL(calls, 1)"
above = 5
[alarms.error-rate.metrics]
errors = { watch = "functions.processing", metric = "Errors" }
calls = { watch = "functions.processing", metric = "Invocations" }
[alarms.blocked]
watch = "firewalls.main"
metric = "BlockedRequests"
above = 100
[dashboards.main]
name = "payment-dashboard-${env}"
widgets = [
  { title = "API latency", metrics = [
    { watch = "apis.payments", metric = "Latency", statistic = "p99" },
    { watch = "apis.payments", metric = "Latency", statistic = "p50" },
  ] },
  { title = "Requests", metrics = [{ watch = "load_balancers.main", metric = "RequestCount" }] },
  { title = "Containers", period = 60, metrics = [
    { watch = "services.payment", metric = "CPUUtilization" },
    { watch = "services.payment", metric = "MemoryUtilization" },
  ] },
  { title = "Throttled requests", metrics = [
    { watch = "tables.transactions", metric = "ReadThrottleEvents" },
    { namespace = "AWS/DynamoDB", metric = "UserErrors", statistic = "sum" },
  ] },
]
[dashboards.security]
generate = "security"
[metric_filters.declined]
log_group = "functions.processing"
namespace = "Payments"
metric = "Declined"
"#;

#[test]
fn every_section_can_be_watched() {
    let head = "project = \"pay\"\nregion = \"eu-west-1\"\n[apis.payments]\n[clusters.main]\n\
                [databases.customer]\n[firewalls.main]\n[fleets.workers]\n[functions.processing]\n\
                [load_balancers.main]\nlisteners = [{ port = 80, forward = { blue = 100 } }]\n\
                [services.payment]\n[target_groups.blue]\n[tables.transactions]\n\
                partition_key = \"id:S\"";
    let (_, problems) =
        inspect_from(&dir(&[("dev.toml", &format!("{head}{WATCHED}"))]), "dev", &|_| None, None);
    // What the other sections lack here is not the question.
    let last = head.lines().count();
    let ours: Vec<_> = problems.iter().filter(|found| found.place.line > last).collect();
    assert!(ours.is_empty(), "{ours:#?}");
}
