//! Properties of the engine over random blueprints, faults and seeds, on `FakeCloud`.
//!
//! `PAYCTL_SEEDS=from..to` runs other seeds than the usual ones; a failure prints its own.

#![allow(unreachable_pub, reason = "the modules are the only users of each other")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use payctl_engine::apply::{Report, apply};
use payctl_engine::event::{Event, StepError, Verb};
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::{Blueprint, Desired};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Phase, Tags};
use payctl_engine::model::scope::{Scope, TAG_KEYS};
use payctl_engine::model::text::{Output, Text};
use payctl_engine::plan::{Action, Change, Plan, Purpose};
use payctl_engine::planner::plan;
use payctl_engine::stop::stop_pair;
use payctl_engine::survey::{SurveyError, survey};
use serde_json::{Value, json};

mod fake;
mod looking;

use fake::{Death, FakeCloud, Faults};

/// How many random cases a normal run makes.
const CASES: u64 = 2400;

fn scope() -> Scope {
    Scope {
        project: "payment".into(),
        env: "pr-1".into(),
        account: "123456789012".into(),
        region: "us-east-1".into(),
        partition: "aws".into(),
    }
}

fn blueprint() -> Blueprint {
    Blueprint {
        scope: scope(),
        protect: false,
        disposable: false,
        resources: BTreeMap::new(),
        outputs: BTreeMap::new(),
    }
}

/// Adds or replaces a resource that refers to others.
fn put(blueprint: &mut Blueprint, kind: &str, name: &str, spec: Value, links: &[Address]) {
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

fn random_blueprint(random: &mut fastrand::Rng, old: Option<&Blueprint>) -> Blueprint {
    let mut new = blueprint();
    let kinds = ["fake.node", "fake.named", "fake.store", "fake.link", "fake.slot"];
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

async fn plan_now(cloud: &FakeCloud, blueprint: &Blueprint, purpose: Purpose) -> Plan {
    let snapshot = survey(cloud, &blueprint.resources).await.expect("a survey passes in the end");
    plan(cloud, blueprint, &snapshot, purpose, &[]).expect("a plan can be made")
}

async fn run(cloud: &FakeCloud, blueprint: &Blueprint, purpose: Purpose) -> Report {
    let plan = plan_now(cloud, blueprint, purpose).await;
    assert!(plan.refused.is_empty(), "{:?}", plan.refused);
    let (_stopper, stop) = stop_pair();
    apply(cloud, &plan, 8, &stop, &|_| {}).await
}

/// Runs again and again, as a user does, until a run is complete.
async fn converge(cloud: &FakeCloud, blueprint: &Blueprint, purpose: Purpose) {
    for _ in 0..12 {
        if run(cloud, blueprint, purpose).await.is_complete() {
            return;
        }
    }
    panic!("it does not converge: {:#?}", run(cloud, blueprint, purpose).await);
}

/// What must hold once an apply is complete and nothing goes wrong any more.
async fn check_settled(cloud: &FakeCloud, blueprint: &Blueprint) {
    cloud.set_faults(Faults::default());
    let plan = plan_now(cloud, blueprint, Purpose::Apply).await;
    assert!(plan.is_empty(), "the plan after apply is not empty: {:#?}", plan.changes);
    let wanted: Vec<Address> = blueprint.resources.keys().cloned().collect();
    assert_eq!(cloud.addresses(), wanted, "one object for each address");
    assert_eq!(cloud.violations(), Vec::<String>::new());
}

async fn check_destroyed(cloud: &FakeCloud, blueprint: &Blueprint) {
    cloud.set_faults(Faults::default());
    converge(cloud, blueprint, Purpose::Destroy).await;
    assert_eq!(cloud.addresses(), []);
    assert_eq!(cloud.violations(), Vec::<String>::new());
}

fn random_faults(random: &mut fastrand::Rng) -> Faults {
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
async fn converge_under(
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

async fn one_case(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let cloud = FakeCloud::new(scope(), seed);
    let first = random_blueprint(&mut random, None);
    converge_under(&cloud, &first, random_faults(&mut random), Purpose::Apply).await;
    check_settled(&cloud, &first).await;
    let second = random_blueprint(&mut random, Some(&first));
    converge_under(&cloud, &second, random_faults(&mut random), Purpose::Apply).await;
    check_settled(&cloud, &second).await;
    converge_under(&cloud, &second, random_faults(&mut random), Purpose::Destroy).await;
    check_destroyed(&cloud, &second).await;
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(future)
}

fn seeds() -> std::ops::Range<u64> {
    let Ok(range) = std::env::var("PAYCTL_SEEDS") else { return 0..CASES };
    let (from, to) = range.split_once("..").expect("PAYCTL_SEEDS=from..to");
    from.parse().expect("a number")..to.parse().expect("a number")
}

/// Names the seed when a case panics.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the failing seed: PAYCTL_SEEDS={}..{}", self.0, self.0 + 1);
        }
    }
}

#[test]
fn it_converges_whatever_goes_wrong() {
    let range = seeds();
    println!("{} random cases", range.end - range.start);
    for seed in range {
        let _name = Seed(seed);
        block_on(one_case(seed));
    }
}

#[test]
fn without_faults_the_order_is_right_and_limits_are_kept() {
    for seed in 0..300 {
        let _name = Seed(seed);
        block_on(async {
            let mut random = fastrand::Rng::with_seed(seed);
            let cloud = FakeCloud::new(scope(), seed);
            let first = random_blueprint(&mut random, None);
            assert!(run(&cloud, &first, Purpose::Apply).await.is_complete());
            check_settled(&cloud, &first).await;
            assert!(run(&cloud, &first, Purpose::Destroy).await.is_complete());
            assert_eq!(cloud.addresses(), []);
            assert_eq!(cloud.refusals(), 0, "nothing is deleted before what uses it");
            assert!(cloud.most_at_once()["one"] <= 3 + 2, "{:?}", cloud.most_at_once());
        });
    }
}

#[test]
fn dropping_the_run_at_any_operation_is_harmless() {
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
fn a_duplicate_from_a_lagging_list_is_removed_by_the_next_runs() {
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
fn answers_from_before_and_after_in_turn_lead_to_no_second_write() {
    for seed in 0..100 {
        let _name = Seed(seed);
        block_on(async {
            let cloud = FakeCloud::new(scope(), seed);
            let flapping = Faults { lag: 5, flaps: true, ..Faults::default() };
            cloud.set_faults(flapping.clone());
            assert!(run(&cloud, &two(), Purpose::Apply).await.is_complete());
            let log = cloud.log();
            assert_eq!(log.iter().filter(|line| line.starts_with("Update")).count(), 2, "{log:?}");
            check_settled(&cloud, &two()).await;

            let mut wanted = two();
            for resource in wanted.resources.values_mut() {
                resource.spec["size"] = json!(3);
            }
            cloud.set_faults(flapping);
            assert!(run(&cloud, &wanted, Purpose::Apply).await.is_complete());
            let log = cloud.log();
            assert_eq!(log.iter().filter(|line| line.starts_with("Update")).count(), 4, "{log:?}");
            check_settled(&cloud, &wanted).await;
            assert!(run(&cloud, &wanted, Purpose::Destroy).await.is_complete());
            assert_eq!(cloud.addresses(), []);
        });
    }
}

fn two() -> Blueprint {
    let mut two = blueprint();
    let spec = json!({ "size": 1, "zone": "a" });
    put(&mut two, "fake.node", "base", spec.clone(), &[]);
    put(&mut two, "fake.named", "top", spec, &[Address::new("fake.node", "base")]);
    two
}

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
fn a_foreign_object_of_the_same_name_is_refused_and_named() {
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
fn data_is_never_replaced_and_a_protected_environment_loses_nothing() {
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
fn a_failure_skips_only_what_needs_it() {
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
fn an_object_that_changed_since_the_plan_is_not_touched() {
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

/// Runs once, with these faults.
async fn once(cloud: &FakeCloud, blueprint: &Blueprint, faults: Faults) -> Report {
    cloud.set_faults(faults);
    run(cloud, blueprint, Purpose::Apply).await
}

#[test]
fn a_dying_predecessor_is_waited_for() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        converge(&cloud, &two(), Purpose::Apply).await;
        let wanted = two();
        // A survey of seven kinds, a look at `top`, and its deletion.
        let dead = Some(Death { operation: 9, after: true });
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
fn a_new_object_with_the_id_of_the_old_one_is_known_after_a_lost_reply() {
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
fn what_somebody_made_for_everybody_since_the_plan_is_left_as_it_is() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        let mut wanted = blueprint();
        put(&mut wanted, "fake.account", "main", json!({ "size": 3 }), &[]);
        let plan = plan_now(&cloud, &wanted, Purpose::Apply).await;
        let address = Address::new("fake.account", "main");
        let spec = json!({ "size": 1, "name": "pr-1-main" });
        cloud.plant(&address, spec, Tags::from([("Team".into(), "other".into())]));
        let (_stopper, stop) = stop_pair();
        let report = apply(&cloud, &plan, 8, &stop, &|_| {}).await;
        assert!(report.is_complete(), "{report:#?}");
        assert!(report.outputs.contains_key(&address));
        assert_eq!(cloud.log(), Vec::<String>::new());
    });
}

#[test]
fn what_becomes_visible_late_is_waited_for_as_long_as_its_kind_says() {
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

#[test]
fn what_came_to_belong_to_somebody_else_is_not_deleted() {
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
fn what_uses_a_replaced_target_lets_go_with_it() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        converge(&cloud, &two(), Purpose::Apply).await;
        let mut wanted = two();
        put(&mut wanted, "fake.node", "base", json!({ "size": 1, "zone": "b" }), &[]);
        let snapshot = survey(&cloud, &wanted.resources).await.expect("a survey");
        let target = ["fake.node/base".to_owned()];
        let plan = plan(&cloud, &wanted, &snapshot, Purpose::Apply, &target).expect("a plan");
        let (_stopper, stop) = stop_pair();
        let report = apply(&cloud, &plan, 8, &stop, &|_| {}).await;
        assert!(report.is_complete(), "{report:#?}");
        check_settled(&cloud, &wanted).await;
    });
}

#[test]
fn a_target_brings_what_it_needs_and_nothing_else() {
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
fn a_saved_plan_survives_its_file() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        let plan = plan_now(&cloud, &two(), Purpose::Apply).await;
        let text = serde_json::to_string(&plan).expect("a plan serialises");
        let again: Plan = serde_json::from_str(&text).expect("a plan deserialises");
        assert_eq!(again, plan);
    });
}

/// Something to be made twice at once. What holds data refers to the rest, as a database stands in a
/// network; of such, only `anchors` cannot let go of it. What would have to be made anew under the
/// same name in another network, as a target group, is nothing that data needs.
fn entangled(random: &mut fastrand::Rng, anchors: usize) -> Blueprint {
    let mut new = blueprint();
    let kinds = [
        "fake.node",
        "fake.node",
        "fake.key",
        "fake.named",
        "fake.store",
        "fake.link",
        "fake.slot",
    ];
    let mut anchored = 0;
    let mut rooted: BTreeSet<Address> = BTreeSet::new();
    for index in 0..random.usize(2..14) {
        let kind = kinds[random.usize(..kinds.len())];
        let is_store = kind == "fake.store";
        let address = Address::new(kind, format!("r{index}"));
        let known: Vec<Address> = new.resources.keys().cloned().collect();
        let free = known.iter().filter(|known| !is_store || !rooted.contains(*known));
        let free: Vec<Address> = free.cloned().collect();
        let count = random.usize(..=free.len().min(3));
        let links: Vec<Address> = random.choose_multiple(free, count);
        let mut spec = json!({ "size": random.u32(..4), "zone": "a" });
        let nodes: Vec<&Address> = known
            .iter()
            .filter(|known| known.kind == "fake.node" && !(is_store && rooted.contains(*known)))
            .collect();
        let may_stand = !matches!(kind, "fake.key" | "fake.link") && !nodes.is_empty();
        let stands = random.bool() && may_stand && (!is_store || anchored < anchors);
        if stands {
            let home = nodes[random.usize(..nodes.len())];
            spec["home"] = json!(Text::reference(home.clone(), Output::Id));
            anchored += usize::from(is_store);
        }
        let is_named = matches!(kind, "fake.named" | "fake.slot");
        if (is_named && stands) || links.iter().any(|link| rooted.contains(link)) {
            rooted.insert(address.clone());
        }
        put(&mut new, kind, &address.name, spec, &links);
    }
    new
}

/// Plans and applies; false if that did not end as planned.
async fn attempt(cloud: &FakeCloud, blueprint: &Blueprint) -> bool {
    let plan = plan_now(cloud, blueprint, Purpose::Apply).await;
    let (_stopper, stop) = stop_pair();
    plan.refused.is_empty() && apply(cloud, &plan, 8, &stop, &|_| {}).await.is_complete()
}

/// Two applies of one environment, the second up to five seconds later, and what comes after.
async fn two_at_once(seed: u64, split: u64) -> usize {
    let mut random = fastrand::Rng::with_seed(seed);
    let cloud = FakeCloud::new(scope(), seed);
    let anchors = if split > 0 { 1 } else { usize::MAX };
    let blueprint = entangled(&mut random, anchors);
    cloud.set_faults(Faults {
        throttle: random.u64(..40),
        lose: random.u64(..40),
        lag: random.u64(..4),
        // Two runs that do not see each other are enough for one case.
        flaps: split == 0 && random.bool(),
        survey_lags: random.bool(),
        pending: random.u64(..4),
        slow: random.u64(1..200),
        split,
        ..Faults::default()
    });
    let other = cloud.elsewhere();
    let late = std::time::Duration::from_millis(random.u64(..5000));
    let second = async {
        tokio::time::sleep(late).await;
        attempt(&other, &blueprint).await
    };
    let (first, second) = tokio::join!(attempt(&cloud, &blueprint), second);
    let failed = usize::from(!first) + usize::from(!second);
    cloud.set_faults(Faults::default());
    // A run may refer to what the other one, which it does not see, takes back: that is refused.
    if split > 0 {
        cloud.forgive();
    }
    for _ in 0..2 {
        attempt(&cloud, &blueprint).await;
    }
    check_settled(&cloud, &blueprint).await;
    failed
}

#[test]
fn of_two_applies_at_once_at_most_one_fails_and_nothing_is_there_twice() {
    let mut failed = [0, 0];
    for seed in seeds() {
        let _name = Seed(seed);
        let count = block_on(two_at_once(seed, 0));
        assert!(count < 2, "both failed");
        failed[count] += 1;
    }
    println!("both ended as planned {} times, one {} times", failed[0], failed[1]);
}

#[test]
fn two_applies_that_do_not_see_each_other_are_brought_together_by_the_next_runs() {
    let mut failed = [0, 0, 0];
    for seed in seeds() {
        let _name = Seed(seed);
        failed[block_on(two_at_once(seed, 40))] += 1;
    }
    println!("how many failed of two: {failed:?}");
}

#[test]
fn the_network_that_the_data_stands_in_stays_and_the_other_goes() {
    block_on(async {
        let cloud = FakeCloud::new(scope(), 1);
        let node = |name: &str| Address::new("fake.node", name);
        let mut wanted = blueprint();
        let plain = json!({ "size": 1, "zone": "a" });
        let at_home = |name: &str| {
            let home = Text::reference(node(name), Output::Id);
            json!({ "size": 1, "zone": "a", "home": home })
        };
        put(&mut wanted, "fake.node", "vpc", plain.clone(), &[]);
        put(&mut wanted, "fake.node", "subnet", at_home("vpc"), &[]);
        put(&mut wanted, "fake.key", "key", json!({ "size": 1 }), &[]);
        put(&mut wanted, "fake.named", "group", plain.clone(), &[node("subnet")]);
        put(&mut wanted, "fake.named", "web", at_home("vpc"), &[]);
        let key = Address::new("fake.key", "key");
        let group = Address::new("fake.named", "group");
        put(&mut wanted, "fake.store", "data", plain, &[group.clone(), key.clone()]);

        let tags = |address: &Address| wanted.resources[address].tags.clone();
        let plant = |address: &Address, mut spec: Value| {
            if address.kind != "fake.node" && address.kind != "fake.key" {
                spec["name"] = json!(format!("pr-1-{}", address.name));
            }
            cloud.plant(address, spec, tags(address))
        };
        let made = |home: Option<&str>, links: &[&str]| {
            let mut spec = json!({ "size": 1, "zone": "a", "links": links });
            if let Some(home) = home {
                spec["home"] = json!(home);
            }
            spec
        };
        // The smaller ids are those that nothing with data uses.
        let lost =
            [plant(&node("vpc"), made(None, &[])), plant(&key, json!({ "size": 1, "links": [] }))];
        let vpc = plant(&node("vpc"), made(None, &[]));
        let used = plant(&key, json!({ "size": 1, "links": [] }));
        let astray = plant(&node("subnet"), made(Some(&lost[0]), &[]));
        let subnet = plant(&node("subnet"), made(Some(&vpc), &[]));
        let web = plant(&Address::new("fake.named", "web"), made(Some(&lost[0]), &[]));
        let group = plant(&group, made(None, &[&subnet]));
        let data = Address::new("fake.store", "data");
        let data = plant(&data, made(None, &[&used, &group]));

        let plan = plan_now(&cloud, &wanted, Purpose::Apply).await;
        let of =
            |change: &Change| (change.action, change.live.as_ref().map(|live| live.id.clone()));
        let mut changes: Vec<_> = plan.changes.iter().map(of).collect();
        changes.sort();
        let gone = |id: &String| (Action::Delete, Some(id.clone()));
        let mut expected = vec![(Action::Replace, Some(web))];
        expected.extend([&lost[0], &lost[1], &astray].map(gone));
        expected.sort();
        assert_eq!(changes, expected);
        let losses = plan.changes.iter().filter(|change| change.irreversible.is_some());
        assert_eq!(losses.count(), 0, "a key that nothing uses has never held data");
        assert!(attempt(&cloud, &wanted).await);
        check_settled(&cloud, &wanted).await;
        assert!([vpc, used, subnet, group, data].iter().all(|id| cloud.ids().contains(id)));
        assert_eq!(cloud.refusals(), 0, "in the right order");
    });
}

#[test]
fn a_second_key_that_data_is_encrypted_with_is_a_loss() {
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
fn a_second_key_is_a_loss_while_something_cannot_be_looked_at() {
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
        let plan = plan(&cloud, &wanted, &snapshot, Purpose::Apply, &targets).expect("a plan");
        let deleted: Vec<&Change> =
            plan.changes.iter().filter(|change| change.action == Action::Delete).collect();
        assert_eq!(deleted.len(), 1, "{:?}", plan.changes);
        assert!(deleted[0].irreversible.is_some(), "nobody knows what it encrypts");
    });
}

#[test]
fn a_second_key_that_came_into_use_since_the_plan_is_not_deleted() {
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

#[test]
fn what_stands_without_tags_where_something_was_being_deleted_is_not_deleted() {
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
fn what_came_to_belong_to_somebody_else_is_not_changed() {
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
fn what_loses_its_tags_between_two_changes_of_a_step_is_not_taken_back() {
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
