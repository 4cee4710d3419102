//! The acceptance run, rehearsed: a sandbox stands in for the account.

#[path = "../../examples/real_aws/run.rs"]
mod acceptance;

use std::sync::Mutex;

use payctl_engine::plan::Purpose;
use payctl_sandbox::Sandbox;
use payctl_sandbox::{Fault, Faults};

use self::acceptance::{Findings, Side, accept};
use crate::support::{block_on, provider_for, run, sandboxed, shipped};

async fn side(connection: &payctl::aws::clients::Connection, is_twin: bool) -> Side {
    let provider = provider_for(connection, "pr-77").await;
    let blueprint = shipped(&provider).await;
    Side { provider, blueprint, is_twin }
}

/// Runs it against a sandbox behind these faults. Returns what the sandbox contains afterwards too.
fn rehearse(spoil: impl Fn(Faults) -> Faults) -> (Findings, Vec<String>) {
    block_on(async {
        let (sandbox, beside) = (Sandbox::in_memory(), Sandbox::in_memory());
        let faults = spoil(Faults::new(sandbox.transport()));
        let mut connection = sandboxed(&sandbox);
        connection.transport = Some(faults.transport());
        let mut cloud = side(&connection, false).await;
        let mut twin = side(&sandboxed(&beside), true).await;
        let said = Mutex::new(Vec::new());
        let say = |text: &str| said.lock().expect("no panic").push(text.to_owned());
        let findings = accept(&mut cloud, &mut twin, &say).await;
        let left = sandbox.counts().expect("a sandbox");
        (findings, left.into_keys().collect())
    })
}

#[test]
fn the_acceptance_run_reports_nothing_without_differences() {
    let (findings, left) = rehearse(|faults| faults);
    assert!(findings.failures.is_empty(), "{:#?}", findings.failures);
    assert!(findings.differences.is_empty(), "{:#?}", findings.differences);
    assert_eq!(findings.phases.len(), 6, "{:#?}", findings.phases);
    assert_eq!(left, [""; 0], "left after the run");
    assert!(findings.report("here").contains("Everything held."));
}

#[test]
fn the_acceptance_run_lists_accepted_refusals() {
    let spoil =
        |faults| (150..200).fold(faults, |faults, at| Faults::at(faults, at, Fault::Error500));
    let (findings, left) = rehearse(spoil);
    assert!(findings.failures.is_empty(), "{:#?}", findings.failures);
    assert!(!findings.passing.is_empty());
    assert_eq!(left, [""; 0], "left after the run");
}

#[test]
fn the_acceptance_run_leaves_existing_environments_alone() {
    block_on(async {
        let (sandbox, beside) = (Sandbox::in_memory(), Sandbox::in_memory());
        let mut cloud = side(&sandboxed(&sandbox), false).await;
        let mut twin = side(&sandboxed(&beside), true).await;
        run(&cloud.provider, &cloud.blueprint, Purpose::Apply).await;
        let before = sandbox.counts().expect("a sandbox");
        let findings = accept(&mut cloud, &mut twin, &|_| {}).await;
        assert_eq!(findings.failures.len(), 1);
        assert_eq!(sandbox.counts().expect("a sandbox"), before);
    });
}
