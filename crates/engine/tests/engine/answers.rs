//! Kinds of which AWS's answers say everything: nothing is read after them, and before them the owner.

use payctl_engine::apply::{Report, apply};
use payctl_engine::event::StepError;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::scope::Scope;
use payctl_engine::model::text::Output;
use payctl_engine::plan::Purpose;
use payctl_engine::stop::stop_pair;
use serde_json::json;

use crate::fake::{FakeCloud, Faults};
use crate::support::*;

/// How many kinds a survey looks at.
const KINDS: u64 = 10;

fn one() -> (Address, Blueprint) {
    let mut wanted = blueprint();
    put(&mut wanted, "fake.told", "one", json!({ "size": 2 }), &[]);
    (Address::new("fake.told", "one"), wanted)
}

#[test]
fn nothing_is_read_after_an_answer_that_says_everything() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        let (address, wanted) = one();
        let made = once(&cloud, &wanted, Faults::default()).await;
        assert!(made.is_complete(), "{made:#?}");
        assert_eq!(cloud.operations(), KINDS + 1, "a survey and the creation");
        assert_eq!(made.outputs[&address][&Output::Id], "told/pr-1-one");
        check_settled(&cloud, &wanted).await;
        cloud.set_faults(Faults::default());
        assert!(run(&cloud, &wanted, Purpose::Destroy).await.is_complete());
        assert_eq!(cloud.operations(), KINDS + 2, "a survey, the owner and the deletion");
        assert_eq!(cloud.addresses(), []);
    });
}

/// A run that loses answers once it has its plan.
async fn shaken(cloud: &FakeCloud, wanted: &Blueprint, purpose: Purpose) -> Report {
    cloud.set_faults(Faults::default());
    let plan = plan_now(cloud, wanted, purpose).await;
    cloud.set_faults(Faults { lose: 300, refuse: 100, ..Faults::default() });
    let (_stopper, stop) = stop_pair();
    let report = apply(cloud, &plan, 8, &stop, &|_| {}).await;
    cloud.set_faults(Faults::default());
    report
}

#[test]
fn a_lost_answer_says_nothing() {
    for seed in 0..200 {
        let _name = Seed(seed);
        block_on(async {
            let cloud = FakeCloud::new(scope(), seed);
            let (_, wanted) = one();
            assert!(shaken(&cloud, &wanted, Purpose::Apply).await.is_complete());
            assert_eq!(cloud.log(), ["Create fake.told/one"], "once");
            check_settled(&cloud, &wanted).await;
            assert!(shaken(&cloud, &wanted, Purpose::Destroy).await.is_complete());
            assert_eq!(cloud.addresses(), []);
        });
    }
}

#[test]
fn a_glance_sees_another_owner() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        let (address, wanted) = one();
        converge(&cloud, &wanted, Purpose::Apply).await;
        let plan = plan_now(&cloud, &wanted, Purpose::Destroy).await;
        cloud.hand_over(&address, Scope { env: "prod".into(), ..scope() }.ownership(&address));
        let (_stopper, stop) = stop_pair();
        let report = apply(&cloud, &plan, 8, &stop, &|_| {}).await;
        assert!(matches!(report.failed[0].2, StepError::Moved(_)), "{report:?}");
        assert_eq!(cloud.addresses(), [address]);
    });
}
