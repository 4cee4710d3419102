//! A fault at every API call of an apply, and of a destroy, of the `dev` environment that payctl
//! ships: the process dies before or after the call, its reply is lost, it is refused.
//!
//! The oracle: the next run converges, the counts of everything equal those of a clean run, the
//! next plan is empty, destroy leaves nothing. A normal run samples the cases; `PAYCTL_SWEEP=full`
//! runs all of them, `PAYCTL_SWEEP=from..to` some (both take long without optimisation).

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use payctl_engine::apply::Report;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::plan::Purpose;
use payctl_sandbox::{Fault, Faults};
use payctl_sandbox::{Sandbox, Snapshot};

use crate::support::{
    block_on, carry_out, expect_settled, plan_now, provider_for, run, sandboxed, shipped,
};

const ENV: &str = "dev";

/// How many cases of each sweep a normal run makes.
const SAMPLE: usize = 40;

type Counts = BTreeMap<String, usize>;

/// One fault at one call.
#[derive(Clone, Copy, Debug)]
struct Case {
    call: usize,
    fault: Fault,
}

/// What a clean run looks like.
struct Clean {
    blueprint: Blueprint,
    before: Snapshot,
    calls: usize,
    counts: Counts,
}

/// A whole run as the program makes it: connect, look, plan, carry out.
async fn whole_run(
    sandbox: &Sandbox,
    faults: Option<&Faults>,
    blueprint: &Blueprint,
    purpose: Purpose,
) -> Report {
    let mut connection = sandboxed(sandbox);
    if let Some(faults) = faults {
        connection.transport = Some(faults.transport());
    }
    let provider = provider_for(&connection, ENV).await;
    let plan = plan_now(&provider, blueprint, purpose).await;
    carry_out(&provider, &plan).await
}

fn clean_run(purpose: Purpose) -> Clean {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let blueprint = shipped(&provider_for(&sandboxed(&sandbox), ENV).await).await;
        if purpose == Purpose::Destroy {
            let made = whole_run(&sandbox, None, &blueprint, Purpose::Apply).await;
            assert!(made.is_complete());
        }
        let before = sandbox.snapshot().expect("a snapshot");
        let faults = Faults::new(sandbox.transport());
        assert!(whole_run(&sandbox, Some(&faults), &blueprint, purpose).await.is_complete());
        let counts = sandbox.counts().expect("counts");
        Clean { blueprint, before, calls: faults.calls().len(), counts }
    })
}

async fn one_case(clean: &Clean, purpose: Purpose, case: Case) {
    let sandbox = Sandbox::in_memory();
    sandbox.restore(&clean.before).expect("a sandbox");
    let faults = Faults::new(sandbox.transport()).at(case.call, case.fault);
    tokio::select! {
        report = whole_run(&sandbox, Some(&faults), &clean.blueprint, purpose) => {
            // Only death may leave anything undone.
            assert!(report.is_complete(), "{case:?}: {:#?}", report.failed);
        }
        () = faults.stopped() => {
            let report = whole_run(&sandbox, None, &clean.blueprint, purpose).await;
            assert!(report.is_complete(), "after {case:?}: {:#?}", report.failed);
        }
    }
    assert!(!faults.struck().is_empty(), "{case:?} did not happen");
    assert_eq!(sandbox.counts().expect("counts"), clean.counts, "after {case:?}");
    let provider = provider_for(&sandboxed(&sandbox), ENV).await;
    let blueprint = &clean.blueprint;
    match purpose {
        Purpose::Apply => {
            expect_settled(&provider, blueprint, &format!("{case:?}")).await;
            run(&provider, blueprint, Purpose::Destroy).await;
        }
        Purpose::Destroy => {
            let left = plan_now(&provider, blueprint, Purpose::Destroy).await;
            assert!(left.is_empty(), "after {case:?}: {:?}", left.changes);
        }
    }
    assert_eq!(sandbox.counts().expect("counts"), Counts::new(), "destroy after {case:?}");
}

/// Which cases to run, of so many.
fn choose(all: usize) -> Vec<usize> {
    let some = |range: Range<usize>| range.filter(|case| *case < all).collect();
    match std::env::var("PAYCTL_SWEEP").ok().as_deref() {
        Some("full") => (0..all).collect(),
        Some(range) => {
            let (from, to) = range.split_once("..").expect("PAYCTL_SWEEP=full or from..to");
            some(from.parse().expect("a number")..to.parse().expect("a number"))
        }
        // Spread evenly, other cases for each kind of fault.
        None => (0..SAMPLE).map(|index| (index * all + all / 2) / SAMPLE).collect(),
    }
}

fn sweep(purpose: Purpose) {
    let clean = clean_run(purpose);
    let faults = Fault::ALL;
    let all = clean.calls * faults.len();
    let chosen = choose(all);
    println!("{purpose:?}: {} calls, {} of {all} cases", clean.calls, chosen.len());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, |cores| cores.get().min(8)) {
            scope.spawn(|| {
                while let Some(index) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let case = Case {
                        call: index / faults.len() + 1,
                        fault: faults[index % faults.len()],
                    };
                    let _name = Name(*index);
                    block_on(one_case(&clean, purpose, case));
                }
            });
        }
    });
}

/// Names the case when it panics.
struct Name(usize);

impl Drop for Name {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the failing case: PAYCTL_SWEEP={}..{}", self.0, self.0 + 1);
        }
    }
}

#[test]
fn an_apply_survives_a_fault_at_any_call() {
    sweep(Purpose::Apply);
}

#[test]
fn a_destroy_survives_a_fault_at_any_call() {
    sweep(Purpose::Destroy);
}
