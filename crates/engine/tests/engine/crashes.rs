//! Runs that die, stop, lose a reply or fail halfway, and the runs after them.

use std::sync::Mutex;

use payctl_engine::apply::apply;
use payctl_engine::event::{Event, StepError, Verb};
use payctl_engine::model::address::Address;
use payctl_engine::plan::Purpose;
use payctl_engine::stop::stop_pair;
use serde_json::json;

use crate::fake::{Death, FakeCloud, Faults};
use crate::support::*;

#[test]
fn a_run_dropped_at_any_operation_does_no_harm() {
    for seed in 0..12 {
        let mut random = fastrand::Rng::with_seed(seed);
        let blueprint = random_blueprint(&mut random, None);
        let clean = FakeCloud::new(scope(), seed);
        let total = block_on(async {
            clean.set_faults(Faults::default());
            converge(&clean, &blueprint, Purpose::Apply).await;
            clean.operations()
        });
        for operation in 1..=total {
            for after in [false, true] {
                let _name = Seed(seed);
                block_on(async {
                    let cloud = FakeCloud::new(scope(), seed);
                    let faults =
                        Faults { die_at: Some(Death { operation, after }), ..Faults::default() };
                    converge_under(&cloud, &blueprint, faults, Purpose::Apply).await;
                    check_settled(&cloud, &blueprint).await;
                });
            }
        }
    }
}

#[test]
fn later_runs_delete_a_duplicate_made_by_a_lagging_list() {
    for seed in 0..200 {
        let _name = Seed(seed);
        block_on(async {
            let mut random = fastrand::Rng::with_seed(seed);
            let cloud = FakeCloud::new(scope(), seed);
            let blueprint = random_blueprint(&mut random, None);
            let faults = Faults {
                lag: 3,
                survey_lags: true,
                die_at: Some(Death { operation: random.u64(5..40), after: true }),
                ..Faults::default()
            };
            converge_under(&cloud, &blueprint, faults, Purpose::Apply).await;
            cloud.set_faults(Faults::default());
            for _ in 0..4 {
                converge(&cloud, &blueprint, Purpose::Apply).await;
            }
            check_settled(&cloud, &blueprint).await;
        });
    }
}

#[test]
fn create_waits_for_a_predecessor_being_deleted() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        converge(&cloud, &two(), Purpose::Apply).await;
        let wanted = two();
        // A survey of ten kinds, a look at `top`, and its deletion.
        let dead = Some(Death { operation: 12, after: true });
        cloud.set_faults(Faults { dying: 60, die_at: dead, ..Faults::default() });
        tokio::select! {
            _ = run(&cloud, &wanted, Purpose::Destroy) => panic!("it should die"),
            () = cloud.died() => {}
        }
        let began = tokio::time::Instant::now();
        let report = once(&cloud, &two(), Faults::default()).await;
        assert!(report.is_complete(), "{report:#?}");
        assert!(began.elapsed().as_secs() > 200, "it took its time: {:?}", began.elapsed());
        check_settled(&cloud, &two()).await;
    });
}

#[test]
fn a_lost_reply_does_not_hide_a_successor_with_the_same_id() {
    let spec = |zone: &str| json!({ "size": 0, "zone": zone });
    let mut found = 0;
    for seed in 0..200 {
        let _name = Seed(seed);
        block_on(async {
            let cloud = FakeCloud::new(scope(), seed);
            let mut wanted = blueprint();
            put(&mut wanted, "fake.slot", "one", spec("a"), &[]);
            converge(&cloud, &wanted, Purpose::Apply).await;
            put(&mut wanted, "fake.slot", "one", spec("b"), &[]);
            let report = once(&cloud, &wanted, Faults { lose: 300, ..Faults::default() }).await;
            assert!(report.is_complete(), "{report:#?}");
            found += cloud.log().iter().filter(|done| *done == "Create fake.slot/one").count();
        });
    }
    assert_eq!(found, 400, "each was made twice: at first, and in its own place");
}

#[test]
fn a_stop_starts_nothing_new_and_reports_what_remains() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        let wanted = two();
        let plan = plan_now(&cloud, &wanted, Purpose::Apply).await;
        let (stopper, stop) = stop_pair();
        let seen = Mutex::new(Vec::new());
        let listener = |event: Event| {
            if let Event::Finished { address, .. } = &event {
                seen.lock().expect("unpoisoned").push(address.clone());
                stopper.stop();
            }
        };
        let report = apply(&cloud, &plan, 8, &stop, &listener).await;
        assert!(report.interrupted);
        assert_eq!(report.done, [(Address::new("fake.node", "base"), Verb::Create)]);
        assert_eq!(report.remaining, [(Address::new("fake.named", "top"), Verb::Create)]);
        converge(&cloud, &wanted, Purpose::Apply).await;
        check_settled(&cloud, &wanted).await;
    });
}

#[test]
fn a_failure_skips_only_its_dependents() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        let mut wanted = two();
        put(&mut wanted, "fake.node", "apart", json!({ "size": 1, "zone": "a" }), &[]);
        cloud.set_faults(Faults::default());
        let plan = plan_now(&cloud, &wanted, Purpose::Apply).await;
        // Between plan and apply somebody takes the name of nothing we know: `base` breaks.
        cloud.set_faults(Faults { corpse: 1000, ..Faults::default() });
        let (_stopper, stop) = stop_pair();
        let report = apply(&cloud, &plan, 8, &stop, &|_| {}).await;
        assert_eq!(report.failed.len(), 2);
        assert!(report.failed.iter().all(|(_, _, why)| matches!(why, StepError::FailedLater(_))));
        assert_eq!(report.skipped.len(), 1);
        assert_eq!(report.skipped[0].2, Address::new("fake.node", "base"));
        // The next run replaces the corpses.
        cloud.set_faults(Faults::default());
        converge(&cloud, &wanted, Purpose::Apply).await;
        check_settled(&cloud, &wanted).await;
    });
}
