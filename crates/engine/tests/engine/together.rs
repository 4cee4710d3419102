//! Two applies of one environment at once.

use std::collections::BTreeSet;

use payctl_engine::apply::apply;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::live::Tags;
use payctl_engine::model::text::{Output, Text};
use payctl_engine::plan::{Action, Change, Purpose};
use payctl_engine::stop::stop_pair;
use serde_json::{Value, json};

use crate::fake::{FakeCloud, Faults};
use crate::support::*;

/// Something to be made twice at once. What holds data refers to the rest, as a database stands in a
/// network; of such, only `anchors` cannot let go of it. What would have to be replaced under the
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
        // As at AWS, a key uses nothing of a network: two networks with data in each cannot become one.
        let is_data = is_store || kind == "fake.key";
        let address = Address::new(kind, format!("r{index}"));
        let known: Vec<Address> = new.resources.keys().cloned().collect();
        let free = known.iter().filter(|known| !is_data || !rooted.contains(*known));
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
fn of_two_concurrent_applies_one_succeeds_and_nothing_is_doubled() {
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
fn later_runs_merge_two_applies_that_did_not_see_each_other() {
    let mut failed = [0, 0, 0];
    for seed in seeds() {
        let _name = Seed(seed);
        failed[block_on(two_at_once(seed, 40))] += 1;
    }
    println!("how many failed of two: {failed:?}");
}

#[test]
fn of_two_networks_the_one_with_data_stays() {
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
fn a_shared_object_made_since_the_plan_is_left_alone() {
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
fn a_quota_full_of_the_wanted_object_is_no_failure() {
    block_on(async {
        for kind in ["fake.named", "fake.node"] {
            let cloud = FakeCloud::new(scope(), 1);
            let mut wanted = blueprint();
            put(&mut wanted, kind, "main", json!({ "size": 3 }), &[]);
            let plan = plan_now(&cloud, &wanted, Purpose::Apply).await;
            cloud.set_faults(Faults { full: Some(kind), ..Faults::default() });
            let (_stopper, stop) = stop_pair();
            let refused = apply(&cloud, &plan, 8, &stop, &|_| {}).await;
            assert!(!refused.is_complete(), "the quota is full of others' objects");
            let address = Address::new(kind, "main");
            let tags = wanted.resources[&address].tags.clone();
            let mut spec = json!({ "size": 1, "links": [] });
            if kind == "fake.named" {
                spec["name"] = json!("pr-1-main");
            }
            // Another run creates it between the plan and the step.
            cloud.plant(&address, spec, tags);
            let report = apply(&cloud, &plan, 8, &stop, &|_| {}).await;
            assert!(report.is_complete(), "{report:#?}");
            check_settled(&cloud, &wanted).await;
        }
    });
}
