//! What a plan says, and what it is limited to.

use std::collections::BTreeMap;

use payctl_engine::apply::apply;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::plan::{Action, Plan, Purpose};
use payctl_engine::planner::plan;
use payctl_engine::stop::stop_pair;
use payctl_engine::survey::survey;
use serde_json::json;

use crate::fake::{FakeCloud, Faults};
use crate::support::*;

#[test]
fn a_plan_writes_nothing() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        let plan = plan_now(&cloud, &two(), Purpose::Apply).await;
        assert_eq!(plan.count(Action::Create), 2);
        assert!(cloud.log().is_empty());
    });
}

#[test]
fn data_is_never_replaced_and_protected_environments_lose_nothing() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        let mut wanted = blueprint();
        put(&mut wanted, "fake.store", "data", json!({ "size": 1, "zone": "a" }), &[]);
        converge(&cloud, &wanted, Purpose::Apply).await;
        let mut moved = wanted.clone();
        put(&mut moved, "fake.store", "data", json!({ "size": 1, "zone": "b" }), &[]);
        let plan = plan_now(&cloud, &moved, Purpose::Apply).await;
        assert!(plan.refused[0].reason.contains("lose the data"), "{:?}", plan.refused);
        let protected = Blueprint { protect: true, ..wanted };
        let plan = plan_now(&cloud, &protected, Purpose::Destroy).await;
        assert_eq!(plan.refused.len(), 1);
        let emptied = Blueprint { resources: BTreeMap::new(), ..protected };
        let plan = plan_now(&cloud, &emptied, Purpose::Apply).await;
        assert_eq!(plan.refused.len(), 1);
    });
}

#[test]
fn users_of_a_replaced_target_are_planned_with_it() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        converge(&cloud, &two(), Purpose::Apply).await;
        let mut wanted = two();
        put(&mut wanted, "fake.node", "base", json!({ "size": 1, "zone": "b" }), &[]);
        let snapshot = survey(&cloud, &wanted.resources).await.expect("a survey");
        let target = ["fake.node/base".to_owned()];
        let planned = plan(&cloud, &wanted, &snapshot, Purpose::Apply, &target).expect("a plan");
        let (_stopper, stop) = stop_pair();
        let report = apply(&cloud, &planned, 8, &stop, &|_| {}).await;
        assert!(report.is_complete(), "{report:#?}");
        check_settled(&cloud, &wanted).await;
    });
}

/// A replaced object keeps its name. Its users stay, its parts are created again, and say why.
#[test]
fn a_replacement_reaches_the_parts_of_an_object_and_not_those_that_name_it() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        let with = |zone: &str| {
            let mut wanted = blueprint();
            put(&mut wanted, "fake.called", "f", json!({ "size": 1, "zone": zone }), &[]);
            let f = Address::new("fake.called", "f");
            put(&mut wanted, "fake.part", "p", json!({ "size": 1 }), std::slice::from_ref(&f));
            put(&mut wanted, "fake.called", "user", json!({ "size": 1, "zone": "a" }), &[f]);
            wanted
        };
        // The first plan names what it will create.
        let first = plan_now(&cloud, &with("a"), Purpose::Apply).await;
        assert!(first.changes.iter().all(|change| change.fields.iter().all(|it| !it.unknown)));
        converge(&cloud, &with("a"), Purpose::Apply).await;
        let plan = plan_now(&cloud, &with("b"), Purpose::Apply).await;
        let said = plan.changes.iter().map(|it| (it.address.to_string(), it.because.clone()));
        let because = |text: &str| Some(text.to_owned());
        let expected = [
            ("fake.called/f".to_owned(), because("AWS cannot change zone in place")),
            ("fake.part/p".to_owned(), because("it is lost with its called f, which is replaced")),
        ];
        assert_eq!(said.collect::<Vec<_>>(), expected);
        converge(&cloud, &with("b"), Purpose::Apply).await;
        check_settled(&cloud, &with("b")).await;
    });
}

/// Only the tag of a renamed resource changes, if its physical name stays.
#[test]
fn a_resource_with_another_logical_name_keeps_its_object() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        let mut before = blueprint();
        put(&mut before, "fake.store", "old", json!({ "size": 1, "zone": "a" }), &[]);
        converge(&cloud, &before, Purpose::Apply).await;
        let mut after = blueprint();
        put(&mut after, "fake.store", "new", json!({ "size": 1, "zone": "a" }), &[]);
        let desired = after.resources.values_mut().next().expect("it is there");
        desired.name = "pr-1-old".into();
        desired.spec["name"] = json!("pr-1-old");
        let plan = plan_now(&cloud, &after, Purpose::Apply).await;
        assert!(plan.notes.is_empty(), "{:?}", plan.notes);
        let [change] = &plan.changes[..] else { panic!("{:?}", plan.changes) };
        assert_eq!(change.action, Action::Update);
        let because = change.because.as_deref().unwrap_or_default();
        assert_eq!(because, "it was fake.store/old: its tag gets the new address");
        converge(&cloud, &after, Purpose::Apply).await;
        check_settled(&cloud, &after).await;
    });
}

/// Data that would go with a logical name is worth a word, if it is clear which object is meant.
#[test]
fn a_new_resource_that_is_like_one_whose_data_goes_is_noted() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        let with = |names: &[&str], size: u32| {
            let mut config = blueprint();
            let spec = json!({ "size": size, "zone": "a" });
            names.iter().for_each(|name| put(&mut config, "fake.store", name, spec.clone(), &[]));
            config
        };
        converge(&cloud, &with(&["old", "other"], 1), Purpose::Apply).await;
        let noted = async |wanted: Blueprint| {
            let plan = plan_now(&cloud, &wanted, Purpose::Apply).await;
            plan.notes.into_iter().map(|note| format!("{}: {}", note.text, note.hint)).collect()
        };
        let noted: [Vec<String>; 3] = [
            noted(with(&["new", "other"], 1)).await,
            noted(with(&["new", "other"], 2)).await,
            noted(with(&["new"], 1)).await,
        ];
        let keep = "it is like fake.store/old, which this plan deletes with its data: if it is the \
                    same by another name, keep it: write `name = \"pr-1-old\"`";
        assert_eq!(noted, [vec![keep.to_owned()], vec![], vec![]]);
    });
}

#[test]
fn a_target_includes_only_its_dependencies() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        let mut wanted = two();
        put(&mut wanted, "fake.node", "apart", json!({ "size": 1, "zone": "a" }), &[]);
        let snapshot = survey(&cloud, &wanted.resources).await.expect("a survey");
        let target =
            |target: &str| plan(&cloud, &wanted, &snapshot, Purpose::Apply, &[target.to_owned()]);
        let addresses = |plan: Plan| {
            plan.changes.iter().map(|change| change.address.to_string()).collect::<Vec<_>>()
        };
        let top = addresses(target("fake.named/top").expect("a plan"));
        assert_eq!(top, ["fake.node/base", "fake.named/top"]);
        assert!(target("fake.named/none").is_err());
    });
}

#[test]
fn a_plan_survives_serialisation() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        let plan = plan_now(&cloud, &two(), Purpose::Apply).await;
        let text = serde_json::to_string(&plan).expect("a plan serialises");
        let again: Plan = serde_json::from_str(&text).expect("a plan deserialises");
        assert_eq!(again, plan);
    });
}

#[test]
fn create_retries_late_visibility_as_long_as_its_kind_allows() {
    block_on(async {
        let late = || Faults { not_yet: 45, ..Faults::default() };
        for (kind, completes) in [("fake.slot", true), ("fake.named", false)] {
            let cloud = FakeCloud::new(scope(), 1);
            let mut wanted = blueprint();
            put(&mut wanted, kind, "late", json!({ "size": 1 }), &[]);
            let report = once(&cloud, &wanted, late()).await;
            assert_eq!(report.is_complete(), completes, "{kind}: {report:#?}");
        }
    });
}
