//! Monitors of unusual costs, and the recipients of their alerts.

use serde_json::json;

use super::firewalls::{built, spec};

use super::*;

#[test]
fn topics_get_anomalies_at_once_and_people_daily() {
    let blueprint = built(
        r#"[cost_anomalies.services]
        topic = "cost"
        [cost_anomalies.team]
        watch = { tag = "Team", values = ["payments"] }
        email = "cost@example.com"
        threshold = { percent = 20 }
        [topics.cost]
        publishers = ["costalerts"]"#,
    );
    let kind = "costs.anomaly_subscription";
    let services = spec(&blueprint, kind, "services");
    assert_eq!(services["frequency"], "IMMEDIATE");
    assert_eq!(services["threshold"], json!({ "both": { "amount": 100, "percent": 40 } }));
    let team = spec(&blueprint, kind, "team");
    assert_eq!(team["frequency"], "DAILY");
    assert_eq!(team["threshold"], json!({ "percent": 20 }));
    let wanted = |name: &str| &blueprint.resources[&Address::new("costs.anomaly_monitor", name)];
    let name = "dev-payment-cost-monitor-services-us-east-1";
    assert_eq!(wanted("services").spec, json!({ "name": name, "watches": "services" }));
    assert_eq!(wanted("services").name, format!("{name}.services"));
    assert_eq!(
        wanted("team").spec["watches"],
        json!({ "tag": { "key": "Team", "values": ["payments"] } })
    );
}
