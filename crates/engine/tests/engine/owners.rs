//! Objects of others, and objects whose owner changed since the plan.

use payctl_engine::apply::apply;
use payctl_engine::event::StepError;
use payctl_engine::model::address::Address;
use payctl_engine::model::live::{Phase, Tags};
use payctl_engine::model::scope::Scope;
use payctl_engine::plan::Purpose;
use payctl_engine::stop::stop_pair;
use serde_json::json;

use crate::fake::FakeCloud;
use crate::support::*;

#[test]
fn a_foreign_object_with_the_same_name_is_refused_and_named() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        let other = Scope { env: "prod".into(), ..scope() };
        let address = Address::new("fake.named", "top");
        cloud.plant(&address, json!({ "name": "pr-1-top" }), other.ownership(&address));
        let plan = plan_now(&cloud, &two(), Purpose::Apply).await;
        assert_eq!(plan.refused.len(), 1);
        assert!(plan.refused[0].reason.contains("environment prod"), "{:?}", plan.refused);
        let destroy = plan_now(&cloud, &two(), Purpose::Destroy).await;
        assert!(destroy.changes.is_empty(), "what is not ours is not deleted");
    });
}

#[test]
fn apply_does_not_touch_objects_changed_since_the_plan() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        converge(&cloud, &two(), Purpose::Apply).await;
        let mut wanted = two();
        put(&mut wanted, "fake.node", "base", json!({ "size": 2, "zone": "a" }), &[]);
        let stale = plan_now(&cloud, &wanted, Purpose::Apply).await;
        let mut other = two();
        let base = other.resources.get_mut(&Address::new("fake.node", "base")).expect("base");
        base.tags.insert("Team".into(), "somebody else".into());
        converge(&cloud, &other, Purpose::Apply).await;
        let (_stopper, stop) = stop_pair();
        let report = apply(&cloud, &stale, 8, &stop, &|_| {}).await;
        assert!(matches!(report.failed[0].2, StepError::Moved(_)), "{report:?}");
    });
}

#[test]
fn delete_skips_objects_whose_owner_changed() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        converge(&cloud, &two(), Purpose::Apply).await;
        let plan = plan_now(&cloud, &two(), Purpose::Destroy).await;
        let base = Address::new("fake.node", "base");
        cloud.hand_over(&base, Scope { env: "prod".into(), ..scope() }.ownership(&base));
        let (_stopper, stop) = stop_pair();
        let report = apply(&cloud, &plan, 8, &stop, &|_| {}).await;
        assert_eq!(report.failed[0].0, base);
        assert!(matches!(report.failed[0].2, StepError::Moved(_)), "{report:?}");
        assert_eq!(cloud.addresses(), [base]);
    });
}

#[test]
fn delete_skips_an_untagged_successor_of_a_dying_object() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        converge(&cloud, &two(), Purpose::Apply).await;
        let mut plan = plan_now(&cloud, &two(), Purpose::Destroy).await;
        let base = Address::new("fake.node", "base");
        plan.changes.retain(|change| change.address == base);
        let live = plan.changes[0].live.as_mut().expect("it is there");
        live.phase = Phase::Deleting("deleting".to_owned());
        live.tags = Tags::new();
        cloud.hand_over(&base, Tags::new());
        let before = cloud.log();
        let (_stopper, stop) = stop_pair();
        let report = apply(&cloud, &plan, 8, &stop, &|_| {}).await;
        assert!(matches!(report.failed[0].2, StepError::Moved(_)), "{report:?}");
        assert_eq!(cloud.log(), before);
    });
}

#[test]
fn a_part_stays_as_it_is_when_what_it_belongs_to_has_another_owner() {
    block_on(async {
        let link = Address::new("fake.link", "part");
        let of = |size: u32| {
            let mut wanted = two();
            put(&mut wanted, "fake.link", "part", json!({ "name": "part", "size": size }), &[]);
            wanted
        };
        let others = Scope { env: "prod".into(), ..scope() }.ownership(&link);
        for (tags, purpose) in [
            (others.clone(), Purpose::Apply),
            (others, Purpose::Destroy),
            (Tags::new(), Purpose::Apply),
            (Tags::new(), Purpose::Destroy),
        ] {
            let cloud = FakeCloud::new(scope(), 1);
            cloud.hand_over_holders(scope().ownership(&link));
            converge(&cloud, &of(1), Purpose::Apply).await;
            let mut plan = plan_now(&cloud, &of(2), purpose).await;
            plan.changes.retain(|change| change.address == link);
            assert_eq!(plan.changes.len(), 1);
            cloud.hand_over_holders(tags);
            let before = cloud.log();
            let (_stopper, stop) = stop_pair();
            let report = apply(&cloud, &plan, 8, &stop, &|_| {}).await;
            assert!(matches!(report.failed[0].2, StepError::Moved(_)), "{report:?}");
            assert_eq!(cloud.log(), before);
        }
    });
}

#[test]
fn update_skips_objects_whose_owner_changed() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        converge(&cloud, &two(), Purpose::Apply).await;
        let mut wanted = two();
        put(&mut wanted, "fake.node", "base", json!({ "size": 2, "zone": "a" }), &[]);
        let plan = plan_now(&cloud, &wanted, Purpose::Apply).await;
        let base = Address::new("fake.node", "base");
        for others in [
            Scope { env: "prod".into(), ..scope() }.ownership(&base),
            scope().ownership(&Address::new("fake.node", "another")),
            Tags::new(),
        ] {
            cloud.hand_over(&base, others);
            let before = cloud.log();
            let (_stopper, stop) = stop_pair();
            let report = apply(&cloud, &plan, 8, &stop, &|_| {}).await;
            assert!(matches!(report.failed[0].2, StepError::Moved(_)), "{report:?}");
            assert_eq!(cloud.log(), before);
        }
    });
}

#[test]
fn a_step_stops_when_its_object_loses_its_tags() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        converge(&cloud, &two(), Purpose::Apply).await;
        let mut wanted = two();
        put(&mut wanted, "fake.node", "base", json!({ "size": 2, "zone": "a" }), &[]);
        let plan = plan_now(&cloud, &wanted, Purpose::Apply).await;
        let base = Address::new("fake.node", "base");
        let updated =
            || cloud.log().iter().filter(|line| **line == format!("Update {base}")).count();
        let before = (updated(), cloud.log().len());
        let stripped = async {
            while updated() == before.0 {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            cloud.hand_over(&base, Tags::new());
        };
        let (_stopper, stop) = stop_pair();
        let (report, ()) = tokio::join!(apply(&cloud, &plan, 8, &stop, &|_| {}), stripped);
        assert!(matches!(report.failed[0].2, StepError::Moved(_)), "{report:?}");
        assert_eq!(cloud.log()[before.1..], [format!("Update {base}")]);
    });
}
