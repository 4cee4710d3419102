//! The detector of GuardDuty.

use serde_json::json;

use super::firewalls::{built, spec};

#[test]
fn guardduty_plans_that_cost_extra_are_off_by_default() {
    assert!(built("").resources.is_empty());
    let blueprint = built("threat_detection = true");
    let detector = spec(&blueprint, "guardduty.detector", "main");
    assert_eq!(*detector, json!({ "frequency": "FIFTEEN_MINUTES", "features": [] }));
    let blueprint = built("threat_detection = { features = [\"s3_data_events\"] }");
    let detector = spec(&blueprint, "guardduty.detector", "main");
    assert_eq!(detector["features"], json!(["S3_DATA_EVENTS"]));
}
