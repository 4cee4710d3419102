//! Alarms: bad values.

use super::*;

const TOPIC: &str = "[topics.ops]\npublishers = [\"cloudwatch\"]\n";

/// An alarm on a queue, with one more line.
pub(super) fn alarm(line: &str) -> String {
    format!(
        "{TOPIC}[queues.jobs]\n[alarms.age]\nwatch = \"queues.jobs\"\n\
         metric = \"ApproximateAgeOfOldestMessage\"\nabove = 60\n{line}"
    )
}

/// An alarm with exactly these lines, and a queue.
pub(super) fn bare(lines: &str) -> String {
    format!("{TOPIC}[queues.jobs]\n[alarms.a]\n{lines}")
}

#[test]
fn impossible_alarms_are_refused() {
    check(&alarm("below = 1"), "6:9 the alarm has more than one threshold");
    check(&bare("watch = \"queues.jobs\"\nmetric = \"NumberOfMessagesSent\""), "has no threshold");
    check(&alarm("period = 45"), "10:10 45 seconds is not a valid period (use 10, 20, 30");
    check(&alarm("period = 30"), "AWS measures this once a minute");
    check(
        &alarm("periods = 289"),
        "289 periods of 300 seconds are too long together (use at most one day",
    );
    check(&alarm("period = 3600\nperiods = 169"), "are too long together (use at most one week)");
    check(&alarm("datapoints = 2"), "10:14 `datapoints` is 2, but `periods` is 1 (use 1 to 1");
    check(&alarm("statistic = \"p101\""), "10:13 `p101` is not a percentile (use p0 to p100)");
    check(&alarm("statistic = \"Sum\""), "`Sum` has the wrong format (use average, sum");
    check(&alarm("statistic = \"p1234\""), "`p1234` has the wrong format");
    check(&alarm("few_samples = \"ignore\""), "this setting is only for percentiles");
    check(&alarm("missing = \"notBreaching\""), "did you mean `not_breaching`?");
    check(&alarm("notify = [\"oops\"]"), "[topics] has no `oops` (did you mean `ops`?)");
    let arns: Vec<String> = (0..6).map(|n| format!("\"arn:aws:sns:r:1:t{n}\"")).collect();
    check(
        &alarm(&format!("actions = [{}]", arns.join(", "))),
        "too many actions: 6 (use at most 5)",
    );
    check(&alarm("actions = [\"page\"]"), "`page` is not an ARN (write the ARN of the action");
    check(
        &alarm("actions = [\"arn:aws:sns:us-east-1:1:t\"]"),
        "`arn:aws:sns:us-east-1:1:t` is not in eu-west-1",
    );
    let names: Vec<String> = (0..31).map(|n| format!("D{n} = \"x\"")).collect();
    let many = alarm(&format!("dimensions = {{ {} }}", names.join(", ")));
    check(&many, "a metric has at most 30 dimensions");
    check(&alarm("name = \"a-${env}\\u0007\""), "is not a valid name (an alarm's name");
    check(
        &alarm(&format!("description = \"{}\"", "x".repeat(1025))),
        "too long: 1025 characters, at most 1024",
    );
}

#[test]
fn alarms_need_a_topic_that_accepts_their_messages() {
    let text = |topic: &str| alarm("notify = [\"ops\"]").replace(TOPIC, topic);
    let expected = "alarms may not publish to the topic `ops` (add \"cloudwatch\"";
    check(&text("[topics.ops]\npublishers = [\"events\"]\n"), expected);
    let fifo = "[topics.ops]\nfifo = true\npublishers = [\"cloudwatch\"]\n";
    let key = "[keys.main]\nservices = [\"events\"]\n\
               [topics.ops]\nkey = \"main\"\npublishers = [\"cloudwatch\"]\n";
    check(&text(key), "alarms may not use the key `main` of the topic `ops`");
    check(&text(fifo), "the topic `ops` is a FIFO topic (use a standard topic: alarms cannot");
}

#[test]
fn a_percentage_threshold_is_at_most_100() {
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

/// The problems that validation finds before the blueprint is built.
#[track_caller]
pub(super) fn says(text: &str, expected: &str) {
    let problems = problems_of(text);
    assert!(problems.iter().any(|found| found.message.contains(expected)), "{problems:#?}");
}

pub(super) fn problems_of(text: &str) -> Vec<Problem> {
    let text = format!("project = \"pay\"\nregion = \"eu-west-1\"\n{text}\n");
    inspect_from(&dir(&[("dev.toml", &text)]), "dev", &|_| None, None).1
}
