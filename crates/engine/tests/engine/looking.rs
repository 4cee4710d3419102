//! What cannot be looked at, credentials that expire, a network that goes away.

use std::time::Duration;

use payctl_engine::survey::{Looking, PATIENCE, look};
use tokio::time::Instant;

use std::collections::BTreeSet;
use std::sync::Mutex;

use payctl_engine::apply::apply;
use payctl_engine::event::{Event, StepError};
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::error::ErrorClass;
use payctl_engine::plan::{Action, Plan, Purpose};
use payctl_engine::planner::plan;
use payctl_engine::stop::stop_pair;
use serde_json::json;

use crate::fake::{FakeCloud, Faults};
use crate::support::*;

const KINDS: [&str; 5] = ["fake.node", "fake.named", "fake.store", "fake.link", "fake.slot"];

fn blind(kinds: &[&'static str], class: Option<ErrorClass>) -> Faults {
    Faults { blind: kinds.iter().map(|kind| (*kind, class)).collect(), ..Faults::default() }
}

/// What a plan is like while some kinds cannot be seen.
async fn plan_under(
    cloud: &FakeCloud,
    faults: Faults,
    blueprint: &Blueprint,
    purpose: Purpose,
) -> Plan {
    cloud.set_faults(faults);
    let snapshot = look(cloud, &blueprint.resources, purpose, PATIENCE, &|_| {}).await;
    cloud.set_faults(Faults::default());
    plan(cloud, blueprint, &snapshot, purpose, &[]).expect("a plan can be made")
}

fn names<'a>(addresses: impl IntoIterator<Item = &'a Address>) -> Vec<&'a str> {
    addresses.into_iter().map(|address| address.name.as_str()).collect()
}

/// A node, something named that refers to it, a store that refers to that, and a slot by itself.
fn chain() -> Blueprint {
    let mut wanted = blueprint();
    let address = |kind, name| Address::new(kind, name);
    put(&mut wanted, "fake.node", "net", json!({ "size": 1 }), &[]);
    put(&mut wanted, "fake.named", "queue", json!({ "size": 1 }), &[address("fake.node", "net")]);
    put(
        &mut wanted,
        "fake.store",
        "table",
        json!({ "size": 1 }),
        &[address("fake.named", "queue")],
    );
    put(&mut wanted, "fake.slot", "alone", json!({ "size": 1 }), &[]);
    wanted
}

#[tokio::test(start_paused = true)]
async fn unseen_kinds_and_their_dependents_are_refused_and_the_rest_is_planned() {
    let cloud = FakeCloud::new(scope(), 1);
    let denied = || blind(&["fake.named"], Some(ErrorClass::Denied));
    let fresh = plan_under(&cloud, denied(), &chain(), Purpose::Apply).await;
    assert_eq!(names(fresh.refused.iter().map(|refused| &refused.address)), ["queue", "table"]);
    assert_eq!(names(fresh.changes.iter().map(|change| &change.address)), ["net", "alone"]);
    assert!(fresh.refused[0].reason.contains("it cannot be seen"), "{:?}", fresh.refused);
    assert_eq!(fresh.unseen.len(), 1);

    converge(&cloud, &chain(), Purpose::Apply).await;
    let made = plan_under(&cloud, denied(), &chain(), Purpose::Apply).await;
    assert_eq!(names(made.refused.iter().map(|refused| &refused.address)), ["queue", "table"]);
    assert!(made.changes.is_empty(), "{:?}", made.changes);
    assert_eq!(names(&made.unchanged), ["net", "alone"]);
}

#[tokio::test(start_paused = true)]
async fn an_unseen_unwanted_kind_does_not_block_other_deletions() {
    let cloud = FakeCloud::new(scope(), 2);
    converge(&cloud, &chain(), Purpose::Apply).await;
    let denied = blind(&["fake.link"], Some(ErrorClass::Denied));
    let mut less = chain();
    less.resources.retain(|address, _| address.name != "alone");
    let plan = plan_under(&cloud, denied, &less, Purpose::Apply).await;
    assert!(plan.refused.is_empty(), "{:?}", plan.refused);
    assert_eq!(names(plan.changes.iter().map(|change| &change.address)), ["alone"]);
    assert_eq!(plan.changes[0].action, Action::Delete);
}

#[tokio::test(start_paused = true)]
async fn destroy_deletes_what_it_sees_and_names_the_unseen_kinds() {
    let cloud = FakeCloud::new(scope(), 3);
    converge(&cloud, &chain(), Purpose::Apply).await;
    let away = blind(&["fake.slot"], Some(ErrorClass::Service));
    let plan = plan_under(&cloud, away, &chain(), Purpose::Destroy).await;
    assert!(plan.refused.is_empty(), "{:?}", plan.refused);
    assert_eq!(plan.changes.len(), 3);
    assert_eq!(plan.unseen[0].kind, "fake.slot");
    assert!(!plan.unseen[0].is_unsupported());
}

#[tokio::test(start_paused = true)]
async fn stalled_services_cost_one_deadline_and_are_named_in_progress() {
    let cloud = FakeCloud::new(scope(), 4);
    converge(&cloud, &chain(), Purpose::Apply).await;
    cloud.set_faults(blind(&["fake.named", "fake.store"], None));
    let said = Mutex::new(Vec::new());
    let listener = |looking: Looking| said.lock().expect("no panic").push(looking);
    let began = Instant::now();
    let snapshot =
        look(&cloud, &chain().resources, Purpose::Apply, Duration::from_secs(90), &listener).await;
    assert_eq!(began.elapsed().as_secs(), 90);
    let unseen: Vec<&str> = snapshot.unseen.iter().map(|unseen| unseen.kind.as_str()).collect();
    assert_eq!(unseen, ["fake.named", "fake.store"]);
    assert!(snapshot.unseen[0].error.message.contains("90 s"), "{:?}", snapshot.unseen);
    assert!(snapshot.contains_key(&Address::new("fake.node", "net")));
    let said = said.into_inner().expect("no panic");
    assert_eq!((said[0].done, said[0].all), (0, 10));
    let waits = |looking: &Looking| looking.done == 8 && looking.waiting.contains("two");
    assert!(said.iter().any(waits), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn survey_waits_out_a_short_outage() {
    let cloud = FakeCloud::new(scope(), 5);
    converge(&cloud, &chain(), Purpose::Apply).await;
    let away = Some((Duration::ZERO, Duration::from_secs(5)));
    cloud.set_faults(Faults { away, ..Faults::default() });
    let snapshot = look(&cloud, &chain().resources, Purpose::Apply, PATIENCE, &|_| {}).await;
    assert!(snapshot.unseen.is_empty(), "{:?}", snapshot.unseen);
    assert_eq!(snapshot.len(), 4);
}

/// A blind plan never says what the plan of one who sees does not say.
#[tokio::test(start_paused = true)]
async fn a_plan_claims_nothing_about_unseen_kinds() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let cloud = FakeCloud::new(scope(), seed);
        let old = random_blueprint(&mut random, None);
        converge(&cloud, &old, Purpose::Apply).await;
        let new = random_blueprint(&mut random, Some(&old));
        let sighted = plan_under(&cloud, Faults::default(), &new, Purpose::Apply).await;
        let count = random.usize(1..4);
        let kinds = random.choose_multiple(KINDS, count);
        let class = [ErrorClass::Denied, ErrorClass::Unsupported][random.usize(..2)];
        let plan = plan_under(&cloud, blind(&kinds, Some(class)), &new, Purpose::Apply).await;
        let is_blind = |address: &Address| kinds.contains(&address.kind.as_str());
        let refused: BTreeSet<&Address> =
            plan.refused.iter().map(|refused| &refused.address).collect();
        for wanted in new.resources.keys().filter(|address| is_blind(address)) {
            assert!(refused.contains(wanted), "seed {seed}: {wanted} is not refused");
        }
        for change in &plan.changes {
            let address = &change.address;
            assert!(!is_blind(address) && !refused.contains(address), "seed {seed}: {address}");
            let same = |other: &&payctl_engine::plan::Change| {
                other.address == *address
                    && (other.action == change.action || other.action == Action::Replace)
            };
            let seen = sighted.changes.iter().find(same);
            assert!(seen.is_some(), "seed {seed}: {address} is planned otherwise by who sees");
        }
        for address in &plan.unchanged {
            let changes = |change: &payctl_engine::plan::Change| {
                change.address == *address && change.action == Action::Update
            };
            assert!(!is_blind(address), "seed {seed}: {address} counts as unchanged");
            assert!(!sighted.changes.iter().any(changes), "seed {seed}: {address} does change");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_end_the_run_and_the_next_run_continues() {
    for at in 1..40 {
        let cloud = FakeCloud::new(scope(), at);
        let plan = plan_now(&cloud, &chain(), Purpose::Apply).await;
        cloud.set_faults(Faults { expires_at: Some(at), ..Faults::default() });
        let began = Instant::now();
        let (_stopper, stop) = stop_pair();
        let started = Mutex::new(0);
        let listener = |event| {
            if let Event::Started { .. } = event {
                *started.lock().expect("no panic") += 1;
            }
        };
        let report = apply(&cloud, &plan, 1, &stop, &listener).await;
        if cloud.operations() < at {
            assert!(report.is_complete());
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "at {at}: {:?}", began.elapsed());
        let expired = |error: &StepError| matches!(error, StepError::Refused(error) if error.class == ErrorClass::Credentials);
        assert!(report.failed.iter().all(|(_, _, error)| expired(error)), "{:?}", report.failed);
        let ended = report.done.len() + report.failed.len();
        assert_eq!(*started.lock().expect("no panic"), ended, "at {at}: nothing new is begun");
        let all = ended + report.skipped.len() + report.remaining.len();
        assert_eq!(all, plan.changes.len(), "at {at}: everything is in the report");
        cloud.set_faults(Faults::default());
        converge(&cloud, &chain(), Purpose::Apply).await;
        assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
        assert_eq!(cloud.addresses().len(), 4);
    }
    panic!("the run takes more operations than were tried");
}

#[tokio::test(start_paused = true)]
async fn apply_survives_a_minute_without_network() {
    for seed in 0..100 {
        let mut random = fastrand::Rng::with_seed(seed);
        let cloud = FakeCloud::new(scope(), seed);
        let wanted = random_blueprint(&mut random, None);
        let plan = plan_now(&cloud, &wanted, Purpose::Apply).await;
        let from = Duration::from_millis(random.u64(0..200));
        let away = Some((from, from + Duration::from_secs(60)));
        cloud.set_faults(Faults { away, ..Faults::default() });
        let (_stopper, stop) = stop_pair();
        let began = Instant::now();
        let report = apply(&cloud, &plan, 8, &stop, &|_| {}).await;
        assert!(report.is_complete(), "seed {seed}: {:?}", report.failed);
        assert!(began.elapsed() < Duration::from_secs(120), "seed {seed}: {:?}", began.elapsed());
        assert_eq!(cloud.addresses().len(), wanted.resources.len(), "seed {seed}");
    }
}
