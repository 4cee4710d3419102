//! Bad values of threat detection and cost anomalies.

use super::check;

#[test]
fn what_guards_refuse_is_refused_here() {
    check("threat_detection = \"yes\"", "a string where true or false or a table belongs");
    check(
        "threat_detection = { features = [\"s3\"] }",
        "`s3` is not possible here (one of s3_data_events",
    );
    check("threat_detection = { frequency = \"daily\" }", "`daily` is not possible here");
    let anomaly = |rest: &str| format!("[cost_anomalies.a]\n{rest}");
    check(&anomaly("watch = \"service\""), "(did you mean `services`?)");
    check(&anomaly("watch = { values = [\"x\"] }"), "either a tag or a cost category");
    check(&anomaly("watch = { tag = \"Team\", values = [] }"), "0 items are not possible here");
    check(&anomaly("threshold = {}"), "nothing says from which size on an anomaly counts");
    check(&anomaly("threshold = { amount = -1 }"), "-1 is out of range");
    check(&anomaly("frequency = \"daily\""), "only e-mail addresses hear of anomalies");
    let addresses: Vec<String> = (0..11).map(|at| format!("a{at}@example.com")).collect();
    check(&anomaly(&format!("email = {addresses:?}")), "11 addresses are too many");
    check(&anomaly("frequency = \"hourly\""), "`hourly` is not possible here");
    check(
        &anomaly("topic = \"t\"\n[topics.t]"),
        "does not admit cost anomaly detection (add \"costa",
    );
    let topic = "[topics.t]\npublishers = [\"costalerts\"]";
    check(
        &anomaly(&format!("topic = \"t\"\nemail = \"a@example.com\"\n{topic}")),
        "5:9 a topic hears of anomalies at once",
    );
    check(
        "[cost_anomalies.a]\n[cost_anomalies.b]",
        "4:17 [cost_anomalies.a] watches all services already",
    );
}
