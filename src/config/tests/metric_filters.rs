//! Metric filters: bad values.

use super::*;

#[test]
fn impossible_metric_filters_are_refused() {
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
    check(&filter("dimensions = { Method = \"method\" }"), "`method` is not a field of an event");
    check(&filter("value = \"many\""), "`many` is not valid here (write a number, or a field");
    check(&filter("name = \"${env}:a\""), "not a valid name (a metric filter's name");
    check(&filter("").replace("Payments", "AWS/Pay"), "AWS reserves namespaces");
    check(&filter("").replace("Payments", "Pay$"), "a namespace is 1 to 255 characters");
    check(&filter("").replace("Declined", "a:b"), "the name of a metric is 1 to 255");
    check(&filter("").replace("\"app\"", "\"ap\""), "[log_groups] has no `ap` (did you mean");
    check(&filter("").replace("\"app\"", "\"tables.app\""), "[tables] has no log groups");
    let infrequent =
        filter("").replace("[log_groups.app]", "[log_groups.app]\nclass = \"infrequent_access\"");
    check(&infrequent, "AWS takes no metric filter for the log of log_groups.app");
    check(&filter("").replace("\"app\"", "\"services.app\""), "has no [services]");
}
