//! APIs whose calls fail: the next run ends where a clean one ends.

use std::collections::BTreeMap;
use std::time::Duration;

use payctl::aws::clients::Connection;
use payctl_engine::apply::Report;
use payctl_engine::event::StepError;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::error::ErrorClass;
use payctl_engine::plan::Purpose;
use payctl_sandbox::{Fault, Faults, Sandbox, Snapshot};
use serde_json::json;

use super::{Folder, PAYMENTS};
use crate::support::{
    block_on, carry_out, expect_settled, plan_now, provider_for, run, sample_provider, sandboxed,
    some,
};

/// The routes of [`PAYMENTS`] with a usage plan and a key.
fn with_keys() -> String {
    let text = PAYMENTS.replace(
        "validator =",
        "usage = { throttle = { rate = 5, burst = 9 }, quota = { limit = 100, period = \"day\" }, \
         keys = [\"partner\"] }\nvalidator =",
    );
    format!("{text}api_key = true\n")
}

/// A whole run, as in the program.
async fn whole_run(connection: &Connection, blueprint: &Blueprint, purpose: Purpose) -> Report {
    let provider = provider_for(connection, "dev").await;
    let plan = plan_now(&provider, blueprint, purpose).await;
    carry_out(&provider, &plan).await
}

/// One fault at one call of a run; the next run must end where a clean one does.
async fn struck(blueprint: &Blueprint, before: &Snapshot, purpose: Purpose, call: usize) {
    let sandbox = Sandbox::in_memory();
    sandbox.restore(before).expect("a sandbox");
    let fault = Fault::ALL[call % Fault::ALL.len()];
    let faults = Faults::new(sandbox.transport()).at(call, fault);
    let faulty = Connection { transport: Some(faults.transport()), ..sandboxed(&sandbox) };
    tokio::select! {
        report = whole_run(&faulty, blueprint, purpose) => {
            assert!(report.is_complete(), "{call} {fault:?}: {:#?}", report.failed);
        }
        () = faults.stopped() => {
            let report = whole_run(&sandboxed(&sandbox), blueprint, purpose).await;
            assert!(report.is_complete(), "after {call} {fault:?}: {:#?}", report.failed);
        }
    }
    let provider = provider_for(&sandboxed(&sandbox), "dev").await;
    if purpose == Purpose::Apply {
        expect_settled(&provider, blueprint, &format!("{call} {fault:?}")).await;
        run(&provider, blueprint, Purpose::Destroy).await;
    }
    let left = sandbox.counts().expect("a sandbox");
    assert_eq!(left, BTreeMap::new(), "after {call} {fault:?}");
}

#[test]
fn an_api_with_keys_survives_faults() {
    let blueprint = Folder::with(&with_keys()).blueprint();
    for purpose in [Purpose::Apply, Purpose::Destroy] {
        let (before, calls) = block_on(async {
            let sandbox = Sandbox::in_memory();
            if purpose == Purpose::Destroy {
                whole_run(&sandboxed(&sandbox), &blueprint, Purpose::Apply).await;
            }
            let before = sandbox.snapshot().expect("a snapshot");
            let faults = Faults::new(sandbox.transport());
            let counted = Connection { transport: Some(faults.transport()), ..sandboxed(&sandbox) };
            assert!(whole_run(&counted, &blueprint, purpose).await.is_complete());
            (before, faults.calls().len())
        });
        // This covers each kind of fault. The sweep of the shipped environments does the rest.
        for call in (1..=calls).step_by(7) {
            block_on(struck(&blueprint, &before, purpose, call));
        }
    }
}

#[test]
fn a_usage_plan_whose_deletion_was_interrupted_is_deleted() {
    block_on(async {
        let blueprint = Folder::with(&with_keys()).blueprint();
        let sandbox = Sandbox::in_memory();
        whole_run(&sandboxed(&sandbox), &blueprint, Purpose::Apply).await;
        let snapshot = sandbox.snapshot().expect("a snapshot");
        let faults = Faults::new(sandbox.transport());
        let counted = Connection { transport: Some(faults.transport()), ..sandboxed(&sandbox) };
        assert!(whole_run(&counted, &blueprint, Purpose::Destroy).await.is_complete());
        let calls = faults.calls();
        let delete = calls.iter().position(|call| call == "apigateway.DeleteUsagePlan");
        let delete = delete.unwrap_or_else(|| panic!("{calls:#?}"));

        // The plan has lost its stages when payctl deletes it again.
        sandbox.restore(&snapshot).expect("a sandbox");
        let faults = Faults::new(sandbox.transport()).at(delete + 1, Fault::Error500);
        let faulty = Connection { transport: Some(faults.transport()), ..sandboxed(&sandbox) };
        let report = whole_run(&faulty, &blueprint, Purpose::Destroy).await;
        assert_eq!(faults.struck(), [("apigateway.DeleteUsagePlan".into(), Fault::Error500)]);
        assert!(report.is_complete(), "{:#?}", report.failed);
    });
}

#[test]
fn an_exhausted_api_quota_is_not_throttling() {
    block_on(async {
        let provider = sample_provider(&sandboxed(&Sandbox::in_memory())).await;
        let mut blueprint = some(&provider, &["apigateway.rest_api"]);
        let sample = Address::new("apigateway.rest_api", "sample");
        let api = blueprint.resources.get_mut(&sample).expect("an API");
        let paths = api.spec["paths"].as_array_mut().expect("its paths");
        paths.extend((0..300).map(|n| json!(format!("/many-{n:03}"))));
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let report = carry_out(&provider, &plan).await;
        let [(failed, _, StepError::Refused(error))] = &report.failed[..] else {
            panic!("{:#?}", report.failed);
        };
        assert_eq!((failed, error.class), (&sample, ErrorClass::Quota), "{error}");
        assert!(report.elapsed < Duration::from_secs(60), "{:?}", report.elapsed);
    });
}
