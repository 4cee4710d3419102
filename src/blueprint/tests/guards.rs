//! Firewalls, events, threat detection and cost anomalies, as the contract's systems have them.

use serde_json::{Value, json};

use super::*;
use payctl_engine::model::text::{Output, Text};

/// The blueprint of a config; whoever calls functions is left to the test of functions.
fn built(text: &str) -> Blueprint {
    let dir = tempfile::tempdir().expect("a folder");
    let text = format!("project = \"payment\"\nregion = \"us-east-1\"\n{text}\n");
    std::fs::write(dir.path().join("dev.toml"), text).expect("a file");
    let (loaded, problems) = inspect(dir.path(), "dev", &|_| None, None);
    assert!(problems.is_empty(), "{problems:#?}");
    build(&loaded.expect("a config"), &facts()).expect("a blueprint")
}

fn spec<'a>(blueprint: &'a Blueprint, kind: &str, name: &str) -> &'a Value {
    &blueprint.resources[&Address::new(kind, name)].spec
}

#[test]
fn the_firewall_of_the_container_api_can_be_said() {
    let blueprint = built(
        r#"[firewalls.main]
        name = "PaymentWAF-${env}"
        rate_limit = 2000
        sql_injection = { parts = ["body"], transformations = ["url_decode"] }"#,
    );
    let measure = |metric: &str| json!({ "metric": metric, "metrics": true, "samples": true });
    assert_eq!(
        *spec(&blueprint, "waf.web_acl", "main"),
        json!({
            "name": "PaymentWAF-dev", "description": null, "default_action": "allow",
            "logging": null,
            "measure": measure("PaymentWAF-dev"),
            "rules": {
                "RateLimitRule": {
                    "priority": 1, "action": "block", "measure": measure("RateLimitRule"),
                    "matches": { "rate_limit": { "limit": 2000, "window": 300 } },
                },
                "SQLInjectionRule": {
                    "priority": 2, "action": "block", "measure": measure("SQLInjectionRule"),
                    "matches": { "sql_injection": {
                        "parts": [{ "body": "CONTINUE" }], "transformations": ["URL_DECODE"],
                        "sensitivity": "LOW",
                    } },
                },
            },
        })
    );
}

#[test]
fn rules_stand_in_the_order_of_the_config() {
    let blueprint = built(
        r#"[firewalls.main]
        rate_limit = { limit = 500, window = 60, action = "count" }
        sql_injection = true
        cross_site_scripting = true
        managed = ["AWSManagedRulesCommonRuleSet", { group = "AWSManagedRulesKnownBadInputsRuleSet", count = true }]"#,
    );
    let rules = &spec(&blueprint, "waf.web_acl", "main")["rules"];
    let placed = |name: &str| (rules[name]["priority"].as_u64(), rules[name]["action"].as_str());
    assert_eq!(placed("RateLimitRule"), (Some(1), Some("count")));
    assert_eq!(placed("SQLInjectionRule"), (Some(2), Some("block")));
    assert_eq!(placed("CrossSiteScriptingRule"), (Some(3), Some("block")));
    assert_eq!(placed("AWSManagedRulesCommonRuleSet"), (Some(10), Some("none")));
    assert_eq!(placed("AWSManagedRulesKnownBadInputsRuleSet"), (Some(11), Some("count")));
}

#[test]
fn a_rule_has_its_targets() {
    let blueprint = built(
        r#"[events.failures]
        pattern = { source = ["payment"], detail = { amount = [{ numeric = [">", 100] }] } }
        topics = ["ops"]
        queues = ["payments"]
        dead_letter = "payments"
        transform = { paths = { id = "$.detail.id" }, template = '{"id": <id>}' }
        retries = 3
        [topics.ops]
        publishers = ["events"]
        [queues.payments]
        senders = ["events"]"#,
    );
    let rule = spec(&blueprint, "events.rule", "failures");
    assert_eq!(rule["name"], "dev-payment-rule-failures");
    assert_eq!(rule["pattern"]["detail"]["amount"][0]["numeric"], json!([">", 100]));
    let arn = |kind, name| Text::reference(Address::new(kind, name), Output::Arn);
    let target = |arn: Text| {
        json!({
            "arn": arn, "retries": 3, "max_age": 86400,
            "input": { "template": { "paths": { "id": "$.detail.id" }, "text": "{\"id\": <id>}" } },
            "dead_letter": Text::reference(Address::new("sqs.queue", "payments"), Output::Arn),
        })
    };
    assert_eq!(
        rule["targets"],
        json!({
            "topic-ops": target(arn("sns.topic", "ops")),
            "queue-payments": target(arn("sqs.queue", "payments")),
        })
    );
}

#[test]
fn nothing_costly_is_watched_unasked() {
    assert!(built("").resources.is_empty());
    let blueprint = built("threat_detection = true");
    let detector = spec(&blueprint, "guardduty.detector", "main");
    assert_eq!(*detector, json!({ "frequency": "FIFTEEN_MINUTES", "features": [] }));
    let blueprint = built("threat_detection = { features = [\"s3_data_events\"] }");
    let detector = spec(&blueprint, "guardduty.detector", "main");
    assert_eq!(detector["features"], json!(["S3_DATA_EVENTS"]));
}

#[test]
fn topics_hear_of_anomalies_at_once_and_people_daily() {
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
