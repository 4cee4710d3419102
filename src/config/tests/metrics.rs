//! Metrics: bad values, and the results of good ones.

use serde_json::{Value, json};

use super::alarms::{alarm, bare, problems_of, says};
use super::dashboards::INSIDE;
use payctl_engine::model::address::Address;

use super::*;

#[test]
fn a_watched_item_must_exist_and_have_metrics() {
    let watch = |what: &str, metric: &str| {
        bare(&format!("watch = \"{what}\"\nmetric = \"{metric}\"\nabove = 1"))
    };
    check(&watch("queues", "x"), "`queues` has the wrong format (name a section and an item");
    check(&watch("queue.jobs", "x"), "[queue] has no metrics (did you mean `queues`?)");
    check(&watch("queues.job", "x"), "7:9 [queues] has no `job` (did you mean `jobs`?)");
    check(&watch("tables.t", "x"), "[tables] has no `t` (this environment has no [tables])");
    check(&watch("queues.jobs.dead_letter", "x"), "the queue `jobs` has no dead-letter queue");
    check(&watch("topics.ops.dead_letter", "x"), "`dead_letter` is only for queues");
    let slip = "AWS/SQS has no metric `NumberOfMessageSent` (did you mean `NumberOfMessagesSent`?";
    check(&watch("queues.jobs", "NumberOfMessageSent"), slip);
    check(&bare("metric = \"m\"\nabove = 1"), "the metric has no source");
    check(&bare("watch = \"queues.jobs\"\nabove = 1"), "`metric` is missing");
    let group = "[target_groups.blue]\n[alarms.a]\nwatch = \"target_groups.blue\"\n\
                 metric = \"HealthyHostCount\"\nbelow = 1";
    says(group, "no load balancer forwards to `blue`");
    let service = "[services.pay]\n[alarms.a]\nwatch = \"services.pay\"\n\
                   metric = \"CPUUtilization\"\nabove = 80";
    says(service, "the cluster of `pay` is not clear");
    // A security group of the same name does not forward anything.
    let named = "[load_balancers.a]\nsecurity_groups = [\"blue\"]\n";
    says(&format!("{named}{group}"), "no load balancer forwards to `blue`");
}

#[test]
fn an_alarm_without_possible_data_is_refused() {
    let alarm = |item: &str, watch: &str, lines: &str| {
        format!("[{item}]\n[alarms.a]\nwatch = \"{watch}\"\nabove = 1\n{lines}")
    };
    let table =
        |lines: &str| alarm("tables.t]\npartition_key = \"id:S\"\n[queues.q", "tables.t", lines);
    for metric in
        ["ReturnedItemCount", "SuccessfulRequestLatency", "SystemErrors", "ThrottledRequests"]
    {
        let expected =
            format!("`{metric}` needs the dimension `Operation` (add `dimensions.Operation`");
        check(&table(&format!("metric = \"{metric}\"")), &expected);
    }
    check(
        &table("metric = \"UserErrors\""),
        "AWS measures `UserErrors` only for the whole account",
    );
    let fine = problems_of(&table(
        "metric = \"ThrottledRequests\"\ndimensions = { Operation = \"PutItem\" }",
    ));
    assert!(fine.is_empty(), "{fine:#?}");
    let bucket = |lines: &str| alarm("buckets.b", "buckets.b", lines);
    check(&bucket("metric = \"AllRequests\""), "`AllRequests` needs the dimension `FilterId`");
    check(
        &bucket("metric = \"BucketSizeBytes\""),
        "S3 measures this once a day (set `period = 86400`)",
    );
    let math = "[buckets.b]\n[alarms.a]\nexpression = \"size / 2\"\nabove = 1\nperiod = 3600\n\
                metrics = { size = { watch = \"buckets.b\", metric = \"BucketSizeBytes\" } }";
    check(math, "7:10 S3 measures this once a day");
    check(&math.replace("3600", "10"), "AWS measures this once a minute");
    let function = "metric = \"ProvisionedConcurrencyUtilization\"";
    says(&alarm("functions.f", "functions.f", function), "needs the dimension `Resource`");
    let firewall = "firewalls.f]\nmetrics = false\n[queues.q";
    let blocked = "metric = \"BlockedRequests\"";
    check(&alarm(firewall, "firewalls.f", blocked), "`f` has no metrics (set `metrics = true`");
    let cluster = "clusters.c]\ninsights = false\n[queues.q";
    let tasks = "metric = \"TaskCount\"";
    check(&alarm(cluster, "clusters.c", tasks), "`c` has no metrics (set `insights = true`");
    let network = "load_balancers.n]\ntype = \"network\"\n[queues.q";
    let http = "metric = \"HTTPCode_ELB_5XX_Count\"";
    check(
        &alarm(network, "load_balancers.n", http),
        "AWS/NetworkELB has no metric `HTTPCode_ELB_5XX_Count` (use one of ActiveFlowCount, ",
    );
}

#[test]
fn metric_math_must_refer_to_its_metrics() {
    let math = |expression: &str, parts: &str| {
        bare(&format!("expression = \"{expression}\"\nabove = 1\nmetrics = {{ {parts} }}"))
    };
    let part = "{ watch = \"queues.jobs\", metric = \"NumberOfMessagesSent\" }";
    let sent = format!("sent = {part}");
    check(
        &math("100 * send", &sent),
        "the expression uses `send`, which is not in `metrics` (did you mean",
    );
    check(&math("1", &sent), "the expression does not use `sent`");
    check(&math("Sent", &format!("Sent = {part}")), "an id has letters, digits and underscores");
    check(
        &math("result", &format!("result = {part}")),
        "the id `result` is reserved for the result",
    );
    check(&math("SEARCH('x', 'Sum')", &sent), "an alarm cannot search for metrics");
    check(&bare("expression = \"1\"\nabove = 1"), "the expression has no `metrics`");
    check(&alarm("expression = \"1\""), "`expression` and `metric` cannot be used together");
    check(&alarm(&format!("metrics = {{ {sent} }}")), "`metrics` needs an `expression`");
    let ids: Vec<String> = (0..11).map(|n| format!("m{n}")).collect();
    let parts: Vec<String> = ids.iter().map(|id| format!("{id} = {part}")).collect();
    check(&math(&ids.join(" + "), &parts.join(", ")), "too many metrics for an alarm: 11");
}

/// The spec of a resource.
#[track_caller]
pub(super) fn spec(text: &str, kind: &str, name: &str) -> Value {
    let text = format!("project = \"pay\"\nregion = \"eu-west-1\"\n{text}\n");
    let (loaded, problems) = inspect_from(&dir(&[("dev.toml", &text)]), "dev", &|_| None, None);
    assert!(problems.is_empty(), "{problems:#?}");
    let blueprint = build(&loaded.unwrap(), &Facts::placeholder("eu-west-1"));
    let blueprint = blueprint.unwrap_or_else(|problems| panic!("{problems:#?}"));
    blueprint.resources[&Address::new(kind, name)].spec.clone()
}

pub(super) fn output(to: &str, output: &str) -> Value {
    json!({ "$text": [{ "to": to, "output": output }] })
}

#[test]
fn a_watched_item_gives_namespace_dimensions_and_statistic() {
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

/// The alarms of the systems that payctl replaces, in the words of this config.
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
    // Other sections may lack values here: this test is not about them.
    let last = head.lines().count();
    let ours: Vec<_> = problems.iter().filter(|found| found.place.line > last).collect();
    assert!(ours.is_empty(), "{ours:#?}");
}
