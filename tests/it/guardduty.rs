//! Detectors.

use aws_config::Region;
use aws_sdk_guardduty::types::DetectorFeature;
use payctl::words::threat_detection::ThreatFeature;
use payctl_engine::plan::Purpose;
use payctl_sandbox::Sandbox;

use crate::support::{block_on, by_hand, expect_settled, run, sample_provider, sandboxed, some};

#[test]
fn a_foreign_detector_is_shared() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let guardduty = aws_sdk_guardduty::Client::new(&by_hand(&sandbox));
        guardduty.create_detector().enable(true).send().await.expect("a detector");
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let blueprint = some(&provider, &["guardduty.detector"]);
        expect_settled(&provider, &blueprint, "taking it over").await;
        run(&provider, &blueprint, Purpose::Destroy).await;
        let left = guardduty.list_detectors().send().await.expect("a list");
        assert_eq!(left.detector_ids().len(), 1);
        // A config without it does not see it.
        let none = some(&provider, &[]);
        expect_settled(&provider, &none, "wanting nothing").await;
    });
}

#[test]
fn guardduty_features_are_off_unless_wanted() {
    for region in ["us-east-1", "eu-west-1"] {
        block_on(async {
            let sandbox = Sandbox::in_memory();
            let mut connection = sandboxed(&sandbox);
            connection.region = Some(region.into());
            let provider = sample_provider(&connection).await;
            let blueprint = some(&provider, &["guardduty.detector"]);
            run(&provider, &blueprint, Purpose::Apply).await;
            expect_settled(&provider, &blueprint, "creation").await;

            let config = by_hand(&sandbox).into_builder().region(Region::new(region)).build();
            let guardduty = aws_sdk_guardduty::Client::new(&config);
            let listed = guardduty.list_detectors().send().await.expect("a list");
            let get = guardduty.get_detector().detector_id(&listed.detector_ids()[0]).send();
            let detector = get.await.expect("the detector");
            let on = detector.features().iter().filter(|one| {
                one.status.as_ref().is_some_and(|status| status.as_str() == "ENABLED")
            });
            let on: Vec<&str> = on.filter_map(|one| Some(one.name.as_ref()?.as_str())).collect();
            assert_eq!(on, ["CLOUD_TRAIL", "DNS_LOGS", "FLOW_LOGS"], "{region}");
        });
    }
}

#[test]
fn every_guardduty_feature_can_be_wanted() {
    // `RUNTIME_MONITORING` took its place.
    let superseded = DetectorFeature::EksRuntimeMonitoring;
    for name in DetectorFeature::values().iter().filter(|name| **name != superseded.as_str()) {
        let feature: Result<ThreatFeature, _> = serde_json::from_value(name.to_lowercase().into());
        assert_eq!(feature.map(ThreatFeature::aws).ok(), Some(*name));
    }
}
