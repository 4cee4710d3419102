//! A second key for one address: when deleting it loses data.

use payctl_engine::apply::apply;
use payctl_engine::event::StepError;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::plan::{Action, Change, Purpose};
use payctl_engine::planner::plan;
use payctl_engine::stop::stop_pair;
use payctl_engine::survey::{SurveyError, survey};
use serde_json::json;

use crate::fake::FakeCloud;
use crate::support::*;

#[test]
fn deleting_a_second_key_in_use_counts_as_data_loss() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        let mut wanted = blueprint();
        let key = Address::new("fake.key", "key");
        put(&mut wanted, "fake.key", "key", json!({ "size": 1 }), &[]);
        for name in ["one", "two"] {
            let spec = json!({ "size": 1, "zone": "a" });
            put(&mut wanted, "fake.store", name, spec, std::slice::from_ref(&key));
        }
        for name in ["one", "two"] {
            let spec = json!({ "size": 1, "links": [] });
            let key = cloud.plant(&key, spec, wanted.resources[&key].tags.clone());
            let address = Address::new("fake.store", name);
            let spec =
                json!({ "size": 1, "zone": "a", "links": [key], "name": format!("pr-1-{name}") });
            cloud.plant(&address, spec, wanted.resources[&address].tags.clone());
        }
        let plan = plan_now(&cloud, &wanted, Purpose::Apply).await;
        let losses: Vec<&Address> = plan
            .changes
            .iter()
            .filter(|change| change.irreversible.is_some())
            .map(|change| &change.address)
            .collect();
        assert_eq!(losses, [&key]);
    });
}

/// Two keys of which the second is used by nothing, and what is wanted.
fn two_keys(cloud: &FakeCloud) -> (Blueprint, Address, [String; 2]) {
    let mut wanted = blueprint();
    let key = Address::new("fake.key", "key");
    put(&mut wanted, "fake.key", "key", json!({ "size": 1 }), &[]);
    let spec = json!({ "size": 1, "zone": "a" });
    put(&mut wanted, "fake.store", "data", spec, std::slice::from_ref(&key));
    let plant = || {
        let spec = json!({ "size": 1, "links": [] });
        cloud.plant(&key, spec, wanted.resources[&key].tags.clone())
    };
    let ids = [plant(), plant()];
    (wanted, key, ids)
}

/// Data that a key encrypts.
fn encrypt(cloud: &FakeCloud, wanted: &Blueprint, key: &str) {
    let address = Address::new("fake.store", "data");
    let spec = json!({ "size": 1, "zone": "a", "links": [key], "name": "pr-1-data" });
    cloud.plant(&address, spec, wanted.resources[&address].tags.clone());
}

#[test]
fn deleting_a_second_key_counts_as_loss_while_a_kind_is_unseen() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        let (wanted, key, ids) = two_keys(&cloud);
        encrypt(&cloud, &wanted, &ids[1]);
        let mut snapshot = survey(&cloud, &wanted.resources).await.expect("a survey");
        let hidden = snapshot.remove(&Address::new("fake.store", "data"));
        assert!(hidden.is_some());
        let error = OpError::new("ListStores", ErrorClass::Denied, "AccessDenied", "no");
        snapshot.unseen.push(SurveyError { kind: "fake.store".to_owned(), error });
        let targets = [key.to_string()];
        let planned = plan(&cloud, &wanted, &snapshot, Purpose::Apply, &targets).expect("a plan");
        let deleted: Vec<&Change> =
            planned.changes.iter().filter(|change| change.action == Action::Delete).collect();
        assert_eq!(deleted.len(), 1, "{:?}", planned.changes);
        assert!(deleted[0].irreversible.is_some(), "nobody knows what it encrypts");
    });
}

#[test]
fn delete_skips_a_second_key_used_since_the_plan() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        let (wanted, key, ids) = two_keys(&cloud);
        let plan = plan_now(&cloud, &wanted, Purpose::Apply).await;
        let second = plan.changes.iter().find(|change| change.action == Action::Delete);
        let second = second.and_then(|change| change.live.as_ref()).expect("a second key");
        assert!(ids.contains(&second.id));
        encrypt(&cloud, &wanted, &second.id);
        let (_stopper, stop) = stop_pair();
        let report = apply(&cloud, &plan, 8, &stop, &|_| {}).await;
        let failed = report.failed.iter().find(|(address, ..)| *address == key);
        let failed = &failed.expect("the step ended").2;
        assert!(matches!(failed, StepError::Moved(_)), "{failed:?}");
        assert!(cloud.ids().contains(&second.id), "it holds data now");
    });
}
