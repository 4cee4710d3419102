//! Bad values of threat detection and cost anomalies.

use super::check;

#[test]
fn validation_refuses_values_that_guardduty_and_cost_explorer_refuse() {
    check("threat_detection = \"yes\"", "expected true or false or a table, found a string");
    check(
        "threat_detection = { features = [\"s3\"] }",
        "`s3` is not valid here (use one of s3_data_events",
    );
    check("threat_detection = { frequency = \"daily\" }", "`daily` is not valid here");
    let anomaly = |rest: &str| format!("[cost_anomalies.a]\n{rest}");
    check(&anomaly("watch = \"service\""), "(did you mean `services`?)");
    check(&anomaly("watch = { values = [\"x\"] }"), "`tag` and `category` cannot be used together");
    check(&anomaly("watch = { tag = \"Team\", values = [] }"), "too few items: 0, at least 1");
    check(&anomaly("threshold = {}"), "the threshold has no limit");
    check(&anomaly("threshold = { amount = -1 }"), "-1 is out of range");
    check(&anomaly("frequency = \"daily\""), "`frequency` is only for e-mail addresses");
    let addresses: Vec<String> = (0..11).map(|at| format!("a{at}@example.com")).collect();
    check(&anomaly(&format!("email = {addresses:?}")), "too many addresses: 11");
    check(&anomaly("frequency = \"hourly\""), "`hourly` is not valid here");
    check(&anomaly("topic = \"t\"\n[topics.t]"), "may not publish to the topic `t` (add \"costa");
    let topic = "[topics.t]\npublishers = [\"costalerts\"]";
    check(
        &anomaly(&format!("topic = \"t\"\nemail = \"a@example.com\"\n{topic}")),
        "5:9 `topic` and `email` cannot be used together",
    );
    check(
        "[cost_anomalies.a]\n[cost_anomalies.b]",
        "4:17 [cost_anomalies.a] already monitors all services",
    );
}
