//! The work of the engine grows in step with the environment.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, ready};
use payctl_engine::apply::apply;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Owner, Phase, Tags};
use payctl_engine::model::meta::Meta;
use payctl_engine::model::text::{Output, Outputs};
use payctl_engine::plan::Purpose;
use payctl_engine::planner::plan;
use payctl_engine::provider::{Provider, Sweep, Target};
use payctl_engine::stop::stop_pair;
use payctl_engine::survey::survey;
use serde_json::{Value, json};

use crate::support::{blueprint, put};

const PLAIN: Meta = Meta { use_blocks_delete: true, ..Meta::new("fast.plain", "fast", "") };
const LATE: Meta = Meta {
    use_blocks_delete: true,
    delete_after: &["fast.plain"],
    ..Meta::new("fast.late", "fast", "")
};

/// A cloud that answers at once, however much it holds.
#[derive(Default)]
struct Quick {
    objects: Mutex<BTreeMap<String, (Address, Value, Tags)>>,
}

impl Quick {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<String, (Address, Value, Tags)>) -> T) -> T {
        work(&mut self.objects.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn live(id: &str, (_, spec, tags): &(Address, Value, Tags)) -> Live {
    // Many objects share a value that looks like an id.
    let outputs = [(Output::Id, id.to_owned()), (Output::Name, "of-everybody".to_owned())];
    let (id, spec, tags) = (id.to_owned(), spec.clone(), tags.clone());
    Live { id, spec, outputs: Outputs::from(outputs), tags, phase: Phase::Ready }
}

impl Provider for Quick {
    fn kinds(&self) -> Vec<&'static Meta> {
        vec![&PLAIN, &LATE]
    }

    fn limit(&self, _: &str) -> usize {
        16
    }

    fn canonical(&self, _: &str, spec: &Value) -> Result<Value, OpError> {
        Ok(spec.clone())
    }

    fn survey<'a>(
        &'a self,
        kind: &'a str,
        _: &'a BTreeMap<String, Address>,
        _: Option<&'a Sweep>,
    ) -> BoxFuture<'a, Result<Vec<Found>, OpError>> {
        let found = self.with(|objects| {
            let found = objects.iter().filter(|(_, (address, ..))| address.kind == kind);
            let found = found.map(|(id, object)| Found {
                address: object.0.clone(),
                owner: Owner::Ours,
                live: live(id, object),
            });
            found.collect()
        });
        Box::pin(ready(Ok(found)))
    }

    fn read<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Option<Live>, OpError>> {
        let id = target.id.as_deref().unwrap_or_default();
        let found = self.with(|objects| objects.get(id).map(|object| live(id, object)));
        Box::pin(ready(Ok(found)))
    }

    fn create<'a>(
        &'a self,
        target: &'a Target,
        spec: &'a Value,
    ) -> BoxFuture<'a, Result<String, OpError>> {
        let id = format!("id-of-{}", target.name);
        let object = (target.address.clone(), spec.clone(), target.tags.clone());
        self.with(|objects| objects.insert(id.clone(), object));
        Box::pin(ready(Ok(id)))
    }

    fn update<'a>(
        &'a self,
        _: &'a Target,
        spec: &'a Value,
        live: &'a Live,
    ) -> BoxFuture<'a, Result<(), OpError>> {
        self.with(|objects| objects.get_mut(&live.id).map(|object| object.1 = spec.clone()));
        Box::pin(ready(Ok(())))
    }

    fn retag<'a>(
        &'a self,
        _: &'a Target,
        live: &'a Live,
        set: &'a Tags,
        _: &'a [String],
    ) -> BoxFuture<'a, Result<(), OpError>> {
        self.with(|objects| objects.get_mut(&live.id).map(|object| object.2.extend(set.clone())));
        Box::pin(ready(Ok(())))
    }

    fn delete<'a>(&'a self, _: &'a Target, live: &'a Live) -> BoxFuture<'a, Result<(), OpError>> {
        self.with(|objects| objects.remove(&live.id));
        Box::pin(ready(Ok(())))
    }
}

/// An environment of so many resources. `uses` says which earlier ones a resource refers to.
fn environment(count: usize, uses: &dyn Fn(usize) -> Vec<usize>, reversed: bool) -> Blueprint {
    let mut environment = blueprint();
    // The order of names decides the order of steps without dependencies.
    let name =
        |at: usize| if reversed { format!("r{:06}", count - at) } else { format!("r{at:06}") };
    let address = |at: usize| {
        let kind = if at + 1 == count { LATE.kind } else { PLAIN.kind };
        Address::new(kind, name(at))
    };
    for at in 0..count {
        let links: Vec<Address> = uses(at).into_iter().map(address).collect();
        let spec = json!({ "home": "of-everybody", "size": 1 });
        put(&mut environment, &address(at).kind, &name(at), spec, &links);
    }
    environment
}

/// How long a whole life takes: it is created, looked at, changed and destroyed.
async fn life(environment: &Blueprint) -> Duration {
    let cloud = Quick::default();
    let (_stopper, stop) = stop_pair();
    let mut changed = environment.clone();
    for desired in changed.resources.values_mut() {
        desired.spec["size"] = json!(2);
    }
    let count = environment.resources.len();
    let began = Instant::now();
    for (wanted, purpose, changes) in [
        (environment, Purpose::Apply, count),
        (environment, Purpose::Apply, 0),
        (&changed, Purpose::Apply, count),
        (&changed, Purpose::Destroy, count),
    ] {
        let snapshot = survey(&cloud, &wanted.resources).await.expect("a survey");
        let plan = plan(&cloud, wanted, &snapshot, purpose, &[]).expect("a plan");
        assert_eq!(plan.changes.len(), changes);
        let report = apply(&cloud, &plan, 16, &stop, &|_| {}).await;
        assert!(report.is_complete(), "{:?}", report.failed.first());
    }
    began.elapsed()
}

/// Sixteen times as much may take sixteen times as long, and something for deeper trees. If anything
/// were quadratic, it would take 256 times as long.
fn assert_grows_in_step(shape: &str, reversed: bool, uses: &dyn Fn(usize) -> Vec<usize>) {
    const SMALL: usize = 150;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let best = |count: usize, runs: usize| {
        let environment = environment(count, uses, reversed);
        let lives = (0..runs).map(|_| runtime.block_on(life(&environment)));
        lives.min().expect("one run")
    };
    let small = best(SMALL, 4);
    let large = best(SMALL * 16, 1);
    let growth = large.as_secs_f64() / small.as_secs_f64();
    assert!(growth < 60.0, "{shape}: {growth:.0} times as long ({small:?}, {large:?})");
}

#[test]
fn the_work_for_pairs_grows_in_step() {
    assert_grows_in_step("pairs", false, &|at| if at % 2 == 1 { vec![at - 1] } else { vec![] });
}

#[test]
fn the_work_for_a_chain_grows_in_step() {
    for reversed in [false, true] {
        assert_grows_in_step("a chain", reversed, &|at| at.checked_sub(1).into_iter().collect());
    }
}

#[test]
fn the_work_for_users_of_one_object_grows_in_step() {
    assert_grows_in_step("users of one object", true, &|at| if at > 0 { vec![0] } else { vec![] });
}
