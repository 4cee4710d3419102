//! Firewalls, as the systems of the contract have them.

use serde_json::{Value, json};

use super::*;

/// The blueprint of a config. The test of functions covers the callers of functions.
pub(super) fn built(text: &str) -> Blueprint {
    let dir = tempfile::tempdir().expect("a folder");
    let text = format!("project = \"payment\"\nregion = \"us-east-1\"\n{text}\n");
    std::fs::write(dir.path().join("dev.toml"), text).expect("a file");
    let (loaded, problems) = inspect(dir.path(), "dev", &|_| None, None);
    assert!(problems.is_empty(), "{problems:#?}");
    build(&loaded.expect("a config"), &facts()).expect("a blueprint")
}

pub(super) fn spec<'a>(blueprint: &'a Blueprint, kind: &str, name: &str) -> &'a Value {
    &blueprint.resources[&Address::new(kind, name)].spec
}

#[test]
fn the_firewall_of_the_container_api_can_be_configured() {
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
fn rules_have_the_order_of_the_config() {
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
