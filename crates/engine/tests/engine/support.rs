//! Blueprints, runs and checks that the tests share.

use std::collections::{BTreeMap, BTreeSet};

use payctl_engine::apply::{Report, apply};
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::{Blueprint, Desired};
use payctl_engine::model::live::Tags;
use payctl_engine::model::scope::{Scope, TAG_KEYS};
use payctl_engine::model::text::{Output, Text};
use payctl_engine::plan::{Plan, Purpose};
use payctl_engine::planner::plan;
use payctl_engine::stop::stop_pair;
use payctl_engine::survey::survey;
use serde_json::{Value, json};

use crate::fake::{Death, FakeCloud, Faults};

/// How many random cases a normal run makes.
pub(crate) const CASES: u64 = 2400;

pub(crate) fn scope() -> Scope {
    Scope {
        project: "payment".into(),
        env: "pr-1".into(),
        account: "123456789012".into(),
        region: "us-east-1".into(),
        partition: "aws".into(),
    }
}

pub(crate) fn blueprint() -> Blueprint {
    Blueprint {
        scope: scope(),
        protect: false,
        disposable: false,
        resources: BTreeMap::new(),
        outputs: BTreeMap::new(),
    }
}

/// Adds or replaces a resource that refers to others.
pub(crate) fn put(
    blueprint: &mut Blueprint,
    kind: &str,
    name: &str,
    spec: Value,
    links: &[Address],
) {
    let address = Address::new(kind, name);
    let mut spec = spec;
    let links = links.iter().map(|to| Text::reference(to.clone(), Output::Id));
    spec["links"] = json!(links.collect::<Vec<_>>());
    if !matches!(kind, "fake.node" | "fake.key") {
        spec["name"] = json!(format!("pr-1-{name}"));
    }
    let mut tags = scope().ownership(&address);
    tags.insert(TAG_KEYS.into(), "Team".into());
    tags.insert("Team".into(), "payments".into());
    let desired = Desired {
        name: format!("pr-1-{name}"),
        component: "test".into(),
        origin: "config/pr.toml:1".into(),
        spec,
        tags,
        tags_once: Tags::from([("CreatedAt".into(), "now".into())]),
        after: BTreeSet::new(),
        address: address.clone(),
    };
    blueprint.resources.insert(address, desired);
}

pub(crate) fn random_blueprint(random: &mut fastrand::Rng, old: Option<&Blueprint>) -> Blueprint {
    let mut new = blueprint();
    let kinds = ["fake.node", "fake.named", "fake.store", "fake.link", "fake.slot", "fake.told"];
    for index in 0..random.usize(1..12) {
        let kind = kinds[random.usize(..kinds.len())];
        let name = format!("r{index}");
        // What holds data refers only to what is never deleted before it can be replaced.
        let known: Vec<Address> = new
            .resources
            .keys()
            .filter(|address| kind != "fake.store" || address.kind == "fake.store")
            .cloned()
            .collect();
        let count = random.usize(..=known.len().min(3));
        let links: Vec<Address> = random.choose_multiple(known, count);
        // What cannot be replaced keeps its zone.
        let zone = match kind {
            "fake.store" => "a",
            _ => ["a", "b"][random.usize(..2)],
        };
        put(&mut new, kind, &name, json!({ "size": random.u32(..4), "zone": zone }), &links);
    }
    // Half of the old environment stays as it was, where that makes sense.
    for (address, desired) in old.into_iter().flat_map(|old| &old.resources) {
        let refers_to_known = {
            let mut known = true;
            payctl_engine::model::text::each_ref(&desired.spec, &mut |reference| {
                known &=
                    new.resources.contains_key(&reference.to) && reference.to.name < address.name;
            });
            known
        };
        if random.bool() && refers_to_known {
            new.resources.insert(address.clone(), desired.clone());
        }
    }
    new
}

pub(crate) async fn plan_now(cloud: &FakeCloud, blueprint: &Blueprint, purpose: Purpose) -> Plan {
    let snapshot = survey(cloud, &blueprint.resources).await.expect("a survey passes in the end");
    plan(cloud, blueprint, &snapshot, purpose, &[]).expect("a plan can be made")
}

pub(crate) async fn run(cloud: &FakeCloud, blueprint: &Blueprint, purpose: Purpose) -> Report {
    let plan = plan_now(cloud, blueprint, purpose).await;
    assert!(plan.refused.is_empty(), "{:?}", plan.refused);
    let (_stopper, stop) = stop_pair();
    apply(cloud, &plan, 8, &stop, &|_| {}).await
}

/// Runs again and again, as a user does, until a run is complete.
pub(crate) async fn converge(cloud: &FakeCloud, blueprint: &Blueprint, purpose: Purpose) {
    for _ in 0..12 {
        if run(cloud, blueprint, purpose).await.is_complete() {
            return;
        }
    }
    panic!("it does not converge: {:#?}", run(cloud, blueprint, purpose).await);
}

/// What must hold once an apply is complete and nothing goes wrong any more.
pub(crate) async fn check_settled(cloud: &FakeCloud, blueprint: &Blueprint) {
    cloud.set_faults(Faults::default());
    let plan = plan_now(cloud, blueprint, Purpose::Apply).await;
    assert!(plan.is_empty(), "the plan after apply is not empty: {:#?}", plan.changes);
    let wanted: Vec<Address> = blueprint.resources.keys().cloned().collect();
    assert_eq!(cloud.addresses(), wanted, "one object for each address");
    assert_eq!(cloud.violations(), Vec::<String>::new());
}

pub(crate) async fn check_destroyed(cloud: &FakeCloud, blueprint: &Blueprint) {
    cloud.set_faults(Faults::default());
    converge(cloud, blueprint, Purpose::Destroy).await;
    assert_eq!(cloud.addresses(), []);
    assert_eq!(cloud.violations(), Vec::<String>::new());
}

pub(crate) fn random_faults(random: &mut fastrand::Rng) -> Faults {
    Faults {
        throttle: random.u64(..80),
        refuse: random.u64(..60),
        lose: random.u64(..60),
        lag: random.u64(..4),
        flaps: random.bool(),
        survey_lags: false,
        pending: random.u64(..4),
        corpse: if random.u8(..4) == 0 { 40 } else { 0 },
        dying: 0,
        not_yet: 0,
        slow: 0,
        split: 0,
        twice: random.bool(),
        die_at: random.bool().then(|| Death { operation: random.u64(1..60), after: random.bool() }),
        ..Faults::default()
    }
}

/// Runs until complete while things go wrong; the process may die once.
pub(crate) async fn converge_under(
    cloud: &FakeCloud,
    blueprint: &Blueprint,
    faults: Faults,
    purpose: Purpose,
) {
    cloud.set_faults(faults.clone());
    tokio::select! {
        () = converge(cloud, blueprint, purpose) => {}
        () = cloud.died() => {
            cloud.set_faults(Faults { die_at: None, ..faults });
            converge(cloud, blueprint, purpose).await;
        }
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(future)
}

pub(crate) fn seeds() -> std::ops::Range<u64> {
    seeds_or(CASES)
}

/// The seeds that were asked for, or so many.
pub(crate) fn seeds_or(cases: u64) -> std::ops::Range<u64> {
    let Ok(range) = std::env::var("PAYCTL_SEEDS") else { return 0..cases };
    let (from, to) = range.split_once("..").expect("PAYCTL_SEEDS=from..to");
    from.parse().expect("a number")..to.parse().expect("a number")
}

/// Names the seed when a case panics.
pub(crate) struct Seed(pub(crate) u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the failing seed: PAYCTL_SEEDS={}..{}", self.0, self.0 + 1);
        }
    }
}

pub(crate) fn two() -> Blueprint {
    let mut two = blueprint();
    let spec = json!({ "size": 1, "zone": "a" });
    put(&mut two, "fake.node", "base", spec.clone(), &[]);
    put(&mut two, "fake.named", "top", spec, &[Address::new("fake.node", "base")]);
    two
}

/// Runs once, with these faults.
pub(crate) async fn once(cloud: &FakeCloud, blueprint: &Blueprint, faults: Faults) -> Report {
    cloud.set_faults(faults);
    run(cloud, blueprint, Purpose::Apply).await
}
